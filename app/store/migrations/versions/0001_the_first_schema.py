"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _parties()
    _clients()
    _head()
    _current_rows()
    _bodies_and_changes()
    _search_and_sight()
    _visits()
    _ledger()
    _receipts_and_reviews()
    _jobs()
    _records()
    op.execute("insert into head (id, seq, stamp) values (1, 0, 0)")


def _parties() -> None:
    op.create_table(
        "party",
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organization", name=op.f("pk_party")),
        sa.UniqueConstraint("name", name=op.f("uq_party_name")),
    )

    op.create_table(
        "sender",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sender")),
    )
    with op.batch_alter_table("sender", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sender_organization"), ["organization"], unique=False)

    op.create_table(
        "partner",
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", name=op.f("pk_partner")),
        sa.UniqueConstraint("name", name=op.f("uq_partner_name")),
    )


def _clients() -> None:
    op.create_table(
        "client",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("secret_hash", TEXT, nullable=True),
        sa.Column("require_if_match", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
    )

    op.create_table(
        "token",
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_token")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_client"), ["client"], unique=False)
        batch_op.create_index(batch_op.f("ix_token_expires_at"), ["expires_at"], unique=False)


def _head() -> None:
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head")),
    )


def _current_rows() -> None:
    op.create_table(
        "resource",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("status", TEXT, nullable=True),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("requester", TEXT, nullable=True),
        sa.Column("patient", TEXT, nullable=True),
        sa.Column("focus", TEXT, nullable=True),
        sa.Column("code", TEXT, nullable=True),
        sa.Column("intent", TEXT, nullable=True),
        sa.Column("priority", TEXT, nullable=True),
        sa.Column("part_of", TEXT, nullable=True),
        sa.Column("group_identifier", TEXT, nullable=True),
        sa.Column("authored_on", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resource")),
    )
    with op.batch_alter_table("resource", schema=None) as batch_op:
        batch_op.create_index(
            "ix_request_patient",
            ["patient"],
            unique=False,
            postgresql_where=sa.text("type = 'ServiceRequest'"),
            sqlite_where=sa.text("type = 'ServiceRequest'"),
        )
        batch_op.create_index(
            "ix_request_requester",
            ["requester", "last_updated"],
            unique=False,
            postgresql_where=sa.text("type = 'ServiceRequest'"),
            sqlite_where=sa.text("type = 'ServiceRequest'"),
        )
        batch_op.create_index(
            "ix_task_focus",
            ["focus"],
            unique=False,
            postgresql_where=sa.text("type = 'Task'"),
            sqlite_where=sa.text("type = 'Task'"),
        )
        batch_op.create_index(
            "ix_task_group",
            ["group_identifier"],
            unique=False,
            postgresql_where=sa.text("type = 'Task' and group_identifier is not null"),
            sqlite_where=sa.text("type = 'Task' and group_identifier is not null"),
        )
        batch_op.create_index(
            "ix_task_owner",
            ["owner", "status", "last_updated"],
            unique=False,
            postgresql_where=sa.text("type = 'Task'"),
            sqlite_where=sa.text("type = 'Task'"),
        )
        batch_op.create_index(
            "ix_task_part_of",
            ["part_of"],
            unique=False,
            postgresql_where=sa.text("type = 'Task' and part_of is not null"),
            sqlite_where=sa.text("type = 'Task' and part_of is not null"),
        )
        batch_op.create_index(
            "ix_task_patient",
            ["patient"],
            unique=False,
            postgresql_where=sa.text("type = 'Task'"),
            sqlite_where=sa.text("type = 'Task'"),
        )
        batch_op.create_index(
            "ix_task_requester",
            ["requester", "last_updated"],
            unique=False,
            postgresql_where=sa.text("type = 'Task'"),
            sqlite_where=sa.text("type = 'Task'"),
        )


def _bodies_and_changes() -> None:
    op.create_table(
        "body",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rendition", TEXT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", "version", "rendition", name=op.f("pk_body")),
    )

    op.create_table(
        "change",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("last_updated", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_change")),
    )
    with op.batch_alter_table("change", schema=None) as batch_op:
        batch_op.create_index("ix_change_id", ["id", "version"], unique=False)


def _search_and_sight() -> None:
    op.create_table(
        "search_index",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", "name", "value", name=op.f("pk_search_index")),
    )
    with op.batch_alter_table("search_index", schema=None) as batch_op:
        batch_op.create_index("ix_search_index_value", ["type", "name", "value"], unique=False)

    op.create_table(
        "visibility",
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("level", TEXT, nullable=False),
        sa.Column("consent", TEXT, nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("disclosed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("organization", "id", name=op.f("pk_visibility")),
    )
    with op.batch_alter_table("visibility", schema=None) as batch_op:
        batch_op.create_index("ix_visibility_id", ["id"], unique=False)

    op.create_table(
        "audience",
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization", name=op.f("pk_audience")),
    )


def _visits() -> None:
    op.create_table(
        "visit",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit")),
    )

    op.create_table(
        "visit_number",
        sa.Column("mac", TEXT, nullable=False),
        sa.Column("visit", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("mac", name=op.f("pk_visit_number")),
    )
    with op.batch_alter_table("visit_number", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_visit_number_visit"), ["visit"], unique=False)

    op.create_table(
        "visit_person",
        sa.Column("mac", TEXT, nullable=False),
        sa.Column("visit", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("mac", "visit", name=op.f("pk_visit_person")),
    )
    with op.batch_alter_table("visit_person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_visit_person_visit"), ["visit"], unique=False)


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("sender", TEXT, nullable=True),
        sa.Column("control_id", TEXT, nullable=True),
        sa.Column("message_type", TEXT, nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reasons", TEXT, nullable=False),
        sa.Column("visit", TEXT, nullable=True),
        sa.Column("referral", TEXT, nullable=True),
        sa.Column("person", TEXT, nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_sender", ["sender", "received_at"], unique=False)
        batch_op.create_index(
            "ix_ledger_visit",
            ["visit"],
            unique=False,
            postgresql_where=sa.text("visit is not null and state <> 'not-ours'"),
            sqlite_where=sa.text("visit is not null and state <> 'not-ours'"),
        )
        batch_op.create_index(
            "ix_ledger_waiting",
            ["person"],
            unique=False,
            postgresql_where=sa.text("state = 'waiting' and visit is null"),
            sqlite_where=sa.text("state = 'waiting' and visit is null"),
        )
        batch_op.create_index(
            "ix_ledger_referral",
            ["referral"],
            unique=False,
            postgresql_where=sa.text("state = 'referral'"),
            sqlite_where=sa.text("state = 'referral'"),
        )

    op.create_table(
        "ledger_state",
        sa.Column("ledger", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("reasons", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("ledger", "until", name=op.f("pk_ledger_state")),
    )


def _receipts_and_reviews() -> None:
    op.create_table(
        "receipt",
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("mac", TEXT, nullable=False),
        sa.Column("ledger", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", "mac", name=op.f("pk_receipt")),
    )

    op.create_table(
        "review",
        sa.Column("visit", TEXT, nullable=False),
        sa.Column("sender", TEXT, nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("reasons", TEXT, nullable=False),
        sa.Column("referral", TEXT, nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("visit", name=op.f("pk_review")),
    )


def _jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_due", ["due_at"], unique=False)

    op.create_table(
        "job_done",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_done")),
    )


def _records() -> None:
    op.create_table(
        "disclosure",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("entries", TEXT, nullable=False),
        sa.Column("segment", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosure")),
    )
    with op.batch_alter_table("disclosure", schema=None) as batch_op:
        batch_op.create_index("ix_disclosure_segment", ["segment"], unique=False)
        batch_op.create_index(
            "ix_disclosure_unsealed",
            ["id"],
            unique=False,
            postgresql_where=sa.text("segment is null"),
            sqlite_where=sa.text("segment is null"),
        )

    op.create_table(
        "access_log",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("interaction", TEXT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_log")),
    )

    op.create_table(
        "seal",
        sa.Column("segment", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_seal")),
    )
