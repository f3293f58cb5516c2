"""Whether people can come who need help to move.

What is told of the person is written by hand. It is not read for a meaning: a no is for a person to clear up.
"""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, accepts, said

_FACET = "wheelchair"


def _judge(person: Person, held: Held) -> Finding:
    if person.mobility is None:
        return NOT_ASKED
    found = accepts(held, _FACET, concerns=True, will="take people who need help to move")
    if found.verdict != "conflict":
        return found
    return Finding(
        "unknown", "It will not take people who need help to move; what is told of this person must be read.", _FACET
    )


CLAUSE = Clause(
    name="mobility",
    facets=(_FACET,),
    reads=("mobility",),
    judge=_judge,
    needs=PLACES,
    reason="medical-acuity",
    cases=(
        Case({_FACET: said("yes")}, Person(mobility="as told"), "fits"),
        Case({_FACET: said("no")}, Person(mobility="as told"), "unknown"),
        Case({_FACET: said("no")}, Person(), "not-asked"),
    ),
)
