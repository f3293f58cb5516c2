"""The life of a referral Task: its statuses, and who may change what. What follows from it is in ``rules.steps``.

Pure: FHIR Tasks as dictionaries in, a verdict or the next Tasks out. The edges are those of the
Gravity SDOH Clinical Care 3.0.0 referral state diagram; who may take them is the reconciled table of
that guide's "Set By" column and its rule for Task.update (the owner changes status, statusReason
and outputs, nobody else but the author anything).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.core.json_meaning import beyond, same
from app.rules import labelling, reporting
from app.rules.task_answers import answer_in
from app.rules.task_elements import NAMED
from app.rules.verdict import Reason, Verdict

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
