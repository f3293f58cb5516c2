"""What the last-dose letter copies, what it calls not stated, and what it must never do: compute an amount."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from fhir_mappings.labels import Labels, Resource
from fhir_mappings.pages import card, letter
from fhir_mappings.pages.last_dose import LastDose, last_dose
from fhir_mappings.pages.opened import Opened
from fhir_mappings.pages.paper import Table
from schemas.codes import local
from tests.unit.build_events import NOW
from tests.unit.letters import document_of, texts_of, told

METHADONE = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "991147", "display": "methadone"}
TABLET = {**METHADONE, "code": "864706", "display": "methadone tablet"}
NASAL = {**METHADONE, "code": "1725059", "display": "naloxone nasal spray"}
FILM = {**METHADONE, "code": "1010604", "display": "film"}


def record(document: Resource) -> LastDose:
    found = last_dose(Opened(document))
    assert found is not None
    return found


def shown(document: Resource) -> dict[str, str]:
    """What the letter says, by what stands before it."""
    sheet = letter.letter(Opened(document))
    assert sheet is not None
    cells = texts_of(sheet)
    return dict(reversed([*pairwise(cells)]))


def dose(at: str, amount: float | None = None, **more: Any) -> dict[str, Any]:
    return {"at": at, "amount": amount, "unit": "mg", **more}


def of(*products: tuple[dict[str, str], list[dict[str, Any]]], **more: Any) -> Resource:
    """The packet of somebody who was given these."""
    schedule = more.pop("schedule", {"interval": "PT24H"})
    medications = [{"product": product, "schedule": schedule, "doses": doses} for product, doses in products]
    return document_of(told("unknown", medications=medications), **more)


def test_times_are_told_as_the_clock_of_the_hospital_shows_them() -> None:
    """The hub reckons in UTC; who holds the card on Tuesday does not."""
    document = document_of(told("methadone"), restriction={"period": {"end": "2026-06-12T13:15:00+00:00"}})
    said = shown(document)
    assert said["Covered until"] == "Fri 12 Jun 2026, 09:15 (UTC-04:00)"
    assert said["Letter made"].endswith("(UTC-04:00)")
    cells = texts_of(card.card(Opened(document), None, "HTEST"))
    assert dict(pairwise(cells))["Be there before"] == "Fri 12 Jun 2026, 09:15 (UTC-04:00)"
    opened = Opened(document)
    assert opened.local("2026-06-12T08:15:00-05:00") == "2026-06-12T08:15:00-05:00", "what has an offset keeps it"
    assert opened.local("2026-06") == "2026-06"


def test_the_last_dose_is_told_with_who_gave_and_who_verified_it() -> None:
    said = shown(document_of(told("methadone")))
    assert said["Last dose"] == "50 mg"
    assert said["Given at"] == "Tue 9 Jun 2026, 09:15 (UTC-04:00)"
    assert said["Given by (name, credential)"] == "N. Nurse RN"
    assert said["Verified by"] == "P. Pharmacist"
    assert said["Call back to verify"] == "555-0193"
    assert said["Formulation"] == "oral concentrate, 10 mg/mL"
    assert said["Last change"] == "40 mg to 50 mg, Tue 9 Jun 2026, 09:15 (UTC-04:00)"
    assert said["Dispensed for the way home"] == "methadone hydrochloride 10 MG/ML Oral Concentrate"
    assert said["3 doses, 3 days"] == "Wed 10 Jun 2026 to Fri 12 Jun 2026"
    assert said["Its phone"] == "555-0194"
    assert said["It confirmed the dose"] == "yes"
    assert said["Consent (42 CFR Part 2)"] == "signed Tue 9 Jun 2026, 12:00 (UTC-04:00), ends Wed 9 Jun 2027"
    assert letter.UNVERIFIED not in said
    assert letter.NO_DOSE not in said


def test_a_dose_that_nobody_verified_is_called_so_above_all_else() -> None:
    said = shown(document_of(told("film")))
    assert letter.UNVERIFIED in said
    assert said["Verified by"] == "NOT VERIFIED"
    assert said["Last change"].startswith("split doses")


def test_an_unknown_last_dose_is_called_so_and_nothing_is_made_up() -> None:
    said = shown(document_of(told("unknown")))
    assert letter.NO_DOSE in said
    assert {said[name] for name in ("Last dose", "Given at", "Verified by", "QTc", "Pregnant", "Sedation")} == {
        "not stated"
    }
    assert "Supply for the days after the discharge: not stated." in said


def test_a_long_acting_product_is_told_by_its_day_its_number_and_its_next() -> None:
    said = shown(document_of(told("injection")))
    assert said["Given at"] == "Wed 20 May 2026, time not stated"
    assert said["Note"] == "Number of the last dose of this product: 2"
    assert said["Next dose ordered for"] == "Wed 17 Jun 2026, time not stated"
    assert said["Formulation"] == "injection, long-acting, monthly product"


def test_a_dose_of_nothing_and_a_held_one_are_no_last_dose() -> None:
    found = record(of((METHADONE, [dose("2026-06-07", 40), dose("2026-06-08", 0), dose("2026-06-09", held=True)])))
    assert found.last is not None
    assert (found.last.at, found.last.amount) == ("2026-06-07", "40 mg")
    assert [one.given for one in found.history] == [False, False, True]


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [
        ("2026-06-08T17:00:00-04:00", "2026-06-10", "2026-06-12"),
        ("2026-06-09T13:30:00-04:00", "2026-06-10", "2026-06-12"),
        ("2026-06-10", "2026-06-10", "2026-06-12"),
        ("2026-06-11", "2026-06-11", "2026-06-13"),
    ],
    ids=["the evening before", "after the dose", "the next day", "later"],
)
def test_a_supply_covers_the_days_after_the_last_dose_as_the_clock_counts(start: str, first: str, last: str) -> None:
    bridge = {"kind": "dispensed", "days": 3, "start": start}
    medication = {"product": METHADONE, "schedule": {"interval": "PT24H"}, "bridges": [bridge]}
    given = [dose("2026-06-09T09:15:00-04:00", 40)]
    (supply,) = record(document_of(told("unknown", medications=[{**medication, "doses": given}]))).supplies
    assert (supply.first, supply.last) == (first, date.fromisoformat(last))
    (unknown,) = record(document_of(told("unknown", medications=[medication]))).supplies
    assert unknown.first == start


def test_a_locked_box_is_told_as_it_was_stated() -> None:
    row = "Handed over besides, locked box"
    assert shown(document_of(told("unknown")))[row] == "not stated"
    assert shown(document_of(told("unknown", supplies_given=["locked box", "naloxone kit"])))[row] == (
        "locked box; naloxone kit"
    )


def test_supplies_stand_in_the_order_of_their_days() -> None:
    bridges = [{"kind": "take-home", "days": 1, "start": f"2026-06-{day}"} for day in (14, 12, 10, 13, 11)]
    bridges.insert(2, {"kind": "dispensed", "days": 1})
    medication = {"product": METHADONE, "doses": [dose("2026-06-09", 40)], "bridges": bridges}
    found = record(document_of(told("unknown", medications=[medication]))).supplies
    assert [one.first for one in found] == [*(f"2026-06-{day}" for day in range(10, 15)), None]


def test_days_of_the_visit_without_an_entry_are_told_for_what_is_taken_daily() -> None:
    doses = [dose("2026-06-06T09:00:00-04:00", 40), dose("2026-06-09T09:00:00-04:00", 40)]
    found = record(of((METHADONE, doses)))
    assert [one.isoformat() for one in found.without_entry] == [
        *("2026-06-03", "2026-06-04", "2026-06-05", "2026-06-07", "2026-06-08")
    ]
    monthly = of((METHADONE, doses), schedule={"interval": "P28D"})
    assert record(monthly).without_entry == ()


def test_tablets_after_concentrate_go_on_with_the_same_history() -> None:
    found = record(of((METHADONE, [dose("2026-06-08", 40)]), (TABLET, [dose("2026-06-09", 40)])))
    assert (found.product, len(found.history), found.others) == ("methadone tablet", 2, ())


def test_naloxone_is_not_the_last_dose_and_the_newer_of_two_medications_is() -> None:
    document = of(
        (METHADONE, [dose("2026-06-07", 40)]),
        (NASAL, [dose("2026-06-09T12:00:00-04:00", 4)]),
        (FILM, [dose("2026-06-08T12:00:00-04:00", 8)]),
    )
    found = record(document)
    assert (found.product, found.others) == ("film", ("methadone", "naloxone nasal spray"))


def test_an_hour_before_in_another_offset_is_before() -> None:
    doses = [dose("2026-06-09T09:30:00-04:00", 1), dose("2026-06-09T09:00:00-05:00", 2)]
    found = record(of((METHADONE, doses)))
    assert found.last is not None
    assert found.last.amount == "2 mg"


@pytest.mark.parametrize("amount", [42.5, 0.1, 7, 80.25, 1000])
def test_an_amount_is_copied_digit_by_digit(amount: float) -> None:
    assert shown(of((METHADONE, [dose("2026-06-09", amount)])))["Last dose"] == f"{amount} mg"


def test_no_amount_stands_in_the_letter_that_was_not_charted() -> None:
    document = document_of(told("methadone"))
    sheet = letter.letter(Opened(document))
    assert sheet is not None
    said = {text for text in texts_of(sheet) if text.endswith(" mg")}
    assert said == {"30 mg", "40 mg", "50 mg"}


@pytest.mark.parametrize(("hours", "late"), [(-1, False), (72, False), (73, True)])
def test_what_is_overdue_must_be_assessed_anew(hours: int, *, late: bool) -> None:
    now = NOW + timedelta(hours=hours)
    restriction = {"period": {"end": NOW.isoformat()}}
    said = shown(document_of(told("methadone"), now=now, restriction=restriction))
    assert (letter.OVERDUE in said) is late
    assert "The dose must be re-assessed, do not resume." in letter.OVERDUE


def test_the_flag_of_the_clock_says_overdue_too() -> None:
    said = shown(document_of(told("methadone"), flags=("reassess-tolerance",)))
    assert letter.OVERDUE in said
    assert said["Flags"] == "Re-assess tolerance"


@pytest.mark.parametrize(
    ("flag", "doubted"),
    [("conflicting-last-dose", True), ("implausible-last-dose", True), ("dose-after-discharge", True), ("snf", False)],
)
def test_a_last_dose_that_is_in_doubt_is_called_so_in_a_frame(flag: str, *, doubted: bool) -> None:
    assert (letter.DOUBTED in shown(document_of(told("methadone"), flags=(flag,)))) is doubted


def test_a_flag_that_is_new_is_shown_as_it_is() -> None:
    assert shown(document_of(told("methadone"), flags=("pick-up-unknown",)))["Flags"] == "pick-up-unknown"


def test_the_acknowledgement_of_the_partner_stands_in_the_letter() -> None:
    output = {"type": local.concept(local.REPORT, "last-dose-acknowledged"), "valueDateTime": "2026-06-09T17:00:00Z"}
    said = shown(document_of(told("methadone"), output=[output]))
    assert said["Acknowledged by the partner"] == "Tue 9 Jun 2026, 17:00 (UTC)"
    assert shown(document_of(told("methadone")))["Acknowledged by the partner"] == "not stated"


def test_who_does_not_dose_gets_no_letter() -> None:
    event = told("methadone", needs=[{"kind": "recovery-housing"}])
    assert letter.letter(Opened(document_of(event))) is None


def test_a_person_who_is_real_is_not_called_made_up() -> None:
    assert letter.MADE_UP not in shown(document_of(told("methadone"), Labels(part2=True, test=False)))
    assert letter.MADE_UP in shown(document_of(told("methadone")))


def test_a_history_without_end_is_bounded_and_says_so() -> None:
    days = [
        dose(f"2026-06-0{4 + number // 48}T{number % 24:02}:{number % 60:02}:00-04:00", number + 1)
        for number in range(200)
    ]
    sheet = letter.letter(Opened(of((METHADONE, days))))
    assert sheet is not None
    history = next(one for one in sheet.blocks if isinstance(one, Table))
    assert len(history.rows) == 14
    assert history.caption == "Doses of the last seven days, as charted (186 earlier ones in the packet)"
