"""The verdict on visits and messages."""

from datetime import date

import pytest

from fhir_mappings.triage import (
    REASONS,
    Triage,
    is_given,
    judge,
    message_signal,
)
from fhir_mappings.visits.visit import merge
from schemas.codes.tables import SNOMED
from schemas.discharge import Circumstances, Clinical, Diagnosis, Dose, Need, Otp, Product
from schemas.facts import Facts, VisitRecord
from tests.unit import stories
from tests.unit.stories import (
    BELBUCA,
    FILM,
    METHADONE,
    METHADONE_TABLET,
    NALOXONE,
    STORIES,
    SUBLOCADE,
    SUBOXONE_TEXT,
    Story,
    admit,
    assembled,
    at,
    dose,
    dx,
    facts,
    leave,
    order,
    supply,
)
from tests.unit.verdicts import codes, diagnosed, verdict


def ledger_states(messages: list[Facts]) -> list[str]:
    """Final ledger states as the contract words them, from nothing but ``merge``, ``judge`` and ``message_signal``."""
    record: VisitRecord | None = None
    states: list[str] = []
    opened = False
    triage: Triage | None = None
    for message in messages:
        record = merge(record, message)
        triage = judge(record)
        if triage.outcome == "referral" and not opened:
            states.append("referral")
            opened = True
        elif opened:
            states.append("updated")
        elif triage.outcome == "review" and not triage.pending and message.kind == "discharge":
            states.append("review")
        else:
            states.append("waiting" if message_signal(message, record) else "not-ours")
    assert triage is not None
    assert not triage.pending
    return [("updated" if opened else "review") if state == "waiting" else state for state in states]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_ends_with_its_verdict(story: Story) -> None:
    triage = verdict(*story.messages)
    assert triage.outcome == story.outcome
    if story.outcome == "referral":
        assert triage.product is not None
        assert triage.product.clock_class == story.clock


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_each_message_of_a_story_ends_in_its_ledger_state(story: Story) -> None:
    assert ledger_states(story.messages) == story.states


def test_a_review_waits_while_the_visit_is_open_and_not_after() -> None:
    open_visit = verdict(admit("06-06 10:00", "F11.20"))
    assert (open_visit.outcome, open_visit.pending) == ("review", True)
    ended = verdict(admit("06-06 10:00", "F11.20"), leave("06-08 14:20", "06-08 14:10"))
    assert (ended.outcome, ended.pending) == ("review", False)
    assert codes(ended) == {"bare-f11"}


def test_a_referral_never_waits() -> None:
    triage = verdict(order("06-06 12:00", FILM))
    assert (triage.outcome, triage.pending) == ("referral", False)
    assert codes(triage) == {"moud-daily"}


@pytest.mark.parametrize("code", ["F11.10", "F11.20", "F1123", "F11.90", "F11.13", "F11.99"])
def test_methadone_tablets_need_an_active_opioid_diagnosis(code: str) -> None:
    triage = verdict(order("06-06 12:00", METHADONE_TABLET), diagnosed(dx(code)))
    assert triage.outcome == "referral"
    assert codes(triage) == {"needs-dx-with-evidence", "oud-evidence"}
    assert triage.evidence == ("oud-diagnosis",)


@pytest.mark.parametrize("code", ["F11.11", "F11.21", "F11.91"])
@pytest.mark.parametrize("product", [METHADONE_TABLET, stories.NALTREXONE, stories.VIVITROL, SUBOXONE_TEXT])
def test_remission_together_with_a_product_is_evidence(code: str, product: Product) -> None:
    triage = verdict(order("06-06 12:00", product), diagnosed(dx(code)))
    assert triage.outcome == "referral"
    assert "remission-with-moud" in codes(triage)


@pytest.mark.parametrize(
    "diagnosis",
    [
        dx("Z79.891"),
        dx("F10.20"),
        dx("T40.5X1A"),
        dx("P96.1"),
        dx("Z71.51"),
        dx("AUD-SEV", "urn:local:dx", "Alcohol use disorder, severe"),
        dx("70545002", SNOMED),
        dx("Z79891", None),
    ],
    ids=lambda diagnosis: diagnosis.code,
)
def test_what_is_no_evidence_leaves_methadone_tablets_for_a_human(diagnosis: Diagnosis) -> None:
    triage = verdict(order("06-06 12:00", METHADONE_TABLET), diagnosed(diagnosis))
    assert triage.outcome == "review"
    assert codes(triage) == {"needs-dx-no-evidence"}
    assert judge(assembled(diagnosed(diagnosis))).outcome == "not-ours"


@pytest.mark.parametrize("code", ["75544000", "5602001", "87132004", "1081000119105"])
def test_snomed_disorders_are_evidence(code: str) -> None:
    assert verdict(order("06-06 12:00", METHADONE_TABLET), diagnosed(dx(code, SNOMED))).outcome == "referral"


def test_a_current_treatment_program_is_evidence() -> None:
    enrolled = Circumstances(current_otp=Otp(name="HTEST Program"))
    triage = verdict(order("06-06 12:00", METHADONE_TABLET), diagnosed(circumstances=enrolled))
    assert triage.outcome == "referral"
    assert triage.evidence == ("current-otp",)
    assert codes(verdict(diagnosed(circumstances=enrolled))) == {"otp-without-product"}


@pytest.mark.parametrize("code", ["T40.1X1A", "T40.411A", "T402X4A", "T40.601A", "T40.0X2A", "T40.3X3A"])
def test_a_current_overdose_is_a_review_but_no_evidence(code: str) -> None:
    alone = verdict(diagnosed(dx(code)))
    assert alone.outcome == "review"
    assert codes(alone) == {"overdose-no-moud"}
    beside = verdict(order("06-06 12:00", METHADONE_TABLET), diagnosed(dx(code)))
    assert beside.outcome == "review"
    assert codes(beside) == {"needs-dx-no-evidence", "overdose-not-evidence"}


@pytest.mark.parametrize("code", ["T40.1X1D", "T40.411S", "T40.2X5A", "T40.2X6A", "T40.5X1A", "T40.1", "T40.7X1A"])
def test_what_is_not_a_current_overdose_is_no_signal(code: str) -> None:
    assert verdict(diagnosed(dx(code))).outcome == "not-ours"


def test_an_overdose_stated_in_an_event_is_a_signal() -> None:
    stated = Circumstances(clinical=Clinical(overdose_this_visit=True))
    assert codes(verdict(diagnosed(circumstances=stated))) == {"overdose-no-moud"}


def test_an_f11_of_a_category_or_of_an_unknown_system_is_neither_evidence_nor_nothing() -> None:
    for diagnosis, reason in (
        (dx("F11.2"), "f11-not-billable"),
        (dx("F11.77"), "f11-not-billable"),
        (dx("F11.20", "urn:local:dx"), "f11-system-unknown"),
        (dx("OUD-SEV", "urn:local:dx", "Opioid use disorder, severe"), "diagnosis-text-only"),
        (dx("77721001", SNOMED), "opioid-intoxication"),
    ):
        assert codes(verdict(diagnosed(diagnosis))) == {reason}
        triage = verdict(order("06-06 12:00", METHADONE_TABLET), diagnosed(diagnosis))
        assert triage.outcome == "review"
        assert reason in codes(triage)


def test_a_discharge_prescription_alone_is_evidence_of_treatment() -> None:
    assert verdict(order("06-08 13:20", FILM, home=True, days=7)).outcome == "referral"


def test_a_supply_alone_is_evidence_of_treatment() -> None:
    assert verdict(supply("06-08 13:20", FILM)).outcome == "referral"


def test_a_withdrawn_order_counts_for_nothing() -> None:
    triage = verdict(order("06-06 12:00", FILM), order("06-06 13:00", FILM, withdrawn=True))
    assert triage.outcome == "not-ours"
    assert codes(triage) == {"order-withdrawn"}
    beside_f11 = verdict(admit("06-06 10:00", "F11.20"), order("06-06 13:00", FILM, withdrawn=True))
    assert codes(beside_f11) == {"bare-f11", "order-withdrawn"}


def test_a_given_dose_outlives_its_withdrawn_order() -> None:
    messages = (dose("06-08 09:21", "06-08 09:15", FILM), order("06-08 13:00", FILM, withdrawn=True))
    assert verdict(*messages).outcome == "referral"


def test_a_deleted_dose_counts_for_nothing() -> None:
    triage = verdict(dose("06-08 09:40", "06-08 09:15", FILM, deleted=True))
    assert (triage.outcome, codes(triage)) == ("not-ours", {"dose-deleted"})


@pytest.mark.parametrize(("amount", "outcome"), [(0, "complete"), (8, "refused"), (8, "not-given")])
def test_a_dose_that_was_not_given_is_for_a_human_when_it_stands_alone(amount: float, outcome: str) -> None:
    alone = dose("06-08 09:21", "06-08 09:15", FILM, amount, outcome=outcome)
    assert codes(verdict(alone)) == {"dose-not-given"}
    assert verdict(alone, order("06-06 12:00", FILM)).outcome == "referral"


def test_a_dose_not_given_of_a_rescue_or_pain_drug_is_no_signal() -> None:
    for product in (NALOXONE, BELBUCA):
        assert verdict(dose("06-08 09:21", "06-08 09:15", product, outcome="refused")).outcome == "not-ours"


def test_a_partial_dose_is_a_dose_and_a_held_or_empty_one_is_not() -> None:
    when = at("06-08 09:15")
    assert is_given(dose("06-08 09:21", "06-08 09:15", FILM, outcome="partial").doses[0])
    assert is_given(Dose(at=date(2026, 6, 8)))
    assert not is_given(Dose(at=when, held=True))
    assert not is_given(Dose(at=when, amount=0))


def test_the_product_of_the_latest_given_dose_carries_the_verdict() -> None:
    film = dose("06-08 09:06", "06-08 09:00", FILM)
    shot = dose("06-09 14:06", "06-09 14:00", SUBLOCADE, 300)
    for messages in ((film, shot), (shot, film)):
        product = verdict(*messages, order("06-10 08:00", METHADONE)).product
        assert product is not None
        assert product.clock_class == "bup-lai-monthly-sublocade"


def test_a_product_for_opioid_use_disorder_outranks_a_later_pain_product() -> None:
    product = verdict(order("06-06 12:00", FILM), dose("06-09 14:06", "06-09 14:00", BELBUCA)).product
    assert product is not None
    assert product.product.code == FILM.code


def test_naloxone_alone_says_why_it_is_not_ours() -> None:
    assert codes(verdict(supply("06-08 13:20", NALOXONE))) == {"naloxone-only"}


def test_a_pain_product_is_not_ours_until_an_f11_stands_beside_it() -> None:
    assert codes(verdict(order("06-06 12:00", BELBUCA))) == {"not-oud-only"}
    for code in ("F11.20", "F11.21"):
        triage = verdict(order("06-06 12:00", BELBUCA), diagnosed(dx(code)))
        assert triage.outcome == "review"
        assert "not-oud-with-f11" in codes(triage)


def test_a_need_does_not_replace_the_product_rules() -> None:
    asked = diagnosed(circumstances=Circumstances(needs=[Need(kind="moud-continuation")]))
    assert codes(verdict(asked)) == {"need-without-product"}
    assert verdict(asked, order("06-06 12:00", METHADONE_TABLET)).outcome == "review"
    other = diagnosed(circumstances=Circumstances(needs=[Need(kind="primary-care")]))
    assert verdict(other).outcome == "not-ours"


def test_a_signal_in_a_message_that_is_not_handled_is_a_review_at_once() -> None:
    foreign = facts("ORU^R01", "other", "06-08 09:00", doses=dose("06-08 09:06", "06-08 09:00", FILM).doses)
    triage = verdict(admit("06-06 10:00"), foreign.model_copy(update={"handled": False}))
    assert (triage.outcome, triage.pending) == ("review", False)
    assert codes(triage) == {"trigger-not-handled"}
    silent = facts("ADT^A02", "other", "06-08 09:00", handled=False)
    assert verdict(admit("06-06 10:00"), silent).outcome == "not-ours"


def test_a_single_message_carries_a_signal_only_by_what_it_says_itself() -> None:
    assert message_signal(admit("06-06 10:00", "F11.20"))
    assert message_signal(admit("06-06 10:00", "F11.21"))
    assert message_signal(order("06-06 12:00", METHADONE_TABLET))
    assert message_signal(dose("06-08 09:21", "06-08 09:15", FILM, 0, outcome="refused"))
    assert message_signal(admit("06-06 10:00", "T40.411A"))
    assert not message_signal(admit("06-06 10:00"))
    assert not message_signal(admit("06-06 10:00", "Z79.891", "I10"))
    assert not message_signal(order("06-06 12:00", BELBUCA))
    assert not message_signal(order("06-06 12:00", stories.LISINOPRIL))
    assert not message_signal(dose("06-08 09:21", "06-08 09:15", NALOXONE, 4))


def test_a_pain_product_is_a_signal_in_a_visit_that_has_an_f11() -> None:
    belbuca = order("06-06 12:00", BELBUCA)
    assert message_signal(belbuca, assembled(admit("06-06 10:00", "F11.20"), belbuca))
    assert not message_signal(belbuca, assembled(admit("06-06 10:00"), belbuca))
    naloxone = dose("06-08 09:21", "06-08 09:15", NALOXONE, 4)
    assert not message_signal(naloxone, assembled(admit("06-06 10:00", "F11.20"), naloxone))


def test_no_reason_text_holds_a_value() -> None:
    secret = "HTESTSECRET"
    product = Product(system=secret, code=secret, display=f"suboxone {secret}")
    triage = verdict(order("06-06 12:00", product), diagnosed(dx(f"F11{secret}", None, f"opioid abuse {secret}")))
    assert triage.reasons
    assert all(reason.text == REASONS[reason.code] and secret not in reason.text for reason in triage.reasons)
