"""The one way to read resources: every query is bound to an actor and joined with visibility.

What an organisation may see is a row in ``visibility``; what it may not see does not exist for it,
in reads, searches, includes, histories and counts alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, NamedTuple

from app.core.actor import Actor
from app.core.clock import iso
from app.store.database import Database, Record
from app.store.statements import ENTRY_END, RESOURCE_COLUMNS, WRITTEN_PAGE
from schemas.served import prefix_of

Operator = Literal["eq", "gt", "ge", "lt", "le", "ne"]
_SQL = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "ne": "<>"}
_COLUMNS = frozenset((*RESOURCE_COLUMNS, "last_updated"))


class Row(NamedTuple):
    """One version of one resource, as the actor may see it."""

    id: str
    type: str
    version: int
    last_updated: int
    content: bytes
    level: str
    disclosed: int
    """Highest version that this organisation was already given at this level."""
    until: int | None = None
    """When it ceases to be visible (microseconds); None: no end."""


@dataclass(frozen=True, slots=True)
class ColumnIn:
    """A typed column is one of ``values`` (or none of them)."""

    column: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class ColumnIs:
    """A typed number compares with ``value`` (microseconds)."""

    column: str
    operator: Operator
    value: int


@dataclass(frozen=True, slots=True)
class ColumnMissing:
    """A typed column is empty (or not)."""

    column: str
    missing: bool


@dataclass(frozen=True, slots=True)
class IndexIn:
    """The generic index holds one of ``values`` (exact, or as a prefix) for parameter ``name``."""

    name: str
    values: tuple[str, ...]
    prefix: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IdIn:
    """The id is one of ``ids``."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnStarts:
    """A typed text column starts with one of ``values``."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of ``options`` holds."""

    options: "tuple[Condition, ...]"


Condition = ColumnIn | ColumnIs | ColumnMissing | ColumnStarts | IndexIn | IdIn | AnyOf


class Query(NamedTuple):
    """A search for one type, ordered by lastUpdated, which no two resources share."""

    type: str
    conditions: tuple[Condition, ...] = ()
    descending: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search."""

    stamp: int
    """lastUpdated of the newest change of all, at the moment of the search (microseconds)."""
    changed: int
    """A number that grows with every change of what the organisation may see."""
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """One page of a search, its matches already written as entries of a searchset Bundle."""

    stamp: int
    changed: int
    count: int
    more: bool
    last: int
    """lastUpdated of the last match."""
    entries: bytes
    """``{"fullUrl":…,"resource":…,"search":{"mode":"match"}},…``"""
    fresh: tuple[tuple[str, int, str], ...]
    """(id, version, level) of the matches that this organisation has not been given yet."""
    until: int | None = None
    """When the first of the matches, or of those that tell of a further page, ceases to be visible; None: never."""


class Counted(NamedTuple):
    """How many there are, and when the first of them ceases to be visible (None: never)."""

    number: int
    until: int | None


class Reader:
    """Reads resources for one actor."""

    def __init__(self, actor: Actor, database: Database, now_us: int) -> None:
        self.actor = actor
        self._database = database
        self._now = now_us

    async def read(self, resource_type: str, resource_id: str) -> Row | None:
        """The current version, or None when there is none that this actor may see."""
        args: list[Any] = []
        sql = self._select(args) + f" where r.id = {_bind(args, resource_id)} and r.type = {_bind(args, resource_type)}"
        rows = await self._database.fetch(sql, *args)
        return _row(rows[0]) if rows else None

    async def search(self, query: Query) -> list[Row]:
        """Matches of ``query``, at most ``limit``."""
        args: list[Any] = []
        sql = f"{self._matches(query, args)} order by m.last_updated {_order(query)}"
        return [_row(record) for record in await self._database.fetch(sql, *args)]

    async def page(self, query: Query) -> "Page":
        """Matches of ``query`` together with the feed's newest stamp and this organisation's last change.

        All three come from one statement, so they belong to the same moment: whatever is committed later
        has a greater stamp.
        """
        args: list[Any] = []
        matches = self._matches(query, args)
        changed = f"(select a.seq from audience a where a.organization = {_bind(args, self.actor.organization or '')})"
        records = await self._database.fetch(
            f"select q.*, h.stamp, {changed} from head h left join ({matches}) q on true", *args
        )
        first = records[0]
        rows = [Row._make(record[:_WIDTH]) for record in records] if first[0] is not None else []
        # The join keeps the order of the inner query, but SQL does not promise it.
        rows.sort(key=_last_updated, reverse=query.descending)
        return Page(first[_WIDTH], first[_WIDTH + 1] or 0, rows)

    async def written_page(self, query: Query, base: str) -> WrittenPage:
        """``page`` as bytes; ``base`` starts every fullUrl.

        PostgreSQL puts the bytes together itself: one value comes back instead of fifty rows.
        """
        if self._database.name != "postgresql":
            return written(await self.page(query._replace(limit=query.limit + 1)), query.limit, base)
        args: list[Any] = []
        sql = WRITTEN_PAGE.format(
            narrow=self._narrow(query, args, query.limit + 1),
            shown=_bind(args, query.limit),
            last="min" if query.descending else "max",
            url=f"{_bind(args, f'{base}/{query.type}/')}::text",
            type=query.type,
            between=f"{_bind(args, ENTRY_END + b',')}::bytea",
            organization=_bind(args, self.actor.organization or ""),
        )
        stamp, changed, found, until, shown, last, entries, fresh = (await self._database.fetch(sql, *args))[0]
        return WrittenPage(
            stamp=stamp,
            changed=changed or 0,
            count=shown,
            more=found > shown,
            last=last or 0,
            entries=entries + ENTRY_END if shown else b"",
            fresh=tuple((i, int(version), level) for i, version, level in (text.split(" ") for text in fresh or ())),
            until=until,
        )

    async def count(self, query: Query) -> Counted:
        """How many matches this actor may see."""
        args: list[Any] = []
        sql = f"select count(*), min({self._until()}) from resource r {self._visible(args)} {self._where(query, args)}"
        return Counted._make((await self._database.fetch(sql, *args))[0])

    async def by_ids(self, ids: Sequence[str]) -> list[Row]:
        """The visible ones of ``ids``, of any type."""
        if not ids:
            return []
        args: list[Any] = []
        sql = self._select(args)
        sql += f" where {self._database.any_of('r.id', _bind(args, self._database.array(ids)))} and not r.deleted"
        return [_row(record) for record in await self._database.fetch(sql, *args)]

    async def history(self, resource_type: str, resource_id: str, *, since: int | None = None) -> list[Row]:
        """Every version, newest first; empty when the actor may not see the resource."""
        args: list[Any] = []
        level = "'full'" if self.actor.is_system else "v.level"
        sql = f"""
            select r.id, r.type, c.version, c.last_updated, b.content, {level}, {self._disclosed()}, {self._until()}
            from resource r {self._visible(args)}
            join change c on c.id = r.id
            join body b on b.id = c.id and b.version = c.version and b.rendition = {level}
            where r.id = {_bind(args, resource_id)} and r.type = {_bind(args, resource_type)}"""
        if since is not None:
            sql += f" and c.last_updated >= {_bind(args, since)}"
        return [_row(record) for record in await self._database.fetch(sql + " order by c.version desc", *args)]

    async def version(self, resource_type: str, resource_id: str, version: int) -> Row | None:
        """One version of a resource that the actor may see."""
        return next((row for row in await self.history(resource_type, resource_id) if row.version == version), None)

    async def last_change(self) -> int:
        """A number that grows with every change of what this organisation may see."""
        rows = await self._database.fetch("select seq from audience where organization = $1", self.actor.organization)
        return int(rows[0][0]) if rows else 0

    def _disclosed(self) -> str:
        return "0" if self.actor.is_system else "v.disclosed"

    def _until(self) -> str:
        return "cast(null as bigint)" if self.actor.is_system else "v.until"

    def _select(self, args: list[Any]) -> str:
        level = "'full'" if self.actor.is_system else "v.level"
        return f"""select r.id, r.type, r.version, r.last_updated, b.content,
                {level} as level, {self._disclosed()} as disclosed, {self._until()} as until
            from resource r {self._visible(args)}
            join body b on b.id = r.id and b.version = r.version and b.rendition = {level}"""

    def _matches(self, query: Query, args: list[Any]) -> str:
        """The narrow rows are chosen first; only those that are shown fetch their bodies."""
        return f"""select m.id, m.type, m.version, m.last_updated, b.content, m.level, m.disclosed, m.until
            from ({self._narrow(query, args, query.limit)}) m
            join body b on b.id = m.id and b.version = m.version and b.rendition = m.level"""

    def _narrow(self, query: Query, args: list[Any], limit: int) -> str:
        level = "'full'" if self.actor.is_system else "v.level"
        visible = self._probed(args) if self._can_probe(query) else self._visible(args)
        return f"""select r.id, r.type, r.version, r.last_updated, {level} as level, {self._disclosed()} as disclosed,
                {self._until()} as until
            from resource r {visible} {self._where(query, args)}
            order by r.last_updated {_order(query)} limit {_bind(args, limit)}"""

    def _can_probe(self, query: Query) -> bool:
        """Whether few resources match at all, so that each may be looked up in ``visibility`` one by one."""
        return (
            not self.actor.is_system
            and self._database.name == "postgresql"
            and any(_is_selective(condition) for condition in query.conditions)
        )

    def _probed(self, args: list[Any]) -> str:
        """``_visible`` in a form that keeps the order of an index: the planner can't start with the other table."""
        organization, now = _bind(args, self.actor.organization), _bind(args, self._now)
        return (
            "cross join lateral (select v.level, v.disclosed, v.until from visibility v "
            f"where v.organization = {organization} and v.id = r.id and (v.until is null or v.until > {now}) limit 1) v"
        )

    def _visible(self, args: list[Any]) -> str:
        if self.actor.is_system:
            return ""
        organization, now = _bind(args, self.actor.organization), _bind(args, self._now)
        return (
            f"join visibility v on v.id = r.id and v.organization = {organization} "
            f"and (v.until is null or v.until > {now})"
        )

    def _where(self, query: Query, args: list[Any]) -> str:
        # The type is written out so that the planner sees that a partial index covers the query.
        if not query.type.isalpha():
            raise ValueError("a resource type is a word")
        parts = [f"r.type = '{query.type}'", "not r.deleted"]
        parts += [self._condition(query.type, condition, args) for condition in query.conditions]
        return " where " + " and ".join(parts)

    def _condition(self, resource_type: str, condition: Condition, args: list[Any]) -> str:
        match condition:
            case IdIn(ids):
                return self._any("r.id", ids, args)
            case ColumnIn(column, values, negated):
                test = self._any(f"r.{_known(column)}", values, args)
                return f"(r.{column} is null or not {test})" if negated else test
            case ColumnIs(column, operator, value):
                return f"r.{_known(column)} {_SQL[operator]} {_bind(args, value)}"
            case ColumnStarts(column, values):
                return _starts(f"r.{_known(column)}", values, args)
            case ColumnMissing(column, missing):
                return f"r.{_known(column)} is {'' if missing else 'not '}null"
            case IndexIn():
                return self._indexed(resource_type, condition, args)
            case AnyOf(options):
                return "(" + " or ".join(self._condition(resource_type, option, args) for option in options) + ")"

    def _indexed(self, resource_type: str, condition: IndexIn, args: list[Any]) -> str:
        name = _bind(args, condition.name)
        if condition.prefix:
            test = _starts("i.value", condition.values, args)
        else:
            test = self._any("i.value", condition.values, args)
        return (
            f"r.id {'not ' if condition.negated else ''}in (select i.id from search_index i "
            f"where i.type = '{resource_type}' and i.name = {name} and {test})"
        )

    def _any(self, expression: str, values: Sequence[str], args: list[Any]) -> str:
        if len(values) == 1:
            return f"{expression} = {_bind(args, values[0])}"
        return self._database.any_of(expression, _bind(args, self._database.array(values)))


_SELECTIVE = frozenset({"owner", "requester", "patient", "focus", "part_of", "group_identifier"})


def _is_selective(condition: Condition) -> bool:
    match condition:
        case IdIn():
            return True
        case ColumnIn(column, _, negated):
            return column in _SELECTIVE and not negated
        case IndexIn(_, _, _, negated):
            return not negated
    return False


def _order(query: Query) -> str:
    return "desc" if query.descending else "asc"


def written_entry(base: str, row: Row, mode: str) -> bytes:
    """One match or include as an entry of a searchset Bundle."""
    prefix = prefix_of(row.type, row.id, row.version, iso(row.last_updated))
    head = f'{{"fullUrl":"{base}/{row.type}/{row.id}","resource":{prefix}'
    return b"".join((head.encode(), row.content, b',"search":{"mode":"', mode.encode(), b'"}}'))


def written(page: Page, limit: int, base: str) -> WrittenPage:
    """A page as bytes; a row beyond ``limit`` only says that there are more."""
    rows = page.rows[:limit]
    return WrittenPage(
        stamp=page.stamp,
        changed=page.changed,
        count=len(rows),
        more=len(page.rows) > limit,
        last=rows[-1].last_updated if rows else 0,
        entries=b",".join([written_entry(base, row, "match") for row in rows]),
        fresh=tuple((row.id, row.version, row.level) for row in rows if row.disclosed < row.version),
        until=first_end(page.rows),
    )


def first_end(rows: Iterable[Row]) -> int | None:
    """When the first of ``rows`` ceases to be visible; None: never."""
    return earliest(row.until for row in rows)


def earliest(ends: Iterable[int | None]) -> int | None:
    """The first of some ends, of which None is none."""
    return min((end for end in ends if end is not None), default=None)


def _bind(args: list[Any], value: Any) -> str:
    args.append(value)
    return f"${len(args)}"


def _starts(expression: str, values: Sequence[str], args: list[Any]) -> str:
    tests = [
        f"({expression} >= {_bind(args, value)} and {expression} < {_bind(args, value + chr(0x10FFFF))})"
        for value in values
    ]
    return "(" + " or ".join(tests) + ")"


def _known(column: str) -> str:
    if column not in _COLUMNS:
        raise ValueError("not a typed column")
    return column


def _row(record: Record) -> Row:
    return Row._make(record)


_WIDTH = len(Row._fields)
_last_updated = attrgetter("last_updated")
