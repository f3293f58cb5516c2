"""Who wrote a resource, which resource a conditional create made, and by which change a resource became visible."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "author",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_author")),
    )
    op.create_table(
        "claim",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_claim")),
    )
    with op.batch_alter_table("visibility") as batch_op:
        batch_op.add_column(sa.Column("cause", TEXT, nullable=True))
        batch_op.add_column(sa.Column("cause_version", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("visibility") as batch_op:
        batch_op.drop_column("cause_version")
        batch_op.drop_column("cause")
    op.drop_table("claim")
    op.drop_table("author")
