"""What becomes of a referral after one of its children, the hospital, or time has moved it.

Pure: FHIR Tasks in, the next Tasks out. The edges that anybody may take are those of ``rules.lifecycle``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from app.core.json_meaning import added
from app.rules import reporting, returning
from app.rules.codings import codes_in
from app.rules.lifecycle import ASKED, ENGAGED, NEEDS_REASON, REQUEST_STATUS, TERMINAL, Task, effect_of
from app.rules.verdict import Reason, Verdict
from schemas.codes.local import BUSINESS_STATUS, FALLBACK, STATUS_REASON, concept

_WAITING: Final = ASKED | {"on-hold"}
"""Statuses of a source for which somebody can be asked; on hold it has lost its place, or its partner has paused."""
Waits = Literal["needs-a-person", "consent-needed", "route-needed", "appointment-awaited"]
"""What a source that nobody can be asked for waits for."""


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
    if code not in codes_in(task.get("businessStatus"), BUSINESS_STATUS):
        return task
    return {name: value for name, value in task.items() if name != "businessStatus"}


def mirror(source: Task, children: Sequence[Task], changed: Task, *, covered: bool = True) -> SourceStep | None:
    """What the source becomes after the child ``changed`` took its new status; None when nothing follows.

    The first acceptance cancels every other open child. After it the source follows the accepting
    child. A child that ends without a service never ends the source, since the medication still runs
    out: when nobody else is asked and nobody has accepted, its businessStatus says that a person is
    needed, and after a place that is lost again it waits on hold.

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
        after = _marked(_without_place(source, seen), "needs-a-person")
    reason = Reason("child-lost", "a child ended without a service; who else is asked decides what follows")
    return _step(source, after, [], requests, reason, quiet=False)


def _follows(source: str, child: str) -> bool:
    if source in TERMINAL:
        return source == child == "completed"
    return child in ENGAGED or child == "completed"


def _without_place(source: Task, child: Task) -> Task:
    """A source whose place is lost again: on hold, with the reason of the partner, until another is found."""
    if source["status"] not in ENGAGED or child["status"] not in {"failed", "cancelled"}:
        return source
    return {**source, "status": "on-hold", "statusReason": child.get("statusReason", concept(STATUS_REASON, "other"))}


def _followed(source: Task, child: Task) -> Task:
    """The source as the accepting child has it; a second place after a lost one takes up where the first ended."""
    again = child["status"] == "accepted" and source["status"] in {"in-progress", "on-hold"}
    after = _unmarked(source, "needs-a-person") | {"status": "in-progress" if again else child["status"]}
    if child["status"] in {"in-progress", "completed"}:
        # The person is where they were sent: what bridged the time until then is over, and its note stays.
        after = _unmarked(after, "fallback-chosen")
    after.pop("statusReason", None)
    if child["status"] in NEEDS_REASON and "statusReason" in child:
        after["statusReason"] = child["statusReason"]
    reports = child.get("output", [])
    return _told(after, reports if child["status"] == "completed" else reporting.at_once(reports))


def _told(source: Task, told: Sequence[Task]) -> Task:
    """The source with what of a child's outputs is told."""
    held = source.get("output", [])
    new = added(told, held)
    return {**source, "output": [*held, *new]} if new else source


def on_reported(source: Task, child: Task) -> SourceStep | None:
    """The accepting partner reported something that is told at once, and nothing else changed."""
    over = child["status"] == source["status"] == "completed"
    if not over and (child["status"] not in ENGAGED or source["status"] not in ENGAGED):
        return None
    told = reporting.at_once(child.get("output", []))
    return _step(source, _told(source, told), [], {}, Reason("reported", "told at once"), quiet=False)


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
    if not engaged:
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
    """A child was created for a partner: the source is requested and waits for nothing else any more.

    One that has lost its place stays on hold: somebody had accepted, and nobody has again.
    """
    if source["status"] not in _WAITING:
        return None
    after = source
    for code in get_args(Waits):
        after = _unmarked(after, code)
    if source["status"] in ASKED:
        after = {**after, "status": "requested"}
    return _step(source, after, [], {}, Reason("asked", "a partner is asked"), quiet=False)


def on_elsewhere(source: Task, child: Task) -> SourceStep | None:
    """The person has come to another partner: who has a place for them is told that it is no longer needed."""
    if child["status"] not in ENGAGED | ASKED:
        return None
    reason = Reason("came-elsewhere", "the person has come to another partner")
    return _step(source, source, [_cancelled(child, "not-selected")], {}, reason, quiet=False)


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


def on_held(source: Task, code: Waits) -> SourceStep | None:
    """No partner can be asked yet: the source stays where it is and says what it waits for."""
    if source["status"] not in _WAITING:
        return None
    after = source
    for other in get_args(Waits):
        after = after if other == code else _unmarked(after, other)
    return _step(source, _marked(after, code), [], {}, Reason(code, "no partner is asked yet"), quiet=True)


def on_missed(source: Task) -> Task:
    """The source Task when the person did not come where a place waits."""
    return _marked(source, "no-show")


def on_came(source: Task) -> Task:
    """The source Task when the person came after all."""
    return _unmarked(source, "no-show")


def on_back(task: Task, *, here: bool) -> Task:
    """A Task, source or child, while the person is in the hospital again (``here``), and when they have left it."""
    return _marked(task, "readmitted") if here and task["status"] not in TERMINAL else _unmarked(task, "readmitted")


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


def on_appointment_cancelled(source: Task, children: Sequence[Task]) -> SourceStep | None:
    """What a ride was for does not take place: nobody drives. A ride to another appointment is a new source."""
    code = "appointment-cancelled"
    moved = [_cancelled(child, code) for child in children if child["status"] not in TERMINAL]
    reason = Reason(code, "the appointment does not take place")
    return _step(source, _cancelled(source, code), moved, {}, reason, quiet=False)


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
