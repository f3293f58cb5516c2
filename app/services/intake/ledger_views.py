"""The ledger as it is shown: where every message went, and why."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

from app.core.actor import Actor
from app.core.clock import iso, micros
from app.core.errors import BadRequest, Unavailable
from app.services.hub import Hub
from app.services.intake.intake import Outcome
from app.services.intake.intake_reading import Arrival
from app.store.database import Gone
from app.store.lookups import LedgerEntry

_SYSTEM = Actor.system("ledger")
_SLICE: Final = 2000
_COLUMNS: Final = ("received", "sender", "type", "control id", "state", "reasons", "referral", "id")

LedgerLine = dict[str, Any]
"""``id sender control_id message_type received_at state reasons visit referral``."""


def line_of(entry: LedgerEntry) -> LedgerLine:
    """One entry as JSON shows it."""
    return {
        "id": entry.id,
        "sender": entry.sender,
        "control_id": entry.control_id,
        "message_type": entry.message_type,
        "received_at": iso(entry.received_at),
        "state": entry.state,
        "reasons": json.loads(entry.reasons),
        "visit": entry.visit,
        "referral": entry.referral,
    }


async def line(hub: Hub, ledger_id: str) -> LedgerLine | None:
    """One entry by its id, as it stands now."""
    entry = await hub.store.intake(_SYSTEM).entry(ledger_id)
    return line_of(entry) if entry else None


async def lines(
    hub: Hub, *, sender: str | None = None, state: str | None = None, since: int | None = None
) -> AsyncIterator[LedgerLine]:
    """Entries that match, oldest first, read in slices.

    Args:
        hub: the hub.
        sender: id of the interface.
        state: one ledger state.
        since: received then or later, in microseconds.
    """
    reader = hub.store.intake(_SYSTEM)
    seen: set[str] = set()
    while True:
        try:
            # What shares the last instant of a slice comes again at the head of the next one.
            found = await reader.entries(sender=sender, state=state, since=since, limit=_SLICE + len(seen))
        except Gone as error:
            raise Unavailable("The database can't be reached; try again.") from error
        fresh = [entry for entry in found if entry.id not in seen]
        for entry in fresh:
            yield line_of(entry)
        if len(fresh) < _SLICE:
            return
        since = fresh[-1].received_at
        seen = {entry.id for entry in found if entry.received_at == since}


def line_of_outcome(outcome: Outcome) -> LedgerLine:
    """What one message came to, in the shape of its entry."""
    decision, reading = outcome.decision, outcome.reading
    return {
        "id": reading.ledger,
        "sender": reading.sender.id if isinstance(reading, Arrival) else reading.sender,
        "control_id": control_id(outcome),
        "message_type": reading.message_type,
        "received_at": iso(reading.inbound.received_at),
        "state": decision.state,
        "reasons": [{"code": code, "text": text} for code, text in decision.reasons],
        "visit": decision.visit,
        "referral": decision.referral,
    }


def control_id(outcome: Outcome) -> str | None:
    """MSH-10 or the event's identity, where it could be read."""
    reading = outcome.reading
    if isinstance(reading, Arrival):
        return reading.key
    return reading.header.control_id if reading.header else None


def table(entries: list[LedgerLine]) -> str:
    """Aligned columns for a terminal, times to the second in UTC."""
    rows = [_COLUMNS, *map(_cells, entries)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cells(entry: LedgerLine) -> tuple[str, ...]:
    codes = dict.fromkeys(reason["code"] for reason in entry["reasons"])
    return (
        f"{entry['received_at'][:19]}Z",
        entry["sender"] or "-",
        entry["message_type"] or "-",
        entry["control_id"] or "-",
        entry["state"],
        ",".join(codes) or "-",
        entry["referral"] or "-",
        entry["id"],
    )


def instant(text: str, now_us: int) -> int:
    """Microseconds of an ISO 8601 instant (UTC where it has no offset), or of so long before now: 30m, 24h, 7d.

    Raises BadRequest.
    """
    ago = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if ago:
        return now_us - int(ago[1]) * {"m": 60, "h": 3600, "d": 86400}[ago[2]] * 1_000_000
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("--since is not a time: 2026-06-05T14:00:00-04:00, 2026-06-05, 24h or 7d.") from None
    return micros(found if found.tzinfo else found.replace(tzinfo=UTC))
