"""The directory: an Organization for everyone who takes part, and for partners what they offer, where, and whom to ask.

All of it may be seen by everyone who takes part, and by them alone. It tells of no person who is referred. Written
again, what has not changed stays as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from app.core.actor import Actor
from app.core.errors import Conflict, Unavailable
from app.services.hub import Hub
from app.services.writing import Resource, change_of
from app.store.accounts import Directory
from app.store.changes import Changes, Grant, ResourceChange
from app.store.queries import Row
from fhir_mappings import build
from fhir_mappings.building import build_directory
from schemas.partner import PartnerProfile
from schemas.served import NOTHING

_SYSTEM: Final = Actor.system("directory")
_TRIES: Final = 5


async def publish(hub: Hub, organization: str, profile: PartnerProfile | None = None) -> None:
    """Write what is new or changed of one who takes part, and show it and all the rest to each other.

    Args:
        hub: the hub.
        organization: FHIR id.
        profile: of a partner, as it is now; None: as it is registered, or none.

    Raises:
        Unavailable: somebody else keeps writing the same.
    """
    for _ in range(_TRIES):
        directory = await hub.store.accounts.directory()
        known = profile or directory.partners.get(organization)
        wanted = _resources(directory, organization, known)
        stored = await _stored(hub, organization)
        changes = [change for one in wanted if (change := _change(one, stored.get(one["id"]))) is not None]
        changes += _gone(organization, {one["id"] for one in wanted}, stored)
        if not changes:
            return
        grants = await _grants(hub, directory, organization, [one.id for one in changes if one.version == 1])
        made = Changes(scope=frozenset({organization}), resources=tuple(changes), grants=tuple(grants))
        try:
            await hub.store.commit(made)
        except Conflict:
            continue
        return
    raise Unavailable("Somebody else keeps changing this organization; try again.")


def _resources(directory: Directory, organization: str, profile: PartnerProfile | None) -> list[Resource]:
    name = directory.names[organization]
    if organization == directory.hub:
        return [build.hub_organization(organization, name)]
    if profile is None:
        return [build.hospital_organization(organization, name)]
    partner = build.partner_organization(organization, name, phone=profile.phone)
    return [partner, *build_directory.directory(organization, name, profile)]


async def _stored(hub: Hub, organization: str) -> dict[str, Row]:
    """What there is of it, with what was taken out: a contact person may come back."""
    reader = hub.store.reader(_SYSTEM)
    found = [await reader.read(kind, one) for kind, one in build_directory.typed_ids(organization)]
    return {row.id: row for row in found if row is not None}


def _change(resource: Resource, stored: Row | None) -> ResourceChange | None:
    change = change_of(resource, stored.version + 1 if stored else 1)
    return None if stored is not None and stored.content == change.content else change


def _gone(organization: str, wanted: set[str], stored: Mapping[str, Row]) -> list[ResourceChange]:
    """The contact person whom a profile names no more."""
    ids = build_directory.ids_of(organization)
    left = (stored[one] for one in (ids.contact, ids.role) if one in stored and one not in wanted)
    left = (row for row in left if not row.deleted)
    return [ResourceChange(row.id, row.type, row.version + 1, NOTHING, deleted=True) for row in left]


async def _grants(hub: Hub, directory: Directory, organization: str, fresh: Sequence[str]) -> list[Grant]:
    """Everybody sees what is new of it; it sees what there is of everybody, when it is new itself."""
    everyone = [*directory.names]
    grants = [Grant(other, one) for one in fresh for other in everyone]
    if organization in fresh:
        others = [one for each in everyone if each != organization for one in build_directory.ids_of(each)]
        there = await hub.store.reader(_SYSTEM).by_ids(others)
        grants += [Grant(organization, row.id) for row in there]
    return grants
