"""The life of a referral Task: who may change what, and what the source becomes when a child changes.

Pure: FHIR Tasks as dictionaries in, a verdict or the next Tasks out. The edges are those of the
Gravity SDOH Clinical Care 3.0.0 referral state diagram; who may take them is the reconciled table of
that guide's "Set By" column and its rule for Task.update (the owner changes status, statusReason
and outputs, nobody else but the author anything).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from app.core.json_meaning import beyond, same
from app.rules import labelling, reporting, returning
from app.rules.task_answers import answer_in
from app.rules.task_elements import NAMED
from app.rules.verdict import Reason, Verdict
from schemas.codes.local import BUSINESS_STATUS, FALLBACK, STATUS_REASON, concept

Task = dict[str, Any]
Role = Literal["owner", "requester", "hub"]
Kind = Literal["no-change", "allowed", "refused"]

_OWNER_HUB: Final = frozenset[Role]({"owner", "hub"})
_REQUESTER_HUB: Final = frozenset[Role]({"requester", "hub"})
_ALL: Final = frozenset[Role]({"owner", "requester", "hub"})
_HUB: Final = frozenset[Role]({"hub"})

STATUSES: Final = (
    "draft",
    "requested",
    "accepted",
    "rejected",
    "in-progress",
    "on-hold",
    "completed",
    "failed",
    "cancelled",
    "entered-in-error",
)
"""Gravity's referral statuses: FHIR task-status without ``ready`` and ``received``."""

EDGES: Final[Mapping[tuple[str, str], frozenset[Role]]] = {
    ("draft", "requested"): _REQUESTER_HUB,
    ("draft", "cancelled"): _HUB,
    ("requested", "accepted"): _OWNER_HUB,
    ("requested", "rejected"): _OWNER_HUB,
    ("requested", "cancelled"): _REQUESTER_HUB,
    ("accepted", "in-progress"): _OWNER_HUB,
    ("accepted", "on-hold"): _OWNER_HUB,
    ("accepted", "completed"): _OWNER_HUB,
    ("accepted", "failed"): _OWNER_HUB,
    ("accepted", "cancelled"): _ALL,
    ("in-progress", "on-hold"): _OWNER_HUB,
    ("in-progress", "completed"): _OWNER_HUB,
    ("in-progress", "failed"): _OWNER_HUB,
    ("in-progress", "cancelled"): _ALL,
    ("on-hold", "in-progress"): _OWNER_HUB,
    ("on-hold", "completed"): _OWNER_HUB,
    ("on-hold", "failed"): _OWNER_HUB,
    ("on-hold", "cancelled"): _ALL,
    **{(status, "entered-in-error"): _REQUESTER_HUB for status in STATUSES if status != "entered-in-error"},
}
"""(from, to) to the roles that may take the edge. What is not here is forbidden to all."""

TERMINAL: Final = frozenset({"rejected", "completed", "failed", "cancelled", "entered-in-error"})
ENGAGED: Final = frozenset({"accepted", "in-progress", "on-hold"})
ASKED: Final = frozenset({"draft", "requested"})
NEEDS_REASON: Final = frozenset({"rejected", "failed", "cancelled", "on-hold"})

REQUEST_STATUS: Final[Mapping[str, str]] = {
    "draft": "draft",
    "requested": "active",
    "accepted": "active",
    "in-progress": "active",
    "on-hold": "active",
    "completed": "completed",
    "rejected": "revoked",
    "failed": "revoked",
    "cancelled": "revoked",
    "entered-in-error": "entered-in-error",
}
"""Task.status to the status of the ServiceRequest in its focus.

A partner's hold does not suspend the hospital's order; a failed Task is terminal, so no further
activity can follow from its order.
"""

APPENDED: Final = ("output", "note")
CHANGEABLE: Final[Mapping[Role, frozenset[str]]] = {
    "owner": frozenset({"status", "statusReason", "businessStatus", "output", "note"}),
    "requester": frozenset({"status", "statusReason", "note", "output"}),
}
"""Elements of Task that a role may change; output and note grow only. The hub may change all.

A requester's outputs are answers to what the coverage clock asks, and nothing else.
"""

_ANSWERS_ONLY: Final = "the requester may append answers to the coverage clock: pick-up, doses-meanwhile"
_IGNORED: Final = frozenset({"id", "meta", "text", "lastModified"})


@dataclass(frozen=True, slots=True)
class UpdateVerdict(Verdict):
    """Whether an update of a Task is taken.

    ``http`` is 200, 400 (a reason or an output is missing) or 422 (a transition or element that is
    forbidden). ``merged`` is the Task as it becomes: the one before with only the permitted changes,
    so that what a client reformats, reorders or leaves out of server meta never reaches the store.
    It is None when refused.
    """

    kind: Kind
    http: Literal[200, 400, 422]
    merged: Task | None


def allowed_from(status: str, role: Role) -> tuple[str, ...]:
    """The statuses that a role may set next."""
    return tuple(to for to in STATUSES if role in EDGES.get((status, to), ()))


def effect_of(before: Task, after: Task) -> dict[str, Any]:
    """What an update changes by meaning: element to its new value, None where it is taken away.

    ``id``, ``meta``, the narrative and ``lastModified`` are the server's and don't count, nor does
    the order of object members and list entries. Labels that differ from what is held count as
    ``meta.security``, where a client says anything of them (see ``labelling``): they can't be stripped.
    """
    effect = {
        name: after.get(name)
        for name in {**before, **after}
        if name not in _IGNORED and before.get(name) != after.get(name) and not same(before.get(name), after.get(name))
    }
    labels, held = labelling.stated(after), labelling.held(before)
    if labels is not None and labels != held and not same(labels, held):
        effect["meta.security"] = labels
    return effect


def already_achieved(current: Task, effect: Mapping[str, Any], seen: Task | None = None) -> bool:
    """Whether the current Task has what an update wanted, so that sending it again changes nothing.

    ``effect`` is ``effect_of`` the rendition that the client last saw and what it sent. Outputs and
    notes are there when the current lists hold all that was sent; later ones don't matter. Where
    ``seen``, that rendition, is given, leaving out an entry of it is no effect that could be there.
    """
    if seen is not None and any(n in effect and not _appends(effect[n], seen.get(n, [])) for n in APPENDED):
        return False
    return bool(effect) and all(_achieved(name, current.get(name), wanted) for name, wanted in effect.items())


def _achieved(name: str, held: Any, wanted: Any) -> bool:
    if name in APPENDED and isinstance(wanted, list):
        return beyond(held or [], wanted) is not None
    return same(held, wanted)


def judge_update(before: Task, after: Task, *, role: Role) -> UpdateVerdict:
    """Whether ``role`` may turn the Task ``before`` (what this client last saw) into ``after``."""
    effect = effect_of(before, after)
    if not effect:
        return UpdateVerdict((), "no-change", 200, before)
    forbidden = [*_forbidden_elements(before, effect, role), *_forbidden_transition(before, effect, role)]
    if forbidden:
        return UpdateVerdict(tuple(forbidden), "refused", 422, None)
    merged = merge(before, effect)
    missing = (*_missing(merged), *reporting.lacking(merged, effect, before))
    if missing:
        return UpdateVerdict(missing, "refused", 400, None)
    return UpdateVerdict((), "allowed", 200, merged)


def _forbidden_elements(before: Task, effect: Mapping[str, Any], role: Role) -> list[Reason]:
    may = CHANGEABLE.get(role, effect.keys())
    reasons = [
        Reason("element-forbidden", f"may be changed: {', '.join(sorted(may))}", f"Task.{_safe_name(name, before)}")
        for name in effect
        if name not in may
    ]
    reasons += [
        Reason("append-only", "entries may be appended, not changed or removed", f"Task.{name}")
        for name in APPENDED
        if name in effect and name in may and not _appends(effect[name], before.get(name, []))
    ]
    if role == "requester" and any(answer_in(one) is None for one in _new_outputs(before, effect)):
        reasons.append(Reason("element-forbidden", _ANSWERS_ONLY, "Task.output"))
    return reasons


def _new_outputs(before: Task, effect: Mapping[str, Any]) -> list[Any]:
    wanted = effect.get("output")
    return beyond(wanted, before.get("output", [])) or [] if isinstance(wanted, list) else []


def _appends(wanted: Any, held: list[Any]) -> bool:
    return isinstance(wanted, list) and beyond(wanted, held) is not None


def _safe_name(name: str, before: Task) -> str:
    """A member that only the client has could be named after anything."""
    return name if name in before or name in NAMED else "(other)"


def _forbidden_transition(before: Task, effect: Mapping[str, Any], role: Role) -> list[Reason]:
    if "status" not in effect:
        return []
    status, wanted = before.get("status", "draft"), effect["status"]
    if isinstance(wanted, str) and role in EDGES.get((status, wanted), ()):
        return []
    allowed = ", ".join(allowed_from(status, role)) or "none"
    return [Reason("transition-forbidden", f"allowed from {status} for the {role}: {allowed}", "Task.status")]


def merge(before: Task, effect: Mapping[str, Any]) -> Task:
    """``before`` with what an update changes (see ``effect_of``)."""
    merged = dict(before)
    for name, value in effect.items():
        if value is None:
            merged.pop(name, None)
        elif name in APPENDED and name in before:
            merged[name] = [*before[name], *(beyond(value, before[name]) or [])]
        elif name == "meta.security":
            merged["meta"] = {**before.get("meta", {}), "security": value}
        else:
            merged[name] = value
    if "status" in effect and "statusReason" not in effect and merged["status"] not in NEEDS_REASON:
        # The reason is one of the current status only; earlier ones stand in the history.
        merged.pop("statusReason", None)
    return merged


def _missing(task: Task) -> list[Reason]:
    status = task.get("status")
    reasons = []
    if status in NEEDS_REASON and not _has_text(task.get("statusReason")):
        reasons.append(Reason("reason-required", f"{status} needs statusReason.text", "Task.statusReason.text"))
    if status == "completed" and not task.get("output"):
        reasons.append(Reason("output-required", "completed needs at least one output", "Task.output"))
    return reasons


def _has_text(reason: Any) -> bool:
    text = reason.get("text") if isinstance(reason, dict) else None
    return isinstance(text, str) and bool(text.strip())


@dataclass(frozen=True, slots=True)
class SourceStep(Verdict):
    """What becomes of a referral after one of its children, or the hospital, moved.

    Attributes:
        source: the source Task as it becomes; None when it stays as it is.
        children: the other child Tasks that change, as they become.
        requests: ``focus.reference`` of each ServiceRequest whose status follows, to that status.
        quiet: nobody outside the hospital is notified.
    """

    source: Task | None
    children: tuple[Task, ...]
    requests: Mapping[str, str]
    quiet: bool = False


def _step(
    source: Task, source_after: Task, children: Sequence[Task], requests: dict[str, str], reason: Reason, *, quiet: bool
) -> SourceStep | None:
    moved = source_after if effect_of(source, source_after) else None
    if moved is not None and REQUEST_STATUS[source["status"]] != REQUEST_STATUS[moved["status"]]:
        requests |= _request_of(moved)
    for child in children:
        requests |= _request_of(child) if child["status"] in TERMINAL else {}
    if moved is None and not children and not requests:
        return None
    return SourceStep((reason,), moved, tuple(children), requests, quiet)


def _request_of(task: Task) -> dict[str, str]:
    reference = task.get("focus", {}).get("reference")
    return {reference: REQUEST_STATUS[task["status"]]} if reference else {}


def _cancelled(task: Task, code: str) -> Task:
    return {**task, "status": "cancelled", "statusReason": concept(STATUS_REASON, code)}


def _marked(task: Task, code: str) -> Task:
    return {**task, "businessStatus": concept(BUSINESS_STATUS, code)}


def _unmarked(task: Task, code: str) -> Task:
    codings = task.get("businessStatus", {}).get("coding", [])
    if not any(held.get("system") == BUSINESS_STATUS and held.get("code") == code for held in codings):
        return task
    return {name: value for name, value in task.items() if name != "businessStatus"}


def mirror(source: Task, children: Sequence[Task], changed: Task, *, covered: bool = True) -> SourceStep | None:
    """What the source becomes after the child ``changed`` took its new status; None when nothing follows.

    The first acceptance cancels every other open child. After it the source follows the accepting
    child. A rejected, cancelled or erroneous child never ends the source: when nobody else is asked
    and nobody has accepted, its businessStatus says that a person is needed.

    Args:
        source: the source Task as stored.
        children: all child Tasks of the source, ``id`` included; ``changed`` may be among them as it was.
        changed: the child as it becomes.
        covered: whether the hospital may be told what the partner reports (see ``returning``).
    """
    seen = changed if covered else returning.veiled(changed)
    others = [child for child in children if child["id"] != changed["id"]]
    taken = any(child["status"] in ENGAGED or child["status"] == "completed" for child in others)
    requests = _request_of(changed) if changed["status"] in TERMINAL else {}
    if taken or source["status"] == "draft":
        late = taken and changed["status"] == "accepted"
        moved = [_cancelled(changed, "not-selected")] if late else []
        return _step(
            source,
            source,
            moved,
            requests,
            Reason("source-stands", "the source does not follow this child"),
            quiet=False,
        )
    open_others = [child for child in others if child["status"] in ASKED]
    if _follows(source["status"], seen["status"]):
        moved = [_cancelled(child, "not-selected") for child in open_others]
        reason = Reason("mirrors-child", f"follows the accepting child to {seen['status']}")
        after = _followed(source, seen)
        over = not covered and seen["status"] == "completed"
        return _step(source, returning.closed(after) if over else after, moved, requests, reason, quiet=False)
    after = source
    if not open_others and changed["status"] not in ASKED and source["status"] not in TERMINAL:
        after = _marked(source, "needs-a-person")
    reason = Reason("child-lost", "a child ended without a service; who else is asked decides what follows")
    return _step(source, after, [], requests, reason, quiet=False)


def _follows(source: str, child: str) -> bool:
    if source in TERMINAL:
        return source == child == "completed"
    return child in ENGAGED or child == "completed" or (source in ENGAGED and child in {"failed", "cancelled"})


def _followed(source: Task, child: Task) -> Task:
    after = _unmarked(source, "needs-a-person") | {"status": child["status"]}
    after.pop("statusReason", None)
    if child["status"] in NEEDS_REASON and "statusReason" in child:
        after["statusReason"] = child["statusReason"]
    return _told(after, child)


def _told(source: Task, child: Task) -> Task:
    """The source with what the child reports: all of it when it is completed, before that what is told at once."""
    reports = child.get("output", [])
    told = reports if child["status"] == "completed" else reporting.at_once(reports)
    held = source.get("output", [])
    new = [entry for entry in told if not any(same(entry, known) for known in held)]
    return {**source, "output": [*held, *new]} if new else source


def on_reported(source: Task, child: Task) -> SourceStep | None:
    """The accepting partner reported something that is told at once, and nothing else changed."""
    if child["status"] not in ENGAGED or source["status"] != child["status"]:
        return None
    return _step(source, _told(source, child), [], {}, Reason("reported", "told at once"), quiet=False)


def on_covered(source: Task, child: Task) -> SourceStep | None:
    """The hospital may be told from now on what the accepting partner reports: its Task catches up with the child."""
    if child["status"] not in ENGAGED | {"completed", "failed", "cancelled"}:
        return None
    after = _followed(_unmarked(source, "closed"), child)
    return _step(source, after, [], {}, Reason("covered", "the way back is covered now"), quiet=False)


def on_consent(task: Task, *, code: Literal["consent-needed", "consent-withdrawn"] | None) -> Task:
    """A Task, source or child, with what it says of consent: wanted, taken back, or (None) nothing to say any more."""
    after = task
    for other in ("consent-needed", "consent-withdrawn"):
        after = after if other == code else _unmarked(after, other)
    return after if code is None else _marked(after, code)


def _taken_back(source: Task, children: Sequence[Task], code: str) -> SourceStep | None:
    """The hospital takes its referral back: what nobody accepted is cancelled, what somebody did is marked."""
    if source["status"] in TERMINAL:
        return None
    engaged = [child for child in children if child["status"] in ENGAGED]
    moved = [_cancelled(child, code) for child in children if child["status"] in ASKED]
    if not engaged and source["status"] not in ENGAGED:
        reason = Reason(code, "nobody had accepted: cancelled")
        return _step(source, _cancelled(source, code), moved, {}, reason, quiet=False)
    marked = [_marked(child, code) for child in engaged]
    moved += [after for child, after in zip(engaged, marked, strict=True) if effect_of(child, after)]
    reason = Reason(code, "somebody had accepted: the status stays, the businessStatus says it")
    return _step(source, _marked(source, code), moved, {}, reason, quiet=False)


def on_cancel_discharge(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """A13: cancelled where nobody accepted, else marked ``discharge-cancelled``: deadline paused, clock running."""
    return _taken_back(source, children, "discharge-cancelled")


def on_cancel_visit(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """A11: cancelled where nobody accepted, else marked ``visit-cancelled``."""
    return _taken_back(source, children, "visit-cancelled")


def on_admitted(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """The emergency visit whose end asked a partner went on as an admission: the person has not left."""
    return _taken_back(source, children, "admitted")


def on_request_withdrawn(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """REF^I14: the clinician who asked by name takes it back."""
    return _taken_back(source, children, "withdrawn")


def on_duplicate(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """The visit turned out to be another one, which has its own referral; what somebody accepted stands."""
    return None if source["status"] in ENGAGED else _taken_back(source, children, "duplicate")


def on_asked(source: Task) -> SourceStep | None:
    """A child was created for a partner: the source is requested and waits for nothing else any more."""
    if source["status"] not in ASKED:
        return None
    after = source
    for code in ("needs-a-person", "consent-needed", "route-needed"):
        after = _unmarked(after, code)
    reason = Reason("asked", "a partner is asked")
    return _step(source, {**after, "status": "requested"}, [], {}, reason, quiet=False)


def on_passed_over(source: Task, child: Task) -> SourceStep | None:
    """No answer came from this partner in its time and somebody else is asked: its request ends, the source stands."""
    if child["status"] != "requested":
        return None
    reason = Reason("no-answer", "no answer came in time")
    return _step(source, source, [_cancelled(child, "no-answer")], {}, reason, quiet=False)


def on_fallback(source: Task, kind: str, by: str, at: datetime) -> Task:
    """The source Task with what a person of the hospital chose to do while no partner can give the next dose."""
    chosen = concept(FALLBACK, kind)
    note = {"authorString": by, "time": at.isoformat(), "text": f"Fallback chosen: {chosen['text']}"}
    return {**_marked(source, "fallback-chosen"), "note": [*source.get("note", ()), note]}


def on_held(source: Task, code: Literal["needs-a-person", "consent-needed", "route-needed"]) -> SourceStep | None:
    """No partner can be asked yet: the source stays where it is and says what it waits for."""
    if source["status"] not in ASKED:
        return None
    after = source
    for other in ("needs-a-person", "consent-needed", "route-needed"):
        after = after if other == code else _unmarked(after, other)
    return _step(source, _marked(after, code), [], {}, Reason(code, "no partner is asked yet"), quiet=True)


def on_discharge_again(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """An A03 after an A13 (or an admission) that left an accepted referral standing: the mark is taken off."""
    moved = [
        after for child in children if child["status"] in ENGAGED and (after := _without_marks(child)) is not child
    ]
    reason = Reason("discharged-again", "the discharge holds again")
    return _step(source, _without_marks(source), moved, {}, reason, quiet=False)


def _without_marks(task: Task) -> Task:
    return _unmarked(_unmarked(task, "discharge-cancelled"), "admitted")


def on_died(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """The person died: all that is open is cancelled, without a notice; partners read ``withdrawn``, not why."""
    if source["status"] in TERMINAL:
        return None
    moved = [_cancelled(child, "withdrawn") for child in children if child["status"] not in TERMINAL]
    reason = Reason("died", "cancelled without a notice")
    return _step(source, _cancelled(source, "died"), moved, {}, reason, quiet=True)


def on_withdrawn(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """The requester ended the source Task itself (``source`` as it becomes): every open child ends with it."""
    moved = [_cancelled(child, "withdrawn") for child in children if child["status"] not in TERMINAL]
    reason = Reason("withdrawn", "the requester took the referral back")
    return _step(source, source, moved, _request_of(source), reason, quiet=False)


def on_order_withdrawn(source: Task) -> SourceStep | None:
    """The order that opened the draft was withdrawn before any dose: the draft ends; anything later is for a human."""
    if source["status"] != "draft":
        return None
    reason = Reason("order-withdrawn", "the draft has no medication any more")
    return _step(source, _cancelled(source, "order-withdrawn"), [], {}, reason, quiet=True)
