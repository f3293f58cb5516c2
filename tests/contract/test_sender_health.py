"""Counts that add up on both databases, silences that are told once, and what is left to do for a sender."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.core import log
from app.core.clock import from_micros
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.intake.sender_counts import HOUR, SenderCounts
from app.services.partners import registration
from app.services.senders import sender_health
from app.services.senders.sender_health import Health, UnclassifiedUnit, UnmappedCode
from app.store.changes import Changes, LedgerRow, ReviewItem
from app.store.database import Database, Doubt, Gone
from app.store.health import SenderHealth, Tally
from app.store.store import Store
from app.store.writes import Batch
from fhir_mappings.dialects.base import Unmapped
from tests.contract.http_messages import adt
from tests.hub_fixtures import World

DAY = 24 * HOUR
MINUTE = 60_000_000
MERCY = {"id": "mercy-adt", "organization": "HTEST Mercy", "dialect": "adt_generic", "timezone": "America/New_York"}


def message_row(at: int, sender: str = "mercy-adt") -> LedgerRow:
    return LedgerRow(f"l{at}", sender, "1", "ADT^A01", at, "not-ours", "[]")


async def counted(hub: Hub, weeks: int, per_hour: int, until: int, sender: str = "mercy-adt") -> None:
    """A sender that for so many weeks has sent the same number each hour."""
    counts: dict[Tally, int] = {}
    hour = until - until % HOUR - weeks * 7 * DAY
    while hour < until:
        counts[sender, "message", hour, "-"] = per_hour
        hour += HOUR
    await SenderHealth(hub.store.database).add(counts)


async def health_of(hub: Hub, sender: str = "mercy-adt") -> Health:
    (found,) = await sender_health.health(hub, sender)
    return found


def shifted(hub: Hub, micros: int) -> Hub:
    return replace(hub, clock=replace(hub.clock, offset_us=hub.clock.offset_us + micros))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []
    for level in ("info", "warning"):
        monkeypatch.setattr(log, level, lambda event, **fields: lines.append((event, fields.get("sender"))))
    return lines


async def test_counts_add_up_whoever_writes_them(store: Store) -> None:
    health = SenderHealth(store.database)
    await health.add({("a", "message", 0, "-"): 2, ("a", "rejected", 0, "version"): 1, ("b", "message", 0, "-"): 5})
    await health.add({("a", "message", 0, "-"): 3, ("a", "message", HOUR, "-"): 4})
    assert await health.totals(0, ["message"]) == {("a", "message"): {"-": 9}, ("b", "message"): {"-": 5}}
    assert await health.totals(HOUR, ["message", "rejected"]) == {("a", "message"): {"-": 4}}
    assert await health.first_hour("a", "message") == 0
    assert await health.first_hour("c", "message") is None
    await health.add({("a", "unit", HOUR, "9X"): 1})
    assert await health.forget(HOUR, "message", 2 * HOUR) == 4
    assert await health.totals(0, ["message", "rejected", "unit"]) == {("a", "message"): {"-": 4}}


async def test_what_gathered_is_written_with_the_next_flush(world: World) -> None:
    counts, intake = SenderCounts(world.hub.store.database), Intake(world.hub)
    senders = list((await world.hub.registry.current()).senders.values())
    sent = from_micros(world.hub.clock.now_us() - 3_000_000)
    for number in range(3):
        outcome = await intake.receive_hl7(adt(number), senders)
        unmapped = [Unmapped("drug", "RXE-2", "NF0099")]
        counts.note(outcome.reading, "not-ours", "no-signal", unmapped=unmapped, sent_at=sent)
    assert (await health_of(world.hub)).unmapped == []
    await counts.flush()
    found = await health_of(world.hub)
    assert found.last_24h == 3
    assert found.last_message is not None
    assert found.unmapped == [UnmappedCode("drug", "NF0099", 3)]
    assert found.skew_seconds is not None
    assert 3 <= found.skew_seconds.p50 <= 10
    assert found.latency_seconds is not None
    assert found.latency_seconds.messages == 3
    assert found.expected_24h is None
    await counts.flush()
    assert (await health_of(world.hub)).last_24h == 3


async def test_an_outage_loses_no_counts_and_a_doubt_counts_nothing_twice(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = SenderCounts(store.database)
    write = type(store.database).write
    faults: list[type[Exception]] = [Gone, Doubt]

    async def flaky(database: Database, batch: Batch, offset_us: int) -> dict[str, int]:
        fault = faults.pop(0) if faults else None
        if fault is Gone:
            raise Gone
        stamps = await write(database, batch, offset_us)
        if fault is not None:
            raise fault
        return stamps

    monkeypatch.setattr(type(store.database), "write", flaky)
    counts._gathered["a", "message", 0, "-"] = 2
    await counts.flush()
    assert await SenderHealth(store.database).totals(0, ["message"]) == {}
    await counts.flush()
    await counts.flush()
    assert await SenderHealth(store.database).totals(0, ["message"]) == {("a", "message"): {"-": 2}}


async def test_a_sender_is_compared_with_the_same_hours_of_the_weeks_before(world: World) -> None:
    now = world.hub.clock.now_us()
    await counted(world.hub, 4, 12, now)
    found = await health_of(world.hub)
    assert found.expected_24h == pytest.approx(288, rel=0.05)
    assert found.last_24h == pytest.approx(288, abs=13)
    assert found.this_hour == 12
    assert found.expected_this_hour == pytest.approx(12 * (now % HOUR) / HOUR, abs=0.1)


async def test_a_silent_sender_is_told_once_and_so_is_its_return(world: World, told: list[tuple[str, Any]]) -> None:
    hub, now = world.hub, world.hub.clock.now_us()
    await counted(hub, 4, 12, now)
    await hub.store.commit(Changes(ledger=(message_row(now),)))
    assert await sender_health.watch(shifted(hub, 20 * MINUTE)) == 0
    later = shifted(hub, 60 * MINUTE)
    assert await sender_health.watch(later) == 1
    assert await sender_health.watch(shifted(hub, 61 * MINUTE)) == 0
    assert told == [("sender.silent", "mercy-adt")]
    found = await health_of(later)
    assert found.silent_since == now
    assert found.expected_since == pytest.approx(12, abs=0.5)
    back = now + 90 * MINUTE
    await hub.store.commit(Changes(ledger=(message_row(back),)))
    heard = shifted(hub, 91 * MINUTE)
    assert (await health_of(heard)).silent_since is None
    assert await sender_health.watch(heard) == 1
    assert await sender_health.watch(heard) == 0
    assert told == [("sender.silent", "mercy-adt"), ("sender.heard", "mercy-adt")]


async def test_a_silence_lasts_though_the_history_that_told_it_is_gone(world: World) -> None:
    hub, now = world.hub, world.hub.clock.now_us()
    await counted(hub, 4, 12, now)
    await hub.store.commit(Changes(ledger=(message_row(now),)))
    assert await sender_health.watch(shifted(hub, DAY)) == 1
    much_later = shifted(hub, 60 * DAY)
    await SenderHealth(hub.store.database).forget(now + DAY, "message", now + DAY)
    assert await sender_health.watch(much_later) == 0
    found = await health_of(much_later)
    assert (found.silent_since, found.expected_since) == (now, None)


async def test_two_processes_tell_one_silence(world: World, told: list[tuple[str, Any]]) -> None:
    store = SenderHealth(world.hub.store.database)
    assert [await store.begin_silence("mercy-adt", 1, 2), await store.begin_silence("mercy-adt", 1, 2)] == [True, False]
    assert [await store.end_silence("mercy-adt"), await store.end_silence("mercy-adt")] == [True, False]
    assert told == []


async def test_a_young_or_rare_sender_raises_no_alarm(world: World) -> None:
    hub, now = world.hub, world.hub.clock.now_us()
    await counted(hub, 1, 100, now)
    await counted(hub, 4, 1, now, "north-adt")
    await hub.store.commit(Changes(ledger=(message_row(now), message_row(now + 1, "north-adt"))))
    assert await sender_health.watch(shifted(hub, 5 * HOUR)) == 0
    assert (await health_of(shifted(hub, 5 * HOUR))).expected_since is None


async def test_a_clinic_that_is_open_once_a_week_is_not_silent_in_between(world: World) -> None:
    hub, now = world.hub, world.hub.clock.now_us()
    await registration.add_sender(hub, {**MERCY, "timezone": "UTC"})
    start = now - now % HOUR
    by_day = {
        ("mercy-adt", "message", start - week * 7 * DAY - hour * HOUR, "-"): 60
        for week in range(5)
        for hour in range(12)
    }
    await SenderHealth(hub.store.database).add(by_day)
    await hub.store.commit(Changes(ledger=(message_row(start + HOUR - 1),)))
    opening = start + 7 * DAY - 11 * HOUR - now
    assert await sender_health.watch(shifted(hub, opening)) == 0
    assert await sender_health.watch(shifted(hub, opening + HOUR)) == 1


async def test_an_unclassified_unit_is_a_to_do_with_the_visits_that_wait(world: World) -> None:
    hub, now = world.hub, world.hub.clock.now_us()
    await registration.add_sender(hub, {**MERCY, "units": {"4W": "not-part2"}})
    hour = now - now % HOUR
    await SenderHealth(hub.store.database).add({("mercy-adt", "unit", hour, unit): 3 for unit in ("9X", "4W")})
    items = [ReviewItem(f"v{n}", "mercy-adt", now, "[]", unit=unit) for n, unit in enumerate(["9X", "9X", "8X"])]
    await hub.store.commit(Changes(reviews=tuple(items)))
    assert (await health_of(hub)).units == [UnclassifiedUnit("9X", 2, 3), UnclassifiedUnit("8X", 1, 0)]
    await registration.add_sender(hub, {**MERCY, "units": {"9X": "part2", "8X": "not-part2"}})
    assert (await health_of(hub)).units == [UnclassifiedUnit("4W", 0, 3)]


async def test_what_is_nobodys_has_a_line_of_its_own(world: World) -> None:
    hour = world.hub.clock.now_us() // HOUR * HOUR
    await SenderHealth(world.hub.store.database).add({("-", "rejected", hour, "unknown-sender"): 4})
    found = await sender_health.health(world.hub)
    assert [one.sender for one in found] == ["mercy-adt", "north-adt", "north-json", None]
    assert found[-1].rejected == {"unknown-sender": 4}


async def test_health_as_json_has_instants_and_names_nobody(world: World) -> None:
    await world.hub.store.commit(Changes(ledger=(message_row(1_780_000_000_000_000),)))
    line = sender_health.as_json([await health_of(world.hub)])[0]
    assert datetime.fromisoformat(line["last_message"]).year == 2026
    assert line["expected_since"] is None
    assert line["skew_seconds"] is None


async def test_metrics_show_the_health_of_senders(web: httpx.AsyncClient, world: World) -> None:
    await world.hub.store.commit(Changes(ledger=(message_row(1_780_000_000_000_000),)))
    lines = (await web.get("/metrics")).text.splitlines()
    assert 'throughline_sender_last_message_timestamp_seconds{sender="mercy-adt"} 1780000000' in lines
    assert 'throughline_sender_silent{sender="mercy-adt"} 0' in lines
    assert "# TYPE throughline_sender_clock_skew_seconds gauge" in lines
    await world.hub.store.commit(Changes(ledger=(message_row(1_790_000_000_000_000),)))
    assert (await web.get("/metrics")).text.splitlines()[-3:] == lines[-3:]
