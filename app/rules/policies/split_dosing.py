"""Whether somebody who is dosed more than once a day can be."""

from app.rules.policies.base import MOUD, Case, Clause, Finding, Held, Person, accepts, said

_DAY = 24


def _judge(person: Person, held: Held) -> Finding:
    split = person.interval_hours is not None and person.interval_hours < _DAY
    return accepts(held, "split-dosing", split and person.product == "methadone", "dose more than once a day")


CLAUSE = Clause(
    name="split-dosing",
    facets=("split-dosing",),
    reads=("interval_hours", "product"),
    judge=_judge,
    needs=MOUD,
    reason="moud-policy",
    cases=(
        Case({"split-dosing": said("no")}, Person(product="methadone", interval_hours=12), "conflict"),
        Case({"split-dosing": said("yes")}, Person(product="methadone", interval_hours=12), "fits"),
        Case({"split-dosing": said("no")}, Person(product="methadone", interval_hours=24), "not-asked"),
    ),
)
