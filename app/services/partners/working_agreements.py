"""What a hospital and a partner have agreed: kept in versions, read by the two and nobody else, looked at in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from app.core import json
from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import BadRequest, Conflict, NotFound
from app.rules.working_agreement import holding
from app.services.hub import Hub
from app.services.intake import reviews
from app.services.partners import decided_anew
from app.services.partners.agreement_watch import AHEAD, watch
from app.services.partners.registration import not_valid
from app.services.reading.reads import not_found
from app.services.referral.parties import organization_of
from app.store.working_agreements import Kept, Met, Pair
from schemas.base import Model
from schemas.working_agreement import Meeting, WorkingAgreement

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Held:
    """What is on file of one pair."""

    versions: Sequence[Kept]
    """The newest last."""
    meetings: Sequence[Met]
    in_force: bool
    """Whether one of them holds today (UTC)."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that the two must look at."""

    hospital: str
    partner: str
    """Names."""
    what: str
    """``agreement-ends``, ``agreement-ended``, ``review``, ``commitment``, ``meeting``."""
    on: date
    text: str
    overdue: bool


async def keep(hub: Hub, data: bytes, by: str) -> tuple[int, WorkingAgreement]:
    """Put a version on file; what it bears on is decided anew. The same as the newest again is no new version.

    Args:
        hub: the hub.
        data: JSON of ``schemas.working_agreement.WorkingAgreement``.
        by: who puts it there.

    Raises:
        BadRequest: a field is missing or not as it must be, or the two are no hospital and partner of this hub.
        Conflict: somebody else has put a version on file meanwhile.
    """
    agreement = _valid(WorkingAgreement, data)
    pair = await pair_of(hub, agreement.hospital, agreement.partner)
    held = await hub.store.working_agreements.versions(pair)
    if held and held[-1].agreement == agreement:
        return held[-1].version, agreement
    version = held[-1].version + 1 if held else 1
    # First: a job without its version does nothing, and a version without its job would be told of to nobody.
    await watch(hub, pair, version, agreement)
    if not await hub.store.working_agreements.keep(pair, agreement, by, version):
        raise Conflict("Somebody else has put a version on file; look at it first.")
    hub.registry.forget()
    await reviews.settle_waiting(hub)
    await decided_anew.of_pair(hub, partner=pair[1], hospital=pair[0])
    return version, agreement


async def note_meeting(hub: Hub, pair: Pair, data: bytes, by: str) -> Meeting:
    """Add to the log of the two. Raises BadRequest, and NotFound where they have no agreement."""
    meeting = _valid(Meeting, data)
    if meeting.on > from_micros(hub.clock.now_us()).date() + timedelta(days=1):
        raise BadRequest("on: a meeting that has been", path="on")
    if not await hub.store.working_agreements.versions(pair):
        raise NotFound("The two have no agreement on file.")
    await hub.store.working_agreements.add_meeting(pair, meeting, by)
    return meeting


async def pair_of(hub: Hub, hospital: str, partner: str) -> Pair:
    """FHIR ids of the two, by id or name. Raises BadRequest where they are no hospital and partner of this hub."""
    directory = await hub.registry.current()
    hospitals = {sender.organization for sender in directory.senders.values()}
    kinds: tuple[tuple[str, str, Any], ...] = (
        ("hospital", hospital, hospitals),
        ("partner", partner, directory.partners),
    )
    found = []
    for kind, given, known in kinds:
        try:
            found.append(organization_of(directory, given))
        except NotFound:
            raise BadRequest(f"{kind}: none of this hub has this id or name.", path=kind) from None
        if found[-1] not in known:
            raise BadRequest(f"{kind}: the organization is none.", path=kind)
    return found[0], found[1]


async def held(hub: Hub, actor: Actor, pair: Pair) -> Held:
    """What is on file of two organisations, for one of them, or for the hub itself.

    Raises NotFound for everybody else, and where there is nothing.
    """
    if actor.organization not in {None, *pair}:
        not_found()
    versions = await hub.store.working_agreements.versions(pair)
    if not versions:
        not_found()
    today = from_micros(hub.clock.now_us()).date()
    meetings = await hub.store.working_agreements.meetings(pair)
    in_force = holding([one.agreement for one in versions], today) is not None
    return Held(versions, meetings, in_force)


async def due(hub: Hub, within: timedelta = AHEAD) -> list[Due]:
    """What must be looked at until then, the first first: an end, a review, a commitment, a meeting."""
    today = from_micros(hub.clock.now_us()).date()
    found: list[Due] = []
    directory = await hub.registry.current()
    for pair, versions in directory.agreed.items():
        names = (directory.names.get(pair[0], ""), directory.names.get(pair[1], ""))
        log = await hub.store.working_agreements.meetings(pair)
        found += [
            Due(*names, what, on, text, overdue=on < today)
            for what, on, text in (*_looks(versions[-1], today), *_meets(log))
            if on <= today + within
        ]
    return sorted(found, key=lambda one: (one.on, one.hospital, one.partner, one.what, one.text))


def _looks(agreement: WorkingAgreement, today: date) -> list[tuple[str, date, str]]:
    ends = agreement.ends_on
    found = [("review", agreement.review_on, agreement.reference)]
    found += [("agreement-ends" if ends > today else "agreement-ended", ends, agreement.reference)] if ends else []
    sides = (agreement.from_hospital, agreement.from_partner)
    return found + [("commitment", one.review_on, f"{one.owner}: {one.what}") for side in sides for one in side.gives]


def _meets(log: Sequence[Met]) -> list[tuple[str, date, str]]:
    """The next meeting that was arranged, while none has been since."""
    planned = [one.meeting.next_on for one in log if one.meeting.next_on]
    last = max((one.meeting.on for one in log), default=None)
    return [("meeting", planned[-1], "the two meet")] if planned and last and planned[-1] > last else []


def _valid(model: type[M], data: bytes) -> M:
    fields: Mapping[str, Any] = json.loads(data)
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise not_valid(error) from None
