"""Whether the long-acting buprenorphine that the person has is given, and on which day next."""

from collections.abc import Mapping
from typing import Final

from app.rules.policies.base import MOUD, NOT_ASKED, Case, Clause, Finding, Held, Person, accepts, said

_FACETS: Final[Mapping[str, tuple[str, str]]] = {
    "bup-lai-monthly-sublocade": ("sublocade-onsite", "give Sublocade"),
    "bup-lai-weekly-brixadi": ("brixadi-onsite", "give Brixadi"),
    "bup-lai-monthly-brixadi": ("brixadi-onsite", "give Brixadi"),
}


def _judge(person: Person, held: Held) -> Finding:
    about = _FACETS.get(person.product_class or "")
    if about is None:
        return NOT_ASKED
    facet, will = about
    found = accepts(held, facet, concerns=True, will=will)
    if found.verdict != "fits":
        return found
    if held[facet].rems_certified is False:
        return Finding("unknown", f"It will {will}, but says that it is not certified under its REMS.", facet)
    day = held[facet].next_day
    return Finding("fits", f"It will {will}{f', next on {day.isoformat()}' if day else ''}.", facet)


_SUBLOCADE = Person(product="buprenorphine", product_class="bup-lai-monthly-sublocade")
CLAUSE = Clause(
    name="long-acting",
    facets=("brixadi-onsite", "sublocade-onsite"),
    reads=("product_class",),
    judge=_judge,
    needs=MOUD,
    reason="moud-policy",
    drug="buprenorphine",
    listed=False,
    cases=(
        Case({"sublocade-onsite": said("no")}, _SUBLOCADE, "conflict"),
        Case({"sublocade-onsite": said("yes", rems_certified=True)}, _SUBLOCADE, "fits"),
        Case({"brixadi-onsite": said("yes")}, _SUBLOCADE, "unknown"),
    ),
)
