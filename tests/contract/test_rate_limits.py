"""More than somebody may send is answered by 429 and when to come back, and costs nobody else anything (68)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.actor import Actor
from app.core.clock import monotonic
from app.core.errors import TooManyRequests
from app.main import attach, create_app
from app.services.clients import rate
from app.services.clients.rate import Buckets, Limits, place_of
from tests.hub_fixtures import FAST, World

GRANT = {"grant_type": "client_credentials"}
TASKS = "/fhir/R4/Task"


class Watch:
    """A clock that is put on by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = monotonic()
        monkeypatch.setattr(rate, "monotonic", lambda: self._now)

    def later(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


# ---- a bucket


def test_a_bucket_holds_what_may_come_at_once_and_fills_by_its_rate() -> None:
    buckets = Buckets(2.0, 3.0)
    for _ in range(3):
        assert buckets.wait("a", 100.0) == 0
        buckets.take("a", 100.0)
    assert buckets.wait("a", 100.0) == pytest.approx(0.5)
    assert buckets.wait("b", 100.0) == 0
    assert buckets.wait("a", 100.5) == 0
    buckets.take("a", 200.0)
    assert [buckets.wait("a", 200.0), buckets._known["a"].left] == [0, 2.0]


def test_what_is_taken_without_asking_makes_no_debt() -> None:
    buckets = Buckets(1.0, 1.0)
    for _ in range(50):
        buckets.take("a", 0.0)
    assert buckets.wait("a", 1.0) == 0


def test_no_more_buckets_are_kept_than_fit() -> None:
    buckets = Buckets(1.0, 1.0)
    for number in range(rate._KEPT + 5):
        buckets.take(str(number), 0.0)
    assert len(buckets._known) == rate._KEPT
    assert buckets.wait("0", 0.0) == 0


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_one_address_is_one_caller_and_with_ipv6_one_network(address: str, expected: str) -> None:
    assert place_of(address) == expected


# ---- requests of known clients


@dataclass(frozen=True, slots=True)
class Door:
    """A hub with limits."""

    web: httpx.AsyncClient
    world: World

    async def statuses(self, headers: dict[str, str], count: int) -> list[int]:
        return [(await self.web.get(TASKS, headers=headers)).status_code for _ in range(count)]


@pytest_asyncio.fixture
async def door(world: World, watch: Watch) -> AsyncIterator[Door]:
    assert watch
    settings = FAST.model_copy(update={"rate_per_client": 2.0, "rate_per_organization": 3.0})
    app = create_app(settings)
    attach(app, replace(world.hub, settings=settings))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as web:
        yield Door(web, world)


async def test_a_client_that_asks_too_often_is_told_when_to_come_back(door: Door, watch: Watch) -> None:
    headers = await door.world.bearer(door.world.harbor, "system/*.rs")
    assert await door.statuses(headers, 4) == [200] * 4
    refused = await door.web.get(TASKS, headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["resourceType"] == "OperationOutcome"
    assert refused.json()["issue"][0]["code"] == "throttled"
    assert await door.statuses(headers, 2) == [429, 429]
    watch.later(1.0)
    assert await door.statuses(headers, 3) == [200, 200, 429]


async def test_a_storm_of_one_organisation_costs_no_other_one_anything(door: Door) -> None:
    world = door.world
    storm = [await world.bearer(world.harbor, "system/*.rs") for _ in range(3)]
    calm = await world.bearer(world.mercy, "system/*.rs")
    answers = await asyncio.gather(*(door.statuses(headers, 10) for headers in storm))
    assert sum(status == 200 for row in answers for status in row) == 6
    assert await door.statuses(calm, 4) == [200] * 4


async def test_the_entries_of_a_batch_are_requests_too(door: Door) -> None:
    headers = await door.world.bearer(door.world.harbor, "system/*.rs")
    entries = [{"request": {"method": "GET", "url": "Task"}}] * 6
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = await door.web.post("/fhir/R4", json=bundle, headers=headers | {"content-type": "application/fhir+json"})
    assert [entry["response"]["status"][:3] for entry in answer.json()["entry"]].count("429") == 3


async def test_tokens_are_requests_of_their_client_too(door: Door) -> None:
    made = await door.world.client(door.world.harbor, "ingest")
    other = await door.world.client(door.world.harbor, "ingest")

    async def ask(client: str, secret: str) -> httpx.Response:
        return await door.web.post("/oauth/token", data=GRANT, auth=(client, secret))

    answers = [await ask(made.client_id, made.client_secret) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]
    assert (answers[-1].json()["error"], answers[-1].headers["retry-after"]) == ("temporarily_unavailable", "1")
    assert answers[-1].headers["cache-control"] == "no-store"
    # Whoever only names a client uses up nothing of what is its own.
    assert [(await ask(other.client_id, "wrong")).status_code for _ in range(8)] == [401] * 8
    assert (await ask(other.client_id, other.client_secret)).status_code == 200


async def test_what_needs_no_token_is_not_counted(door: Door) -> None:
    assert {(await door.web.get("/fhir/R4/metadata")).status_code for _ in range(20)} == {200}


def test_without_a_rate_there_is_no_limit_and_the_hub_itself_never_has_one() -> None:
    free, tight = Limits(FAST), Limits(FAST.model_copy(update={"rate_per_client": 0.01}))
    for _ in range(1000):
        free.request(Actor("o", "c"))
        tight.request(Actor.system("test"))
    tight.request(Actor("o", "c"))
    with pytest.raises(TooManyRequests) as error:
        tight.request(Actor("o", "c"))
    assert error.value.seconds == 100


# ---- failed logins, always


def failures(limits: Limits, client: str, address: str, most: int) -> int:
    """How many wrong secrets are looked at before no more are."""
    for number in range(most):
        try:
            limits.login(client, address)
        except TooManyRequests:
            return number
        limits.failed(client, address)
    return most


def test_a_secret_can_be_guessed_at_a_hundred_times_and_then_once_a_second(watch: Watch) -> None:
    limits = Limits(FAST)
    assert failures(limits, "c", "192.0.2.1", 200) == 100
    assert failures(limits, "c", "192.0.2.2", 100) == 0
    watch.later(1.01)
    assert failures(limits, "c", "192.0.2.3", 100) == 1


def test_an_address_can_try_a_thousand_clients(watch: Watch) -> None:
    limits = Limits(FAST)
    assert watch
    assert sum(failures(limits, f"c{number}", "192.0.2.1", 1) for number in range(1500)) == 1000
    assert failures(limits, "c0", "192.0.2.2", 1) == 1


def test_nobody_locks_a_client_out_of_where_it_has_logged_in(watch: Watch) -> None:
    limits = Limits(FAST)
    assert watch
    limits.proved("c", "192.0.2.1")
    failures(limits, "c", "198.51.100.9", 200)
    assert sum(failures(limits, f"c{number}", "192.0.2.1", 1) for number in range(1500)) == 1000
    assert failures(limits, "c", "192.0.2.1", 200) == 100


async def test_a_wrong_secret_and_an_unknown_client_are_held_back_alike(
    web: httpx.AsyncClient, world: World, watch: Watch
) -> None:
    assert watch
    made = await world.client(world.mercy, "ingest")
    answers: list[list[httpx.Response]] = [[], []]
    for _ in range(101):
        for told, client in zip(answers, (made.client_id, "nobody"), strict=True):
            told.append(await web.post("/oauth/token", data=GRANT, auth=(client, "wrong")))
    for told in answers:
        assert [answer.status_code for answer in told] == [401] * 100 + [429]
    assert len({(answer.content, answer.headers["retry-after"]) for answer in (answers[0][-1], answers[1][-1])}) == 1
    right = await web.post("/oauth/token", data=GRANT, auth=(made.client_id, made.client_secret))
    assert right.status_code == 429


async def test_made_up_tokens_are_held_back_and_a_good_one_from_the_same_address_is_not(
    app: FastAPI, web: httpx.AsyncClient, world: World, watch: Watch
) -> None:
    assert watch
    app.state.limits._tokens = Buckets(1.0, 3.0)
    good = await world.bearer(world.harbor, "system/*.rs")
    made_up = [(await web.get(TASKS, headers={"authorization": f"Bearer {number}"})).status_code for number in range(5)]
    assert made_up == [401] * 3 + [429] * 2
    assert (await web.get(TASKS, headers=good)).status_code == 200
    fresh = await world.bearer(world.harbor, "system/*.rs")
    assert (await web.get(TASKS, headers=fresh)).status_code == 200
    assert (await web.get(TASKS)).status_code == 401
