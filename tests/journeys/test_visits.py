"""The example visits, sent as the hospitals would send them, judged by what their readers find."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core.errors import Unprocessable
from tests.journeys.running_hub import Caller, RunningHub, ack_code, command, running
from tests.journeys.visit_views import LOCAL, NOT, Resource, Seen, utc

SHARED = Path(__file__).parents[2].parent / "shared"
VISITS = SHARED / "visits"
SENDERS = ("northgate", "stclare", "redrock")
PARTNER = "Harbor OTP"
LATER: dict[str, str] = {}

pytestmark = pytest.mark.skipif(not VISITS.is_dir(), reason="the example visits (../shared/visits) are not here")

Send = Callable[[bytes], str]
"""One message to its MSA-1."""


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _folders(*senders: str) -> list[Path]:
    found = sorted(VISITS.glob("[0-9]*"))
    return [folder for folder in found if _json(folder / "expected.json")["sender"] in senders]


def _cases() -> Iterator[Any]:
    """Own hospital by both doors, every third visit on PostgreSQL too; the others by HTTP, now and then by MLLP."""
    for number, folder in enumerate(_folders("northgate")):
        for door in ("http", "mllp"):
            yield pytest.param("sqlite", folder, door, id=f"{folder.name[:3]}-{door}-sqlite")
        if number % 3 == 0:
            door = ("http", "mllp")[number // 3 % 2]
            yield pytest.param(
                "postgresql", folder, door, id=f"{folder.name[:3]}-{door}-postgresql", marks=pytest.mark.postgres
            )
    for number, folder in enumerate(_folders("stclare", "redrock")):
        later = LATER.get(folder.name)
        marks = [pytest.mark.xfail(reason=later, strict=True)] if later else []
        door = "mllp" if number % 4 == 0 else "http"
        yield pytest.param("sqlite", folder, door, id=f"{folder.name[:3]}-{door}-sqlite", marks=marks)


def _instant(text: str, zone: ZoneInfo) -> datetime:
    form = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(text), "%Y%m%d%H%M%S%z")
    read = datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
    return read if read.tzinfo else read.replace(tzinfo=zone)


def _now(folder: Path, sender: str) -> datetime:
    """The greatest MSH-7 of the folder, of real messages that are answered AA."""
    zone = ZoneInfo(_json(VISITS / "senders" / sender / "sender.json")["timezone"])
    expected = _json(folder / "expected.json")["messages"]
    headers = [(folder / one["file"]).read_text().split("|", 20) for one in expected if one["ack"] == "AA"]
    return max(_instant(fields[6], zone) for fields in headers if fields[10] == "P")


@contextmanager
def _door(hub: RunningHub, caller: Caller, kind: str) -> Iterator[Send]:
    if kind == "http":
        yield lambda data: ack_code(hub.post_hl7(caller, data))
    else:
        with hub.mllp() as line:
            yield lambda data: ack_code(line.send(data))


def _kept(entry: str) -> bool:
    try:
        command("ledger", "replay", entry)
    except AssertionError as refused:
        if Unprocessable.__name__ not in str(refused):
            raise
        return False
    return True


def _see(hub: RunningHub, folder: Path, expected: Resource, kind: str) -> Seen:
    hospital = hub.caller(expected["sender"])
    with _door(hub, hospital, kind) as send:
        acks = [send((folder / one["file"]).read_bytes()) for one in expected["messages"]]
    views = hospital.beside_the_directory()
    histories = [
        [entry["resource"] for entry in hospital.fhir(f"Task/{task['id']}/_history")["entry"]]
        for task in views["Task"]
        if "partOf" not in task
    ]
    partner = hub.caller(PARTNER)
    return Seen(folder, expected, acks, hub.ledger(), views, partner.beside_the_directory(), histories, _kept)


def _accounted(seen: Seen) -> list[str]:
    """What differs in acknowledgements and ledger."""
    wrong = []
    expected = seen.expected["messages"]
    if len(seen.entries) != len(expected):
        return [f"{len(seen.entries)} ledger entries for {len(expected)} messages"]
    for one, ack, entry in zip(expected, seen.acks, seen.entries, strict=True):
        wanted = [one["state_after_all"]] if one["state_after_all"] else one["one_of"]
        reasons = {reason["code"] for reason in entry["reasons"]}
        if ack != one["ack"]:
            wrong.append(f"{one['file']}: {ack}, expected {one['ack']}")
        if entry["state"] not in wanted:
            wrong.append(f"{one['file']}: {entry['state']} {sorted(reasons)}, expected {wanted}")
        if not reasons.issuperset(one.get("reasons", [])):
            wrong.append(f"{one['file']}: reasons {sorted(reasons)}, expected {one['reasons']}")
    return wrong


def _classes() -> dict[str, str]:
    with (SHARED / "terminology" / "rxnorm.csv").open() as table:
        return {row["code"]: row["clock_class"] for row in csv.DictReader(table)}


def _referral(seen: Seen, wanted: Resource) -> dict[str, tuple[object, object]]:
    """(found, expected) of what the referral's readers need."""
    source = seen.source
    last, covered = wanted["last_dose_at"], wanted["covered_until"]
    found: dict[str, tuple[object, object]] = {
        "status": (source["status"], wanted["source_task_status"]),
        "last dose": (seen.last_dose(), utc(last) if last else None),
        "bridge": (seen.bridges(), wanted["bridge"]),
        "earlier": (
            [task["status"] for task in seen.sources[:-1]],
            [one["source_task_status"] for one in seen.expected.get("earlier_referrals", [])],
        ),
        "ledger points to it": (seen.entries[-1]["referral"], source["focus"]["reference"].rpartition("/")[2]),
    }
    if seen.rxnorm():
        found["class"] = ({_classes()[code] for code in seen.rxnorm()}, {wanted["drug_class"]})
    if wanted["source_task_status"] in {"requested", "draft"}:
        found["covered until"] = (seen.covered(), utc(covered) if covered else None)
        found["deadline"] = (utc(source["restriction"]["period"]["end"]), seen.covered())
        found["priority"] = (source["priority"], wanted["priority"])
        found["flags"] = (set(seen.coverage(source, "flag")), set(wanted["flags"]))
    return found


def _coverage(task: Resource) -> list[Resource]:
    return [one for one in task.get("extension", ()) if one["url"] == f"{LOCAL}/coverage"]


def _partner_view(seen: Seen, wanted: Resource) -> dict[str, tuple[object, object]]:
    """(found, expected) of what the partner has of it."""
    asked = wanted["source_task_status"] == "requested"
    tasks = seen.partner["Task"]
    found: dict[str, tuple[object, object]] = {
        "open children": ([task["status"] for task in tasks if task["status"] != "cancelled"], ["requested"] * asked)
    }
    if asked and tasks:
        child = next((task for task in tasks if task["status"] == "requested"), tasks[-1])
        source = seen.source
        found["child follows"] = (child["partOf"], [{"reference": f"Task/{source['id']}"}])
        for name in ("priority", "restriction"):
            found[f"child {name}"] = (child.get(name), source.get(name))
        found["child coverage"] = (_coverage(child), _coverage(source))
        theirs, ours = seen.partner, seen.hospital
        for name in ("MedicationAdministration", "MedicationDispense", "Condition", "Patient", "Encounter"):
            found[f"partner reads {name}"] = (theirs[name], ours[name])
    return found


@pytest.mark.parametrize(
    ("database_url", "folder", "door"), list(_cases()) if VISITS.is_dir() else [], indirect=["database_url"]
)
def test_a_visit_becomes_what_its_expectation_says(
    database_url: str, folder: Path, door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _json(folder / "expected.json")
    senders = [_json(VISITS / "senders" / name / "sender.json") for name in SENDERS]
    now = _now(folder, expected["sender"])
    partners = _json(VISITS / "partners.json")
    with running(monkeypatch, tmp_path, database_url, senders=senders, partners=partners, now=now) as hub:
        seen = _see(hub, folder, expected, door)
        wrong = _accounted(seen)
        if expected["referral"] and seen.sources:
            pairs = _referral(seen, expected["referral"]) | _partner_view(seen, expected["referral"])
            wrong += [f"{name}: {found}, expected {want}" for name, (found, want) in pairs.items() if found != want]
        elif expected["referral"]:
            wrong.append("there is no source Task")
        elif seen.sources or seen.disclosed():
            wrong.append("there is a referral")
        if not wrong:
            wrong = [f"must not be there: {phrase}" for phrase in expected["not"] if not NOT[phrase](seen)]
    assert wrong == []


def test_every_fact_that_must_not_appear_is_looked_for() -> None:
    phrases = {phrase for folder in _folders(*SENDERS) for phrase in _json(folder / "expected.json")["not"]}
    assert phrases == NOT.keys()
