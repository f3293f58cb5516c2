"""A FHIR message read into facts: which event, which stay, what counts, and what is refused with its path."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.dialects.fhir_message.dialect import DIALECT, EVENTS
from fhir_mappings.fhir_in.fhir_bundle import MAX_ENTRIES, Refused
from fhir_mappings.fhir_in.fhir_identity import content_of, key_of
from schemas.facts import Facts
from schemas.sender import Sender
from tests import fhir_bundles as bundles
from tests.fhir_bundles import ENCOUNTER, Resource, concept, ref

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "fhir" / "HL7+davinci-alerts" / "input" / "examples"
SENDER = Sender(id="s", organization="org", dialect="fhir_message", timezone="America/New_York")
PERIOD = {"start": "2026-06-01T09:00:00-04:00"}
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def facts(message: Resource) -> Facts:
    return DIALECT.read(message, SENDER).facts


def told(**changes: Any) -> Facts:
    return facts(bundles.message(**changes))


def notes(message: Resource) -> dict[str, str]:
    return {note.path: note.rule for note in DIALECT.read(message, SENDER).notes}


def faults(message: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        DIALECT.read(message, SENDER)
    return {fault.path: fault.rule for fault in refused.value.faults}


def staying(**changes: Any) -> Resource:
    here = bundles.encounter(status="in-progress", period=PERIOD, **changes)
    del here["hospitalization"]
    return here


# ---- which event


@pytest.mark.parametrize(
    ("event", "encounter", "kind", "ended"),
    [
        ("notification-admit", staying(), "admit", None),
        ("notification-admit", {**staying(), "status": "planned"}, "pre-admit", None),
        ("notification-transfer", staying(), "transfer", None),
        ("notification-discharge", bundles.encounter(), "discharge", True),
        ("notification-discharge", staying(), "discharge", True),
        ("notification-transfer", bundles.encounter(), "discharge", True),
        ("notification-admit", bundles.encounter(status="cancelled"), "cancel-visit", None),
        ("notification-discharge", bundles.encounter(status="entered-in-error"), "cancel-visit", None),
        (
            "notification-admit",
            staying(statusHistory=[{"status": "finished", "period": PERIOD}]),
            "cancel-discharge",
            None,
        ),
    ],
)
def test_event_and_state_say_what_happened(event: str, encounter: Resource, kind: str, ended: bool | None) -> None:  # noqa: FBT001 - a row
    found = facts(bundles.message(event=event, e=encounter))
    assert (found.kind, found.visit_status_ended, found.trigger) == (kind, ended, f"fhir:{event}")


@pytest.mark.parametrize(
    "event",
    [
        {"system": EVENTS, "code": "notification-else"},
        {"system": "http://example.org", "code": "notification-discharge"},
        {"code": "notification-discharge"},
    ],
)
def test_an_unknown_event_is_refused_and_the_known_ones_are_named(event: Resource) -> None:
    wrong = faults(bundles.message(head=bundles.header(eventCoding=event)))
    assert "notification-discharge" in wrong["Bundle.entry[0].resource.event[x]"]


def test_an_event_by_uri_is_unknown() -> None:
    head = bundles.header(eventUri="http://example.org/event")
    del head["eventCoding"]
    assert "Bundle.entry[0].resource.event[x]" in faults(bundles.message(head=head))


def test_the_time_of_the_fact_is_when_the_bundle_was_put_together() -> None:
    reading = DIALECT.read(bundles.message(at="2026-06-05T18:10:00Z"), SENDER)
    assert reading.facts.at.isoformat() == "2026-06-05T18:10:00+00:00"
    assert reading.sent_at == reading.facts.at


def test_without_a_timestamp_it_is_the_newest_change_else_the_end_of_the_stay() -> None:
    message = bundles.message(p=bundles.patient(meta={"lastUpdated": "2026-06-05T17:00:00-04:00"}))
    del message["timestamp"]
    assert facts(message).at.isoformat() == "2026-06-05T17:00:00-04:00"
    plain = bundles.message()
    del plain["timestamp"]
    assert facts(plain).at.isoformat() == "2026-06-05T14:00:00-04:00"
    assert DIALECT.read(plain, SENDER).sent_at is None


# ---- references


def test_absolute_relative_and_urn_references_lead_to_the_same() -> None:
    text = json.dumps(bundles.message())
    absolute = text.replace('"urn:uuid:', '"https://ehr.example.org/fhir/')
    for letter, kind in (("p", "Patient"), ("e", "Encounter"), ("c", "Condition"), ("o", "MedicationRequest")):
        absolute = absolute.replace(f'fhir/{letter}"', f'fhir/{kind}/{letter}"')
    relative = absolute.replace('{"reference": "https://ehr.example.org/fhir/', '{"reference": "')
    relative = relative.replace(
        '"fullUrl": "https://ehr.example.org/fhir/h"', '"fullUrl": "https://ehr.example.org/fhir/MessageHeader/h"'
    )
    versioned = absolute.replace(
        '{"reference": "https://ehr.example.org/fhir/Encounter/e"',
        '{"reference": "https://ehr.example.org/fhir/Encounter/e/_history/2"',
    )
    for sent in (absolute, versioned):
        assert facts(json.loads(sent)).diagnoses == facts(bundles.message()).diagnoses
    whole = json.loads(relative)
    for letter, kind in (("d", "MedicationAdministration"), ("s", "MedicationDispense")):
        for entry in whole["entry"]:
            entry["fullUrl"] = (
                entry["fullUrl"].replace(f"fhir/{letter}", f"fhir/{kind}/{letter}")
                if entry["fullUrl"].endswith(f"/{letter}")
                else entry["fullUrl"]
            )
    assert [one.code for one in facts(whole).diagnoses] == ["F11.20"]
    assert len(facts(whole).doses) == 1


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"c": bundles.condition(subject=ref("urn:uuid:nobody"))}, "Bundle.entry[3].resource.subject"),
        ({"c": bundles.condition(subject=ref("Patient/nobody"))}, "Bundle.entry[3].resource.subject"),
        ({"c": bundles.condition(subject=ref(ENCOUNTER))}, "Bundle.entry[3].resource.subject"),
        ({"c": bundles.condition(encounter=ref("urn:uuid:none"))}, "Bundle.entry[3].resource.encounter"),
        (
            {"e": bundles.encounter(subject=ref("https://other.example.org/fhir/Patient/9"))},
            "Bundle.entry[2].resource.subject",
        ),
        ({"e": bundles.encounter(subject={"display": "HTEST"})}, "Bundle.entry[2].resource.subject"),
        ({"q": bundles.patient(2)}, "Bundle.entry[7].resource"),
        ({"e": None}, "Bundle.entry[0].resource.focus"),
        ({"p": bundles.patient(active=False)}, "Bundle.entry[1].resource.active"),
    ],
)
def test_a_reference_that_leads_to_nobody_or_to_somebody_else_is_refused(change: Resource, path: str) -> None:
    assert path in faults(bundles.message(**change))


def test_another_stay_of_the_same_person_is_left_out() -> None:
    before = bundles.encounter(identifier=[{"system": bundles.VN, "value": "HTEST-V9"}])
    earlier = bundles.condition(encounter=ref("urn:uuid:b"), code=concept("http://hl7.org/fhir/sid/icd-10-cm", "I10"))
    outside = bundles.dose(context=ref("https://ehr.example.org/fhir/Encounter/77"))
    message = bundles.message(b=before, f=earlier, g=outside)
    assert [one.code for one in facts(message).diagnoses] == ["F11.20"]
    assert len(facts(message).doses) == 1
    assert len([rule for rule in notes(message).values() if "another stay" in rule]) == 2


def test_a_dose_of_an_episode_belongs_to_this_stay() -> None:
    episode = {"resourceType": "EpisodeOfCare", "status": "active", "patient": ref("urn:uuid:p")}
    assert len(facts(bundles.message(d=bundles.dose(context=ref("urn:uuid:ep")), ep=episode)).doses) == 1


def test_a_group_or_a_place_is_no_person() -> None:
    group = {"resourceType": "Group", "type": "person", "actual": True}
    for subject in (ref("urn:uuid:g"), ref("https://ehr.example.org/fhir/Group/1")):
        wrong = faults(bundles.message(c=bundles.condition(subject=subject), g=group))
        assert list(wrong) == ["Bundle.entry[3].resource.subject"]


# ---- what is refused


def test_a_modifier_that_is_not_known_is_refused_wherever_it_stands() -> None:
    modified = {"modifierExtension": [{"url": "http://example.org/not", "valueBoolean": True}]}
    deep = bundles.order()
    deep["dosageInstruction"][0] |= modified
    assert "Bundle.entry[5].resource.modifierExtension" in faults(bundles.message(d=bundles.dose(**modified)))
    assert "Bundle.entry[4].resource.dosageInstruction[0].modifierExtension" in faults(bundles.message(o=deep))
    assert "Bundle.implicitRules" in faults(bundles.message() | {"implicitRules": "http://example.org/r"})


def test_what_is_left_out_does_not_move_the_paths_of_what_is_wrong() -> None:
    message = bundles.message()
    message["entry"].insert(1, {"fullUrl": "urn:uuid:z", "resource": {"resourceType": "Device", "anything": "goes"}})
    message["entry"][2]["resource"]["gender"] = "HTEST"
    assert list(faults(message)) == ["Bundle.entry[2].resource.gender"]


def test_a_profile_that_is_claimed_wrongly_is_its_senders_matter() -> None:
    profile = ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]
    person = bundles.patient(meta={"profile": profile})
    del person["name"]
    assert told(p=person).patient is not None


def test_one_full_url_stands_once() -> None:
    message = bundles.message()
    again = deepcopy(message["entry"][3])
    again["resource"]["meta"] = {"versionId": "2"}
    message["entry"].append(again)
    assert list(faults(message)) == ["Bundle.entry[7].fullUrl"]


def test_a_message_has_a_header_first_and_is_no_answer() -> None:
    message = bundles.message()
    message["entry"] = message["entry"][1:]
    assert faults(message)
    answer = bundles.header(response={"identifier": "x", "code": "ok"})
    assert "Bundle.entry[0].resource.response" in faults(bundles.message(head=answer))


def test_more_entries_than_one_stay_can_have_are_refused() -> None:
    message = bundles.message()
    message["entry"] += [{"fullUrl": f"urn:uuid:{n}", "resource": bundles.condition()} for n in range(MAX_ENTRIES)]
    assert list(faults(message)) == ["Bundle.entry"]


@pytest.mark.parametrize("name", ["id", "language"])
@pytest.mark.parametrize("value", ["\ud800", 10**30])
def test_text_and_numbers_that_json_can_not_hold_are_refused(name: str, value: object) -> None:
    assert faults(bundles.message() | {name: value})


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":1,"a":2}', b"NaN", b"[]", b'"x"', b"\xff", b"[" * 5000])
def test_bytes_that_are_no_bundle_are_refused(data: bytes) -> None:
    assert faults(data)


def test_bytes_and_the_parsed_object_say_the_same() -> None:
    message = bundles.message()
    assert DIALECT.read(json.dumps(message).encode(), SENDER) == DIALECT.read(message, SENDER)


def test_without_any_identifier_it_can_not_be_filed() -> None:
    person, stay = bundles.patient(), bundles.encounter()
    del person["identifier"], stay["identifier"]
    message = bundles.message(p=person, e=stay)
    assert DIALECT.filing(message, facts(message)) is not None
    assert DIALECT.filing(message, facts(bundles.message())) is None


# ---- identity


def test_a_message_is_known_by_the_bundles_identifier_else_by_its_header() -> None:
    message = bundles.message()
    assert key_of(message, "message") == bundles.HEADER_ID.format(1)
    assert key_of(message | {"identifier": {"system": "urn:x", "value": "1"}}, "message") == "urn:x|1"
    del message["entry"][0]["resource"]["id"]
    message["entry"][0]["fullUrl"] = "urn:uuid:1c2d"
    assert key_of(message, "message") == "1c2d"
    message["entry"][0]["fullUrl"] = "https://ehr.example.org/fhir/other"
    with pytest.raises(Refused):
        key_of(message, "message")


def test_what_is_compared_leaves_the_envelope_out() -> None:
    first, again = bundles.message(), bundles.message(at="2026-06-06T00:00:00Z") | {"id": "x"}
    assert content_of(first, "message") == content_of(again, "message")


# ---- the examples of the guide


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*.json")) or [None], ids=lambda path: path.stem if path else "none"
)
def test_the_examples_of_the_guide_are_read(path: Path | None) -> None:
    if path is None:
        pytest.skip("the examples of Da Vinci Alerts (../shared/corpus) are not on this machine")
    found = DIALECT.read(path.read_bytes(), SENDER).facts
    assert found.kind == path.stem.partition("-")[0]
    assert found.visit is not None
    assert found.visit.identifiers
    assert found.patient is not None
    assert found.patient.name is not None
