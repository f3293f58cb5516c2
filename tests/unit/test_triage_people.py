"""What people say by name outranks facts: a clinician who asks, a person who answers, two who were taken for one."""

from fhir_mappings.triage import ANSWERED_REFERRAL, Triage, judge, judge_message, message_signal
from fhir_mappings.visits.visit import merge
from schemas.facts import Facts
from tests.unit.stories import (
    BELBUCA,
    FILM,
    METHADONE_TABLET,
    SUBOXONE_TEXT,
    admit,
    assembled,
    dx,
    facts,
    leave,
    order,
)
from tests.unit.verdicts import codes, diagnosed, verdict


def asked_for(when: str = "06-07 09:00") -> Facts:
    return facts("REF^I12", "referral", when)


def as_asked(*messages: Facts) -> Triage:
    return judge(assembled(*messages).model_copy(update={"asked_for": True}))


def test_a_referral_that_a_clinician_asks_for_is_one_where_evidence_or_a_product_stands() -> None:
    for messages in (
        [admit("06-06 10:00", "F11.20")],
        [order("06-06 12:00", METHADONE_TABLET)],
        [order("06-06 12:00", SUBOXONE_TEXT)],
    ):
        assert verdict(*messages).outcome == "review"
        asked = as_asked(*messages)
        assert (asked.outcome, asked.reasons[0].code) == ("referral", "asked-for")


def test_a_referral_that_is_asked_for_without_evidence_is_for_a_human() -> None:
    for messages in ([admit("06-06 10:00", "I10")], [order("06-06 12:00", BELBUCA)]):
        asked = as_asked(*messages, leave("06-08 14:20", "06-08 14:10"))
        assert asked.outcome == "review"
        assert "asked-for-no-evidence" in codes(asked)
    overdose = as_asked(admit("06-06 10:00", "T40.411A"))
    assert codes(overdose) == {"asked-for-no-evidence", "overdose-no-moud"}
    assert overdose.suggested == ("peer-support", "naloxone")


def test_what_is_a_referral_anyway_keeps_its_reasons_when_it_is_asked_for() -> None:
    assert codes(as_asked(order("06-06 12:00", FILM))) == {"moud-daily"}


def test_to_ask_for_a_referral_by_name_is_a_signal() -> None:
    assert message_signal(asked_for())
    assert judge_message(asked_for()).outcome == "review"


def test_an_overdose_without_medication_suggests_peer_support_and_naloxone() -> None:
    assert verdict(diagnosed(dx("T40.411A"))).suggested == ("peer-support", "naloxone")
    assert verdict(diagnosed(dx("T40.411A"), dx("F11.20"))).suggested == ("peer-support", "naloxone")
    assert verdict(diagnosed(dx("F11.20"))).suggested == ()
    assert verdict(diagnosed(dx("T40.411A")), order("06-06 12:00", METHADONE_TABLET)).suggested == ()


def test_two_persons_taken_for_one_are_for_a_human_at_once_where_anything_points_to_us() -> None:
    for messages in ([admit("06-06 10:00", "F11.20")], [order("06-06 12:00", FILM)]):
        apart = judge(assembled(*messages).model_copy(update={"unlinked": True}))
        assert (apart.outcome, apart.pending, apart.reasons[0].code) == ("review", False, "unmerge")
    nothing = assembled(admit("06-06 10:00", "I10")).model_copy(update={"unlinked": True})
    assert judge(nothing).outcome == "not-ours"


def test_an_unlink_is_a_signal_only_in_a_visit_that_has_one() -> None:
    unlink = facts("ADT^A37", "unlink", "06-07 09:00")
    assert not message_signal(unlink)
    assert message_signal(unlink, assembled(order("06-06 12:00", FILM)).model_copy(update={"unlinked": True}))
    assert not message_signal(unlink, assembled(admit("06-06 10:00", "I10")).model_copy(update={"unlinked": True}))


def test_a_person_who_says_refer_makes_it_a_referral() -> None:
    record = assembled(admit("06-06 10:00", "F11.20"), leave("06-08 14:20", "06-08 14:10"))
    triage = judge(record.model_copy(update={"answer": "refer"}))
    assert (triage.outcome, triage.reasons[0].code, triage.product) == ("referral", "person-decided", None)
    tablets = assembled(order("06-06 12:00", METHADONE_TABLET), leave("06-08 14:20", "06-08 14:10"))
    product = judge(tablets.model_copy(update={"answer": "refer", "unlinked": True})).product
    assert product is not None
    assert product.clock_class == "methadone-daily"


def test_a_person_who_says_refer_carries_no_pain_product() -> None:
    record = assembled(order("06-06 12:00", BELBUCA), admit("06-06 10:00", "F11.20"))
    assert judge(record).product is not None
    assert judge(record.model_copy(update={"answer": "refer"})).product is None


def test_a_person_who_says_not_ours_is_heeded() -> None:
    record = assembled(admit("06-06 10:00", "F11.20"), leave("06-08 14:20", "06-08 14:10"))
    triage = judge(record.model_copy(update={"answer": "not-ours"}))
    assert (triage.outcome, triage.pending, codes(triage)) == ("not-ours", False, {"person-decided"})


def test_a_product_that_becomes_known_after_not_ours_is_for_a_human_again() -> None:
    record = assembled(admit("06-06 10:00", "F11.20"), leave("06-08 14:20", "06-08 14:10"))
    later = merge(record.model_copy(update={"answer": "not-ours"}), order("06-06 12:00", FILM))
    triage = judge(later)
    assert (triage.outcome, triage.pending) == ("review", False)
    assert codes(triage) == {"known-after-answer", "moud-daily", "oud-evidence"}
    decided = record.model_copy(update={"answer": "not-ours", "stamps": {**record.stamps, ANSWERED_REFERRAL: 1}})
    assert judge(merge(decided, order("06-06 12:00", FILM))).outcome == "not-ours"
