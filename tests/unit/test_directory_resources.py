"""Resources of the directory conform, and every extension in them is one that is defined."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from fhir.resources.R4B.operationdefinition import OperationDefinition
from fhir.resources.R4B.structuredefinition import StructureDefinition

from fhir_mappings import gate
from fhir_mappings.building.build_directory import directory, ids_of, typed_ids
from fhir_mappings.definitions import EXTENSIONS, definitions
from schemas.facets import FACETS, Capacity, Facet
from schemas.partner import PartnerProfile

SAID: dict[str, Any] = {
    "attested_by": "intake desk",
    "attested_at": datetime(2026, 1, 1, tzinfo=UTC),
    "expires": date(2027, 1, 1),
}
DETAILS: dict[str, Any] = {
    "at_most": {"value": 120, "unit": "mg"},
    "from_age": 18,
    "listed": ["NY"],
    "notice_hours": 48,
    "next_day": "2026-06-09",
    "rems_certified": True,
}
FULL = PartnerProfile.model_validate(
    {
        "name": "HTEST Harbor OTP",
        "needs": ["moud-continuation", "peer-support"],
        "products": ["methadone"],
        "part2_program": True,
        "time_zone": "America/New_York",
        "phone": "555-0100",
        "intake_hours": [{"days": ["mon"], "opens": "06:00", "closes": "24:00"}],
        "dosing_hours": [
            {"days": ["mon", "tue"], "opens": "00:00", "closes": "24:00"},
            {"days": ["sat"], "opens": "05:30", "closes": "09:00"},
        ],
        "closed_on": ["2026-12-25", "2026-12-24", "2027-01-01"],
        "response_minutes": 240,
        "receives_by": ["push", "poll", "email", "manual"],
        "address": {"lines": ["1 HTEST Wharf"], "city": "Springfield", "state": "NY"},
        "contact": {"name": "HTEST Jo Desk", "phone": "555-0111"},
        "capacity": Capacity(left="2+", as_of=datetime(2026, 6, 5, tzinfo=UTC), source="its own word"),
        "facets": {
            name: Facet.model_validate(
                {
                    "value": "yes",
                    "condition": "after a call",
                    **SAID,
                    **{one: DETAILS[one] for one in kind.details},
                }
            )
            for name, kind in FACETS.items()
        },
    }
)
SMALLEST = PartnerProfile(name="HTEST Small")


@pytest.mark.parametrize("profile", [FULL, SMALLEST], ids=lambda one: one.name.replace(" ", "-"))
def test_every_resource_of_the_directory_passes_the_gate(profile: PartnerProfile) -> None:
    made = directory("o-1", profile.name, profile)
    assert [gate.check(one) for one in made] == [[] for _ in made]
    assert {(one["resourceType"], one["id"]) for one in made} <= set(typed_ids("o-1"))
    assert len(set(ids_of("o-1"))) == 5


def test_the_smallest_profile_says_nothing_that_it_does_not_know() -> None:
    service, place = directory("o-1", "HTEST Small", SMALLEST)
    assert set(service) == {"resourceType", "id", "active", "providedBy", "category", "location", "name"}
    assert "address" not in place


def test_hours_and_closures_are_told_as_fhir_has_them() -> None:
    service = directory("o-1", FULL.name, FULL)[0]
    assert service["availableTime"] == [
        {"daysOfWeek": ["mon", "tue"], "allDay": True},
        {"daysOfWeek": ["sat"], "availableStartTime": "05:30:00", "availableEndTime": "09:00:00"},
    ]
    assert [one["during"]["end"] for one in service["notAvailable"]] == ["2026-12-25", "2027-01-01"]
    assert [one["text"] for one in service["program"]] == [
        "Opioid treatment program (42 CFR Part 8)",
        "Substance use disorder program (42 CFR Part 2)",
    ]
    assert service["appointmentRequired"] is False


def test_every_extension_is_defined_with_its_parts_and_how_often_they_may_stand() -> None:
    known = {f"https://throughline.org/fhir/StructureDefinition/{one.name}": one for one in EXTENSIONS}
    service = directory("o-1", FULL.name, FULL)[0]
    for extension in service["extension"]:
        defined = known[extension["url"]]
        given = [part["url"] for part in extension.get("extension", [])]
        assert set(given) <= {part.name for part in defined.parts}
        for part in defined.parts:
            assert part.least <= given.count(part.name)
            assert part.most == "*" or given.count(part.name) <= int(part.most)
        assert (defined.type is None) == bool(given)
    used = {extension["url"] for extension in service["extension"]}
    assert {url for url, one in known.items() if one.context == "HealthcareService"} == used


def test_the_definitions_are_what_fhir_calls_such() -> None:
    for name, made in definitions().items():
        model = StructureDefinition if made["resourceType"] == "StructureDefinition" else OperationDefinition
        assert model.model_validate(made).id == name.partition("-")[2]
