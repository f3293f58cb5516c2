"""Whether people with acute psychiatric needs are taken.

What is told of the person is written by hand. It is not read for a meaning: a no is for a person to clear up.
"""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, accepts, said

_FACET = "psychiatric-acuity"


def _judge(person: Person, held: Held) -> Finding:
    if person.psychiatric_acuity is None:
        return NOT_ASKED
    found = accepts(held, _FACET, concerns=True, will="take people with acute psychiatric needs")
    if found.verdict != "conflict":
        return found
    return Finding(
        "unknown",
        "It will not take people with acute psychiatric needs; what is told of this person must be read.",
        _FACET,
    )


CLAUSE = Clause(
    name="psychiatric-acuity",
    facets=(_FACET,),
    reads=("psychiatric_acuity",),
    judge=_judge,
    needs=PLACES,
    reason="psychiatric-acuity",
    cases=(
        Case({_FACET: said("yes")}, Person(psychiatric_acuity="as told"), "fits"),
        Case({_FACET: said("no")}, Person(psychiatric_acuity="as told"), "unknown"),
        Case({_FACET: said("no")}, Person(), "not-asked"),
    ),
)
