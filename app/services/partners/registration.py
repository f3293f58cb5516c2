"""Who takes part: hospitals with their interfaces, partners, and the hub itself.

Each has one FHIR Organization, whose id is the organisation's id, and which all the others may see, as they may what
partners offer (``directory``). Registering the same again changes it; a name is one organisation, whatever it does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.core import json
from app.core.errors import BadRequest, Issue
from app.rules import profile_faults, receivers
from app.rules.consent_flaws import plain
from app.services.hub import Hub
from app.services.intake import reviews
from app.services.partners import decided_anew, directory
from app.services.senders import sender_files
from app.services.subscriptions.subscriptions import outside_of
from fhir_mappings import build
from schemas.base import Model
from schemas.partner import PartnerProfile
from schemas.sender import Sender

_SLACK: Final = timedelta(minutes=15)
"""By how much clocks may differ."""
_PROFILES: Final = TypeAdapter(list[PartnerProfile])
_OF_A_SENDER: Final = ("part2", "part2_units", "units")
_OF_A_PARTNER: Final = ("active", "covered_entity", "part2_program", "business_associate", "medical")
"""What decisions about who may see what rest upon."""


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
    unread: Sequence[str] = ()
    """Names in its profile that nothing reads."""


async def found_hub(hub: Hub) -> str:
    """Register the hub's own organisation, owner of every source Task; its FHIR id."""
    organization = await hub.store.accounts.organization(build.HUB_NAME, "hub")
    await directory.publish(hub, organization)
    return organization


async def add_sender(hub: Hub, fields: Mapping[str, Any]) -> Hospital:
    """Register a hospital interface, or change the one with the same id.

    Args:
        hub: the hub.
        fields: the fields of ``schemas.sender.Sender``; ``organization`` is the hospital's name.

    Raises:
        BadRequest: a field is missing or not as it must be.
    """
    sender = _checked_sender(hub, fields)
    before = (await hub.registry.current()).senders.get(sender.id)
    organization = await hub.store.accounts.organization(sender.organization, "hospital")
    await directory.publish(hub, organization)
    await hub.store.accounts.save_sender(sender.model_copy(update={"organization": organization}))
    hub.registry.forget()
    await reviews.settle_waiting(hub, sender.id)
    if _differ(before, sender, _OF_A_SENDER):
        await decided_anew.of_hospital(hub, organization)
    return Hospital(sender.id, organization)


async def import_partners(hub: Hub, data: bytes) -> list[Partner]:
    """Register partners, or change those with the same names; all of the file or none is read.

    What was attested since the file was written stays: of each facet, and of the free places, the newer word counts.

    Args:
        hub: the hub.
        data: JSON array of ``schemas.partner.PartnerProfile``.

    Raises:
        BadRequest: not such an array, or what can't be so; a name stands in it twice, or is known in another spelling.
    """
    profiles = _checked_partners(data, hub.clock.now())
    _refuse_other_spellings(profiles, frozenset((await hub.store.accounts.directory()).names.values()))
    before = (await hub.registry.current()).partners
    added = []
    for profile in profiles:
        organization = await hub.store.accounts.organization(profile.name, "partner")
        kept = await hub.store.accounts.save_partner(organization, profile.kept_from)
        await directory.publish(hub, organization, kept)
        added.append(Partner(profile.name, organization, profile.unread))
    hub.registry.forget()
    await reviews.settle_waiting(hub)
    for profile, partner in zip(profiles, added, strict=True):
        if _differ(before.get(partner.organization), profile, _OF_A_PARTNER):
            await decided_anew.of_pair(hub, partner.organization)
    return added


def _differ(before: Model | None, after: Model, names: tuple[str, ...]) -> bool:
    """Whether one of these is not what it was; of who was not here before nothing was decided."""
    return before is not None and any(getattr(before, name) != getattr(after, name) for name in names)


def merged_fields(file: bytes | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the command line says, and for the rest what the sender file says.

    Raises BadRequest when the file is not a JSON object.
    """
    filled: Any = {} if file is None else json.loads(file)
    if not isinstance(filled, dict):
        raise BadRequest("A sender file is one JSON object.")
    return {**filled, **{name: value for name, value in given.items() if value not in (None, [])}}


def _checked_sender(hub: Hub, fields: Mapping[str, Any]) -> Sender:
    try:
        sender = Sender.model_validate(fields)
    except ValidationError as error:
        raise not_valid(error) from None
    issues = (*sender_files.problems_of(sender), *_receiver_issues(hub, sender))
    if issues:
        raise BadRequest(f"{issues[0].path}: {issues[0].text}", issues=issues)
    return sender


def _receiver_issues(hub: Hub, sender: Sender) -> tuple[Issue, ...]:
    """What is against the receiver of answers."""
    if sender.answers is None:
        return ()
    outside = outside_of(hub.settings)
    reasons = receivers.receiver_reasons(
        sender.answers.to, "answers.to", loopback=outside.loopback, networks=outside.networks
    )
    return tuple(Issue("value", reason.text, reason.path) for reason in reasons)


def _checked_partners(data: bytes, now: datetime) -> list[PartnerProfile]:
    try:
        profiles = _PROFILES.validate_python(json.loads(data))
    except ValidationError as error:
        raise not_valid(error) from None
    names = [profile.name for profile in profiles]
    if len({plain(name) for name in names}) < len(names):
        raise BadRequest("name: each partner once")
    if any(name.strip() in {"", build.HUB_NAME} for name in names):
        raise BadRequest("name: the partner's name, which is not the hub's own")
    for place, profile in enumerate(profiles):
        refuse_faults(profile, f"{place}.")
    latest = max((one for profile in profiles for one in profile.said_at()), default=now)
    if latest > now + _SLACK:
        raise BadRequest("facets.attested_at, capacity.as_of: nobody can have said it yet")
    return profiles


def _refuse_other_spellings(profiles: Iterable[PartnerProfile], known: Collection[str]) -> None:
    """Names are compared without case and white space: two that differ in no more would be now one, now the other."""
    spelt = {plain(name) for name in known}
    for place, profile in enumerate(profiles):
        if profile.name not in known and plain(profile.name) in spelt:
            raise BadRequest(f"{place}.name: registered in another spelling; write it as it is there")


def refuse_faults(profile: PartnerProfile, where: str = "") -> None:
    """Raises BadRequest with what can't be so, each by its path."""
    issues = tuple(Issue("value", one.text, f"{where}{one.path}") for one in profile_faults.faults(profile))
    if issues:
        raise BadRequest("; ".join(f"{one.path}: {one.text}" for one in issues[:3]), issues=issues)


def not_valid(error: ValidationError) -> BadRequest:
    """What is wrong with a file or a row of a register, without the values that it is about."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    issues = tuple(Issue("value", one["msg"], ".".join(map(str, one["loc"]))) for one in found)
    return BadRequest("; ".join(f"{issue.path or 'file'}: {issue.text}" for issue in issues[:3]), issues=issues)
