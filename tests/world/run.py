"""Ninety days of a made-up world on a moved clock: ``python -m tests.world.run [--days N] [--seed N] [--json]``.

Partners ask the hub every half hour while they are open and answer as they do; a case manager looks at what waits
for a person every two hours of the day; people come, or don't. Everything goes through the hub's own doors. After
each hour nothing may be stuck: whoever waits has a next look, or a person was told.
"""

import argparse
import asyncio
import heapq
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, Final
from zoneinfo import ZoneInfo

import httpx
import orjson

from app.rules.hours import Calendar
from app.services.jobs import DueWork
from app.services.writing import decoded
from app.store import migrate
from app.store.queries import ColumnIn, Query
from fhir_mappings.outreach import is_outreach
from schemas.codes.local import CLOCK, OUTCOME, concept
from schemas.partner import PartnerProfile
from tests.contract.fhir_callers import Caller, caller
from tests.contract.passing_time import HUB, Course, opened
from tests.world.partners import PARTNERS, Partner
from tests.world.people import discharge

Json = dict[str, Any]
Step = Callable[[], Awaitable[None]]
START: Final = datetime(2026, 3, 2, 0, 0, tzinfo=ZoneInfo("America/New_York"))
"""A Monday; the clocks change on the Sunday after."""
_COMES: Final = 0.75
"""Who has a place comes to it: within 40 to 76 % in the published programs."""
_FOUND: Final = 0.05
"""Of those who did not come so many are found in each look of the case manager: half of them within two days."""
_FILLED: Final = 0.7
"""Of prescriptions of which nobody knows so many were filled. Both are the world's own."""
_FALLBACKS: Final = ({"kind": "return-for-dosing", "name": "HTEST Mercy ED", "phone": "555-0144"},)
_OPEN: Final = ("draft", "requested", "accepted", "on-hold")


@dataclass
class Figures:
    """What came of it."""

    discharges: int = 0
    seen: int = 0
    seen_before_gap: int = 0
    no_show: int = 0
    found: int = 0
    given_up: int = 0
    pick_ups: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    fallbacks: int = 0
    hours_to_place: list[float] = field(default_factory=list)
    open_samples: int = 0
    stat_samples: int = 0
    sought_samples: int = 0
    """Of who did not come and is looked for; their cover has mostly ended."""
    sought_stat_samples: int = 0
    most_open: int = 0
    stuck: int = 0
    jobs: int = 0


class World:
    """One run."""

    def __init__(self, course: Course, days: int, seed: int, per_day: float) -> None:
        self.course = course
        self.days = days
        self.chance = Random(seed)
        self.per_day = per_day
        self.figures = Figures()
        self._steps: list[tuple[datetime, int, Step]] = []
        self._number = 0
        self._callers: dict[str, Caller] = {}
        self._answering: set[str] = set()
        self._left_at: dict[str, datetime] = {}
        self._told: set[tuple[str, str]] = set()
        self._awaited: dict[str, Partner] = {}
        self.zone = ZoneInfo("America/New_York")

    async def run(self, progress: Callable[[int], None]) -> Figures:
        """All days, and a week in which what is open comes to its end."""
        self._plan()
        end = START + timedelta(days=self.days + 7)
        while self._steps and self._steps[0][0] <= end:
            at, _, step = heapq.heappop(self._steps)
            await self._pass(at)
            await step()
            progress((at - START).days)
        await self._pass(end)
        return self.figures

    # ---- time

    def _at(self, when: datetime, step: Step) -> None:
        self._number += 1
        heapq.heappush(self._steps, (when, self._number, step))

    async def _pass(self, to: datetime) -> None:
        while (due := await self.course.due()) is not None and due <= to:
            self.course.move(max(due, self.course.hub.clock.now()))
            self.figures.jobs += await DueWork(self.course.hub).run()
        self.course.move(max(to, self.course.hub.clock.now()))

    def _plan(self) -> None:
        number = 0
        for day in range(self.days):
            midnight = START.replace(tzinfo=None) + timedelta(days=day)
            for _ in range(self._how_many()):
                number += 1
                minute = int(self.chance.triangular(9 * 60, 22 * 60, 15 * 60))
                at = (midnight + timedelta(minutes=minute)).replace(tzinfo=self.zone)
                self._at(at, self._discharge(number, at))
        for hour in range((self.days + 7) * 24):
            at = START + timedelta(hours=hour)
            self._at(at, self._look_around)
            if 8 <= hour % 24 <= 18 and hour % 2 == 0:
                self._at(at + timedelta(minutes=5), self._case_manager)
        for partner in PARTNERS:
            profile = PartnerProfile.model_validate(partner.profile)
            assert profile.intake_hours is not None
            calendar = Calendar.of(profile.intake_hours, self.zone)
            for half_hour in range((self.days + 7) * 48):
                at = START + timedelta(minutes=30 * half_hour + 7)
                if calendar.open_at(at) and not partner.behaviour.is_down(half_hour // 48):
                    self._at(at, self._poll(partner, calendar))

    def _how_many(self) -> int:
        whole = int(self.per_day)
        return whole + (self.chance.random() < self.per_day - whole)

    # ---- who does what

    def _discharge(self, number: int, at: datetime) -> Step:
        async def step() -> None:
            headers = await self._hospital()
            content = json.dumps(discharge(number, at, self.chance))
            answer = await self.course.web.post("/ingest/events?sender=mercy-adt", content=content, headers=headers)
            assert answer.status_code in {201, 202}, answer.text
            self.figures.discharges += 1
            if answer.json()["referral"]:
                self._left_at[answer.json()["referral"]] = at

        return step

    async def _hospital(self) -> dict[str, str]:
        there = await self._caller(self.course.world.mercy)
        return there.headers | {"content-type": "application/json"}

    async def _caller(self, organization: str) -> Caller:
        """A token lasts an hour of the hub's time."""
        held = self._callers.get(organization)
        if held is None or (await held.get("Task?_count=1")).status_code == 401:
            scope = "ingest system/*.cruds" if organization == self.course.world.mercy else "system/*.cruds"
            held = self._callers[organization] = await caller(self.course.world, self.course.web, organization, scope)
        return held

    def _poll(self, partner: Partner, calendar: Calendar) -> Step:
        async def step() -> None:
            there = await self._caller(self.course.partners[partner.name])
            mine = f"owner=Organization/{there.organization}"
            for task in await there.search(f"Task?{mine}&status=requested&_count=50"):
                if task["id"] not in self._answering:
                    self._answering.add(task["id"])
                    self.figures.asked[partner.name] += 1
                    self._will_answer(partner, calendar, task["id"])

        return step

    def _will_answer(self, partner: Partner, calendar: Calendar, task: str) -> None:
        how = partner.behaviour
        draw = self.chance.randrange(100)
        says = "accepted" if draw < how.accepts else "rejected" if draw < how.accepts + how.rejects else ""
        minutes = timedelta(minutes=self.chance.randint(*how.minutes))
        at = calendar.after(self.course.hub.clock.now(), minutes)
        if says and at is not None:
            self._at(at, self._answer(partner, calendar, task, says))
        else:
            self.figures.answers["silent"] += 1

    def _answer(self, partner: Partner, calendar: Calendar, task: str, says: str) -> Step:
        async def step() -> None:
            there = await self._caller(self.course.partners[partner.name])
            change: list[Json] = [{"op": "replace", "path": "/status", "value": says}]
            if says == "rejected":
                change.append({"op": "add", "path": "/statusReason", "value": {"text": "No place is free."}})
            answer = await there.patch(f"Task/{task}", *change)
            late = answer.status_code != 200
            self.figures.answers["too late" if late else says] += 1
            if says == "accepted" and not late:
                self._accepted(partner, calendar, task, answer.json())

        return step

    def _accepted(self, partner: Partner, calendar: Calendar, task: str, body: Json) -> None:
        now = self.course.hub.clock.now()
        if body["status"] != "accepted":
            self.figures.answers["not selected"] += 1
            return
        self.figures.hours_to_place.append((now - datetime.fromisoformat(body["authoredOn"])) / timedelta(hours=1))
        opens = calendar.next_open(now + timedelta(minutes=30))
        if opens is None:
            return
        if self.chance.random() < _COMES:
            self._at(opens + timedelta(minutes=self.chance.randint(0, 90)), self._comes(partner, task))
        else:
            self._at(opens + timedelta(days=1), self._stays_away(partner, task))

    def _comes(self, partner: Partner, task: str) -> Step:
        async def step() -> None:
            there = await self._caller(self.course.partners[partner.name])
            await there.patch(f"Task/{task}", {"op": "replace", "path": "/status", "value": "in-progress"})
            answer = await self._says(there, task, "first-dose-given", "completed")
            if answer.status_code == 200:
                self.figures.seen += 1
                gap = answer.json().get("restriction", {}).get("period", {}).get("end")
                self.figures.seen_before_gap += bool(gap) and self.course.hub.clock.now() <= datetime.fromisoformat(gap)

        return step

    def _stays_away(self, partner: Partner, task: str) -> Step:
        async def step() -> None:
            there = await self._caller(self.course.partners[partner.name])
            answer = await self._says(there, task, "no-show")
            self.figures.no_show += answer.status_code == 200
            self._awaited[task] = partner

        return step

    async def _says(self, there: Caller, task: str, outcome: str, status: str = "") -> httpx.Response:
        """Put an outcome out, after those that are there, and end the Task with it where ``status`` says so."""
        held = await there.read(f"Task/{task}")
        entry = {"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, outcome)}
        where, value = ("/output/-", entry) if "output" in held else ("/output", [entry])
        changes: list[Json] = [{"op": "add", "path": where, "value": value}]
        changes += [{"op": "replace", "path": "/status", "value": status}] if status else []
        return await there.patch(f"Task/{task}", *changes)

    # ---- the case manager

    async def _case_manager(self) -> None:
        """Asks at pharmacies, looks for who did not come, and chooses a fallback where nobody can be asked in time."""
        hospital = await self._caller(self.course.world.mercy)
        for task in await self._own_tasks():
            if "partOf" not in task:
                await self._asks_the_pharmacy(hospital, task)
            elif is_outreach(task):
                await self._looks_for(hospital, task)
        await self._chooses(hospital)

    async def _own_tasks(self) -> list[Json]:
        query = Query("Task", (ColumnIn("status", (*_OPEN, "in-progress")),), limit=5000)
        return [decoded(row) for row in await self.course.hub.store.reader(HUB).search(query)]

    async def _asks_the_pharmacy(self, hospital: Caller, task: Json) -> None:
        asked = (part for one in task.get("extension", ()) for part in one.get("extension", ()) if part["url"] == "ask")
        if not any(part.get("valueCode") == "confirm-pick-up" for part in asked) or task["status"] == "draft":
            return
        said = concept(CLOCK, "picked-up" if self.chance.random() < _FILLED else "not-picked-up")
        entry = {"type": concept(CLOCK, "pick-up"), "valueCodeableConcept": said}
        where, value = ("/output/-", entry) if "output" in task else ("/output", [entry])
        answer = await hospital.patch(f"Task/{task['id']}", {"op": "add", "path": where, "value": value})
        self.figures.pick_ups += answer.status_code == 200

    async def _looks_for(self, hospital: Caller, task: Json) -> None:
        """A try in each look; who is found comes when the partner opens next, who is not in three days is given up."""
        if task["status"] == "requested":
            await hospital.patch(f"Task/{task['id']}", {"op": "replace", "path": "/status", "value": "accepted"})
            await hospital.patch(f"Task/{task['id']}", {"op": "replace", "path": "/status", "value": "in-progress"})
            return
        child = task["basedOn"][0]["reference"].rpartition("/")[2]
        partner = self._awaited[child]
        if self.chance.random() < _FOUND:
            await self._says(hospital, task["id"], "reached", "completed")
            self.figures.found += 1
            calendar = Calendar.of(PartnerProfile.model_validate(partner.profile).intake_hours or [], self.zone)
            opens = calendar.next_open(self.course.hub.clock.now() + timedelta(minutes=30))
            assert opens is not None
            self._at(opens + timedelta(minutes=self.chance.randint(0, 90)), self._comes(partner, child))
        elif self.course.hub.clock.now() - datetime.fromisoformat(task["authoredOn"]) > timedelta(hours=72):
            why = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST could not be found"}}
            for gone in (task["id"], task["partOf"][0]["reference"].rpartition("/")[2]):
                status = "failed" if gone == task["id"] else "cancelled"
                await hospital.patch(f"Task/{gone}", {"op": "replace", "path": "/status", "value": status}, why)
            self.figures.given_up += 1

    async def _chooses(self, hospital: Caller) -> None:
        rows = await self.course.hub.store.database.fetch(
            "select r.reasons, v.request from review r join referral_visit v on v.visit = r.visit "
            "where r.closed_at is null"
        )
        for reasons, request in rows:
            codes = {one["code"] for one in orjson.loads(reasons)}
            if codes.isdisjoint({"no-slot-before-gap", "nobody-left", "no-answer"}):
                continue
            tasks = await hospital.search(f"Task?focus=ServiceRequest/{request}")
            for task in tasks:
                if "note" not in task and task["status"] == "requested":
                    await self._choose(hospital, task["id"])

    async def _choose(self, hospital: Caller, task: str) -> None:
        told = [
            {"name": "fallback", "valueCode": "return-for-dosing"},
            {"name": "by", "valueString": "HTEST Case manager"},
        ]
        answer = await hospital.post(f"Task/{task}/$choose-fallback", {"resourceType": "Parameters", "parameter": told})
        self.figures.fallbacks += answer.status_code == 200

    async def _look_around(self) -> None:
        """Each hour: how many are open, how many of them at ``stat``, and whether one is stuck."""
        query = Query("Task", (ColumnIn("status", _OPEN),), limit=5000)
        found = [decoded(row) for row in await self.course.hub.store.reader(HUB).search(query)]
        waiting = [task for task in found if "partOf" not in task]
        self.figures.most_open = max(self.figures.most_open, len(waiting))
        self.figures.open_samples += len(waiting)
        self.figures.stat_samples += sum(task.get("priority") == "stat" for task in waiting)
        sought = [task for task in waiting if _is_sought(task)]
        self.figures.sought_samples += len(sought)
        self.figures.sought_stat_samples += sum(task.get("priority") == "stat" for task in sought)
        database = self.course.hub.store.database
        due = {row[0] for row in await database.fetch("select subject from job")}
        open_rows = "select visit, reasons from review where closed_at is null"
        told = {row[0]: row[1] for row in await database.fetch(open_rows)}
        visits = {row[0]: row[1] for row in await database.fetch("select request, visit from referral_visit")}
        for visit, reasons in told.items():
            for one in orjson.loads(reasons):
                if (visit, one["code"]) not in self._told:
                    self._told.add((visit, one["code"]))
                    self.figures.told[one["code"]] += 1
        for task in waiting:
            visit = visits[task["focus"]["reference"].rpartition("/")[2]]
            if visit not in due and visit not in told:
                self.figures.stuck += 1


def _is_sought(task: Json) -> bool:
    return any(one.get("code") == "no-show" for one in task.get("businessStatus", {}).get("coding", ()))


def _percent(part: int, whole: int) -> float:
    return round(100 * part / max(1, whole), 1)


async def ninety_days(days: int, seed: int, per_day: float, progress: Callable[[int], None]) -> Figures:
    """The world on a SQLite file of its own."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'world.db'}"
        await migrate.upgrade(url)
        async with opened(url, START) as course:
            await course.register(*(one.profile for one in PARTNERS), fallbacks=list(_FALLBACKS))
            return await World(course, days, seed, per_day).run(progress)


def shown(figures: Figures, days: int, seconds: float) -> Json:
    """The figures as they are reported."""
    places = figures.hours_to_place
    return {
        "days": days,
        "discharges": figures.discharges,
        "places found": len(places),
        "hours to a place, median": round(median(places), 2) if places else None,
        "seen": figures.seen,
        "seen before the cover ended": figures.seen_before_gap,
        "did not come": figures.no_show,
        "found / given up after three days": f"{figures.found} / {figures.given_up}",
        "pick-ups confirmed": figures.pick_ups,
        "asked": dict(figures.asked.most_common()),
        "answers": dict(figures.answers.most_common()),
        "a person was told": dict(figures.told.most_common()),
        "fallbacks chosen": figures.fallbacks,
        "most open at once": figures.most_open,
        "open at stat, percent of open hours": _percent(figures.stat_samples, figures.open_samples),
        "the same without those who are looked for": _percent(
            figures.stat_samples - figures.sought_stat_samples, figures.open_samples - figures.sought_samples
        ),
        "stuck": figures.stuck,
        "due jobs done": figures.jobs,
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """From the command line; progress on stderr, figures on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--per-day", type=float, default=3)
    asked = parser.parse_args()
    begun = monotonic()
    last = -1

    def progress(day: int) -> None:
        nonlocal last
        if day != last:
            last = day
            sys.stderr.write(f"\rday {day} of {asked.days}")
            sys.stderr.flush()

    figures = asyncio.run(ninety_days(asked.days, asked.seed, asked.per_day, progress))
    sys.stderr.write("\n")
    sys.stdout.write(json.dumps(shown(figures, asked.days, monotonic() - begun), indent=1) + "\n")


if __name__ == "__main__":
    main()
