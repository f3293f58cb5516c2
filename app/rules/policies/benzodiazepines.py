"""Whether people who use benzodiazepines are taken."""

from app.rules.policies.base import PLACES, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "benzodiazepines", person.benzodiazepines, "take people who use benzodiazepines")


CLAUSE = Clause(
    name="benzodiazepines",
    facets=("benzodiazepines",),
    reads=("benzodiazepines",),
    judge=_judge,
    needs=PLACES,
    reason="benzodiazepine",
    cases=(
        Case({"benzodiazepines": said("no")}, Person(benzodiazepines=True), "conflict"),
        Case({"benzodiazepines": said("yes")}, Person(benzodiazepines=True), "fits"),
        Case({}, Person(benzodiazepines=True), "unknown"),
    ),
)
