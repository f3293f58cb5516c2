"""Whether people of this gender are taken, as administrative gender has it."""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, accepts, said

_FACETS = {"female": "women", "male": "men", "other": "gender-diverse"}
_TAKEN = {"women": "women", "men": "men", "gender-diverse": "people who are neither women nor men"}


def _judge(person: Person, held: Held) -> Finding:
    facet = _FACETS.get(person.sex or "")
    if facet is not None:
        return NOT_ASKED if facet not in held else accepts(held, facet, concerns=True, will=f"take {_TAKEN[facet]}")
    refused = next((one for one in _TAKEN if one in held and held[one].value == "no"), None)
    return NOT_ASKED if refused is None else accepts(held, refused, None, f"take {_TAKEN[refused]}")


CLAUSE = Clause(
    name="gender",
    facets=tuple(_TAKEN),
    reads=("sex",),
    judge=_judge,
    needs=PLACES,
    reason="gender-service",
    cases=(
        Case({"men": said("no")}, Person(sex="male"), "conflict"),
        Case({"women": said("yes"), "men": said("no")}, Person(sex="female"), "fits"),
        Case({"men": said("no")}, Person(), "unknown"),
    ),
)
