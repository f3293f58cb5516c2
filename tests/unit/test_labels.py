"""Labels that a need adds to what is about it alone."""

import pytest

from fhir_mappings.build import child
from fhir_mappings.labels import ACT_CODE, Labels, Resource, security
from schemas.discharge import Need
from tests.unit.build_events import NOW, OPEN, PART2, built, event, ids, referral


def codes(resource: Resource) -> list[str]:
    return [one["code"] for one in resource["meta"]["security"]]


def of_need(need: str, labels: Labels) -> list[Resource]:
    """Source and child of one need."""
    of = event(needs=[Need(kind=need).model_dump()])
    source = referral(of, labels=labels)
    return [*source, *child(*source, partner="harbor", partner_name="Harbor", ids=ids, now=NOW)]


@pytest.mark.parametrize("labels", [OPEN, PART2])
@pytest.mark.parametrize(("need", "label"), [("hcv-hiv", "HIV"), ("mental-health", "MH")])
def test_a_sensitive_need_labels_its_source_and_its_child(need: str, label: str, labels: Labels) -> None:
    for resource in of_need(need, labels):
        assert codes(resource) == [*(one["code"] for one in security(labels)), label]
        assert resource["meta"]["security"][-1]["system"] == ACT_CODE


@pytest.mark.parametrize("need", ["moud-continuation", "recovery-housing", "primary-care"])
def test_another_need_adds_no_label(need: str) -> None:
    for resource in of_need(need, PART2):
        assert resource["meta"]["security"] == security(PART2)


def test_what_several_needs_share_is_labelled_without_any_of_them() -> None:
    shared = built(event(needs=[{"kind": "hcv-hiv"}, {"kind": "mental-health"}]), PART2)
    for resource in shared:
        assert not {"HIV", "MH"} & set(codes(resource))
