"""Whatever an event leaves out, what is built is valid, complete in its references and without empty elements."""

from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_mappings.gate import check
from fhir_mappings.labels import Resource
from schemas.discharge import DischargeEvent
from tests.unit.build_events import OPEN, asked, body, built, event, referral

REQUIRED = {"schema_version", "event_id", "kind", "occurred_at", "patient", "visit", "needs"}


def names(element: object, prefix: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every element of a JSON value, down to the leaves."""
    pairs: list[tuple[str | int, Any]] = []
    if isinstance(element, dict):
        pairs = list(element.items())
    elif isinstance(element, list):
        pairs = list(enumerate(element))
    own = [(*prefix, name) for name, _ in pairs]
    return own + [path for name, inner in pairs for path in names(inner, (*prefix, name))]


def without(element: Any, gone: set[tuple[str | int, ...]], prefix: tuple[str | int, ...] = ()) -> Any:
    if isinstance(element, dict):
        return {k: without(v, gone, (*prefix, k)) for k, v in element.items() if (*prefix, k) not in gone}
    if isinstance(element, list):
        return [without(v, gone, (*prefix, i)) for i, v in enumerate(element) if (*prefix, i) not in gone]
    return element


FULL = body("full")
PATHS = [path for path in names(FULL) if path[0] not in REQUIRED or len(path) > 1]


def is_valid(stated: dict[str, Any]) -> bool:
    try:
        DischargeEvent.model_validate(stated)
    except ValueError:
        return False
    return bool(stated["needs"])


def empties(element: Any, path: str = "") -> list[str]:
    if element is None or element in ({}, [], ""):
        return [path]
    if isinstance(element, dict):
        return [found for name, inner in element.items() for found in empties(inner, f"{path}.{name}")]
    if isinstance(element, list):
        return [found for inner in element for found in empties(inner, f"{path}[]")]
    return []


def references(element: Any) -> set[str]:
    if isinstance(element, dict):
        own = {element["reference"]} if isinstance(element.get("reference"), str) else set()
        return own.union(*map(references, element.values()))
    return set().union(*map(references, element)) if isinstance(element, list) else set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.sets(st.sampled_from(PATHS), max_size=25).map(lambda gone: without(FULL, gone)).filter(is_valid))
def test_any_part_of_an_event_builds_valid_resources(stated: dict[str, Any]) -> None:
    of = DischargeEvent.model_validate(stated)
    resources: list[Resource] = [*built(of, OPEN), *referral(of), *asked(of)]
    known = {f"{one['resourceType']}/{one['id']}" for one in resources} | {
        "Organization/hosp",
        "Organization/hub",
        "Organization/harbor",
    }
    assert references(resources) <= known
    for one in resources:
        assert empties(one) == []
        assert check(one) == []
        get_fhir_model_class(one["resourceType"]).model_validate(one)


def test_the_whole_event_is_one_of_them() -> None:
    assert is_valid(FULL)
    assert event().event_id == FULL["event_id"]
