"""The coverage extension has the parts of its StructureDefinition, in its order."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

from fhir_mappings.building.coverage_view import URL, CoverageView, extension, restriction

DEFINITION = json.loads((Path(__file__).parents[2] / "schemas" / "structures" / "coverage.json").read_text())
AT = datetime(2026, 6, 9, 13, 15, tzinfo=UTC)
WHOLE = CoverageView(
    covered_until=AT,
    confidence="verified",
    flags=("lapsed",),
    next_due=AT,
    earliest=AT,
    latest=AT,
    gap="confirmed",
    possible_gap_at=AT,
    confirmed_gap_at=AT,
    hold_partner_until=AT,
    asks=("confirm-pick-up",),
    hours_without=3,
    computed_at=AT,
    returns_on=date(2026, 6, 12),
    returns_to="HTEST Home OTP",
)


def test_every_part_is_defined_with_its_type() -> None:
    elements = {one["id"]: one for one in DEFINITION["differential"]["element"]}
    slices = [one["sliceName"] for one in elements.values() if "sliceName" in one]
    types = {name: elements[f"Extension.extension:{name}.value[x]"]["type"][0]["code"] for name in slices}
    said = extension(WHOLE)
    assert said["url"] == URL == DEFINITION["url"]
    assert [part["url"] for part in said["extension"]] == slices
    for part in said["extension"]:
        (value,) = [name for name in part if name.startswith("value")]
        assert value.removeprefix("value").lower() == types[part["url"]].lower()


def test_what_is_not_known_is_left_out() -> None:
    unknown = CoverageView(covered_until=None, confidence="unknown")
    assert extension(unknown)["extension"] == [{"url": "confidence", "valueCode": "unknown"}]
    assert restriction(unknown) is None
    assert restriction(None) is None
    assert restriction(WHOLE) == {"period": {"end": "2026-06-09T13:15:00+00:00"}}


def test_the_definition_says_what_it_is_not() -> None:
    assert "never a dosing recommendation" in DEFINITION["description"]
