"""Whether guests of another program are dosed."""

from app.rules.policies.base import MOUD, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "guest-dosing", person.continuation == "guest-dosing", "dose guests of another program")


CLAUSE = Clause(
    name="guest-dosing",
    facets=("guest-dosing",),
    reads=("continuation",),
    judge=_judge,
    needs=MOUD,
    reason="wrong-service",
    cases=(
        Case({"guest-dosing": said("no")}, Person(continuation="guest-dosing"), "conflict"),
        Case({"guest-dosing": said("yes")}, Person(continuation="guest-dosing"), "fits"),
        Case({"guest-dosing": said("no")}, Person(continuation="new-intake"), "not-asked"),
    ),
)
