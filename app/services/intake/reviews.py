"""The review queue: what waits for a person, and what a person says of it.

There is one item per visit. It is opened when the visit ends, or at once for what can't wait, follows the visit,
and is closed when nothing of it is left to decide. The answers are one word: ``refer``, ``not-ours``, ``later``.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from app.core import log
from app.core.actor import Actor
from app.core.clock import from_micros, iso, micros
from app.core.errors import Conflict, NotFound, Unavailable, Unprocessable
from app.core.ids import uuid7
from app.services.hub import NOTICED, Hub
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import Arrival, Inbound, read_event, read_hl7
from app.services.intake.looking import nothing_new
from app.services.intake.review_rows import Reason, ReviewRow, answered, review_row
from app.services.referral.visit_file import VisitFile, reasons_json
from app.store.accounts import Directory
from app.store.changes import Changes, Job, ReviewAnswer
from app.store.jobs import DueJob, Jobs
from app.store.reviews import Reviews, StoredReview
from fhir_mappings import triage
from fhir_mappings.visits import visit
from schemas.facts import VisitRecord
from schemas.sender import Sender

Answer = Literal["refer", "not-ours", "later"]
ReviewLine = dict[str, Any]
"""``visit sender since kind unit reasons read missing suggested referral later_until answer``."""
SETTLE: Final = "settle-visit"
"""Kind of the job that looks at a visit again."""
_SYSTEM: Final = Actor.system("review")
_TRIES: Final = 5
_SECOND: Final = 1_000_000
_REGISTERED: Final = frozenset(
    {
        *("no-route", "not-covered-entity", "no-agreement-discloser", "no-agreement-recipient", "agreement-narrows"),
        *("current-otp-unknown", "choice-unknown", "choice-excluded", "no-slot-before-gap"),
    }
)
"""Reasons that another registration of a sender or partner, or a partner's word, may settle; so may a unit."""
_PERSON_DECIDED: Final = (("person-decided", triage.REASONS["person-decided"]),)


# ---- what waits


async def queue(hub: Hub, *, sender: str | None = None, daily_list: bool = False) -> list[ReviewLine]:
    """Open items as a person sees them, the oldest first; what was put off stands at the end.

    Args:
        hub: the hub.
        sender: id of one interface.
        daily_list: the lines of the daily list instead, which nobody need answer.
    """
    reviews = Reviews(hub.store.database)
    kind = "list" if daily_list else "queue"
    items = [item for item in await reviews.open(sender) if item.kind == kind]
    now = hub.clock.now_us()
    items.sort(key=lambda item: (item.later_until or 0) if (item.later_until or 0) > now else 0)
    directory = await hub.registry.current()
    records = await _records(hub, items, directory)
    return [_line(item, records.get(item.visit), directory.senders.get(item.sender)) for item in items]


async def _records(hub: Hub, items: Sequence[StoredReview], directory: Directory) -> dict[str, VisitRecord]:
    """What is known of the visit of each item; of an item whose visit is not known, what its message says."""
    stubs = await Reviews(hub.store.database).stubs([item.visit for item in items])
    records = {}
    for item in items:
        stored = stubs.get(item.visit)
        sender = directory.senders.get(item.sender)
        if stored is not None:
            file = VisitFile.opened(hub.keys, sender.organization if sender else "", stored)
            record = file.content.record if file else None
        else:
            record = await _of_message(hub, item.visit, sender)
        if record is not None:
            records[item.visit] = record
    return records


async def _of_message(hub: Hub, ledger: str, sender: Sender | None) -> VisitRecord | None:
    sealed = await hub.store.intake(_SYSTEM).raw(ledger) if sender is not None else None
    if sealed is None or sender is None:
        return None
    data = hub.keys.open_raw(ledger, sealed)
    reread = read_event if data[:1] == b"{" else read_hl7
    reading = reread(Inbound(data, (sender,), 0, ledger), hub.keys)
    return visit.merge(None, reading.facts) if isinstance(reading, Arrival) else None


def _line(item: StoredReview, record: VisitRecord | None, sender: Sender | None) -> ReviewLine:
    reasons = [(one["code"], one["text"]) for one in json.loads(item.reasons)]
    row = _row(record, reasons, sender) if record is not None and sender is not None else None
    return {
        "visit": item.visit,
        "sender": item.sender,
        "since": iso(item.opened_at),
        "kind": item.kind,
        "unit": item.unit,
        "reasons": [{"code": code, "text": text} for code, text in reasons],
        "read": None if row is None or record is None else _read(row, record),
        "missing": list(row.missing) if row else [],
        "suggested": (item.suggested or "").split(),
        "referral": item.referral,
        "later_until": iso(item.later_until) if item.later_until else None,
        "answer": _last_answer(item),
    }


def _row(record: VisitRecord, reasons: Sequence[Reason], sender: Sender) -> ReviewRow:
    held = [reason for reason in reasons if reason[0] not in triage.REASONS]
    return review_row(record, triage.judge(record), held, sender)


def _read(row: ReviewRow, record: VisitRecord) -> dict[str, Any]:
    return {
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "disposition": record.visit.disposition,
        "diagnoses": [asdict(one) for one in row.diagnoses],
        "drugs": [{**asdict(one), "given": [moment.isoformat() for moment in one.given]} for one in row.drugs],
    }


def _last_answer(item: StoredReview) -> dict[str, str] | None:
    if item.answer is None or item.answered_at is None:
        return None
    return {"answer": item.answer, "at": iso(item.answered_at), "by": item.answered_by or ""}


# ---- what a person says


async def answer(hub: Hub, visit_id: str, said: Answer, *, by: str, days: int = 1) -> ReviewLine:
    """Record what a person says of an item, and do it at once; the item as it is then.

    Args:
        hub: the hub.
        visit_id: id of the item.
        said: ``refer`` makes a referral of what the item suggests, else of the continuation of medication;
            ``not-ours`` settles the messages of the visit as not ours; ``later`` puts it at the end of the queue.
        by: who says it.
        days: of ``later``: until it comes back.

    Raises:
        NotFound: there is no such item.
        Unprocessable: it is settled already, or there is nothing left of its visit to refer.
    """
    item = await Reviews(hub.store.database).item(visit_id)
    if item is None:
        raise NotFound("No review item has this id.")
    if item.closed_at is not None and (said == "later" or item.answer is None):
        raise Unprocessable("It is settled already; there is nothing to answer.")
    now = hub.clock.now_us()
    until = micros(from_micros(now) + timedelta(days=days)) if said == "later" else None
    given = ReviewAnswer(uuid7(), visit_id, item.sender, now, said, by, until)
    if said == "later":
        await hub.store.commit(Changes(answers=(given,)))
    else:
        await _decided(hub, item, given)
        await settle(hub, visit_id)
    log.info("review.answered", sender=item.sender, outcome=said)
    return await _shown(hub, visit_id)


async def _shown(hub: Hub, visit_id: str) -> ReviewLine:
    item = await Reviews(hub.store.database).item(visit_id)
    if item is None:
        raise NotFound("No review item has this id.")
    directory = await hub.registry.current()
    records = await _records(hub, [item], directory)
    line = _line(item, records.get(visit_id), directory.senders.get(item.sender))
    return line | {"state": "open" if item.closed_at is None else "closed"}


async def _decided(hub: Hub, item: StoredReview, given: ReviewAnswer) -> None:
    """The answer, durable together with the visit that it changes and the work that follows from it."""
    for _ in range(_TRIES):
        file = await _file(hub, item.visit, item.sender)
        if file is None:
            await hub.store.commit(_without_visit(given))
            return
        _check(file, given)
        if given.answer != "later":
            file.content.record = answered(file.content.record, given.answer, given.at)
        job = Job(f"settle:{given.id}", SETTLE, item.visit, given.at)
        changes = Changes(scope=frozenset({item.visit}), visits=(file.change((), ()),), answers=(given,), jobs=(job,))
        try:
            await hub.store.commit(changes)
        except Conflict:
            continue
        return
    raise Unavailable("The visit keeps changing; try again.")


def _without_visit(given: ReviewAnswer) -> Changes:
    if given.answer == "refer":
        raise Unprocessable("Nothing is kept of its visit any more, or no visit was found: nothing can be referred.")
    job = Job(f"settle:{given.id}", SETTLE, given.visit, given.at)
    return Changes(answers=(given,), jobs=(job,))


def _check(file: VisitFile, given: ReviewAnswer) -> None:
    link = file.content.referral
    if given.answer == "not-ours" and link is not None and any(need.children for need in link.needs):
        raise Unprocessable("Its referral is with a partner already: cancel the source Task instead.")


async def _file(hub: Hub, visit_id: str, sender_id: str) -> VisitFile | None:
    stored = await hub.store.intake(_SYSTEM).visit(visit_id)
    sender = (await hub.registry.current()).senders.get(sender_id)
    return VisitFile.opened(hub.keys, sender.organization, stored) if stored and sender else None


# ---- looking again


async def settle(hub: Hub, visit_id: str) -> None:
    """Look once more at a visit, with the answers and registrations of now. May be run twice."""
    reviews = Reviews(hub.store.database)
    item = await reviews.item(visit_id)
    if item is None:
        return
    file = await _file(hub, visit_id, item.sender)
    said = file.content.record.answer if file else item.answer
    if file is not None and (said != "not-ours" or file.content.referral is not None):
        await _decide_again(hub, file, item)
    if said == "not-ours":
        await reviews.not_ours(visit_id, hub.clock.now_us(), reasons_json(_PERSON_DECIDED))


async def settle_visit(hub: Hub, jobs: Jobs, job: DueJob) -> None:
    """The job of ``settle``: does what an answer asks for, unless it is done already."""
    item = await Reviews(hub.store.database).item(job.subject)
    if item is not None and item.closed_at is None:
        await settle(hub, job.subject)
    await jobs.finish(job, "settled", hub.clock.now_us())


async def still_waits(hub: Hub, visit_id: str) -> bool:
    """Whether somebody has yet to answer about a visit whose time lapses; a line of the daily list goes with it."""
    reviews = Reviews(hub.store.database)
    item = await reviews.item(visit_id)
    if item is None or item.closed_at is not None:
        return False
    if item.kind == "list":
        await reviews.close(visit_id, hub.clock.now_us())
    return item.kind == "queue"


async def _decide_again(hub: Hub, file: VisitFile, item: StoredReview) -> None:
    message = await Reviews(hub.store.database).newest_message(file.id)
    if message is not None:
        await Intake(hub).replay(message)
        return
    # The bytes went when a person said "not ours"; what the visit knows is enough to say otherwise.
    sender = (await hub.registry.current()).senders[item.sender]
    await Intake(hub).receive(nothing_new(file, sender, hub))


async def settle_waiting(hub: Hub, sender: str | None = None) -> int:
    """Have visits looked at again that waited for what may now be registered: a unit, a route, a partner.

    Called after a registration and after a word of a partner about itself; the work is done by whichever process runs
    due jobs, within seconds.

    Args:
        hub: the hub.
        sender: the interface that was registered; None = all, after partners were.

    Returns:
        How many.
    """
    items = await Reviews(hub.store.database).open(sender)
    senders = (await hub.registry.current()).senders
    again = [item.visit for item in items if _may_be_settled(item, senders.get(item.sender))]
    now = hub.clock.now_us()
    if again:
        jobs = (Job(f"settle:{visit_id}:{now}", SETTLE, visit_id, now + NOTICED) for visit_id in again)
        await hub.store.commit(Changes(jobs=tuple(jobs)))
    return len(again)


def _may_be_settled(item: StoredReview, sender: Sender | None) -> bool:
    if sender is None:
        return False
    if item.unit is not None and sender.unit_status(item.unit) != "unknown":
        return True
    return not _REGISTERED.isdisjoint(one["code"] for one in json.loads(item.reasons))


# ---- counts


@dataclass(frozen=True, slots=True)
class DayCount:
    """The queue of one sender on one day, in the sender's own zone."""

    sender: str
    day: date
    opened: int = 0
    """Items that came into the queue."""
    listed: int = 0
    """Lines of the daily list."""
    suggested: int = 0
    """Of both, those that suggest other needs."""
    refer: int = 0
    not_ours: int = 0
    later: int = 0
    open: int = 0
    """Items of that day that are still open."""


async def counts(hub: Hub, since: int) -> list[DayCount]:
    """Items and answers per sender and day, from ``since`` (microseconds) on, the newest day first."""
    reviews = Reviews(hub.store.database)
    senders = (await hub.registry.current()).senders
    found: Counter[tuple[str, date, str]] = Counter()
    for item in await reviews.opened_since(since):
        day = _day(item.opened_at, senders.get(item.sender))
        found[item.sender, day, "listed" if item.kind == "list" else "opened"] += 1
        found[item.sender, day, "suggested"] += item.suggested is not None
        found[item.sender, day, "open"] += item.closed_at is None and item.kind == "queue"
    for given in await reviews.answers_since(since):
        found[given.sender, _day(given.at, senders.get(given.sender)), given.answer.replace("-", "_")] += 1
    days = sorted({key[:2] for key in found}, key=lambda key: (-key[1].toordinal(), key[0]))
    return [_day_count(sender, day, found) for sender, day in days]


def _day(at: int, sender: Sender | None) -> date:
    moment = from_micros(at)
    return (moment.astimezone(sender.zone()) if sender else moment).date()


def _day_count(sender: str, day: date, found: Counter[tuple[str, date, str]]) -> DayCount:
    names = ("opened", "listed", "suggested", "refer", "not_ours", "later", "open")
    return DayCount(sender, day, **{name: found[sender, day, name] for name in names})
