"""Which visit the referral of a source ServiceRequest grew from: whoever answers it has that visit looked at again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "referral_visit",
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("visit", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_referral_visit")),
    )
    op.create_index("ix_referral_visit_visit", "referral_visit", ["visit"])
    # Of the first need of each visit; those of further needs are found when their visit is written next.
    op.execute(
        "insert into referral_visit (request, visit) select referral, max(visit) from ledger "
        "where referral is not null and visit is not null group by referral"
    )


def downgrade() -> None:
    op.drop_index("ix_referral_visit_visit", table_name="referral_visit")
    op.drop_table("referral_visit")
