"""Gives partners' own FHIR servers what they are asked, and reads there what becomes of it: one lane for each Task.

A turn reads the Task there, has the hub's Task say what it says, and then gives what is new: the request itself, what
the partner may see now, or that it was taken back. What may be seen is decided anew at every turn, and is on record
before its first byte leaves. That a request has begun is kept before it leaves; each resource is found there again by
the hub's identifier. So a turn that is broken off anywhere is simply taken once more.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app import channels
from app.channels.base import Channel
from app.core import log
from app.core.actor import Actor
from app.core.clock import iso
from app.core.http import retry_after
from app.core.ids import uuid7
from app.rules import notifying, pushing
from app.rules.lifecycle import TERMINAL
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.lane_watch import LaneWatch
from app.services.packets.packets import permits_of, reachable
from app.services.push import pushes
from app.services.push.push_following import Following, There
from app.services.push.remote_server import NotDone, RemoteServer, SignIns
from app.services.subscriptions.subscriptions import outside_of
from app.services.writing import Resource, decoded
from app.store.pushes import Push, PushQueue
from app.store.queries import Row, notices_of
from fhir_mappings import push_bundle
from fhir_mappings.packet import said_with
from schemas.packs.base import headers as notice_headers
from schemas.partner_server import PartnerServer
from schemas.pushed import Pushed

LEASE: Final = 120 * notifying.SECOND
"""Longer than any turn may last."""
CHANNEL: Final = "fhir-push"
SCOPES: Final = frozenset({"system/*.cruds"})
_SYSTEM: Final = Actor.system("push")
_AT_ONCE: Final = 1000
_PER_PARTNER: Final = 2
"""Lanes of one partner that are served at a time: its server sees so many requests at once from one process."""
_LOOKED_AT: Final = 64
_TURN_SECONDS: Final = 110.0
_SWEEP_SECONDS: Final = 3600.0
_MISSHAPEN: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What comes of JSON in which something is not of the kind that FHIR has it; what was written of it stays whole."""
_HOUR: Final = 3600 * notifying.SECOND


@dataclass(frozen=True, slots=True)
class _Turn:
    """One lane, with what bears on it now."""

    push: Push
    known: Pushed
    actor: Actor
    child: Resource
    rows: Sequence[Row]
    """What the partner may see of it."""
    given: push_bundle.Given
    remote: RemoteServer

    @property
    def server(self) -> PartnerServer:
        return self.remote.server


class PushDelivery:
    """Serves the lanes that no other process serves."""

    def __init__(self, hub: Hub, disclosures: Disclosures, queue: PushQueue, channel: Channel) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._queue = queue
        self._channel = channel
        self._sign_ins = SignIns(hub, channel)
        self._following = Following(hub, disclosures)
        self._doors: dict[str, asyncio.Semaphore] = {}
        self._transactions: dict[str, tuple[bool, int]] = {}

    async def due(self) -> Sequence[str]:
        """Lanes that are to be looked at now, each as partner and Task."""
        found = await self._queue.due(self._hub.clock.now_us(), _LOOKED_AT)
        return [f"{organization}/{task}" for organization, task in found]

    async def serve(self, lane: str) -> None:
        """Do for one Task what is to be done now; at once over where another process does."""
        organization, _, task = lane.partition("/")
        async with self._doors.setdefault(organization, asyncio.Semaphore(_PER_PARTNER)):
            push = await self._queue.claim(task, self._hub.clock.now_us(), LEASE)
            if push is not None:
                await self._take(push, Pushed.model_validate_json(push.known or "{}"))

    async def release(self, lane: str) -> None:
        """It was broken off: the turn is taken once more by whoever is next."""
        await self._queue.release(lane.partition("/")[2])

    async def postpone(self, lane: str) -> None:
        """After a fault of the hub itself: try again a little later."""
        now = self._hub.clock.now_us()
        push = await self._queue.claim(lane.partition("/")[2], now, LEASE)
        if push is not None:
            await self._queue.failed(push, "fault", now, now + notifying.pause(6, 0))

    async def sweep(self) -> None:
        """Nothing: there is one row for each Task, which has the Task's place there if it ever goes on."""

    # ---- one turn

    async def _take(self, push: Push, known: Pushed) -> None:
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                turn = await self._turn(push, known)
                if isinstance(turn, str):
                    await self._queue.ended(push, turn, known.model_dump_json())
                else:
                    await self._done(turn)
        except NotDone as error:
            await self._failed(push, known, error)
        except TimeoutError:
            await self._failed(push, known, NotDone("timeout", refused=False))
        except _MISSHAPEN as error:
            log.error("push.not-fhir", error, organization=push.organization)
            await self._failed(push, known, NotDone("not-fhir", refused=True))

    async def _turn(self, push: Push, known: Pushed) -> _Turn | str:
        """What bears on it; or why nothing is done for it any more."""
        directory = await self._hub.registry.current()
        profile = directory.partners.get(push.organization)
        server = profile.pushes_to if profile is not None else None
        if server is None:
            return "no-server"
        actor = Actor(push.organization, CHANNEL, SCOPES)
        reader = self._hub.store.reader(actor)
        seen = await reader.read("Task", push.task)
        if seen is None or seen.deleted:
            return "not-visible"
        rows = await reachable(reader, seen)
        permits = await permits_of(self._hub.store.decisions(_SYSTEM), rows)
        members = [decoded(row) for row in rows]
        notices = notices_of(rows)
        said = said_with(members, notices, permits)
        given = push_bundle.Given(members, push.task, base=self._hub.settings.fhir_base, server=server, said=said)
        remote = RemoteServer(self._channel, self._sign_ins, push.organization, server, notice_headers(notices))
        return _Turn(push, known, actor, decoded(seen), rows, given, remote)

    async def _done(self, turn: _Turn) -> None:
        """All that is to be done now. Raises NotDone."""
        there: Resource | None = None
        if turn.known.task is not None:
            there = await self._read(turn, turn.known.task)
            trouble = await self._followed(turn, turn.known.task, there)
            if there is not None:
                turn.known.status = str(there.get("status"))
            if trouble is not None:
                await self._parked(turn.push, turn.known, trouble)
                return
            turn = await self._again(turn)
        known = turn.known
        step = pushing.next_step(
            pushing.Standing(
                ours=turn.child["status"],
                theirs=known.status if known.task is not None else None,
                begun=known.begun,
                news=turn.given.digest != known.given,
                taken_back=known.taken_back,
            )
        )
        match step:
            case "end":
                await self._queue.ended(turn.push, "over", known.model_dump_json())
                return
            case "find":
                known = await self._found(turn)
            case "update" if there is None:
                # It became news while this turn went on: the next one reads first what is there.
                pass
            case "create" | "update":
                known = await self._given(turn, there)
            case "take-back":
                known = await self._taken_back(turn, there)
            case "rest":
                pass
        pause = 0 if known.status is None and known.begun else pushing.pause_of(turn.child.get("priority", "routine"))
        now = self._hub.clock.now_us()
        await self._queue.rested(turn.push, known.model_dump_json(), now + pause)

    async def _read(self, turn: _Turn, place: str) -> Resource | None:
        """The Task there; None where it is as it was, and nothing of it is needed."""
        over = turn.child["status"] in TERMINAL
        needed = turn.known.status is None or turn.given.digest != turn.known.given or over
        there, tag = await turn.remote.read(place, None if needed else turn.known.tag)
        turn.known.tag = tag
        return there

    async def _followed(self, turn: _Turn, place: str, there: Resource | None) -> str | None:
        """A code where what is said there can't be said here."""
        if there is None:
            return None
        members = {**turn.known.members, turn.given.task: place}
        trouble = await self._following.take(
            turn.child, There(turn.actor, turn.remote, there, turn.known.status, place, members)
        )
        if trouble is None and turn.known.abort is not None:
            answer, _ = await turn.remote.read(turn.known.abort)
            refused = answer is not None and answer.get("status") in {"rejected", "failed"}
            return "cancel-refused" if refused else None
        return trouble

    async def _again(self, turn: _Turn) -> _Turn:
        """The same after the hub's Task may have changed."""
        again = await self._turn(turn.push, turn.known)
        return turn if isinstance(again, str) else again

    # ---- what leaves

    async def _recorded(self, turn: _Turn) -> None:
        """It is on record, and that it has begun is kept; only then may it leave."""
        await self._disclosures.record(turn.actor, turn.rows, "push")
        turn.known.begun = True
        if not await self._queue.kept(turn.push, turn.known.model_dump_json()):
            raise NotDone("taken-over", refused=False)

    async def _given(self, turn: _Turn, there: Resource | None) -> Pushed:
        """The request, or what is new of it."""
        unsure = turn.known.begun and turn.known.task is None
        await self._recorded(turn)
        members = await self._at_once(turn, there) if await self._whole(turn) else None
        if members is None:
            members = await self._one_by_one(turn, there)
        return turn.known.model_copy(
            update={
                "members": members,
                "task": members[turn.given.task],
                # What may have arrived before is there as it was given then: it is given once more.
                "given": "" if unsure else turn.given.digest,
                "status": turn.known.status if there is not None else None,
                "tag": None,
            }
        )

    async def _whole(self, turn: _Turn) -> bool:
        """Whether the server takes transactions; asked once an hour."""
        now = self._hub.clock.now_us()
        takes, until = self._transactions.get(turn.server.root, (False, 0))
        if until <= now:
            takes = await turn.remote.takes_transactions()
            self._transactions[turn.server.root] = takes, now + _HOUR
        return takes

    async def _at_once(self, turn: _Turn, there: Resource | None) -> dict[str, str] | None:
        """All in one transaction; None where the server takes none of this kind, or none so long."""
        try:
            answer = await turn.remote.transaction(turn.given.transaction(there, turn.known.tag))
        except NotDone as error:
            if not pushing.part_by_part(error.reason):
                raise
            self._transactions[turn.server.root] = False, self._hub.clock.now_us() + _HOUR
            return None
        made = push_bundle.made_of(answer, [*turn.given.members])
        if made is None:
            raise NotDone("not-what-was-asked", refused=True)
        return made

    async def _one_by_one(self, turn: _Turn, there: Resource | None) -> dict[str, str]:
        """Each resource by itself, the Task last: nobody is asked before all is there."""
        remote, given = turn.remote, turn.given
        places: dict[str, str] = {}
        for name in [one for one in given.in_order() if one != given.task]:
            resource = given.given(name, None, places)
            query = given.found_by(name)
            found = turn.known.members.get(name) or await remote.find(name.partition("/")[0], query)
            if found is None:
                found = await remote.create(resource, query)
            else:
                await remote.update(found, resource)
            places[name] = found
        task = given.given(given.task, there, places)
        if turn.known.task is None:
            return {**places, given.task: await remote.create(task, given.found_by(given.task))}
        await remote.update(turn.known.task, task, turn.known.tag)
        return {**places, given.task: turn.known.task}

    async def _found(self, turn: _Turn) -> Pushed:
        """Whether a request that is over has arrived after all; it is taken back then."""
        place = await turn.remote.find("Task", turn.given.found_by(turn.given.task))
        return turn.known.model_copy(update={"task": place, "begun": place is not None})

    async def _taken_back(self, turn: _Turn, there: Resource | None) -> Pushed:
        """The Task there, or a Cancellation Request Task, says that the request is taken back."""
        await self._recorded(turn)
        if there is None or turn.known.task is None:
            raise NotDone("not-what-was-asked", refused=False)
        if pushing.asks_to_abort(turn.server.cancels, str(there.get("status"))):
            base, now = self._hub.settings.fhir_base, iso(self._hub.clock.now_us())
            asked = push_bundle.abort(turn.child, there, base=base, now=now)
            place = await turn.remote.create(asked, turn.given.found_by(f"{turn.given.task}-abort"))
            return turn.known.model_copy(update={"taken_back": True, "abort": place})
        told = push_bundle.taken_back(turn.child, there, turn.server)
        await turn.remote.update(turn.known.task, told, turn.known.tag)
        return turn.known.model_copy(update={"taken_back": True, "status": told["status"], "tag": None})

    # ---- what fails

    async def _failed(self, push: Push, known: Pushed, error: NotDone) -> None:
        now, count = self._hub.clock.now_us(), push.attempts + 1
        # What failed before for another reason says nothing of whether this one will pass.
        times = count if error.reason == push.reason else 1
        outcome = pushing.after_failure(error.reason, times, push.failing_since, now, refused=error.refused)
        if outcome == "parked":
            await self._parked(push, known, error.reason)
            return
        log.warning("push.not-done", organization=push.organization, reason=error.reason, count=count)
        asked = retry_after(error.headers, self._hub.clock.now())
        pause = pushing.wait(count, secrets.randbelow(1000) / 1000, asked)
        await self._queue.failed(push, error.reason, now, now + pause)

    async def _parked(self, push: Push, known: Pushed, reason: str) -> None:
        """A person must look; the visit is looked at, so that somebody else is asked where nobody was reached."""
        count = push.attempts + 1
        log.warning("push.parked", organization=push.organization, reason=reason, count=count)
        await self._queue.parked(push, reason, known.model_dump_json())
        await pushes.look_at(self._hub, push.task)


async def run(hub: Hub, stop: asyncio.Event) -> None:
    """Push and follow until ``stop`` is set."""
    disclosures = Disclosures(hub.store)
    channel = channels.ALL[CHANNEL].open(outside_of(hub.settings))
    delivery = PushDelivery(hub, disclosures, PushQueue(hub.store.database, uuid7()), channel)

    async def close() -> None:
        await channel.close()
        await disclosures.stop()

    disclosures.start()
    watch = LaneWatch("push", delivery, at_once=_AT_ONCE, sweep_seconds=_SWEEP_SECONDS)
    await watch.run(stop, close)
