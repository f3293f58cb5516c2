"""Counts every message by sender and hour, in memory; what has gathered is written every few seconds.

The path of a message pays a few additions for it and no write. A process that is killed loses what it had gathered
since the last write, at most some seconds of counts; the ledger has every message.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

from app.core import log
from app.core.periodic import Periodic
from app.services.intake.intake_reading import Arrival, Refusal
from app.store.database import Database, Doubt, Gone, VersionMiss
from app.store.health import NOBODY, PLAIN, SenderHealth, Tally
from fhir_mappings.explaining import showing

HOUR: Final = 3_600_000_000
MESSAGE: Final = "message"
REJECTED: Final = "rejected"
UNIT: Final = "unit"
SKEW: Final = "skew"
LATENCY: Final = "latency"
UNMAPPED: Final = "unmapped-"
"""Followed by the kind of code: ``unmapped-drug``."""
MORE: Final = "(more)"
"""Stands for all codes beyond so many different ones: what is filled with numbers of its own must not fill a table."""
NO_CODE: Final = "(no code)"
"""Stands for what has not the shape of a code: it may be anything."""
_DIFFERENT: Final = 1000
"""A formulary has some thousand codes; who has not mapped a thousand need not be told which ones are left."""
_DAY: Final = 24 * HOUR
_SECONDS: Final = 5.0
_MICROS: Final = 1_000_000
_STEPS: Final = ((10, 1), (60, 5), (900, 30), (4 * 3600, 300), (7 * 86400, 900))
"""Up to so many seconds, in steps of so many: fine where clocks differ, and still telling a whole hour from less."""


class Code(Protocol):
    """A code of the sender's own that is not known (``fhir_mappings.dialects.base.Unmapped``)."""

    @property
    def kind(self) -> str:
        """``drug``, ``diagnosis`` ..."""

    @property
    def code(self) -> str:
        """As sent; it has the shape of a code."""


@lru_cache(maxsize=4096)
def bucket(seconds: int) -> str:
    """A duration as a code, rounded so that few different ones remain; at most seven days either way."""
    size = abs(seconds)
    step = next((step for limit, step in _STEPS if size < limit), None)
    if step is None:
        return str((1 if seconds > 0 else -1) * _STEPS[-1][0])
    return str(round(seconds / step) * step)


class SenderCounts(Periodic):
    """The counts of one process that are not written yet."""

    def __init__(self, database: Database) -> None:
        self._health = SenderHealth(database)
        self._gathered: defaultdict[Tally, int] = defaultdict(int)
        self._day = 0
        self._different: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Codes of this day, by sender and kind: those are counted by the day, since there may be many."""
        super().__init__(_SECONDS)

    def note(
        self,
        reading: Arrival | Refusal,
        state: str,
        reason: str,
        *,
        unmapped: Iterable[Code] = (),
        sent_at: datetime | None = None,
    ) -> None:
        """Count one message that was accounted for; one that is decided again was counted before.

        Args:
            reading: the message.
            state: its ledger state.
            reason: code of the first reason.
            unmapped: codes in it that are not known.
            sent_at: the sender's clock when it sent (MSH-7).
        """
        if reading.inbound.replay_of is not None:
            return
        received = reading.inbound.received_at
        hour = received - received % HOUR
        sender = reading.sender.id if isinstance(reading, Arrival) else reading.sender or NOBODY
        self._gathered[sender, MESSAGE, hour, PLAIN] += 1
        if state == "rejected":
            self._gathered[sender, REJECTED, hour, reason] += 1
        if isinstance(reading, Arrival):
            self._note_facts(reading, hour)
        if sent_at is not None:
            self._gathered[sender, SKEW, hour, _apart(sent_at, received)] += 1
        for one in unmapped:
            self._note_code(sender, UNMAPPED + one.kind, received, one.code)

    def _note_facts(self, arrival: Arrival, hour: int) -> None:
        sender, facts = arrival.sender, arrival.facts
        if arrival.source != "hl7v2" or arrival.message_type.startswith("ADT"):
            # Only these say when it happened (EVN-2); of the others the time is that of sending.
            self._gathered[sender.id, LATENCY, hour, _apart(facts.at, arrival.inbound.received_at)] += 1
        unit = facts.visit.unit if facts.visit is not None else None
        if unit is not None and sender.unit_status(unit) == "unknown":
            self._note_code(sender.id, UNIT, arrival.inbound.received_at, unit)

    def _note_code(self, sender: str, what: str, received: int, code: str) -> None:
        day = received - received % _DAY
        if day != self._day:
            self._day = day
            self._different.clear()
        known = self._different[sender, what]
        shown = showing.code(code) or NO_CODE
        if shown not in known:
            if len(known) >= _DIFFERENT:
                shown = MORE
            known.add(shown)
        self._gathered[sender, what, day, shown] += 1

    async def flush(self) -> None:
        """Write what has gathered. An outage is waited out; what may have been written is not written twice."""
        taken, self._gathered = self._gathered, defaultdict(int)
        if not taken:
            return
        try:
            await self._health.add(taken)
        except (Gone, VersionMiss):
            for tally, number in taken.items():
                self._gathered[tally] += number
            log.warning("sender-counts.not-written", rows=len(taken))
        except Doubt:
            log.warning("sender-counts.in-doubt", rows=len(taken))


def _apart(said: datetime, received: int) -> str:
    """Seconds from what was said to when it was received, as a code."""
    return bucket(round(received / _MICROS - said.timestamp()))
