"""Tells hospitals by HL7 v2 what became of their referrals: one queue for each, many at a time.

Of each referral the first answer that has not ended is looked at, decided, written, sent and noted, until there is
nothing left. What may be told is asked again for each attempt, so that what was written before a consent was taken back
is not sent after it. What leaves is on record before its first byte does. An answer leaves when the one before it was
acknowledged; where a hospital refuses one, its referral waits for a person, and no other does.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from typing import Final

from app import channels
from app.channels.base import Channel, Parcel, Receipt
from app.core import log
from app.core.ids import uuid7
from app.rules import answering, notifying
from app.services.answers import answer_facts
from app.services.answers.answer_facts import Referral
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.lane_watch import LaneWatch
from app.services.subscriptions.subscriptions import outside_of
from app.store.answers import Answer, AnswerQueue, Head
from schemas.sender import Answers, Sender

LEASE: Final = 120 * notifying.SECOND
"""Longer than any attempt may last."""
CHANNEL: Final = "hl7v2-out"
_TYPE: Final = "application/hl7-v2"
_AT_ONCE: Final = 10_000
"""Nobody waits for another hospital: what bounds is the next number."""
_PER_HOSPITAL: Final = 4
"""Referrals of one hospital that are told at a time: its engine sees so many connections from one process."""
_LOOKED_AT: Final = 64
"""Referrals of one hospital that are looked at together."""
_SWEEP_SECONDS: Final = 3600.0
_NOTED: Final = 90 * 86400 * notifying.SECOND
"""For so long an answer that has ended can be listed; the hub's own number."""
_MSH_10: Final = 20
"""Longest control id of versions before 2.7."""


class AnswerDelivery:
    """Serves the queues of referrals that no other process serves."""

    def __init__(self, hub: Hub, disclosures: Disclosures, queue: AnswerQueue, channel: Channel) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._queue = queue
        self._channel = channel
        self._doors: dict[str, asyncio.Semaphore] = {}

    async def due(self) -> Sequence[str]:
        """Referrals of which something is to be told now, each as hospital and source Task."""
        found = await self._queue.due(self._hub.clock.now_us(), _LOOKED_AT)
        return [f"{organization}/{task}" for organization, task in found]

    async def serve(self, lane: str) -> None:
        """Tell of one referral what is to be told now; at once over where another process does."""
        organization, _, task = lane.partition("/")
        async with self._doors.setdefault(organization, asyncio.Semaphore(_PER_HOSPITAL)):
            while head := await self._queue.claim(task, self._hub.clock.now_us(), LEASE):
                if not await self._take(head):
                    return

    async def release(self, lane: str) -> None:
        """It was broken off: the same message is sent again by whoever is next."""
        await self._queue.release(lane.partition("/")[2])

    async def postpone(self, lane: str) -> None:
        """After a fault of the hub itself: try again a little later."""
        now = self._hub.clock.now_us()
        if head := await self._queue.claim(lane.partition("/")[2], now, LEASE):
            await self._queue.failed(head.answer, "fault", now, now + notifying.pause(6, 0))

    async def sweep(self) -> None:
        """Drop the notes of answers that ended long ago and were followed by others."""
        await self._queue.sweep(self._hub.clock.now_us() - _NOTED)

    async def _take(self, head: Head) -> bool:
        """One answer; whether the next one of its referral may be looked at."""
        answer = head.answer
        told = await answer_facts.referral(self._hub, answer)
        if told is None:
            return await self._dropped(answer, "not-visible")
        directory = await self._hub.registry.current()
        sender = await answer_facts.receiver(self._hub, directory, told, answer.organization)
        if sender is None or sender.answers is None:
            return await self._dropped(answer, "no-receiver")
        progress = answering.progress_of(told.task, told.partner, covered=told.covered)
        if progress is None or not _is_wanted(progress, head, told, sender.answers):
            return await self._left_out(head, told, sender.answers)
        content = await self._content(head, told, progress, sender)
        if content is None:
            return False
        await self._disclosures.record(answer_facts.hospital(answer.organization), [told.row], "answer")
        wants = sender.answers
        parcel = Parcel(wants.to, content, _TYPE, seconds=wants.seconds, alone=wants.connection == "each")
        return await self._noted(answer, await self._channel.deliver(parcel))

    async def _left_out(self, head: Head, told: Referral, wants: Answers) -> bool:
        """Nothing is said: because nothing is new, or because what is new may not be told."""
        whole = answering.progress_of(told.task, told.partner, covered=True)
        if head.content is not None or (whole is not None and _is_wanted(whole, head, told, wants)):
            return await self._dropped(head.answer, "may-not-be-told")
        await self._queue.nothing_new(head.answer)
        return True

    async def _content(self, head: Head, told: Referral, progress: answering.Progress, sender: Sender) -> bytes | None:
        """The message: the very same as before, unless something else may be told now; kept before it leaves.

        None where another process has taken over.
        """
        answer, rendition = head.answer, head.answer.rendition
        if head.content is not None and answer.progress == progress.code:
            return self._hub.keys.open_raw(_bound(answer, rendition), head.content)
        if head.content is not None:
            rendition += 1
        control_id = self._control_id(answer, rendition)
        content = await answer_facts.written(self._hub, told, progress, sender, control_id)
        sealed = self._hub.keys.seal_raw(_bound(answer, rendition), content)
        return content if await self._queue.written(answer, progress.code, rendition, sealed) else None

    def _control_id(self, answer: Answer, rendition: int) -> str:
        """Always the same for the same message, and no other's; of letters that no receiver folds."""
        mac = self._hub.keys.mac("answers", answer.task, str(answer.version), str(rendition))
        return hashlib.sha256(mac.encode()).hexdigest()[:_MSH_10].upper()

    async def _noted(self, answer: Answer, receipt: Receipt) -> bool:
        now = self._hub.clock.now_us()
        if receipt.arrived:
            await self._queue.delivered(answer, now)
            return True
        count = answer.attempts + 1
        if receipt.refused:
            log.warning("answer.parked", organization=answer.organization, reason=receipt.reason, count=count)
            await self._queue.parked(answer, receipt.reason)
        else:
            log.warning("answer.not-delivered", organization=answer.organization, reason=receipt.reason, count=count)
            again = now + notifying.pause(count, secrets.randbelow(1000) / 1000)
            await self._queue.failed(answer, receipt.reason, now, again)
        return False

    async def _dropped(self, answer: Answer, reason: str) -> bool:
        log.info("answer.dropped", organization=answer.organization, reason=reason)
        await self._queue.dropped(answer, reason, self._hub.clock.now_us())
        return True


def _is_wanted(progress: answering.Progress, head: Head, told: Referral, wants: Answers) -> bool:
    if wants.needs and told.need not in wants.needs:
        return False
    return answering.is_news(progress, head.told, wants.verbosity)


def _bound(answer: Answer, rendition: int) -> str:
    return f"{answer.task}/{answer.version}/{rendition}"


async def run(hub: Hub, stop: asyncio.Event) -> None:
    """Tell hospitals until ``stop`` is set."""
    disclosures = Disclosures(hub.store)
    channel = channels.ALL[CHANNEL].open(outside_of(hub.settings))
    delivery = AnswerDelivery(hub, disclosures, AnswerQueue(hub.store.database, uuid7()), channel)

    async def close() -> None:
        await channel.close()
        await disclosures.stop()

    disclosures.start()
    watch = LaneWatch("answer", delivery, at_once=_AT_ONCE, sweep_seconds=_SWEEP_SECONDS)
    await watch.run(stop, close)
