"""What the coverage clock of each referral has shown, and from what."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coverage_event",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("referral", sa.Text(), nullable=False),
        sa.Column("visit", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=False),
    )
    op.create_index("ix_coverage_event_referral", "coverage_event", ["referral", "id"])


def downgrade() -> None:
    op.drop_index("ix_coverage_event_referral", "coverage_event")
    op.drop_table("coverage_event")
