"""Every row of the decision table, through the front door of a served hub, on both databases.

Rows: whose record, who would receive it, which consent. 42 CFR 2.31, 2.33; 45 CFR 164.506(c).
"""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.contract.http_messages import event
from tests.journeys.running_hub import OUTPUT, Caller, Resource, RunningHub, running
from tests.journeys.stay import MERCY

NOW = datetime.fromisoformat("2026-06-08T15:00:00-04:00")
HOSPITAL = {**MERCY, "part2": None, "part2_units": [], "units": {"4W": "not-part2", "ACS": "part2"}}
UNITS = {"not Part 2": "4W", "Part 2": "ACS", "unknown": "9X"}
_ZONE = {"time_zone": "America/New_York"}
PARTNERS: dict[str, dict[str, Any]] = {
    "OTP": {"name": "HTEST OTP", "covered_entity": True, "part2_program": True, "needs": ["moud-continuation"]},
    "clinic": {"name": "HTEST Clinic", "covered_entity": True, "needs": ["primary-care"]},
    "peers": {"name": "HTEST Peers", "part2_program": True, "needs": ["peer-support"]},
    "house": {"name": "HTEST House", "needs": ["recovery-housing"]},
}
CONSENTS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "named": {},
    "other": {"recipients": ["HTEST Somebody Else"]},
    "expired": {"expires_at": "2026-06-07"},
    "lacking": {"form": None},
}
COVERED = frozenset({"OTP", "clinic"})


class Row(NamedTuple):
    """One row, and whether the packet goes."""

    unit: str
    partner: str
    consent: str
    goes: bool


TABLE = [
    Row(unit, partner, consent, consent == "named" or (unit == "not Part 2" and partner in COVERED))
    for unit in UNITS
    for partner in PARTNERS
    for consent in CONSENTS
]
BACK = [
    # A Part 2 program's report needs a consent of that direction; nobody else's does.
    (partner, both, both or not PARTNERS[partner].get("part2_program", False))
    for partner in PARTNERS
    for both in (False, True)
]


class Scene:
    """One hub with its hospital and its four partners; every row is a person of its own."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self.hospital = hub.caller("mercy")
        self.partners: dict[str, Caller] = {kind: hub.caller(one["name"]) for kind, one in PARTNERS.items()}
        self.number = 100

    def discharge(self, unit: str, partner: str, consent: dict[str, Any] | None) -> Resource:
        """The ledger entry of one person's discharge."""
        self.number += 1
        told = event(self.number)
        told["visit"]["unit"] = UNITS[unit]
        told["needs"] = [{"kind": PARTNERS[partner]["needs"][0]}]
        if consent is not None:
            stated = {"recipients": [PARTNERS[partner]["name"]], "signed_at": "2026-06-05", "form": "urn:htest:form"}
            told["consents"] = [{k: v for k, v in {**stated, **consent}.items() if v is not None}]
        entry: Resource = self.hub.post_event(self.hospital, told, "mercy").json()
        return entry

    def sources(self) -> dict[str, Resource]:
        return {one["focus"]["reference"].rpartition("/")[2]: one for one in self.hospital.search("Task?_count=200")}


@pytest.fixture
def scene(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    partners = [{**one, **_ZONE} for one in PARTNERS.values()]
    with running(monkeypatch, tmp_path, database_url, senders=[HOSPITAL], partners=partners, now=NOW) as hub:
        yield Scene(hub)


def asked(partner: Caller) -> Resource:
    """The Task that the partner was just sent; a kept page is a second old at most."""
    ends = time.monotonic() + 2
    while not (found := partner.search("Task?status=requested")) and time.monotonic() < ends:
        time.sleep(0.05)
    return found[0]


def test_every_row_of_the_table_goes_or_waits_as_it_says(scene: Scene) -> None:
    people = {}
    for row in TABLE:
        entry = scene.discharge(row.unit, row.partner, CONSENTS[row.consent])
        people[f"HTEST{scene.number:04d}"] = row
        assert (entry["state"] == "review") != row.goes, row
        assert any(one["code"] == "cure" for one in entry["reasons"]) != row.goes, row
    time.sleep(1.1)  # a kept page is that old at most
    for kind, partner in scene.partners.items():
        found = partner.search("Task?_count=200&_include=Task:patient")
        tasks = [one for one in found if one["resourceType"] == "Task"]
        seen = {one["identifier"][0]["value"] for one in found if one["resourceType"] == "Patient"}
        assert seen == {person for person, row in people.items() if row.goes and row.partner == kind}
        assert len(tasks) == len(seen)


def test_the_way_back_is_told_where_a_consent_covers_it_and_closed_elsewhere(scene: Scene) -> None:
    for partner, both, told in BACK:
        entry = scene.discharge("Part 2", partner, {"both_directions": both})
        source = scene.sources()[entry["referral"]]
        task = asked(scene.partners[partner])
        scene.partners[partner].moved(task, "accepted")
        scene.partners[partner].moved(task, "completed", OUTPUT)
        now = scene.hospital.fhir(f"Task/{source['id']}")
        shown = (now.get("output"), [one["code"] for one in now.get("businessStatus", {}).get("coding", [])])
        assert shown == ((OUTPUT["value"], []) if told else (None, ["closed"])), (partner, both)
        assert now["status"] == "completed"
