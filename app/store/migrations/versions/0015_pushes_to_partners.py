"""Partners' own FHIR servers: whether a partner has one, what is shown to it, and how far each Task was pushed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("partner", sa.Column("pushes", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("partner", sa.Column("credential", sa.LargeBinary(), nullable=True))
    op.create_table(
        "push",
        sa.Column("task", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("looked", sa.Integer(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=True),
        sa.Column("known", TEXT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_push")),
    )
    waits = sa.text("state = 'waiting'")
    op.create_index("ix_push_waits", "push", ["due_at"], postgresql_where=waits, sqlite_where=waits)


def downgrade() -> None:
    op.drop_table("push")
    op.drop_column("partner", "credential")
    op.drop_column("partner", "pushes")
