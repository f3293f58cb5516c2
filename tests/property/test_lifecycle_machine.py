"""A referral under random partners and hospital events: what must hold after every step."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.rules.lifecycle import (
    ASKED,
    EDGES,
    ENGAGED,
    REQUEST_STATUS,
    STATUSES,
    TERMINAL,
    Role,
    Task,
    already_achieved,
    effect_of,
    judge_update,
)
from app.rules.steps import (
    SourceStep,
    mirror,
    on_asked,
    on_cancel_discharge,
    on_cancel_visit,
    on_died,
    on_discharge_again,
    on_order_withdrawn,
)

OUTPUT = {"type": {"text": "resulting activity"}, "valueString": "dose given"}
BOTH = {"statusReason": {"text": "because"}, "output": [OUTPUT]}


def new(name: str, status: str) -> Task:
    return {"resourceType": "Task", "id": name, "status": status, "focus": {"reference": f"ServiceRequest/{name}"}}


class Referral(RuleBasedStateMachine):
    """Source and children as a store would hold them, moved only by the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.source = new("source", "draft")
        self.children: dict[str, Task] = {}
        self.requests = {"ServiceRequest/source": "draft"}
        self.erroneous = False
        self.lost = False
        self.dead = False

    def put(self, task: Task, role: Role) -> None:
        held = self.source if task["id"] == "source" else self.children[task["id"]]
        if held["status"] != task["status"]:
            assert role in EDGES[held["status"], task["status"]], (held["status"], task["status"])
        if task["id"] == "source":
            self.source = task
        else:
            self.children[task["id"]] = task

    def apply(self, step: SourceStep | None) -> None:
        if step is None:
            return
        assert step.source is not None or step.children or step.requests
        for task in (*step.children, *([step.source] if step.source else [])):
            self.put(task, "hub")
        self.requests |= step.requests

    def children_with(self, statuses: frozenset[str]) -> list[Task]:
        return [child for child in self.children.values() if child["status"] in statuses]

    def may_ask(self) -> bool:
        """Nobody has a place: at first, or since the one that there was is lost again."""
        lost = self.source["status"] == "on-hold" and not self.children_with(ENGAGED | {"completed"})
        return (self.source["status"] in ASKED or lost) and len(self.children) < 5 and not self.dead

    @precondition(lambda self: self.may_ask())
    @rule()
    def ask_a_partner(self) -> None:
        child = new(f"c{len(self.children)}", "requested")
        self.children[child["id"]] = child
        self.requests[f"ServiceRequest/{child['id']}"] = "active"
        self.apply(on_asked(self.source))

    @precondition(lambda self: self.children)
    @rule(data=st.data(), status=st.sampled_from(STATUSES), with_both=st.booleans())
    def partner_sends(self, data: st.DataObject, status: str, *, with_both: bool) -> None:
        before = self.children[data.draw(st.sampled_from(sorted(self.children)))]
        after = {**before, "status": status} | (BOTH if with_both else {})
        verdict = judge_update(before, after, role="owner")
        assert (verdict.merged is None) == (verdict.kind == "refused")
        if verdict.merged is None:
            return
        step = mirror(self.source, list(self.children.values()), verdict.merged)
        self.lost |= before["status"] in ENGAGED and verdict.merged["status"] in {"failed", "cancelled"}
        self.put(verdict.merged, "owner")
        self.apply(step)
        assert judge_update(verdict.merged, after, role="owner").kind in {"no-change", "allowed"}

    @precondition(lambda self: self.children)
    @rule(data=st.data())
    def hub_withdraws_a_child_in_error(self, data: st.DataObject) -> None:
        before = self.children[data.draw(st.sampled_from(sorted(self.children)))]
        verdict = judge_update(before, {**before, "status": "entered-in-error"}, role="hub")
        if verdict.merged is not None and verdict.kind == "allowed":
            self.erroneous = True
            step = mirror(self.source, list(self.children.values()), verdict.merged)
            self.put(verdict.merged, "hub")
            self.apply(step)

    @rule()
    def the_discharge_is_cancelled(self) -> None:
        self.apply(on_cancel_discharge(self.source, list(self.children.values())))
        assert on_cancel_discharge(self.source, list(self.children.values())) is None

    @rule()
    def the_person_is_discharged_again(self) -> None:
        self.apply(on_discharge_again(self.source, list(self.children.values())))

    @rule()
    def the_visit_is_cancelled(self) -> None:
        self.apply(on_cancel_visit(self.source, list(self.children.values())))

    @rule()
    def the_order_is_withdrawn(self) -> None:
        self.apply(on_order_withdrawn(self.source))

    @rule()
    def the_person_dies(self) -> None:
        step = on_died(self.source, list(self.children.values()))
        assert step is None or step.quiet
        self.apply(step)
        self.dead = True
        assert self.source["status"] in TERMINAL

    @invariant()
    def at_most_one_partner_has_it(self) -> None:
        assert len(self.children_with(ENGAGED | {"completed"})) <= 1

    @invariant()
    def the_source_shows_what_the_accepting_child_shows(self) -> None:
        taken = self.children_with(ENGAGED | {"completed"})
        if taken and not self.erroneous:
            again = self.lost and taken[0]["status"] == "accepted"
            assert self.source["status"] == taken[0]["status"] or (again and self.source["status"] == "in-progress")
            assert not self.children_with(ASKED)
        if self.source["status"] in ENGAGED and not self.erroneous:
            assert taken or (self.lost and self.source["status"] == "on-hold")

    @invariant()
    def a_source_is_never_rejected_and_an_ended_one_leaves_nobody_asked(self) -> None:
        assert self.source["status"] != "rejected"
        if self.source["status"] in TERMINAL:
            assert not self.children_with(ASKED)

    @invariant()
    def when_nobody_is_asked_a_person_is_called(self) -> None:
        waits = {"requested", *(() if self.children_with(ENGAGED) else ("on-hold",))}
        if self.source["status"] in waits and self.children and not self.children_with(ASKED):
            assert self.source["businessStatus"]["coding"][0]["code"] == "needs-a-person"

    @invariant()
    def every_end_has_its_reason_and_every_completion_its_output(self) -> None:
        for task in (self.source, *self.children.values()):
            if task["status"] in {"rejected", "failed", "cancelled", "on-hold"}:
                assert task["statusReason"]["text"]
            if task["status"] == "completed":
                assert task["output"]

    @invariant()
    def every_request_has_the_status_of_its_task(self) -> None:
        for task in (self.source, *self.children.values()):
            assert self.requests[task["focus"]["reference"]] == REQUEST_STATUS[task["status"]]


def test_a_referral_keeps_its_promises_whatever_partners_and_hospital_do() -> None:
    run_state_machine_as_test(
        Referral, settings=settings(max_examples=150, stateful_step_count=25, deadline=None, database=None)
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "2026-06-08T14:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=6,
)
ELEMENTS = st.sampled_from(["status", "statusReason", "businessStatus", "output", "note", "input", "priority", "meta"])
CHANGES = st.dictionaries(
    ELEMENTS, VALUES | st.sampled_from([*STATUSES, [OUTPUT], {"text": "why"}]), min_size=1, max_size=4
)


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(status=st.sampled_from(STATUSES), changes=CHANGES, role=st.sampled_from(["owner", "requester", "hub"]))
def test_any_update_gets_a_verdict_and_what_is_allowed_is_then_achieved(
    status: str, changes: dict[str, Any], role: Role
) -> None:
    before = {**new("t", status), "statusReason": {"text": "old"}, "output": [OUTPUT]}
    after = {**before, **changes}
    verdict = judge_update(before, after, role=role)
    assert (verdict.kind, verdict.http) in {("no-change", 200), ("allowed", 200), ("refused", 400), ("refused", 422)}
    assert (verdict.kind == "refused") == bool(verdict.reasons)
    if verdict.kind == "allowed":
        assert verdict.merged is not None
        assert already_achieved(verdict.merged, effect_of(before, after))
        assert effect_of(before, verdict.merged).keys() >= effect_of(before, after).keys()
