"""Doses as a guest of another program: by when the clinic must be asked, and who doses when it is over. Pure.

The notice that a clinic asks for is its own word (facet ``guest-dosing``, ``notice_hours``); one that says nothing is
taken to need none.
"""

from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from app.rules.hours import Calendar
from schemas.facets import Facet

GUEST: Final = "guest-dosing"
"""The continuation, and the facet."""
ORDER: Final = "guest-order"
"""Need: the order of the person's own program, without which a guest is not dosed."""


def first_dose(first_day: date, hours: Calendar | None, zone: tzinfo) -> datetime:
    """When the clinic doses first from that day on: its first open hour, else the beginning of the day in ``zone``."""
    begins = datetime.combine(first_day, time(), hours.zone if hours else zone)
    return (hours.next_open(begins) if hours else None) or begins


def asked_by(first: datetime, facet: Facet | None) -> datetime:
    """By when the clinic must have been asked, and hold the order, to dose first at ``first``."""
    hours = facet.notice_hours if facet is not None else None
    return first - timedelta(hours=hours or 0)


def ready(now: datetime, first_day: date | None, hours: Calendar, facet: Facet | None) -> datetime:
    """When the clinic can dose at the earliest: after its notice, and not before the first day."""
    told = now + timedelta(hours=(facet.notice_hours or 0) if facet else 0)
    return max(told, datetime.combine(first_day, time(), hours.zone)) if first_day else told


def too_late(intake: datetime | None, first_day: date | None, hours: Calendar) -> bool:
    """Whether a first dose then is after the day on which it is to be given."""
    return first_day is not None and (intake is None or intake.astimezone(hours.zone).date() > first_day)
