"""Whether pregnant people are taken. A pregnant person is never excluded silently: a no lowers, and somebody calls."""

from app.rules.policies.base import PLACES, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "pregnancy", person.pregnant, "take pregnant people")


CLAUSE = Clause(
    name="pregnancy",
    facets=("pregnancy",),
    reads=("pregnant",),
    judge=_judge,
    needs=PLACES,
    weight="lowers",
    reason="pregnancy-not-supported",
    cases=(
        Case({"pregnancy": said("no")}, Person(pregnant=True), "conflict"),
        Case({"pregnancy": said("yes")}, Person(pregnant=True), "fits"),
        Case({}, Person(pregnant=True), "unknown"),
    ),
)
