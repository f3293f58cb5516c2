"""How a Subscription is written, and how its events are numbered on SQLite.

On PostgreSQL the function ``number_events`` (migration 0005) numbers inside the one statement of a commit, under its
lock. The tables of the count and of the events are written there and nowhere else in a commit: a commit that touched
them earlier would wait for the lock while the holder of the lock waits for its rows.
"""

from typing import Final

from app.store.statements import Statement

_SUBSCRIPTION: Final = ("id", "organization", "client", "topic", "status", "filters")
_ON_CHANGE: Final = "on conflict (id) do update set " + ", ".join(f"{n} = excluded.{n}" for n in _SUBSCRIPTION[1:])
SUBSCRIPTIONS: Final = Statement(
    name="subscription",
    columns=tuple((name, "text") for name in _SUBSCRIPTION),
    template=f"insert into subscription ({{names}}) select {{names}} from {{rows}} {_ON_CHANGE}",
    sqlite=f"insert into subscription ({', '.join(_SUBSCRIPTION)}) values (?1, ?2, ?3, ?4, ?5, ?6) {_ON_CHANGE}",
)
_FRESH: Final = (
    # What was delivered stays delivered; how often it failed is forgotten with each change.
    "on conflict (subscription) do update set heartbeat = excluded.heartbeat, attempts = 0, failing_since = null, "
    "due_at = 0"
)
LANES: Final = Statement(
    name="subscription_lane",
    columns=(
        ("subscription", "text"),
        ("heartbeat", "big"),
        ("delivered", "big"),
        ("attempts", "int"),
        ("due_at", "big"),
        ("sent_at", "big"),
        ("leased_until", "big"),
    ),
    template=f"insert into subscription_lane ({{names}}) select {{names}} from {{rows}} {_FRESH}",
    sqlite=(
        "insert into subscription_lane (subscription, heartbeat, delivered, attempts, due_at, sent_at, leased_until) "
        f"values (?1, ?2, ?3, ?4, ?5, ?6, ?7) {_FRESH}"
    ),
)
SUBSCRIPTIONS_GONE: Final = Statement(
    name="subscription",
    columns=(("id", "text"),),
    template="delete from subscription where id in (select id from {rows})",
    sqlite="delete from subscription where id = ?1",
)

# A cross join is done in the order in which it is written: from the few changed rows outwards.
SUBSCRIBED_SQLITE: Final = "select 1 from subscription where status <> 'off' limit 1"
NUMBER_EVENTS_SQLITE: Final = """
insert into subscription_event (subscription, number, id, type, version, deleted, seq, at)
select s.id, coalesce(k.events, 0) + row_number() over (partition by s.id order by c.seq),
    r.id, r.type, r.version, r.deleted, c.seq, r.last_updated
from change c
cross join resource r on r.id = c.id and r.version = c.version
cross join visibility v on v.id = r.id and (v.until is null or v.until > r.last_updated)
cross join subscription s on s.organization = v.organization and s.topic = r.type and s.status <> 'off'
left join subscription_count k on k.subscription = s.id
where c.seq > ?1 and c.seq <= ?2
    and case r.type when 'Task' then r.intent = 'order' and r.status <> 'draft' else r.version > 1 end
    and (json_type(s.filters, '$.id') is null or r.id in (select value from json_each(s.filters, '$.id')))
    and (json_type(s.filters, '$.status') is null or r.status in (select value from json_each(s.filters, '$.status')))
    and (json_type(s.filters, '$.not_status') is null
        or r.status not in (select value from json_each(s.filters, '$.not_status')))
    and (json_type(s.filters, '$.owner') is null or r.owner in (select value from json_each(s.filters, '$.owner')))
    and (json_type(s.filters, '$.requester') is null
        or v.level = 'full' and r.requester in (select value from json_each(s.filters, '$.requester')))
    and (json_type(s.filters, '$.from') is null or r.last_updated >= json_extract(s.filters, '$.from'))
    and (json_type(s.filters, '$.before') is null or r.last_updated < json_extract(s.filters, '$.before'))
    and (json_type(s.filters, '$.code') is null or exists (
        select 1 from (select r.code as code union all
            select i.value from search_index i where v.level = 'full' and i.id = r.id and i.name = 'code') had
        join json_each(s.filters, '$.code') asked on had.code = asked.value
            or (asked.value like '%|' and substr(had.code, 1, length(asked.value)) = asked.value)))
"""
COUNT_EVENTS_SQLITE: Final = """
insert into subscription_count (subscription, events)
select * from (
    select s.id, (select max(e.number) from subscription_event e where e.subscription = s.id) as events
    from subscription s) where events is not null
on conflict (subscription) do update set events = excluded.events
"""
