"""The tables of what follows a referral until the next dose is given."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, UniqueConstraint

from app.store.table_base import Text, metadata

referral_visit = Table(
    "referral_visit",
    metadata,
    # The source ServiceRequest, and the visit that it grew from.
    Column("request", Text, primary_key=True),
    Column("visit", Text, nullable=False),
)
Index("ix_referral_visit_visit", referral_visit.c.visit)
coverage_event = Table(
    "coverage_event",
    metadata,
    # What the coverage clock of a referral (a source ServiceRequest) has shown, and from what: added, never changed.
    Column("id", Text, primary_key=True),
    Column("referral", Text, nullable=False),
    Column("visit", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("inputs", LargeBinary, nullable=False),
    Column("outputs", Text, nullable=False),
)
Index("ix_coverage_event_referral", coverage_event.c.referral, coverage_event.c.id)
question = Table(
    "question",
    metadata,
    # What a partner has not said, for one referral; the id is a hash of both, and nothing leads back.
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("facet", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
Index("ix_question_organization_at", question.c.organization, question.c.at)
retention_list = Table(
    "retention_list",
    metadata,
    # Whom a partner was asked about in one week: [Task, what is asked] as JSON; the id is a keyed hash of all of it.
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("week", Text, nullable=False),
    Column("entries", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
retention_answer = Table(
    "retention_answer",
    metadata,
    # What a partner said of whether a person is in care, who vouches for it, and which list it answers.
    Column("id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("point", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("attested_by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("list", Text),
    Column("week", Text),
)
Index("ix_retention_answer_task", retention_answer.c.task)
working_agreement = Table(
    "working_agreement",
    metadata,
    # What a hospital and a partner have agreed, as JSON; a change is a new version.
    Column("id", Text, primary_key=True),
    Column("hospital", Text, nullable=False),
    Column("partner", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("kept_by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("hospital", "partner", "version"),
)
agreement_meeting = Table(
    "agreement_meeting",
    metadata,
    # Their log of meetings.
    Column("id", Text, primary_key=True),
    Column("hospital", Text, nullable=False),
    Column("partner", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("kept_by", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
Index("ix_agreement_meeting_hospital_partner", agreement_meeting.c.hospital, agreement_meeting.c.partner)
