"""When a visit is due to be looked at again: the jobs that say so."""

from typing import Final

from app.store.changes import Job

LOOK: Final = "look-at-visit"
"""Kind of the job that looks at the visit that is its subject."""
FOLLOW: Final = "follow-referral"
"""Kind of the job that looks at the visit of the source ServiceRequest that is its subject."""


def look_job(visit: str, at: int) -> Job:
    """A look at a visit at that instant (microseconds); two causes of one instant are one job."""
    return Job(f"look:{visit}:{at}", LOOK, visit, at)


def follow_job(request: str, cause: str, at: int) -> Job:
    """A look at the visit of a source ServiceRequest, at once, because of what is now so."""
    return Job(f"follow:{cause}", FOLLOW, request, at)
