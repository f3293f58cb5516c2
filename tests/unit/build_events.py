"""What the tests of the builders share: two synthetic events, ids that can be read, and the parties."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fhir_mappings.build import CoverageView, Labels, Parties, child, clinical, source
from fhir_mappings.labels import Resource
from schemas.discharge import DischargeEvent

FOLDER = Path(__file__).parents[1] / "golden" / "build"
PARTIES = Parties(hospital="hosp", hub="hub", hospital_name="Northgate Hospital", hub_name="Throughline")
OPEN = Labels(part2=False, test=True)
PART2 = Labels(part2=True, test=True)
NOW = datetime(2026, 6, 9, 20, 6, 0, 123456, tzinfo=UTC)
COVERAGE = CoverageView(
    covered_until=datetime.fromisoformat("2026-06-12T09:15:00-04:00"),
    confidence="reported",
    priority="asap",
    flags=("pregnant", "no-phone"),
    next_due=datetime.fromisoformat("2026-06-10T09:15:00-04:00"),
)


def ids(resource_type: str, key: str) -> str:
    """A readable id: the first letters of the type, the key without what an id can't hold."""
    words = "".join(one if one.isascii() and one.isalnum() else "-" for one in key)
    return f"{resource_type}-{words}"[-64:].strip("-").lower()


def body(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.event.json").read_text())
    return loaded


def event(name: str = "full", **changes: Any) -> DischargeEvent:
    return DischargeEvent.model_validate({**body(name), **changes})


def built(of: DischargeEvent, labels: Labels = OPEN) -> list[Resource]:
    return clinical(of, parties=PARTIES, ids=ids, labels=labels)


def of_type(resources: list[Resource], resource_type: str) -> list[Resource]:
    return [one for one in resources if one["resourceType"] == resource_type]


def one_of(resources: list[Resource], resource_type: str) -> Resource:
    (found,) = of_type(resources, resource_type)
    return found


def referral(of: DischargeEvent, need: int = 0, labels: Labels = OPEN, **more: Any) -> tuple[Resource, Resource]:
    options: dict[str, Any] = {"status": "requested", "coverage": COVERAGE, **more}
    return source(
        of,
        need=of.needs[need],
        resources=built(of, labels),
        parties=PARTIES,
        ids=ids,
        labels=labels,
        now=NOW,
        group="group-1",
        **options,
    )


def asked(of: DischargeEvent, labels: Labels = OPEN) -> tuple[Resource, Resource]:
    request, task = referral(of, labels=labels)
    return child(request, task, partner="harbor", partner_name="Harbor OTP", ids=ids, now=NOW)
