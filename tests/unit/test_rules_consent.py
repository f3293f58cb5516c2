from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.rules.consent import ConsentDecision, UnitStatus, decide
from app.rules.consent_flaws import Party
from schemas.discharge import ConsentGiven

AT = datetime(2026, 6, 8, 14, 20, tzinfo=ZoneInfo("America/New_York"))
OTP = Party("Harbor OTP", "o-1", covered_entity=True, part2_program=True)
PEERS = Party("Peer House", "o-2", part2_program=True)
HOUSE = Party("Recovery House", "o-3")
ASSOCIATE = Party("Associate", "o-4", business_associate=True)


HOSPITAL = Party("Mercy Hospital", "h-1", covered_entity=True, medical=True)
FORM = "urn:htest:form:1"


def consent(*names: str, **changes: Any) -> ConsentGiven:
    return ConsentGiven.model_validate(
        {"recipients": list(names), "signed_at": AT - timedelta(days=1), "status": "active", "form": FORM, **changes}
    )


def asked(
    unit: UnitStatus, recipient: Party, *consents: ConsentGiven, purpose: str = "TREAT", at: datetime = AT
) -> ConsentDecision:
    return decide(
        unit_status=unit,
        discloser=HOSPITAL,
        recipient=recipient,
        need="moud-continuation",
        purpose=purpose,
        consents=consents,
        at=at,
    )


@pytest.mark.parametrize(
    ("unit", "recipient", "named", "level", "legal"),
    [
        ("not-part2", OTP, False, "packet", "hipaa-treatment"),
        ("not-part2", OTP, True, "packet", "consent"),
        ("not-part2", PEERS, False, "offer", None),
        ("not-part2", PEERS, True, "packet", "consent"),
        ("not-part2", HOUSE, False, "offer", None),
        ("not-part2", HOUSE, True, "packet", "consent"),
        ("not-part2", ASSOCIATE, False, "offer", None),
        ("part2", OTP, False, "offer", None),
        ("part2", OTP, True, "packet", "consent"),
        ("part2", PEERS, False, "offer", None),
        ("part2", PEERS, True, "packet", "consent"),
        ("part2", HOUSE, False, "offer", None),
        ("part2", HOUSE, True, "packet", "consent"),
        ("unknown", OTP, False, "offer", None),
        ("unknown", OTP, True, "packet", "consent"),
        ("unknown", HOUSE, False, "offer", None),
        ("unknown", HOUSE, True, "packet", "consent"),
    ],
)
def test_the_decision_table_of_sender_and_recipient_holds(
    unit: UnitStatus, recipient: Party, level: str, legal: str | None, *, named: bool
) -> None:
    decision = asked(unit, recipient, *([consent(recipient.name)] if named else []))
    assert (decision.level, decision.legal_reason, decision.consent) == (level, legal, 0 if named else None)
    assert decision.codes
    assert bool(decision.cure) == (level == "offer")


def test_a_refusal_from_a_part2_unit_says_no_consent_first_and_how_to_cure_it() -> None:
    decision = asked("part2", OTP)
    assert decision.codes == ("no-consent", "part2-unit")
    assert len(decision.cure) == 1
    assert "42 CFR 2.31" in decision.cure[0]


def test_a_refusal_from_an_unknown_unit_says_so_and_that_classifying_it_would_help() -> None:
    decision = asked("unknown", OTP)
    assert decision.codes == ("no-consent", "unit-unknown")
    assert any("classify" in cure for cure in decision.cure)


def test_a_refusal_for_want_of_a_covered_entity_says_so() -> None:
    decision = asked("not-part2", HOUSE)
    assert decision.codes == ("no-consent", "not-covered-entity")
    assert any("covered entity" in cure for cure in decision.cure)


DAY = timedelta(days=1)
FLAWED: dict[str, tuple[ConsentGiven, str]] = {
    "draft": (consent("Harbor OTP", status="draft"), "consent-not-active"),
    "inactive": (consent("Harbor OTP", status="inactive"), "consent-not-active"),
    "rejected": (consent("Harbor OTP", status="rejected"), "consent-not-active"),
    "entered in error": (consent("Harbor OTP", status="entered-in-error"), "consent-not-active"),
    "another recipient": (consent("Harbor OTP East"), "consent-other-recipient"),
    "part of the name": (consent("Harbor"), "consent-other-recipient"),
    "no recipient": (consent(), "consent-other-recipient"),
    "another purpose": (consent("Harbor OTP", purposes=["HPAYMT"]), "consent-other-purpose"),
    "expired": (consent("Harbor OTP", expires_at=AT - DAY), "consent-expired"),
    "expires this instant": (consent("Harbor OTP", expires_at=AT), "consent-expired"),
    "expired yesterday": (consent("Harbor OTP", expires_at=date(2026, 6, 7)), "consent-expired"),
    "signed later": (consent("Harbor OTP", signed_at=AT + DAY), "consent-future"),
    "signed tomorrow": (consent("Harbor OTP", signed_at=date(2026, 6, 9)), "consent-future"),
    "unsigned": (consent("Harbor OTP", signed_at=None), "consent-undated"),
}


@pytest.mark.parametrize("name", FLAWED)
@pytest.mark.parametrize("unit", ["part2", "unknown"])
def test_a_consent_with_a_flaw_never_permits(name: str, unit: UnitStatus) -> None:
    given, code = FLAWED[name]
    decision = asked(unit, OTP, given)
    objection = given.status in {"rejected", "inactive"}
    assert (decision.level, decision.consent) == ("nothing" if objection else "offer", None)
    assert code in decision.codes
    assert "no-consent" in decision.codes


@pytest.mark.parametrize("name", ["Harbor OTP", "harbor otp", "  HARBOR \t OTP ", "Harbor\nOTP"])
def test_names_are_compared_without_case_and_white_space(name: str) -> None:
    assert asked("part2", OTP, consent(name)).level == "packet"


def test_a_recipient_without_a_name_is_named_by_nobody() -> None:
    assert asked("part2", Party(" ", "o-9"), consent(" ")).level == "offer"


def test_a_consent_that_names_several_permits_each_of_them() -> None:
    assert asked("part2", HOUSE, consent("Harbor OTP", "Recovery House")).level == "packet"


@pytest.mark.parametrize("signed", [date(2026, 6, 8), AT, date(2020, 1, 1)])
@pytest.mark.parametrize("expires", [None, date(2026, 6, 8), AT + timedelta(seconds=1)])
def test_a_consent_holds_from_its_signature_to_the_end_of_its_last_day(
    signed: date | datetime, expires: date | datetime | None
) -> None:
    assert asked("part2", OTP, consent("Harbor OTP", signed_at=signed, expires_at=expires)).level == "packet"


def test_the_days_of_a_consent_are_read_in_the_zone_of_the_hospital() -> None:
    late = datetime(2026, 6, 9, 3, 30, tzinfo=ZoneInfo("UTC")).astimezone(AT.tzinfo)
    given = consent("Harbor OTP", expires_at=date(2026, 6, 8))
    assert asked("part2", OTP, given, at=late).level == "packet"
    assert asked("part2", OTP, given, at=late + timedelta(minutes=30)).level == "offer"


@pytest.mark.parametrize("status", ["rejected", "inactive"])
@pytest.mark.parametrize("when", [AT, AT - DAY, date(2026, 6, 7), None])
def test_a_refusal_that_is_not_clearly_older_contradicts_a_consent(status: str, when: date | datetime | None) -> None:
    decision = asked("part2", OTP, consent("Harbor OTP"), consent("Harbor OTP", status=status, signed_at=when))
    assert (decision.level, "consent-conflict" in decision.codes) == ("nothing", True)


@pytest.mark.parametrize("when", [AT - 2 * DAY, date(2026, 6, 6)])
def test_a_later_consent_takes_an_older_refusal_back(when: date | datetime) -> None:
    decision = asked("part2", OTP, consent("Harbor OTP", status="rejected", signed_at=when), consent("Harbor OTP"))
    assert (decision.level, decision.consent) == ("packet", 1)


def test_a_refusal_of_another_recipient_contradicts_nothing() -> None:
    assert asked("part2", OTP, consent("Harbor OTP"), consent("Other", status="rejected")).level == "packet"


def test_of_several_consents_the_newest_one_is_named() -> None:
    old = consent("Harbor OTP", signed_at=date(2026, 1, 1))
    assert asked("part2", OTP, old, consent("Harbor OTP"), old).consent == 1


def test_an_objection_beats_treatment_under_hipaa() -> None:
    decision = asked("not-part2", OTP, consent("Harbor OTP", status="rejected"))
    assert (decision.level, decision.codes[0]) == ("nothing", "objection")


def test_a_purpose_other_than_treatment_needs_a_consent_for_it() -> None:
    assert asked("not-part2", OTP, purpose="HPAYMT").codes == ("no-consent", "not-treatment")
    given = consent("Harbor OTP", purposes=["HPAYMT"])
    assert asked("not-part2", OTP, given, purpose="HPAYMT").level == "packet"


def test_no_reason_and_no_cure_repeats_a_name_of_a_consent() -> None:
    decision = asked("unknown", OTP, consent("HTEST Someone"), consent("Harbor OTP", status="draft"))
    assert "HTEST" not in " ".join([*(reason.text for reason in decision.reasons), *decision.cure])
    assert "names Harbor OTP" in decision.cure[0]
