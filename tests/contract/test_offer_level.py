"""Who may see the offer of a resource sees, finds, counts and sorts by what the offer shows, and by nothing else.

Two organisations look at the same Task: one sees the whole, the other the offer.
"""

from collections.abc import Callable
from itertools import product
from typing import Final, NamedTuple

import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.store.changes import OFFER_PATIENT, Changes, Disclosure, Grant, Level, ResourceChange, Revocation
from app.store.queries import (
    AllOf,
    AnyOf,
    Beyond,
    ColumnIn,
    ColumnIs,
    ColumnMissing,
    ColumnStarts,
    Condition,
    Follow,
    IdIn,
    IndexIn,
    Not,
    Order,
    Query,
    Row,
)
from app.store.reader import Reader
from app.store.store import Store

WHOLE: Final = b'},"about":"the whole"}'
OFFER: Final = b'},"about":"the offer"}'
AUTHORED: Final = 1_700_000_000_000_000
COLUMNS: Final[dict[str, str | int | None]] = {
    "status": "requested",
    "owner": "Organization/partner",
    "requester": "Organization/hospital",
    "patient": "Patient/person",
    "focus": "ServiceRequest/request",
    "code": "fulfill|urn:codes",
    "intent": "order",
    "priority": "stat",
    "part_of": "Task/source",
    "group_identifier": "group|urn:groups",
    "authored_on": AUTHORED,
}
FOUND_BY: Final = (
    ("identifier", "number|urn:numbers"),
    ("code", "further|urn:codes"),
    ("output", "Procedure/dose"),
    (OFFER_PATIENT, "Patient/somebody"),
)


def task(version: int = 1, *, offer: bytes | None = OFFER, deleted: bool = False) -> ResourceChange:
    return ResourceChange("task", "Task", version, WHOLE, COLUMNS, FOUND_BY, deleted=deleted, offer=offer)


def other(resource_id: str, resource_type: str) -> ResourceChange:
    return ResourceChange(resource_id, resource_type, 1, WHOLE)


class Two(NamedTuple):
    """The readers of both organisations, and the store that they read."""

    store: Store
    full: Actor
    offered: Actor

    def whole(self) -> Reader:
        return self.store.reader(self.full)

    def offer(self) -> Reader:
        return self.store.reader(self.offered)


@pytest_asyncio.fixture
async def two(store: Store) -> Two:
    """Everything that the Task leads to may be seen by both, the person too: as if of another referral."""
    around = [
        *(other("person", "Patient"), other("somebody", "Patient"), other("request", "ServiceRequest")),
        *(other("hospital", "Organization"), other("source", "Task"), other("dose", "Procedure")),
    ]
    grants = [Grant(organization, one.id) for organization in ("whole", "offered") for one in around]
    await store.commit(
        Changes(
            resources=(task(), *around),
            grants=(*grants, Grant("whole", "task"), Grant("offered", "task", level="offer")),
        )
    )
    return Two(store, Actor("whole", "client-whole"), Actor("offered", "client-offered"))


async def found(reader: Reader, *conditions: Condition) -> bool:
    """Whether the Task is found; every way to look gives the same answer."""
    query = Query("Task", (IdIn(("task",)), *conditions))
    rows = await reader.search(query)
    assert [row.id for row in (await reader.page(query)).rows] == [row.id for row in rows]
    assert (await reader.count(query)).number == len(rows)
    assert (await reader.written_page(query, "http://hub.test")).count == len(rows)
    return bool(rows)


async def test_each_is_given_its_own_rendition(two: Two) -> None:
    for reader, level, content in ((two.whole(), "full", WHOLE), (two.offer(), "offer", OFFER)):
        row = await reader.read("Task", "task")
        assert row is not None
        assert (row.level, row.content) == (level, content)
        assert [one.content for one in await reader.search(Query("Task", (IdIn(("task",)),)))] == [content]
        assert [one.content for one in await reader.by_ids(["task"])] == [content]
        entries = (await reader.written_page(Query("Task", (IdIn(("task",)),)), "http://hub.test")).entries
        assert content in entries


SHOWN: Final[list[Condition]] = [
    ColumnIn("status", ("requested",)),
    ColumnIn("owner", ("Organization/partner",)),
    ColumnIn("focus", ("ServiceRequest/request",)),
    ColumnIn("intent", ("order",)),
    ColumnIn("id", ("task",)),
    ColumnStarts("code", ("fulfill|",)),
    AnyOf((ColumnIn("code", ("fulfill|urn:codes",)), IndexIn("code", ("fulfill|urn:codes",)))),
    Not(AnyOf((ColumnIn("code", ("x|urn:codes",)), IndexIn("code", ("x|urn:codes",))))),
    ColumnIs("last_updated", "gt", 0),
    Not(ColumnIn("status", ("accepted",))),
    AnyOf((ColumnIn("requester", ("Organization/hospital",)), ColumnIn("status", ("requested",)))),
]


async def test_what_both_see_finds_it_for_both(two: Two) -> None:
    for condition in SHOWN:
        assert await found(two.whole(), condition), condition
        assert await found(two.offer(), condition), condition


WHOLE_ONLY: Final[list[Condition]] = [
    *(
        ColumnIn(column, (str(COLUMNS[column]),))
        for column in ("requester", "patient", "priority", "part_of", "group_identifier")
    ),
    ColumnIs("authored_on", "eq", AUTHORED),
    ColumnStarts("group_identifier", ("group|",)),
    IndexIn("identifier", ("number|urn:numbers",)),
    IndexIn("identifier", ("number|",), prefix=True),
    IndexIn("output", ("Procedure/dose",)),
    IndexIn("code", ("further|urn:codes",)),
]


@pytest.mark.parametrize(
    "wrapped",
    [lambda one: one, lambda one: Not(Not(one)), lambda one: AnyOf((one, one)), lambda one: AllOf((one,))],
    ids=["alone", "not not", "any of", "all of"],
)
async def test_what_only_the_whole_shows_finds_no_offer(two: Two, wrapped: Callable[[Condition], Condition]) -> None:
    for condition in WHOLE_ONLY:
        assert await found(two.whole(), wrapped(condition)), condition
        assert not await found(two.offer(), wrapped(condition)), condition


NEGATED: Final[list[Condition]] = [
    Not(ColumnIn("priority", ("routine",))),
    Not(ColumnIn("group_identifier", ("other|urn:groups",))),
    Not(AllOf((ColumnIn("requester", ("Organization/other",)),))),
    Not(AnyOf((ColumnStarts("group_identifier", ("other|",)), ColumnIs("authored_on", "gt", AUTHORED)))),
    Not(IndexIn("identifier", ("other|urn:numbers",))),
    ColumnIn("patient", ("Patient/other",), negated=True),
    IndexIn("identifier", ("other|urn:numbers",), negated=True),
    *(
        ColumnMissing(column, missing=False)
        for column in ("requester", "patient", "priority", "part_of", "group_identifier", "authored_on")
    ),
    Not(ColumnMissing("part_of", missing=True)),
]


async def test_what_only_the_whole_lacks_finds_no_offer_either(two: Two) -> None:
    for condition in NEGATED:
        assert await found(two.whole(), condition), condition
        assert not await found(two.offer(), condition), condition


async def test_whether_the_whole_has_something_changes_nothing_for_who_sees_the_offer(two: Two) -> None:
    columns = ("requester", "patient", "priority", "part_of", "group_identifier", "authored_on")
    asked = [ColumnMissing(column, missing=missing) for column in columns for missing in (True, False)]
    assert [await found(two.whole(), condition) for condition in asked] == [False, True] * 6
    assert not any([await found(two.offer(), condition) for condition in asked])
    bare = {name: value for name, value in COLUMNS.items() if name not in columns}
    await two.store.commit(Changes(resources=(task(2)._replace(columns=bare),)))
    assert [await found(two.whole(), condition) for condition in asked] == [True, False] * 6
    assert not any([await found(two.offer(), condition) for condition in asked])


async def test_a_further_code_of_the_whole_is_none_of_the_offer(two: Two) -> None:
    further = AnyOf((ColumnIn("code", ("further|urn:codes",)), IndexIn("code", ("further|urn:codes",))))
    assert not await found(two.whole(), Not(further))
    assert await found(two.offer(), Not(further))


async def included(reader: Reader, *follows: Follow) -> set[str]:
    """Ids of what comes along with the Task; the body of each names nothing but itself."""
    page = await reader.written_page(Query("Task", (IdIn(("task",)),)), "http://hub.test", follows)
    known = ("person", "somebody", "request", "hospital", "source", "dose", "partner")
    return {one for one in known if f'/{one}","resource"'.encode() in page.entries}


EVERYWHERE: Final = (
    *(Follow("requester"), Follow("patient"), Follow("focus"), Follow("owner"), Follow("part_of", None, "part-of")),
    *(Follow("part_of", "Procedure", "output"), Follow("patient", "Patient")),
)


async def test_an_include_follows_what_is_seen(two: Two) -> None:
    assert await included(two.whole(), *EVERYWHERE) == {"person", "request", "hospital", "source", "dose"}
    assert await included(two.offer(), *EVERYWHERE) == {"somebody", "request"}


async def test_an_offer_without_a_patient_leads_to_none(two: Two) -> None:
    await two.store.commit(Changes(resources=(task(2)._replace(found_by=()),)))
    assert await included(two.offer(), Follow("patient")) == set()


async def sorted_ids(reader: Reader, order: tuple[Order, ...], limit: int = 50) -> list[str]:
    """Tasks in an order, page by page as a cursor would go."""
    rows: list[Row] = []
    query = Query("Task", (ColumnIn("owner", ("Organization/partner",)),), order, limit)
    while page := await reader.search(query):
        rows += page
        query = query._replace(conditions=(*query.conditions[:1], Beyond(order, page[-1].key)))
    return [row.id for row in rows]


async def test_an_order_by_what_an_offer_does_not_show_does_not_order_offers(two: Two) -> None:
    values = {"t0": 3, "t1": 1, "t2": 2}
    tasks = [
        ResourceChange(
            name,
            "Task",
            1,
            WHOLE,
            {**COLUMNS, "authored_on": n, "requester": f"Organization/{n}", "priority": str(n)},
            ((OFFER_PATIENT, f"Patient/{10 - n}"),),
            offer=OFFER,
        )
        for name, n in values.items()
    ]
    offers = [Grant("offered", one.id, level="offer") for one in tasks]
    gone = (Revocation("whole", "task"), Revocation("offered", "task"))
    both = (*offers, *(Grant("whole", one.id) for one in tasks))
    await two.store.commit(Changes(resources=tuple(tasks), grants=both, revocations=gone))
    for column, descending, limit in product(("authored_on", "requester", "priority"), (False, True), (1, 50)):
        order = (Order(column, descending), Order("id"))
        by_value = ["t0", "t2", "t1"] if descending else ["t1", "t2", "t0"]
        assert await sorted_ids(two.whole(), order, limit) == by_value
        assert await sorted_ids(two.offer(), order, limit) == ["t0", "t1", "t2"]
    by_patient = (Order("patient"), Order("id"))
    assert await sorted_ids(two.whole(), by_patient, 1) == ["t0", "t1", "t2"]
    assert await sorted_ids(two.offer(), by_patient, 1) == ["t0", "t2", "t1"], "by the Patient that an offer names"


async def test_a_version_without_an_offer_is_none_for_who_sees_offers(two: Two) -> None:
    await two.store.commit(Changes(resources=(task(2, offer=None),)))
    assert await two.offer().read("Task", "task") is None
    assert not await found(two.offer())
    assert await found(two.whole())
    assert await two.offer().version("Task", "task", 2) is None
    assert [row.version for row in await two.offer().history("Task", "task")] == [1]


async def test_a_history_shows_and_counts_the_versions_that_have_an_offer(two: Two) -> None:
    for version, offer in ((2, None), (3, b'},"about":"the third"}')):
        await two.store.commit(Changes(resources=(task(version, offer=offer),)))
    whole = await two.whole().versions("Task", "task")
    offered = await two.offer().versions("Task", "task")
    assert [(row.version, row.content) for row in whole.rows] == [(3, WHOLE), (2, WHOLE), (1, WHOLE)]
    assert [(row.version, row.content) for row in offered.rows] == [(3, b'},"about":"the third"}'), (1, OFFER)]
    assert (whole.number, offered.number) == (3, 2)


async def test_a_page_is_full_although_something_on_the_way_has_no_offer(two: Two) -> None:
    tasks = [ResourceChange(f"t{n}", "Task", 1, WHOLE, COLUMNS, (), offer=None if n % 2 else OFFER) for n in range(6)]
    await two.store.commit(
        Changes(resources=tuple(tasks), grants=tuple(Grant("offered", one.id, level="offer") for one in tasks))
    )
    query = Query("Task", (ColumnIn("owner", ("Organization/partner",)),), limit=3)
    page = await two.offer().written_page(query, "http://hub.test")
    assert (page.count, page.more) == (3, True)
    assert (await two.offer().count(query)).number == 4


async def disclosed(two: Two, level: Level) -> None:
    """A response that was given, as the accounting writes it."""
    given = Disclosure(f"d-{level}", "offered", "client-offered", "TREAT", (("task", 1, level, None),))
    await two.store.commit(Changes(disclosures=(given,)))


async def seen(two: Two) -> int:
    row = await two.offer().read("Task", "task")
    assert row is not None
    return row.disclosed


@pytest.mark.parametrize(("before", "after"), [("offer", "full"), ("full", "offer")])
async def test_a_change_of_level_makes_the_next_read_a_disclosure(two: Two, before: Level, after: Level) -> None:
    await two.store.commit(Changes(grants=(Grant("offered", "task", before),)))
    await disclosed(two, before)
    assert await seen(two) == 1
    await two.store.commit(Changes(grants=(Grant("offered", "task", before),)))
    assert await seen(two) == 1
    await two.store.commit(Changes(grants=(Grant("offered", "task", after),)))
    assert await seen(two) == 0
    page = await two.offer().written_page(Query("Task", (IdIn(("task",)),)), "http://hub.test")
    assert [(one.id, one.version, one.level) for one in page.fresh] == [("task", 1, after)]


async def test_a_response_that_is_recorded_late_counts_for_its_own_level_only(two: Two) -> None:
    await two.store.commit(Changes(grants=(Grant("offered", "task"),)))
    await disclosed(two, "offer")
    assert await seen(two) == 0
    await disclosed(two, "full")
    assert await seen(two) == 1
