"""Due work, by kind: what time alone brings about."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from app.core import log
from app.core.actor import Actor
from app.core.errors import Unavailable
from app.services.due_looks import FOLLOW, LOOK
from app.services.hub import Hub
from app.services.intake import reviews
from app.services.intake.intake import Intake
from app.services.intake.looking import follow_referral, look_at_visit
from app.services.partners.agreement_watch import AGREEMENT_DUE, tell_agreement
from app.services.people import telling_jobs
from app.services.referral import telling
from app.services.referral.clock_answers import DUE
from app.services.referral.sharing import CONSENT_ENDS
from app.services.referral.visit_file import reasons_json
from app.store.changes import Changes, LedgerMove, ReviewItem
from app.store.database import Doubt, Gone
from app.store.jobs import DueJob, Jobs

_SYSTEM = Actor.system("jobs")
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_FIRST_RETRY: Final = 5
_LONGEST_RETRY: Final = 3600
_LAPSED: Final = (
    ("visit-lapsed", "Its visit showed nothing more in the time that it is kept: a human decides on what was seen."),
)
_NO_VISIT: Final = (("visit-not-found", "It carries a signal, and no single visit of this person became known."),)

Handler = Callable[[Hub, Jobs, DueJob], Awaitable[None]]
"""Does one job and finishes or postpones it. It may be run twice."""


async def expire_visit(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """A visit without a referral is kept for a time; then its key is destroyed, and with it what was known."""
    now = hub.clock.now_us()
    visit = await hub.store.intake(_SYSTEM).visit(job.subject)
    if visit is None:
        await jobs.finish(job, "gone", now)
    elif visit.expires_at is None:
        await jobs.finish(job, "kept", now)
    elif visit.expires_at > now:
        await jobs.postpone(job, visit.expires_at)
    elif await reviews.still_waits(hub, visit.id):
        await jobs.postpone(job, now + _DAY)
    else:
        await jobs.destroy_visit(job, now, reasons_json(_LAPSED))


async def look_again(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """A message that found no visit is decided once more: its visit may have been written at the same moment."""
    entry = await hub.store.intake(_SYSTEM).entry(job.subject)
    if entry is not None and entry.state == "waiting" and entry.visit is None:
        await Intake(hub).replay(entry.id)
    await jobs.finish(job, "looked", hub.clock.now_us())


async def review_waiting(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """A message that found no visit, or several, in the time that a visit is kept is for a human."""
    now = hub.clock.now_us()
    entry = await hub.store.intake(_SYSTEM).entry(job.subject)
    if entry is not None and entry.state == "waiting" and entry.visit is None:
        reasons = reasons_json(_NO_VISIT)
        move = LedgerMove(entry.id, now, "review", reasons, only_from=("waiting",))
        await hub.store.commit(
            Changes(moves=(move,), reviews=(ReviewItem(entry.id, entry.sender or "", now, reasons),))
        )
    await jobs.finish(job, "reviewed", now)


async def _unknown(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """A kind that this release has no handler for: a newer one may, so it waits."""
    log.warning("job.unknown-kind", kind=job.kind, job=job.id)
    await jobs.postpone(job, hub.clock.now_us() + _LONGEST_RETRY * _SECOND)


HANDLERS: Final[Mapping[str, Handler]] = {
    "expire-visit": expire_visit,
    "look-again": look_again,
    "review-waiting": review_waiting,
    reviews.SETTLE: reviews.settle_visit,
    CONSENT_ENDS: look_at_visit,
    DUE: look_at_visit,
    LOOK: look_at_visit,
    FOLLOW: follow_referral,
    AGREEMENT_DUE: tell_agreement,
    telling.SMS: telling_jobs.send_sms,
    telling.FAX: telling_jobs.send_fax,
}
"""Kind of job to what does it."""


class DueWork:
    """The due jobs of one process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._jobs = Jobs(hub.store.database)

    async def run(self) -> int:
        """Do what is due now, at most one claim of it; how many jobs were claimed.

        A job that fails is tried again after a growing while and harms no other. Raises Unavailable
        when the database can't be reached: what was claimed is then due again when its lease ends.
        """
        try:
            claimed = await self._jobs.claim(self._hub.clock.now_us())
            for job in claimed:
                await self._run(job)
        except (Gone, Doubt) as error:
            raise Unavailable("The database can't be reached; due jobs wait.") from error
        return len(claimed)

    async def _run(self, job: DueJob) -> None:
        try:
            await HANDLERS.get(job.kind, _unknown)(self._hub, self._jobs, job)
        except (Gone, Doubt):
            raise
        except Exception as error:  # noqa: BLE001 - one job may be at fault; the others must not suffer
            log.error("job.failed", error, kind=job.kind, job=job.id, count=job.attempts)
            await self._jobs.retry(job, self._hub.clock.now_us() + delay(job.attempts) * _SECOND)


def delay(attempts: int) -> int:
    """Seconds until the next try: 5, 10, 20 ... and at most an hour."""
    return min(_FIRST_RETRY << min(attempts - 1, 16), _LONGEST_RETRY)
