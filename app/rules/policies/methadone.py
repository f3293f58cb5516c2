"""Whether methadone is dosed on site: only an opioid treatment program may (21 CFR 1306.07(a))."""

from app.rules.policies.base import MOUD, Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    return accepts(held, "methadone-onsite", person.product == "methadone", "dose methadone on site")


CLAUSE = Clause(
    name="methadone",
    facets=("methadone-onsite",),
    reads=("product",),
    judge=_judge,
    needs=MOUD,
    reason="moud-policy",
    drug="methadone",
    cases=(
        Case({"methadone-onsite": said("no")}, Person(product="methadone"), "conflict"),
        Case({"methadone-onsite": said("yes")}, Person(product="methadone"), "fits"),
        Case({"methadone-onsite": said("no")}, Person(product="buprenorphine"), "not-asked"),
    ),
)
