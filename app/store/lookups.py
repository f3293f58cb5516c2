"""What intake must know before it decides, for a whole batch of messages at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.actor import Actor
from app.store.database import Database


@dataclass(frozen=True, slots=True)
class Received:
    """An earlier copy of a message: its ledger entry as it stands now."""

    scope: str
    key: str
    mac: str
    ledger: str
    state: str
    reasons: str
    visit: str | None
    referral: str | None


@dataclass(frozen=True, slots=True)
class StoredVisit:
    """A visit stub as stored; ``key`` None: the time lapsed and the key was destroyed."""

    mac: str
    """The keyed hash by which it was found."""
    id: str
    version: int
    key: bytes | None
    content: bytes | None
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message whose visit was not known when it came."""

    person: str
    ledger: str
    sender: str
    control_id: str | None
    received_at: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row of the ledger."""

    id: str
    sender: str | None
    control_id: str | None
    message_type: str | None
    received_at: int
    state: str
    reasons: str
    visit: str | None
    referral: str | None


_ENTRY = "id, sender, control_id, message_type, received_at, state, reasons, visit, referral"


class IntakeReader:
    """Reads visits and the ledger for the hub itself."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("visits and the ledger are read by the hub itself only")
        self.actor = actor
        self._database = database

    async def receipts(self, keys: Sequence[tuple[str, str]]) -> list[Received]:
        """Earlier messages with one of these (scope, key) identities."""
        if not keys:
            return []
        db = self._database
        # Membership of scope and of key apart would read every receipt of a sender, each time more of them.
        rows = await db.fetch(
            "select r.scope, r.key, r.mac, l.id, l.state, l.reasons, l.visit, l.referral "
            f"from {db.pairs('$1', '$2')} join receipt r on r.scope = pair.one and r.key = pair.two "
            "join ledger l on l.id = r.ledger",
            *map(db.array, zip(*sorted(set(keys)), strict=True)),
        )
        return [Received(*row) for row in rows]

    async def visits_by_number(self, macs: Sequence[str]) -> list[StoredVisit]:
        """Visits that carry one of these visit identifiers."""
        return await self._visits("visit_number", macs)

    async def visits_by_person(self, macs: Sequence[str]) -> list[StoredVisit]:
        """Visits of one of these persons."""
        return await self._visits("visit_person", macs)

    async def _visits(self, table: str, macs: Sequence[str]) -> list[StoredVisit]:
        if not macs:
            return []
        db = self._database
        rows = await db.fetch(
            f"select n.mac, v.id, v.version, v.key, v.content, v.expires_at from {table} n "
            f"join visit v on v.id = n.visit where {db.any_of('n.mac', '$1')}",
            db.array(macs),
        )
        return [StoredVisit(*row) for row in rows]

    async def visit(self, visit_id: str) -> StoredVisit | None:
        """One visit by its id."""
        rows = await self._database.fetch(
            "select '', id, version, key, content, expires_at from visit where id = $1", visit_id
        )
        return StoredVisit(*rows[0]) if rows else None

    async def waiting(self, persons: Sequence[str]) -> list[Waiting]:
        """Messages of these persons that still look for their visit, oldest first."""
        if not persons:
            return []
        db = self._database
        rows = await db.fetch(
            "select person, id, sender, control_id, received_at, raw from ledger where state = 'waiting' "
            f"and visit is null and raw is not null and {db.any_of('person', '$1')} order by id",
            db.array(persons),
        )
        return [Waiting(*row) for row in rows]

    async def entry(self, ledger_id: str) -> LedgerEntry | None:
        """One ledger entry."""
        rows = await self._database.fetch(f"select {_ENTRY} from ledger where id = $1", ledger_id)
        return LedgerEntry(*rows[0]) if rows else None

    async def opener(self, referral: str) -> str | None:
        """Ledger id of the message that opened the referral of a source ServiceRequest."""
        rows = await self._database.fetch(
            "select id from ledger where referral = $1 and state = 'referral' order by id limit 1", referral
        )
        return rows[0][0] if rows else None

    async def entries(
        self, *, sender: str | None, state: str | None, since: int | None, limit: int
    ) -> list[LedgerEntry]:
        """Entries that match, oldest first."""
        conditions, args = ["true"], []
        filters: list[tuple[str, Any]] = [
            ("sender = ${}", sender),
            ("state = ${}", state),
            ("received_at >= ${}", since),
        ]
        for test, value in filters:
            if value is not None:
                args.append(value)
                conditions.append(test.format(len(args)))
        args.append(limit)
        rows = await self._database.fetch(
            f"select {_ENTRY} from ledger where {' and '.join(conditions)} order by received_at, id limit ${len(args)}",
            *args,
        )
        return [LedgerEntry(*row) for row in rows]

    async def states(self, ledger_id: str) -> list[tuple[int, str, str]]:
        """Earlier states of one entry: (until, state, reasons), oldest first."""
        rows = await self._database.fetch(
            "select until, state, reasons from ledger_state where ledger = $1 order by until", ledger_id
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def raw(self, ledger_id: str) -> bytes | None:
        """The sealed bytes of one entry, where they were kept."""
        rows = await self._database.fetch("select raw from ledger where id = $1", ledger_id)
        return rows[0][0] if rows else None

    async def counts(self) -> dict[tuple[str | None, str], int]:
        """(sender, state) -> number of entries."""
        rows = await self._database.fetch("select sender, state, count(*) from ledger group by sender, state")
        return {(row[0], row[1]): row[2] for row in rows}
