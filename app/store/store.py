"""The store: one object that services hold, over either database."""

from pathlib import Path

from app.core.actor import Actor
from app.core.clock import Clock
from app.store.accounting import Accounting
from app.store.accounts import Accounts
from app.store.agreements import Agreements
from app.store.answers import Answers
from app.store.audit_trail import AuditTrail
from app.store.authorship import Authorship
from app.store.changes import Changes, Committed
from app.store.committer import Committer
from app.store.coverage_events import CoverageEvents
from app.store.database import Database
from app.store.decisions import Decisions
from app.store.incidents import Incidents
from app.store.lookups import IntakeReader
from app.store.postgres import PostgresDatabase
from app.store.pushes import Pushes
from app.store.questions import Questions
from app.store.reader import Reader
from app.store.retention import Retention
from app.store.sqlite import SqliteDatabase
from app.store.subscriptions import Subscriptions
from app.store.working_agreements import WorkingAgreements


class Store:
    """Reads are bound to an actor; writes go through the committer."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.committer = Committer(database, clock)
        self.accounts = Accounts(database, clock)
        self.agreements = Agreements(database, clock)
        self.working_agreements = WorkingAgreements(database, clock)

    def reader(self, actor: Actor) -> Reader:
        """Reads resources as ``actor`` may see them."""
        return Reader(actor, self.database, self.clock.now_us())

    def authorship(self, actor: Actor) -> Authorship:
        """Who wrote what, as ``actor`` may know it."""
        return Authorship(actor, self.database)

    def subscriptions(self, actor: Actor) -> Subscriptions:
        """Reads the standing and the events of the subscriptions of ``actor``'s organisation."""
        return Subscriptions(actor, self.database, self.clock.now_us())

    def accounting(self, actor: Actor) -> Accounting:
        """Reads the whole accounting; for the hub itself only."""
        return Accounting(actor, self.database)

    def audit_trail(self, actor: Actor) -> AuditTrail:
        """Reads what of the accounting ``actor``'s organisation may know."""
        return AuditTrail(actor, self.database)

    def incidents(self, actor: Actor) -> Incidents:
        """Reads and reviews incidents; for the hub itself only."""
        return Incidents(actor, self.database)

    def intake(self, actor: Actor) -> IntakeReader:
        """Reads visits and the ledger; for the hub itself only."""
        return IntakeReader(actor, self.database)

    def questions(self, actor: Actor) -> Questions:
        """Reads what partners have not said; for the hub itself only."""
        return Questions(actor, self.database)

    def retention(self, actor: Actor) -> Retention:
        """Reads what partners say of people in care; for the hub itself only."""
        return Retention(actor, self.database)

    def decisions(self, actor: Actor) -> Decisions:
        """Reads decisions of consent; for the hub itself only."""
        return Decisions(actor, self.database)

    def coverage_events(self, actor: Actor) -> CoverageEvents:
        """Reads what coverage clocks have shown; for the hub itself only."""
        return CoverageEvents(actor, self.database)

    def answers(self, actor: Actor) -> Answers:
        """Looks after the answers that have yet to leave; for the hub itself only."""
        return Answers(actor, self.database)

    def pushes(self, actor: Actor) -> Pushes:
        """Looks after what partners' own servers are given; for the hub itself only."""
        return Pushes(actor, self.database)

    async def commit(self, changes: Changes) -> Committed:
        """Write ``changes`` durably; see ``Committer.commit``."""
        return await self.committer.commit(changes)

    async def close(self) -> None:
        """Give all connections back."""
        await self.database.close()


def connect(url: str, clock: Clock) -> Store:
    """A store over ``sqlite:///path`` or ``postgresql://user:pass@host/db``."""
    if url.startswith("sqlite:///"):
        return Store(SqliteDatabase(Path(url.removeprefix("sqlite:///"))), clock)
    if url.startswith(("postgresql://", "postgres://")):
        return Store(PostgresDatabase(url), clock)
    raise ValueError("DATABASE_URL must start with sqlite:/// or postgresql://")
