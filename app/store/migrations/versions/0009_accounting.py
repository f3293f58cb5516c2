"""Accesses that name what was read, disclosures that lead to their decisions, sealed decisions, incidents."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SLICE = 1000


def upgrade() -> None:
    _accesses()
    op.create_table(
        "disclosure_decision",
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("disclosure", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("decision", "disclosure", name=op.f("pk_disclosure_decision")),
    )
    op.create_index("ix_disclosure_decision_disclosure", "disclosure_decision", ["disclosure"])
    _link_earlier()
    op.add_column("disclosure", sa.Column("user_id", TEXT, nullable=True))
    op.create_index("ix_disclosure_organization_at", "disclosure", ["organization", "at"])
    op.add_column("decision", sa.Column("segment", sa.Integer(), nullable=True))
    op.create_index("ix_decision_discloser_at", "decision", ["discloser", "at"])
    op.create_index("ix_decision_segment", "decision", ["segment"])
    unsealed = sa.text("segment is null")
    op.create_index("ix_decision_unsealed", "decision", ["id"], postgresql_where=unsealed, sqlite_where=unsealed)
    op.create_table(
        "incident",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("organization", TEXT, nullable=True),
        sa.Column("decision", TEXT, nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.Column("reviewed_by", TEXT, nullable=True),
        sa.Column("outcome", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )


def _accesses() -> None:
    op.create_table(
        "access_page",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("resources", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_page")),
    )
    op.create_index("ix_access_page_organization_at", "access_page", ["organization", "at"])
    for column in ("user_id", "resource", "page"):
        op.add_column("access_log", sa.Column(column, TEXT, nullable=True))
    op.create_index("ix_access_log_organization_at", "access_log", ["organization", "at"])


def _link_earlier() -> None:
    """Entries since 0006 name their decision; those before have none."""
    connection, last = op.get_bind(), ""
    found = sa.text("select id, entries from disclosure where id > :last order by id limit :slice")
    link = sa.text("insert into disclosure_decision (decision, disclosure) values (:decision, :disclosure)")
    while rows := connection.execute(found, {"last": last, "slice": _SLICE}).fetchall():
        links = {(entry[3], row[0]) for row in rows for entry in json.loads(row[1]) if len(entry) > 3 and entry[3]}
        if links:
            connection.execute(link, [{"decision": one, "disclosure": other} for one, other in sorted(links)])
        last = rows[-1][0]


def downgrade() -> None:
    op.drop_table("incident")
    for name in ("unsealed", "segment", "discloser_at"):
        op.drop_index(f"ix_decision_{name}", "decision")
    op.drop_column("decision", "segment")
    op.drop_index("ix_disclosure_organization_at", "disclosure")
    op.drop_column("disclosure", "user_id")
    op.drop_table("disclosure_decision")
    op.drop_index("ix_access_log_organization_at", "access_log")
    for column in ("user_id", "resource", "page"):
        op.drop_column("access_log", column)
    op.drop_table("access_page")
