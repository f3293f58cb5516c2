"""What of the accounting an organisation may read: its own looks, disclosures of its records, decisions about them."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from app.core.actor import Actor
from app.store.accounting import Access, Accounting, Given
from app.store.changes import Decision
from app.store.database import Database

Kind = Literal["disclosure", "decision", "access"]
Place = tuple[int, str]
"""Instant and id of a row."""
READING_THE_TRAIL: Final = "audit"
"""Interaction of a look at the trail: it is kept, but stands in the trail of nobody, or each poll would find itself."""


class Period(NamedTuple):
    """From the first instant to before the second (microseconds); None: no bound."""

    start: int | None = None
    end: int | None = None


class Asking(NamedTuple):
    """What is asked for; None: all."""

    period: Period = Period()
    patients: Sequence[str] | None = None
    """Those that may be about one of these Patients."""
    row: str | None = None
    """The one with this id."""
    newest_first: bool = False


class Trail(NamedTuple):
    """Rows in their order, and what they refer to."""

    rows: list[Given | Decision | Access]
    decisions: dict[str, Decision]
    types: dict[str, str]
    """FHIR type of each resource that is named."""


class AuditTrail:
    """Reads the accounting as one organisation may see it; the hub itself sees all of it.

    An organisation sees what its own readers were shown; of others only what they were given of its records, under
    decisions in which it is the discloser; and these decisions.
    """

    def __init__(self, actor: Actor, database: Database) -> None:
        self.actor = actor
        self._database = database
        self._all = Accounting(Actor.system("audit"), database)

    async def page(self, asking: Asking, start: Place | None, limit: int) -> Trail:
        """Rows from ``start`` (None: the first) on, in the order that is asked for."""
        order = " desc" if asking.newest_first else ""
        bounds = _Bounds(self._database, self.actor, asking, start)
        rows = await self._database.fetch(
            f"select t.kind, t.id, t.at from ({bounds.rows()}) t order by t.at{order}, t.id{order} "
            f"limit {bounds.bind(limit)}",
            *bounds.args,
        )
        return await self._read([(row[0], row[1]) for row in rows])

    async def one(self, row_id: str) -> Trail:
        """The row with this id, or none."""
        bounds = _Bounds(self._database, self.actor, Asking(row=row_id), None)
        rows = await self._database.fetch(f"select t.kind, t.id from ({bounds.rows()}) t", *bounds.args)
        return await self._read([(row[0], row[1]) for row in rows])

    async def _read(self, found: Sequence[tuple[Kind, str]]) -> Trail:
        given = await self._all.given([row for kind, row in found if kind == "disclosure"])
        accesses = await self._all.accesses_by_id([row for kind, row in found if kind == "access"])
        reasons = {e.decision for one in given.values() for e in one.entries if e.decision is not None}
        decisions = await self._all.decisions(reasons | {row for kind, row in found if kind == "decision"})
        known: dict[str, Given | Decision | Access] = {**given, **accesses, **decisions}
        shown = {e.id for one in given.values() for e in one.entries}
        shown |= {resource for one in accesses.values() for resource in one.resources or ()}
        whose = await self._all.whose(shown)
        types = {resource: one.type for resource, one in whose.items()}
        return Trail([known[row] for _, row in found if row in known], decisions, types)


class _Bounds:
    """The parts of a page's statement: one for each kind of row, each within the same bounds."""

    def __init__(self, database: Database, actor: Actor, asking: Asking, start: Place | None) -> None:
        self.args: list[object] = []
        self._within = "true"
        if start is not None:
            beyond = "<" if asking.newest_first else ">"
            at, row = self.bind(start[0]), self.bind(start[1])
            self._within = f"(x.at {beyond} {at} or (x.at = {at} and x.id {beyond}= {row}))"
        if asking.period.start is not None:
            self._within += f" and x.at >= {self.bind(asking.period.start)}"
        if asking.period.end is not None:
            self._within += f" and x.at < {self.bind(asking.period.end)}"
        if asking.row is not None:
            self._within += f" and x.id = {self.bind(asking.row)}"
        self._organization = None if actor.organization is None else self.bind(actor.organization)
        self._patients = None if asking.patients is None else self.bind(database.array(asking.patients))
        self._any_of = database.any_of

    def rows(self) -> str:
        """All kinds together."""
        return " union all ".join((*self.disclosures(), self.decisions(), self.accesses()))

    def bind(self, value: object) -> str:
        """The name of a new parameter."""
        self.args.append(value)
        return f"${len(self.args)}"

    def disclosures(self) -> list[str]:
        """To the organisation, and of its records to others."""
        about = self._about("c.patient")
        stands_on = "select l.disclosure from decision c join disclosure_decision l on l.decision = c.id"
        row = f"select 'disclosure' as kind, x.id, x.at from disclosure x where {self._within}"
        to_patient = f" and x.id in ({stands_on} where {about})" if about else ""
        if self._organization is None:
            return [row + to_patient]
        records = f"c.discloser = {self._organization}{f' and {about}' if about else ''}"
        return [
            f"{row} and x.organization = {self._organization}{to_patient}",
            f"{row} and x.organization <> {self._organization} and x.id in ({stands_on} where {records})",
        ]

    def decisions(self) -> str:
        """About the organisation's records."""
        own = "" if self._organization is None else f" and x.discloser = {self._organization}"
        about = self._about("x.patient")
        return (
            f"select 'decision' as kind, x.id, x.at from decision x where {self._within}{own}"
            f"{f' and {about}' if about else ''}"
        )

    def accesses(self) -> str:
        """Of the organisation's own readers."""
        own = "" if self._organization is None else f" and x.organization = {self._organization}"
        about = self._about("x.resource")
        return (
            f"select 'access' as kind, x.id, x.at from access_log x where {self._within}{own} "
            f"and x.interaction <> '{READING_THE_TRAIL}'{f' and {about}' if about else ''}"
        )

    def _about(self, column: str) -> str:
        return "" if self._patients is None else self._any_of(column, self._patients)
