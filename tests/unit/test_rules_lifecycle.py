from typing import Any

import pytest

from app.rules.lifecycle import (
    CHANGEABLE,
    EDGES,
    NEEDS_REASON,
    REQUEST_STATUS,
    STATUSES,
    TERMINAL,
    Role,
    Task,
    allowed_from,
    already_achieved,
    effect_of,
    judge_update,
)
from schemas.codes.local import NEED, concept
from tests.unit.lifecycle_tasks import OUTPUT, WHY, task

SECRET = "HTEST-Secret"


def without(resource: Task, *names: str) -> Task:
    return {name: value for name, value in resource.items() if name not in names}


def complete(resource: Task) -> Task:
    """What the new status demands, so that only the transition is judged."""
    return {**resource, "statusReason": WHY, "output": [OUTPUT]}


GRAVITY = {
    "draft": {"requested"},
    "requested": {"accepted", "rejected", "cancelled"},
    "accepted": {"in-progress", "on-hold", "cancelled", "completed", "failed"},
    "in-progress": {"on-hold", "cancelled", "completed", "failed"},
    "on-hold": {"in-progress", "cancelled", "completed", "failed"},
}
"""The state diagram of Gravity SDOH Clinical Care 3.0.0, entered-in-error left out."""


def test_the_edges_are_those_of_the_gravity_diagram_and_the_hubs_end_of_a_draft() -> None:
    drawn = {(a, b) for a, targets in GRAVITY.items() for b in targets}
    drawn |= {(a, "entered-in-error") for a in STATUSES if a != "entered-in-error"}
    assert set(EDGES) - drawn == {("draft", "cancelled")}
    assert drawn <= set(EDGES)


@pytest.mark.parametrize(
    ("role", "status", "allowed"),
    [
        ("owner", "draft", set()),
        ("owner", "requested", {"accepted", "rejected"}),
        ("owner", "accepted", {"in-progress", "on-hold", "completed", "failed", "cancelled"}),
        ("owner", "in-progress", {"on-hold", "completed", "failed", "cancelled"}),
        ("owner", "on-hold", {"in-progress", "completed", "failed", "cancelled"}),
        ("requester", "draft", {"requested", "entered-in-error"}),
        ("requester", "requested", {"cancelled", "entered-in-error"}),
        ("requester", "on-hold", {"cancelled", "entered-in-error"}),
        ("hub", "draft", {"requested", "cancelled", "entered-in-error"}),
        *[(role, status, set()) for role in ("owner",) for status in TERMINAL],
        *[("requester", status, {"entered-in-error"}) for status in TERMINAL - {"entered-in-error"}],
    ],
)
def test_each_role_has_its_own_edges(role: Role, status: str, allowed: set[str]) -> None:
    assert set(allowed_from(status, role)) == allowed


@pytest.mark.parametrize("role", ["owner", "requester", "hub"])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("wanted", [*STATUSES, "received", "ready"])
def test_a_transition_is_allowed_exactly_on_an_edge_of_the_role(role: Role, status: str, wanted: str) -> None:
    before = complete(task(status))
    verdict = judge_update(before, {**before, "status": wanted}, role=role)
    if wanted == status:
        assert verdict.kind == "no-change"
    elif role in EDGES.get((status, wanted), ()):
        assert (verdict.kind, verdict.http) == ("allowed", 200)
        assert verdict.merged is not None
        assert verdict.merged["status"] == wanted
    else:
        assert (verdict.kind, verdict.http, verdict.codes) == ("refused", 422, ("transition-forbidden",))
        assert all(next_one in verdict.reasons[0].text for next_one in allowed_from(status, role))


def test_a_forbidden_transition_names_the_allowed_ones_and_not_what_was_sent() -> None:
    verdict = judge_update(task(), {**task(), "status": SECRET}, role="owner")
    assert verdict.reasons[0].text == "allowed from requested for the owner: accepted, rejected"
    assert verdict.reasons[0].path == "Task.status"


@pytest.mark.parametrize("status", [None, 1, ["accepted"], {"a": 1}])
def test_a_status_that_is_no_text_is_a_forbidden_transition(status: object) -> None:
    assert judge_update(task(), {**task(), "status": status}, role="owner").http == 422


SAME: dict[str, Task] = {
    "itself": task(),
    "members in another order": dict(reversed(task().items())),
    "entries in another order": {**task(), "input": task()["input"][::-1]},
    "another version and instant": {**task(), "meta": {"versionId": "9", "lastUpdated": "2030-01-01T00:00:00Z"}},
    "no meta": without(task(), "meta", "id", "lastModified"),
    "labels in another order": {**task(), "meta": {"security": [{"code": "R"}]}},
    "another lastModified": {**task(), "lastModified": "2030-01-01T00:00:00Z"},
    "the same instant elsewhere": {**task(), "authoredOn": "2026-06-08T10:00:00.000-04:00"},
    "the same number": {**task(), "input": [{"type": {"text": "a"}, "valueDecimal": 1.50}, task()["input"][1]]},
    "a narrative": {**task(), "text": {"status": "generated", "div": "<div>hello</div>"}},
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("role", ["owner", "requester", "hub"])
def test_what_means_the_same_is_no_change(name: str, role: Role) -> None:
    before = task()
    verdict = judge_update(before, SAME[name], role=role)
    assert (verdict.kind, verdict.http, verdict.merged) == ("no-change", 200, before)


OTHER: dict[str, tuple[Task, str]] = {
    "priority": ({**task(), "priority": "stat"}, "Task.priority"),
    "a removed element": (without(task(), "input"), "Task.input"),
    "an added entry": ({**task(), "input": [*task()["input"], task()["input"][0]]}, "Task.input"),
    "another instant": ({**task(), "authoredOn": "2026-06-08T14:00:00.1Z"}, "Task.authoredOn"),
    "another number": ({**task(), "input": [{"type": {"text": "a"}, "valueDecimal": 1.51}]}, "Task.input"),
    "a boolean": ({**task(), "intent": True}, "Task.intent"),
    "another owner": ({**task(), "owner": {"reference": "Organization/me"}}, "Task.owner"),
    "stripped labels": ({**task(), "meta": {"security": []}}, "Task.meta.security"),
    "a meta sent back without its labels": ({**task(), "meta": {"profile": ["x"]}}, "Task.meta.security"),
    "another type": ({**task(), "resourceType": SECRET}, "Task.resourceType"),
    "an unknown element": ({**task(), SECRET: 1}, "Task.(other)"),
}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("role", ["owner", "requester"])
def test_every_other_element_is_refused_by_its_path_and_names_what_may_be_changed(name: str, role: Role) -> None:
    after, path = OTHER[name]
    verdict = judge_update(task(), after, role=role)
    assert (verdict.kind, verdict.http, verdict.merged) == ("refused", 422, None)
    assert [(reason.code, reason.path) for reason in verdict.reasons] == [("element-forbidden", path)]
    assert all(element in verdict.reasons[0].text for element in CHANGEABLE[role])
    assert SECRET not in str(verdict)


def test_all_that_is_forbidden_is_said_at_once() -> None:
    after = {**task(), "status": "completed", "priority": "stat", "owner": {"reference": "Organization/x"}}
    verdict = judge_update(task(), after, role="owner")
    assert {reason.path for reason in verdict.reasons} == {"Task.priority", "Task.owner", "Task.status"}


def test_the_owner_may_accept_say_why_append_and_mark() -> None:
    note = {"text": "called the ward"}
    before = task("accepted", output=[OUTPUT], note=[note])
    after = {
        **before,
        "status": "on-hold",
        "statusReason": WHY,
        "businessStatus": {"text": "scheduled"},
        "output": [OUTPUT, OUTPUT],
        "note": [{"text": "new"}, note],
    }
    verdict = judge_update(before, after, role="owner")
    assert verdict.kind == "allowed"
    assert verdict.merged == {**after, "note": [note, {"text": "new"}]}


@pytest.mark.parametrize("element", ["output", "note"])
@pytest.mark.parametrize("sent", [None, [], [{"text": "changed"}], {"text": "no list"}, SECRET])
def test_output_and_note_only_grow(element: str, sent: object) -> None:
    before = task("in-progress", **{element: [OUTPUT]})
    after = without(before, element) if sent is None else {**before, element: sent}
    verdict = judge_update(before, after, role="owner")
    assert (verdict.http, verdict.codes, verdict.reasons[0].path) == (422, ("append-only",), f"Task.{element}")


@pytest.mark.parametrize("element", ["output", "businessStatus"])
def test_the_requester_leaves_the_owners_elements_alone(element: str) -> None:
    after = {**task(), element: [OUTPUT] if element == "output" else {"text": "x"}}
    assert judge_update(task(), after, role="requester").codes == ("element-forbidden",)


def test_only_permitted_changes_reach_the_result() -> None:
    sent = {**SAME["the same instant elsewhere"], "meta": {"versionId": "9"}, "status": "accepted"}
    merged = judge_update(task(), sent, role="owner").merged
    assert merged == task("accepted")


def test_what_was_given_is_left_as_it_is() -> None:
    before, after = task("accepted"), task("completed", output=[OUTPUT])
    judge_update(before, after, role="owner")
    assert (before, after) == (task("accepted"), task("completed", output=[OUTPUT]))


@pytest.mark.parametrize("status", sorted(NEEDS_REASON))
@pytest.mark.parametrize("reason", [None, {}, {"text": ""}, {"text": " \n"}, {"coding": [{"code": "x"}]}, "text", 1])
def test_an_end_or_a_hold_without_a_reason_text_is_refused_by_rule(status: str, reason: object) -> None:
    before = task("requested" if status == "rejected" else "accepted")
    after = {**before, "status": status} | ({} if reason is None else {"statusReason": reason})
    verdict = judge_update(before, after, role="owner")
    assert (verdict.kind, verdict.http, verdict.codes) == ("refused", 400, ("reason-required",))
    assert verdict.reasons[0].path == "Task.statusReason.text"


def test_a_hold_may_not_lose_its_reason() -> None:
    before = task("on-hold", statusReason=WHY)
    assert judge_update(before, without(before, "statusReason"), role="owner").http == 400


@pytest.mark.parametrize("output", [None, []])
def test_completed_without_an_output_is_refused_by_rule(output: list[Any] | None) -> None:
    after = task("completed") | ({} if output is None else {"output": output})
    verdict = judge_update(task("accepted"), after, role="owner")
    assert (verdict.http, verdict.codes, verdict.reasons[0].path) == (400, ("output-required",), "Task.output")


def test_an_output_that_was_appended_before_is_enough_for_completed() -> None:
    before = task("in-progress", output=[OUTPUT])
    assert judge_update(before, {**before, "status": "completed"}, role="owner").kind == "allowed"


def test_a_reason_stands_for_its_own_status_only() -> None:
    before = task("on-hold", statusReason=WHY)
    merged = judge_update(before, {**before, "status": "in-progress"}, role="owner").merged
    assert merged == task("in-progress")


def test_the_hub_may_change_everything_on_legal_edges() -> None:
    after = task("accepted", priority="stat", owner={"reference": "Organization/o"}, meta={"security": []})
    verdict = judge_update(task(), after, role="hub")
    assert verdict.merged is not None
    assert (verdict.merged["priority"], verdict.merged["meta"]["security"]) == ("stat", [])


ACCEPT: list[tuple[Task, bool]] = [
    (task("accepted"), True),
    (task("accepted", priority="stat"), True),
    (task("accepted", output=[OUTPUT]), True),
    (task("requested"), False),
    (task("in-progress"), False),
    (task("cancelled"), False),
]


@pytest.mark.parametrize(("current", "achieved"), ACCEPT)
def test_an_acceptance_sent_again_is_achieved_only_while_the_task_is_accepted(*, current: Task, achieved: bool) -> None:
    effect = effect_of(task(), task("accepted"))
    assert effect == {"status": "accepted"}
    assert already_achieved(current, effect) is achieved


def test_an_append_sent_again_is_achieved_once_it_is_there_and_a_second_equal_one_is_not() -> None:
    once = effect_of(task("accepted"), task("accepted", output=[OUTPUT]))
    twice = effect_of(task("accepted", output=[OUTPUT]), task("accepted", output=[OUTPUT, OUTPUT]))
    stored = task("accepted", output=[OUTPUT])
    assert already_achieved(stored, once)
    assert already_achieved(task("accepted", output=[{"valueString": "later"}, OUTPUT]), once)
    assert not already_achieved(stored, twice)
    assert not already_achieved(task("accepted"), once)


def test_nothing_wanted_is_nothing_achieved() -> None:
    assert not already_achieved(task(), effect_of(task(), task()))


def test_every_status_has_a_status_of_its_request() -> None:
    assert set(REQUEST_STATUS) == set(STATUSES)


def test_every_concept_of_ours_carries_system_code_display_and_text() -> None:
    assert concept(NEED, "naloxone") == {
        "coding": [{"system": NEED, "code": "naloxone", "display": "Naloxone"}],
        "text": "Naloxone",
    }
