"""What intake must know before it decides, for a whole batch of messages at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Found(NamedTuple):
    """What is known to messages that arrive together."""

    receipts: list[Received]
    by_number: list[StoredVisit]
    by_person: list[StoredVisit]
    waiting: list[Waiting]
    """Messages that still look for their visit, oldest first."""


_KNOWN = """
select 1, r.scope, r.key, r.mac, null, null, null, l.id, l.state, l.reasons, l.visit, l.referral
    from {receipts} join receipt r on r.scope = pair.one and r.key = pair.two join ledger l on l.id = r.ledger
union all select 2, n.mac, v.id, null, v.key, v.content, v.expires_at, cast(v.version as text), null, null, null, null
    from visit_number n join visit v on v.id = n.visit where {numbers}
union all select 3, n.mac, v.id, null, v.key, v.content, v.expires_at, cast(v.version as text), null, null, null, null
    from visit_person n join visit v on v.id = n.visit where {persons}
union all select 4, person, id, sender, raw, null, received_at, control_id, null, null, null, null
    from ledger where state = 'waiting' and visit is null and raw is not null and {waiting}
"""
"""Four look-ups as one question: which one, three texts, two contents, a number, five texts more.

Receipts are joined by scope and key together: membership of each apart would read every receipt of a sender.
"""
_ENTRY = "id, sender, control_id, message_type, received_at, state, reasons, visit, referral"


class IntakeReader:
    """Reads visits and the ledger for the hub itself."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("visits and the ledger are read by the hub itself only")
        self.actor = actor
        self._database = database

    async def known(
        self,
        *,
        receipts: Iterable[tuple[str, str]] = (),
        numbers: Iterable[str] = (),
        persons: Iterable[str] = (),
        waiting: Iterable[str] = (),
    ) -> Found:
        """Everything that bears on some messages, in one question.

        Args:
            receipts: (scope, key) identities of which earlier messages are looked for.
            numbers: keyed hashes of visit identifiers.
            persons: keyed hashes of patient identifiers whose visits are looked for.
            waiting: those whose messages without a visit are looked for.
        """
        db = self._database
        asked = sorted(set(receipts))
        rows = await db.fetch(
            _KNOWN.format(
                receipts=db.pairs("$1", "$2"),
                numbers=db.any_of("n.mac", "$3"),
                persons=db.any_of("n.mac", "$4"),
                waiting=db.any_of("person", "$5"),
            ),
            db.array([scope for scope, _ in asked]),
            db.array([key for _, key in asked]),
            *(db.array(sorted(set(one))) for one in (numbers, persons, waiting)),
        )
        found = Found([], [], [], [])
        for which, a, b, c, x, y, number, *more in rows:
            match which:
                case 1:
                    found.receipts.append(Received(a, b, c, *more))
                case 2 | 3:
                    visits = found.by_number if which == 2 else found.by_person
                    visits.append(StoredVisit(a, b, int(more[0]), x, y, number))
                case _:
                    found.waiting.append(Waiting(a, b, c, more[0], number, x))
        found.waiting.sort(key=lambda message: message.ledger)
        return found

    async def visit(self, visit_id: str) -> StoredVisit | None:
        """One visit by its id."""
        rows = await self._database.fetch(
            "select '', id, version, key, content, expires_at from visit where id = $1", visit_id
        )
        return StoredVisit(*rows[0]) if rows else None

    async def visit_of(self, referral: str) -> str | None:
        """The visit that the referral of a source ServiceRequest grew from."""
        rows = await self._database.fetch("select visit from referral_visit where request = $1", referral)
        return rows[0][0] if rows else None

    async def entry(self, ledger_id: str) -> LedgerEntry | None:
        """One ledger entry."""
        rows = await self._database.fetch(f"select {_ENTRY} from ledger where id = $1", ledger_id)
        return LedgerEntry(*rows[0]) if rows else None

    async def opener(self, referral: str) -> str | None:
        """Ledger id of the message that opened the referral of a source ServiceRequest, or waits in review for it."""
        rows = await self._database.fetch(
            "select id from ledger where referral = $1 and state in ('referral', 'review') order by state, id limit 1",
            referral,
        )
        return rows[0][0] if rows else None

    async def of_visit(self, visit_id: str) -> list[LedgerEntry]:
        """Entries of the messages that are about one visit and matter to its referral, oldest first."""
        rows = await self._database.fetch(
            f"select {_ENTRY} from ledger where visit = $1 and state in ('referral', 'updated') "
            "order by received_at, id",
            visit_id,
        )
        return [LedgerEntry(*row) for row in rows]

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
