"""Whether people may stay on their medication, without a taper. Nobody is suspected: what is not said is not asked."""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, accepts, said

_FACET = "no-taper-required"


def _judge(person: Person, held: Held) -> Finding:
    if _FACET not in held:
        return NOT_ASKED
    return accepts(held, _FACET, person.product is not None, "let people stay on their medication")


CLAUSE = Clause(
    name="taper",
    facets=(_FACET,),
    reads=("product",),
    judge=_judge,
    needs=PLACES,
    reason="moud-policy",
    barrier=True,
    cases=(
        Case({_FACET: said("no")}, Person(product="methadone"), "conflict"),
        Case({_FACET: said("yes")}, Person(product="buprenorphine"), "fits"),
        Case({}, Person(product="methadone"), "not-asked"),
    ),
)
