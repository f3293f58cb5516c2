"""Whether the charted amount is below the limit that an organisation names.

A plain comparison of two numbers of the same unit, of one dose a day. Nothing is computed: a dose that is split,
another unit, or a limit without a number is for a person to clear up.
"""

from app.rules.policies.base import MOUD, NOT_ASKED, Case, Clause, Finding, Held, Person, said
from schemas.facets import Amount

_FACET = "any-dose"
_DAILY = 24
_CALL = Finding("unknown", "It has a limit on the dose; whether this person is below it is not known.", _FACET)


def _judge(person: Person, held: Held) -> Finding:
    if person.product != "methadone" or _FACET not in held:
        return NOT_ASKED
    facet, dose = held[_FACET], person.dose
    if facet.value == "yes":
        return Finding("fits", "It takes people whatever their dose.", _FACET)
    limit = facet.at_most
    split = person.interval_hours is not None and person.interval_hours != _DAILY
    if facet.condition or split or limit is None or dose is None or dose.unit.lower() != limit.unit.lower():
        return _CALL
    if dose.value <= limit.value:
        return Finding("fits", "The charted dose is not above its limit.", _FACET)
    return Finding("conflict", "The charted dose is above its limit.", _FACET)


def _taking(value: float, unit: str = "mg") -> Person:
    return Person(product="methadone", dose=Amount(value=value, unit=unit))


_LIMIT = {_FACET: said("no", at_most=Amount(value=100, unit="mg"))}
CLAUSE = Clause(
    name="dose-cap",
    facets=(_FACET,),
    reads=("product", "dose", "interval_hours"),
    judge=_judge,
    needs=MOUD,
    reason="dose-over-cap",
    cases=(
        Case(_LIMIT, _taking(110), "conflict"),
        Case(_LIMIT, _taking(100), "fits"),
        Case(_LIMIT, _taking(11, "mL"), "unknown"),
    ),
)
