"""Whether somebody is dosed whose supply ends on a Saturday or Sunday.

A no lowers and does not exclude: a program that is closed on the weekend may still be the right one from Monday on.
"""

from app.rules.policies.base import MOUD, Case, Clause, Finding, Held, Person, accepts, said

_DAYS = {5: "Saturdays", 6: "Sundays"}


def _judge(person: Person, held: Held) -> Finding:
    weekend = None if person.runs_out_on is None else person.runs_out_on in _DAYS
    days = _DAYS.get(person.runs_out_on or 0, "Saturdays and Sundays")
    return accepts(held, "weekend-dosing", weekend, f"dose on {days}")


CLAUSE = Clause(
    name="weekend",
    facets=("weekend-dosing",),
    reads=("runs_out_on",),
    judge=_judge,
    needs=MOUD,
    weight="lowers",
    reason="no-intake-slot-before-gap",
    cases=(
        Case({"weekend-dosing": said("no")}, Person(runs_out_on=6), "conflict"),
        Case({"weekend-dosing": said("yes")}, Person(runs_out_on=5), "fits"),
        Case({"weekend-dosing": said("no")}, Person(runs_out_on=4), "not-asked"),
    ),
)
