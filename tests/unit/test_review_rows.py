"""What a person sees of a visit in the review queue, and what an answer makes of it."""

from dataclasses import asdict

import pytest

from app.services.intake.review_rows import ReviewRow, answered, item_of, review_row
from fhir_mappings.triage import ANSWERED_REFERRAL, judge
from fhir_mappings.visits.visit import as_event, merge
from schemas.base import changed
from schemas.discharge import Circumstances, Name, Need, Product
from schemas.facts import Facts, VisitRecord
from schemas.sender import Sender
from tests.unit import stories
from tests.unit.stories import (
    BELBUCA,
    METHADONE_TABLET,
    NALOXONE,
    SUBOXONE_TEXT,
    admit,
    assembled,
    at,
    dose,
    dx,
    leave,
    order,
    supply,
)

LEFT = leave("06-09 12:20", "06-09 12:10")
UNKNOWN_UNIT = ("unit-unknown", "the sending unit is not classified and counts as a Part 2 program")
NO_CONSENT = ("no-consent", "no standing consent names the recipient")


def sender(**more: object) -> Sender:
    return Sender.model_validate(
        {"id": "htest", "organization": "o1", "dialect": "adt_generic", "timezone": "America/New_York", **more}
    )


def ended(*messages: Facts) -> VisitRecord:
    return assembled(*messages, LEFT)


def row_of(record: VisitRecord, *held: tuple[str, str], **more: object) -> ReviewRow:
    return review_row(record, judge(record), held, sender(**more))


def test_a_row_shows_codes_times_and_our_own_texts() -> None:
    record = ended(
        admit("06-07 09:00", "Z79.891", "I10"),
        order("06-07 11:00", METHADONE_TABLET),
        dose("06-09 08:06", "06-09 08:00", METHADONE_TABLET),
        dose("06-09 16:06", "06-09 16:00", METHADONE_TABLET, outcome="refused"),
    )
    row = row_of(record)
    assert [asdict(one) for one in row.diagnoses] == [
        {"code": "Z79.891", "display": "Long term (current) use of opiate analgesic"}
    ]
    (drug,) = row.drugs
    assert (drug.code, drug.display) == ("864706", "methadone hydrochloride 10 MG Oral Tablet")
    assert (drug.drug, drug.known_by, drug.ordered, drug.supplied, drug.withdrawn) == (
        "methadone",
        "rxnorm",
        True,
        False,
        False,
    )
    assert (drug.given, drug.not_given) == ((at("06-09 08:00"),), 1)
    assert [code for code, _ in row.reasons] == ["needs-dx-no-evidence"]
    assert row.missing == (
        "a diagnosis of opioid use disorder (F11.1x, F11.2x, F11.9x), or a current treatment program",
    )
    assert (row.kind, row.unit, row.suggested) == ("queue", None, ())


def test_a_row_names_nobody_and_repeats_no_text_of_a_message() -> None:
    secret = "HTESTSECRET Sam"
    product = Product(system="urn:local", code=f"suboxone for {secret}", display=f"suboxone for {secret}")
    record = ended(
        admit("06-07 09:00").model_copy(
            update={"diagnoses": [dx(f"x {secret}", "urn:local", f"heroin abuse {secret}")]}
        ),
        order("06-07 11:00", product),
        supply("06-09 11:00", SUBOXONE_TEXT),
    )
    record = changed(record, {"patient": changed(record.patient, {"name": Name(family=secret)})})
    row = row_of(record, NO_CONSENT)
    assert "SECRET" not in repr(asdict(row))
    assert "HTEST10001" not in repr(asdict(row))
    assert {drug.known_by for drug in row.drugs} == {"text"}
    assert [drug.code for drug in row.drugs if drug.supplied] == ["NF0099 (local system)"]


def test_an_overdose_without_medication_suggests_what_may_be_offered() -> None:
    row = row_of(ended(admit("07-14 01:12", "T40.411A"), dose("07-14 01:30", "07-14 01:15", NALOXONE, 4)))
    assert row.suggested == ("peer-support", "naloxone")
    assert row.kind == "queue"
    assert [one.code for one in row.diagnoses] == ["T40.411A"]


@pytest.mark.parametrize(("setting", "kind"), [("review", "queue"), ("daily-list", "list")])
def test_the_sender_decides_where_a_bare_f11_goes(setting: str, kind: str) -> None:
    bare = ended(admit("07-13 02:03", "F11.20"))
    assert row_of(bare, bare_f11=setting).kind == kind
    assert judge(bare).outcome == "review"


def test_only_a_bare_f11_goes_to_the_daily_list() -> None:
    for messages in (
        [admit("07-13 02:03", "F11.20", "T40.411A")],
        [admit("07-13 02:03", "F11.20"), order("07-13 04:00", BELBUCA)],
        [admit("07-13 02:03", "F11.20"), order("07-13 04:00", SUBOXONE_TEXT, withdrawn=True)],
        [admit("07-13 02:03", "F11.2")],
    ):
        assert row_of(ended(*messages), bare_f11="daily-list").kind == "queue"
    assert row_of(ended(admit("07-13 02:03", "F11.20")), NO_CONSENT, bare_f11="daily-list").kind == "queue"


def test_a_unit_that_nobody_has_classified_is_named() -> None:
    record = ended(order("06-07 11:00", stories.FILM))
    row = row_of(record, NO_CONSENT, UNKNOWN_UNIT)
    assert row.unit == "4W"
    assert "unit 4W is not classified" in row.missing
    assert row_of(record, NO_CONSENT).unit is None


def test_the_stored_item_holds_nothing_that_was_read() -> None:
    row = row_of(ended(admit("07-14 01:12", "T40.411A")))
    item = item_of("v1", row, "htest", 7, "r1")
    assert (item.visit, item.sender, item.at, item.referral, item.closed) == ("v1", "htest", 7, "r1", False)
    assert (item.kind, item.unit, item.suggested) == ("queue", None, ("peer-support", "naloxone"))
    assert "T40" not in repr(item)


def test_refer_makes_a_referral_of_what_is_suggested() -> None:
    record = answered(ended(admit("07-14 01:12", "T40.411A")), "refer", 1)
    assert judge(record).outcome == "referral"
    event = as_event(record, event_id="e", occurred_at=at("07-14 06:40"))
    assert [need.kind for need in event.needs] == ["peer-support", "naloxone"]


def test_what_a_person_decided_is_not_missing_any_more() -> None:
    record = answered(ended(admit("07-14 01:12", "T40.411A")), "refer", 1)
    row = row_of(record, ("no-route", "no single partner follows from routes and profiles"))
    assert row.missing == ("a partner for the need: a route of the sender, or one partner that lists it",)
    assert row.suggested == ("peer-support", "naloxone")


def test_refer_leaves_the_needs_that_the_hospital_names() -> None:
    record = ended(admit("07-14 01:12", "T40.411A"))
    named = changed(record, {"circumstances": Circumstances(needs=[Need(kind="recovery-housing")])})
    assert [need.kind for need in answered(named, "refer", 1).circumstances.needs] == ["recovery-housing"]
    assert answered(ended(admit("07-13 02:03", "F11.20")), "refer", 1).circumstances.needs == []


def test_not_ours_holds_for_what_was_known_when_it_was_said() -> None:
    bare = answered(ended(admit("07-13 02:03", "F11.20")), "not-ours", 1)
    assert judge(bare).outcome == "not-ours"
    assert ANSWERED_REFERRAL not in bare.stamps
    assert judge(merge(bare, order("07-13 04:00", stories.FILM))).reasons[0].code == "known-after-answer"
    known = answered(ended(order("07-13 04:00", stories.FILM)), "not-ours", 1)
    assert judge(merge(known, dose("07-13 05:00", "07-13 05:00", stories.FILM))).outcome == "not-ours"


def test_an_answer_can_be_given_anew() -> None:
    known = answered(ended(order("07-13 04:00", stories.FILM)), "not-ours", 1)
    assert judge(answered(known, "refer", 2)).outcome == "referral"
    again = answered(answered(known, "refer", 2), "not-ours", 3)
    assert (judge(again).outcome, again.stamps[ANSWERED_REFERRAL]) == ("not-ours", 3)
