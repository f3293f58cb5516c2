"""The merge of a visit: what many messages, in any order, together say about one visit.

``merge`` is commutative: every field carries the event time of the fact that stated it (``stamps``), so
that the same facts give the same record whatever their order of arrival, and a stale message never
overwrites a newer one. Where two facts of the same instant differ, the kind of message decides (a
discharge outranks an update, that outranks an order), then the greater value: arbitrary, but the same
each time. A field that a message does not state is left as it is.

Taking back: a cancelled order, a deleted dose, a removed diagnosis, an A13, an A11, an A25 and a merged number are
times of their own, which win over what was stated at or before them; so they may arrive first. A visit that was
another person's (A45) forgets all that was said of that person, and what comes late of them.

A visit that ended and whose person was admitted under the same number soon after never ended (``admission``); two
numbers are joined in ``visit_join``. What comes under the number of the emergency visit that a stay began with tells
of person and drugs only.

The record that went in is never changed.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from fhir_mappings import triage
from fhir_mappings.visits.visit_circumstances import merge_circumstances, without_the_other_person
from fhir_mappings.visits.visit_identity import key_of
from fhir_mappings.visits.visit_step import MICRO, OWN_DOSE, RANK_BITS, Step, canonical, later, micros, newer
from schemas.base import changed
from schemas.discharge import Diagnosis, Identifier, VisitDetails
from schemas.facts import NOTHING_KNOWN, FactKind, Facts, GivenDose, Order, Supply, VisitRecord

T = TypeVar("T", Order, GivenDose, Supply)

_RANK: Final[dict[FactKind, int]] = {
    "other": 0,
    "pre-admit": 1,
    "admit": 2,
    "expected-discharge": 3,
    "cancel-expected": 3,
    "order": 4,
    "dose": 4,
    "supply": 4,
    "result": 4,
    "referral": 4,
    "cancel-referral": 4,
    "person": 5,
    "merge": 6,
    "unlink": 6,
    "move": 7,
    "transfer": 8,
    "class-change": 8,
    "update": 9,
    "cancel-discharge": 9,
    "cancel-visit": 9,
    "discharge": 10,
}
ADMISSION: Final = timedelta(hours=4)
"""So soon after its end an admission says that a visit has not ended, where the sender's file says nothing else."""
_DETAILED: Final = 2 << 53
_STANDING: Final = 1 << 53
"""Added to the stamp of a content: details are kept before a bare status, what stands before what was taken back."""
_OF_THE_DISCHARGE: Final = ("disposition", "discharged_at", "destination")
_NUMBERS: Final = ("identifiers",)
_NUMBERS_AND_DISCHARGE: Final = (*_NUMBERS, *_OF_THE_DISCHARGE)
_PRESENT: Final = frozenset({"admit", "transfer", "class-change", "discharge"})
"""Kinds of message that say that the person is or was in the house."""
ADMITTED: Final = "admitted:"
"""How the mark of an admission begins; its instant follows."""
_INPATIENT: Final = frozenset({"IMP", "OBSENC"})


class Items(NamedTuple):
    """How one kind of item is merged: its name in stamps, the field that takes it back, the time of its statement."""

    what: str
    flag: str
    time: str


ORDERS: Final = Items("order", "withdrawn", "at")
DOSES: Final = Items("dose", "deleted", "charted_at")
SUPPLIES: Final = Items("supply", "withdrawn", "at")


def merge(record: VisitRecord | None, facts: Facts, admission: timedelta = ADMISSION) -> VisitRecord:
    """The record with one message's facts added.

    Facts of a trigger that is not handled add who and where, and a mark when they carry a signal; never a
    drug, a diagnosis or a change of the visit's course.

    Args:
        record: what is known; None for a visit that nobody has heard of.
        facts: what the message says.
        admission: an admission within this time after the end of the visit says that it has not ended.
    """
    old = record or NOTHING_KNOWN
    step = Step(old, facts, dict(old.stamps), micros(facts.at) << RANK_BITS)
    step.change["stamps"] = step.stamps
    if facts.test:
        step.change["test"] = True
    if facts.handled:
        step.stamp += _RANK[facts.kind]
    if facts.kind == "move":
        step.reach("moved", step.stamp)
    if facts.patient is not None or facts.merged_identifiers:
        _merge_patient(step)
    earlier = _of_earlier_part(old, facts)
    visit = old.visit if earlier else _merge_visit(step)
    if earlier and facts.visit is not None:
        # Of the emergency visit that the stay began with nothing of the course is taken but its beginning.
        step.change["came_at"] = earliest(old.came_at, facts.visit.admitted_at)
    if facts.handled:
        if not earlier:
            visit = _merge_course(step, visit, admission)
        _merge_clinical(step)
        _merge_marks(step)
    elif triage.message_signal(facts):
        step.change["unhandled_signal"] = True
    step.change["visit"] = visit
    return changed(old, step.change)


def _of_earlier_part(old: VisitRecord, facts: Facts) -> bool:
    """Whether all that the message numbers is the emergency visit that this stay began with."""
    if not old.earlier_visits or facts.visit is None or not facts.visit.identifiers:
        return False
    before = {key_of(identifier) for identifier in old.earlier_visits}
    return all(key_of(identifier) in before for identifier in facts.visit.identifiers)


def _merge_patient(step: Step) -> None:
    old, facts = step.old, step.facts
    if step.stamp < step.stamps.get("moved", 0):
        return  # said of the person that this visit was taken from
    seen = dict(old.identifiers)
    change: dict[str, Any] = {}
    if facts.kind == "move":
        seen, change = _of_nobody_else(step, seen)
    for identifier in facts.patient.identifiers if facts.patient is not None else ():
        key = key_of(identifier)
        if step.wins(f"id:{key}", seen.get(key), identifier):
            seen[key] = identifier
        if facts.merged_identifiers:
            step.reach(f"kept:{key}", step.stamp)
    for identifier in facts.merged_identifiers if facts.kind != "move" else ():
        key = key_of(identifier)
        seen.setdefault(key, identifier)
        step.reach(f"gone:{key}", step.stamp)
    if facts.patient is not None:
        change |= newer(step, old.patient, facts.patient, "patient.", ("identifiers",))
        step.change["patient_at"] = later(old.patient_at, facts.at)
    if facts.kind == "move" and "patient.died" not in step.stamps:
        step.change["died"] = False
    if facts.died is not None and step.wins("patient.died", old.died, facts.died):
        step.change["died"] = facts.died
    change["identifiers"], step.change["former_identifiers"] = current_identifiers(seen, step.stamps)
    step.change["identifiers"] = seen
    step.change["patient"] = changed(old.patient, change)


def _of_nobody_else(step: Step, seen: dict[str, Identifier]) -> tuple[dict[str, Identifier], dict[str, Any]]:
    """A visit that was another person's: the numbers that stay, and the fields of the person that are forgotten."""
    stamps, moved = step.stamps, step.stamps["moved"]
    for key in [
        k for k, stamp in stamps.items() if k.startswith(("patient.", "id:", "kept:", "gone:")) and stamp < moved
    ]:
        del stamps[key]
    kept = {key: identifier for key, identifier in seen.items() if f"id:{key}" in stamps or f"gone:{key}" in stamps}
    blank = type(step.old.patient)()
    gone = {name: value for name, value in vars(blank).items() if f"patient.{name}" not in stamps}
    return kept, gone


def current_identifiers(
    seen: Mapping[str, Identifier], stamps: Mapping[str, int]
) -> tuple[list[Identifier], list[Identifier]]:
    """Current and former identifiers: of each authority and type, those of the newest message."""
    newest: dict[tuple[str, str], int] = {}
    kept: list[tuple[str, tuple[str, str], int]] = []
    former: list[Identifier] = []
    for key in sorted(seen):
        gone = stamps.get(f"gone:{key}")
        if gone is not None and gone > stamps.get(f"kept:{key}", -1):
            former.append(seen[key])
            continue
        group = (seen[key].system, seen[key].type or "MR")
        stamp = stamps.get(f"id:{key}", -1)
        newest[group] = max(stamp, newest.get(group, -1))
        kept.append((key, group, stamp))
    return [seen[key] for key, group, stamp in kept if stamp == newest[group]], former


def _merge_visit(step: Step) -> VisitDetails:
    facts = step.facts
    old = _merge_numbers(step)
    if facts.visit is None:
        return old
    step.change["visit_at"] = later(step.old.visit_at, facts.at)
    if facts.facility is not None and step.wins("facility", step.old.facility, facts.facility):
        step.change["facility"] = facts.facility
    ends = facts.handled and facts.kind != "cancel-discharge" and facts.visit_status_ended is not False
    change = newer(step, old, facts.visit, "visit.", _NUMBERS if ends else _NUMBERS_AND_DISCHARGE)
    return changed(old, change) if change else old


def _merge_numbers(step: Step) -> VisitDetails:
    """The visit with all its numbers but those that were merged into others; these still find it."""
    old, facts, stamps = step.old, step.facts, step.stamps
    stated = facts.visit.identifiers if facts.visit is not None else []
    if not (stated or facts.merged_visits or facts.kind == "move"):
        return old.visit
    known = {key_of(identifier): identifier for identifier in (*old.visit.identifiers, *old.former_visits)}
    seen = dict(known)
    for identifier in facts.merged_visits:
        key = key_of(identifier)
        step.reach(f"gone-visit:{key}", step.stamp)
        if f"visit-id:{key}" not in stamps:
            seen[key] = max(identifier, seen.get(key, identifier), key=canonical)
    for identifier in stated:
        key = key_of(identifier)
        if facts.merged_visits:
            step.reach(f"kept-visit:{key}", step.stamp)
        if step.wins(f"visit-id:{key}", known.get(key), identifier):
            seen[key] = identifier
    _drop_accounts(step, seen)
    if seen == known and not facts.merged_visits:
        return old.visit
    gone = {key for key in seen if stamps.get(f"gone-visit:{key}", -1) > stamps.get(f"kept-visit:{key}", -1)}
    step.change["former_visits"] = [seen[key] for key in sorted(gone)]
    return changed(old.visit, {"identifiers": [seen[key] for key in sorted(seen.keys() - gone)]})


def _drop_accounts(step: Step, seen: dict[str, Identifier]) -> None:
    """A visit that was another person's leaves the account of that person, unless the move names it."""
    moved = step.stamps.get("moved", 0)
    for key in [key for key, one in seen.items() if moved and one.type == "AN"]:
        if step.stamps.get(f"visit-id:{key}", -1) < moved:
            step.stamps.pop(f"visit-id:{key}", None)
            del seen[key]


def earliest(known: datetime | None, stated: date | datetime | None) -> datetime | None:
    """The earlier of two instants; a bare day is none."""
    if not isinstance(stated, datetime):
        return known
    return stated if known is None or stated < known else known


def _states_end(facts: Facts) -> bool:
    if facts.visit_status_ended is not None:
        return facts.visit_status_ended
    dated = facts.visit is not None and facts.visit.discharged_at is not None
    return facts.kind == "discharge" or (facts.kind == "update" and dated)


def _merge_course(step: Step, visit: VisitDetails, admission: timedelta) -> VisitDetails:
    """Whether the visit is open, ended or cancelled; what an end said that no longer holds is dropped."""
    old, facts = step.old, step.facts
    ended_at = old.ended_at
    ends = _states_end(facts)
    if ends and step.wins("ended", ended_at, facts.at):
        ended_at = facts.at
    _mark_course(step, ends=ends)
    if ends or facts.kind in ("discharge", "cancel-discharge"):
        step.change["discharge_fact_at"] = later(old.discharge_fact_at, facts.at)
    step.change |= course(step.stamps, ended_at, admission)
    return without_void(visit, step.stamps, admission)


def _mark_course(step: Step, *, ends: bool) -> None:
    facts = step.facts
    if facts.kind == "discharge" and not ends:
        # "Admitted" or "still patient": a discharge message that says the visit goes on.
        step.reach("goes-on", step.instant)
    if facts.kind in ("cancel-discharge", "cancel-visit", "cancel-expected"):
        step.reach(facts.kind, step.instant)
    if facts.kind in _PRESENT:
        step.reach("present", step.instant)
    if facts.kind in ("admit", "class-change") and facts.visit is not None and facts.visit.class_ in _INPATIENT:
        step.stamps[f"{ADMITTED}{step.instant}"] = step.instant
        step.stamps["began"] = min(step.instant, step.stamps.get("began", step.instant))


def course(stamps: Mapping[str, int], ended_at: datetime | None, admission: timedelta) -> dict[str, Any]:
    """``ended_at`` and ``cancelled`` of a record, by the marks that were set."""
    stands = ended_at is not None and not _void(stamps, stamps.get("ended", -1) >> RANK_BITS, admission)
    cancelled = stamps.get("cancel-visit", -1) >= stamps.get("present", 0)
    return {"ended_at": ended_at if stands else None, "cancelled": cancelled}


def _void(stamps: Mapping[str, int], instant: int, admission: timedelta) -> bool:
    """Whether an end of the visit at that instant counts for nothing: it was taken back, or an admission followed.

    Every admission is remembered, not the last alone: what is void stays so, whatever arrives later.
    """
    if instant <= max(stamps.get("cancel-discharge", -1), stamps.get("goes-on", -1)):
        return True
    latest = instant + admission // MICRO
    return any(instant < at <= latest for key, at in stamps.items() if key.startswith(ADMITTED))


def without_void(visit: VisitDetails, stamps: Mapping[str, int], admission: timedelta) -> VisitDetails:
    """The visit without what an end said that no longer holds, and without an expectation that was taken back."""
    void = {
        name: None
        for name in _OF_THE_DISCHARGE
        if getattr(visit, name) is not None and _void(stamps, stamps[f"visit.{name}"] >> RANK_BITS, admission)
    }
    expected = stamps.get("visit.expected_discharge_at", -1) >> RANK_BITS
    if visit.expected_discharge_at is not None and expected <= stamps.get("cancel-expected", -1):
        void["expected_discharge_at"] = None
    return changed(visit, void) if void else visit


def _merge_marks(step: Step) -> None:
    """What a clinician or a clerk decided: a referral by name, two persons who were taken for one."""
    facts = step.facts
    if facts.kind in ("referral", "cancel-referral"):
        step.reach(facts.kind, step.instant)
        step.change["asked_for"] = step.stamps.get("referral", -1) > step.stamps.get("cancel-referral", -1)
    if facts.kind == "unlink":
        step.change["unlinked"] = True


def _merge_clinical(step: Step) -> None:
    old, facts, change = step.old, step.facts, step.change
    if facts.diagnoses or facts.removed_diagnoses:
        change["diagnoses"] = _merge_diagnoses(step)
    if facts.orders:
        change["orders"] = _merge_items(step, old.orders, facts.orders, ORDERS)
    if facts.doses:
        change["doses"] = _merge_items(step, old.doses, facts.doses, DOSES)
    if facts.supplies:
        change["supplies"] = _merge_items(step, old.supplies, facts.supplies, SUPPLIES)
    if facts.circumstances is not None:
        change["circumstances_at"] = later(old.circumstances_at, facts.at)
        change["circumstances"] = merge_circumstances(step, facts.circumstances)
    if facts.kind == "move":
        change["circumstances"] = without_the_other_person(step)


def _merge_diagnoses(step: Step) -> dict[str, Diagnosis]:
    """Diagnoses add up; one is gone when it was removed (DG1-21 D) at or after it was last stated."""
    merged = dict(step.old.diagnoses)
    for diagnosis in step.facts.diagnoses:
        key = f"{diagnosis.system or ''}|{diagnosis.code}"
        if step.wins(f"dx:{key}", merged.get(key), diagnosis):
            merged[key] = diagnosis
    for diagnosis in step.facts.removed_diagnoses:
        step.reach(f"no-dx:{diagnosis.system or ''}|{diagnosis.code}", step.stamp)
    return {k: dx for k, dx in merged.items() if step.stamps[f"dx:{k}"] > step.stamps.get(f"no-dx:{k}", -1)}


def _merge_items(step: Step, old: Mapping[str, T], items: Iterable[T], kind: Items) -> dict[str, T]:
    """Orders, doses or supplies by key: the newest content, flagged when it was taken back at or after it.

    Only products that triage knows are kept (minimum necessary); taking back is noted whatever product it names.
    """
    merged = dict(old)
    what, flag, time = kind
    for item in items:
        at = micros(getattr(item, time))
        taken_back = bool(getattr(item, flag))
        step.reach(f"{'no-' if taken_back else ''}{what}:{item.key}", at)
        known = merged.get(item.key)
        _mark_own(step, known, item)
        if known is not None and getattr(known, flag):
            known = changed(known, {flag: False})
        content = known
        if triage.is_kept(item.product):
            weight = at + _DETAILED * _detailed(item) + _STANDING * (not taken_back)
            plain = changed(item, {flag: False}) if taken_back else item
            if step.wins(f"{what}-said:{item.key}", known, plain, weight):
                content = plain
        if content is not None:
            merged[item.key] = standing(content, kind, step.stamps)
    return merged


def _mark_own(step: Step, known: Order | GivenDose | Supply | None, item: Order | GivenDose | Supply) -> None:
    """A dose that is stated anew (RXA-21 U) at the time at which it was charted updates itself and no other."""
    if isinstance(item, GivenDose) and isinstance(known, GivenDose) and item.updates is not known.updates:
        step.reach(f"{OWN_DOSE}{item.key}", 0)


def standing(item: T, kind: Items, stamps: Mapping[str, int]) -> T:
    """The item, flagged where it was taken back at or after it was last stated."""
    stands = stamps.get(f"{kind.what}:{item.key}", -1) > stamps.get(f"no-{kind.what}:{item.key}", -1)
    return item if getattr(item, kind.flag) is not stands else changed(item, {kind.flag: not stands})


def _detailed(item: Order | GivenDose | Supply) -> bool:
    """Whether it says how much or how often: a later bare status (ORC-1 RE, SC) must not wipe that out."""
    if isinstance(item, Order):
        return item.interval is not None or item.amount is not None or item.days is not None or item.doses is not None
    return isinstance(item, GivenDose) or item.days is not None or item.doses is not None
