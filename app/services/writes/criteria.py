"""Resources named by a search: conditional create, update and references (https://hl7.org/fhir/R4/http.html#cond-update).

A conditional create leaves a claim, so that two of them with the same criteria, in whatever processes, make one
resource: the second can't be written, looks again, and finds the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode

from app.core.actor import Actor
from app.core.errors import BadRequest, NotSupported, PreconditionFailed
from app.services.hub import Hub
from app.services.reading.search_params import Pairs, parse
from app.services.writing import decoded
from app.store.changes import Claim
from app.store.queries import Query, Row

_LOOKED_AT: Final = 1000
"""How many resources are tested at most where no index holds a parameter."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A search for one resource of a type."""

    type: str
    pairs: Pairs

    def key(self, hub: Hub, actor: Actor) -> str:
        """Under which a conditional create with these criteria leaves its claim; tells nothing of them."""
        said = urlencode(sorted(self.pairs))
        return hub.keys.mac("claim", actor.organization or "", self.type, said)


def criteria_of(resource_type: str, query: str, path: str) -> Criteria:
    """Criteria from a query (``identifier=a|b``). Raises BadRequest at ``path``."""
    text = query.removeprefix("?").removeprefix(f"{resource_type}?")
    try:
        pairs = tuple(parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError:
        raise BadRequest("Criteria are name=value pairs of a search.", path=path) from None
    if not pairs:
        raise BadRequest("Criteria name at least one parameter.", path=path)
    if any(name.startswith("_") and name not in {"_id", "_tag", "_profile", "_security"} for name, _ in pairs):
        raise BadRequest("Criteria say what to look for, and nothing about the result.", path=path)
    return Criteria(resource_type, pairs)


async def matches(hub: Hub, actor: Actor, criteria: Criteria) -> Sequence[Row]:
    """What the actor may see of what the criteria find, as far as it takes to know whether it is one."""
    asked = parse(criteria.type, criteria.pairs, lenient=False).at(hub.clock.now_us())
    limit = _LOOKED_AT if asked.tests else 2
    rows = await hub.store.reader(actor).search(Query(criteria.type, tuple(asked.conditions), limit=limit))
    if asked.tests and len(rows) == _LOOKED_AT:
        raise NotSupported("Too many resources to look through; name an identifier as well.")
    return [row for row in rows if not asked.tests or all(test(decoded(row)) for test in asked.tests)]


async def single(hub: Hub, actor: Actor, criteria: Criteria, path: str) -> Row | None:
    """The one match; None where there is none. Raises PreconditionFailed where there are several."""
    found = await matches(hub, actor, criteria)
    if len(found) > 1:
        raise PreconditionFailed("Several resources match; name one of them.", path=path)
    return found[0] if found else None


async def claim_for(hub: Hub, actor: Actor, criteria: Criteria) -> str | None:
    """Who holds the claim of these criteria. To be asked before the search: what is claimed later then shows."""
    return await hub.store.authorship(actor).claimed(criteria.key(hub, actor))


def claim(hub: Hub, actor: Actor, criteria: Criteria, resource_id: str, held_by: str | None) -> Claim:
    """The claim that ``resource_id`` leaves; ``held_by`` is who held it before the search found nothing."""
    return Claim(criteria.key(hub, actor), resource_id, held_by)
