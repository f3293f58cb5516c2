"""Statements about what follows a referral until the next dose is given."""

from app.store.statements import Statement, insert

REFERRAL_VISITS = insert(
    "referral_visit",
    ("request", "text"),
    ("visit", "text"),
    suffix="on conflict do nothing",
)
ABSORBED_REFERRALS = Statement(
    name="referral_visit",
    columns=(("visit", "text"), ("into_visit", "text")),
    template="update referral_visit set visit = u.into_visit from {rows} where referral_visit.visit = u.visit",
    sqlite="update referral_visit set visit = ?2 where visit = ?1",
)
