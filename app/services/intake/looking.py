"""A visit is looked at again although no message came: time has passed, somebody has answered, a person has decided.

All that is known is decided anew, as with every message: consent, the clock, who is asked next. A look that finds
nothing to do leaves nothing behind.
"""

from typing import Final

from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import Unavailable
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import Arrival, Inbound
from app.services.referral.visit_file import VisitFile
from app.store.jobs import DueJob, Jobs
from schemas.discharge import Circumstances, ConsentGiven
from schemas.facts import Facts
from schemas.sender import Sender
from schemas.stub import Chosen

_SYSTEM: Final = Actor.system("look-again")


def nothing_new(file: VisitFile, sender: Sender, hub: Hub, cause: str | None = None) -> Arrival:
    """A message that says nothing, about this visit; it has no ledger entry. ``cause``: why it is looked at again."""
    now = hub.clock.now_us()
    ledger = uuid7()
    facts = Facts(trigger="review", kind="other", at=file.content.record.ended_at or from_micros(now))
    return Arrival(
        ledger=ledger,
        inbound=Inbound(b"", (sender,), now, replay_of=ledger),
        sender=sender,
        source="hl7v2",
        facts=facts,
        signal=False,
        test=False,
        key=f"review:{ledger}",
        mac=hub.keys.mac(f"content:{sender.id}", ledger),
        numbers=tuple(file.content.numbers),
        persons=tuple(file.content.persons),
        message_type="review",
        visit=file.id,
        cause=cause or "look",
    )


async def look(
    hub: Hub,
    visit_id: str,
    chosen: tuple[str, Chosen] | None = None,
    cause: str | None = None,
    consent: ConsentGiven | None = None,
) -> bool:
    """Decide about a visit anew, with what a person has ``chosen``: id of a source Task, and what.

    ``consent`` is one that was signed elsewhere than at the hospital. ``cause`` is kept with what changes of its clock
    by it, see ``CoverageEvent.cause``. False where nothing can be decided any more: its key was destroyed. Raises
    Unavailable while the registration of its sender can't be read: a job is tried again.
    """
    stored = await hub.store.intake(_SYSTEM).visit(visit_id)
    senders = (await hub.registry.current()).senders
    opened = VisitFile.opened(hub.keys, "", stored) if stored else None
    sender = senders.get(opened.content.sender) if opened else None
    if opened is None:
        return False
    if sender is None:
        raise Unavailable("The registration of this visit's sender can't be read.")
    opened.organization = sender.organization
    arrival = nothing_new(opened, sender, hub, cause)
    if consent is not None:
        told = Facts(
            trigger="consent", kind="update", at=hub.clock.now(), circumstances=Circumstances(consents=[consent])
        )
        arrival = arrival._replace(facts=told)
    await Intake(hub).receive(arrival._replace(chosen=chosen))
    return True


async def look_of(
    hub: Hub,
    request: str,
    chosen: tuple[str, Chosen] | None = None,
    cause: str | None = None,
    consent: ConsentGiven | None = None,
) -> bool:
    """Decide anew about the visit of a source ServiceRequest, see ``look``."""
    visit_id = await hub.store.intake(_SYSTEM).visit_of(request)
    return visit_id is not None and await look(hub, visit_id, chosen, cause, consent)


async def look_at_visit(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job that is due at an instant. May be run twice."""
    await look(hub, job.subject, cause=f"job:{job.id}")
    await jobs.finish(job, "decided", hub.clock.now_us())


async def follow_referral(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job that an answer makes. May be run twice."""
    await look_of(hub, job.subject, cause=f"job:{job.id}")
    await jobs.finish(job, "decided", hub.clock.now_us())
