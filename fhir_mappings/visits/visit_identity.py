"""By what a message finds its visit: the numbers of the visit, else those of the person."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.discharge import Identifier
from schemas.facts import Facts, VisitRecord

_VISIT_TYPES: Final = frozenset({"VN", "AN", "ANT"})
_SHARED: Final = frozenset({"ANC", "AND", "EN", "FI", "GI", "GN", "MB", "NE", "NII", "NIIP", "SN", "XX"})
"""v2-0203: numbers that several people have: those of a debtor, employer, facility, guarantor, insurer, organization,
and those of a member or subscriber, of which a family has one."""
_NOT_NEEDED: Final = frozenset({"SS", "SR", "DL", "PPN"})
"""Social security, registry, licence and passport numbers (45 CFR 164.502(b)); often filled with nines."""
_NO_PATIENT: Final = _SHARED | _NOT_NEEDED


class Identity(NamedTuple):
    """What a message or a record can be matched by: ``system|value`` keys, sorted."""

    visits: tuple[str, ...]
    patients: tuple[str, ...]


def key_of(identifier: Identifier) -> str:
    """The key of an identifier: its authority and value, without surrounding blanks."""
    return f"{identifier.system.strip()}|{identifier.value.strip()}"


def identity(source: VisitRecord | Facts) -> Identity:
    """What a visit or a message is matched by.

    Visit identifiers are those of the visit and those of the person that number a visit or account (VN, AN, ANT).
    Patient identifiers are all others, whatever a hospital calls their type (``MRN``, ``EPI``), but those that several
    people share and those that no referral needs; former and merged ones included, so that a late message under an old
    number still finds its visit.
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
        elif identifier.type not in _NO_PATIENT:
            people.add(key_of(identifier))
    return Identity(tuple(sorted(numbers)), tuple(sorted(people)))
