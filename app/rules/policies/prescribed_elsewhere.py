"""Whether people are taken whose medication is prescribed or dosed elsewhere."""

from app.rules.policies.base import CARE, HOUSING, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(
        held, "prescribed-elsewhere", person.product is not None, "take people whose medication is prescribed elsewhere"
    )


CLAUSE = Clause(
    name="prescribed-elsewhere",
    facets=("prescribed-elsewhere",),
    reads=("product",),
    judge=_judge,
    needs=CARE | HOUSING,
    reason="moud-policy",
    barrier=True,
    cases=(
        Case({"prescribed-elsewhere": said("no")}, Person(product="methadone"), "conflict"),
        Case({"prescribed-elsewhere": said("yes")}, Person(product="buprenorphine"), "fits"),
        Case({"prescribed-elsewhere": said("no")}, Person(product=None), "not-asked"),
    ),
)
