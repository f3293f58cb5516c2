"""What becomes of a source Task after one of its children, or the hospital, moved."""

from collections.abc import Callable
from typing import Any

import pytest

from app.rules.lifecycle import NEEDS_REASON, STATUSES, TERMINAL, Task
from app.rules.steps import (
    SourceStep,
    mirror,
    on_admitted,
    on_asked,
    on_cancel_discharge,
    on_cancel_visit,
    on_died,
    on_discharge_again,
    on_duplicate,
    on_order_withdrawn,
    on_request_withdrawn,
)
from schemas.codes.local import BUSINESS_STATUS, STATUS_REASON, concept
from tests.unit.lifecycle_tasks import OUTPUT, WHY, business, task


def source(status: str = "requested", **more: Any) -> Task:
    return task(status, id="source", focus={"reference": "ServiceRequest/source"}, **more)


def child(name: str, status: str = "requested", **more: Any) -> Task:
    return task(status, id=name, focus={"reference": f"ServiceRequest/{name}"}, **more)


def moved(step: SourceStep | None) -> dict[str, str]:
    assert step is not None
    return {one["id"]: one["status"] for one in step.children}


def test_the_first_acceptance_is_mirrored_and_cancels_every_other_open_child() -> None:
    children = [child("a"), child("b"), child("c", "rejected")]
    step = mirror(source(), children, child("a", "accepted"))
    assert step is not None
    assert step.source is not None
    assert step.source["status"] == "accepted"
    assert moved(step) == {"b": "cancelled"}
    assert step.children[0]["statusReason"] == concept(STATUS_REASON, "not-selected")
    assert step.requests == {"ServiceRequest/b": "revoked"}


def test_an_acceptance_takes_the_call_for_a_person_off() -> None:
    waiting = source(businessStatus=concept(BUSINESS_STATUS, "needs-a-person"))
    step = mirror(waiting, [], child("a", "accepted"))
    assert step is not None
    assert business(step.source) is None
    paused = source("accepted", businessStatus=concept(BUSINESS_STATUS, "discharge-cancelled"))
    step = mirror(paused, [], child("a", "in-progress"))
    assert step is not None
    assert business(step.source) == "Discharge cancelled"


def test_a_second_acceptance_of_the_same_moment_is_not_selected() -> None:
    step = mirror(source("accepted"), [child("a", "accepted"), child("b")], child("b", "accepted"))
    assert moved(step) == {"b": "cancelled"}
    assert step is not None
    assert (step.source, step.requests) == (None, {"ServiceRequest/b": "revoked"})


@pytest.mark.parametrize("status", ["in-progress", "on-hold"])
def test_the_source_follows_the_accepting_child_with_its_reason(status: str) -> None:
    changed = child("a", status, statusReason=WHY)
    step = mirror(source("accepted", statusReason={"text": "old"}), [child("a", "accepted")], changed)
    assert step is not None
    assert step.source is not None
    assert step.source["status"] == status
    assert step.source.get("statusReason") == (WHY if status in NEEDS_REASON else None)
    assert step.requests == {}


@pytest.mark.parametrize("status", ["failed", "cancelled"])
@pytest.mark.parametrize("before", ["accepted", "in-progress", "on-hold"])
def test_a_place_that_is_lost_again_leaves_the_source_on_hold_for_a_person(before: str, status: str) -> None:
    """The medication still runs out: only the hospital ends its referral."""
    step = mirror(source(before), [child("a", before)], child("a", status, statusReason=WHY))
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], step.source["statusReason"]) == ("on-hold", WHY)
    assert business(step.source) == "Needs a person"
    assert step.requests == {"ServiceRequest/a": "revoked"}


def test_a_second_place_takes_up_where_the_first_was_lost() -> None:
    lost = source("on-hold", statusReason=WHY, businessStatus=concept(BUSINESS_STATUS, "needs-a-person"))
    asked = on_asked(lost)
    assert asked is not None
    assert asked.source is not None
    assert (asked.source["status"], business(asked.source)) == ("on-hold", None)
    step = mirror(asked.source, [child("a", "failed"), child("b")], child("b", "accepted"))
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], step.source.get("statusReason")) == ("in-progress", None)


def test_completed_is_mirrored_with_its_outputs_once() -> None:
    other = {"type": {"text": "other"}, "valueString": "y"}
    changed = child("a", "completed", output=[OUTPUT, other])
    step = mirror(source("in-progress", output=[OUTPUT]), [child("a", "in-progress")], changed)
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], step.source["output"]) == ("completed", [OUTPUT, other])
    assert step.requests == {"ServiceRequest/source": "completed", "ServiceRequest/a": "completed"}
    late = {**changed, "output": [OUTPUT, other, {"type": {"text": "late"}, "valueString": "z"}]}
    step = mirror(step.source, [changed], late)
    assert step is not None
    assert step.source is not None
    assert len(step.source["output"]) == 3


def test_a_rejected_child_never_rejects_the_source_while_another_is_asked() -> None:
    step = mirror(source(), [child("a"), child("b")], child("a", "rejected", statusReason=WHY))
    assert step is not None
    assert (step.source, step.children, step.requests) == (None, (), {"ServiceRequest/a": "revoked"})


@pytest.mark.parametrize("status", ["rejected", "cancelled", "entered-in-error"])
def test_when_nobody_is_asked_any_more_the_source_needs_a_person(status: str) -> None:
    step = mirror(source(), [child("a"), child("b", "rejected")], child("a", status, statusReason=WHY))
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], business(step.source)) == ("requested", "Needs a person")
    assert step.source["businessStatus"]["coding"][0]["code"] == "needs-a-person"


def test_an_accepting_child_that_was_an_error_leaves_the_source_to_a_person() -> None:
    step = mirror(source("accepted"), [child("a", "accepted")], child("a", "entered-in-error"))
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], business(step.source)) == ("accepted", "Needs a person")


@pytest.mark.parametrize("status", sorted(TERMINAL - {"completed"}))
def test_an_ended_source_follows_nobody(status: str) -> None:
    step = mirror(source(status), [child("a")], child("a", "completed", output=[OUTPUT]))
    assert step is not None
    assert (step.source, step.requests) == (None, {"ServiceRequest/a": "completed"})
    assert mirror(source(status), [], child("a", "accepted")) is None


def test_a_draft_source_follows_nobody() -> None:
    assert mirror(source("draft"), [], child("a", "accepted")) is None


def test_a_child_that_only_says_more_moves_nothing() -> None:
    assert mirror(source("accepted"), [child("a", "accepted")], child("a", "accepted", note=[WHY])) is None
    assert mirror(source(), [child("a")], child("a", note=[WHY])) is None


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (on_cancel_discharge, "discharge-cancelled"),
        (on_cancel_visit, "visit-cancelled"),
        (on_admitted, "admitted"),
        (on_request_withdrawn, "withdrawn"),
        (on_duplicate, "duplicate"),
    ],
)
@pytest.mark.parametrize("status", ["draft", "requested"])
def test_taken_back_before_anybody_accepted_cancels_source_and_children(
    event: Callable[[Task, list[Task]], SourceStep | None], code: str, status: str
) -> None:
    step = event(source(status), [child("a"), child("b", "rejected")])
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], step.source["statusReason"]) == ("cancelled", concept(STATUS_REASON, code))
    assert moved(step) == {"a": "cancelled"}
    assert step.children[0]["statusReason"] == concept(STATUS_REASON, code)
    assert step.requests == {"ServiceRequest/source": "revoked", "ServiceRequest/a": "revoked"}
    assert not step.quiet


@pytest.mark.parametrize("status", ["accepted", "in-progress", "on-hold"])
@pytest.mark.parametrize(("event", "said"), [(on_cancel_discharge, "Discharge cancelled"), (on_admitted, "Admitted")])
def test_taken_back_after_an_acceptance_marks_source_and_child_and_moves_no_status(
    event: Callable[[Task, list[Task]], SourceStep | None], said: str, status: str
) -> None:
    stored, taken = source(status), child("a", status)
    step = event(stored, [taken, child("b", "cancelled")])
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], business(step.source)) == (status, said)
    assert [(one["id"], one["status"], business(one)) for one in step.children] == [("a", status, said)]
    assert step.requests == {}
    assert event(step.source, list(step.children)) is None
    again = on_discharge_again(step.source, step.children)
    assert again is not None
    assert (again.source, again.children) == (stored, (taken,))


def test_a_discharge_that_was_never_taken_back_changes_nothing_when_told_again() -> None:
    marked = source("accepted", businessStatus=concept(BUSINESS_STATUS, "visit-cancelled"))
    assert on_discharge_again(marked, [child("a", "accepted")]) is None


@pytest.mark.parametrize("status", ["draft", "requested", "accepted", "in-progress", "on-hold"])
def test_a_death_ends_everything_quietly_and_partners_do_not_read_why(status: str) -> None:
    step = on_died(source(status), [child("a", "accepted"), child("b", "rejected")])
    assert step is not None
    assert step.source is not None
    assert step.quiet
    assert (step.source["status"], step.source["statusReason"]["coding"][0]["code"]) == ("cancelled", "died")
    assert [(one["id"], one["statusReason"]["coding"][0]["code"]) for one in step.children] == [("a", "withdrawn")]


@pytest.mark.parametrize("status", sorted(TERMINAL))
@pytest.mark.parametrize(
    "event", [on_cancel_discharge, on_cancel_visit, on_died, on_admitted, on_request_withdrawn, on_duplicate]
)
def test_what_has_ended_can_not_be_taken_back(
    event: Callable[[Task, list[Task]], SourceStep | None], status: str
) -> None:
    assert event(source(status), [child("a", status)]) is None


@pytest.mark.parametrize("status", ["accepted", "in-progress", "on-hold"])
def test_of_two_referrals_of_one_visit_the_one_that_somebody_accepted_stands(status: str) -> None:
    assert on_duplicate(source(status), [child("a", status)]) is None


def test_asking_a_partner_opens_a_draft() -> None:
    step = on_asked(source("draft", businessStatus=concept(BUSINESS_STATUS, "consent-needed")))
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], business(step.source)) == ("requested", None)
    assert step.requests == {"ServiceRequest/source": "active"}


def test_asking_the_next_partner_takes_the_call_for_a_person_off_and_nothing_else() -> None:
    step = on_asked(source(businessStatus=concept(BUSINESS_STATUS, "needs-a-person")))
    assert step is not None
    assert (step.source, step.requests) == (source(), {})
    assert on_asked(source()) is None
    assert on_asked(source("accepted")) is None


def test_a_withdrawn_order_ends_a_draft_and_nothing_else() -> None:
    step = on_order_withdrawn(source("draft"))
    assert step is not None
    assert step.source is not None
    assert (step.source["status"], step.source["statusReason"]["coding"][0]["code"]) == ("cancelled", "order-withdrawn")
    assert step.requests == {"ServiceRequest/source": "revoked"}
    assert all(on_order_withdrawn(source(status)) is None for status in STATUSES if status != "draft")
