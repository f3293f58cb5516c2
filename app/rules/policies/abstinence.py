"""Whether a negative drug screen is asked for. What a result says is for the organisation to read, never for us."""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, on_condition, said

_FACET = "no-abstinence-required"


def _judge(person: Person, held: Held) -> Finding:
    if _FACET not in held:
        return NOT_ASKED
    if held[_FACET].value == "yes":
        return Finding("fits", f"It asks for no negative drug screen{on_condition(held[_FACET])}.", _FACET)
    known = "a result is there, and it must read it" if person.screened else "no result is known"
    return Finding("unknown", f"It asks for a negative drug screen; {known}.", _FACET)


CLAUSE = Clause(
    name="abstinence",
    facets=(_FACET,),
    reads=("screened",),
    judge=_judge,
    needs=PLACES,
    reason="other",
    cases=(
        Case({_FACET: said("yes")}, Person(), "fits"),
        Case({_FACET: said("no")}, Person(screened=True), "unknown"),
        Case({}, Person(screened=True), "not-asked"),
    ),
)
