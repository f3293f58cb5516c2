"""Reading one resource: its current version, an earlier one, its history, the packet of a referral.

Every function takes an Actor. What it may not see does not exist. The first disclosure of each
version is durable before its bytes are returned.
"""

from dataclasses import replace
from typing import NoReturn

from app.core import json
from app.core.actor import Actor
from app.core.errors import Deleted, NotFound, Unavailable
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.packets.packets import Bound, Form, packet_of, written
from app.services.reading.histories import HistoryOf, history_bundle, read_history
from app.services.reading.search_params import Pairs
from app.services.reading.subset_params import subset_of_read
from app.services.scopes import require
from app.services.writing import Disclosed, Rendition, decoded
from app.store.database import Gone
from app.store.queries import Row, notices_of
from app.store.reader import Reader
from app.store.together import ReadsTogether
from fhir_mappings.subsets import Subset, reduced
from schemas.resources import ALL


def not_found() -> NoReturn:
    """The one answer for what is not known and what is not visible."""
    raise NotFound("Not known here.")


def admit(actor: Actor, resource_type: str, letter: str) -> None:
    """NotFound for what is no type here, Forbidden where the scopes do not cover it."""
    if resource_type not in ALL:
        not_found()
    require(actor, resource_type, letter)


class Reads:
    """Reads resources for actors."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._together = ReadsTogether(hub.store)

    def _reader(self, actor: Actor, resource_type: str, letter: str) -> Reader:
        admit(actor, resource_type, letter)
        return self._hub.store.reader(actor)

    async def read(self, actor: Actor, resource_type: str, resource_id: str, pairs: Pairs = ()) -> Rendition:
        """The current version of one resource, or the part of it that ``pairs`` ask for. Raises Deleted."""
        admit(actor, resource_type, "r")
        subset = subset_of_read(resource_type, pairs)
        try:
            row = await self._together.read(actor, resource_type, resource_id)
        except Gone as error:
            raise _away() from error
        return await self._shown(actor, row, subset, "read")

    async def version(
        self, actor: Actor, resource_type: str, resource_id: str, version: str, pairs: Pairs = ()
    ) -> Rendition:
        """One version of one resource. Raises Deleted where that is the one that says so."""
        reader = self._reader(actor, resource_type, "r")
        subset = subset_of_read(resource_type, pairs)
        number = int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else 0
        try:
            row = await reader.version(resource_type, resource_id, number)
        except Gone as error:
            raise _away() from error
        return await self._shown(actor, row, subset, "vread")

    async def _shown(self, actor: Actor, row: Row | None, subset: Subset | None, interaction: str) -> Rendition:
        if row is None:
            not_found()
        if row.deleted:
            self._disclosures.access(actor, interaction, [row.id])
            raise Deleted("It was deleted; its history has the versions before.")
        await self._disclosures.record(actor, [row], interaction)
        if subset is None:
            return Rendition.of(row)
        return replace(Rendition.of(row), body=json.dumps(reduced(decoded(row), subset)))

    async def history(self, actor: Actor, resource_type: str, resource_id: str, pairs: Pairs = ()) -> Disclosed:
        """The versions that the actor may see, newest first (https://hl7.org/fhir/R4/http.html#history)."""
        reader = self._reader(actor, resource_type, "r")
        of = HistoryOf(actor, self._hub.settings.fhir_base, f"{resource_type}/{resource_id}")
        asked = read_history(self._hub.keys, of, pairs)
        try:
            found = await reader.versions(
                resource_type, resource_id, at=asked.at, since=asked.since, below=asked.below, limit=asked.count + 1
            )
            if not found.rows and await reader.read(resource_type, resource_id) is None:
                not_found()
        except Gone as error:
            raise _away() from error
        told = [row for row in found.rows[: asked.count] if not row.deleted]
        await self._disclosures.record(actor, told, "history")
        return Disclosed(history_bundle(self._hub.keys, of, asked, found), notices_of(told))

    async def packet(self, actor: Actor, task_id: str, form: Form = "json") -> Disclosed:
        """All that the actor may see of one referral, as a document Bundle or as pages for people."""
        require(actor, "Task", "r")
        bound: Bound = "leave-out" if form == "json" else "refuse"
        return await written(await packet_of(self._hub, actor, task_id, self._disclosures, bound=bound), form)


def _away() -> Unavailable:
    return Unavailable("The database can't be reached; try again.")
