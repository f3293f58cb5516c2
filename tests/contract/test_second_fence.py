"""The second fence holds alone: with the application's own filter off, the database gives nothing of another's."""

from dataclasses import replace
from typing import Any, Final

import asyncpg
import httpx
import pytest

from app.core.actor import Actor
from app.services.hub import Hub
from app.services.privacy import checks
from app.store import fence, reader, together
from app.store.changes import Author, Changes, Claim, Disclosure, Grant, ResourceChange, SubscriptionChange
from app.store.database import Unfenced
from app.store.queries import ColumnIn, Follow, IndexIn, Query
from app.store.reader import Reader
from app.store.schema import metadata
from app.store.store import Store
from app.store.together import ReadsTogether
from tests.contract.fhir_callers import Caller, caller, discharge, peers
from tests.hub_fixtures import World

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]
OWNED: Final = {"audience", "author", "disclosure", "subscription", "visibility"}
"""Tables whose rows name an organisation themselves."""
READABLE: Final = tuple(
    sorted(OWNED | {"resource", "body", "change", "search_index", "claim", "subscription_count", "subscription_event"})
)
"""Tables that an organisation reads its own rows of."""


class Unfiltered(Actor):
    """A client of an organisation for which queries are written as for the hub: joined with no visibility."""

    @property
    def is_system(self) -> bool:
        return True


def unfiltered(organization: str) -> Actor:
    return Unfiltered(organization, f"client-{organization}")


def task(resource_id: str, focus: str, version: int = 1) -> ResourceChange:
    columns = {"owner": "Organization/a", "status": "requested", "focus": f"ServiceRequest/{focus}", "intent": "order"}
    content = b'},"description":"%s"}' % resource_id.encode()
    return ResourceChange(resource_id, "Task", version, content, columns, (("code", f"c-{resource_id}"),))


def request(resource_id: str) -> ResourceChange:
    return ResourceChange(resource_id, "ServiceRequest", 1, b'},"intent":"order"}')


@pytest.fixture
async def filled(store: Store) -> Store:
    """Of ``a``: a Task of two versions and what it points to; of ``b`` the same by other ids."""
    for name in ("a", "b"):
        grants = tuple(Grant(name, one) for one in (f"t{name}", f"r{name}"))
        made = (task(f"t{name}", f"r{name}"), request(f"r{name}"))
        subscription = SubscriptionChange(f"s{name}", name, f"client-{name}", "Task", "active")
        disclosure = Disclosure(f"d{name}", name, f"client-{name}", "TREAT", ((f"t{name}", 1, "full", None),))
        await store.commit(Changes(subscriptions=(subscription,), disclosures=(disclosure,)))
        authors, claims = (Author(f"t{name}", name),), (Claim(f"k{name}", f"t{name}"),)
        await store.commit(Changes(resources=made, grants=grants, authors=authors, claims=claims))
        await store.commit(Changes(resources=(task(f"t{name}", f"r{name}", 2),)))
    return store


async def seen(store: Store, organization: str, sql: str) -> list[Any]:
    """The first column of what ``organization`` gets by ``sql``, which filters nothing."""
    actor = Actor(organization, "c")
    return [row[0] for row in await fence.read(store.database, actor, sql)]


async def test_with_the_filter_off_each_way_to_read_gives_what_is_ones_own_alone(filled: Store) -> None:
    b = filled.reader(unfiltered("b"))
    tasks = Query("Task")
    assert await b.read("Task", "ta") is None
    assert [row.id for row in await b.search(tasks)] == ["tb"]
    assert [row.id for row in await b.search(Query("Task", (IndexIn("code", ("c-ta", "c-tb")),)))] == ["tb"]
    assert [row.id for row in await b.search(Query("Task", (ColumnIn("owner", ("Organization/a",)),)))] == ["tb"]
    assert [row.id for row in (await b.page(tasks)).rows] == ["tb"]
    assert (await b.count(tasks)).number == 1
    assert [row.id for row in await b.by_ids(["ta", "ra", "tb"])] == ["tb"]
    assert await b.history("Task", "ta") == []
    assert (await b.versions("Task", "ta", since=0)).number == 0
    assert await b.version("Task", "ta", 1) is None
    assert [row.version for row in await b.history("Task", "tb")] == [2, 1]


async def test_with_the_filter_off_a_page_and_what_it_includes_are_ones_own_alone(filled: Store) -> None:
    follows = (Follow("focus", "ServiceRequest"),)
    for name, other in (("a", "b"), ("b", "a")):
        page = await filled.reader(unfiltered(name)).written_page(Query("Task"), "http://hub.test", follows)
        assert page.count == 1
        assert f"Task/t{name}".encode() in page.entries
        assert f"ServiceRequest/r{name}".encode() in page.entries
        assert f'"id":"t{other}"'.encode() not in page.entries
        assert f'"id":"r{other}"'.encode() not in page.entries


async def test_a_reference_to_what_is_anothers_includes_nothing(filled: Store) -> None:
    await filled.commit(Changes(resources=(task("tb", "ra", 3),)))
    follows = (Follow("focus", "ServiceRequest"),)
    page = await filled.reader(unfiltered("b")).written_page(Query("Task"), "http://hub.test", follows)
    assert page.count == 1
    assert b'"id":"ra"' not in page.entries


async def test_reads_that_are_asked_together_are_fenced_each_for_itself(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filter_ = "v.organization = f.organization and "
    assert filter_ in together._TOGETHER
    monkeypatch.setattr(together, "_TOGETHER", together._TOGETHER.replace(filter_, "f.organization is not null and "))
    reads = ReadsTogether(filled)
    asked = [together._Asked(*one) for one in [("b", "Task", "ta"), ("a", "Task", "ta"), ("b", "Task", "tb")] * 4]
    found = [row and row.id for row in await reads._answers([*asked, together._Asked("", "Task", "ta")])]
    assert found == [*[None, "ta", "tb"] * 4, None]


async def test_each_table_gives_an_organisation_its_own_rows_alone(filled: Store) -> None:
    for name in ("a", "b"):
        for table in sorted(OWNED):
            assert set(await seen(filled, name, f"select organization from {table}")) == {name}, table
        assert await seen(filled, name, "select id from author") == [f"t{name}"]
        assert await seen(filled, name, "select id from claim") == [f"t{name}"]
        assert await seen(filled, name, "select id from subscription") == [f"s{name}"]
        assert set(await seen(filled, name, "select id from subscription_event")) == {f"t{name}"}
        assert await seen(filled, name, "select subscription from subscription_count") == [f"s{name}"]
        assert set(await seen(filled, name, "select id from resource")) == {f"t{name}", f"r{name}"}
        assert set(await seen(filled, name, "select id from body")) == {f"t{name}", f"r{name}"}
        assert set(await seen(filled, name, "select id from change")) == {f"t{name}", f"r{name}"}
        assert set(await seen(filled, name, "select id from search_index")) == {f"t{name}"}


async def test_a_body_is_given_at_the_level_that_was_granted_alone(filled: Store) -> None:
    await filled.database.execute("insert into body (id, version, rendition, content) values ('tb', 2, 'offer', '}')")
    assert set(await seen(filled, "b", "select rendition from body where id = 'tb'")) == {"full"}
    await filled.database.execute("update visibility set level = 'offer' where id = 'tb'")
    assert set(await seen(filled, "b", "select rendition from body where id = 'tb'")) == {"offer"}


async def test_without_an_organisation_nothing_is_seen_also_right_after_somebody_saw_something(filled: Store) -> None:
    assert await seen(filled, "a", "select id from resource") != []
    for table in READABLE:
        assert await filled.database.fetch_fenced(f"select 1 from {table}") == [], table
    assert await seen(filled, "", "select id from resource") == []
    assert await seen(filled, "c", "select id from resource") == []


async def test_a_statement_that_fails_leaves_no_organisation_behind(filled: Store) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await seen(filled, "a", "select 1 / (count(*) - 2) from resource")
    assert await filled.database.fetch_fenced("select id from resource") == []


@pytest.mark.parametrize(
    "statement",
    [
        "insert into visibility (organization, id, level, disclosed) values ('b', 'ta', 'full', 0)",
        "update visibility set organization = 'b' returning id",
        "delete from resource returning id",
        "select id from visit",
        "select value from credential",
        "select raw from ledger",
        "create table mine (id text)",
    ],
)
async def test_the_reader_writes_nothing_and_reads_no_other_table(filled: Store, statement: str) -> None:
    with pytest.raises(Unfenced):
        await filled.database.fetch_fenced(statement)


async def test_every_table_has_a_policy_for_the_reader_or_no_grant_to_it(filled: Store) -> None:
    assert await fence.gaps(filled.database) == []
    await filled.database.execute("create table added_later (id text)")
    await filled.database.execute(f"grant select on added_later to {fence.ROLE}")
    assert await fence.gaps(filled.database) == ["added_later"]
    await filled.database.execute("alter table added_later enable row level security")
    assert await fence.gaps(filled.database) == ["added_later"]
    await filled.database.execute(f"revoke select on added_later from {fence.ROLE}")
    await filled.database.execute("create view seen_through as select * from resource")
    await filled.database.execute("grant select (id) on seen_through to public")
    assert await fence.gaps(filled.database) == ["seen_through"]


async def test_db_check_names_what_the_reader_reads_past_the_fence(hub: Hub, database_url: str) -> None:
    hub = replace(hub, settings=hub.settings.model_copy(update={"database_url": database_url}))
    assert [one.ok for one in await checks.check(hub) if one.what == "fence"] == [True]
    await hub.store.database.execute("alter table body disable row level security")
    assert [one.text for one in await checks.check(hub) if one.what == "fence"] == [
        "body: the role throughline_reader reads it without a policy"
    ]


async def test_the_tables_that_the_reader_may_read_are_those_that_are_known_to_be_read(filled: Store) -> None:
    readable = "select has_table_privilege($1, $2, 'select'), has_table_privilege($1, $2, 'insert, update, delete')"
    rights = {table: tuple((await filled.database.fetch(readable, fence.ROLE, table))[0]) for table in metadata.tables}
    assert sorted(table for table, (may_read, _) in rights.items() if may_read) == sorted((*READABLE, "head"))
    assert not any(may_write for _, may_write in rights.values())


async def test_no_policy_lets_the_planner_guess_from_the_setting_or_hash_what_is_seen(filled: Store) -> None:
    database = filled.database
    for table in READABLE:
        plan = await database.fetch_fenced(f"explain select * from {table}")
        text = "\n".join(row[0] for row in plan)
        assert "hashed" not in text, text
        conditions = [line for line in text.splitlines() if "Index Cond" in line]
        assert not any("current_setting" in line for line in conditions), text


async def test_over_http_with_the_filter_off_a_partner_gets_its_own_alone(
    world: World, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = await two_partners(world, web)
    (mine,), (theirs,) = await one.search("Task"), await other.search("Task")
    everything = "cross join (select 'full' as level, null::text as cause, null::int as cause_version) v"
    monkeypatch.setattr(Reader, "_visible", lambda *_: everything)
    monkeypatch.setattr(Reader, "_probed", lambda *_: everything)
    monkeypatch.setattr(Reader, "_shown", lambda _: reader._ALL)
    query = "Task?_include=Task:focus&_include:iterate=ServiceRequest:subject&_count=50"
    for asker, own, foreign in ((one, mine, theirs), (other, theirs, mine)):
        found = (await asker.get(query)).json()["entry"]
        assert {one["resource"]["id"] for one in found if one["search"]["mode"] == "match"} == {own["id"]}
        assert len(found) == 3
        assert (await asker.get("Task?_summary=count")).json()["total"] == 1
        assert (await asker.get(f"Task?_id={foreign['id']}")).json()["total"] == 0
        assert (await asker.get(f"Task/{foreign['id']}/_history")).status_code == 404
        assert (await asker.get(f"Task/{foreign['id']}/_history/1")).status_code == 404


async def two_partners(world: World, web: httpx.AsyncClient) -> tuple[Caller, Caller]:
    other = await peers(world, web)
    await discharge(world, web, 1)
    await discharge(world, web, 2, needs=[{"kind": "peer-support"}])
    return await caller(world, web, world.harbor), other
