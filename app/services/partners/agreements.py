"""Agreements between the hub and those who take part: put on file, listed, and asked for by decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.core.clock import from_micros
from app.core.errors import NotFound
from app.services.hub import Hub
from app.services.intake import reviews
from app.services.partners.registration import not_valid
from schemas.agreement import Agreement


@dataclass(frozen=True, slots=True)
class OnFile:
    """What of one organisation is on file."""

    organization: str
    """FHIR id."""
    name: str
    agreements: Sequence[Agreement]
    in_force: bool
    """Whether one of them holds today (UTC)."""


async def file(hub: Hub, organization: str, fields: dict[str, Any]) -> Agreement:
    """Put an agreement of an organisation on file; what waited for it is decided anew.

    Args:
        hub: the hub.
        organization: FHIR id (``Organization/<id>`` is read too).
        fields: of ``schemas.agreement.Agreement``.

    Raises:
        NotFound: nobody with this id takes part.
        BadRequest: a field is missing or not as it must be.
    """
    owner = organization.removeprefix("Organization/")
    if owner not in (await hub.registry.current()).names:
        raise NotFound("No registered organization has this id.", path="organization")
    try:
        agreement = Agreement.model_validate(fields)
    except ValidationError as error:
        raise not_valid(error) from None
    await hub.store.agreements.file(owner, agreement)
    hub.registry.forget()
    await reviews.settle_waiting(hub)
    return agreement


async def listed(hub: Hub) -> list[OnFile]:
    """Everyone who takes part, the hub excepted, with what is on file; by name."""
    directory = await hub.registry.current()
    today = from_micros(hub.clock.now_us()).date()
    found = []
    for organization, name in sorted(directory.names.items(), key=lambda one: one[1]):
        if organization != directory.hub:
            held = directory.agreements.get(organization, ())
            found.append(OnFile(organization, name, held, any(one.in_force(today) for one in held)))
    return found
