"""How a partner is told that it is asked, where it does not come and look by itself: the work that falls due."""

from datetime import datetime
from typing import Final

from app.core.clock import micros
from app.store.changes import Job
from schemas.partner import PartnerProfile
from schemas.stub import Child

SMS: Final = "notify-sms"
FAX: Final = "send-fax"
KINDS: Final = (SMS, FAX)
"""Kinds of the jobs; the subject is the partner's Task."""
FAILED: Final = "failed:"
"""Start of the outcome of one that a person must do instead; a code follows."""


def jobs_for(profile: PartnerProfile | None, child: Child, now: datetime) -> list[Job]:
    """What falls due because a partner is asked, to be written in the same commit as its Task."""
    if profile is None:
        return []
    numbers = (("sms", profile.sms, SMS), ("fax", profile.fax, FAX))
    wanted = [kind for way, number, kind in numbers if number is not None and way in profile.receives_by]
    return [Job(f"{kind}:{child.task}", kind, child.task, micros(now)) for kind in wanted]


def reminders_for(profile: PartnerProfile | None, child: Child, now: datetime) -> list[Job]:
    """What falls due because a partner is reminded: a text message, where it is told by one."""
    wanted = profile is not None and profile.sms is not None and "sms" in profile.receives_by
    return [Job(f"{SMS}:{child.task}:again", SMS, child.task, micros(now))] if wanted else []
