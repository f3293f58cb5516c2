"""Why somebody may see something, and which agreements are on file."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


_OF_WHAT_IS_SEEN = (
    ("select v.organization from visibility v", "select v.organization, v.level from visibility v"),
    ("f -> 'requester' ? r.requester", "(v.level = 'full' and f -> 'requester' ? r.requester)"),
    ("where i.id = r.id and i.name = 'code'", "where v.level = 'full' and i.id = r.id and i.name = 'code'"),
)
"""In ``number_events``: a filter of a subscription asks nothing that an offer does not show."""


def _number_events(changes: tuple[tuple[str, str], ...]) -> None:
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    text = bind.scalar(sa.text("select pg_get_functiondef('number_events(bigint, bigint)'::regprocedure)"))
    for before, after in changes:
        if before not in text:
            raise RuntimeError("number_events is not the function of migration 0005")
        text = text.replace(before, after)
    bind.exec_driver_sql(text)


def upgrade() -> None:
    _number_events(_OF_WHAT_IS_SEEN)
    op.create_table(
        "decision",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("referral", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=True),
        sa.Column("patient", TEXT, nullable=False),
        sa.Column("discloser", TEXT, nullable=False),
        sa.Column("recipient", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("level", TEXT, nullable=False),
        sa.Column("basis", TEXT, nullable=True),
        sa.Column("consent", TEXT, nullable=True),
        sa.Column("consent_version", sa.Integer(), nullable=True),
        sa.Column("redisclosure", TEXT, nullable=True),
        sa.Column("notice", TEXT, nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("reasons", TEXT, nullable=False),
        sa.Column("cure", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    for column in ("referral", "task", "patient", "recipient"):
        op.create_index(f"ix_decision_{column}", "decision", [column])
    op.create_table(
        "agreement",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("reference", TEXT, nullable=False),
        sa.Column("signed_on", TEXT, nullable=False),
        sa.Column("signer", TEXT, nullable=False),
        sa.Column("document_hash", TEXT, nullable=False),
        sa.Column("ends_on", TEXT, nullable=True),
        sa.Column("filed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
    )
    op.create_index("ix_agreement_organization", "agreement", ["organization"])
    _index_of_openers("state in ('referral', 'review')")
    with op.batch_alter_table("visibility") as batch_op:
        batch_op.drop_column("consent")
        batch_op.add_column(sa.Column("decision", TEXT, nullable=True))
        batch_op.add_column(sa.Column("notice", TEXT, nullable=True))


def _index_of_openers(states: str) -> None:
    """A referral that is opened and must be looked at by a human has no message in the state ``referral``."""
    condition = sa.text(states)
    op.drop_index("ix_ledger_referral", table_name="ledger")
    op.create_index("ix_ledger_referral", "ledger", ["referral"], postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    _number_events(tuple((after, before) for before, after in _OF_WHAT_IS_SEEN))
    _index_of_openers("state = 'referral'")
    with op.batch_alter_table("visibility") as batch_op:
        batch_op.drop_column("notice")
        batch_op.drop_column("decision")
        batch_op.add_column(sa.Column("consent", TEXT, nullable=True))
    op.drop_table("agreement")
    op.drop_table("decision")
