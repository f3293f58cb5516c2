"""The jobs that tell a partner that it is asked: a text message, a fax.

Both look at the moment when they send: nothing goes to who has answered, whose number nobody vouches for any more, or
whom no decision permits to see it. What can't be sent stands in the to-do list of a person.
"""

from collections.abc import Sequence
from typing import Final

from app import channels
from app.channels.base import Parcel, Receipt
from app.core import log
from app.core.actor import Actor
from app.rules.telling import wait_after
from app.services.disclosures import Disclosures, note
from app.services.hub import Hub
from app.services.packets.packets import document, permits_of, printed, reachable, with_author, written
from app.services.people import covers
from app.services.referral.telling import FAILED
from app.services.subscriptions import notification_texts
from app.services.subscriptions.subscriptions import outside_of
from app.services.writing import Resource, decoded
from app.store.jobs import DueJob, Jobs
from app.store.queries import Row, fresh_of, notices_of
from schemas.partner import PartnerProfile

_SYSTEM: Final = Actor.system("telling")
_SECOND: Final = 1_000_000
_SECONDS: Final = 30.0
_PDF: Final = "application/pdf"
"""What services that send faxes take."""
Document = tuple[str, bytes]
"""Content type and content."""


async def _packet(hub: Hub, task: str, rows: Sequence[Row]) -> Document:
    """The packet of a partner's Task, made of what the partner may see."""
    permits = await permits_of(hub.store.decisions(_SYSTEM), rows)
    author = (await hub.registry.current()).hub
    made = document(hub, author, task, rows, notices=notices_of(rows), permits=permits)
    return _PDF, (await written(made, "pdf")).body


async def send_sms(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job: tell by text message that there is something new, and nothing of what it is."""
    child, profile = await _asked(hub, job.subject)
    if child is None or child["status"] != "requested":
        await jobs.finish(job, "not-needed", hub.clock.now_us())
        return
    if profile is None or profile.sms is None or "sms" not in profile.receives_by:
        await jobs.finish(job, f"{FAILED}no-number", hub.clock.now_us())
        return
    text = notification_texts.short(hub.settings.base_url).encode()
    parcel = Parcel(f"tel:{profile.sms.number}", text, "text/plain", (("idempotency-key", job.id),), seconds=_SECONDS)
    await _settle(hub, jobs, job, await delivered(hub, "sms", parcel))


async def send_fax(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job: fax the cover sheet, and the packet where consent permits it now; it goes on record first."""
    child, profile = await _asked(hub, job.subject)
    if child is None or child["status"] != "requested":
        await jobs.finish(job, "not-needed", hub.clock.now_us())
        return
    if profile is None or profile.fax is None or "fax" not in profile.receives_by:
        await jobs.finish(job, f"{FAILED}no-number", hub.clock.now_us())
        return
    partner = child["owner"]["reference"].rpartition("/")[2]
    actor = Actor(partner, "fax")
    seen = await hub.store.reader(actor).read("Task", job.subject)
    if seen is None or seen.deleted:
        await jobs.finish(job, f"{FAILED}not-permitted", hub.clock.now_us())
        return
    documents = await _documents(hub, actor, seen)
    cover = await printed(await covers.paper(hub, child, seen), "pdf")
    parcel = Parcel(
        f"tel:{profile.fax.number}",
        cover,
        _PDF,
        (("idempotency-key", job.id),),
        more=documents,
        seconds=_SECONDS,
    )
    await _settle(hub, jobs, job, await delivered(hub, "fax", parcel))


async def _documents(hub: Hub, actor: Actor, seen: Row) -> tuple[Document, ...]:
    """What goes with the cover sheet, on record before it goes. Raises Unavailable where it can't be recorded."""
    reader = hub.store.reader(actor)
    rows = [seen]
    documents: tuple[Document, ...] = ()
    if seen.level == "full":
        rows = await with_author(reader, (await hub.registry.current()).hub, await reachable(reader, seen))
        documents = (await _packet(hub, seen.id, rows),)
    if not await Disclosures(hub.store).record_first(actor, fresh_of(rows)):
        await note(hub.store, actor, "fax", [row.id for row in rows])
    return documents


async def _asked(hub: Hub, child_id: str) -> tuple[Resource | None, PartnerProfile | None]:
    row = await hub.store.reader(_SYSTEM).read("Task", child_id)
    if row is None or row.deleted:
        return None, None
    child = decoded(row)
    partner = child["owner"]["reference"].rpartition("/")[2]
    return child, (await hub.registry.current()).partners.get(partner)


async def delivered(hub: Hub, name: str, parcel: Parcel) -> Receipt | None:
    """One attempt; None where this hub has no such way out."""
    outside = outside_of(hub.settings)
    kind = channels.ALL[name]
    if not kind.offered(outside):
        return None
    channel = kind.open(outside)
    try:
        return await channel.deliver(parcel)
    finally:
        await channel.close()


async def _settle(hub: Hub, jobs: Jobs, job: DueJob, receipt: Receipt | None) -> None:
    now = hub.clock.now_us()
    if receipt is not None and receipt.arrived:
        await jobs.finish(job, "sent", now)
        return
    reason = "not-offered" if receipt is None else receipt.reason
    wait = None if receipt is None else wait_after(job.attempts)
    log.warning("telling.failed", kind=job.kind, job=job.id, reason=reason, count=job.attempts)
    if wait is None:
        await jobs.finish(job, f"{FAILED}{reason}", now)
    else:
        await jobs.retry(job, now + wait * _SECOND)
