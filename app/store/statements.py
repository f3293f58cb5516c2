"""The statements of a commit, side by side for both databases.

PostgreSQL takes one parameter per column and writes a table's rows by one ``unnest``; all tables of a batch are parts
of one statement (``together``), which is a transaction of its own: one round trip, and the lock on ``head`` is held
while the server commits, not while a busy process finds time to say so. SQLite takes the rows one by one inside a
transaction. A column of texts or numbers travels as one text with separators, because asyncpg looks at each element
of an array by slow general tests, which cost more than the insert itself; an empty text becomes NULL there. A
statement with ``guarded`` must touch as many rows as it was given: fewer means that somebody else changed one first.
"""

from dataclasses import dataclass
from functools import lru_cache

RESOURCE_COLUMNS = (
    "status",
    "owner",
    "requester",
    "patient",
    "focus",
    "code",
    "intent",
    "priority",
    "part_of",
    "group_identifier",
    "authored_on",
)
"""Typed search columns of ``resource``, in the order in which they are written."""

SEPARATOR = "\x1f"
NULL = "\x1e"
_LIST = "string_to_array(${}, E'\\x1f', E'\\x1e')"
_ARRAYS = {
    "text": _LIST,
    "big": _LIST + "::bigint[]",
    "int": _LIST + "::integer[]",
    "bool": _LIST + "::boolean[]",
    "bytes": "${}::bytea[]",
}


def array(kind: str, position: int) -> str:
    """SQL for the array that parameter ``position`` holds."""
    return _ARRAYS[kind].format(position)


@dataclass(frozen=True)
class Statement:
    """One write: its rows are tuples in the order of ``columns`` (name, kind)."""

    name: str
    columns: tuple[tuple[str, str], ...]
    template: str
    """SQL with ``{rows}``: a relation of the given rows (PostgreSQL) or their values (SQLite)."""
    sqlite: str
    guarded: bool = False
    after: tuple["Statement", ...] = ()
    """Statements that may touch the same rows: their effect must be there first, so not within one statement."""

    def postgresql(self, first: int) -> str:
        """The statement over arrays, one parameter per column, the first of them ``$first``."""
        arrays = ", ".join(array(kind, i) for i, (_, kind) in enumerate(self.columns, first))
        names = ", ".join(name for name, _ in self.columns)
        return self.template.format(rows=f"unnest({arrays}) as u({names})", names=names)


def insert(table: str, *columns: tuple[str, str], suffix: str = "", after: tuple[Statement, ...] = ()) -> Statement:
    """Rows of one table, as they come."""
    names = ", ".join(name for name, _ in columns)
    marks = ", ".join(f"?{i}" for i in range(1, len(columns) + 1))
    return Statement(
        name=table,
        columns=columns,
        template=f"insert into {table} ({names}) select {names} from {{rows}} {suffix}",
        sqlite=f"insert into {table} ({names}) values ({marks}) {suffix}",
        after=after,
    )


RECEIPTS = insert("receipt", ("scope", "text"), ("key", "text"), ("mac", "text"), ("ledger", "text"))
VISITS_NEW = insert(
    "visit",
    ("id", "text"),
    ("organization", "text"),
    ("version", "int"),
    ("key", "bytes"),
    ("content", "bytes"),
    ("expires_at", "big"),
)
VISITS_CHANGED = Statement(
    name="visit",
    columns=(("id", "text"), ("version", "int"), ("key", "bytes"), ("content", "bytes"), ("expires_at", "big")),
    template=(
        "update visit set version = u.version, key = u.key, content = u.content, expires_at = u.expires_at "
        "from {rows} where visit.id = u.id and visit.version = u.version - 1"
    ),
    sqlite=(
        "update visit set version = ?2, key = ?3, content = ?4, expires_at = ?5 where id = ?1 and version = ?2 - 1"
    ),
    guarded=True,
)
VISIT_NUMBERS = insert("visit_number", ("mac", "text"), ("visit", "text"))
VISIT_PERSONS = insert("visit_person", ("mac", "text"), ("visit", "text"), suffix="on conflict do nothing")
LOST_NUMBERS = Statement(
    name="visit_number",
    columns=(("mac", "text"), ("visit", "text")),
    template="delete from visit_number using {rows} where visit_number.mac = u.mac and visit_number.visit = u.visit",
    sqlite="delete from visit_number where mac = ?1 and visit = ?2",
)
LOST_PERSONS = Statement(
    name="visit_person",
    columns=(("mac", "text"), ("visit", "text")),
    template="delete from visit_person using {rows} where visit_person.mac = u.mac and visit_person.visit = u.visit",
    sqlite="delete from visit_person where mac = ?1 and visit = ?2",
)
_ABSORBED = (("visit", "text"), ("into_visit", "text"))
ABSORBED_VISITS = Statement(
    name="visit",
    columns=(("visit", "text"), ("version", "int")),
    template="delete from visit using {rows} where visit.id = u.visit and visit.version = u.version",
    sqlite="delete from visit where id = ?1 and version = ?2",
    guarded=True,
)
ABSORBED_NUMBERS = Statement(
    name="visit_number",
    columns=_ABSORBED,
    template="update visit_number set visit = u.into_visit from {rows} where visit_number.visit = u.visit",
    sqlite="update visit_number set visit = ?2 where visit = ?1",
)
ABSORBED_PERSONS = Statement(
    name="visit_person",
    columns=_ABSORBED,
    template=(
        "insert into visit_person (mac, visit) select p.mac, u.into_visit from visit_person p "
        "join {rows} on p.visit = u.visit on conflict do nothing"
    ),
    sqlite=(
        "insert into visit_person (mac, visit) select mac, ?2 from visit_person where visit = ?1 on conflict do nothing"
    ),
    after=(VISIT_PERSONS,),
)
ABSORBED_PERSONS_GONE = Statement(
    name="visit_person",
    columns=(("visit", "text"),),
    template="delete from visit_person where visit in (select visit from {rows})",
    sqlite="delete from visit_person where visit = ?1",
    after=(ABSORBED_PERSONS,),
)
ABSORBED_REVIEWS = Statement(
    name="review",
    columns=(("visit", "text"),),
    template="delete from review where visit in (select visit from {rows})",
    sqlite="delete from review where visit = ?1",
)
LEDGER = insert(
    "ledger",
    ("id", "text"),
    ("sender", "text"),
    ("control_id", "text"),
    ("message_type", "text"),
    ("received_at", "big"),
    ("state", "text"),
    ("reasons", "text"),
    ("visit", "text"),
    ("referral", "text"),
    ("person", "text"),
    ("raw", "bytes"),
)
_HISTORY = (
    "insert into ledger_state (ledger, until, state, reasons) select l.id, {at}, l.state, l.reasons from ledger l"
)
MOVES_HISTORY = Statement(
    name="ledger_state",
    columns=(("id", "text"), ("at", "big"), ("only_from", "text")),
    template=_HISTORY.format(at="u.at")
    + " join {rows} on l.id = u.id where u.only_from = 'any' or position(l.state in u.only_from) > 0"
    + " on conflict do nothing",
    sqlite=_HISTORY.format(at="?2")
    + " where l.id = ?1 and (?3 = 'any' or instr(?3, l.state) > 0) on conflict do nothing",
)
MOVES = Statement(
    name="ledger",
    columns=(
        ("id", "text"),
        ("state", "text"),
        ("reasons", "text"),
        ("referral", "text"),
        ("visit", "text"),
        ("only_from", "text"),
    ),
    template=(
        "update ledger set state = u.state, reasons = u.reasons, referral = coalesce(u.referral, ledger.referral), "
        "visit = coalesce(u.visit, ledger.visit) from {rows} "
        "where ledger.id = u.id and (u.only_from = 'any' or position(ledger.state in u.only_from) > 0)"
    ),
    sqlite=(
        "update ledger set state = ?2, reasons = ?3, referral = coalesce(?4, referral), visit = coalesce(?5, visit) "
        "where id = ?1 and (?6 = 'any' or instr(?6, state) > 0)"
    ),
)
ABSORBED_HISTORY = Statement(
    name="ledger_state",
    columns=(("visit", "text"), ("at", "big")),
    template=_HISTORY.format(at="u.at")
    + " join {rows} on l.visit = u.visit where l.state = 'referral' on conflict do nothing",
    sqlite=_HISTORY.format(at="?2") + " where l.visit = ?1 and l.state = 'referral' on conflict do nothing",
    after=(MOVES_HISTORY, MOVES),
)
ABSORBED_LEDGER = Statement(
    name="ledger",
    columns=(*_ABSORBED, ("referral", "text")),
    template=(
        "update ledger set visit = u.into_visit, referral = coalesce(u.referral, ledger.referral), "
        "state = case when ledger.state = 'referral' and u.referral is not null then 'updated' else ledger.state end "
        "from {rows} where ledger.visit = u.visit and ledger.state <> 'not-ours'"
    ),
    sqlite=(
        "update ledger set visit = ?2, referral = coalesce(?3, referral), "
        "state = case when state = 'referral' and ?3 is not null then 'updated' else state end "
        "where visit = ?1 and state <> 'not-ours'"
    ),
    after=(MOVES, ABSORBED_HISTORY),
)
"""What is not ours keeps the id of its visit as it was: it is not looked for by it."""
VISIT_MOVES_HISTORY = Statement(
    name="ledger_state",
    columns=(("visit", "text"), ("at", "big"), ("only_from", "text")),
    template=_HISTORY.format(at="u.at")
    + " join {rows} on l.visit = u.visit where l.state <> 'not-ours' and position(l.state in u.only_from) > 0"
    + " on conflict do nothing",
    sqlite=_HISTORY.format(at="?2")
    + " where l.visit = ?1 and l.state <> 'not-ours' and instr(?3, l.state) > 0 on conflict do nothing",
    after=(MOVES, ABSORBED_HISTORY, ABSORBED_LEDGER),
)
VISIT_MOVES = Statement(
    name="ledger",
    columns=(("visit", "text"), ("state", "text"), ("reasons", "text"), ("referral", "text"), ("only_from", "text")),
    template=(
        "update ledger set state = u.state, reasons = u.reasons, referral = coalesce(u.referral, ledger.referral) "
        "from {rows} where ledger.visit = u.visit and ledger.state <> 'not-ours' "
        "and position(ledger.state in u.only_from) > 0"
    ),
    sqlite=(
        "update ledger set state = ?2, reasons = ?3, referral = coalesce(?4, referral) "
        "where visit = ?1 and state <> 'not-ours' and instr(?5, state) > 0"
    ),
    after=(MOVES, ABSORBED_HISTORY, ABSORBED_LEDGER),
)
REVIEWS = insert(
    "review",
    ("visit", "text"),
    ("sender", "text"),
    ("opened_at", "big"),
    ("reasons", "text"),
    ("referral", "text"),
    ("closed_at", "big"),
    ("kind", "text"),
    ("unit", "text"),
    ("suggested", "text"),
    suffix=(
        # Opened again it is as old as that; what was put off comes back when something about it has changed.
        "on conflict (visit) do update set reasons = excluded.reasons, "
        "referral = coalesce(excluded.referral, review.referral), closed_at = excluded.closed_at, "
        "kind = excluded.kind, unit = excluded.unit, suggested = excluded.suggested, "
        "opened_at = case when review.closed_at is null then review.opened_at else excluded.opened_at end, "
        "later_until = case when review.reasons = excluded.reasons then review.later_until end"
    ),
)
REVIEWS_CLOSED = Statement(
    name="review",
    columns=(("visit", "text"), ("at", "big")),
    template="update review set closed_at = u.at from {rows} where review.visit = u.visit and closed_at is null",
    sqlite="update review set closed_at = ?2 where visit = ?1 and closed_at is null",
)
ANSWERS = insert(
    "review_answer",
    ("id", "text"),
    ("visit", "text"),
    ("sender", "text"),
    ("at", "big"),
    ("answer", "text"),
    ("answered_by", "text"),
    ("until", "big"),
)
ANSWERED = Statement(
    name="review",
    columns=(("visit", "text"), ("at", "big"), ("answer", "text"), ("answered_by", "text"), ("until", "big")),
    template=(
        "update review set answer = u.answer, answered_at = u.at, answered_by = u.answered_by, later_until = u.until "
        "from {rows} where review.visit = u.visit"
    ),
    sqlite="update review set answer = ?3, answered_at = ?2, answered_by = ?4, later_until = ?5 where visit = ?1",
    guarded=True,
    after=(REVIEWS, REVIEWS_CLOSED),
)
JOBS = insert(
    "job",
    ("id", "text"),
    ("kind", "text"),
    ("subject", "text"),
    ("due_at", "big"),
    ("attempts", "int"),
    ("claimed_until", "big"),
    suffix="on conflict do nothing",
)
BODIES = insert("body", ("id", "text"), ("version", "int"), ("rendition", "text"), ("content", "bytes"))
INDEX_CLEARED = Statement(
    name="search_index",
    columns=(("id", "text"),),
    template="delete from search_index where id in (select id from {rows})",
    sqlite="delete from search_index where id = ?1",
)
"""May stand beside INDEX in one statement: it sees the rows of before only, and the table takes a row twice."""
INDEX = insert(
    "search_index",
    ("id", "text"),
    ("name", "text"),
    ("value", "text"),
    ("type", "text"),
)
REVOCATIONS = Statement(
    name="visibility",
    columns=(("organization", "text"), ("id", "text")),
    template=(
        "delete from visibility using {rows} where visibility.organization = u.organization and visibility.id = u.id"
    ),
    sqlite="delete from visibility where organization = ?1 and id = ?2",
)
GRANTS = insert(
    "visibility",
    ("organization", "text"),
    ("id", "text"),
    ("level", "text"),
    ("decision", "text"),
    ("notice", "text"),
    ("until", "big"),
    ("disclosed", "int"),
    ("cause", "text"),
    ("cause_version", "int"),
    suffix=(
        "on conflict (organization, id) do update set level = excluded.level, decision = excluded.decision, "
        "notice = excluded.notice, until = excluded.until, disclosed = case when visibility.level = excluded.level "
        "then visibility.disclosed else 0 end"
    ),
    after=(REVOCATIONS,),
)
DECISIONS = insert(
    "decision",
    ("id", "text"),
    ("at", "big"),
    ("referral", "text"),
    ("task", "text"),
    ("patient", "text"),
    ("discloser", "text"),
    ("recipient", "text"),
    ("direction", "text"),
    ("purpose", "text"),
    ("level", "text"),
    ("basis", "text"),
    ("consent", "text"),
    ("consent_version", "int"),
    ("redisclosure", "text"),
    ("notice", "text"),
    ("until", "big"),
    ("reasons", "text"),
    ("cure", "text"),
)
AUTHORS = insert("author", ("id", "text"), ("organization", "text"))
CLAIMS = insert("claim", ("key", "text"), ("id", "text"))
CLAIMS_MOVED = Statement(
    name="claim",
    columns=(("key", "text"), ("id", "text"), ("instead_of", "text")),
    template="update claim set id = u.id from {rows} where claim.key = u.key and claim.id = u.instead_of",
    sqlite="update claim set id = ?2 where key = ?1 and id = ?3",
    guarded=True,
)
DISCLOSURES = insert(
    "disclosure",
    ("id", "text"),
    ("at", "big"),
    ("organization", "text"),
    ("client", "text"),
    ("purpose", "text"),
    ("entries", "text"),
    ("user_id", "text"),
)
DISCLOSURE_DECISIONS = insert("disclosure_decision", ("decision", "text"), ("disclosure", "text"))
INCIDENTS = insert(
    "incident",
    ("id", "text"),
    ("kind", "text"),
    ("at", "big"),
    ("organization", "text"),
    ("decision", "text"),
    ("content", "bytes"),
)
DISCLOSED = Statement(
    name="visibility",
    columns=(("organization", "text"), ("id", "text"), ("level", "text"), ("version", "int")),
    # What was read at another level, before a decision changed it, is no disclosure at the one of now.
    template=(
        "update visibility set disclosed = u.version from {rows} where visibility.organization = u.organization "
        "and visibility.id = u.id and visibility.level = u.level and visibility.disclosed < u.version"
    ),
    sqlite=(
        "update visibility set disclosed = ?4 where organization = ?1 and id = ?2 and level = ?3 and disclosed < ?4"
    ),
    after=(REVOCATIONS, GRANTS),
)

_INCOMING = ", ".join(("id", "type", "version", "deleted", *RESOURCE_COLUMNS))
_ASSIGNED = ", ".join(f"{name} = excluded.{name}" for name in ("version", "last_updated", "deleted", *RESOURCE_COLUMNS))
STAMP_KINDS = ("text", "text", "int", "bool", *("text",) * (len(RESOURCE_COLUMNS) - 1), "big")


@lru_cache(maxsize=512)
def together(parts: tuple[Statement, ...], *, stamped: bool) -> str:
    """``parts`` as one statement; where ``stamped``, it then takes the one lock, and numbers, stamps and tells.

    Parameters: the columns of every part, then those of ``_stamp``. Rows: (id, lastUpdated), or one without meaning.
    The parts are done one after the other because something asks for their counts in this order, the lock last of all.
    """
    names = [f"part{n}" for n in range(len(parts))]
    first, written, counts = 1, [], []
    for name, part in zip(names, parts, strict=True):
        written.append(f"{name} as ({part.postgresql(first)} returning 1)")
        count = f"(select count(*) from {name})"
        if part.guarded:
            # Divides by zero where a row was missed, which undoes the whole statement.
            count = f"1 / ({count} = cardinality({array('text', first)}))::int"
        counts.append(count)
        first += len(part.columns)
    done = " + ".join(counts) or "0"
    if stamped:
        return f"with {', '.join((*written, _stamp(first, done)))} {_STAMPED}"
    return f"with {', '.join(written)} select {done}"


def _stamp(first: int, done: str) -> str:
    """Parameters: the number of resources, clock offset, further organisations to tell, then a column each."""
    count, offset, tell = (f"${first + n}" for n in range(3))
    columns = ", ".join(array(kind, i) for i, kind in enumerate(STAMP_KINDS, first + 3))
    return f"""
locked as (
    update head set seq = head.seq + {count}, stamp = greatest(
        head.stamp + {count}, (extract(epoch from clock_timestamp()) * 1000000)::bigint + {offset})
    where id = 1 and {done} >= 0 returning seq - {count} as seq, stamp - {count} as stamp
), incoming as (
    select u.*, locked.seq + u.n as seq, locked.stamp + u.n as last_updated
    from locked, unnest({columns}) with ordinality as u({_INCOMING}, n)
), logged as (
    insert into change (seq, type, id, version, last_updated)
    select seq, type, id, version, last_updated from incoming returning 1
), current as (
    insert into resource ({_INCOMING}, last_updated) select {_INCOMING}, last_updated from incoming
    on conflict (id) do update set {_ASSIGNED} returning 1
), numbered as (
    select number_events(locked.seq, locked.seq + l.written) from locked, (select count(*) as written from logged) l,
        (select count(*) from current) c
), told as (
    insert into audience (organization, seq, stamp)
    select a.organization, 1, locked.stamp + {count}
    from locked cross join lateral audience_of({_LIST.format(first + 3)}, {tell}::text[], locked.seq) as a(organization)
    on conflict (organization) do update set seq = audience.seq + 1, stamp = excluded.stamp returning organization, seq
), notified as (
    select pg_notify('throughline_audience', organization || ' ' || seq) from told
)"""


_STAMPED = (
    "select i.id, i.last_updated from (select count(*) from notified) n "
    "cross join (select count(*) from numbered) m left join incoming i on true"
)
"""Nobody may be forgotten where there is no resource, so notifications and numbers come first."""

STAMP_SQLITE_HEAD = """
update head set seq = seq + ?1, stamp = max(
    stamp + ?1, cast((julianday('now') - 2440587.5) * 86400000000 as integer) + ?2)
where id = 1 returning seq - ?1, stamp - ?1
"""
STAMP_SQLITE_CHANGE = "insert into change (type, id, version, seq, last_updated) values (?, ?, ?, ?, ?)"
STAMP_SQLITE_RESOURCE = (
    f"insert into resource ({_INCOMING}, last_updated) "
    f"values ({', '.join('?' * (len(STAMP_KINDS) + 1))}) on conflict (id) do update set {_ASSIGNED}"
)
STAMP_SQLITE_AUDIENCE = """
insert into audience (organization, seq, stamp)
select distinct organization, 1, ?3 from (
    select organization from visibility where id in (select value from json_each(?1))
    union all select value from json_each(?2)) where true
on conflict (organization) do update set seq = audience.seq + 1, stamp = excluded.stamp
"""
