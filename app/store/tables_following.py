"""The tables of what follows a referral until the next dose is given."""

from sqlalchemy import Column, Index, Table

from app.store.table_base import Text, metadata

referral_visit = Table(
    "referral_visit",
    metadata,
    # The source ServiceRequest, and the visit that it grew from.
    Column("request", Text, primary_key=True),
    Column("visit", Text, nullable=False),
)
Index("ix_referral_visit_visit", referral_visit.c.visit)
