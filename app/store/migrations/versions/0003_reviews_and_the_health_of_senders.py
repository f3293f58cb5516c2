"""What a person answers in the review queue; how many messages a sender sends, and when it went silent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ADDED = (
    ("kind", TEXT, False, "queue"),
    ("unit", TEXT, True, None),
    ("suggested", TEXT, True, None),
    ("later_until", sa.BigInteger(), True, None),
    ("answer", TEXT, True, None),
    ("answered_at", sa.BigInteger(), True, None),
    ("answered_by", TEXT, True, None),
)


def upgrade() -> None:
    with op.batch_alter_table("review") as batch_op:
        for name, kind, nullable, default in _ADDED:
            batch_op.add_column(sa.Column(name, kind, nullable=nullable, server_default=default))
    is_open = sa.text("closed_at is null")
    op.create_index("ix_review_open", "review", ["sender", "opened_at"], postgresql_where=is_open, sqlite_where=is_open)
    op.create_index("ix_review_opened_at", "review", ["opened_at"])
    op.create_table(
        "review_answer",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("visit", TEXT, nullable=False),
        sa.Column("sender", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("answer", TEXT, nullable=False),
        sa.Column("answered_by", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_answer")),
    )
    op.create_index("ix_review_answer_visit", "review_answer", ["visit"])
    op.create_index("ix_review_answer_at", "review_answer", ["at"])
    _health()


def _health() -> None:
    op.create_table(
        "sender_count",
        sa.Column("sender", TEXT, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "what", "hour", "code", name=op.f("pk_sender_count")),
    )
    op.create_index("ix_sender_count_hour", "sender_count", ["hour"])
    op.create_table(
        "sender_silence",
        sa.Column("sender", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", name=op.f("pk_sender_silence")),
    )


def downgrade() -> None:
    for table in ("sender_silence", "sender_count", "review_answer"):
        op.drop_table(table)
    op.drop_index("ix_review_opened_at", "review")
    op.drop_index("ix_review_open", "review")
    with op.batch_alter_table("review") as batch_op:
        for name, *_ in _ADDED:
            batch_op.drop_column(name)
