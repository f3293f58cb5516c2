"""A hub under random people, partners, hospital events, jumps of the clock and restarts: what must always hold.

The model is one page: never two owners of a need, never an open referral without a next look or a person who was
told, never a grant of a person's data without a decision on record, never a clock that a message turns back.
"""

import asyncio
import shutil
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.services.jobs import DueWork
from app.services.packets import card_codes
from app.services.writing import decoded
from app.store.queries import Query
from fhir_mappings.outreach import is_beside
from schemas.codes.local import OUTCOME, concept
from tests.contract.fhir_callers import Caller, caller, discharge
from tests.contract.passing_time import ALL, ALL_DAYS, FRIDAY, HUB, METHADONE, Course, opened, partner

Task = dict[str, Any]
NAMES: Final = ("HTEST Harbor OTP", "HTEST Dawn Clinic", "HTEST Late Clinic")
OPEN: Final = ("requested", "accepted", "on-hold")
TAKEN: Final = frozenset({"accepted", "in-progress", "on-hold", "completed"})
REASON: Final = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST reason"}}
OUTPUT: Final = {"op": "add", "path": "/output", "value": [{"type": {"text": "service"}, "valueString": "HTEST dose"}]}
MORE: Final = {"rejected": (REASON,), "on-hold": (REASON,), "failed": (REASON,), "completed": (OUTPUT,)}
OUTCOMES: Final = ("no-show", "arrived", "first-dose-given")
KINDS: Final = st.sampled_from(["discharge", "cancel-discharge", "update", "cancel-visit"])
DISPOSITIONS: Final = st.sampled_from(["home", "home", "home", "aadvice", "custody", "snf", "psy"])

UNDECIDED: Final = (
    "select count(*) from visibility v join party p on p.organization = v.organization "
    "join resource r on r.id = v.id where p.kind = 'partner' and v.decision is null "
    "and r.type not in ('Organization', 'Location', 'HealthcareService', 'PractitionerRole')"
)


class Following(RuleBasedStateMachine):
    """One hub on SQLite; every rule goes through its doors."""

    migrated: Path

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.url = f"sqlite:///{shutil.copy(self.migrated, Path(self.folder.name) / 'hub.db')}"
        self.number = 0
        self.now = FRIDAY
        self.people = 0

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(offers=st.sampled_from(["automatic", "confirmed"]), routed=st.booleans())
    def begin(self, offers: str, routed: bool) -> None:  # noqa: FBT001 - drawn by name
        self.settings = {"offers": offers, "routes": {"moud-continuation": NAMES[0]} if routed else {}}
        self.do(self._open())

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.course: Course = await self.stack.enter_async_context(opened(self.url, self.now))
        hours: tuple[Any, ...] = (ALL_DAYS, ["mon", "tue", "wed", "thu", "fri"], ["sat"])
        profiles = [partner(name, days=days) for name, days in zip(NAMES, hours, strict=True)]
        await self.course.register(*profiles, **self.settings)
        self.callers: dict[str, Caller] = {}

    # ---- what happens

    @rule(kind=KINDS, person=st.integers(0, 2), days=st.sampled_from([0, 3]), disposition=DISPOSITIONS)
    def the_hospital_tells(self, kind: str, person: int, days: int, disposition: str) -> None:
        self.number += 1
        bridges = [{"kind": "dispensed", "days": days}] if days else []
        stay = {"class": "IMP", "unit": "4W", "admitted_at": "2026-06-01T09:00:00-04:00", "disposition": disposition}
        left = {} if kind == "cancel-discharge" else {"discharged_at": FRIDAY.isoformat()}
        number = [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": f"HTEST-V{person:04d}"}]
        told = {"kind": kind, "event_id": f"HTEST-{self.number}", "occurred_at": self.now.isoformat()}
        visit = {**stay, **left, "identifiers": number}
        self.do(
            discharge(
                self.course.world,
                self.course.web,
                person,
                visit=visit,
                medications=[{**METHADONE, "bridges": bridges}],
                **told,
            )
        )

    @rule(
        name=st.sampled_from(NAMES),
        status=st.sampled_from([*sorted(TAKEN), "rejected", "failed"]),
        which=st.integers(0, 3),
    )
    def a_partner_answers(self, name: str, status: str, which: int) -> None:
        self.do(self._answer(name, status, which))

    async def _answer(self, name: str, status: str, which: int) -> None:
        there = await self._caller(self.course.partners[name])
        mine = [one for one in await there.search("Task") if one["resourceType"] == "Task"]
        if mine:
            task = mine[which % len(mine)]
            change = {"op": "replace", "path": "/status", "value": status}
            answer = await there.patch(f"Task/{task['id']}", change, *MORE.get(status, ()))
            assert answer.status_code in {200, 400, 409, 422}, answer.text

    @rule(name=st.sampled_from(NAMES), outcome=st.sampled_from(OUTCOMES), which=st.integers(0, 3))
    def a_partner_says_who_came(self, name: str, outcome: str, which: int) -> None:
        self.do(self._say(name, outcome, which))

    async def _say(self, name: str, outcome: str, which: int) -> None:
        there = await self._caller(self.course.partners[name])
        mine = [one for one in await there.search("Task") if one["resourceType"] == "Task"]
        if mine:
            task = mine[which % len(mine)]
            entry = {"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, outcome)}
            where, value = ("/output/-", entry) if "output" in task else ("/output", [entry])
            answer = await there.patch(f"Task/{task['id']}", {"op": "add", "path": where, "value": value})
            assert answer.status_code in {200, 409, 422}, answer.text

    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 2))
    def a_person_comes_with_the_card(self, name: str, which: int) -> None:
        self.do(self._come(name, which))

    async def _come(self, name: str, which: int) -> None:
        there = await self._caller(self.course.partners[name])
        sources = [task for task in await self.course.tasks() if "partOf" not in task]
        if sources:
            code = await card_codes.printed(self.course.hub, sources[which % len(sources)]["id"])
            body = [{"name": "code", "valueString": code}, {"name": "by", "valueString": "HTEST"}]
            answer = await there.post("Task/$patient-is-here", {"resourceType": "Parameters", "parameter": body})
            assert answer.status_code in {200, 404, 409, 422, 429}, answer.text

    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 2))
    def a_person_chooses(self, name: str, which: int) -> None:
        self.do(self._choose(name, which))

    async def _choose(self, name: str, which: int) -> None:
        hospital = await self._caller(self.course.world.mercy)
        sources = [task for task in await self.course.tasks() if "partOf" not in task]
        if sources:
            chosen = {"reference": f"Organization/{self.course.partners[name]}"}
            body = [{"name": "partner", "valueReference": chosen}, {"name": "by", "valueString": "HTEST"}]
            path = f"Task/{sources[which % len(sources)]['id']}/$ask"
            answer = await hospital.post(path, {"resourceType": "Parameters", "parameter": body})
            assert answer.status_code in {200, 422}, answer.text

    @rule(hours=st.integers(1, 40))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.do(self.course.until(self.now))

    @rule(hours=st.integers(1, 40))
    def the_worker_was_away(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.course.move(self.now)

    @rule()
    def the_hub_restarts(self) -> None:
        self.do(self.stack.aclose())
        self.do(self._open())

    async def _caller(self, organization: str) -> Caller:
        if organization not in self.callers or (await self.callers[organization].get("Task")).status_code == 401:
            scope = f"ingest {ALL}" if organization == self.course.world.mercy else ALL
            self.callers[organization] = await caller(self.course.world, self.course.web, organization, scope)
        return self.callers[organization]

    # ---- what must hold

    @invariant()
    def nobody_is_stuck_and_nobody_shares(self) -> None:
        if self.number:
            self.do(self._holds())

    async def _holds(self) -> None:
        while await DueWork(self.course.hub).run():
            pass
        database = self.course.hub.store.database
        reader = self.course.hub.store.reader(HUB)
        tasks = [decoded(row) for row in await reader.search(Query("Task", limit=500))]
        due = {row[0] for row in await database.fetch("select subject from job")}
        told = {row[0] for row in await database.fetch("select visit from review where closed_at is null")}
        visits = {row[0]: row[1] for row in await database.fetch("select request, visit from referral_visit")}
        for task in tasks:
            if "partOf" in task:
                continue
            mine = [one for one in tasks if one.get("partOf", [{}])[0].get("reference") == f"Task/{task['id']}"]
            children = [one for one in mine if not is_beside(one)]
            assert sum(child["status"] in TAKEN for child in children) <= 1, "two owners"
            visit = visits[task["focus"]["reference"].rpartition("/")[2]]
            assert task["status"] not in OPEN or visit in due or visit in told, (
                task["status"],
                "nobody looks, nobody knows",
            )
        undecided = await database.fetch(UNDECIDED)
        assert undecided[0][0] == 0, "a grant without a decision"

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.do(self.stack.aclose())
        self.loop.close()
        self.folder.cleanup()


def test_a_referral_is_never_lost_sight_of(migrated_sqlite: Path) -> None:
    Following.migrated = migrated_sqlite
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    told = settings(max_examples=12, stateful_step_count=25, suppress_health_check=checks)
    run_state_machine_as_test(Following, settings=told)
