"""The one way to read resources: every query is bound to an actor and joined with visibility.

What an organisation may see is a row in ``visibility``; what it may not see does not exist for it,
in reads, searches, includes, histories and counts alike.
"""

from collections.abc import Sequence
from typing import Any, Final

from app.core.actor import Actor
from app.store import fence, pages
from app.store.database import Database, Record
from app.store.matching import Sql, is_selective, order_by
from app.store.queries import Counted, Follow, Key, Order, Page, Query, Row, Shown, Versions, WrittenPage, row_of


class Reader:
    """Reads resources for one actor."""

    def __init__(self, actor: Actor, database: Database, now_us: int) -> None:
        self.actor = actor
        self._database = database
        self._now = now_us

    async def _fetch(self, text: str, *args: Any) -> Sequence[Record]:
        return await fence.read(self._database, self.actor, text, *args)

    def _sql(self) -> Sql:
        return Sql(self._database, granted=not self.actor.is_system)

    async def read(self, resource_type: str, resource_id: str) -> Row | None:
        """The current version, or None when there is none that this actor may see."""
        sql = self._sql()
        text = self._select(sql) + f" where r.id = {sql.bind(resource_id)} and r.type = {sql.bind(resource_type)}"
        rows = await self._fetch(text, *sql.args)
        return row_of(rows[0]) if rows else None

    async def search(self, query: Query) -> list[Row]:
        """Matches of ``query``, at most ``limit``."""
        sql = self._sql()
        text = f"{self._matches(query, sql)} {order_by(query.order, [f'm.{name}' for name in _keys(query)])}"
        return [row_of(record) for record in await self._fetch(text, *sql.args)]

    async def page(self, query: Query) -> Page:
        """Matches of ``query`` together with the stamp and the number of this organisation's last change.

        All three come from one statement, so they belong to the same moment: whatever is committed later
        has a greater stamp.
        """
        sql = self._sql()
        matches = self._matches(query, sql)
        own = f"left join audience a on a.organization = {sql.bind(self.actor.organization or '')}"
        records = await self._fetch(
            f"select coalesce(a.stamp, h.stamp), a.seq, q.* from head h {own} left join ({matches}) q on true",
            *sql.args,
        )
        stamp, changed_at, *first = records[0]
        rows = [row_of(record[2:]) for record in records] if first[0] is not None else []
        # The join keeps the order of the inner query, but SQL does not promise it.
        for place, one in reversed([*enumerate(query.order)]):
            rows.sort(key=lambda row: _place(row.key[place], one), reverse=one.descending)
        return Page(stamp, changed_at or 0, rows)

    async def written_page(self, query: Query, base: str, follows: Sequence[Follow] = ()) -> WrittenPage:
        """``page`` as bytes, with what ``follows`` lead to; ``base`` starts every fullUrl.

        PostgreSQL puts the bytes together itself: one value comes back instead of fifty rows.
        """
        if self._database.name != "postgresql":
            page = await self.page(query._replace(limit=query.limit + 1))
            included = await self._followed([row.id for row in page.rows[: query.limit]], follows)
            return pages.written(page, query.limit, base, included)
        sql = self._sql()
        narrow = self._narrow(query, sql, query.limit + 1, pages.columns_of(follows))
        url = sql.bind(f"{base}/")
        included_part = ""
        if follows:
            included_part = pages.inclusion(
                follows,
                of=query.type,
                shown=self._shown(),
                visible=self._visible(sql),
                base=url,
                include_end=sql.bind(pages.INCLUDE_END + b","),
            )
        text = pages.statement(
            narrow=narrow,
            shown=sql.bind(query.limit),
            organization=sql.bind(self.actor.organization or ""),
            base=url,
            order=query.order,
            match_end=sql.bind(pages.MATCH_END + b","),
            included=included_part,
        )
        return pages.read((await self._fetch(text, *sql.args))[0], query.order)

    async def count(self, query: Query) -> Counted:
        """How many matches this actor may see."""
        sql = self._sql()
        text = f"select count(*), min({self._shown().until}) from resource r {self._visible(sql)} {sql.where(query)}"
        return Counted._make((await self._fetch(text, *sql.args))[0])

    async def by_ids(self, ids: Sequence[str]) -> list[Row]:
        """The visible ones of ``ids``, of any type."""
        if not ids:
            return []
        sql = self._sql()
        text = f"{self._select(sql, self._one_by_one(sql))} where {sql.is_one_of('r.id', ids)} and not r.deleted"
        return [row_of(record) for record in await self._fetch(text, *sql.args)]

    async def history(self, resource_type: str, resource_id: str) -> list[Row]:
        """Every version, newest first; empty when the actor may not see the resource."""
        return (await self.versions(resource_type, resource_id)).rows

    async def versions(
        self,
        resource_type: str,
        resource_id: str,
        *,
        at: tuple[int, int] | None = None,
        since: int | None = None,
        below: int | None = None,
        limit: int | None = None,
    ) -> Versions:
        """Versions, newest first; none when the actor may not see the resource.

        Args:
            resource_type: FHIR type.
            resource_id: its id.
            at: those that were current at some instant from the first to before the second (microseconds).
            since: those from this instant on (microseconds).
            below: those with a smaller number than this; the number of all counts the others too.
            limit: how many at most.
        """
        sql = self._sql()
        shown = self._shown()
        text = f"""with h as (
            select r.id, r.type, c.version, c.last_updated, b.content, {_named(shown)}
            from resource r {self._visible(sql)}
            join change c on c.id = r.id
            join body b on b.id = c.id and b.version = c.version and b.rendition = {shown.level}
            where r.id = {sql.bind(resource_id)} and r.type = {sql.bind(resource_type)}{_during(sql, at, since)})
            select (select count(*) from h), h.* from h"""
        if below is not None:
            text += f" where h.version < {sql.bind(below)}"
        text += " order by h.version desc"
        if limit is not None:
            text += f" limit {sql.bind(limit)}"
        records = await self._fetch(text, *sql.args)
        return Versions([row_of(record[1:]) for record in records], records[0][0] if records else 0)

    async def version(self, resource_type: str, resource_id: str, version: int) -> Row | None:
        """One version of a resource that the actor may see."""
        rows = (await self.versions(resource_type, resource_id, below=version + 1, limit=1)).rows
        return rows[0] if rows and rows[0].version == version else None

    async def last_change(self) -> int:
        """A number that grows with every change of what this organisation may see."""
        rows = await self._fetch("select seq from audience where organization = $1", self.actor.organization)
        return int(rows[0][0]) if rows else 0

    async def _followed(self, ids: Sequence[str], follows: Sequence[Follow]) -> list[Row]:
        """What references of ``ids`` lead to, ``ids`` excepted."""
        if not ids or not follows:
            return []
        sql = self._sql()
        selects = [self._led_to(sql, follow, ids) for follow in follows]
        found = await self._fetch(" union ".join(selects), *sql.args)
        return await self.by_ids(sorted({record[0] for record in found} - {*ids}))

    def _led_to(self, sql: Sql, follow: Follow, ids: Sequence[str]) -> str:
        target = "true" if follow.target is None else f"t.type = {sql.bind(follow.target)}"
        of_matches = f"from resource r {self._visible(sql)}"
        named = sql.is_one_of("r.id", ids)
        references = [f"select {sql.seen(follow.column)} as value {of_matches} where {named}"]
        if follow.further is not None:
            index = f"join search_index i on i.id = r.id and i.name = {sql.bind(follow.further)}"
            references.append(f"select i.value {of_matches} {index} where {named} and {sql.whole}")
        return (
            f"select t.id from ({' union all '.join(references)}) f "
            f"join resource t on t.type || '/' || t.id = f.value and t.id = substr(f.value, instr(f.value, '/') + 1) "
            f"where {target}"
        )

    # ---- parts of statements

    def _shown(self) -> Shown:
        return _ALL if self.actor.is_system else _GRANTED

    def _one_by_one(self, sql: Sql) -> str:
        """Visibility of few resources: a plan could start from all that the organisation sees."""
        probes = self._database.name == "postgresql" and not self.actor.is_system
        return self._probed(sql) if probes else self._visible(sql)

    def _select(self, sql: Sql, visible: str | None = None) -> str:
        shown = self._shown()
        return f"""select r.id, r.type, r.version, r.last_updated, b.content, {_named(shown)}
            from resource r {self._visible(sql) if visible is None else visible}
            join body b on b.id = r.id and b.version = r.version and b.rendition = {shown.level}"""

    def _matches(self, query: Query, sql: Sql) -> str:
        """The narrow rows are chosen first; only those that are shown fetch their bodies."""
        keys = "".join(f", m.{name}" for name in _keys(query))
        return f"""select m.id, m.type, m.version, m.last_updated, b.content, {_OF_MATCHES}{keys}
            from ({self._narrow(query, sql, query.limit)}) m
            join body b on b.id = m.id and b.version = m.version and b.rendition = m.level"""

    def _narrow(self, query: Query, sql: Sql, limit: int, further: Sequence[str] = ()) -> str:
        visible = self._probed(sql) if self._can_probe(query) else self._visible(sql)
        columns = [sql.seen(one.column) for one in query.order]
        keys = "".join(f", {column} as {name}" for column, name in zip(columns, _keys(query), strict=True))
        more = "".join(f", {sql.seen(column)} as {column}" for column in further)
        return f"""select r.id, r.type, r.version, r.last_updated, {_named(self._shown())}{keys}{more}
            from resource r {visible} {sql.where(query)}
            {order_by(query.order, columns)} limit {sql.bind(limit)}"""

    def _can_probe(self, query: Query) -> bool:
        """Whether few resources match at all, so that each may be looked up in ``visibility`` one by one."""
        return (
            not self.actor.is_system
            and self._database.name == "postgresql"
            and any(is_selective(condition) for condition in query.conditions)
        )

    def _probed(self, sql: Sql) -> str:
        """``_visible`` in a form that keeps the order of an index: the planner can't start with the other table."""
        organization, now = sql.bind(self.actor.organization), sql.bind(self._now)
        return (
            f"cross join lateral (select {', '.join(_GRANTED)}, v.cause, v.cause_version from visibility v "
            f"where v.organization = {organization} and v.id = r.id and (v.until is null or v.until > {now}) limit 1) v"
        )

    def _visible(self, sql: Sql) -> str:
        if self.actor.is_system:
            return ""
        organization, now = sql.bind(self.actor.organization), sql.bind(self._now)
        return (
            f"join visibility v on v.id = r.id and v.organization = {organization} "
            f"and (v.until is null or v.until > {now})"
        )


_GRANTED: Final = Shown("v.level", "v.disclosed", "v.until", "v.decision", "v.notice")
_NULL: Final = "cast(null as text)"
_ALL: Final = Shown("'full'", "0", "cast(null as bigint)", _NULL, _NULL)
_OF_MATCHES: Final = ", ".join(f"m.{name}" for name in Shown._fields)


def _named(shown: Shown) -> str:
    return ", ".join(f"{expression} as {name}" for name, expression in shown._asdict().items())


def _during(sql: Sql, at: tuple[int, int] | None, since: int | None) -> str:
    text = "" if since is None else f" and c.last_updated >= {sql.bind(since)}"
    if at is not None:
        start, end = at
        text += (
            f" and c.last_updated < {sql.bind(end)} and not exists (select 1 from change n "
            f"where n.id = c.id and n.version = c.version + 1 and n.last_updated <= {sql.bind(start)})"
        )
    return text


def _keys(query: Query) -> list[str]:
    return [f"k{place}" for place in range(len(query.order))]


def _place(value: Key, one: Order) -> tuple[bool, Key]:
    """What is empty comes last either way."""
    return (value is None) != one.descending, value
