"""Numbers that no longer stand for what they stood for: MRG in merges, changes of a number, moves, A06 and A07.

Source: HL7 v2.5.1 chapter 3: MRG (3.4.9) and the events that carry it (3.3.6, .7, .18, .34-.51). A number whose
authority was not sent is keyed by the field that the surviving one stands in, so that both keys are equal. What stands
in PID or PV1 too still stands: superior numbers have the same value in both.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from fhir_mappings.dialects.adt_generic import stay
from fhir_mappings.dialects.adt_generic.fields import Source
from fhir_mappings.hl7v2 import Message, Segment
from schemas.discharge import Identifier, Patient, VisitDetails
from schemas.facts import FactKind

_PERSONS: Final = ((1, "PID-3", "MR"), (2, "PID-4", "PI"), (4, "PID-2", "PI"))
_ACCOUNT: Final = 3
_VISITS: Final = ((3, "PID", 18, "AN"), (5, "PV1", 19, "VN"), (6, "PV1", 50, "VN"))


class Merged(NamedTuple):
    """Former numbers of a person and of a visit."""

    persons: list[Identifier]
    visits: list[Identifier]
    kept: list[Identifier]
    """Numbers of a moved visit that MRG alone names: they move with it and stay what they are."""


NOTHING_MERGED: Final = Merged([], [], [])


def merged(
    source: Source, message: Message, kind: FactKind, patient: Patient | None, visit: VisitDetails | None
) -> Merged:
    """What MRG says. In A06 and A07 it names the account before the change and no other person (3.3.6)."""
    mrg = message.first("MRG")
    if mrg is None:
        return NOTHING_MERGED
    standing = {(one.system, one.value) for one in _standing(patient, visit)}
    persons = [] if kind == "class-change" else _other(_persons(source, mrg), standing)
    former: list[Identifier] = []
    kept: list[Identifier] = []
    for number, replaced in _visits(source, message, mrg, kind):
        if (number.system, number.value) not in standing:
            (kept if kind == "move" and not replaced else former).append(number)
    return Merged(persons, former, kept)


def _standing(patient: Patient | None, visit: VisitDetails | None) -> Iterator[Identifier]:
    if patient is not None:
        yield from patient.identifiers
    if visit is not None:
        yield from visit.identifiers


def _other(numbers: Iterable[Identifier], standing: set[tuple[str, str]]) -> list[Identifier]:
    """Each number once that does not stand; as MRG-1 where MRG-2 or MRG-4 repeats it."""
    by_key: dict[tuple[str, str], Identifier] = {}
    for one in numbers:
        by_key.setdefault((one.system, one.value), one)
    return [one for key, one in by_key.items() if key not in standing]


def _persons(source: Source, mrg: Segment) -> list[Identifier]:
    found = (source.identifiers(mrg, field, kind, authority) for field, authority, kind in _PERSONS)
    return [one for numbers in found for one in numbers][:64]


def _visits(source: Source, message: Message, mrg: Segment, kind: FactKind) -> Iterator[tuple[Identifier, bool]]:
    """Account, visit and alternate visit number, each with whether PID or PV1 names what stands in its place.

    The account that a visit is moved out of (A45) goes on without it: it is neither its number nor a former one.
    """
    visit_moves = kind == "move" and bool(mrg.text(5) or mrg.text(6))
    for field, name, survivor, type_code in _VISITS:
        segment = message.first(name)
        if stay.is_recurring(source, message, name, survivor) or (visit_moves and field == _ACCOUNT):
            continue
        number = source.identifier(mrg, field, type_code, f"{name}-{survivor}")
        if number is not None:
            yield number, segment is not None and bool(segment.text(survivor))
