"""A page of a search as the bytes of its entries: put together here, or by PostgreSQL itself."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from app.core.clock import iso
from app.store.database import Record
from app.store.matching import known
from app.store.queries import Follow, Fresh, Order, Page, Row, Shown, WrittenPage, first_end, fresh_of, notices_of
from schemas.served import prefix_of

MATCH_END: Final = b',"search":{"mode":"match"}}'
INCLUDE_END: Final = b',"search":{"mode":"include"}}'

_ENTRIES = """string_agg(convert_to(
            '{{"fullUrl":"' || {base} || x.type || '/' || x.id || '","resource":{{"resourceType":"' || x.type
            || '","id":"' || x.id || '","meta":{{"versionId":"' || x.version || '","lastUpdated":"'
            || to_char(timestamp 'epoch' + x.last_updated * interval '1 microsecond',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"', 'UTF8') || b.content, {between})"""
_FRESH = """array_agg(x.id || ' ' || x.version || ' ' || x.level || ' ' || coalesce(x.decision, ''))
        filter (where x.disclosed < x.version)"""
_NOTICES = "array_agg(distinct x.notice) filter (where x.notice is not null)"
_IDS = "string_agg(x.id, ' ')"
_MATCHES = f"""
with m as materialized ({{narrow}}), s as materialized (select * from m limit {{shown}})
select coalesce(a.stamp, h.stamp), a.seq,
    c.found, c.until, p.shown, p.last, p.entries, p.fresh, p.notices, p.ids, {{further}}
from head h left join audience a on a.organization = {{organization}},
    (select count(*) as found, min(m.until) as until from m) c, (
    select count(*) as shown, array[{{last}}] as last, {_ENTRIES} as entries, {_FRESH} as fresh,
        {_NOTICES} as notices, {_IDS} as ids
    from s x join body b on b.id = x.id and b.version = x.version and b.rendition = x.level
) p{{included}}
"""
_NOTHING_FURTHER = "null::bigint, null::bytea, null::text[], null::text[], null::text"
_INCLUDED = f""", (
    select min(x.until) as until, {_ENTRIES} as entries, {_FRESH} as fresh, {_NOTICES} as notices, {_IDS} as ids
    from (
        select r.id, r.type, r.version, r.last_updated, {{level}} as level, {{disclosed}} as disclosed,
            {{until}} as until, {{decision}} as decision, {{notice}} as notice
        from (
            select distinct split_part(f.value, '/', 1) as type, split_part(f.value, '/', 2) as id
            from s cross join lateral ({{references}}) f(value)
        ) t
        join resource r on r.id = t.id and r.type = t.type
            and not r.deleted {{visible}}
        where r.type <> '{{type}}' or not exists (select 1 from s known where known.id = r.id)
    ) x
    join body b on b.id = x.id and b.version = x.version and b.rendition = x.level
) q"""
"""``_MATCHES``: a page as the bytes of its entries, ``MATCH_END`` between them and to be put behind the last.

``narrow`` gives one row more than is shown, to know whether there are more. The entries come in its order:
a sort inside the aggregate would copy every body once more, and a session plans nothing but nested loops,
which keep the order of their outer side. ``_INCLUDED`` is what references of the matches lead to, each once; they are
taken apart before the join, because under row-level security no function that could tell what it is given may look
for a row by an index.
"""


def statement(
    *,
    narrow: str,
    shown: str,
    organization: str,
    base: str,
    order: tuple[Order, ...],
    match_end: str,
    included: str = "",
) -> str:
    """The statement of a written page on PostgreSQL; ``included`` comes from ``inclusion``."""
    return _MATCHES.format(
        narrow=narrow,
        shown=shown,
        organization=organization,
        base=f"{base}::text",
        between=f"{match_end}::bytea",
        last=", ".join(_last(place, one) for place, one in enumerate(order)),
        included=included,
        further="q.until, q.entries, q.fresh, q.notices, q.ids" if included else _NOTHING_FURTHER,
    )


def inclusion(
    follows: Sequence[Follow],
    *,
    of: str,
    shown: Shown,
    visible: str,
    base: str,
    include_end: str,
) -> str:
    """The part of the statement that finds what matches of the type ``of`` lead to."""
    return _INCLUDED.format(
        type=_word(of),
        **shown._asdict(),
        visible=visible,
        references=" union all ".join(part for follow in follows for part in _references(follow)),
        base=f"{base}::text",
        between=f"{include_end}::bytea",
    )


def columns_of(follows: Iterable[Follow]) -> list[str]:
    """Columns of the matches that ``inclusion`` reads."""
    return sorted({known(follow.column) for follow in follows})


def _references(follow: Follow) -> list[str]:
    found = [f"select s.{known(follow.column)} as value"]
    if follow.further is not None:
        named = f"f.name = '{_word(follow.further)}'"
        found.append(f"select f.value from search_index f where f.id = s.id and {named} and s.level = 'full'")
    if follow.target is None:
        return found
    return [f"select o.value from ({one}) o where o.value like '{_word(follow.target)}/%'" for one in found]


def _word(text: str) -> str:
    """``text``, which stands in SQL as it is; ValueError where it is no word."""
    if not text.replace("-", "").isalnum():
        raise ValueError("a word is expected")
    return text


def _last(place: int, one: Order) -> str:
    """Where the last match stands; the instants are in order, so the last is the greatest or the least."""
    if one.column == "last_updated" and place == 0:
        return f"{'min' if one.descending else 'max'}(x.k0)::text"
    return f"(array_agg(x.k{place}))[count(*)]::text"


def read(record: Record, order: tuple[Order, ...]) -> WrittenPage:
    """The answer of ``statement``."""
    stamp, changed, found, until, shown, last, entries, fresh, notices, ids, *inclusions = record
    further_until, further, further_fresh, further_notices, further_ids = inclusions
    parts = [*((entries, MATCH_END) if shown else ()), *((b",", further, INCLUDE_END) if further else ())]
    return WrittenPage(
        stamp=stamp,
        changed=changed or 0,
        count=shown,
        more=found > shown,
        last=tuple(_value(one, text) for one, text in zip(order, last, strict=True)),
        entries=b"".join(parts),
        fresh=tuple(_given(text) for text in (*(fresh or ()), *(further_fresh or ()))),
        notices=tuple(sorted({*(notices or ()), *(further_notices or ())})),
        shown=(*(ids or "").split(), *(further_ids or "").split()),
        until=min((end for end in (until, further_until) if end is not None), default=None),
    )


def _value(one: Order, text: str | None) -> str | int | None:
    return int(text) if text is not None and one.column in {"last_updated", "authored_on"} else text


def _given(text: str) -> Fresh:
    resource, version, level, decision = text.split(" ")
    return Fresh(resource, int(version), level, decision or None)


def written_entry(base: str, row: Row, mode: str) -> bytes:
    """One match or include as an entry of a searchset Bundle."""
    prefix = prefix_of(row.type, row.id, row.version, iso(row.last_updated))
    head = f'{{"fullUrl":"{base}/{row.type}/{row.id}","resource":{prefix}'
    return b"".join((head.encode(), row.content, b',"search":{"mode":"', mode.encode(), b'"}}'))


def written(
    page: Page,
    limit: int,
    base: str,
    included: Sequence[Row] = (),
    entry: Callable[[str, Row, str], bytes] = written_entry,
) -> WrittenPage:
    """A page as bytes; a row beyond ``limit`` only says that there are more."""
    rows = page.rows[:limit]
    entries = [entry(base, row, "match") for row in rows]
    entries += [entry(base, row, "include") for row in included]
    return WrittenPage(
        stamp=page.stamp,
        changed=page.changed,
        count=len(rows),
        more=len(page.rows) > limit,
        last=rows[-1].key if rows else (),
        entries=b",".join(entries),
        fresh=fresh_of((*rows, *included)),
        notices=notices_of((*rows, *included)),
        shown=tuple(row.id for row in (*rows, *included)),
        until=first_end((*page.rows, *included)),
    )
