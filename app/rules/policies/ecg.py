"""Whether an ECG is asked for, which the hospital can take before the person leaves. Nobody is excluded by it."""

from app.rules.policies.base import MOUD, NOT_ASKED, Case, Clause, Finding, Held, Person, said

_FACET = "no-ecg-required"


def _judge(person: Person, held: Held) -> Finding:
    if person.product != "methadone" or _FACET not in held:
        return NOT_ASKED
    if held[_FACET].value == "yes":
        return Finding("fits", "It asks for no ECG.", _FACET)
    if person.heart_measured:
        return Finding("fits", "It asks for an ECG, and one is known.", _FACET)
    return Finding("unknown", "It asks for an ECG, and none is known.", _FACET)


CLAUSE = Clause(
    name="ecg",
    facets=(_FACET,),
    reads=("product", "heart_measured"),
    judge=_judge,
    needs=MOUD,
    reason="incomplete-information",
    cases=(
        Case({_FACET: said("no")}, Person(product="methadone", heart_measured=True), "fits"),
        Case({_FACET: said("no")}, Person(product="methadone"), "unknown"),
        Case({}, Person(product="methadone"), "not-asked"),
    ),
)
