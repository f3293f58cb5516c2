"""From no consent to a consent and back: what the partner sees, what the hospital is told, what is on record."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.services.jobs import DueWork
from app.services.partners import registration
from tests.contract.fhir_callers import OUTPUT, Caller, Resource, caller
from tests.contract.http_messages import event
from tests.hub_fixtures import PARTNER, World

CLINICAL = ("Patient", "Encounter", "Condition", "MedicationAdministration", "Consent", "Provenance")
REPORT = {"op": "add", "path": "/output", "value": OUTPUT}
IDENTIFYING = ("Htest", "HTEST0007", "1991", "555-0107", "4W", "V0007")


def consent(**changes: Any) -> dict[str, Any]:
    return {
        "identifier": "HTEST-C1",
        "recipients": [PARTNER["name"]],
        "signed_at": "2026-06-05T10:00:00-04:00",
        "form": "urn:htest:form:1",
        **changes,
    }


@dataclass
class Scene:
    """A Part 2 unit, an OTP that is a Part 2 program, and one person who leaves."""

    world: World
    web: httpx.AsyncClient
    hospital: Caller
    partner: Caller
    number: int = 7
    told: int = 0

    async def tell(self, *consents: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """An event of the person; the ledger entry."""
        self.told += 1
        body = event(self.number, **changes) | {"event_id": f"HTEST-E{self.told}", "consents": list(consents)}
        answer = await self.web.post("/ingest/events", json=body, headers=self.hospital.headers)
        assert answer.status_code in {201, 202}, answer.text
        entry: dict[str, Any] = answer.json()
        return entry

    async def source(self) -> Resource:
        (task,) = await self.hospital.search("Task")
        return task

    async def child(self) -> Resource:
        (task,) = await self.partner.search("Task")
        return task

    async def seen(self) -> dict[str, int]:
        return {kind: len(await self.partner.search(kind)) for kind in CLINICAL}

    async def rows(self, text: str, *args: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.world.hub.store.database.fetch(text, *args)]


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient) -> Scene:
    fields = {"id": "acs", "organization": "HTEST ACS", "dialect": "adt_generic", "timezone": "America/New_York"}
    acs = await registration.add_sender(world.hub, fields | {"part2": "all"})
    await registration.import_partners(world.hub, json.dumps([PARTNER | {"part2_program": True}]).encode())
    hospital = await caller(world, web, acs.organization, "ingest system/*.cruds")
    return Scene(world, web, hospital, await caller(world, web, world.harbor, "system/*.cruds"))


def marks(task: Resource) -> list[str]:
    return [one["code"] for one in task.get("businessStatus", {}).get("coding", [])]


async def offered(scene: Scene) -> Resource:
    """The hospital asks by hand for what no consent permits yet."""
    await scene.tell()
    answer = await scene.hospital.set_status(await scene.source(), "requested")
    assert answer.status_code == 200, answer.text
    return await scene.child()


# ---- without a consent


async def test_without_a_consent_nobody_is_asked_and_the_hospital_reads_what_would_cure_it(scene: Scene) -> None:
    entry = await scene.tell()
    assert entry["state"] == "review"
    assert [one["code"] for one in entry["reasons"]][:2] == ["no-consent", "part2-unit"]
    cures = [one["text"] for one in entry["reasons"] if one["code"] == "cure"]
    assert f"names {PARTNER['name']}" in cures[0]
    assert await scene.partner.search("Task") == []


async def test_a_partner_that_is_asked_by_hand_sees_an_offer_that_identifies_nobody(scene: Scene) -> None:
    task = await offered(scene)
    assert (task["status"], marks(task)) == ("requested", ["consent-needed"])
    text = json.dumps([task, *await scene.partner.search("ServiceRequest"), *await scene.partner.search("Patient")])
    assert [one for one in IDENTIFYING if one in text] == []
    assert "REDACTED" in text
    patient = task["for"]["reference"]
    assert (await scene.partner.read(patient))["id"] == patient.rpartition("/")[2]
    assert (await scene.hospital.get(patient)).status_code == 404
    whole = (await scene.source())["for"]["reference"]
    assert (await scene.partner.get(whole)).status_code == 404
    assert await scene.partner.search(f"Task?patient={whole}") == []
    assert await scene.seen() == {**dict.fromkeys(CLINICAL, 0), "Patient": 1}
    assert marks(await scene.source()) == ["consent-needed"]


async def test_an_offer_is_answered_and_stays_an_offer(scene: Scene) -> None:
    task = await offered(scene)
    answer = await scene.partner.set_status(task, "accepted")
    assert answer.status_code == 200
    text = json.dumps([answer.json(), await scene.child(), await scene.partner.read(f"Task/{task['id']}/_history")])
    assert [one for one in IDENTIFYING if one in text] == []
    assert answer.json()["for"] == task["for"]
    assert (await scene.source())["status"] == "accepted"
    again = await scene.partner.put(answer.json() | {"status": "in-progress"})
    assert (again.status_code, again.json()["for"]) == (200, task["for"])


async def test_a_sender_may_let_offers_go_at_once(scene: Scene) -> None:
    fields = {"id": "acs", "organization": "HTEST ACS", "dialect": "adt_generic", "timezone": "America/New_York"}
    await registration.add_sender(scene.world.hub, fields | {"part2": "all", "minimum_offer": "at-once"})
    assert (await scene.tell())["state"] == "review"
    assert marks(await scene.child()) == ["consent-needed"]


# ---- a consent comes


async def test_a_consent_turns_the_offer_into_the_packet_and_everything_names_it(scene: Scene) -> None:
    task = await offered(scene)
    offer_patient = task["for"]["reference"]
    assert (await scene.tell(consent()))["state"] == "updated"
    child = await scene.child()
    assert (child["id"], marks(child)) == (task["id"], [])
    assert child["meta"]["lastUpdated"] > task["meta"]["lastUpdated"]
    assert (await scene.partner.read(child["for"]["reference"]))["name"][0]["family"] == "Htest"
    assert (await scene.partner.get(offer_patient)).status_code == 404
    assert [kind for kind, number in (await scene.seen()).items() if number == 0] == []
    (paper,) = await scene.partner.search("Consent")
    ((level, basis, named, notice),) = await scene.rows(
        "select level, basis, consent, notice from decision where task = $1 and direction = 'to-recipient' "
        "and level = 'packet'",
        child["id"],
    )
    assert (level, basis, named, notice) == ("packet", "consent", paper["id"], "part2-2-32")
    decisions = {
        entry[3]
        for (entries,) in await scene.rows(
            "select entries from disclosure where organization = $1", scene.partner.organization
        )
        for entry in json.loads(entries)
        if entry[2] == "full" and entry[0] == child["for"]["reference"].rpartition("/")[2]
    }
    assert decisions == {
        row[0] for row in await scene.rows("select id from decision where level = 'packet' and direction <> 'back'")
    }


async def test_the_same_consent_told_again_is_no_new_decision(scene: Scene) -> None:
    await scene.tell(consent())
    before = await scene.rows("select id from decision")
    await scene.tell(consent(), naloxone_given=True)
    assert await scene.rows("select id from decision") == before
    assert await scene.seen() != {}


# ---- the consent goes


@pytest.mark.parametrize(
    "gone",
    [
        consent(status="inactive", signed_at="2026-06-06T10:00:00-04:00"),
        consent(status="rejected", signed_at="2026-06-06T10:00:00-04:00"),
        consent(not_recipients=[PARTNER["name"]], signed_at="2026-06-06T10:00:00-04:00"),
    ],
    ids=["revoked", "refused", "partly revoked"],
)
async def test_a_revocation_hides_the_packet_and_tells_who_holds_it(scene: Scene, gone: dict[str, Any]) -> None:
    await scene.tell(consent())
    child = await scene.child()
    await scene.partner.set_status(child, "accepted")
    person = child["for"]["reference"]
    await scene.tell(gone)
    now = await scene.child()
    assert (now["id"], now["status"], marks(now)) == (child["id"], "accepted", ["consent-withdrawn"])
    assert (await scene.partner.get(person)).status_code == 404
    assert (await scene.partner.get(f"{person}/_history")).status_code == 404
    assert await scene.seen() == {**dict.fromkeys(CLINICAL, 0), "Patient": 1}
    history = await scene.partner.read(f"Task/{child['id']}/_history")
    text = json.dumps([now, history, await scene.partner.search("ServiceRequest")])
    assert [one for one in IDENTIFYING if one in text] == []
    assert person not in text
    assert (await scene.partner.get(f"Task/{child['id']}/_history/1")).status_code == 404
    assert marks(await scene.source()) == ["consent-withdrawn"]


async def test_a_revocation_is_taken_back_by_a_newer_consent(scene: Scene) -> None:
    await scene.tell(consent())
    await scene.tell(consent(status="inactive", signed_at="2026-06-06T10:00:00-04:00"))
    await scene.tell(consent(identifier="HTEST-C2", signed_at="2026-06-07T10:00:00-04:00"))
    child = await scene.child()
    assert marks(child) == []
    assert (await scene.partner.read(child["for"]["reference"]))["name"][0]["family"] == "Htest"


async def test_a_packet_is_out_of_sight_from_the_instant_that_its_consent_ends(scene: Scene) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=2)
    await scene.tell(consent(expires_at=ends.isoformat()))
    child = await scene.child()
    person = child["for"]["reference"]
    assert (await scene.partner.get(person)).status_code == 200
    await asyncio.sleep(2.1)
    assert (await scene.partner.get(person)).status_code == 404
    assert await scene.partner.search("Condition") == []
    await DueWork(scene.world.hub).run()
    assert marks(await scene.child()) == ["consent-withdrawn"]


# ---- the way back


async def test_what_a_part2_program_reports_is_closed_and_nothing_more_without_a_consent_for_it(scene: Scene) -> None:
    await scene.tell(consent())
    child = await scene.child()
    await scene.partner.set_status(child, "accepted")
    accepted = await scene.source()
    assert accepted["status"] == "accepted"
    await scene.partner.set_status(child, "in-progress")
    assert (await scene.source())["meta"] == accepted["meta"]
    for end, more in (("completed", REPORT),):
        assert (await scene.partner.set_status(child, end, more)).status_code == 200
    source = await scene.source()
    assert (source["status"], marks(source), source.get("output")) == ("completed", ["closed"], None)
    request = await scene.hospital.read(source["focus"]["reference"])
    assert request["status"] == "completed"


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
async def test_however_it_ends_the_hospital_reads_the_same(scene: Scene, end: str) -> None:
    await scene.tell(consent())
    child = await scene.child()
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST left treatment"}}
    await scene.partner.set_status(child, "accepted")
    answer = await scene.partner.set_status(child, end, *([REPORT] if end == "completed" else [reason]))
    assert answer.status_code == 200
    source = await scene.source()
    shown = {name: source.get(name) for name in ("status", "statusReason", "output", "note")}
    assert shown == {"status": "completed", "statusReason": None, "output": None, "note": None}
    assert marks(source) == ["closed"]
    assert "HTEST left" not in json.dumps(await scene.hospital.read(f"Task/{source['id']}/_history"))


async def test_a_consent_of_both_directions_lets_the_report_through_and_a_later_one_catches_up(scene: Scene) -> None:
    await scene.tell(consent())
    child = await scene.child()
    await scene.partner.set_status(child, "accepted")
    await scene.partner.set_status(child, "completed", REPORT)
    assert (await scene.source()).get("output") is None
    await scene.tell(consent(both_directions=True, signed_at="2026-06-06T10:00:00-04:00"))
    source = await scene.source()
    assert (source["status"], source["output"], marks(source)) == ("completed", OUTPUT, [])
    assert "42CFRPart2" in {one["code"] for one in source["meta"]["security"]}


async def test_what_is_told_back_reaches_the_hospital_with_its_labels_and_its_notice(scene: Scene) -> None:
    await scene.tell(consent(both_directions=True))
    child = await scene.child()
    await scene.partner.set_status(child, "accepted")
    await scene.partner.set_status(child, "completed", REPORT)
    answer = await scene.hospital.get(f"Task/{(await scene.source())['id']}")
    assert answer.headers["x-part2-notice"].startswith("42 CFR part 2 prohibits")
    assert answer.json()["output"] == OUTPUT
    assert {"42CFRPart2", "NORDSCLCD", "R"} <= {one["code"] for one in answer.json()["meta"]["security"]}


async def test_a_declined_request_is_told_because_somebody_must_look_for_another_place(scene: Scene) -> None:
    await scene.tell(consent())
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no place"}}
    await scene.partner.set_status(await scene.child(), "rejected", reason)
    source = await scene.source()
    assert (source["status"], marks(source)) == ("requested", ["needs-a-person"])
    assert "HTEST no place" not in json.dumps(source)
