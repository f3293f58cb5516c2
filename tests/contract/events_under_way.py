"""What happens while a referral is under way, each as the hub hears of it, and a referral in each state."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from app.services.consents import consent_records
from fhir_mappings.outreach import is_beside
from tests.contract.fhir_callers import Resource
from tests.contract.passing_time import ALL_DAYS, NEW_YORK, Course, partner
from tests.journeys.stay import MERCY, Stay

HARBOR: Final = "HTEST Harbor OTP"
DISCHARGED: Final = datetime(2026, 6, 8, 14, 25, tzinfo=NEW_YORK)
NUMBER: Final = 7
VISIT: Final = "urn:oid:2.16.840.1.113883.3.9999.12|V00007"
STATES: Final = ("draft", "requested", "accepted", "in-progress", "on-hold", "completed")
_HOURS: Final = [{"days": ALL_DAYS, "opens": "06:00", "closes": "20:00"}]
_WHY: Final = {"statusReason": {"text": "HTEST waits"}}
_DONE: Final = {"output": [{"type": {"text": "HTEST"}, "valueString": "HTEST seen"}]}
_WAY: Final[dict[str, tuple[tuple[str, dict[str, Any]], ...]]] = {
    "accepted": (("accepted", {}),),
    "in-progress": (("accepted", {}), ("in-progress", {})),
    "on-hold": (("accepted", {}), ("on-hold", _WHY)),
    "completed": (("accepted", {}), ("in-progress", {}), ("completed", _DONE)),
}
_SOON: Final = timedelta(minutes=5)
Event = Callable[[Course, Stay], Awaitable[None]]
CONSENT: Final = {
    "identifier": "HTEST-C1",
    "recipients": [HARBOR],
    "both_directions": True,
    "signed_at": "2026-06-07",
    "form": "HTEST form 7",
}


async def send(course: Course, *messages: bytes, sender: str = "mercy-adt", organization: str | None = None) -> None:
    whose = organization or course.world.mercy
    headers = await course.world.bearer(whose, "ingest") | {"content-type": "application/hl7-v2"}
    for message in messages:
        answer = await course.web.post(f"/ingest/hl7v2?sender={sender}", content=message, headers=headers)
        assert b"MSA|AA" in answer.content, answer.text
    await course.settled()


async def brought_to(course: Course, state: str) -> Stay:
    """A stay whose referral is in ``state``; the unit is a Part 2 program, and the person has consented."""
    maps = {"units": {"4W": "part2"}, "maps": MERCY["maps"], "part2": "all"}
    only = partner(HARBOR, days=ALL_DAYS, intake_hours=_HOURS, products=["buprenorphine"], response_minutes=240)
    await course.register(only, **maps)
    stay = Stay(NUMBER)
    *before, discharge = stay.whole()
    await send(course, *before)
    await consent_records.record(course.hub, dumped(CONSENT), sender="mercy-adt", visit=VISIT)
    if state != "draft":
        await send(course, discharge)
    for status, more in _WAY.get(state, ()):
        assert (await course.answers(HARBOR, status, **more)).status_code == 200
    await course.settled()
    return stay


def dumped(value: Any) -> bytes:
    return orjson.dumps(value)


def again(number: int, code: str, at: str, left: str = "") -> bytes:
    """A message of another visit of the same person."""
    other = Stay(number)
    message = other._adt(code, at, end=left)
    return message.replace(other.mrn.encode() + b"^", Stay(NUMBER).mrn.encode() + b"^")


async def a13(course: Course, stay: Stay) -> None:
    await send(course, stay.discharge_cancelled())


async def a11(course: Course, stay: Stay) -> None:
    await send(course, stay.visit_cancelled())


async def a08(course: Course, stay: Stay) -> None:
    await send(course, stay._adt("A08", "20260608143000", "AL1|1|DA|^HTEST penicillin"))


async def a40(course: Course, stay: Stay) -> None:
    merged = stay._adt("A40", "20260608143000", end="").replace(b"PV1|", b"ZPV|")
    await send(course, merged + b"MRG|HTEST99999^^^HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR\r")


def left(code: str) -> Event:
    async def event(course: Course, stay: Stay) -> None:
        await send(course, stay.discharge("20260608143000", code))

    return event


async def readmission(course: Course, stay: Stay) -> None:
    del stay
    await send(course, again(8, "A01", "20260609101500"))


async def emergency(course: Course, stay: Stay) -> None:
    del stay
    await send(course, again(8, "A04", "20260609101500").replace(b"PV1|1|I|", b"PV1|1|E|"))


async def death_at_home(course: Course, stay: Stay) -> None:
    """Told after the discharge, of the person and not of the stay."""
    await send(course, dead(stay._adt("A08", "20260608143000")))


async def death_in_another_visit(course: Course, stay: Stay) -> None:
    del stay
    await send(course, again(8, "A01", "20260609101500"))
    left = again(8, "A03", "20260610101500", "|" * 17 + "20" + "|" * 8 + "20260609100000|20260610101000")
    await send(course, left.replace(b"|HTEST00008-01|", b"|HTEST00008-02|"))


def dead(message: bytes, indicator: str = "Y") -> bytes:
    """The same message with PID-30."""
    lines = message.decode().split("\r")
    place = next(n for n, line in enumerate(lines) if line.startswith("PID|"))
    fields = lines[place].split("|")
    lines[place] = "|".join([*fields, *[""] * (30 - len(fields)), indicator])
    return "\r".join(lines).encode()


async def revocation(course: Course, stay: Stay) -> None:
    del stay
    await consent_records.revoke(course.hub, sender="mercy-adt", visit=VISIT, identifier="HTEST-C1")
    await course.settled()


async def closes(course: Course, stay: Stay) -> None:
    del stay
    only = partner(HARBOR, days=ALL_DAYS, intake_hours=_HOURS, products=["buprenorphine"], active=False)
    maps = {"units": {"4W": "part2"}, "maps": MERCY["maps"], "part2": "all"}
    await course.register(only, **maps)
    await course.until(course.hub.clock.now().replace(microsecond=0).astimezone(NEW_YORK) + _SOON)


def declined(course: Course, status: str) -> Awaitable[Any]:
    coding = [{"system": "https://throughline.org/fhir/CodeSystem/status-reason", "code": "patient-declined"}]
    return course.answers(HARBOR, status, statusReason={"coding": coding, "text": "HTEST as said"})


async def declines(course: Course, stay: Stay) -> None:
    """The person says no, as the partner tells: to the request, or to the place that waits."""
    del stay
    held = await course.asked()
    if held and held[HARBOR] != "completed":
        status = "rejected" if held[HARBOR] == "requested" else "failed"
        assert (await declined(course, status)).status_code == 200
    await course.settled()


EVENTS: Final[dict[str, Event]] = {
    "A13": a13,
    "A11": a11,
    "A08": a08,
    "A40": a40,
    "death": left("20"),
    "death at home": death_at_home,
    "death in another visit": death_in_another_visit,
    "custody": left("21"),
    "transfer": left("65"),
    "readmission": readmission,
    "emergency visit": emergency,
    "revocation": revocation,
    "declines": declines,
    "partner closes": closes,
}


async def standing(course: Course) -> tuple[str, str, str, str, tuple[str, ...]]:
    """Status and mark of the hospital's Task, of the partner's, and what waits for a person."""
    tasks = [one for one in await course.tasks() if not is_beside(one)]
    source = max((one for one in tasks if "partOf" not in one), key=lambda one: str(one["authoredOn"]))
    children = [one for one in tasks if "partOf" in one]
    child = children[-1] if children else {}
    told = await course.told()
    return source["status"], mark(source), str(child.get("status", "")), mark(child), tuple(dict.fromkeys(told))


def mark(task: Resource) -> str:
    held = task.get("businessStatus", {}).get("coding", [{}])[0].get("code", "")
    if task.get("status") == "cancelled":
        held = task.get("statusReason", {}).get("coding", [{}])[0].get("code", "")
    return str(held)
