"""Answers to hospitals: one row for each version of a source Task that may have to be told, until it is."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("sender", sa.Column("answers", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "answer",
        sa.Column("task", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("progress", TEXT, nullable=True),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("rendition", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("task", "version", name=op.f("pk_answer")),
    )
    waits = sa.text("ended_at is null")
    op.create_index("ix_answer_waits", "answer", ["task", "version"], postgresql_where=waits, sqlite_where=waits)


def downgrade() -> None:
    op.drop_table("answer")
    op.drop_column("sender", "answers")
