"""The health of senders: is each heard as it used to be, and what of its messages is not understood.

A sender is compared with itself: the same stretch of time, one to four weeks earlier, in its own zone. When so many
messages should have come since its last one that none by chance is less likely than 1 : 1000, it is silent. Were
messages independent (Poisson), none of n expected ones has the probability e^-n, which is below 0.001 from 7 on; real
ones come in bursts, so that a quiet hour is more common than this says, and a holiday may raise a false alarm.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, timedelta
from statistics import fmean
from typing import Any, Final, NamedTuple, get_args
from zoneinfo import ZoneInfo

from app.core import log
from app.core.clock import from_micros, iso, micros, monotonic
from app.core.errors import Unavailable
from app.services.answers import answers
from app.services.hub import Hub
from app.services.intake.sender_counts import HOUR, LATENCY, MESSAGE, MORE, REJECTED, SKEW, UNIT, UNMAPPED
from app.services.push import pushes
from app.store.database import Gone
from app.store.health import NOBODY, SenderHealth, Span
from app.store.reviews import Reviews
from fhir_mappings.dialects.base import CodeKind
from schemas.sender import Sender

ALARM: Final = 7.0
"""Expected messages without one that are a silence: e^-7 < 0.001."""
_WEEKS: Final = 4
_HISTORY: Final = 2
"""Weeks of history that a comparison needs."""
_DAY: Final = 24 * HOUR
_WEEK: Final = 7 * _DAY
_KEPT: Final = 5 * _WEEK
"""Four weeks to compare with, and the one that is compared."""
_FRESH: Final = 60_000_000
"""Whoever was heard a minute ago is not silent."""
_SCRAPE_SECONDS: Final = 15.0
_KINDS: Final[tuple[str, ...]] = get_args(CodeKind)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a duration in seconds, rounded (``sender_counts.bucket``)."""

    messages: int
    p50: int
    p95: int


@dataclass(frozen=True, slots=True)
class UnmappedCode:
    """A code that neither the sender's file nor a table knows."""

    kind: str
    code: str
    messages: int


@dataclass(frozen=True, slots=True)
class UnclassifiedUnit:
    """A unit of which nobody has said whether it is a Part 2 program; it counts as one until then."""

    unit: str
    waiting: int
    """Visits whose referral waits for that."""
    messages: int


@dataclass(frozen=True, slots=True)
class Health:
    """One sender. Rejected, unmapped codes and units are those of seven days, skew and latency those of one."""

    sender: str | None
    """None: messages that are nobody's."""
    last_message: int | None = None
    """When, in microseconds."""
    silent_since: int | None = None
    """Its last message, where there should have been more by now."""
    expected_since: float | None = None
    """Messages that should have come since the last one; None without two weeks of history."""
    last_24h: int = 0
    expected_24h: float | None = None
    this_hour: int = 0
    expected_this_hour: float | None = None
    """In the part of it that has passed."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason to number."""
    unmapped: list[UnmappedCode] = field(default_factory=list)
    """The most frequent first."""
    units: list[UnclassifiedUnit] = field(default_factory=list)
    skew_seconds: Percentiles | None = None
    """Time of receipt less MSH-7: the way here, and how wrong the sender's clock or zone is."""
    latency_seconds: Percentiles | None = None
    """Time of receipt less EVN-2: how late it is told."""
    review: int = 0
    """Open items of the queue."""
    daily_list: int = 0


# ---- expectation


def weeks_before(at: int, weeks: int, zone: ZoneInfo) -> int:
    """The same time on the clock of ``zone`` so many weeks earlier; instants in microseconds."""
    earlier = from_micros(at).astimezone(zone) - timedelta(weeks=weeks)
    return micros(earlier.astimezone(UTC))


def spans_before(span: Span, zone: ZoneInfo) -> list[Span]:
    """The same stretch of time one to four weeks earlier."""
    return [
        Span(weeks_before(span.start, weeks, zone), weeks_before(span.end, weeks, zone))
        for weeks in range(1, _WEEKS + 1)
    ]


def expected(hours: Mapping[int, int], first: int | None, spans: Sequence[Span]) -> float | None:
    """How many messages a stretch of time should have had: the mean of those before it.

    Args:
        hours: start of an hour to the messages in it; an hour that is cut counts in proportion.
        first: the first hour in which anything was counted; a stretch that began before it tells nothing.
        spans: the stretches to compare with.

    Returns:
        None where fewer than two of them are known.
    """
    known = [span for span in spans if first is not None and span.start >= first]
    if len(known) < _HISTORY:
        return None
    return fmean(sum(number * _share(hour, span) for hour, number in hours.items()) for span in known)


def _share(hour: int, span: Span) -> float:
    return max(0, min(hour + HOUR, span.end) - max(hour, span.start)) / HOUR


def percentiles(counts: Mapping[str, int]) -> Percentiles | None:
    """Of durations that were counted by their code; None when there are none."""
    known = sorted((int(code), number) for code, number in counts.items())
    total = sum(number for _, number in known)
    return Percentiles(total, _at(known, total, 0.5), _at(known, total, 0.95)) if total else None


def _at(known: Sequence[tuple[int, int]], total: int, share: float) -> int:
    passed = 0
    for value, number in known:
        passed += number
        if passed >= share * total:
            return value
    return known[-1][0]


async def _expected(store: SenderHealth, sender: Sender, span: Span, first: int | None) -> float | None:
    spans = spans_before(span, sender.zone())
    around = [Span(one.start - HOUR, one.end) for one in spans]
    return expected(await store.hours(sender.id, MESSAGE, around), first, spans)


# ---- the whole view


async def health(hub: Hub, sender: str | None = None) -> list[Health]:
    """How each sender is, by id; those messages that are nobody's last. Raises Unavailable."""
    try:
        return await _health(hub, sender)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error


@dataclass(frozen=True, slots=True)
class _Totals:
    """What is asked for all senders at once."""

    week: Mapping[tuple[str, str], Mapping[str, int]]
    day: Mapping[tuple[str, str], Mapping[str, int]]
    silences: Mapping[str, int]
    waiting: Mapping[tuple[str, str], Sequence[str]]
    open: Mapping[tuple[str, str], int]


async def _health(hub: Hub, only: str | None) -> list[Health]:
    store, reviews, now = SenderHealth(hub.store.database), Reviews(hub.store.database), hub.clock.now_us()
    unmapped = [UNMAPPED + kind for kind in _KINDS]
    totals = _Totals(
        week=await store.totals(now - _WEEK, [REJECTED, UNIT, *unmapped]),
        day=await store.totals(now - _DAY, [SKEW, LATENCY]),
        silences=await store.silences(),
        waiting=await reviews.waiting_for_units(),
        open=await reviews.open_counts(),
    )
    senders = (await hub.registry.current()).senders
    found = [await _of_sender(store, senders[name], totals, now) for name in sorted(senders) if only in (None, name)]
    nobodys = totals.week.get((NOBODY, REJECTED), {})
    if nobodys and only is None:
        found.append(Health(None, rejected=_sorted(nobodys)))
    return found


async def _of_sender(store: SenderHealth, sender: Sender, totals: _Totals, now: int) -> Health:
    name = sender.id
    last = await store.last_message(name)
    first = await store.first_hour(name, MESSAGE)
    hour, day = Span(now - now % HOUR, now), Span(now - _DAY, now)
    counted = await store.hours(name, MESSAGE, [Span(day.start - HOUR, now)])
    since = None if last is None else await _expected(store, sender, Span(last, max(last, now)), first)
    silent = name in totals.silences and last is not None and last <= totals.silences[name]
    silent = silent or (since is not None and since >= ALARM)
    return Health(
        sender=name,
        last_message=last,
        silent_since=last if silent else None,
        expected_since=since,
        # The hour that goes on is not cut: all of what was counted in it has come.
        last_24h=round(sum(number * _share(start, Span(day.start, now + HOUR)) for start, number in counted.items())),
        expected_24h=await _expected(store, sender, day, first),
        this_hour=counted.get(hour.start, 0),
        expected_this_hour=await _expected(store, sender, hour, first),
        rejected=_sorted(totals.week.get((name, REJECTED), {})),
        unmapped=_unmapped(name, totals),
        units=_units(sender, totals),
        skew_seconds=percentiles(totals.day.get((name, SKEW), {})),
        latency_seconds=percentiles(totals.day.get((name, LATENCY), {})),
        review=totals.open.get((name, "queue"), 0),
        daily_list=totals.open.get((name, "list"), 0),
    )


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _unmapped(sender: str, totals: _Totals) -> list[UnmappedCode]:
    found = [
        UnmappedCode(kind, code, number)
        for kind in _KINDS
        for code, number in totals.week.get((sender, UNMAPPED + kind), {}).items()
    ]
    return sorted(found, key=lambda one: (-one.messages, one.kind, one.code))


def _units(sender: Sender, totals: _Totals) -> list[UnclassifiedUnit]:
    """Units that messages named or visits wait for, as far as nobody has classified them meanwhile."""
    named = totals.week.get((sender.id, UNIT), {})
    waiting = {unit: len(visits) for (name, unit), visits in totals.waiting.items() if name == sender.id}
    units = [
        UnclassifiedUnit(unit, waiting.get(unit, 0), named.get(unit, 0))
        for unit in {*named, *waiting}
        if unit == MORE or sender.unit_status(unit) == "unknown"
    ]
    return sorted(units, key=lambda one: (-one.waiting, -one.messages, one.unit))


# ---- the alarm


async def watch(hub: Hub) -> int:
    """Raise the alarm of each sender that went silent, once, and end it when the sender is heard again.

    Returns:
        How many alarms began or ended. Raises Unavailable.
    """
    try:
        store, now = SenderHealth(hub.store.database), hub.clock.now_us()
        silences = await store.silences()
        moved = 0
        for sender in (await hub.registry.current()).senders.values():
            moved += await _watched(store, sender, silences.get(sender.id), now)
        if now % HOUR < _FRESH:
            await store.forget(now - _KEPT, MESSAGE, now - _WEEK - _DAY)
    except Gone as error:
        raise Unavailable("The database can't be reached; silences are looked for later.") from error
    return moved


async def _watched(store: SenderHealth, sender: Sender, since: int | None, now: int) -> bool:
    last = await store.last_message(sender.id)
    if last is None:
        return False
    if since is not None:
        if last <= since or not await store.end_silence(sender.id):
            return False
        log.info("sender.heard", sender=sender.id)
        return True
    if now - last < _FRESH:
        return False
    missing = await _expected(store, sender, Span(last, now), await store.first_hour(sender.id, MESSAGE))
    if missing is None or missing < ALARM or not await store.begin_silence(sender.id, last, now):
        return False
    log.warning("sender.silent", sender=sender.id, count=round(missing))
    return True


# ---- as others read it


def as_json(found: Sequence[Health]) -> list[dict[str, Any]]:
    """As a program reads it."""
    lines = []
    for one in found:
        line = asdict(one)
        for name in ("last_message", "silent_since"):
            line[name] = iso(line[name]) if line[name] is not None else None
        for name in ("expected_since", "expected_24h", "expected_this_hour"):
            line[name] = round(line[name], 1) if line[name] is not None else None
        lines.append(line)
    return lines


class Gauge(NamedTuple):
    """One figure of every sender that has it, or by another label that names nobody."""

    name: str
    text: str
    values: dict[str, float]
    """By what the label says."""
    label: str = "sender"


class SenderGauges:
    """What Prometheus is told, asked at most every 15 seconds whoever scrapes."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._asked = float("-inf")
        self._gauges: list[Gauge] = []

    async def current(self) -> list[Gauge]:
        """The figures of now; those of before while the database can't be reached."""
        if monotonic() - self._asked >= _SCRAPE_SECONDS:
            self._asked = monotonic()
            try:
                told = answer_gauges(await answers.counts(self._hub))
                pushed = push_gauge(await pushes.counts(self._hub))
                self._gauges = [*gauges(await health(self._hub)), *told, pushed]
            except Unavailable:
                log.warning("sender-gauges.database-away")
        return self._gauges


def answer_gauges(counts: Mapping[str, Mapping[str, int]]) -> list[Gauge]:
    """Answers to hospitals that have not arrived, by the interface that is told."""
    texts = {"waiting": "Answers that wait to be taken.", "parked": "Answers that were refused: a person must look."}
    return [
        Gauge(
            f"throughline_sender_answers_{state}",
            text,
            {sender: float(found.get(state, 0)) for sender, found in counts.items()},
        )
        for state, text in texts.items()
    ]


def push_gauge(counts: Mapping[str, int]) -> Gauge:
    """What partners' own FHIR servers have yet to be given; which partner's it is stays out of it."""
    text = "Referrals that are pushed to partners' own FHIR servers; of those that are parked a person must look."
    values = {state: float(counts.get(state, 0)) for state in ("waiting", "parked")}
    return Gauge("throughline_pushes", text, values, "state")


def _seconds(instant: int | None) -> float | None:
    return None if instant is None else instant / 1_000_000


def _p50(found: Percentiles | None) -> float | None:
    return None if found is None else found.p50


def _p95(found: Percentiles | None) -> float | None:
    return None if found is None else found.p95


_FIGURES: Final[tuple[tuple[str, str, Callable[[Health], float | None]], ...]] = (
    ("silent", "1 while it should be heard and is not.", lambda one: one.silent_since is not None),
    ("last_message_timestamp_seconds", "When it was last heard.", lambda one: _seconds(one.last_message)),
    ("expected_messages", "Messages that should have come since the last one.", lambda one: one.expected_since),
    ("messages_24h", "Messages of the last 24 hours.", lambda one: one.last_24h),
    ("expected_messages_24h", "What the last 24 hours should have had.", lambda one: one.expected_24h),
    ("rejected_7d", "Messages that were rejected in seven days.", lambda one: sum(one.rejected.values())),
    ("unmapped_codes_7d", "Different codes that are not known, of seven days.", lambda one: len(one.unmapped)),
    ("unclassified_units", "Units of which nobody said whether they are Part 2.", lambda one: len(one.units)),
    ("review_open", "Open items of the review queue.", lambda one: one.review),
    ("clock_skew_seconds", "Median of receipt less MSH-7.", lambda one: _p50(one.skew_seconds)),
    ("latency_p50_seconds", "Median of receipt less EVN-2.", lambda one: _p50(one.latency_seconds)),
    ("latency_p95_seconds", "95th percentile of receipt less EVN-2.", lambda one: _p95(one.latency_seconds)),
)


def gauges(found: Sequence[Health]) -> list[Gauge]:
    """The health of senders as gauges, with the sender as their only label."""
    named = [(one.sender, one) for one in found if one.sender is not None]
    return [
        Gauge(
            f"throughline_sender_{name}",
            text,
            {sender: value for sender, one in named if (value := figure(one)) is not None},
        )
        for name, text, figure in _FIGURES
    ]
