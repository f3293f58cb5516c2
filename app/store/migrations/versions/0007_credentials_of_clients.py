"""How clients prove who they are: secrets and key sets, several at a time; and which assertions were used."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "credential",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
    )
    op.create_index(op.f("ix_credential_client"), "credential", ["client"])
    op.create_table(
        "assertion",
        sa.Column("client", TEXT, nullable=False),
        sa.Column("jti", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client", "jti", name=op.f("pk_assertion")),
    )
    op.create_index(op.f("ix_assertion_expires_at"), "assertion", ["expires_at"])
    op.execute(
        "insert into credential (id, client, kind, value) "
        "select id, id, 'secret', secret_hash from client where secret_hash is not null"
    )
    with op.batch_alter_table("client") as batch_op:
        batch_op.add_column(sa.Column("sender", TEXT, nullable=True))
        batch_op.drop_column("secret_hash")


def downgrade() -> None:
    with op.batch_alter_table("client") as batch_op:
        batch_op.add_column(sa.Column("secret_hash", TEXT, nullable=True))
        batch_op.drop_column("sender")
    op.execute(
        "update client set secret_hash = (select value from credential "
        "where credential.client = client.id and kind = 'secret' and until is null)"
    )
    op.drop_table("assertion")
    op.drop_table("credential")
