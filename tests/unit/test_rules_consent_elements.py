from datetime import date
from typing import Any

import pytest

from app.rules.consent_elements import ELEMENTS, STATED_BY_FORM, class_of, missing_elements
from schemas.discharge import ConsentGiven

SIGNED = date(2026, 6, 5)
BEFORE_2024_RULE = date(2026, 2, 15)
COMPLIANCE_DAY = date(2026, 2, 16)


def consent(**changes: Any) -> ConsentGiven:
    whole = {
        "recipients": ["HTEST Harbor OTP"],
        "purposes": ["TREAT"],
        "signed_at": SIGNED,
        "form": "https://mercy.example/forms/part2/v3",
    }
    return ConsentGiven.model_validate(whole | changes)


def test_a_consent_on_a_named_form_lacks_nothing() -> None:
    assert missing_elements(consent(), on=SIGNED) == ()


def test_a_signed_document_that_is_known_by_its_hash_states_what_a_form_does() -> None:
    assert missing_elements(consent(form=None, document_hash="ab" * 32), on=SIGNED) == ()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"recipients": []}, ("4",)),
        ({"recipients": [], "classes": ["my treating providers"]}, ()),
        ({"purposes": []}, ()),
        ({"signed_at": None}, ("9",)),
        ({"form": None}, ("3", "6", "7", "8", "10")),
        ({"form": None, "information": "the referral"}, ("6", "7", "8", "10")),
        ({"form": None, "expires_at": SIGNED}, ("3", "6", "8", "10")),
        ({"form": None, "signed_by": "patient"}, ("3", "6", "7", "10")),
        ({"form": None, "recipients": [], "signed_at": None}, ("3", "4", "6", "7", "8", "9", "10")),
        ({"lacks": ["10", "2", "1", "5"]}, ("1", "2", "5", "10")),
        ({"lacks": ["3"], "information": "the referral"}, ("3",)),
        ({"lacks": ["11"]}, ()),
    ],
)
def test_the_facts_of_a_consent_show_which_elements_it_lacks(change: dict[str, Any], missing: tuple[str, ...]) -> None:
    assert missing_elements(consent(**change), on=SIGNED) == missing


def test_what_the_2024_rule_added_is_demanded_from_its_compliance_date_on() -> None:
    bare = consent(form=None)
    assert missing_elements(bare, on=BEFORE_2024_RULE) == ("3", "6", "7", "8")
    assert missing_elements(bare, on=COMPLIANCE_DAY) == ("3", "6", "7", "8", "10")
    assert missing_elements(consent(lacks=["10"]), on=BEFORE_2024_RULE) == ()


def test_every_paragraph_of_the_law_is_asked_after() -> None:
    assert list(ELEMENTS) == [str(number) for number in range(1, 11)]
    nothing = ConsentGiven(lacks=list(ELEMENTS))
    assert missing_elements(nothing, on=SIGNED) == tuple(ELEMENTS)
    assert set(ELEMENTS) > STATED_BY_FORM


@pytest.mark.parametrize(
    ("wording", "read"),
    [
        ("my treating providers", "treating-providers"),
        (" My  Treating Providers. ", "treating-providers"),
        (
            "my treating providers, health plans, third-party payers, and people helping to operate this program",
            "treating-providers",
        ),
        ("third-party payers", "third-party-payers"),
        ("HTEST Harbor OTP", None),
        ("my treating provider", None),
        ("", None),
    ],
)
def test_a_wording_is_a_class_only_where_the_law_words_it_so(wording: str, read: str | None) -> None:
    assert class_of(wording) == read
