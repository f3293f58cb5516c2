"""Whether wounds or a PICC line can be cared for."""

from app.rules.policies.base import PLACES, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "wounds-or-picc", person.wounds_or_picc, "take people with wounds or a PICC line")


CLAUSE = Clause(
    name="wounds-or-picc",
    facets=("wounds-or-picc",),
    reads=("wounds_or_picc",),
    judge=_judge,
    needs=PLACES,
    reason="medical-acuity",
    cases=(
        Case({"wounds-or-picc": said("no")}, Person(wounds_or_picc=True), "conflict"),
        Case({"wounds-or-picc": said("yes")}, Person(wounds_or_picc=True), "fits"),
        Case({}, Person(wounds_or_picc=True), "unknown"),
    ),
)
