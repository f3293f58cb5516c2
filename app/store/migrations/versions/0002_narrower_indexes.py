"""Narrower indexes, and who is told of a change is asked with the eyes of the moment after the lock."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AUDIENCE_OF = """
create function audience_of(ids text[], further text[], seq bigint) returns setof text language plpgsql volatile as $$
begin
    -- Each query of a volatile function sees what is committed by now; the statement that calls it began before it had
    -- the lock, and would miss whom somebody else let see one of these resources meanwhile. The number comes from the
    -- locked row, so that the lock is there first.
    return query
        select v.organization from visibility v where v.id = any(ids) and seq is not null union select unnest(further);
end
$$
"""


def upgrade() -> None:
    with op.batch_alter_table("visibility") as batch_op:
        batch_op.drop_index("ix_visibility_id")
        batch_op.drop_constraint("pk_visibility", type_="primary")
        batch_op.create_primary_key("pk_visibility", ["id", "organization"])
        batch_op.create_index("ix_visibility_organization", ["organization"], unique=False)
    with op.batch_alter_table("search_index") as batch_op:
        batch_op.drop_constraint("pk_search_index", type_="primary")
        batch_op.create_index("ix_search_index_id", ["id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_AUDIENCE_OF)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function audience_of(text[], text[], bigint)")
    with op.batch_alter_table("search_index") as batch_op:
        batch_op.drop_index("ix_search_index_id")
        batch_op.create_primary_key("pk_search_index", ["id", "name", "value"])
    with op.batch_alter_table("visibility") as batch_op:
        batch_op.drop_index("ix_visibility_organization")
        batch_op.drop_constraint("pk_visibility", type_="primary")
        batch_op.create_primary_key("pk_visibility", ["organization", "id"])
        batch_op.create_index("ix_visibility_id", ["id"], unique=False)
