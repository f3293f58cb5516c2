"""Whether buprenorphine by mouth is begun, or gone on with."""

from app.rules.policies.base import MOUD, NOT_ASKED, Case, Clause, Finding, Held, Person, accepts, said

_DAILY = "bup-daily"


def _judge(person: Person, held: Held) -> Finding:
    if person.product != "buprenorphine" or person.product_class != _DAILY:
        return NOT_ASKED
    if person.dosed is False:
        return accepts(held, "buprenorphine-initiate", concerns=True, will="start people on buprenorphine")
    return accepts(held, "buprenorphine-continue", concerns=True, will="take over people who are on buprenorphine")


_TAKING = Person(product="buprenorphine", product_class=_DAILY, dosed=True)
CLAUSE = Clause(
    name="buprenorphine",
    facets=("buprenorphine-continue", "buprenorphine-initiate"),
    reads=("product", "product_class", "dosed"),
    judge=_judge,
    needs=MOUD,
    reason="moud-policy",
    drug="buprenorphine",
    cases=(
        Case({"buprenorphine-continue": said("no")}, _TAKING, "conflict"),
        Case({"buprenorphine-initiate": said("no"), "buprenorphine-continue": said("yes")}, _TAKING, "fits"),
        Case({}, Person(product="buprenorphine", product_class=_DAILY, dosed=False), "unknown"),
    ),
)
