"""The merge of written consents: what is told again with fewer facts takes nothing back but what it says.

A consent with a number is one, told in pieces: of each piece the latest telling holds, whatever the order of arrival.
So a status that ends it holds against an older active one, and whom a later telling names replaces whom the older one
did. A piece that a telling says nothing of stays, and without a date of signature none makes a consent active that
another word ended. Exclusions add up for good: only a consent of another number, signed
later, takes one back. Consents without a number are one group, which a telling states as a whole; exclusions stay.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from fhir_mappings.visits.visit_step import Step
from schemas.base import changed
from schemas.discharge import ConsentGiven, Identifier

V = TypeVar("V")

_PIECES: Final[Mapping[str, tuple[str, ...]]] = {
    "status": ("status",),
    "patient": ("patient",),
    "disclosers": ("disclosers",),
    "information": ("information",),
    "recipients": ("recipients", "classes"),
    "both-directions": ("both_directions",),
    "purposes": ("purposes",),
    "signed-at": ("signed_at",),
    "signed-by": ("signed_by",),
    "expires-at": ("expires_at",),
    "paper": ("form", "document_hash", "lacks"),
}
"""Fields that are told together: whom a telling names, it names alone; another form lacks other elements."""
_ALWAYS_SAID: Final = frozenset({"status", "both-directions"})
_WHOLE: Final = "consent:"
"""The stamp of the consents without a number."""
_UNNUMBERED: Final = ""
_BLANK: Final = ConsentGiven()


def merge_consents(step: Step, old: list[ConsentGiven], new: list[ConsentGiven]) -> list[ConsentGiven]:
    """What is known with what is stated now; consents add up by their number."""
    merged = _by_number(old)
    for number, stated in _by_number(new).items():
        known = merged.get(number, [])
        excluded = _excluded(*known, *stated)
        for name in _excluded(*stated):
            step.reach(_exclusion(number, name), step.stamp)
        step.reach(_told(number), step.stamp)
        if number == _UNNUMBERED:
            before, after = _excluding(known, excluded), _excluding(stated, excluded)
            merged[number] = after if step.wins(_WHOLE, before, after) else before
            continue
        one = known[0] if known else changed(_BLANK, {"identifier": number})
        for telling in stated:
            one = changed(one, dict(_later(step, number, one, telling)))
        merged[number] = _excluding([one], excluded)
    return _in_order(merged)


def _later(step: Step, number: str, known: ConsentGiven, stated: ConsentGiven) -> Iterator[tuple[str, Any]]:
    """The fields that ``stated`` says later than ``known``."""
    for piece, fields in _PIECES.items():
        value = _values(stated, fields)
        said = piece in _ALWAYS_SAID or any(value)
        unsigned = piece == "status" and stated.status == "active" and stated.signed_at is None
        if said and step.wins(_piece(number, piece), _values(known, fields), value, -1 if unsigned else None):
            yield from zip(fields, value, strict=True)


def fuse_consents(
    one: list[ConsentGiven], other: list[ConsentGiven], later: Callable[[str, Any, Any], Any]
) -> list[ConsentGiven]:
    """The consents of two records of one visit; ``later`` gives of two values under a stamp the one that holds."""
    mine, its = _by_number(one), _by_number(other)
    fused = {**mine, **its}
    for number in mine.keys() & its.keys():
        excluded = _excluded(*mine[number], *its[number])
        if number == _UNNUMBERED:
            fused[number] = later(_WHOLE, _excluding(mine[number], excluded), _excluding(its[number], excluded))
            continue
        (first,), (second,) = mine[number], its[number]
        change: dict[str, Any] = {}
        for piece, fields in _PIECES.items():
            value = later(_piece(number, piece), _values(first, fields), _values(second, fields))
            change |= zip(fields, value, strict=True)
        fused[number] = _excluding([changed(first, change)], excluded)
    return _in_order(fused)


def forget_consents(stamps: dict[str, int], consents: list[ConsentGiven], moved: int) -> list[ConsentGiven]:
    """The consents without what was told before the visit was taken from the person: that was another's."""
    left: dict[str, list[ConsentGiven]] = {}
    for number, known in _by_number(consents).items():
        gone = [name for name in _excluded(*known) if _drop(stamps, _exclusion(number, name), moved)]
        excluded = [name for name in _excluded(*known) if name not in gone]
        if _drop(stamps, _told(number), moved):
            for key in [_WHOLE] if number == _UNNUMBERED else [_piece(number, piece) for piece in _PIECES]:
                stamps.pop(key, None)
        elif number == _UNNUMBERED:
            left[number] = _excluding(known, excluded)
        else:
            left[number] = _excluding([changed(known[0], dict(_forgotten(stamps, number, moved)))], excluded)
    return _in_order(left)


def _forgotten(stamps: dict[str, int], number: str, moved: int) -> Iterator[tuple[str, Any]]:
    """The fields of a consent that nobody has told since, blank."""
    for piece, fields in _PIECES.items():
        if _drop(stamps, _piece(number, piece), moved):
            yield from ((field, getattr(_BLANK, field)) for field in fields)
    # It was told since, and each telling says a status; only one without a signature leaves no later mark.
    stamps.setdefault(_piece(number, "status"), -1)


def of_person(consents: Iterable[ConsentGiven], former: Iterable[Identifier]) -> list[ConsentGiven]:
    """All of them, the person's own under a former number as one that needs none."""
    own = {(one.system, one.value) for one in former}
    return [
        changed(one, {"patient": []}) if any((number.system, number.value) in own for number in one.patient) else one
        for one in consents
    ]


def _drop(stamps: dict[str, int], key: str, moved: int) -> bool:
    gone = key in stamps and stamps[key] < moved
    if gone:
        del stamps[key]
    return gone


def _told(number: str) -> str:
    return f"consent-told:{number}"


def _piece(number: str, piece: str) -> str:
    return f"consent-{piece}:{number}"


def _exclusion(number: str, name: str) -> str:
    return f"consent-not:{number}\n{name}"


def _values(consent: ConsentGiven, fields: Iterable[str]) -> list[Any]:
    return [getattr(consent, field) for field in fields]


def _excluded(*consents: ConsentGiven) -> list[str]:
    return sorted({name for one in consents for name in one.not_recipients})


def _excluding(consents: list[ConsentGiven], excluded: list[str]) -> list[ConsentGiven]:
    return [changed(one, {"not_recipients": excluded}) for one in consents]


def _by_number(consents: Iterable[ConsentGiven]) -> dict[str, list[ConsentGiven]]:
    found: dict[str, list[ConsentGiven]] = {}
    for consent in consents:
        found.setdefault(consent.identifier or _UNNUMBERED, []).append(consent)
    return found


def _in_order(consents: Mapping[str, list[ConsentGiven]]) -> list[ConsentGiven]:
    """All of them, by number."""
    return [consent for number in sorted(consents) for consent in consents[number]]
