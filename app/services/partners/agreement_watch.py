"""The job that tells both sides in time that somebody must look at what they have agreed: by e-mail to their contacts.

It says between whom and until when, and nothing of anybody who is cared for. Who has no e-mail address, or where this
hub sends none, is told by ``throughline agreement due`` alone; the log says so.
"""

from datetime import datetime, time, timedelta
from typing import Final

from app.channels.base import Parcel
from app.core import log
from app.core.clock import micros
from app.services.hub import Hub
from app.services.people.telling_jobs import delivered
from app.services.subscriptions import notification_texts
from app.store.changes import Changes, Job
from app.store.jobs import DueJob, Jobs
from app.store.working_agreements import Pair
from schemas.working_agreement import WorkingAgreement

AGREEMENT_DUE: Final = "agreement-due"
AHEAD: Final = timedelta(days=30)
"""So long before its day it is told that somebody must look, and again on that day. The hub's own number."""


async def watch(hub: Hub, pair: Pair, version: int, agreement: WorkingAgreement) -> None:
    """Have it told in time, of the version that is about to be kept."""
    now = hub.clock.now()
    subject = "|".join((*pair, str(version)))
    at = _next(agreement, now - timedelta(microseconds=1)) or now
    await hub.store.commit(Changes(jobs=(Job(f"{AGREEMENT_DUE}:{subject}", AGREEMENT_DUE, subject, micros(at)),)))


async def tell_agreement(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job: tell the contacts of both sides, and look again at the next day that counts; a newer version ends it."""
    hospital, partner, version = job.subject.split("|")
    held = await hub.store.working_agreements.versions((hospital, partner))
    now = hub.clock.now()
    if not held or held[-1].version != int(version):
        await jobs.finish(job, "replaced", micros(now))
        return
    agreement = held[-1].agreement
    names = (await hub.registry.current()).names
    day = agreement.next_look(now.date())
    subject, text = notification_texts.agreement(names.get(hospital, ""), names.get(partner, ""), day)
    told = 0
    for one in (*agreement.from_hospital.contacts, *agreement.from_partner.contacts):
        if one.email is not None:
            parcel = Parcel(f"mailto:{one.email}", text.encode(), "text/plain", subject=subject)
            receipt = await delivered(hub, "email", parcel)
            told += receipt is not None and receipt.arrived
    if not told:
        log.warning("agreement.nobody-told", organization=partner, job=job.id)
    again = _next(agreement, now)
    if again is None:
        await jobs.finish(job, f"told:{told}", micros(now))
    else:
        await jobs.postpone(job, micros(again))


def _next(agreement: WorkingAgreement, after: datetime) -> datetime | None:
    """The next moment at which it is told: ahead of each day that counts, and on it (UTC)."""
    days = [day - ahead for day in agreement.looks() for ahead in (AHEAD, timedelta())]
    moments = [datetime.combine(day, time.min, after.tzinfo) for day in days]
    return min((one for one in moments if one > after), default=None)
