"""Channel by decision: what leaves by each way out, tried on every one; docs/security.md shows the same table.

``UPDATE_GOLDEN=1 pytest tests/contract/test_egress_matrix.py`` writes the table there anew.
"""

import json
import os
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from app.services.hub import Hub
from app.services.jobs import DueWork
from app.services.partners import registration
from app.store.changes import Changes, Job
from tests.contract.notified import notifying, subscriber
from tests.contract.subscribers import body, subscribe
from tests.contract.test_consent_life import Scene, consent, scene
from tests.contract.test_pushing_consent import turned, with_server
from tests.fhir_servers import fhir_server
from tests.hub_fixtures import PARTNER
from tests.receivers import Receiver, receiving
from tests.unit.letters import pdf_pages

__all__ = ["scene"]

SECURITY: Final = Path(__file__).parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- channel by decision -->\n", "<!-- end -->\n"
IDENTIFYING: Final = ("Htest", "HTEST0007", "1991-04-02", "555-0107", "V0007", "F11.20", "4W")
A_LINK: Final = "text message"
"""Whatever is decided, it says that there is something, and where."""
REVOKED: Final = consent(status="inactive", signed_at="2026-06-06T10:00:00-04:00")


@dataclass
class Known:
    """What the partner knows of a referral from better days: ids, and a receiver that was told of events."""

    scene: Scene
    task: str
    request: str
    patient: str
    condition: str
    receiver: Receiver
    hub: Hub
    """Which may call receivers on this machine."""

    async def got(self, *paths: str) -> str:
        """The bodies of all answers; an error's is left out: it is the same for everybody."""
        answers = [await self.scene.partner.get(path) for path in paths]
        return " ".join(answer.text for answer in answers if answer.status_code == 200)


Channel = Callable[[Known], Awaitable[str]]


async def read(known: Known) -> str:
    return await known.got(known.task, known.request, known.patient, known.condition)


async def vread(known: Known) -> str:
    return await known.got(*(f"{one}/_history/1" for one in (known.task, known.request, known.patient)))


async def history(known: Known) -> str:
    return await known.got(*(f"{one}/_history" for one in (known.task, known.request, known.patient)))


async def search(known: Known) -> str:
    return await known.got("Task", "ServiceRequest", "Patient", "Condition", "MedicationAdministration", "Encounter")


async def search_by_post(known: Known) -> str:
    headers = known.scene.partner.headers | {"content-type": "application/x-www-form-urlencoded"}
    found = [
        await known.scene.web.post(f"/fhir/R4/{kind}/_search", content="_count=50", headers=headers)
        for kind in ("Task", "Patient")
    ]
    return " ".join(answer.text for answer in found)


async def included(known: Known) -> str:
    return await known.got(
        "Task?_include=Task:focus&_include=Task:patient&_include:iterate=ServiceRequest:reason-reference",
        "ServiceRequest?_revinclude=Task:focus&_revinclude=Provenance:target",
    )


async def counted(known: Known) -> str:
    """An identity is told where a search for it counts somebody."""
    answers = [
        (await known.scene.partner.read(f"{query}&_summary=count"))["total"]
        for query in ("Patient?identifier=HTEST0007", "Patient?family=Htest", "Patient?birthdate=1991-04-02")
    ]
    return "HTEST0007" if any(answers) else ""


async def packet(known: Known) -> str:
    return await known.got(f"{known.task}/$packet")


async def page(known: Known) -> str:
    answer = await known.scene.partner.get(f"{known.task}/$packet", accept="text/html")
    return shown(answer.text) if answer.status_code == 200 else ""


async def printed(known: Known) -> str:
    answer = await known.scene.partner.get(f"{known.task}/$packet", accept="application/pdf")
    return shown(" ".join(pdf_pages(answer.content))) if answer.status_code == 200 else ""


def shown(text: str) -> str:
    """Pages say what they are in words."""
    return text + ("REDACTED" if "Offer of a referral" in text else "")


async def transaction(known: Known) -> str:
    """A reference to the person is accepted only from who sees the person."""
    made = {"resourceType": "Procedure", "status": "completed", "subject": {"reference": known.patient}}
    entry = {"resource": made, "request": {"method": "POST", "url": "Procedure"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    answer = await known.scene.partner.post("", bundle)
    return "HTEST0007" if answer.status_code == 200 else ""


async def update(known: Known) -> str:
    note = {"op": "add", "path": "/note", "value": [{"text": "seen"}]}
    answer = await known.scene.partner.patch(known.task, note)
    return answer.text if answer.status_code == 200 else ""


async def notified(known: Known) -> str:
    """What was queued before the decision and is sent after it."""
    async with notifying(known.hub):
        (told, *_) = await known.receiver.of_type("event-notification")
    return json.dumps(told.bundle)


async def told_by(known: Known, way: str, kind: str) -> str:
    """What a partner is sent that is told by a machine; the pages of a fax as they are read."""
    number = {"number": "+15550100222", "attested_by": "HTEST Diaz", "attested_at": "2026-06-01"}
    profile = PARTNER | {"part2_program": True, "receives_by": [way], way: number}
    await registration.import_partners(known.hub, json.dumps([profile]).encode())
    task = known.task.rpartition("/")[2]
    await known.hub.store.commit(Changes(jobs=(Job(f"{kind}:{task}", kind, task, 0),)))
    async with receiving() as provider:
        urls = {"sms_url": provider.url, "fax_url": provider.url}
        await DueWork(replace(known.hub, settings=known.hub.settings.model_copy(update=urls))).run()
    documents = [page for one in provider.came for page in one.bundle.pop("documents", ())]
    read = (text for page in documents for text in pdf_pages(b64decode(page["content"])))
    return json.dumps([one.bundle for one in provider.came]) + " ".join(read)


async def by_sms(known: Known) -> str:
    return await told_by(known, "sms", "notify-sms")


async def by_fax(known: Known) -> str:
    return await told_by(known, "fax", "send-fax")


async def pushed(known: Known) -> str:
    """What a partner's own server is given, whatever was given it before."""
    async with fhir_server() as server:
        await with_server(known.scene, server)
        task, row = known.task.rpartition("/")[2], "'waiting', 0, 0, 0"
        await known.scene.rows(
            "insert into push (task, organization, at, wanted, looked, state, attempts, due_at, leased_until) "
            f"values ($1, $2, 0, 1, 0, {row})",
            task,
            known.scene.world.harbor,
        )
        wrote, _ = await turned(known.scene, server)
    return json.dumps([one.body for one in wrote])


CHANNELS: Final[dict[str, Channel]] = {
    "read": read,
    "vread": vread,
    "history": history,
    "search, GET": search,
    "search, POST": search_by_post,
    "_include, _revinclude, :iterate": included,
    "_summary=count by identity": counted,
    "$packet": packet,
    "$packet as a page": page,
    "$packet as a print": printed,
    "reference in a transaction": transaction,
    "answer to an update": update,
    "notification queued before, full resource": notified,
    A_LINK: by_sms,
    "fax": by_fax,
    "push to a partner's server": pushed,
}


async def nothing(scene: Scene) -> None:
    await scene.tell()


async def offer(scene: Scene) -> None:
    await scene.tell()
    await scene.hospital.set_status(await scene.source(), "requested")


async def whole(scene: Scene) -> None:
    await scene.tell(consent())


async def revoked(scene: Scene) -> None:
    await scene.tell(consent())
    await scene.tell(REVOKED)


DECISIONS: Final = {"no consent": nothing, "offer, by hand": offer, "consent": whole, "consent taken back": revoked}


async def known_of(scene: Scene, receiver: Receiver, decide: Callable[[Scene], Awaitable[None]]) -> Known:
    actor = await subscriber(scene.world)
    near = scene.world.hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"})
    hub = replace(scene.world.hub, settings=near)
    await subscribe(hub, actor, body(receiver.url, content="full-resource"))
    await decide(scene)
    rows = await scene.rows("select type, id, part_of from resource where type in ('Task','Patient','Condition')")
    tasks = [i for kind, i, parent in rows if kind == "Task" and parent] or [i for kind, i, _ in rows if kind == "Task"]
    (source,) = await scene.hospital.search("Task")
    (condition,) = [i for kind, i, _ in rows if kind == "Condition"]
    focus = await scene.rows("select focus from resource where id = $1", tasks[0])
    task, person = f"Task/{tasks[0]}", source["for"]["reference"]
    return Known(scene, task, focus[0][0], person, f"Condition/{condition}", receiver, hub)


def level_of(text: str, person: str) -> str:
    if any(one in text for one in (*IDENTIFYING, person)):
        return "packet"
    return "offer" if "REDACTED" in text else "nothing"


async def row_of(scene: Scene, decision: str) -> dict[str, str]:
    async with receiving() as receiver:
        known = await known_of(scene, receiver, DECISIONS[decision])
        told = decision != "no consent"
        return {
            name: level_of(await channel(known), known.patient) if told or channel is not notified else "nothing"
            for name, channel in CHANNELS.items()
        }


def table_of(rows: dict[str, dict[str, str]]) -> str:
    head = f"| channel | {' | '.join(rows)} |\n|---|{'---|' * len(rows)}\n"
    return head + "".join(
        f"| {name} | {' | '.join(row.get(name, '') for row in rows.values())} |\n" for name in CHANNELS
    )


def documented() -> dict[str, dict[str, str]]:
    lines = SECURITY.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].splitlines()
    head, _, *rest = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: {row[0]: row[column] for row in rest} for column, name in enumerate(head) if column}


@pytest.mark.parametrize("decision", DECISIONS)
async def test_each_way_out_shows_what_the_decision_permits_and_no_more(scene: Scene, decision: str) -> None:
    found = await row_of(scene, decision)
    limit = {"no consent": {"nothing"}, "consent": {"packet"}}.get(decision, {"nothing", "offer"})
    assert found[A_LINK] == "nothing"
    assert {level for name, level in found.items() if name != A_LINK} <= limit, found
    if os.environ.get("UPDATE_GOLDEN"):
        text = SECURITY.read_text(encoding="utf-8")
        rows = documented() | {decision: found}
        before, _, rest = text.partition(BEGIN)
        SECURITY.write_text(f"{before}{BEGIN}{table_of(rows)}{END}{rest.partition(END)[2]}", encoding="utf-8")
    assert documented()[decision] == found
