"""Whether people of this gender are taken, as administrative gender has it."""

from app.rules.policies.base import NOT_ASKED, PLACES, Case, Clause, Finding, Held, Person, accepts, said

_FACETS = {"female": "women", "male": "men", "other": "gender-diverse"}
_TAKEN = {"women": "women", "men": "men", "gender-diverse": "people who are neither women nor men"}


def _judge(person: Person, held: Held) -> Finding:
    facet = _FACETS.get(person.sex or "")
    refused = next((one for one in _TAKEN if one in held and held[one].value == "no"), None)
    if facet is None:
        return NOT_ASKED if refused is None else accepts(held, refused, None, f"take {_TAKEN[refused]}")
    # A house for women has not said by that whom of neither it takes.
    silent = facet not in held and (refused is None or person.sex != "other")
    return NOT_ASKED if silent else accepts(held, facet, concerns=True, will=f"take {_TAKEN[facet]}")


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
        Case({"women": said("yes"), "men": said("no")}, Person(sex="other"), "unknown"),
    ),
)
