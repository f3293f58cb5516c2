"""The newest lastUpdated of what each organisation sees: that of all changes would tell of others."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audience", sa.Column("stamp", sa.BigInteger(), nullable=True))
    op.execute("update audience set stamp = (select stamp from head)")
    with op.batch_alter_table("audience") as batch_op:
        batch_op.alter_column("stamp", nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("audience") as batch_op:
        batch_op.drop_column("stamp")
