"""What hospitals are told by HL7 v2 of their referrals."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, text

from app.store.table_base import Text, metadata

answer = Table(
    "answer",
    metadata,
    # A version of a source Task; those of one Task leave one after the other.
    Column("task", Text),
    Column("version", Integer),
    Column("organization", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("progress", Text),
    Column("reason", Text),
    Column("rendition", Integer, nullable=False),
    # Sealed; gone as soon as it has arrived.
    Column("content", LargeBinary),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", BigInteger),
    Column("due_at", BigInteger, nullable=False),
    Column("holder", Text),
    Column("leased_until", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    PrimaryKeyConstraint("task", "version"),
)
_WAITS = text("ended_at is null")
Index("ix_answer_waits", answer.c.task, answer.c.version, postgresql_where=_WAITS, sqlite_where=_WAITS)
