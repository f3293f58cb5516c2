"""The appointment that the ride of a transition is for, and what happens when a partner changes one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from app.core.actor import Actor
from app.rules import rides
from app.rules.consent_flaws import plain
from app.rules.coverage_inputs import instant
from app.rules.reporting import appointment_of
from app.services.due_looks import follow_job
from app.services.hub import Hub
from app.services.interactions import Planned
from app.services.referral.situation import Situation
from app.services.writing import Resource, decoded
from app.store.queries import IndexIn, Query
from fhir_mappings.outreach import is_beside
from schemas.discharge import Address, DischargeEvent
from schemas.stub import ReferralLink

_SYSTEM: Final = Actor.system("appointments")
_OUT: Final = frozenset({"rejected", "cancelled", "failed", "entered-in-error"})
"""Statuses of a partner's Task in which it expects nobody any more."""


@dataclass(frozen=True, slots=True)
class Ride:
    """What a ride is for.

    Attributes:
        stated: the appointment.
        at: its moment; of a day alone the first one.
        place: where to, without the name of who is there; None where no address is known.
        part2: whether it is at a Part 2 program: that the person goes there is a record of one.
    """

    stated: rides.Stated
    at: datetime
    place: str | None
    part2: bool


def ride_of(situation: Situation, event: DischargeEvent, link: ReferralLink) -> Ride | None:
    """The appointment that the ride of this transition is for; None where none is known that holds."""
    told = [*_told(situation, link)]
    known = [one for one in told if one is not None] if told else [*_of_event(situation, event)]
    found = rides.chosen(known)
    at = instant(found.at, situation.sender.zone(situation.file.content.record.facility)) if found else None
    if found is None or at is None:
        return None
    profile = situation.directory.partners.get(found.partner or "")
    address = _line(profile.address) if profile and profile.address else None
    return Ride(found, at, address, part2=profile is not None and profile.part2_program)


def _told(situation: Situation, link: ReferralLink) -> Iterator[rides.Stated | None]:
    """What partners say of when they expect the person, as far as the hospital may be told; None for one not kept.

    What it was told before a consent for the way back ended stands on its own Task.
    """
    appointments = {name: row.resource for name, row in situation.rows.items()}
    for need in link.needs:
        for child in need.children if need.need != rides.TRANSPORT else ():
            covered = child.back is not None and child.back.level == "packet"
            own, row = situation.rows.get(need.task), situation.rows.get(child.task)
            if own is None or row is None or row.resource["status"] in _OUT:
                continue
            outputs = (row if covered else own).resource.get("output", ())
            if any(appointment_of(one) for one in outputs):
                at = rides.last_said(outputs, appointments if covered else {})
                yield rides.Stated(at, need.need, child.partner) if at else None


def _of_event(situation: Situation, event: DischargeEvent) -> Iterator[rides.Stated]:
    """The appointment that the hospital tells, at the partner that its text names; the text itself goes nowhere."""
    told = event.next_appointment
    if told is None:
        return
    where = plain(told.where or "")
    partners = situation.directory.partners.items()
    named = (one for one, profile in partners if profile.active and plain(profile.name) in where)
    yield rides.Stated(told.at, partner=next(named, None))


def _line(address: Address) -> str | None:
    parts = (*address.lines, address.city, " ".join(filter(None, (address.state, address.postal_code))))
    return ", ".join(part for part in parts if part) or None


async def followed(hub: Hub, planned: Planned) -> Planned:
    """A change of an Appointment, with a look at every referral whose partner told of it."""
    if planned.changes is None or not planned.changes.resources:
        return planned
    reader = hub.store.reader(_SYSTEM)
    naming = Query("Task", (IndexIn("output", (f"Appointment/{planned.id}",)),), limit=100)
    children = [task for row in await reader.search(naming) if "partOf" in (task := decoded(row))]
    sources = sorted({_part_of(task) for task in children if not is_beside(task)})
    requests = [decoded(row)["focus"]["reference"].rpartition("/")[2] for row in await reader.by_ids(sources)]
    now = hub.clock.now_us()
    jobs = tuple(follow_job(one, f"{planned.id}:{planned.version}:{one}", now) for one in requests)
    return replace(planned, changes=planned.changes._replace(jobs=(*planned.changes.jobs, *jobs)))


def _part_of(task: Resource) -> str:
    return str(task["partOf"][0]["reference"]).rpartition("/")[2]
