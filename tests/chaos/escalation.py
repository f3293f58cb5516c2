"""A referral that nobody answers at first, from the discharge until the hospital knows of the dose.

One partner is asked, reminded and passed over, the next is asked and is silent too, the case manager is told and
chooses a fallback, the late yes is still welcome, the dose is given. What happened is in the versions of the Tasks; so
is what happened twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import orjson

from app import channels
from app.core.actor import Actor
from app.core.clock import Clock, from_micros
from app.core.crypto import Keys
from app.core.ids import uuid7
from app.services.answers.answer_lanes import CHANNEL, AnswerDelivery
from app.services.disclosures import Disclosures
from app.services.hub import Hub, Registry
from app.services.intake.intake import Intake
from app.services.jobs import DueWork
from app.services.partners import registration
from app.services.people.choices import Choices
from app.services.subscriptions.subscriptions import outside_of
from app.services.writing import Resource, decoded
from app.store.answers import AnswerQueue
from app.store.store import Store
from tests.chaos.story import KEYS, family, send
from tests.contract.answered import reported
from tests.contract.passing_time import ALL_DAYS, on, partner
from tests.hub_fixtures import FAST, patched

HARBOR, DAWN = "HTEST Harbor OTP", "HTEST Dawn Clinic"
VISIT: Final = 1
Act = tuple[str, str]
"""When (ISO 8601), and what."""
ACTS: Final[Sequence[Act]] = tuple(
    (moment.isoformat(), what)
    for moment, what in (
        (on("08", "13:20"), "discharged"),
        (on("09", "06:45"), "wait"),
        (on("09", "07:20"), "wait"),
        (on("09", "08:20"), "choose-fallback"),
        (on("09", "08:40"), "accepted"),
        (on("09", "09:20"), "in-progress"),
        (on("09", "09:40"), "completed"),
        (on("10", "12:00"), "wait"),
    )
)
_SCOPES: Final = frozenset({"system/*.cruds"})


async def settle_in(hub: Hub, answers_to: str) -> None:
    """The hospital with a fallback, and where it is answered; two partners that open at six each day."""
    both = [partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS)]
    await registration.import_partners(hub, orjson.dumps(both))
    sender = {"id": "mercy-adt", "organization": "HTEST Mercy", "dialect": "adt_generic", "match_msh": ["EPIC|MERCY"]}
    follows = {
        "routes": {"moud-continuation": HARBOR},
        "fallbacks": [{"kind": "return-for-dosing", "name": "HTEST Mercy ED", "phone": "555-0144"}],
        "answers": {"to": answers_to},
    }
    await registration.add_sender(hub, {**sender, "timezone": "America/New_York", "part2": "none", **follows})


def hub_at(store: Store, clock: Clock) -> Hub:
    """A hub over ``store`` whose time is that of ``clock``, on a loopback address."""
    settings = FAST.model_copy(update={"base_url": "http://127.0.0.1:8000"})
    return Hub(settings, store, Keys(KEYS), clock, Registry(store))


class Escalation:
    """One hub process that lives through it, or through what is left of it."""

    def __init__(self, store: Store, clock: Clock, say: Callable[..., None]) -> None:
        self._hub = hub_at(store, clock)
        self._say = say
        self._disclosures = Disclosures(store)

    async def go_on(self, acts: Sequence[Act]) -> None:
        """Time passes and everybody does what is theirs, in order; each is said once it is answered."""
        for moment, what in acts:
            await self._until(datetime.fromisoformat(moment))
            await self._do(what)
            self._say("ack", f"{moment}/{what}", "done")
        await self._disclosures.stop()

    async def _until(self, to: datetime) -> None:
        while (due := await self._due()) is not None and due <= to:
            self._move(max(due, self._hub.clock.now()))
            await DueWork(self._hub).run()
            await self._tell()
        self._move(max(to, self._hub.clock.now()))
        await self._tell()

    def _move(self, to: datetime) -> None:
        object.__setattr__(self._hub.clock, "offset_us", Clock.starting_at(to).offset_us)
        self._say("at", to.isoformat())

    async def _due(self) -> datetime | None:
        """When the next job can be claimed: what a killed process held is free when its lease ends."""
        free = "case when claimed_until > due_at then claimed_until else due_at end"
        rows = await self._hub.store.database.fetch(f"select min({free}) from job")
        return from_micros(rows[0][0]) if rows[0][0] is not None else None

    async def _tell(self) -> None:
        """What is due to be told to the hospital now leaves."""
        channel = channels.ALL[CHANNEL].open(outside_of(self._hub.settings))
        queue = AnswerQueue(self._hub.store.database, uuid7())
        delivery = AnswerDelivery(self._hub, self._disclosures, queue, channel)
        for lane in await delivery.due():
            await delivery.serve(lane)
        await channel.close()

    async def _do(self, what: str) -> None:
        if what == "discharged":
            for kind in ("RAS", "RDS", "A03"):
                assert await send(self._hub, Intake(self._hub), kind, VISIT) == "AA"
        elif what == "choose-fallback":
            await self._choose()
        elif what != "wait":
            more = [reported("first-dose-given")] if what == "completed" else []
            task = await self._last_asked()
            actor = Actor(task["owner"]["reference"].rpartition("/")[2], "HTEST-client", _SCOPES)
            await patched(self._hub, actor, task["id"], [*more, {"op": "replace", "path": "/status", "value": what}])

    async def _choose(self) -> None:
        source = decoded((await family(self._hub, VISIT))[0])
        actor = Actor(source["requester"]["reference"].rpartition("/")[2], "HTEST-hospital", _SCOPES)
        values = {"fallback": ("valueCode", "return-for-dosing"), "by": ("valueString", "HTEST Case Manager")}
        listed = [{"name": name, element: value} for name, (element, value) in values.items()]
        body = {"resourceType": "Parameters", "parameter": listed}
        await Choices(self._hub, self._disclosures).choose_fallback(actor, source["id"], body)

    async def _last_asked(self) -> Resource:
        children = [decoded(row) for row in (await family(self._hub, VISIT))[1:]]
        return max(children, key=lambda task: task["authoredOn"])
