"""Whether extended-release naltrexone is given."""

from app.rules.policies.base import MOUD, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "naltrexone-injection", person.product_class == "xr-ntx", "give extended-release naltrexone")


CLAUSE = Clause(
    name="naltrexone",
    facets=("naltrexone-injection",),
    reads=("product_class",),
    judge=_judge,
    needs=MOUD,
    reason="moud-policy",
    drug="naltrexone",
    cases=(
        Case({"naltrexone-injection": said("no")}, Person(product_class="xr-ntx"), "conflict"),
        Case({"naltrexone-injection": said("yes")}, Person(product_class="xr-ntx"), "fits"),
        Case({}, Person(product_class="xr-ntx"), "unknown"),
    ),
)
