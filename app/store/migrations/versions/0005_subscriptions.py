"""Subscriptions, the numbers of their events, and how far each was told.

A trigger and ``number_events`` tell a listening process at once (PostgreSQL).
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_NUMBER_EVENTS = """
create function number_events(after_seq bigint, last_seq bigint) returns bigint language plpgsql volatile as $$
declare numbered bigint;
begin
    -- Like audience_of: each query here sees what the calling statement has written so far, and what others had
    -- committed when the lock was given. The lock also makes each number the next one.
    if after_seq >= last_seq or not exists (select 1 from subscription where status <> 'off') then
        return 0;
    end if;
    -- From the few changed rows outwards, whatever the planner believes of the tables: offset 0 keeps it to that.
    with changed as materialized (
        select r.*, c.seq from change c
        cross join lateral (select * from resource r where r.id = c.id and r.version = c.version offset 0) r
        where c.seq > after_seq and c.seq <= last_seq and c.type in ('Task', 'ServiceRequest')
    ), matched as (
        select s.id as subscription, r.id, r.type, r.version, r.deleted, r.last_updated, r.seq,
            row_number() over (partition by s.id order by r.seq) as n, count(*) over (partition by s.id) as total
        from changed r
        cross join lateral (
            select v.organization from visibility v
            where v.id = r.id and (v.until is null or v.until > r.last_updated) offset 0) v
        cross join lateral (
            select s.id, s.filters::jsonb as f from subscription s
            where s.organization = v.organization and s.topic = r.type and s.status <> 'off' offset 0) s
        where case r.type when 'Task' then r.intent = 'order' and r.status <> 'draft' else r.version > 1 end
            and (f -> 'id' is null or f -> 'id' ? r.id)
            and (f -> 'status' is null or f -> 'status' ? r.status)
            and (f -> 'not_status' is null or not f -> 'not_status' ? r.status)
            and (f -> 'owner' is null or f -> 'owner' ? r.owner)
            and (f -> 'requester' is null or f -> 'requester' ? r.requester)
            and (f -> 'from' is null or r.last_updated >= (f ->> 'from')::bigint)
            and (f -> 'before' is null or r.last_updated < (f ->> 'before')::bigint)
            and (f -> 'code' is null or exists (
                select 1 from (select r.code union all
                    select i.value from search_index i where i.id = r.id and i.name = 'code') had(code)
                join jsonb_array_elements_text(f -> 'code') asked(code) on had.code = asked.code
                    or (asked.code like '%|' and starts_with(had.code, asked.code))))
    ), counted as (
        insert into subscription_count (subscription, events)
        select distinct subscription, total from matched
        on conflict (subscription) do update set events = subscription_count.events + excluded.events
        returning subscription, events
    ), written as (
        insert into subscription_event (subscription, number, id, type, version, deleted, seq, at)
        select m.subscription, k.events - m.total + m.n, m.id, m.type, m.version, m.deleted, m.seq, m.last_updated
        from matched m join counted k on k.subscription = m.subscription
    ), told as (
        select pg_notify('throughline_event', subscription) from counted
    )
    select count(*) from told into numbered;
    return numbered;
end
$$
"""
_TELL = """
create function tell_subscription() returns trigger language plpgsql as $$
begin
    perform pg_notify('throughline_event', new.id);
    return null;
end
$$
"""
_TRIGGER = """
create trigger subscription_told after insert or update on subscription
for each row execute function tell_subscription()
"""


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("organization", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("topic", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("filters", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
    )
    op.create_index("ix_subscription_organization", "subscription", ["organization", "topic"])
    op.create_table(
        "subscription_count",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription", name=op.f("pk_subscription_count")),
    )
    op.create_table(
        "subscription_event",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription", "number", name=op.f("pk_subscription_event")),
    )
    op.create_table(
        "subscription_lane",
        sa.Column("subscription", TEXT, nullable=False),
        sa.Column("heartbeat", sa.BigInteger(), nullable=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription", name=op.f("pk_subscription_lane")),
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in (_NUMBER_EVENTS, _TELL, _TRIGGER):
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function number_events(bigint, bigint)")
    for table in ("subscription_lane", "subscription_event", "subscription_count", "subscription"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("drop function tell_subscription()")
