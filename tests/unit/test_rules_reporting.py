"""What a partner reports before the end: acknowledged doses, waived items, and what is missing by name."""

from typing import Any

import pytest

from app.rules.lifecycle import Task, judge_update
from app.rules.reporting import at_once, waived
from app.rules.steps import mirror, on_covered, on_reported
from schemas.codes.local import INTAKE_ITEM, REPORT, STATUS_REASON, coding, concept
from tests.unit.lifecycle_tasks import OUTPUT, task

DOSE = {"reference": "MedicationAdministration/dose"}
INPUT = [{"type": {"text": "content"}, "valueReference": DOSE}]
ACKNOWLEDGED = {"type": concept(REPORT, "last-dose-acknowledged"), "valueReference": DOSE}
WAIVED = {"type": concept(REPORT, "waived-item"), "valueCodeableConcept": concept(INTAKE_ITEM, "ecg")}


def after(status: str = "accepted", /, **more: Any) -> Any:
    before = task(status, input=INPUT)
    return judge_update(before, {**before, **more}, role="owner")


def of_source(status: str, **more: Any) -> Task:
    return {**task(status), "id": "source", **more}


def child(status: str, *outputs: Any) -> Task:
    return {**task(status, input=INPUT), "partOf": [{"reference": "Task/source"}], "output": [*outputs]}


# ---- what is taken


@pytest.mark.parametrize(
    "output",
    [
        ACKNOWLEDGED,
        {"type": ACKNOWLEDGED["type"], "valueDateTime": "2026-06-09T15:00:00-04:00"},
        WAIVED,
        OUTPUT,
        {"type": {"text": "last-dose-acknowledged"}, "valueString": "a word of the partner's own"},
    ],
)
def test_a_report_that_says_what_it_is_about_is_taken(output: Any) -> None:
    assert after(output=[output]).kind == "allowed"


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ({"type": ACKNOWLEDGED["type"], "valueBoolean": True}, "Task.output[0].value"),
        ({**ACKNOWLEDGED, "valueReference": {"reference": "MedicationAdministration/other"}}, "Task.output[0].value"),
        ({**ACKNOWLEDGED, "valueReference": {"reference": "Procedure/p1"}}, "Task.output[0].value"),
        ({**ACKNOWLEDGED, "valueReference": {"display": "the dose"}}, "Task.output[0].value"),
        ({**ACKNOWLEDGED, "valueReference": "dose"}, "Task.output[0].value"),
        ({"type": WAIVED["type"], "valueString": "ecg"}, "Task.output[0].valueCodeableConcept"),
        ({"type": WAIVED["type"], "valueCodeableConcept": {"text": "ecg"}}, "Task.output[0].valueCodeableConcept"),
        (
            {"type": WAIVED["type"], "valueCodeableConcept": {"coding": [{"system": INTAKE_ITEM, "code": "halo"}]}},
            "Task.output[0].valueCodeableConcept",
        ),
    ],
)
def test_a_report_of_nothing_is_400_and_says_what_it_needs(output: Any, path: str) -> None:
    verdict = after(output=[output])
    assert (verdict.kind, verdict.http) == ("refused", 400)
    assert [one.path for one in verdict.reasons] == [path]
    assert "needs a" in verdict.reasons[0].text


def test_an_old_report_is_not_judged_again() -> None:
    before = {**task("accepted"), "output": [{**WAIVED, "valueCodeableConcept": {"text": "of before"}}]}
    noted = judge_update(before, {**before, "note": [{"text": "seen"}]}, role="owner")
    assert noted.kind == "allowed"


# ---- what is missing, by name


def because(*items: dict[str, str], code: str = "incomplete-information") -> dict[str, Any]:
    return {"coding": [coding(STATUS_REASON, code), *items], "text": "HTEST something is wanting"}


@pytest.mark.parametrize("status", ["rejected", "on-hold", "failed"])
def test_incomplete_information_names_an_item(status: str) -> None:
    of = "requested" if status == "rejected" else "accepted"
    bare = after(of, status=status, statusReason=because())
    assert (bare.kind, bare.http) == ("refused", 400)
    assert [(one.code, one.path) for one in bare.reasons] == [("item-required", "Task.statusReason.coding")]
    assert "incomplete-information names at least one missing item" in bare.reasons[0].text
    unknown = after(of, status=status, statusReason=because({"system": INTAKE_ITEM, "code": "halo"}))
    assert unknown.http == 400
    named = after(of, status=status, statusReason=because(coding(INTAKE_ITEM, "ecg"), coding(INTAKE_ITEM, "photo-id")))
    assert named.kind == "allowed"
    assert after(of, status=status, statusReason=because(code="no-capacity")).kind == "allowed"
    assert after(of, status=status, statusReason={"text": "incomplete-information"}).kind == "allowed"


def test_a_reason_of_before_is_not_judged_again() -> None:
    before = {**task("rejected"), "statusReason": because()}
    assert judge_update(before, {**before, "note": [{"text": "seen"}]}, role="owner").kind == "allowed"


# ---- what the hospital is told at once


def test_an_acknowledgement_is_told_at_once_and_what_else_is_reported_at_the_end() -> None:
    step = on_reported(of_source("accepted"), child("accepted", OUTPUT, ACKNOWLEDGED, WAIVED))
    assert step is not None
    assert step.source is not None
    assert step.source["output"] == [ACKNOWLEDGED, WAIVED]
    end = mirror(step.source, [], child("completed", OUTPUT, ACKNOWLEDGED, WAIVED))
    assert end is not None
    assert end.source is not None
    assert end.source["output"] == [ACKNOWLEDGED, WAIVED, OUTPUT]


def test_an_acknowledgement_before_the_acceptance_is_told_with_it() -> None:
    assert on_reported(of_source("requested"), child("requested", ACKNOWLEDGED)) is None
    step = mirror(of_source("requested"), [], child("accepted", ACKNOWLEDGED))
    assert step is not None
    assert step.source is not None
    assert step.source["output"] == [ACKNOWLEDGED]


def test_what_no_consent_covers_is_not_told() -> None:
    step = mirror(of_source("requested"), [], child("accepted", ACKNOWLEDGED), covered=False)
    assert step is not None
    assert step.source is not None
    assert "output" not in step.source
    caught_up = on_covered(of_source("accepted"), child("accepted", ACKNOWLEDGED))
    assert caught_up is not None
    assert caught_up.source is not None
    assert caught_up.source["output"] == [ACKNOWLEDGED]


def test_nothing_new_is_no_step() -> None:
    assert on_reported(of_source("accepted", output=[ACKNOWLEDGED]), child("accepted", ACKNOWLEDGED, OUTPUT)) is None
    assert on_reported(of_source("cancelled"), child("accepted", ACKNOWLEDGED)) is None


def test_reports_are_read_from_whatever_an_output_may_be() -> None:
    assert waived([WAIVED, OUTPUT, ACKNOWLEDGED, {"type": WAIVED["type"]}]) == {"ecg"}
    odd: list[Any] = [{}, {"type": "x"}, {"type": {"coding": "x"}}, {"type": {"coding": ["x", {"system": REPORT}]}}]
    assert at_once(odd) == []
