"""35 people and 25 partners: the verdict of each pair, and the clause that decides it, as ``verdicts.csv`` states.

``yes`` nothing speaks against it and nothing is to be asked; ``no:<clause>`` excluded; ``low:<clause>`` ranked lower
for it; ``call:<clause>`` eligible, and the first of the clauses that nobody knows the answer to; ``-`` not a partner
for this need. Today is 5 June 2026.
"""

import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest

from app.rules.candidates import Candidate, Wanted, assess
from app.rules.hours import Calendar
from app.rules.policies.base import Person
from schemas.facets import Amount
from schemas.partner import PartnerProfile
from tests.architecture.sources import ROOT

FOLDER = ROOT / "tests" / "unit" / "matching_table"
NOW = datetime(2026, 6, 5, 18, 10, tzinfo=UTC)


@cache
def partners() -> list[Candidate]:
    profiles = [PartnerProfile.model_validate(one) for one in json.loads((FOLDER / "partners.json").read_text("utf-8"))]
    return [candidate_of(one) for one in profiles]


def candidate_of(profile: PartnerProfile) -> Candidate:
    assert profile.zone is not None
    calendar = None if profile.intake_hours is None else Calendar.of(profile.intake_hours, profile.zone)
    return Candidate(f"id of {profile.name}", profile, calendar)


@cache
def patients() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads((FOLDER / "patients.json").read_text("utf-8"))
    return found


def person_of(stated: Mapping[str, Any]) -> Person:
    dose = Amount.model_validate(stated["dose"]) if "dose" in stated else None
    return Person(**{**stated, "dose": dose})


@cache
def verdicts() -> dict[str, dict[str, str]]:
    with (FOLDER / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


def decided(one: Candidate, need: str, person: Person) -> str:
    if need not in one.profile.needs:
        return "-"
    return assess(one, Wanted(need=need, person=person), NOW, chosen=False).deciding


@pytest.mark.parametrize("patient", patients(), ids=lambda one: str(one["name"]).replace(" ", "-"))
def test_every_pair_has_the_verdict_that_the_table_states(patient: Mapping[str, Any]) -> None:
    person = person_of(patient["person"])
    found = {one.profile.name.removeprefix("HTEST "): decided(one, patient["need"], person) for one in partners()}
    assert found == verdicts()[patient["name"]]


def test_the_table_is_large_enough_and_holds_every_kind_of_verdict() -> None:
    assert len(verdicts()) >= 30
    assert len(partners()) >= 20
    cells = {cell.partition(":")[0] for row in verdicts().values() for cell in row.values()}
    assert cells == {"yes", "no", "low", "call", "-"}
