"""Whether somebody from this state is taken."""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, said

_FACET = "any-residency"
_LETTERS = 2
"""Of the code of a state; a name is not compared with a code."""


def _judge(person: Person, held: Held) -> Finding:
    if _FACET not in held:
        return NOT_ASKED
    facet = held[_FACET]
    if facet.value == "yes":
        return Finding("fits", "It takes people wherever they live.", _FACET)
    state, listed = (person.state or "").upper(), {one.upper() for one in facet.listed}
    if facet.condition or not listed or any(len(one) != _LETTERS for one in (state, *listed)):
        return Finding("unknown", "It takes people of some places only; whether of this one is not known.", _FACET)
    if state in listed:
        return Finding("fits", "It takes people of this state.", _FACET)
    return Finding("conflict", "It does not take people of this state.", _FACET)


CLAUSE = Clause(
    name="residency",
    facets=(_FACET,),
    reads=("state",),
    judge=_judge,
    needs=PLACES,
    reason="residency",
    cases=(
        Case({_FACET: said("no", listed=["NY"])}, Person(state="NJ"), "conflict"),
        Case({_FACET: said("no", listed=["NY", "NJ"])}, Person(state="NJ"), "fits"),
        Case({_FACET: said("no", listed=["NY"])}, Person(), "unknown"),
        Case({_FACET: said("no", listed=["NY"])}, Person(state="NEW YORK"), "unknown"),
    ),
)
