"""When a partner is there, as its profile says."""

from app.rules.hours import Calendar
from schemas.partner import PartnerProfile


def intake_calendar(profile: PartnerProfile) -> Calendar | None:
    """When a person may come for an intake; None where hours or zone are not said."""
    if profile.zone is None or profile.intake_hours is None:
        return None
    return Calendar.of(profile.intake_hours, profile.zone, profile.closed_on)


def dosing_calendar(profile: PartnerProfile) -> Calendar | None:
    """When somebody who is enrolled is given a dose there; None where hours or zone are not said."""
    if profile.zone is None or profile.dosing_hours is None:
        return None
    return Calendar.of(profile.dosing_hours, profile.zone, profile.closed_on)
