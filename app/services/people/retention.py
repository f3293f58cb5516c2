"""The weekly list by which a partner is asked whether the people whom it has taken came and are still in care.

The list is made anew at each look, from the partner's own Tasks; what is shown is kept under a hash of it, so that
"all still here" answers exactly what was on it, however late it is said. An answer is an output of the partner's Task:
``services.tasks`` decides what of it the hospital is told. Nobody is asked of whom the hospital may be told nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Final, Literal, NamedTuple, cast

from app.core import json
from app.core.actor import Actor
from app.core.clock import micros
from app.core.errors import Conflict, Deleted, Forbidden, NotFound, PreconditionFailed, Unavailable, Unprocessable
from app.rules import retention
from app.rules.codings import codes_in, need_in
from app.rules.lifecycle import ENGAGED
from app.services.answers.ways_back import way_back, ways_back
from app.services.disclosures import Disclosures, note
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.interactions import Planned, Wanted, carried_out
from app.services.reading.reads import not_found
from app.services.scopes import allows, require
from app.services.writes import tasks
from app.services.writes.resource_plans import current_row
from app.services.writes.retention_rows import local_day, said_of
from app.services.writing import Resource, decoded
from app.store.database import Gone
from app.store.queries import ColumnIn, ColumnIs, ColumnMissing, Query, Row, notices_of
from app.store.retention import ShownList
from fhir_mappings.outreach import is_beside
from schemas.codes.local import BUSINESS_STATUS
from schemas.partner import PartnerProfile

_SYSTEM: Final = Actor.system("retention")
_MANY: Final = 2000
"""So many Tasks of one partner are looked at."""
_TAKEN: Final = tuple(sorted((ENGAGED - {"on-hold"}) | {"completed"}))
_STILL_THERE: Final = frozenset({"discharge-cancelled", "visit-cancelled", "admitted", "consent-withdrawn"})
"""Marks of a Task whose person has not left the hospital, or of which nothing more is told."""
_ANSWER: Final = "Parameters.parameter.where(name='answer')"
Became = Literal["answered", "known", "refused", "left-open"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One person on a list."""

    task: str
    patient: str
    """Reference."""
    name: str = field(repr=False)
    """As the partner may read it; empty where it may not."""
    point: retention.Point
    due: date


@dataclass(frozen=True, slots=True)
class StillHere:
    """One list."""

    id: str
    organization: str
    week: date
    entries: Sequence[Entry]
    notices: tuple[str, ...] = ()
    """Those that must travel with what is shown of the people."""


@dataclass(frozen=True, slots=True)
class Told:
    """What of one person is told: a code of the answer, and the day on which it was so, where that is not today."""

    answer: str
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a partner says of a list."""

    list: str
    by: str
    """Who vouches for it."""
    rest_here: bool = False
    """Everybody on the list of whom nothing else is said is there."""
    told: Mapping[str, Told] = field(default_factory=dict)
    """By the id of the partner's Task."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry: ``known`` was said before, ``left-open`` is asked again next week."""

    task: str
    point: str
    became: Became
    answer: str = ""
    why: str = ""


class Retention:
    """Asks and is answered."""

    def __init__(self, hub: Hub, disclosures: Disclosures, feed: Feed) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._feed = feed

    # ---- what is asked

    async def listed(self, actor: Actor, organization: str) -> StillHere:
        """The list of this week, of what isn't known yet; it is on record that it was shown.

        Raises Forbidden (the token), NotFound (not the organisation of the token, or no partner), Unavailable.
        """
        require(actor, "Task", "r")
        profile, own = await self._partner(actor, organization)
        week = retention.asked_on(profile.still_here_on, local_day(profile, self._hub.clock.now()))
        rows = await self._taken(own, profile)
        found = await self._asked(rows, profile, week)
        shown = self._named(organization, week, found)
        try:
            await self._hub.store.retention(_SYSTEM).keep(shown)
        except Gone as error:
            raise Unavailable("The list can't be kept, so it is not shown; try again.") from error
        readable = found if allows(actor, "Patient", "r") else ()
        people = await self._people(own, [rows[task] for task in readable])
        listed = [self._entry(decoded(rows[task]), people, one) for task, one in found.items()]
        seen = [*(rows[task] for task in found), *people.values()]
        if actor.is_system:
            await note(self._hub.store, actor, "still-here", [row.id for row in seen])
        else:
            await self._disclosures.record(own, seen, "still-here")
        return StillHere(shown.id, organization, week, listed, notices_of(seen))

    async def _partner(self, actor: Actor, organization: str) -> tuple[PartnerProfile, Actor]:
        """The partner, and the actor by whose eyes its Tasks are read."""
        profile = (await self._hub.registry.current()).partners.get(organization)
        if profile is None or actor.organization not in {None, organization}:
            not_found()
        return profile, actor if actor.organization else replace(actor, organization=organization, purpose="TREAT")

    async def _taken(self, actor: Actor, profile: PartnerProfile) -> dict[str, Row]:
        """The Tasks that the partner has taken and may see whole, and of which the hospital may be told."""
        since = self._hub.clock.now() - retention.HORIZON
        conditions = (
            ColumnIn("owner", (f"Organization/{actor.organization}",)),
            ColumnIn("status", _TAKEN),
            ColumnMissing("part_of", missing=False),
            ColumnIs("last_updated", "ge", micros(since)),
        )
        rows = await self._hub.store.reader(actor).search(Query("Task", conditions, limit=_MANY))
        found = {row.id: (row, decoded(row)) for row in rows if row.level == "full"}
        told = await ways_back(self._hub, [task for _, task in found.values()])
        return {
            one: row
            for one, (row, task) in found.items()
            if one in told and not (is_beside(task) or _is_marked(task)) and _asked_on(task, profile) >= since.date()
        }

    async def _asked(
        self, rows: Mapping[str, Row], profile: PartnerProfile, week: date
    ) -> dict[str, retention.Standing]:
        children = [decoded(row) for row in rows.values()]
        said = await said_of(self._hub, children, profile)
        needs = await self._needs(children)
        people = [
            (
                str(child["for"]["reference"]),
                str(child["id"]),
                retention.Followed(
                    _asked_on(child, profile),
                    retention.who_doses(needs.get(child["id"], ""), profile.needs),
                    said[child["id"]],
                ),
            )
            for child in children
        ]
        return retention.weekly(people, week)

    async def _needs(self, children: Sequence[Resource]) -> dict[str, str]:
        """Child Task to the code of what was asked for."""
        requests = {child["focus"]["reference"].rpartition("/")[2]: child["id"] for child in children}
        rows = await self._hub.store.reader(_SYSTEM).by_ids(sorted(requests))
        return {requests[row.id]: need_in(decoded(row)) for row in rows}

    def _named(self, organization: str, week: date, found: Mapping[str, retention.Standing]) -> ShownList:
        entries = tuple(sorted((task, str(one.point)) for task, one in found.items()))
        text = json.dumps([list(one) for one in entries]).decode()
        key = self._hub.keys.mac("retention-list", organization, week.isoformat(), text)
        return ShownList(key, organization, week.isoformat(), entries, self._hub.clock.now_us())

    async def _people(self, actor: Actor, rows: Sequence[Row]) -> dict[str, Row]:
        """The Patients of these Tasks, as far as the caller may read them."""
        wanted = sorted({decoded(row)["for"]["reference"].rpartition("/")[2] for row in rows})
        found = await self._hub.store.reader(actor).by_ids(wanted) if wanted else []
        return {row.id: row for row in found if not row.deleted}

    @staticmethod
    def _entry(task: Resource, people: Mapping[str, Row], asked: retention.Standing) -> Entry:
        patient = str(task["for"]["reference"])
        row = people.get(patient.rpartition("/")[2])
        names = decoded(row).get("name", ()) if row else ()
        said = " ".join((*names[0].get("given", ()), names[0].get("family", ""))).strip() if names else ""
        return Entry(
            task=task["id"],
            patient=patient,
            name=said,
            point=cast("retention.Point", asked.point),
            due=cast("date", asked.due),
        )

    # ---- what is answered

    async def answer(self, actor: Actor, organization: str, told: Answers) -> list[Outcome]:
        """Take the answers to a list: each person by itself, so that what is refused of one harms no other.

        Twice the same is once. Who is not on the list is not answered by it, and of who was answered meanwhile
        ``rest_here`` says nothing. An answer that comes late is taken.

        Raises Forbidden, NotFound (no such list of this partner), Unprocessable (somebody who is not on it, or an
        answer that does not go with what is asked; nothing is taken then).
        """
        require(actor, "Task", "u")
        profile, own = await self._partner(actor, organization)
        shown = await self._hub.store.retention(_SYSTEM).shown(told.list, organization)
        if shown is None:
            raise NotFound(
                "No list of this id was shown to this organisation.", path="Parameters.parameter.where(name='list')"
            )
        points = {task: cast("retention.Point", point) for task, point in shown.entries}
        today = local_day(profile, self._hub.clock.now())
        refuse(told, points, today)
        to = _To(own, profile, shown, told, retention.asked_on(profile.still_here_on, today).isoformat())
        self._disclosures.access(own, "still-here", list(points))
        try:
            return [await self._one(to, task, points[task]) for task in points]
        finally:
            self._feed.doubt(organization)

    async def _one(self, to: "_To", task: str, point: retention.Point) -> Outcome:
        given = to.told.told.get(task)
        answer = given.answer if given else retention.still_here(point) if to.told.rest_here else None
        if answer is None:
            return Outcome(task, point, "left-open")
        plan = partial(self._plan, to, task, point, answer)
        try:
            planned, _ = await carried_out(self._hub, plan, "this Task")
        except (NotFound, Deleted, Forbidden, Conflict, Unprocessable) as error:
            return Outcome(task, point, "refused", answer, error.message)
        return Outcome(task, point, "answered" if planned else "known", answer)

    async def _plan(self, to: "_To", task: str, point: retention.Point, answer: str) -> Sequence[Planned]:
        """The Task with one more output, and the row that says who vouches for it; nothing where it is known."""
        given = to.told.told.get(task)
        row = await current_row(self._hub, to.own, "Task", task)
        current = decoded(row)
        if row.level != "full" or await way_back(self._hub, current) is None:
            raise Unprocessable("No consent lets the hospital be told of this person any more: nothing is taken.")
        said = (await said_of(self._hub, [current], to.profile))[task]
        if retention.is_known(said, point, answer if given else None):
            return []
        wanted = Wanted("Task", task, lambda seen: retention.answered(seen, point, answer), row.version)
        try:
            planned = await tasks.plan(self._hub, to.own, wanted)
        except PreconditionFailed:
            raise Conflict("The Task changed after it was looked at whether this is known.") from None
        if planned.changes is None:
            return []
        day = given.on.isoformat() if given and given.on else None
        kept = tuple(
            row._replace(day=day or row.day, by=to.told.by, list=to.shown.id, week=to.week)
            for row in planned.changes.retention
        )
        # It is told whether it was taken; the Task itself is read by whoever wants it.
        return [replace(planned, changes=planned.changes._replace(retention=kept, disclosures=()))]


class _To(NamedTuple):
    """Whose answers to which list are taken."""

    own: Actor
    profile: PartnerProfile
    shown: ShownList
    told: Answers
    week: str
    """Day of the list that holds now: who is answered for by an older one isn't asked about again before the next."""


def refuse(told: Answers, points: Mapping[str, retention.Point], today: date) -> None:
    """Unprocessable where an answer is to something that is not asked, or can't be."""
    for task, one in told.told.items():
        point = points.get(task)
        if point is None:
            raise Unprocessable("An answer is about somebody who is not on this list.", path=_ANSWER)
        if one.answer not in retention.answers(point):
            allowed = ", ".join(retention.answers(point))
            raise Unprocessable(f"To {point} the answers are: {allowed}.", path=_ANSWER)
        if one.on is not None and not today - retention.HORIZON <= one.on <= today:
            raise Unprocessable("A day that is over, and not long ago.", path=_ANSWER)


def _asked_on(task: Resource, profile: PartnerProfile) -> date:
    return local_day(profile, datetime.fromisoformat(task["authoredOn"]))


def _is_marked(task: Resource) -> bool:
    return not _STILL_THERE.isdisjoint(codes_in(task.get("businessStatus"), BUSINESS_STATUS))
