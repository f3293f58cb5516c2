"""The table of what partners' own FHIR servers are given: one row for each partner's Task."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, text

from app.store.table_base import Text, metadata

push = Table(
    "push",
    metadata,
    Column("task", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    # The Task's version that was written last, and the one that was looked at last.
    Column("wanted", Integer, nullable=False),
    Column("looked", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    # JSON (schemas.pushed): references at the other server; nothing of a person.
    Column("known", Text),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", BigInteger),
    Column("due_at", BigInteger, nullable=False),
    Column("holder", Text),
    Column("leased_until", BigInteger, nullable=False),
)
_WAITS = text("state = 'waiting'")
Index("ix_push_waits", push.c.due_at, postgresql_where=_WAITS, sqlite_where=_WAITS)
