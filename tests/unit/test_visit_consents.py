"""A consent that is told in pieces: nothing is gained by saying less, and whatever ends it ends it."""

from itertools import permutations
from typing import Any

import pytest

from fhir_mappings.visits.visit import as_event
from schemas.discharge import Circumstances, ConsentGiven
from schemas.facts import Facts, VisitRecord
from tests.unit.stories import admit, assembled, at, facts, mrn, person

EARLY, LATE = "06-08 10:00", "06-08 12:00"
A, B, C = "HTEST A", "HTEST B", "HTEST C"


def told(when: str, *consents: dict[str, Any]) -> Facts:
    given = [ConsentGiven.model_validate({"identifier": "HTEST-C1", **one}) for one in consents]
    return facts("event", "update", when, circumstances=Circumstances(consents=given))


def merged(*messages: Facts) -> ConsentGiven:
    one = assembled(*messages)
    assert all(assembled(*order) == one for order in permutations(messages))
    (found,) = one.circumstances.consents
    return found


WHOLE = {
    "recipients": [A, B],
    "not_recipients": [C],
    "purposes": ["TREAT"],
    "signed_at": "2026-06-01",
    "expires_at": "2026-07-01",
    "form": "HTEST-F1",
    "lacks": ["10"],
}


def test_what_is_told_again_with_fewer_facts_loses_none_and_gains_nobody() -> None:
    assert merged(told(EARLY, WHOLE), told(LATE, {})) == merged(told(EARLY, WHOLE))


@pytest.mark.parametrize("status", ["inactive", "rejected", "entered-in-error"])
def test_a_later_word_that_ends_it_holds_whatever_the_order_of_arrival(status: str) -> None:
    found = merged(told(EARLY, WHOLE), told(LATE, {"status": status}))
    assert (found.status, found.recipients) == (status, [A, B])


def test_without_a_new_signature_no_word_revives_a_consent_that_was_ended() -> None:
    ended = (told("06-08 09:00", WHOLE), told(EARLY, {"status": "inactive"}))
    assert merged(*ended, told(LATE, {"not_recipients": [A]})).status == "inactive"
    assert merged(*ended, told(LATE, {"signed_at": "2026-06-08"})).status == "active"


def test_of_two_words_of_one_instant_the_one_that_ends_it_holds() -> None:
    assert merged(told(EARLY, WHOLE), told(EARLY, {"status": "inactive"})).status == "inactive"


def test_a_consent_can_be_taken_back_for_some_of_its_recipients() -> None:
    assert merged(told(EARLY, WHOLE), told(LATE, {"recipients": [A]})).recipients == [A]
    found = merged(told(EARLY, WHOLE), told(LATE, {"not_recipients": [B]}))
    assert (found.recipients, found.not_recipients) == ([A, B], [B, C])


def test_a_class_of_recipients_replaces_their_names() -> None:
    found = merged(told(EARLY, WHOLE), told(LATE, {"classes": ["my treating providers"]}))
    assert (found.recipients, found.classes) == ([], ["my treating providers"])


def test_only_another_paper_lacks_less() -> None:
    assert merged(told(EARLY, WHOLE), told(LATE, {"recipients": [A]})).lacks == ["10"]
    found = merged(told(EARLY, WHOLE), told(LATE, {"form": "HTEST-F2"}))
    assert (found.form, found.lacks) == ("HTEST-F2", [])


def test_consents_without_a_number_are_stated_as_a_whole_and_keep_their_exclusions() -> None:
    bare = {"identifier": None, "recipients": [A]}
    found = merged(told(EARLY, {**WHOLE, "identifier": None}), told(LATE, bare))
    assert (found.recipients, found.form, found.not_recipients) == ([A], None, [C])


def test_a_record_with_many_consents_can_be_read_again() -> None:
    record = assembled(told(EARLY, *({"identifier": f"HTEST-C{n}", "not_recipients": [A]} for n in range(100))))
    assert len(record.circumstances.consents) == 100
    assert VisitRecord.model_validate_json(record.model_dump_json(by_alias=True)) == record
    assert at(EARLY) == record.circumstances_at


def test_the_consent_of_a_former_number_of_the_person_is_told_as_the_persons_own() -> None:
    mine, former, other = (
        {"identifier": f"HTEST-C{n}", "patient": [mrn(value).model_dump()]}
        for n, value in enumerate(["HTESTB", "HTESTA", "HTESTX"])
    )
    record = assembled(
        admit("06-08 09:00"),
        told(EARLY, mine, former, other),
        facts("ADT^A40", "merge", LATE, patient=person("HTESTB"), merged_identifiers=[mrn("HTESTA")]),
    )
    event = as_event(record, event_id="HTEST-1", occurred_at=at(LATE))
    assert [[number.value for number in one.patient] for one in event.consents] == [["HTESTB"], [], ["HTESTX"]]
