"""Whether the person is understood there: the language is spoken, or an interpreter is provided. A no lowers."""

from app.rules.policies.base import Case, Clause, Finding, Held, Person, accepts, said


def _judge(person: Person, held: Held) -> Finding:
    spoken = held.get("languages")
    tags = {tag.partition("-")[0].lower() for tag in spoken.listed} if spoken and spoken.value == "yes" else set()
    if person.interpreter and person.language and person.language.lower() in tags:
        return Finding("fits", "It speaks the person's language.", "languages")
    return accepts(held, "interpreter", bool(person.interpreter), "provide an interpreter")


CLAUSE = Clause(
    name="language",
    facets=("interpreter", "languages"),
    reads=("interpreter", "language"),
    judge=_judge,
    weight="lowers",
    reason="other",
    cases=(
        Case({"interpreter": said("no")}, Person(interpreter=True, language="es"), "conflict"),
        Case({"languages": said("yes", listed=["es"])}, Person(interpreter=True, language="es"), "fits"),
        Case({"interpreter": said("no")}, Person(interpreter=False, language="es"), "not-asked"),
    ),
)
