"""The merge of a visit: what many messages, in any order, together say about one visit.

``merge`` is commutative: every field carries the event time of the fact that stated it (``stamps``), so
that the same facts give the same record whatever their order of arrival, and a stale message never
overwrites a newer one. Where two facts of the same instant differ, the kind of message decides (a
discharge outranks an update, that outranks an order), then the greater value: arbitrary, but the same
each time. A field that a message does not state is left as it is.

Taking back: a cancelled order, a deleted dose, a removed diagnosis, an A13 and an A11 are times of their
own, which win over what was stated at or before them; so they may arrive first.

The record that went in is never changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

from fhir_mappings import triage
from schemas.base import M, Model, changed
from schemas.discharge import Circumstances, Diagnosis, Identifier, VisitDetails
from schemas.facts import NOTHING_KNOWN, FactKind, Facts, GivenDose, Order, Supply, VisitRecord

T = TypeVar("T", Order, GivenDose, Supply)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_RANK_BITS: Final = 4
_RANK: Final[dict[FactKind, int]] = {
    "other": 0,
    "admit": 1,
    "expected-discharge": 2,
    "order": 3,
    "dose": 3,
    "supply": 3,
    "merge": 4,
    "update": 5,
    "cancel-discharge": 5,
    "cancel-visit": 5,
    "discharge": 6,
}
_DETAILED: Final = 2 << 53
_STANDING: Final = 1 << 53
"""Added to the stamp of a content: details are kept before a bare status, what stands before what was taken back."""
_OF_THE_DISCHARGE: Final = ("disposition", "discharged_at", "destination")
_NUMBERS: Final = ("identifiers",)
_NUMBERS_AND_DISCHARGE: Final = (*_NUMBERS, *_OF_THE_DISCHARGE)
_VISIT_TYPES: Final = frozenset({"VN", "AN"})
_PATIENT_TYPES: Final = frozenset({None, "MR", "MRT", "PI", "PT"})


class Identity(NamedTuple):
    """What a message or a record can be matched by: ``system|value`` keys, sorted."""

    visits: tuple[str, ...]
    patients: tuple[str, ...]


class _Items(NamedTuple):
    """How one kind of item is merged: its name in stamps, the field that takes it back, the time of its statement."""

    what: str
    flag: str
    time: str


_ORDERS: Final = _Items("order", "withdrawn", "at")
_DOSES: Final = _Items("dose", "deleted", "charted_at")
_SUPPLIES: Final = _Items("supply", "withdrawn", "at")


@dataclass(slots=True)
class _Step:
    """One merge under way: what was known, what is stated now, and what changes."""

    old: VisitRecord
    facts: Facts
    stamps: dict[str, int]
    stamp: int
    """Event time of the facts in microseconds and, below it, the rank of their kind."""
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def instant(self) -> int:
        return self.stamp >> _RANK_BITS

    def wins(self, key: str, known: object, value: object, stamp: int | None = None) -> bool:
        """Whether a value that is stated now replaces the known one; remembers its stamp if so."""
        stamp = self.stamp if stamp is None else stamp
        before = self.stamps.get(key)
        if before is not None and (stamp < before or (stamp == before and not _greater(value, known))):
            return False
        self.stamps[key] = stamp
        return True

    def reach(self, key: str, stamp: int) -> None:
        """Move a mark forward in time, never back."""
        if stamp > self.stamps.get(key, -1):
            self.stamps[key] = stamp


def merge(record: VisitRecord | None, facts: Facts) -> VisitRecord:
    """The record with one message's facts added.

    Facts of a trigger that is not handled add who and where, and a mark when they carry a signal; never a
    drug, a diagnosis or a change of the visit's course.
    """
    old = record or NOTHING_KNOWN
    step = _Step(old, facts, dict(old.stamps), _micros(facts.at) << _RANK_BITS)
    step.change["stamps"] = step.stamps
    if facts.test:
        step.change["test"] = True
    if facts.handled:
        step.stamp += _RANK[facts.kind]
    if facts.patient is not None or facts.merged_identifiers:
        _merge_patient(step)
    visit = _merge_visit(step)
    if facts.handled:
        visit = _merge_course(step, visit)
        _merge_clinical(step)
    elif triage.message_signal(facts):
        step.change["unhandled_signal"] = True
    step.change["visit"] = visit
    return changed(old, step.change)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICRO


def _later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None or at > known else known


def _greater(value: object, known: object) -> bool:
    """The settled order of two values of the same instant; it says nothing but which one both orders keep."""
    return value != known and _canonical(value) > _canonical(known)


def _canonical(value: object) -> str:
    if isinstance(value, Model):
        return value.model_dump_json()
    if isinstance(value, list):
        return "\n".join(_canonical(item) for item in value)
    return value.isoformat() if isinstance(value, date) else repr(value)


def _newer(step: _Step, old: M, new: M, prefix: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that ``new`` states later than ``old``, by name. ``unknown`` never replaces what is known."""
    known = vars(old)
    change: dict[str, Any] = {}
    for name, value in vars(new).items():
        # The type comes first: to compare a model with anything is slow.
        if value is None or (isinstance(value, list) and not value) or name in without:
            continue
        stamp = -1 if isinstance(value, str) and value == "unknown" else None
        if step.wins(prefix + name, known[name], value, stamp):
            change[name] = value
    return change


def key_of(identifier: Identifier) -> str:
    """The key of an identifier: its authority and value, without surrounding blanks."""
    return f"{identifier.system.strip()}|{identifier.value.strip()}"


def _merge_patient(step: _Step) -> None:
    old, facts = step.old, step.facts
    seen = dict(old.identifiers)
    change: dict[str, Any] = {}
    for identifier in facts.patient.identifiers if facts.patient is not None else ():
        key = key_of(identifier)
        if step.wins(f"id:{key}", seen.get(key), identifier):
            seen[key] = identifier
        if facts.merged_identifiers:
            step.reach(f"kept:{key}", step.stamp)
    for identifier in facts.merged_identifiers:
        key = key_of(identifier)
        seen.setdefault(key, identifier)
        step.reach(f"gone:{key}", step.stamp)
    if facts.patient is not None:
        change = _newer(step, old.patient, facts.patient, "patient.", ("identifiers",))
        step.change["patient_at"] = _later(old.patient_at, facts.at)
    change["identifiers"], step.change["former_identifiers"] = _current(seen, step.stamps)
    step.change["identifiers"] = seen
    step.change["patient"] = changed(old.patient, change)


def _current(seen: Mapping[str, Identifier], stamps: Mapping[str, int]) -> tuple[list[Identifier], list[Identifier]]:
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


def _merge_visit(step: _Step) -> VisitDetails:
    old, facts = step.old.visit, step.facts
    if facts.visit is None:
        return old
    step.change["visit_at"] = _later(step.old.visit_at, facts.at)
    ends = facts.handled and facts.kind != "cancel-discharge" and facts.visit_status_ended is not False
    change = _newer(step, old, facts.visit, "visit.", _NUMBERS if ends else _NUMBERS_AND_DISCHARGE)
    known = {key_of(identifier): identifier for identifier in old.identifiers}
    joined = dict(known)
    for identifier in facts.visit.identifiers:
        key = key_of(identifier)
        if step.wins(f"visit-id:{key}", known.get(key), identifier):
            joined[key] = identifier
    if joined != known:
        change["identifiers"] = [joined[key] for key in sorted(joined)]
    return changed(old, change) if change else old


def _states_end(facts: Facts) -> bool:
    if facts.visit_status_ended is not None:
        return facts.visit_status_ended
    dated = facts.visit is not None and facts.visit.discharged_at is not None
    return facts.kind == "discharge" or (facts.kind == "update" and dated)


def _merge_course(step: _Step, visit: VisitDetails) -> VisitDetails:
    """Whether the visit is open, ended or cancelled; what an end said that no longer holds is dropped."""
    old, facts, stamps = step.old, step.facts, step.stamps
    ended_at = old.ended_at
    ends = _states_end(facts)
    if ends and step.wins("ended", ended_at, facts.at):
        ended_at = facts.at
    if facts.kind == "discharge" and not ends:
        # "Admitted" or "still patient": a discharge message that says the visit goes on.
        step.reach("goes-on", step.instant)
    if facts.kind in ("cancel-discharge", "cancel-visit"):
        step.reach(facts.kind, step.instant)
    if facts.kind in ("admit", "discharge"):
        step.reach("present", step.instant)
    if ends or facts.kind in ("discharge", "cancel-discharge"):
        step.change["discharge_fact_at"] = _later(old.discharge_fact_at, facts.at)
    taken_back = max(stamps.get("cancel-discharge", -1), stamps.get("goes-on", -1))
    step.change["ended_at"] = ended_at if stamps.get("ended", -1) >> _RANK_BITS > taken_back else None
    step.change["cancelled"] = stamps.get("cancel-visit", -1) >= stamps.get("present", 0)
    void = {
        name: None
        for name in _OF_THE_DISCHARGE
        if getattr(visit, name) is not None and stamps[f"visit.{name}"] >> _RANK_BITS <= taken_back
    }
    return changed(visit, void) if void else visit


def _merge_clinical(step: _Step) -> None:
    old, facts, change = step.old, step.facts, step.change
    if facts.diagnoses or facts.removed_diagnoses:
        change["diagnoses"] = _merge_diagnoses(step)
    if facts.orders:
        change["orders"] = _merge_items(step, old.orders, facts.orders, _ORDERS)
    if facts.doses:
        change["doses"] = _merge_items(step, old.doses, facts.doses, _DOSES)
    if facts.supplies:
        change["supplies"] = _merge_items(step, old.supplies, facts.supplies, _SUPPLIES)
    if facts.circumstances is not None:
        change["circumstances_at"] = _later(old.circumstances_at, facts.at)
        change["circumstances"] = _merge_circumstances(step, facts.circumstances)


def _merge_diagnoses(step: _Step) -> dict[str, Diagnosis]:
    """Diagnoses add up; one is gone when it was removed (DG1-21 D) at or after it was last stated."""
    merged = dict(step.old.diagnoses)
    for diagnosis in step.facts.diagnoses:
        key = f"{diagnosis.system or ''}|{diagnosis.code}"
        if step.wins(f"dx:{key}", merged.get(key), diagnosis):
            merged[key] = diagnosis
    for diagnosis in step.facts.removed_diagnoses:
        step.reach(f"no-dx:{diagnosis.system or ''}|{diagnosis.code}", step.stamp)
    return {k: dx for k, dx in merged.items() if step.stamps[f"dx:{k}"] > step.stamps.get(f"no-dx:{k}", -1)}


def _merge_items(step: _Step, old: Mapping[str, T], items: Iterable[T], kind: _Items) -> dict[str, T]:
    """Orders, doses or supplies by key: the newest content, flagged when it was taken back at or after it.

    Only products that triage knows are kept (minimum necessary); taking back is noted whatever product it names.
    """
    merged = dict(old)
    what, flag, time = kind
    for item in items:
        at = _micros(getattr(item, time))
        taken_back = bool(getattr(item, flag))
        step.reach(f"{'no-' if taken_back else ''}{what}:{item.key}", at)
        known = merged.get(item.key)
        if known is not None and getattr(known, flag):
            known = changed(known, {flag: False})
        content = known
        if triage.classify(item.product) is not None:
            weight = at + _DETAILED * _detailed(item) + _STANDING * (not taken_back)
            plain = changed(item, {flag: False}) if taken_back else item
            if step.wins(f"{what}-said:{item.key}", known, plain, weight):
                content = plain
        if content is not None:
            stands = step.stamps.get(f"{what}:{item.key}", -1) > step.stamps.get(f"no-{what}:{item.key}", -1)
            merged[item.key] = content if stands else changed(content, {flag: True})
    return merged


def _detailed(item: Order | GivenDose | Supply) -> bool:
    """Whether it says how much or how often: a later bare status (ORC-1 RE, SC) must not wipe that out."""
    if isinstance(item, Order):
        return item.interval is not None or item.amount is not None or item.days is not None or item.doses is not None
    return isinstance(item, GivenDose) or item.days is not None or item.doses is not None


def _merge_circumstances(step: _Step, new: Circumstances) -> Circumstances:
    old = step.old.circumstances
    clinical = _newer(step, old.clinical, new.clinical, "clinical.")
    change = _newer(step, old, new, "circumstances.", ("clinical",))
    if clinical:
        change["clinical"] = changed(old.clinical, clinical)
    return changed(old, change) if change else old


def identity(source: VisitRecord | Facts) -> Identity:
    """What a visit or a message is matched by.

    Visit identifiers are those of the visit and those of the person that number a visit or account (VN,
    AN). Patient identifiers are medical record numbers, former and merged ones included, so that a late
    message under an old number still finds its visit.
    """
    visits = source.visit.identifiers if source.visit is not None else []
    patients: Iterable[Identifier]
    if isinstance(source, VisitRecord):
        patients = source.identifiers.values()
    else:
        patients = [*(source.patient.identifiers if source.patient is not None else ()), *source.merged_identifiers]
    numbers = {key_of(identifier) for identifier in visits}
    people = set()
    for identifier in patients:
        if identifier.type in _VISIT_TYPES:
            numbers.add(key_of(identifier))
        elif identifier.type in _PATIENT_TYPES:
            people.add(key_of(identifier))
    return Identity(tuple(sorted(numbers)), tuple(sorted(people)))
