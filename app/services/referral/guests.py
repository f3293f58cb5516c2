"""Somebody who is dosed for a time as a guest: the clinic, the order of their own program, what a person is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final, TypedDict

from app.rules import guests, lifecycle, reporting, rides
from app.rules.guests import GUEST, ORDER
from app.services.referral.partner_hours import dosing_calendar, intake_calendar
from app.services.referral.situation import Reason, Situation
from fhir_mappings import build
from fhir_mappings.building.checklist import confirmed_by
from schemas.discharge import MOUD, Circumstances, DischargeEvent, GuestDosing, Need
from schemas.partner import PartnerProfile
from schemas.stub import Child, NeedLink

HOME_ORDER: Final = "home-order"
"""Item of the clinic's checklist: the order of the person's own program."""
_MISSING: Final[Reason] = (
    "guest-order-missing",
    "The order of the person's own program is not there, and the clinic needs it now: call both.",
)
_NO_DATES: Final[Reason] = (
    "guest-dates-missing",
    "Nobody has told from which day to which the person is a guest: the notice and the order hang on it.",
)
_TOO_SHORT: Final[Reason] = (
    "guest-notice-too-short",
    "The clinic was asked later than its notice before the first day as a guest: call it, or choose another.",
)


class Returns(TypedDict, total=False):
    """Fields of a ``CoverageView``."""

    returns_on: date
    returns_to: str


def dates_of(stated: Circumstances) -> GuestDosing | None:
    """From when to when the person is a guest; None where they are none, or no dates are said."""
    return stated.guest_dosing if stated.continuation == GUEST else None


def with_order(event: DischargeEvent) -> DischargeEvent:
    """The event with the need for the order of the person's own program, as long as one is wanted."""
    dates = dates_of(event)
    if dates is None:
        return event
    others = [one for one in event.needs if one.kind != ORDER]
    wants = any(one.kind == MOUD for one in others) and dates.order_received is not True
    return event.model_copy(update={"needs": [*others, Need(kind="guest-order")] if wants else others})


def returns(event: DischargeEvent) -> Returns:
    """From which day the person's own program doses again, and its name; nothing of one who is no guest."""
    dates = dates_of(event)
    if dates is None:
        return Returns()
    home = event.current_otp
    named = Returns(returns_to=home.name) if home else Returns()
    return Returns(returns_on=dates.last_day + timedelta(days=1), **named)


# ---- the clinic


def clinic_of(situation: Situation) -> str | None:
    """Where the person is to be a guest: who has accepted, else who was asked last and has not declined."""
    asked = [child for child in _asked(situation) if _status(situation, child) in {"requested", *lifecycle.ENGAGED}]
    taken = [child for child in asked if _status(situation, child) in lifecycle.ENGAGED]
    return (taken or asked)[-1].partner if asked else None


def _asked(situation: Situation) -> Sequence[Child]:
    link = situation.file.content.referral
    return [child for need in (link.needs if link else ()) if need.need == MOUD for child in need.children]


def _status(situation: Situation, child: Child) -> str:
    row = situation.rows.get(child.task)
    return str(row.resource["status"]) if row else "requested"


def latest(situation: Situation, partner: str | None) -> datetime | None:
    """By when that clinic must have been asked; without one, when the first day begins where the hospital is."""
    record = situation.file.content.record
    dates = dates_of(record.circumstances)
    if dates is None:
        return None
    profile = situation.directory.partners.get(partner or "")
    hours = (dosing_calendar(profile) or intake_calendar(profile)) if profile else None
    zone = (profile.zone if profile else None) or situation.sender.zone(record.facility)
    facet = profile.facets.get(GUEST) if profile else None
    stands = facet if facet and facet.stands(situation.now.astimezone(zone).date()) else None
    return guests.asked_by(guests.first_dose(dates.first_day, hours, zone), stands)


# ---- the order


def tied(situation: Situation, need: str) -> build.Tied | None:
    """What the doses as a guest, and the order for them, run by; None where no dates are said."""
    dates = dates_of(situation.file.content.record.circumstances)
    clinic = clinic_of(situation)
    by = latest(situation, clinic)
    if dates is None or by is None:
        return None
    days = build.Tied(by, at=dates.first_day, until=dates.last_day)
    if need == MOUD:
        return days
    profile = situation.directory.partners.get(clinic or "")
    place = _called(profile) if profile else None
    return replace(days, priority=rides.priority(by, situation.now), place=place)


def _called(profile: PartnerProfile) -> str:
    return ", ".join(filter(None, (profile.name, profile.phone)))


def order_there(situation: Situation) -> bool:
    """Whether the order has come, as far as the hospital may know: it was told so, or the program has sent it."""
    dates = dates_of(situation.file.content.record.circumstances)
    return (dates is not None and dates.order_received is True) or _sent(situation)


def _sent(situation: Situation) -> bool:
    link = situation.file.content.referral
    needs: Sequence[NeedLink] = link.needs if link else ()
    told = [child for need in needs if need.need == ORDER for child in need.children]
    covered = (one for one in told if one.back is not None and one.back.level == "packet")
    return any(_status(situation, one) == "completed" for one in covered)


def _settled(situation: Situation, child: Child) -> bool:
    """Whether the hospital confirmed the order, or the clinic goes without it."""
    own, task = situation.rows.get(child.checklist or ""), situation.rows.get(child.task)
    confirmed = confirmed_by(own.resource.get("output", ())) if own else frozenset()
    waived = reporting.waived(task.resource.get("output", ())) if task else frozenset()
    return HOME_ORDER in confirmed | waived


# ---- what a person is told


def told(situation: Situation, need: str) -> list[Reason]:
    """What a person must be told of a guest's days and order, or of a clinic that was asked too late."""
    stated = situation.file.content.record.circumstances
    dates = dates_of(stated)
    if dates is None and stated.continuation == GUEST and need == MOUD:
        over = any(_status(situation, child) == "completed" for child in _asked(situation))
        return [] if over else [_NO_DATES]
    clinic = clinic_of(situation)
    by = latest(situation, clinic)
    if dates is None or by is None:
        return []
    if situation.now.date() > dates.last_day:
        return []
    if need == ORDER:
        settled = order_there(situation) or any(_settled(situation, child) for child in _asked(situation))
        return [_MISSING] if by <= situation.now and not settled else []
    taken = any(_status(situation, child) in lifecycle.ENGAGED for child in _asked(situation))
    late = clinic is not None and not taken and _asked_at(situation, clinic) > by
    return [_TOO_SHORT] if need == MOUD and late else []


def _asked_at(situation: Situation, clinic: str) -> datetime:
    """When the clinic was asked last; now where that is being done."""
    rows = (situation.rows.get(child.task) for child in _asked(situation) if child.partner == clinic)
    asked = [datetime.fromisoformat(row.resource["authoredOn"]) for row in rows if row]
    return max(asked, default=situation.now)
