"""Whether people who use stimulants are taken."""

from app.rules.policies.base import PLACES, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "stimulants", person.stimulants, "take people who use stimulants")


CLAUSE = Clause(
    name="stimulants",
    facets=("stimulants",),
    reads=("stimulants",),
    judge=_judge,
    needs=PLACES,
    reason="stimulant-use",
    cases=(
        Case({"stimulants": said("no")}, Person(stimulants=True), "conflict"),
        Case({"stimulants": said("yes")}, Person(stimulants=True), "fits"),
        Case({}, Person(stimulants=True), "unknown"),
    ),
)
