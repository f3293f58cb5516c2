"""Whether people are still in care: what partners were asked and said; and what two organisations have agreed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "retention_list",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("week", TEXT, nullable=False),
        sa.Column("entries", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_list")),
    )
    op.create_table(
        "retention_answer",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("point", TEXT, nullable=False),
        sa.Column("answer", TEXT, nullable=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("attested_by", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("list", TEXT, nullable=True),
        sa.Column("week", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_answer")),
    )
    op.create_index("ix_retention_answer_task", "retention_answer", ["task"])
    op.create_table(
        "working_agreement",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("hospital", TEXT, nullable=False),
        sa.Column("partner", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("kept_by", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_working_agreement")),
        sa.UniqueConstraint(
            "hospital", "partner", "version", name=op.f("uq_working_agreement_hospital_partner_version")
        ),
    )
    op.create_table(
        "agreement_meeting",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("hospital", TEXT, nullable=False),
        sa.Column("partner", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("kept_by", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_meeting")),
    )
    op.create_index("ix_agreement_meeting_hospital_partner", "agreement_meeting", ["hospital", "partner"])


def downgrade() -> None:
    op.drop_table("agreement_meeting")
    op.drop_table("working_agreement")
    op.drop_index("ix_retention_answer_task", table_name="retention_answer")
    op.drop_table("retention_answer")
    op.drop_table("retention_list")
