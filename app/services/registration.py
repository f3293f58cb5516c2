"""Who takes part: hospitals with their interfaces, partners, and the hub itself.

Each has one FHIR Organization, whose id is the organisation's id, and which all the others may see.
Registering the same again changes it; a name is one organisation, whatever it does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, Conflict, Issue, Unavailable
from app.services import reviews, sender_files
from app.services.hub import Hub
from app.services.looking import follow_partner
from app.services.writing import Resource, change_of
from app.store.accounts import Directory
from app.store.changes import Changes, Grant
from fhir_mappings import build
from schemas.partner import PartnerProfile
from schemas.sender import Sender

_SYSTEM = Actor.system("registration")
_PROFILES: Final = TypeAdapter(list[PartnerProfile])
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Hospital:
    """A registered interface."""

    sender: str
    organization: str
    """FHIR id."""


@dataclass(frozen=True, slots=True)
class Partner:
    """A registered partner."""

    name: str
    organization: str
    """FHIR id."""


async def found_hub(hub: Hub) -> str:
    """Register the hub's own organisation, owner of every source Task; its FHIR id."""
    organization = await hub.store.accounts.organization(build.HUB_NAME, "hub")
    await _publish(hub, organization)
    return organization


async def add_sender(hub: Hub, fields: Mapping[str, Any]) -> Hospital:
    """Register a hospital interface, or change the one with the same id.

    Args:
        hub: the hub.
        fields: the fields of ``schemas.sender.Sender``; ``organization`` is the hospital's name.

    Raises:
        BadRequest: a field is missing or not as it must be.
    """
    sender = _checked_sender(fields)
    organization = await hub.store.accounts.organization(sender.organization, "hospital")
    await _publish(hub, organization)
    await hub.store.accounts.save_sender(sender.model_copy(update={"organization": organization}))
    hub.registry.forget()
    await reviews.settle_waiting(hub, sender.id)
    return Hospital(sender.id, organization)


async def import_partners(hub: Hub, data: bytes) -> list[Partner]:
    """Register partners, or change those with the same names; all of the file or none is read.

    Args:
        hub: the hub.
        data: JSON array of ``schemas.partner.PartnerProfile``.

    Raises:
        BadRequest: not such an array, or a name stands in it twice.
    """
    profiles = _checked_partners(data)
    added = []
    for profile in profiles:
        organization = await hub.store.accounts.organization(profile.name, "partner")
        await _publish(hub, organization, profile)
        await hub.store.accounts.save_partner(organization, profile)
        added.append(Partner(profile.name, organization))
    hub.registry.forget()
    await reviews.settle_waiting(hub)
    for profile, partner in zip(profiles, added, strict=True):
        if not profile.active:
            await follow_partner(hub, partner.organization)
    return added


def merged_fields(file: bytes | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line says, and for the rest what the sender file says.

    Raises BadRequest when the file is not a JSON object.
    """
    filled: Any = {} if file is None else json.loads(file)
    if not isinstance(filled, dict):
        raise BadRequest("A sender file is one JSON object.")
    return {**filled, **{name: value for name, value in given.items() if value not in (None, [])}}


def _checked_sender(fields: Mapping[str, Any]) -> Sender:
    try:
        sender = Sender.model_validate(fields)
    except ValidationError as error:
        raise not_valid(error) from None
    issues = sender_files.problems_of(sender)
    if issues:
        raise BadRequest(f"{issues[0].path}: {issues[0].text}", issues=issues)
    return sender


def _checked_partners(data: bytes) -> list[PartnerProfile]:
    try:
        profiles = _PROFILES.validate_python(json.loads(data))
    except ValidationError as error:
        raise not_valid(error) from None
    names = [profile.name for profile in profiles]
    if len(set(names)) < len(names):
        raise BadRequest("name: each partner once")
    if any(name.strip() in {"", build.HUB_NAME} for name in names):
        raise BadRequest("name: the partner's name, which is not the hub's own")
    return profiles


def not_valid(error: ValidationError) -> BadRequest:
    """What is wrong with a file or a row of a register, without the values that it is about."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    issues = tuple(Issue("value", one["msg"], ".".join(map(str, one["loc"]))) for one in found)
    return BadRequest("; ".join(f"{issue.path or 'file'}: {issue.text}" for issue in issues[:3]), issues=issues)


async def _publish(hub: Hub, organization: str, profile: PartnerProfile | None = None) -> None:
    """Write the Organization where it is new or changed, and show it and every other one to each other."""
    for _ in range(_TRIES):
        directory = await hub.store.accounts.directory()
        resource = _organization(directory, organization, profile)
        stored = await hub.store.reader(_SYSTEM).read("Organization", organization)
        change = change_of(resource, stored.version + 1 if stored else 1)
        if stored is not None and stored.content == change.content:
            return
        grants = _mutual(organization, list(directory.names)) if stored is None else ()
        try:
            await hub.store.commit(Changes(scope=frozenset({organization}), resources=(change,), grants=tuple(grants)))
        except Conflict:
            continue
        return
    raise Unavailable("Somebody else keeps changing this organization; try again.")


def _mutual(organization: str, everyone: Sequence[str]) -> list[Grant]:
    sees = [Grant(organization, other) for other in everyone]
    return sees + [Grant(other, organization) for other in everyone if other != organization]


def _organization(directory: Directory, organization: str, profile: PartnerProfile | None) -> Resource:
    name = directory.names[organization]
    if organization == directory.hub:
        return build.hub_organization(organization, name)
    known = profile or directory.partners.get(organization)
    if known is not None:
        return build.partner_organization(organization, name, phone=known.phone)
    return build.hospital_organization(organization, name)
