"""One FHIR interaction that writes: what is wanted, what it comes to, and how it is carried out.

A plan is made from what is stored; when somebody else changes that first, it is made again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

import orjson

from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import Conflict, Unavailable
from app.core.ids import uuid7
from app.core.turns import NotYet
from app.services.hub import Hub
from app.services.writing import Rendition, Resource, without_server_meta
from app.store.changes import Changes, Disclosure, Level
from app.store.database import Gone
from app.store.queries import Row
from schemas.served import from_body

TRIES: Final = 5
Status = Literal[200, 201, 204]
Edit = Callable[[Resource], Resource]
"""The resource that a client last saw to the one that it wants."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request to change a resource."""

    type: str
    id: str
    edit: Edit
    if_match: int | None
    """Version of the If-Match header."""
    said_version: int | None = None
    """meta.versionId of a PUT body."""
    mark: str | None = None
    """Of a Task: how the answer came that is recorded for its owner (see ``app.rules.spoken``)."""
    relative: bool = False
    """The edit says what to do with what is there, so that to send it twice would do it twice (a JSON Patch)."""

    @property
    def version(self) -> int | None:
        """The version that the client says it changes."""
        return self.if_match if self.if_match is not None else self.said_version


@dataclass(frozen=True, slots=True)
class Planned:
    """What an interaction comes to."""

    status: Status
    type: str
    id: str
    version: int
    content: bytes
    """Served bytes, as stored."""
    changes: Changes | None = None
    """None: nothing is written, the resource is already so."""
    row: Row | None = None
    """The stored version, where nothing is written."""
    notice: str | None = None
    """The one that must travel with the resource."""
    offered: str | None = None
    """A source ServiceRequest that was requested by hand: its visit is looked at again afterwards."""

    def resource(self) -> Resource:
        """The resource as it then is, without what the server says of its version."""
        found: Resource = orjson.loads(from_body(self.type, self.id, self.version, "", self.content))
        return without_server_meta(found)

    def done(self, stamps: dict[str, int]) -> "Done":
        """What the caller is told; ``stamps`` are those of the commit."""
        if self.status == 204:
            return Done(204, self.type, self.id, self.version, None)
        stamp = stamps[self.id] if self.row is None else self.row.last_updated
        body = from_body(self.type, self.id, self.version, iso(stamp), self.content)
        notices = (self.notice,) if self.notice is not None else ()
        return Done(self.status, self.type, self.id, self.version, Rendition(self.version, stamp, body, notices))


def disclosing(actor: Actor, planned: Planned, seen: Row) -> Planned:
    """``planned`` with the disclosure that its answer is, in the same commit; ``seen`` is the row before."""
    planned = replace(planned, notice=seen.notice)
    if planned.changes is None or actor.organization is None or seen.disclosed >= planned.version:
        return planned
    entry = (planned.id, planned.version, cast("Level", seen.level), seen.decision)
    told = Disclosure(uuid7(), actor.organization, actor.client, actor.purpose, (entry,), actor.user)
    return replace(planned, changes=planned.changes._replace(disclosures=(*planned.changes.disclosures, told)))


@dataclass(frozen=True, slots=True)
class Done:
    """What an interaction came to."""

    status: Status
    type: str
    id: str
    version: int
    rendition: Rendition | None
    """None after a deletion."""


Plan = Callable[[], Awaitable[Sequence[Planned]]]
"""Looks at what is stored now, and says what is to be written."""


def merged(parts: Sequence[Changes]) -> Changes:
    """Several changes as one: all of them or none."""
    if len(parts) == 1:
        return parts[0]
    rows: dict[str, Any] = {
        name: tuple(row for part in parts for row in getattr(part, name)) for name in Changes._fields if name != "scope"
    }
    return Changes(scope=frozenset(one for part in parts for one in part.scope), **rows)


async def carried_out(hub: Hub, plan: Plan, what: str) -> tuple[Sequence[Planned], dict[str, int]]:
    """Make the plan, write it, and make it again while others are quicker; the plan and its stamps.

    Raises Conflict when others keep changing the same records, Unavailable when the database is away.
    """
    tries = 0
    while tries < TRIES:
        try:
            with hub.turns.kept():
                return await _carried_out(hub, plan)
        except NotYet as other:
            await other.turn.over()
        except Conflict:
            tries += 1
        except Gone as error:
            raise Unavailable("The database can't be reached; try again.") from error
    raise Conflict(f"Others keep changing {what}; read it again.")


async def _carried_out(hub: Hub, plan: Plan) -> tuple[Sequence[Planned], dict[str, int]]:
    planned = await plan()
    changes = [one.changes for one in planned if one.changes is not None]
    return planned, (await hub.store.commit(merged(changes))).stamps if changes else {}
