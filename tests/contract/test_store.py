"""What the store promises, on SQLite and PostgreSQL alike."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from app.core.actor import Actor
from app.core.errors import Conflict
from app.core.ids import uuid7
from app.store import migrate
from app.store.changes import (
    Changes,
    Committed,
    Disclosure,
    Grant,
    Job,
    LedgerRow,
    Receipt,
    ResourceChange,
    ReviewItem,
    Revocation,
    VisitChange,
    VisitMoves,
)
from app.store.database import Record
from app.store.pages import written
from app.store.queries import ColumnIn, ColumnIs, IdIn, IndexIn, Order, Query
from app.store.store import Store

HUB = Actor.system("test")


def partner(organization: str) -> Actor:
    return Actor(organization, f"client-{organization}")


def task(resource_id: str, version: int = 1, **columns: str | int | None) -> ResourceChange:
    return ResourceChange(
        resource_id, "Task", version, b'},"status":"requested"}', columns={"status": "requested", **columns}
    )


async def test_a_migrated_database_has_the_tables_of_this_release(database_url: str) -> None:
    assert await migrate.is_current(database_url)
    assert await migrate.differences(database_url) == []


async def test_what_is_committed_is_read_back_by_those_who_may_see_it(store: Store) -> None:
    await store.commit(Changes(resources=(task("t1", owner="Organization/a"),), grants=(Grant("a", "t1"),)))
    row = await store.reader(partner("a")).read("Task", "t1")
    assert row is not None
    assert (row.version, row.content, row.level) == (1, b'},"status":"requested"}', "full")
    assert await store.reader(partner("b")).read("Task", "t1") is None
    assert await store.reader(partner("a")).read("Patient", "t1") is None
    assert (await store.reader(HUB).read("Task", "t1")) is not None


async def test_a_revoked_resource_is_gone_for_that_organisation_and_its_feed_moved(store: Store) -> None:
    await store.commit(Changes(resources=(task("t1"),), grants=(Grant("a", "t1"), Grant("b", "t1"))))
    before = await store.reader(partner("a")).last_change()
    await store.commit(Changes(revocations=(Revocation("a", "t1"),)))
    assert await store.reader(partner("a")).read("Task", "t1") is None
    assert await store.reader(partner("a")).last_change() > before
    assert await store.reader(partner("b")).read("Task", "t1") is not None


async def test_visibility_ends_at_its_time(store: Store) -> None:
    now = store.clock.now_us()
    await store.commit(
        Changes(
            resources=(task("t1"), task("t2")),
            grants=(Grant("a", "t1", until=now - 1), Grant("a", "t2", until=now + 60_000_000)),
        )
    )
    assert [row.id for row in await store.reader(partner("a")).search(Query("Task"))] == ["t2"]


async def test_a_second_writer_of_the_same_version_gets_a_conflict_and_changes_nothing(store: Store) -> None:
    await store.commit(Changes(resources=(task("t1"),)))
    await store.commit(Changes(resources=(task("t1", 2, status="accepted"),)))
    with pytest.raises(Conflict):
        await store.commit(Changes(resources=(task("t1", 2, status="rejected"), task("t9"))))
    row = await store.reader(HUB).read("Task", "t1")
    assert row is not None
    assert row.version == 2
    assert await store.reader(HUB).read("Task", "t9") is None


async def test_one_loser_in_a_batch_does_not_hurt_the_others(store: Store) -> None:
    await store.commit(Changes(resources=(task("t1"),)))
    members = [
        Changes(scope=frozenset({"x"}), resources=(task("t2"),)),
        Changes(scope=frozenset({"y"}), resources=(task("t1"),)),
        Changes(scope=frozenset({"z"}), resources=(task("t3"),)),
    ]
    results = await store.committer.commit_all(members)
    assert [type(result) for result in results] == [Committed, Conflict, Committed]
    assert {row.id for row in await store.reader(HUB).search(Query("Task"))} == {"t1", "t2", "t3"}


async def test_last_updated_is_strictly_increasing_and_in_the_order_of_the_changes(store: Store) -> None:
    async def write(name: str) -> None:
        for version in range(1, 6):
            await store.commit(Changes(scope=frozenset({name}), resources=(task(name, version),)))

    await asyncio.gather(*(write(f"t{n}") for n in range(8)))
    changes = await store.database.fetch("select seq, last_updated, id, version from change order by seq")
    assert [row[0] for row in changes] == list(range(1, 41))
    stamps = [row[1] for row in changes]
    assert stamps == sorted(set(stamps))
    rows = await store.reader(HUB).search(Query("Task"))
    assert [row.last_updated for row in rows] == sorted(row.last_updated for row in rows)
    assert {row.version for row in rows} == {5}


async def test_a_poller_that_remembers_the_greatest_stamp_misses_nothing(store: Store) -> None:
    seen: set[str] = set()
    done = asyncio.Event()

    async def poll() -> None:
        newest = 0
        while True:
            last_round = done.is_set()
            rows = await store.reader(HUB).search(Query("Task", (ColumnIs("last_updated", "gt", newest),)))
            seen.update(row.id for row in rows)
            newest = max([newest, *(row.last_updated for row in rows)])
            if last_round and not rows:
                return

    async def write(name: str) -> None:
        for n in range(10):
            await store.commit(Changes(resources=(task(f"{name}-{n}"), task(f"{name}-{n}-b"))))

    poller = asyncio.create_task(poll())
    await asyncio.gather(*(write(f"w{n}") for n in range(6)))
    done.set()
    await poller
    assert len(seen) == 120


async def test_searches_use_columns_and_the_generic_index(store: Store) -> None:
    patient = ResourceChange(
        "p1", "Patient", 1, b"}}", found_by=(("identifier", "urn:x|1"), ("identifier", "1"), ("family", "htest"))
    )
    await store.commit(
        Changes(resources=(task("t1", owner="Organization/a"), task("t2", owner="Organization/b"), patient))
    )
    reader = store.reader(HUB)
    owned = await reader.search(Query("Task", (ColumnIn("owner", ("Organization/a",)),)))
    assert [row.id for row in owned] == ["t1"]
    several = await reader.search(Query("Task", (ColumnIn("status", ("requested", "accepted")), IdIn(("t2", "t3")))))
    assert [row.id for row in several] == ["t2"]
    found = await reader.search(
        Query("Patient", (IndexIn("identifier", ("urn:x|1",)), IndexIn("family", ("ht",), prefix=True)))
    )
    assert [row.id for row in found] == ["p1"]
    assert await reader.search(Query("Patient", (IndexIn("identifier", ("urn:x|1",), negated=True),))) == []
    assert await reader.count(Query("Task")) == (2, None)


async def test_the_index_follows_the_newest_version(store: Store) -> None:
    async def found_by_version(version: int, *values: str, same: bool = False) -> list[str]:
        found_by = None if same else tuple(("identifier", value) for value in values)
        members = [ResourceChange(name, "Patient", version, b"}}", found_by=found_by) for name in ("p1", "p2")]
        await store.commit(Changes(resources=tuple(members)))
        rows = await store.database.fetch("select id, value from search_index order by id, value")
        assert [row[1] for row in rows if row[0] == "p1"] == [row[1] for row in rows if row[0] == "p2"]
        return [row[1] for row in rows if row[0] == "p1"]

    assert await found_by_version(1, "a", "b", "c") == ["a", "b", "c"]
    assert await found_by_version(2, "b", "d") == ["b", "d"]
    assert await found_by_version(3, same=True) == ["b", "d"]
    assert await found_by_version(4, "b", "d") == ["b", "d"]
    assert await found_by_version(5) == []
    assert await found_by_version(6, "a") == ["a"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [2, 4, 6, 9])
async def test_a_page_written_by_the_database_is_the_page_written_here(
    store: Store, limit: int, *, descending: bool
) -> None:
    for n in range(5):
        await store.commit(Changes(resources=(task(f"t{n}"),), grants=(Grant("a", f"t{n}"),)))
    await store.commit(Changes(disclosures=(Disclosure(uuid7(), "a", "c", "TREAT", (("t1", 1, "full", None),)),)))
    reader = store.reader(partner("a"))
    query = Query("Task", order=(Order("last_updated", descending),), limit=limit)
    page = await reader.written_page(query, "http://hub/fhir/R4")
    here = written(await reader.page(query._replace(limit=limit + 1)), limit, "http://hub/fhir/R4")
    assert (page.stamp, page.changed, page.count, page.more) == (here.stamp, here.changed, here.count, here.more)
    assert page.entries == here.entries
    assert set(page.fresh) == set(here.fresh)
    assert not page.more or page.last == here.last
    entries = json.loads(b"[" + page.entries + b"]")
    assert [entry["resource"]["meta"]["versionId"] for entry in entries] == ["1"] * page.count


async def test_an_empty_page_says_where_the_feed_stands(store: Store) -> None:
    await store.commit(Changes(resources=(task("t1"),), grants=(Grant("a", "t1"),)))
    page = await store.reader(partner("b")).written_page(Query("Task"), "http://hub/fhir/R4")
    assert (page.count, page.more, page.entries, page.fresh) == (0, False, b"", ())
    row = await store.reader(HUB).read("Task", "t1")
    assert row is not None
    assert page.stamp == row.last_updated


async def test_history_keeps_every_version_newest_first(store: Store) -> None:
    for version in (1, 2, 3):
        await store.commit(
            Changes(resources=(task("t1", version),), grants=(Grant("a", "t1"),) if version == 1 else ())
        )
    assert [row.version for row in await store.reader(partner("a")).history("Task", "t1")] == [3, 2, 1]
    assert await store.reader(partner("b")).history("Task", "t1") == []
    second = await store.reader(partner("a")).version("Task", "t1", 2)
    assert second is not None
    assert second.version == 2


async def test_a_receipt_is_written_once(store: Store) -> None:
    def copy(ledger: str) -> Changes:
        row = LedgerRow(ledger, "s", "c1", "ADT^A01", 1, "not-ours", "[]")
        return Changes(ledger=(row,), receipts=(Receipt("s", "c1", "mac", ledger),))

    await store.commit(copy("l1"))
    with pytest.raises(Conflict):
        await store.commit(copy("l2"))
    known = await store.intake(HUB).known(receipts=[("s", "c1")])
    assert [(r.ledger, r.state) for r in known.receipts] == [("l1", "not-ours")]
    assert await store.intake(HUB).entry("l2") is None


async def test_earlier_receipts_are_found_without_reading_the_others_of_their_sender(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def entry(number: int) -> Changes:
        row = LedgerRow(f"l{number}", "s", f"c{number}", "ADT^A01", 1, "not-ours", "[]")
        return Changes(ledger=(row,), receipts=(Receipt("s", f"c{number}", "mac", f"l{number}"),))

    await store.committer.commit_all([entry(number) for number in range(300)])
    asked: list[tuple[str, tuple[object, ...]]] = []
    fetch = store.database.fetch

    async def noted(sql: str, *args: object) -> Sequence[Record]:
        asked.append((sql, args))
        return await fetch(sql, *args)

    monkeypatch.setattr(store.database, "fetch", noted)
    known = await store.intake(HUB).known(receipts=[("s", "c7"), ("t", "c8"), ("s", "c9"), ("s", "c7")])
    assert sorted(r.ledger for r in known.receipts) == ["l7", "l9"]
    [(sql, args)] = asked
    explain = "explain query plan" if store.database.name == "sqlite" else "explain"
    plan = [str(row[-1]).strip() for row in await fetch(f"{explain} {sql}", *args)]
    wanted = "(scope=? AND key=?)" if store.database.name == "sqlite" else "(key = pair.two)"
    assert any(wanted in line.replace("(pair.two)::text", "pair.two") for line in plan), plan
    looked_through = [line for line in plan if line.startswith(("Filter", "SCAN r"))]
    assert not any(word in line for line in looked_through for word in ("SCAN", "scope", "key")), plan


async def test_a_visit_is_found_by_its_numbers_and_guarded_by_its_version(store: Store) -> None:
    def visit(version: int, content: bytes) -> Changes:
        numbers = ("n1",) if version == 1 else ()
        return Changes(visits=(VisitChange("v1", "a", version, b"key", content, None, numbers, ("p1", f"p{version}")),))

    await store.commit(visit(1, b"one"))
    await store.commit(visit(2, b"two"))
    with pytest.raises(Conflict):
        await store.commit(visit(2, b"other"))
    found = (await store.intake(HUB).known(numbers=["n1", "n2"])).by_number
    assert [(v.mac, v.id, v.version, v.content) for v in found] == [("n1", "v1", 2, b"two")]
    assert len((await store.intake(HUB).known(persons=["p1", "p2"])).by_person) == 2
    with pytest.raises(Conflict):
        await store.commit(Changes(visits=(VisitChange("v2", "a", 1, b"key", b"x", None, ("n1",)),)))


async def test_messages_move_with_their_visit_and_keep_their_history(store: Store) -> None:
    def row(ledger: str, state: str) -> LedgerRow:
        return LedgerRow(ledger, "s", ledger, "ADT^A01", 1, state, "[]", visit="v1")  # type: ignore[arg-type]

    await store.commit(Changes(ledger=(row("l1", "waiting"), row("l2", "not-ours"), row("l3", "review"))))
    move = VisitMoves("v1", 99, "updated", '[{"code":"x","text":"y"}]', "sr1", ("waiting", "review"))
    await store.commit(Changes(visit_moves=(move,)))
    states = {
        entry.id: entry.state for entry in await store.intake(HUB).entries(sender=None, state=None, since=None, limit=9)
    }
    assert states == {"l1": "updated", "l2": "not-ours", "l3": "updated"}
    assert await store.intake(HUB).states("l1") == [(99, "waiting", "[]")]
    assert await store.intake(HUB).states("l2") == []
    assert (await store.intake(HUB).entries(sender="s", state="updated", since=0, limit=1))[0].referral == "sr1"


async def test_jobs_and_review_items_are_one_per_cause(store: Store) -> None:
    for _ in range(2):
        await store.commit(
            Changes(jobs=(Job("expire:v1", "expire-visit", "v1", 5),), reviews=(ReviewItem("v1", "s", 1, "[]"),))
        )
    assert len(await store.database.fetch("select id from job")) == 1
    assert len(await store.database.fetch("select visit from review where closed_at is null")) == 1
    await store.commit(Changes(reviews=(ReviewItem("v1", "s", 7, "[]", closed=True),)))
    assert await store.database.fetch("select closed_at from review") == [(7,)] or (
        (await store.database.fetch("select closed_at from review"))[0][0] == 7
    )


async def test_a_first_disclosure_is_a_row_and_is_remembered(store: Store) -> None:
    await store.commit(Changes(resources=(task("t1"),), grants=(Grant("a", "t1"),)))
    await store.commit(Changes(disclosures=(Disclosure(uuid7(), "a", "c", "TREAT", (("t1", 1, "full", None),)),)))
    row = await store.reader(partner("a")).read("Task", "t1")
    assert row is not None
    assert row.disclosed == 1
    entries = await store.database.fetch("select entries, organization from disclosure")
    assert json.loads(entries[0][0]) == [["t1", 1, "full", None]]


async def test_an_organisation_keeps_its_id(store: Store) -> None:
    first = await store.accounts.organization("HTEST Hospital", "hospital")
    assert await store.accounts.organization("HTEST Hospital", "hospital") == first
    assert await store.accounts.organization("HTEST Other", "partner") != first
