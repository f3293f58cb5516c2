"""Whether somebody of this age is taken."""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, said

_FACET = "every-age"


def _judge(person: Person, held: Held) -> Finding:
    if _FACET not in held:
        return NOT_ASKED
    facet = held[_FACET]
    if facet.value == "yes":
        return Finding("fits", "It takes people of every age.", _FACET)
    if person.age is None or facet.from_age is None or facet.condition:
        return Finding("unknown", "It takes people of some ages only; whether of this one is not known.", _FACET)
    if person.age >= facet.from_age:
        return Finding("fits", "The person is old enough for it.", _FACET)
    return Finding("conflict", "The person is younger than those whom it takes.", _FACET)


CLAUSE = Clause(
    name="age",
    facets=(_FACET,),
    reads=("age",),
    judge=_judge,
    needs=PLACES,
    reason="age",
    cases=(
        Case({_FACET: said("no", from_age=18)}, Person(age=17), "conflict"),
        Case({_FACET: said("no", from_age=18)}, Person(age=18), "fits"),
        Case({_FACET: said("no", from_age=18)}, Person(), "unknown"),
    ),
)
