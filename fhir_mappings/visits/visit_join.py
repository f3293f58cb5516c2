"""Two visits that are one: an emergency visit and the stay that it became, or two numbers of the same visit.

Hospitals number the emergency visit and the admission that follows apart, and close the first with a discharge
message; who read that as a departure would send the person to a clinic while they lie on a ward. ``continues``
recognises it, ``follow`` joins them; ``fuse`` joins what a merge of numbers (A35, A41, A42) says is one visit.
Both give the same record whichever of the two became known first.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from fhir_mappings.visits.visit_circumstances import screens_by_test
from fhir_mappings.visits.visit_consents import fuse_consents
from fhir_mappings.visits.visit_identity import key_of
from fhir_mappings.visits.visit_merge import (
    ADMITTED,
    DOSES,
    ORDERS,
    SUPPLIES,
    Items,
    course,
    current_identifiers,
    earliest,
    standing,
    without_void,
)
from fhir_mappings.visits.visit_step import canonical
from schemas.base import M, changed
from schemas.discharge import Circumstances, Diagnosis, DrugScreen, Identifier, Patient
from schemas.facts import DosesMeanwhile, GivenDose, Order, PickUp, Supply, VisitRecord

T = TypeVar("T", Order, GivenDose, Supply)
V = TypeVar("V")
Said = TypeVar("Said", PickUp, DosesMeanwhile)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INPATIENT: Final = frozenset({"IMP", "OBSENC"})
_OF_THE_COURSE: Final = frozenset(
    {
        "facility",
        "ended",
        "goes-on",
        "cancel-discharge",
        "cancel-visit",
        "cancel-expected",
        "present",
        "began",
    }
)
_OF_THE_VISIT: Final = ("visit.", "visit-id:", "gone-visit:", "kept-visit:", ADMITTED)
_OLDEST: Final = frozenset({"began"})
"""Marks that move back in time, where all others move forward."""


def continues(first: VisitRecord, second: VisitRecord, within: timedelta) -> bool:
    """Whether ``second`` is the stay that the emergency visit ``first`` became.

    The admission lies after the beginning of the emergency visit and at most ``within`` after its end; it may
    lie before the end, because registrars close an emergency visit when they find the time.
    """
    if first.visit.class_ != "EMER" or second.visit.class_ not in _INPATIENT or first.cancelled or second.cancelled:
        return False
    left, admitted = _left_at(first), _admitted_at(second)
    if left is None or admitted is None:
        return False
    came = first.visit.admitted_at
    earliest = came if isinstance(came, datetime) else left - timedelta(days=1)
    return earliest <= admitted <= left + within


def _left_at(record: VisitRecord) -> datetime | None:
    """When an emergency visit ended, or was said to go on elsewhere ("admitted as inpatient")."""
    if record.ended_at is not None:
        told = record.visit.discharged_at
        return told if isinstance(told, datetime) else record.ended_at
    went_on = record.stamps.get("goes-on")
    return None if went_on is None else _EPOCH + timedelta(microseconds=went_on)


def _admitted_at(record: VisitRecord) -> datetime | None:
    if isinstance(record.visit.admitted_at, datetime):
        return record.visit.admitted_at
    began = record.stamps.get("began")
    return None if began is None else _EPOCH + timedelta(microseconds=began)


def follow(first: VisitRecord, second: VisitRecord) -> VisitRecord:
    """The stay ``second`` with all that the emergency visit ``first`` told of the person and of drugs.

    The course is that of the stay, from the hour at which the person came to the emergency department.
    """
    own = {key: stamp for key, stamp in first.stamps.items() if not _is_course(key)}
    fusion = _Fusion(first, second, own)
    numbers = [*first.visit.identifiers, *first.earlier_visits, *second.earlier_visits]
    return fusion.record(
        visit=second.visit,
        came_at=earliest(earliest(first.came_at, first.visit.admitted_at), second.came_at),
        earlier_visits=_by_key(numbers),
        former_visits=_by_key([*first.former_visits, *second.former_visits]),
        facility=second.facility or first.facility,
        ended_at=second.ended_at,
        cancelled=second.cancelled,
    )


def fuse(one: VisitRecord, other: VisitRecord, admission: timedelta) -> VisitRecord:
    """Two records of what a merge of numbers says is one visit: of everything what was stated last."""
    fusion = _Fusion(one, other, one.stamps)
    stamps = fusion.stamps
    numbers = [*one.visit.identifiers, *one.former_visits, *other.visit.identifiers, *other.former_visits]
    gone = {
        key for key in map(key_of, numbers) if stamps.get(f"gone-visit:{key}", -1) > stamps.get(f"kept-visit:{key}", -1)
    }
    fields = fusion.fields(one.visit, other.visit, "visit.", ("identifiers",))
    fields["identifiers"] = _by_key([number for number in numbers if key_of(number) not in gone])
    visit = changed(one.visit, fields)
    return fusion.record(
        visit=without_void(visit, stamps, admission),
        came_at=earliest(one.came_at, other.came_at),
        earlier_visits=_by_key([*one.earlier_visits, *other.earlier_visits]),
        former_visits=_by_key([number for number in numbers if key_of(number) in gone]),
        facility=fusion.later("facility", one.facility, other.facility),
        **course(stamps, fusion.later("ended", one.ended_at, other.ended_at), admission),
    )


def _is_course(key: str) -> bool:
    return key in _OF_THE_COURSE or key.startswith(_OF_THE_VISIT)


def _by_key(numbers: list[Identifier]) -> list[Identifier]:
    known: dict[str, Identifier] = {}
    for number in numbers:
        key = key_of(number)
        known[key] = max(number, known.get(key, number), key=canonical)
    return [known[key] for key in sorted(known)]


class _Fusion:
    """Two records under way to one: of each field the value that was stated last."""

    def __init__(self, one: VisitRecord, other: VisitRecord, stamps: Mapping[str, int]) -> None:
        self.one = one
        self.other = other
        self.old, self.new = stamps, other.stamps
        self.stamps = {**stamps, **other.stamps}
        for key in stamps.keys() & other.stamps.keys():
            pick: Callable[[int, int], int] = min if key in _OLDEST else max
            self.stamps[key] = pick(stamps[key], other.stamps[key])

    def later(self, key: str, one: V, other: V) -> V:
        """Which of two values holds."""
        before, after = self.old.get(key), self.new.get(key)
        if after is None or before is None:
            return one if after is None else other
        if before == after:
            return one if canonical(one) >= canonical(other) else other
        return one if before > after else other

    def fields(self, one: M, other: M, prefix: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """Each field of two shapes, by name."""
        values = vars(other)
        return {
            name: self.later(prefix + name, value, values[name])
            for name, value in vars(one).items()
            if name not in without
        }

    def record(self, **of_the_visit: Any) -> VisitRecord:
        """The record; what is the visit's alone is given."""
        one, other, stamps = self.one, self.other, self.stamps
        seen = self._identifiers()
        current, former = current_identifiers(seen, stamps)
        patient: Patient = changed(
            one.patient,
            self.fields(one.patient, other.patient, "patient.", ("identifiers",)) | {"identifiers": current},
        )
        return changed(
            one,
            {
                "test": one.test or other.test,
                "patient": patient,
                "patient_at": _later(one.patient_at, other.patient_at),
                "died": self.later("patient.died", one.died, other.died),
                "identifiers": seen,
                "former_identifiers": former,
                "visit_at": _later(one.visit_at, other.visit_at),
                "discharge_fact_at": _later(one.discharge_fact_at, other.discharge_fact_at),
                "diagnoses": self._diagnoses(),
                "orders": self._items(one.orders, other.orders, ORDERS),
                "doses": self._items(one.doses, other.doses, DOSES),
                "supplies": self._items(one.supplies, other.supplies, SUPPLIES),
                "circumstances": self._circumstances(),
                "circumstances_at": _later(one.circumstances_at, other.circumstances_at),
                "asked_for": stamps.get("referral", -1) > stamps.get("cancel-referral", -1),
                "answer": self.later("answer", one.answer, other.answer),
                "pick_up": _newer(one.pick_up, other.pick_up),
                "doses_meanwhile": _newer(one.doses_meanwhile, other.doses_meanwhile),
                "unlinked": one.unlinked or other.unlinked,
                "unhandled_signal": one.unhandled_signal or other.unhandled_signal,
                "stamps": stamps,
                **of_the_visit,
            },
        )

    def _identifiers(self) -> dict[str, Identifier]:
        seen = {**self.one.identifiers, **self.other.identifiers}
        for key in self.one.identifiers.keys() & self.other.identifiers.keys():
            seen[key] = self.later(f"id:{key}", self.one.identifiers[key], self.other.identifiers[key])
        return seen

    def _diagnoses(self) -> dict[str, Diagnosis]:
        one, other = self.one.diagnoses, self.other.diagnoses
        merged = {**one, **other}
        for key in one.keys() & other.keys():
            merged[key] = self.later(f"dx:{key}", one[key], other[key])
        stamps = self.stamps
        return {key: dx for key, dx in merged.items() if stamps[f"dx:{key}"] > stamps.get(f"no-dx:{key}", -1)}

    def _items(self, one: Mapping[str, T], other: Mapping[str, T], kind: Items) -> dict[str, T]:
        merged = {**one, **other}
        for key in one.keys() & other.keys():
            merged[key] = self.later(f"{kind.what}-said:{key}", one[key], other[key])
        return {key: standing(item, kind, self.stamps) for key, item in merged.items()}

    def _circumstances(self) -> Circumstances:
        one, other = self.one.circumstances, self.other.circumstances
        fields = self.fields(one, other, "circumstances.", ("clinical", "consents"))
        fields["consents"] = fuse_consents(one.consents, other.consents, self.later)
        clinical = self.fields(one.clinical, other.clinical, "clinical.", ("urine_drug_screen",))
        clinical["urine_drug_screen"] = self._screens()
        fields["clinical"] = changed(one.clinical, clinical)
        return changed(one, fields)

    def _screens(self) -> list[DrugScreen] | Literal["unknown"]:
        of_one, of_other = (record.circumstances.clinical.urine_drug_screen for record in (self.one, self.other))
        one, other = screens_by_test(of_one), screens_by_test(of_other)
        merged = {**one, **other}
        for key in one.keys() & other.keys():
            merged[key] = self.later(f"screen:{key}", one[key], other[key])
        if not merged:
            return "unknown" if "unknown" in (of_one, of_other) else []
        return [merged[key] for key in sorted(merged)]


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _newer(one: Said | None, other: Said | None) -> Said | None:
    said = [answer for answer in (one, other) if answer is not None]
    return max(said, key=lambda answer: (answer.at, answer.model_dump_json()), default=None)
