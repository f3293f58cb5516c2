"""The hub and independently written FHIR state the same facts, or a rule says why not."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta

import pytest

from fhir_mappings.hl7v2 import Message, parse
from tests.agreement import compare as comparing
from tests.agreement import run, stated
from tests.agreement.compare import Compared, compare
from tests.agreement.corpus import CORPUS, Resource, pairs
from tests.agreement.explained import EXPLANATIONS, SILENCES, explanation_of, silence_of
from tests.agreement.ours import Made, made
from tests.agreement.stated import Fact

HTEST = (
    b"MSH|^~\\&|A|F|B|G|20260101||ADT^A08|1|P|2.5.1\r"
    b"PID|1||HTEST1^^^HTEST&1.2.3&ISO^MR||HTESTFAMILY^Given||19800101|F|||1 Elm St^^Town^OH^44000||(555) 555-0100\r"
    b"PV1|1|I|4W\r"
)
WHOLE_CORPUS = {"microsoft": 58, "reportstream": 247}

here = pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus of HL7 v2 messages is not here")


def stay(**elements: object) -> dict[str, object]:
    return {"resourceType": "Encounter", "id": "e", **elements}


@pytest.fixture(scope="module")
def compared() -> Compared:
    return compare(pairs())


def test_the_same_facts_agree_however_they_are_written() -> None:
    expected = [
        {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [{"system": "urn:oid:1.2.3", "value": "HTEST1"}],
            "name": [{"family": "HTESTALIAS"}, {"use": "official", "family": "HTESTFAMILY", "given": ["Given"]}],
            "telecom": [{"system": "phone", "value": "555.555.0100"}],
            "address": [{"line": ["1 Elm", "St"], "city": " Town "}],
        }
    ]
    ours, theirs = stated.of_made(made(parse(HTEST))), stated.of_expected(expected)
    assert theirs <= ours


def test_a_wrong_value_is_a_difference_and_an_unstated_one_is_not() -> None:
    found = Compared()
    ours = stated.of_made(made(parse(HTEST)))
    theirs = stated.of_expected([stay(**{"class": {"code": "EMER"}, "period": {"start": "2026-01-01"}})])
    found.add("microsoft", parse(HTEST), ours, theirs)
    assert [(one.ours, one.theirs) for one in found.differences] == [
        (Fact("Encounter.class", "", "IMP"), frozenset({"EMER"}))
    ]
    assert [one.theirs for one in found.beyond] == [Fact("Encounter.period.start", "", "2026-01-01")]
    assert explanation_of(found.differences[0]) is None


def test_an_instant_is_the_same_in_every_zone() -> None:
    in_india, in_utc = (
        stated.of_expected([stay(period={"start": when})])
        for when in ("2026-01-01T17:30:00+05:30", "2026-01-01T12:00:00Z")
    )
    assert in_india == in_utc


@here
def test_every_expectation_that_has_its_message_is_compared(compared: Compared) -> None:
    assert compared.messages == WHOLE_CORPUS


@here
def test_each_field_agrees_or_a_rule_says_why_not(compared: Compared) -> None:
    unexplained = [
        (one.source, one.ours.field, one.ours.value, sorted(one.theirs))
        for one in compared.differences
        if explanation_of(one) is None
    ]
    assert unexplained == []
    for row in run.rows(compared):
        assert row.agreement >= run.TARGET or row.explained, row


@here
def test_what_only_others_state_has_a_reason(compared: Compared) -> None:
    assert [one.theirs for one in compared.beyond if silence_of(one) is None] == []


@here
def test_no_rule_is_left_over(compared: Compared) -> None:
    used = Counter(explanation_of(one) for one in compared.differences)
    # A fault of ours may have been mended since; the rule then goes with the next change here.
    assert [rule.name for rule in EXPLANATIONS if rule.side != "ours" and not used[rule]] == []
    silent = Counter(silence_of(one) for one in compared.beyond)
    assert [(silence.cause, silence.fields) for silence in SILENCES if not silent[silence]] == []


@here
def test_what_matters_for_finding_a_person_agrees_without_exception(compared: Compared) -> None:
    never = ("Patient.name.family", "Patient.name.given", "Patient.birthDate", "Patient.gender", "Patient.identifier")
    shares = {row.field: (row.agreement, row.compared > 50) for row in run.rows(compared)}
    assert {name: shares[name] for name in never} == dict.fromkeys(never, (1.0, True))


def a_day_late(resource: Resource) -> None:
    if "birthDate" in resource:
        resource["birthDate"] = (date.fromisoformat(resource["birthDate"]) + timedelta(1)).isoformat()


def without_offset(resource: Resource) -> None:
    start = resource.get("period", {}).get("start", "")
    if start.endswith(("+01:10", "+07:00", "+02:15")):
        resource["period"]["start"] = f"{start[:-6]}+00:00"


def names_swapped(resource: Resource) -> None:
    for name in resource["name"] if resource["resourceType"] == "Patient" else ():
        if "given" in name:
            name["family"], name["given"] = name["given"][0], [name.get("family", "")]


def outpatient(resource: Resource) -> None:
    if resource["resourceType"] == "Encounter" and resource["class"]["code"] == "IMP":
        resource["class"]["code"] = "AMB"


def other_authority(resource: Resource) -> None:
    for number in resource.get("identifier", ()):
        number["system"] = "urn:oid:1.2.3"


@here
@pytest.mark.parametrize(
    ("plant", "field"),
    [
        (a_day_late, "Patient.birthDate"),
        (without_offset, "Encounter.period.start"),
        (names_swapped, "Patient.name.family"),
        (outpatient, "Encounter.class"),
        (other_authority, "Patient.identifier.system"),
    ],
)
def test_a_planted_fault_is_found_and_no_rule_excuses_it(
    plant: Callable[[Resource], None], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(message: Message) -> Made:
        facts, resources = made(message)
        changed = deepcopy(resources)
        for resource in changed:
            plant(resource)
        return Made(facts, changed)

    monkeypatch.setattr(comparing, "made", faulty)
    some = (pair for pair in pairs() if pair.source == "microsoft")
    found = [one for one in compare(some).differences if explanation_of(one) is None]
    assert field in {one.ours.field for one in found}
    assert len(found) > 10


@here
def test_the_command_prints_a_row_per_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([]) == 0
    printed = capsys.readouterr().out
    assert "Patient.birthDate" in printed
    assert "unexplained:" not in printed


def test_the_command_says_that_the_corpus_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "CORPUS", CORPUS / "nowhere")
    assert run.main([]) == 2
    assert "not here" in capsys.readouterr().err
