"""A permit ends by itself, because its consent expires: the visit is looked at again at that moment.

What the permit showed is out of sight from the instant on (visibility has its end); here the referral says so, and
whoever holds it is told.
"""

from app.core.actor import Actor
from app.services.hub import Hub
from app.services.intake import Intake
from app.services.reviews import nothing_new
from app.services.visit_file import VisitFile
from app.store.jobs import DueJob, Jobs

_SYSTEM = Actor.system("consent-ends")


async def consent_ends(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job: decide about the visit anew, with the consents as they stand now. May be run twice."""
    stored = await hub.store.intake(_SYSTEM).visit(job.subject)
    senders = (await hub.registry.current()).senders
    opened = VisitFile.opened(hub.keys, "", stored) if stored else None
    sender = senders.get(opened.content.sender) if opened else None
    if opened is not None and sender is not None:
        opened.organization = sender.organization
        await Intake(hub).receive(nothing_new(opened, sender, hub))
    await jobs.finish(job, "decided", hub.clock.now_us())
