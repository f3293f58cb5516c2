"""Who is who in a decision: the way back, classes, exclusions, agreements, emergencies, another person's consent."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.rules.consent import ConsentDecision, Emergency, decide
from app.rules.consent_flaws import Party
from schemas.discharge import ConsentGiven, Identifier

AT = datetime(2026, 6, 8, 14, 20, tzinfo=ZoneInfo("America/New_York"))
HOSPITAL = Party("Mercy Hospital", "h-1", covered_entity=True, medical=True)
OTP = Party("Harbor OTP", "o-1", covered_entity=True, part2_program=True)
PEERS = Party("Peer House", "o-2", part2_program=True)
HOUSE = Party("Recovery House", "o-3")
MRN = Identifier(system="urn:htest:mrn", value="HTEST0001")


def consent(*names: str, **changes: Any) -> ConsentGiven:
    told = {"recipients": list(names), "signed_at": AT - timedelta(days=1), "form": "urn:htest:form:1", **changes}
    return ConsentGiven.model_validate(told)


def asked(*consents: ConsentGiven, **changes: Any) -> ConsentDecision:
    given: dict[str, Any] = {"unit_status": "part2", "discloser": HOSPITAL, "recipient": OTP}
    given |= {"need": "moud-continuation", "consents": consents, "at": AT, **changes}
    return decide(**given)


def reported(*consents: ConsentGiven, partner: Party = OTP) -> ConsentDecision:
    status = "part2" if partner.part2_program else "not-part2"
    return asked(*consents, unit_status=status, discloser=partner, recipient=HOSPITAL, direction="back")


# ---- the rule that the recipient is under, the notice, the end


@pytest.mark.parametrize(
    ("unit", "recipient", "rule", "notice"),
    [
        ("part2", OTP, "hipaa-except-proceedings", "part2-2-32"),
        ("part2", Party("Associate", "o-4", business_associate=True), "hipaa-except-proceedings", "part2-2-32"),
        ("part2", PEERS, "consistent-with-consent", "part2-2-32"),
        ("part2", HOUSE, "only-as-consented", "part2-2-32"),
        ("unknown", OTP, "hipaa-except-proceedings", "part2-2-32"),
        ("not-part2", OTP, "hipaa", None),
        ("not-part2", HOUSE, "only-as-consented", None),
    ],
)
def test_a_permit_says_what_the_recipient_may_do_and_which_notice_goes_along(
    unit: str, recipient: Party, rule: str, notice: str | None
) -> None:
    decision = asked(consent(recipient.name), unit_status=unit, recipient=recipient)
    assert (decision.level, decision.redisclosure, decision.notice) == ("packet", rule, notice)


@pytest.mark.parametrize(
    ("expires", "until"),
    [
        (None, None),
        (date(2026, 6, 9), datetime(2026, 6, 10, tzinfo=AT.tzinfo)),
        (AT + timedelta(hours=2), AT + timedelta(hours=2)),
    ],
)
def test_a_permit_ends_with_its_consent(expires: date | datetime | None, until: datetime | None) -> None:
    assert asked(consent("Harbor OTP", expires_at=expires)).until == until


# ---- the way back


def test_what_a_part2_program_reports_needs_a_consent_of_that_direction() -> None:
    refused = reported(consent("Harbor OTP"))
    assert (refused.level, refused.codes[:2]) == ("nothing", ("no-consent", "part2-unit"))
    assert "consent-one-way" in refused.codes
    assert "lets Harbor OTP report back to Mercy Hospital" in refused.cure[0]


@pytest.mark.parametrize(
    "given",
    [
        consent("Harbor OTP", both_directions=True),
        consent("Harbor OTP", "Mercy Hospital"),
        consent("Mercy Hospital", disclosers=["Harbor OTP"]),
    ],
)
def test_a_consent_of_both_directions_or_one_of_the_programs_own_covers_the_way_back(given: ConsentGiven) -> None:
    decision = reported(given)
    assert (decision.level, decision.legal_reason, decision.notice) == ("packet", "consent", "part2-2-32")


@pytest.mark.parametrize(
    "given",
    [
        consent("Other OTP", both_directions=True),
        consent("Other OTP", "Mercy Hospital"),
        consent("Mercy Hospital"),
        consent("Harbor OTP", both_directions=True, not_recipients=["Harbor OTP"]),
        consent("Harbor OTP", both_directions=True, not_recipients=["Mercy Hospital"]),
        consent("Harbor OTP", both_directions=True, expires_at=AT - timedelta(days=1)),
    ],
)
def test_no_other_consent_covers_the_way_back(given: ConsentGiven) -> None:
    assert reported(given).level == "nothing"


def test_what_one_that_is_no_part2_program_reports_needs_no_consent_but_an_objection_holds_it() -> None:
    assert reported(partner=HOUSE).legal_reason == "not-protected"
    clinic = Party("Bridge Clinic", "o-5", covered_entity=True)
    assert reported(partner=clinic).legal_reason == "hipaa-treatment"
    assert reported(consent("Mercy Hospital", status="rejected"), partner=clinic).level == "nothing"


# ---- classes, exclusions, disclosers, persons


def test_a_class_holds_the_members_that_the_pack_lists_and_the_reading_is_told() -> None:
    given = consent(classes=["my treating providers"])
    decision = asked(given)
    assert (decision.level, decision.legal_reason) == ("packet", "consent-class")
    assert decision.reading == "my treating providers"
    assert asked(given, recipient=HOUSE).level == "offer"
    assert "consent-class-not-read" in asked(given, recipient=HOUSE).codes


@pytest.mark.parametrize("wording", ["health plans", "everybody", "anyone who treats me"])
def test_a_class_that_is_not_known_to_hold_the_recipient_permits_nothing(wording: str) -> None:
    assert asked(consent(classes=[wording])).level == "offer"


def test_whom_the_person_struck_out_no_class_and_no_name_lets_in() -> None:
    struck = consent("Harbor OTP", classes=["my treating providers"], not_recipients=["harbor otp"])
    assert (asked(struck).level, asked(struck).codes[0]) == ("nothing", "objection")
    assert asked(consent("Harbor OTP"), struck).level == "nothing"


def test_an_exclusion_beats_treatment_under_hipaa() -> None:
    assert asked(consent("Other", not_recipients=["Harbor OTP"]), unit_status="not-part2").level == "nothing"


def test_a_consent_of_other_disclosers_does_not_let_the_hospital_disclose() -> None:
    other = asked(consent("Harbor OTP", disclosers=["Other Hospital"]))
    assert (other.level, "consent-other-discloser" in other.codes) == ("offer", True)
    assert asked(consent("Harbor OTP", disclosers=["Mercy Hospital"])).level == "packet"


def test_a_consent_of_another_person_permits_nothing() -> None:
    other = Identifier(system="urn:htest:mrn", value="HTEST0002")
    decision = asked(consent("Harbor OTP", patient=[other]), person=[MRN])
    assert (decision.level, "consent-other-person" in decision.codes) == ("offer", True)
    assert asked(consent("Harbor OTP", patient=[other, MRN]), person=[MRN]).level == "packet"


def test_a_consent_that_lacks_elements_is_refused_with_their_numbers() -> None:
    decision = asked(consent("Harbor OTP", form=None, information="all of it", signed_by="patient"))
    assert (decision.level, "consent-lacks-elements" in decision.codes) == ("offer", True)
    assert decision.cure[0] == "complete the consent: 42 CFR 2.31(a)(6), 42 CFR 2.31(a)(7), 42 CFR 2.31(a)(10)"


@pytest.mark.parametrize("purpose", ["HRESCH", "PUBHLTH", "court"])
def test_a_purpose_beyond_treatment_payment_and_operations_is_carried_by_no_consent(purpose: str) -> None:
    decision = asked(consent("Harbor OTP", purposes=[purpose]), purpose=purpose)
    assert (decision.level, "not-a-purpose" in decision.codes) == ("nothing", True)


# ---- agreements, emergencies


@pytest.mark.parametrize("who", ["discloser", "recipient"])
@pytest.mark.parametrize("unit", ["part2", "not-part2"])
def test_without_an_agreement_on_file_nothing_goes_whatever_the_consent(who: str, unit: str) -> None:
    parties = {"discloser": HOSPITAL, "recipient": OTP}
    parties[who] = Party(parties[who].name, "x", covered_entity=True, agreement=False)
    decision = asked(consent("Harbor OTP"), unit_status=unit, **parties)
    assert (decision.level, decision.codes[0]) == ("nothing", f"no-agreement-{who}")
    assert parties[who].name in decision.cure[0]


WHOLE = Emergency("Dr A, Mercy ED", "B, Harbor OTP", AT, "respiratory depression")


def test_an_emergency_permits_medical_personnel_when_it_is_documented() -> None:
    decision = asked(recipient=HOSPITAL, discloser=OTP, emergency=WHOLE)
    assert (decision.level, decision.legal_reason) == ("packet", "emergency-2-51")
    assert asked(recipient=HOUSE, emergency=WHOLE).codes == ("emergency-not-medical",)


@pytest.mark.parametrize("field", ["recipient", "discloser", "at", "nature"])
def test_an_emergency_that_lacks_one_of_its_four_fields_permits_nothing(field: str) -> None:
    told = {name: getattr(WHOLE, name) for name in ("recipient", "discloser", "at", "nature")}
    told[field] = None if field == "at" else " "
    decision = asked(recipient=HOSPITAL, discloser=OTP, emergency=Emergency(**told))
    assert (decision.level, decision.cure) == ("nothing", (f"state: {field}",))


# ---- total


def test_every_decision_has_a_reason_and_every_refusal_a_cure() -> None:
    statuses = ("active", "inactive", "draft", "rejected", "entered-in-error")
    for status in statuses:
        for unit in ("part2", "not-part2", "unknown"):
            for recipient in (OTP, PEERS, HOUSE, HOSPITAL):
                for direction in ("to-recipient", "back"):
                    decision = asked(
                        consent("Harbor OTP", status=status),
                        unit_status=unit,
                        recipient=recipient,
                        direction=direction,
                    )
                    assert decision.reasons
                    assert bool(decision.cure) == (decision.level != "packet")
                    assert (decision.legal_reason is None) == (decision.level != "packet")
