"""Whether somebody with a daily medication gets the first dose on the day of the intake; a no lowers."""

from app.rules.policies.base import MOUD, NOT_ASKED, Case, Clause, Finding, Held, Person, accepts, said

_FACET = "dose-on-intake-day"
_DAILY = frozenset({"methadone-daily", "bup-daily"})


def _judge(person: Person, held: Held) -> Finding:
    if _FACET not in held:
        return NOT_ASKED
    return accepts(held, _FACET, person.product_class in _DAILY, "give the first dose on the day of the intake")


CLAUSE = Clause(
    name="intake-day",
    facets=(_FACET,),
    reads=("product_class",),
    judge=_judge,
    needs=MOUD,
    weight="lowers",
    reason="no-intake-slot-before-gap",
    cases=(
        Case({_FACET: said("no")}, Person(product_class="methadone-daily"), "conflict"),
        Case({_FACET: said("yes")}, Person(product_class="bup-daily"), "fits"),
        Case({_FACET: said("no")}, Person(product_class="xr-ntx"), "not-asked"),
    ),
)
