"""By what a message finds its visit: the numbers of the visit, else those of the person."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.discharge import Identifier
from schemas.facts import Facts, VisitRecord

_VISIT_TYPES: Final = frozenset({"VN", "AN"})
_PATIENT_TYPES: Final = frozenset({None, "MR", "MRT", "PI", "PT"})


class Identity(NamedTuple):
    """What a message or a record can be matched by: ``system|value`` keys, sorted."""

    visits: tuple[str, ...]
    patients: tuple[str, ...]


def key_of(identifier: Identifier) -> str:
    """The key of an identifier: its authority and value, without surrounding blanks."""
    return f"{identifier.system.strip()}|{identifier.value.strip()}"


def identity(source: VisitRecord | Facts) -> Identity:
    """What a visit or a message is matched by.

    Visit identifiers are those of the visit and those of the person that number a visit or account (VN,
    AN). Patient identifiers are medical record numbers, former and merged ones included, so that a late
    message under an old number still finds its visit.
    """
    visits = list(source.visit.identifiers) if source.visit is not None else []
    patients: Iterable[Identifier]
    if isinstance(source, VisitRecord):
        patients = source.identifiers.values()
        visits += [*source.former_visits, *source.earlier_visits]
    else:
        patients = [*(source.patient.identifiers if source.patient is not None else ()), *source.merged_identifiers]
        visits += source.merged_visits
    numbers = {key_of(identifier) for identifier in visits}
    people = set()
    for identifier in patients:
        if identifier.type in _VISIT_TYPES:
            numbers.add(key_of(identifier))
        elif identifier.type in _PATIENT_TYPES:
            people.add(key_of(identifier))
    return Identity(tuple(sorted(numbers)), tuple(sorted(people)))
