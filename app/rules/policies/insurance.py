"""Whether the person's insurance is accepted. It is shown, and neither ranks nor excludes anybody."""

from app.rules.policies.base import NOT_ASKED, Case, Clause, Finding, Held, Person, said

_KINDS = {
    "medicaid": "Medicaid",
    "medicare": "Medicare",
    "private-insurance": "private insurance",
    "uninsured": "people without insurance",
}


def _judge(person: Person, held: Held) -> Finding:
    stated = [(kind, held[kind].value) for kind in sorted(person.insurance or ()) if kind in held]
    if not stated:
        return NOT_ASKED
    kind, value = next((one for one in stated if one[1] == "yes"), stated[0])
    if value == "yes":
        return Finding("fits", f"It accepts {_KINDS[kind]}.", kind)
    return Finding("conflict", f"It says that it does not accept {_KINDS[kind]}.", kind)


CLAUSE = Clause(
    name="insurance",
    facets=tuple(sorted(_KINDS)),
    reads=("insurance",),
    judge=_judge,
    weight="shown",
    reason="insurance",
    cases=(
        Case({"medicaid": said("no")}, Person(insurance=frozenset({"medicaid"})), "conflict"),
        Case({"medicaid": said("yes")}, Person(insurance=frozenset({"medicaid"})), "fits"),
        Case({"medicaid": said("no")}, Person(), "not-asked"),
    ),
)
