"""A search that is asked again is answered from memory only where that is certain to be the same answer.

Each Bundle has an id of its own, so that the same id twice says that the same answer was given twice.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.clock import Clock
from app.core.ids import uuid7
from app.main import attach, create_app
from app.services.clients import accounts
from app.services.feed import Feed
from app.services.hub import Hub, Registry
from app.store.changes import Changes, Grant, ResourceChange
from app.store.store import Store, connect
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.hub_fixtures import World

WAIT = 10.0
SECOND = 1_000_000
ON_POSTGRESQL = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
"""Nothing is kept on SQLite, which can't tell of a change."""


class LateFeed(Feed):
    """A feed whose notifications can be held back on their way."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.held: list[str] | None = None

    def _hear(self, payload: str) -> None:
        if self.held is None:
            super()._hear(payload)
        else:
            self.held.append(payload)

    def release(self) -> None:
        held, self.held = self.held or [], None
        for payload in held:
            self._hear(payload)


@pytest.fixture
def app(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    made = create_app(hub.settings)
    with monkeypatch.context() as patched:
        patched.setattr("app.main.Feed", LateFeed)
        attach(made, hub)
    return made


@pytest_asyncio.fixture
async def feed(app: FastAPI) -> AsyncIterator[LateFeed]:
    made: LateFeed = app.state.feed
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient, feed: LateFeed) -> Caller:
    await discharge(world, web, 1)
    made = await caller(world, web, world.harbor)
    await heard(feed, made)
    return made


async def heard(feed: Feed, asker: Caller) -> None:
    """Wait until the feed knows what the database does; on SQLite that is never."""
    reader = feed._database
    async with asyncio.timeout(WAIT):
        while reader.name == "postgresql":
            rows = await reader.fetch("select seq from audience where organization = $1", asker.organization)
            if feed.changed(asker.organization) == rows[0][0]:
                return
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def elsewhere(database_url: str, world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Another process over the same database."""
    store = connect(database_url, Clock())
    hub = Hub(world.hub.settings, store, world.hub.keys, Clock(), Registry(store))
    other = create_app(hub.settings)
    attach(other, hub)
    transport = httpx.ASGITransport(other, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield client
    await store.close()


async def bundle(asker: Caller, query: str = "Task", **headers: str) -> Resource:
    answer = await asker.get(query, **headers)
    assert answer.status_code == 200, answer.text
    body: Resource = answer.json()
    return body


def statuses(found: Resource) -> list[str]:
    return [entry["resource"]["status"] for entry in found.get("entry", [])]


def ahead(world: World, seconds: float) -> None:
    """Let the hub's clocks show a later time."""
    for clock in (world.hub.clock, world.hub.store.clock):
        object.__setattr__(clock, "offset_us", int(seconds * SECOND))


async def lend(world: World, resource: Resource, seconds: float) -> None:
    """The partner sees ``resource`` only for some seconds more."""
    until = world.hub.clock.now_us() + int(seconds * SECOND)
    consent = ResourceChange(uuid7(), "Consent", 1, b'},"status":"active"}')
    await world.hub.store.commit(
        Changes(resources=(consent,), grants=(Grant(world.harbor, resource["id"], until=until),))
    )


# ---- while nothing changes


@ON_POSTGRESQL
@pytest.mark.parametrize(
    "query",
    [
        "Task",
        "Task?status=requested&_count=50",
        "Task?_include=Task:focus&_total=accurate",
        "Patient",
        "Task?status=accepted",
    ],
)
async def test_the_same_question_has_the_same_answer_while_nothing_changes(query: str, harbor: Caller) -> None:
    first, again = await harbor.get(query), await harbor.get(query)
    assert first.json()["id"] == again.json()["id"]
    assert first.content == again.content
    for name in ("etag", "content-type", "content-length", "cache-control"):
        assert first.headers[name] == again.headers[name]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


@ON_POSTGRESQL
async def test_a_further_page_is_kept_like_the_first(harbor: Caller, world: World, web: httpx.AsyncClient) -> None:
    await discharge(world, web, 2)
    await heard(web_feed(web), harbor)
    first = await bundle(harbor, "Task?_count=1")
    (following,) = [link["url"] for link in first["link"] if link["relation"] == "next"]
    query = f"Task?{following.partition('?')[2]}"
    assert (await bundle(harbor, query))["id"] == (await bundle(harbor, query))["id"]


def web_feed(web: httpx.AsyncClient) -> Feed:
    transport: Any = web._transport
    feed: Feed = transport.app.state.feed
    return feed


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_on_sqlite_nothing_is_kept(harbor: Caller) -> None:
    assert (await bundle(harbor))["id"] != (await bundle(harbor))["id"]


@ON_POSTGRESQL
async def test_the_content_type_is_that_of_the_request_and_not_of_the_kept_answer(harbor: Caller) -> None:
    first = await harbor.get("Task")
    again = await harbor.get("Task", accept="application/json")
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["content-type"].startswith("application/fhir+json")
    assert again.headers["content-type"].startswith("application/json")
    assert (await harbor.get("Task", accept="text/html")).status_code == 406


@ON_POSTGRESQL
async def test_a_lenient_question_is_another_one(harbor: Caller) -> None:
    assert (await harbor.get("Task?_unknown=1", prefer="handling=lenient")).status_code == 200
    assert (await harbor.get("Task?_unknown=1")).status_code == 400


@ON_POSTGRESQL
async def test_that_a_client_has_it_is_no_answer_for_one_that_has_not(
    harbor: Caller, elsewhere: httpx.AsyncClient
) -> None:
    """A validator of another process is believed and remembered; its body is not here."""
    tag = (await Caller(elsewhere, harbor.organization, harbor.headers).get("Task")).headers["etag"]
    for _ in range(2):
        assert (await harbor.get("Task", if_none_match=tag)).status_code == 304
    for other in ({}, {"if_none_match": '"another"'}):
        answer = await harbor.get("Task", **other)
        assert answer.status_code == 200
        assert answer.headers["etag"] == tag
        assert len(answer.json()["entry"]) == 1
    assert (await harbor.get("Task", if_none_match=tag)).status_code == 304


@ON_POSTGRESQL
async def test_a_remembered_validator_ends_with_what_it_stands_for(
    harbor: Caller, elsewhere: httpx.AsyncClient, feed: LateFeed, world: World
) -> None:
    (task,) = await harbor.search("Task")
    await lend(world, task, 60)
    await heard(feed, harbor)
    tag = (await Caller(elsewhere, harbor.organization, harbor.headers).get("Task?_count=9")).headers["etag"]
    for _ in range(2):
        assert (await harbor.get("Task?_count=9", if_none_match=tag)).status_code == 304
    ahead(world, 61)
    assert (await harbor.get("Task?_count=9", if_none_match=tag)).json()["total"] == 0


@ON_POSTGRESQL
async def test_every_look_is_counted(harbor: Caller, app: FastAPI, world: World) -> None:
    tag = (await harbor.get("Task")).headers["etag"]
    for _ in range(3):
        await harbor.get("Task")
    for _ in range(2):
        assert (await harbor.get("Task", if_none_match=tag)).status_code == 304
    await app.state.disclosures.flush()
    rows = await world.hub.store.database.fetch(
        "select sum(count) from access_log where organization = $1 and interaction = 'search'", world.harbor
    )
    assert int(rows[0][0]) == 6


@ON_POSTGRESQL
async def test_an_answer_whose_disclosure_could_not_be_recorded_is_not_kept(
    harbor: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> dict[str, int]:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(world.hub.store.database, "write", away)
        assert (await harbor.get("Task")).status_code >= 500
        assert (await harbor.get("Task")).status_code >= 500
    assert len((await bundle(harbor))["entry"]) == 1
    rows = await world.hub.store.database.fetch("select count(*) from disclosure where organization = $1", world.harbor)
    assert rows[0][0] == 1


# ---- after a change


@ON_POSTGRESQL
async def test_a_change_by_another_process_replaces_the_answer_as_soon_as_it_is_heard(
    harbor: Caller, elsewhere: httpx.AsyncClient, feed: LateFeed
) -> None:
    first = await harbor.get("Task")
    (task,) = [entry["resource"] for entry in first.json()["entry"]]
    there = Caller(elsewhere, harbor.organization, harbor.headers)
    assert (await there.set_status(task, "accepted")).status_code == 200
    await heard(feed, harbor)
    again = await harbor.get("Task", if_none_match=first.headers["etag"])
    assert again.status_code == 200
    assert statuses(again.json()) == ["accepted"]
    assert (await bundle(harbor))["id"] == again.json()["id"]


@ON_POSTGRESQL
async def test_a_change_of_what_was_included_replaces_the_answer(
    harbor: Caller, elsewhere: httpx.AsyncClient, feed: LateFeed
) -> None:
    query = "ServiceRequest?_include=ServiceRequest:based-on&_include:iterate=ServiceRequest:subject"
    first = await bundle(harbor, query)
    (task,) = await harbor.search("Task")
    there = Caller(elsewhere, harbor.organization, harbor.headers)
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no place"}}
    assert (await there.set_status(task, "rejected", reason)).status_code == 200
    await heard(feed, harbor)
    again = await bundle(harbor, query)
    kinds = [[entry["resource"]["resourceType"] for entry in found["entry"]] for found in (first, again)]
    assert kinds == [["ServiceRequest", "Patient"], ["ServiceRequest"]]


@ON_POSTGRESQL
async def test_what_an_organisation_changed_itself_it_sees_at_once(harbor: Caller, feed: LateFeed) -> None:
    first = await harbor.get("Task")
    (task,) = [entry["resource"] for entry in first.json()["entry"]]
    feed.held = []
    assert (await harbor.set_status(task, "accepted")).status_code == 200
    again = await harbor.get("Task", if_none_match=first.headers["etag"])
    assert again.status_code == 200
    assert statuses(again.json()) == ["accepted"]
    assert statuses(await bundle(harbor)) == ["accepted"]
    feed.release()
    await heard(feed, harbor)
    now = await bundle(harbor)
    assert statuses(now) == ["accepted"]
    assert (await bundle(harbor))["id"] == now["id"]


@ON_POSTGRESQL
async def test_after_an_own_change_a_beat_that_was_sent_before_proves_nothing(harbor: Caller, feed: LateFeed) -> None:
    assert feed.changed(harbor.organization) is not None
    feed.held = []
    async with asyncio.timeout(WAIT):
        while not feed._sent:  # noqa: ASYNC110 - a beat that is under way has no event to wait for
            await asyncio.sleep(0.01)
    before = set(feed._sent)
    feed.doubt(harbor.organization)
    for number in before:
        feed.held = None
        feed._hear(f"{feed._name} {number}")
        feed.held = []
    assert feed.changed(harbor.organization) is None
    assert feed.changed("another") == 0
    feed.release()
    await heard(feed, harbor)


# ---- whose answer it is


@ON_POSTGRESQL
async def test_no_answer_is_shared_between_clients_or_organisations(
    harbor: Caller, world: World, web: httpx.AsyncClient
) -> None:
    colleague = await caller(world, web, world.harbor)
    mercy = await caller(world, web, world.mercy)
    await heard(web_feed(web), mercy)
    ids = [(await bundle(asker))["id"] for asker in (harbor, colleague, mercy) for _ in range(2)]
    assert len(set(ids)) == 3
    assert ids[::2] == ids[1::2]


@ON_POSTGRESQL
async def test_a_token_that_covers_less_gets_nothing_of_what_its_client_was_given(
    harbor: Caller, world: World, web: httpx.AsyncClient
) -> None:
    made = await world.client(world.harbor, "system/Task.rs ingest")
    tokens = [
        (await accounts.exchange(world.hub, made.client_id, made.client_secret, scope)).token
        for scope in ("system/Task.rs", "ingest")
    ]
    reads, sends = (Caller(web, world.harbor, {"authorization": f"Bearer {token}"}) for token in tokens)
    tag = (await reads.get("Task")).headers["etag"]
    assert (await reads.get("Task", if_none_match=tag)).status_code == 304
    assert (await sends.get("Task")).status_code == 403
    assert (await sends.get("Task", if_none_match=tag)).status_code == 403
    stranger = Caller(harbor.web, harbor.organization, {"authorization": "Bearer nobody"})
    assert (await stranger.get("Task", if_none_match=tag)).status_code == 401


@ON_POSTGRESQL
@pytest.mark.usefixtures("harbor")
async def test_what_came_along_for_a_wider_token_is_not_kept_for_a_narrower_one(
    world: World, web: httpx.AsyncClient
) -> None:
    made = await world.client(world.harbor, "system/*.rs")
    tokens = [
        (await accounts.exchange(world.hub, made.client_id, made.client_secret, scope)).token
        for scope in ("system/*.rs", "system/Task.rs")
    ]
    wide, narrow = (Caller(web, world.harbor, {"authorization": f"Bearer {token}"}) for token in tokens)
    for _ in range(2):
        answer = await wide.get("Task?_include=Task:focus")
        assert "ServiceRequest" in {one["resource"]["resourceType"] for one in answer.json()["entry"]}
    less = await narrow.get("Task?_include=Task:focus", if_none_match=answer.headers["etag"])
    assert less.status_code == 200
    assert "ServiceRequest" not in {one["resource"]["resourceType"] for one in less.json()["entry"]}


@ON_POSTGRESQL
async def test_a_search_by_post_has_the_answer_of_the_same_search_by_get(harbor: Caller) -> None:
    form = harbor.headers | {"content-type": "application/x-www-form-urlencoded"}
    posted = await harbor.web.post(f"{FHIR}/Task/_search", content="status=requested", headers=form)
    assert posted.json()["id"] == (await bundle(harbor, "Task?status=requested"))["id"]


# ---- until when (on both databases: a validator must not outlive what it stands for)


async def test_an_answer_holds_no_longer_than_what_it_shows_is_visible(
    harbor: Caller, feed: LateFeed, world: World
) -> None:
    (task,) = await harbor.search("Task")
    await lend(world, task, 60)
    await heard(feed, harbor)
    first = await harbor.get("Task")
    assert (await harbor.get("Task", if_none_match=first.headers["etag"])).status_code == 304
    ahead(world, 61)
    again = await harbor.get("Task", if_none_match=first.headers["etag"])
    assert (again.status_code, again.json()["total"]) == (200, 0)
    assert (await bundle(harbor))["total"] == 0
    assert (await harbor.get("Task", if_none_match=again.headers["etag"])).status_code == 304


@ON_POSTGRESQL
async def test_an_answer_with_an_end_is_kept_until_then(harbor: Caller, feed: LateFeed, world: World) -> None:
    (task,) = await harbor.search("Task")
    await lend(world, task, 60)
    await heard(feed, harbor)
    first = await bundle(harbor)
    ahead(world, 59)
    assert (await bundle(harbor))["id"] == first["id"]
    ahead(world, 61)
    assert (await bundle(harbor))["id"] != first["id"]


async def test_what_is_included_ends_the_answer_too(harbor: Caller, feed: LateFeed, world: World) -> None:
    (patient,) = await harbor.search("Patient")
    await lend(world, patient, 60)
    await heard(feed, harbor)
    query = "Task?_include=Task:patient"
    first = await harbor.get(query)
    assert len(first.json()["entry"]) == 2
    ahead(world, 61)
    again = await harbor.get(query, if_none_match=first.headers["etag"])
    assert again.status_code == 200
    assert len(again.json()["entry"]) == 1


@pytest.mark.parametrize("query", ["Task?_count=1", "Task?_count=1&code:not=other"])
async def test_what_only_makes_a_further_page_ends_the_answer_too(
    query: str, harbor: Caller, feed: LateFeed, world: World, web: httpx.AsyncClient
) -> None:
    await discharge(world, web, 2)
    *_, last = await harbor.search("Task?_sort=_lastUpdated")
    await lend(world, last, 60)
    await heard(feed, harbor)
    first = await harbor.get(query)
    assert len(first.json()["link"]) == 2
    ahead(world, 61)
    again = await harbor.get(query, if_none_match=first.headers["etag"])
    assert again.status_code == 200
    assert len(again.json()["link"]) == 1
    assert again.json()["total"] == 1


@pytest.mark.parametrize("query", ["Task?_count=1&_total=accurate", "Task?_count=1&_total=accurate&code:not=other"])
async def test_what_is_only_counted_ends_the_answer_too(
    query: str, harbor: Caller, feed: LateFeed, world: World, web: httpx.AsyncClient
) -> None:
    for number in (2, 3):
        await discharge(world, web, number)
    *_, last = await harbor.search("Task?_sort=_lastUpdated")
    await lend(world, last, 60)
    await heard(feed, harbor)
    first = await harbor.get(query)
    ahead(world, 61)
    again = await harbor.get(query, if_none_match=first.headers["etag"])
    assert [answer.json()["total"] for answer in (first, again)] == [3, 2]


async def test_any_tag_stands_for_an_answer_that_can_be_given(harbor: Caller) -> None:
    answer = await harbor.get("Task", if_none_match="*")
    assert answer.status_code == 304
    assert answer.headers["etag"] == (await harbor.get("Task")).headers["etag"]


@pytest.mark.parametrize("tail", [".1", ".x", ".", ".99999999999999999999999", ".-5", '.9"x'])
async def test_a_tag_with_an_end_of_another_form_or_in_the_past_is_not_believed(tail: str, harbor: Caller) -> None:
    tag = (await harbor.get("Task")).headers["etag"]
    assert (await harbor.get("Task", if_none_match=f'{tag[:-1]}{tail}"')).status_code == 200
