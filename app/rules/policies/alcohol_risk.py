"""Whether people at risk of alcohol withdrawal are taken."""

from app.rules.policies.base import PLACES, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "alcohol-risk", person.alcohol, "take people at risk of alcohol withdrawal")


CLAUSE = Clause(
    name="alcohol-risk",
    facets=("alcohol-risk",),
    reads=("alcohol",),
    judge=_judge,
    needs=PLACES,
    reason="alcohol-risk",
    cases=(
        Case({"alcohol-risk": said("no")}, Person(alcohol=True), "conflict"),
        Case({"alcohol-risk": said("yes")}, Person(alcohol=True), "fits"),
        Case({}, Person(alcohol=True), "unknown"),
    ),
)
