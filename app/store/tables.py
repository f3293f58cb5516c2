"""The tables, once for both databases.

Instants are microseconds since the epoch. Ids are text. Of a person, nothing here is readable but
resource bodies and the columns that searches need: visits and received bytes are encrypted, their
identifiers are keyed hashes.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    false,
    text,
)

from app.store.table_base import Text, metadata

# ---- who takes part
party = Table(
    "party",
    metadata,
    Column("organization", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
)
sender = Table(
    "sender",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # Whether its file says where answers go: what is written for them asks nothing else of it.
    Column("answers", Boolean, nullable=False, server_default=false()),
)
partner = Table(
    "partner",
    metadata,
    Column("organization", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # Whether it has a FHIR server of its own: what is written for it asks nothing else of its profile.
    Column("pushes", Boolean, nullable=False, server_default=false()),
    # Sealed: what the hub shows to that server.
    Column("credential", LargeBinary),
)
client = Table(
    "client",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("require_if_match", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sender", Text),
)
credential = Table(
    "credential",
    metadata,
    Column("id", Text, primary_key=True),
    Column("client", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("until", BigInteger),
)
assertion = Table(
    "assertion",
    metadata,
    Column("client", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
token = Table(
    "token",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("client", Text, nullable=False, index=True),
    Column("scope", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)

# ---- resources: narrow current rows, bodies beside them, changes in commit order
head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("stamp", BigInteger, nullable=False),
)
resource = Table(
    "resource",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_updated", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("status", Text),
    Column("owner", Text),
    Column("requester", Text),
    Column("patient", Text),
    Column("focus", Text),
    Column("code", Text),
    Column("intent", Text),
    Column("priority", Text),
    Column("part_of", Text),
    Column("group_identifier", Text),
    Column("authored_on", BigInteger),
)
_TASK = text("type = 'Task'")
_REQUEST = text("type = 'ServiceRequest'")


def _partial(name: str, *columns: Column[object], where: object) -> Index:
    return Index(name, *columns, postgresql_where=where, sqlite_where=where)


_partial("ix_task_owner", resource.c.owner, resource.c.status, resource.c.last_updated, where=_TASK)
_partial("ix_task_requester", resource.c.requester, resource.c.last_updated, where=_TASK)
_partial("ix_task_part_of", resource.c.part_of, where=text("type = 'Task' and part_of is not null"))
_partial("ix_task_focus", resource.c.focus, where=_TASK)
_partial("ix_task_patient", resource.c.patient, where=_TASK)
_partial("ix_task_group", resource.c.group_identifier, where=text("type = 'Task' and group_identifier is not null"))
_partial("ix_request_requester", resource.c.requester, resource.c.last_updated, where=_REQUEST)
_partial("ix_request_patient", resource.c.patient, where=_REQUEST)

body = Table(
    "body",
    metadata,
    Column("id", Text),
    Column("version", Integer),
    Column("rendition", Text),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", "version", "rendition"),
)
change = Table(
    "change",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("type", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("last_updated", BigInteger, nullable=False),
)
Index("ix_change_id", change.c.id, change.c.version)
search_index = Table(
    "search_index",
    metadata,
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("type", Text, nullable=False),
)
Index("ix_search_index_id", search_index.c.id)
Index("ix_search_index_value", search_index.c.type, search_index.c.name, search_index.c.value)
visibility = Table(
    "visibility",
    metadata,
    Column("organization", Text),
    Column("id", Text),
    Column("level", Text, nullable=False),
    Column("decision", Text),
    Column("notice", Text),
    Column("until", BigInteger),
    Column("disclosed", Integer, nullable=False),
    Column("cause", Text),
    Column("cause_version", Integer),
    # The id first: who sees a resource is asked at each change of it, and a row is always looked up by both.
    PrimaryKeyConstraint("id", "organization"),
)
Index("ix_visibility_organization", visibility.c.organization)
audience = Table(
    "audience",
    metadata,
    Column("organization", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("stamp", BigInteger, nullable=False),
)

author = Table(
    "author",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
)
claim = Table(
    "claim",
    metadata,
    Column("key", Text, primary_key=True),
    Column("id", Text, nullable=False),
)

# ---- intake
visit = Table(
    "visit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key", LargeBinary),
    Column("content", LargeBinary),
    Column("expires_at", BigInteger),
)
visit_number = Table(
    "visit_number",
    metadata,
    Column("mac", Text, primary_key=True),
    Column("visit", Text, nullable=False, index=True),
)
visit_person = Table(
    "visit_person",
    metadata,
    Column("mac", Text),
    Column("visit", Text, index=True),
    PrimaryKeyConstraint("mac", "visit"),
)
ledger = Table(
    "ledger",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sender", Text),
    Column("control_id", Text),
    Column("message_type", Text),
    Column("received_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("visit", Text),
    Column("referral", Text),
    Column("person", Text),
    Column("raw", LargeBinary),
)
Index("ix_ledger_sender", ledger.c.sender, ledger.c.received_at)
_partial("ix_ledger_visit", ledger.c.visit, where=text("visit is not null and state <> 'not-ours'"))
_partial("ix_ledger_waiting", ledger.c.person, where=text("state = 'waiting' and visit is null"))
_partial("ix_ledger_referral", ledger.c.referral, where=text("state in ('referral', 'review')"))
ledger_state = Table(
    "ledger_state",
    metadata,
    Column("ledger", Text),
    Column("until", BigInteger),
    Column("state", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    PrimaryKeyConstraint("ledger", "until"),
)
receipt = Table(
    "receipt",
    metadata,
    Column("scope", Text),
    Column("key", Text),
    Column("mac", Text),
    Column("ledger", Text, nullable=False),
    PrimaryKeyConstraint("scope", "key", "mac"),
)
review = Table(
    "review",
    metadata,
    Column("visit", Text, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("referral", Text),
    Column("closed_at", BigInteger),
    Column("kind", Text, nullable=False, server_default="queue"),
    Column("unit", Text),
    Column("suggested", Text),
    Column("later_until", BigInteger),
    Column("answer", Text),
    Column("answered_at", BigInteger),
    Column("answered_by", Text),
)
_partial("ix_review_open", review.c.sender, review.c.opened_at, where=text("closed_at is null"))
Index("ix_review_opened_at", review.c.opened_at)
review_answer = Table(
    "review_answer",
    metadata,
    Column("id", Text, primary_key=True),
    Column("visit", Text, nullable=False, index=True),
    Column("sender", Text, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("answer", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("until", BigInteger),
)

# ---- the health of senders
sender_count = Table(
    "sender_count",
    metadata,
    Column("sender", Text),
    Column("what", Text),
    Column("hour", BigInteger),
    Column("code", Text),
    Column("number", BigInteger, nullable=False),
    PrimaryKeyConstraint("sender", "what", "hour", "code"),
)
Index("ix_sender_count_hour", sender_count.c.hour)
sender_silence = Table(
    "sender_silence",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
)

# ---- due work
job = Table(
    "job",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("claimed_until", BigInteger, nullable=False),
)
Index("ix_job_due", job.c.due_at)
job_done = Table(
    "job_done",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("finished_at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
)

# ---- why somebody may see something, and on what paper
decision = Table(
    "decision",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("referral", Text, nullable=False, index=True),
    Column("task", Text, index=True),
    Column("patient", Text, nullable=False, index=True),
    Column("discloser", Text, nullable=False),
    Column("recipient", Text, nullable=False, index=True),
    Column("direction", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("basis", Text),
    Column("consent", Text),
    Column("consent_version", Integer),
    Column("redisclosure", Text),
    Column("notice", Text),
    Column("until", BigInteger),
    Column("reasons", Text, nullable=False),
    Column("cure", Text, nullable=False),
    Column("segment", Integer),
)
Index("ix_decision_discloser_at", decision.c.discloser, decision.c.at)
Index("ix_decision_segment", decision.c.segment)
_partial("ix_decision_unsealed", decision.c.id, where=text("segment is null"))
agreement = Table(
    "agreement",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("signed_on", Text, nullable=False),
    Column("signer", Text, nullable=False),
    Column("document_hash", Text, nullable=False),
    Column("ends_on", Text),
    Column("filed_at", BigInteger, nullable=False),
)

# ---- who saw what
disclosure = Table(
    "disclosure",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("organization", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("entries", Text, nullable=False),
    Column("segment", Integer),
    Column("user_id", Text),
)
_partial("ix_disclosure_unsealed", disclosure.c.id, where=text("segment is null"))
Index("ix_disclosure_segment", disclosure.c.segment)
Index("ix_disclosure_organization_at", disclosure.c.organization, disclosure.c.at)
disclosure_decision = Table(
    "disclosure_decision",
    metadata,
    Column("decision", Text),
    Column("disclosure", Text, index=True),
    PrimaryKeyConstraint("decision", "disclosure"),
)
access_log = Table(
    "access_log",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("organization", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("interaction", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("user_id", Text),
    # What was shown: one resource, or what came together on a page; neither: nothing.
    Column("resource", Text),
    Column("page", Text),
)
Index("ix_access_log_organization_at", access_log.c.organization, access_log.c.at)
access_page = Table(
    "access_page",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("resources", Text, nullable=False),
)
Index("ix_access_page_organization_at", access_page.c.organization, access_page.c.at)
incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("organization", Text),
    Column("decision", Text),
    Column("content", LargeBinary, nullable=False),
    Column("reviewed_at", BigInteger),
    Column("reviewed_by", Text),
    Column("outcome", LargeBinary),
)
seal = Table(
    "seal",
    metadata,
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("rows", Integer, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
)

# ---- who is told of what: subscriptions, the numbers of their events, and how far each was told
subscription = Table(
    "subscription",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("filters", Text, nullable=False),
)
Index("ix_subscription_organization", subscription.c.organization, subscription.c.topic)
subscription_count = Table(
    "subscription_count",
    metadata,
    # Written under the lock of ``head`` only; beside the others, so that no commit waits for a row of it.
    Column("subscription", Text, primary_key=True),
    Column("events", BigInteger, nullable=False),
)
subscription_event = Table(
    "subscription_event",
    metadata,
    Column("subscription", Text),
    Column("number", BigInteger),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "number"),
)
subscription_lane = Table(
    "subscription_lane",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("heartbeat", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", BigInteger),
    Column("due_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("holder", Text),
    Column("leased_until", BigInteger, nullable=False),
)
