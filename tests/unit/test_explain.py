import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings import build, dialects
from fhir_mappings.dialects.adt_generic.dialect import DIALECT
from fhir_mappings.dialects.adt_generic.targets import TARGETS
from fhir_mappings.dialects.base import Unmapped
from fhir_mappings.dialects.event_json.dialect import parse as parse_event
from fhir_mappings.dialects.event_json.targets import TARGETS as EVENT_TARGETS
from fhir_mappings.explaining.explain import Explanation, explain
from fhir_mappings.explaining.explain_text import render_text, to_json
from fhir_mappings.hl7v2 import parse
from fhir_mappings.visits.visit import as_event
from fhir_mappings.visits.visit_merge import merge
from schemas.discharge import DischargeEvent
from schemas.facts import Facts, VisitRecord
from schemas.sender import Sender

FOLDER = Path(dialects.__file__).parent
NOW = datetime(2026, 7, 10, 13, 0, tzinfo=UTC)
HL7 = sorted((FOLDER / "adt_generic" / "samples").glob("*.hl7"))
EVENTS = sorted((FOLDER / "event_json" / "samples").glob("*.json"))
PLACED = (
    "MSH|^~\\&|A|F|B|G|20260608||ADT^A08|1|P|2.5.1\r"
    "PID|1||HTEST1^^^ACME^PI~HTEST2||HTESTX^Sam||19800101\r"
    "PV1|1|I|7E^12^2||||||||||||||||HTESTV1\r"
)
EVERYTHING = "\r".join(
    (
        r"MSH|^~\&|A|F|B|G|20260608||ORU^R01|1|P|2.5",
        "EVN|A03|2026||||20260608",
        "PID|1||HTEST1||HTESTX^Y||19800101|F|||1 A St||5550100|5550101|en|||ACC",
        "MRG|HTEST2",
        "NK1|1|HTESTZ|SIS||5550102",
        "NK1|1|HTESTZ|SIS|||5550103",
        "PV1" + "|x" * 50,
        "PV2" + "|20260608" * 9,
        "DG1|1|I10|F1120|text|20260608" + "|x" * 9 + "|1||||20260609||A",
        "AL1|1||x^y",
        "IN1|1|P^Plan|3" + "|" * 12 + "HM" + "|" * 34 + "M1",
        "ORC|NW||F1^FIL||||1^QDAY^D3^20260608||20260608|||D1^HTESTDOC" + "|x" * 17,
        "TQ1|1|1|QDAY|||3^d|20260608",
        "RXO|1010604^^RXNORM|1||mg",
        "ORC|NW|P1^PLC|||||1^QDAY^D3",
        "RXE|1^QDAY|1010604^^RXNORM|1||mg",
        "RXR|SL",
        "RXA|0|1|20260608||1010604^^RXNORM|1|mg|||N1^HTESTN" + "|x" * 11,
        "ORC|RE|P2^PLC" + "|" * 27 + "O",
        "RXD|1|1010604^^RXNORM|20260608|3|DOSE",
    )
)


def sender(name: str) -> Sender:
    return Sender.model_validate_json((FOLDER / name / "sender.json").read_bytes())


def explained(sample: Path) -> Explanation:
    return explain(sample.read_bytes(), sender(sample.parent.parent.name), now=NOW)


def read_paths(data: bytes) -> set[str]:
    message = parse(data).traced()
    DIALECT.filing(message, DIALECT.read(message, sender("adt_generic")).facts)
    return {f"{message.segments[index].name}-{field}" for index, field in message.used}


def test_every_field_that_the_dialect_reads_has_a_target() -> None:
    read = read_paths(EVERYTHING.encode())
    for sample in HL7:
        read |= read_paths(sample.read_bytes())
    assert read - set(TARGETS) == set()


def test_no_target_names_a_field_that_is_never_read() -> None:
    read = read_paths(EVERYTHING.encode())
    for sample in HL7:
        read |= read_paths(sample.read_bytes())
    # ORC-16 is read where a sender's map names it.
    assert set(TARGETS) - read == {"ORC-16"}


def resources_of(event: DischargeEvent) -> list[dict[str, Any]]:
    parties = build.Parties(hospital="h", hub="b", hospital_name="H", hub_name="B")
    labels = build.Labels(part2=False, test=True)
    common: dict[str, Any] = {"parties": parties, "ids": lambda kind, key: f"{kind}-{len(key)}", "labels": labels}
    clinical = build.clinical(event, **common)
    referral = build.source(
        event, need=event.needs[0], resources=clinical, status="requested", now=NOW, group="g", **common
    )
    origin = build.provenance(
        [], key="k", message_hash="00", control_id="1", sender="s", recorded=NOW, occurred=NOW, **common
    )
    return [*clinical, *referral, origin]


def has(value: object, path: list[str]) -> bool:
    if isinstance(value, list):
        return any(has(one, path) for one in value)
    if not path:
        return value is not None
    return isinstance(value, dict) and has(value.get(path[0]), path[1:])


def missing(targets: dict[str, str], resources: list[dict[str, Any]]) -> set[str]:
    """Targets of which no resource has the element."""
    elements = (re.sub(r"\s*\(.*\)", "", target).split(", ") for target in targets.values())
    wanted = {element for group in elements for element in group if element}
    return {
        element
        for element in wanted
        if not any(
            resource["resourceType"] == element.split(".")[0] and has(resource, element.split(".")[1:])
            for resource in resources
        )
    }


def merged(*names: str) -> VisitRecord:
    record: VisitRecord | None = None
    for name in names:
        facts: Facts = DIALECT.read(
            parse((FOLDER / "adt_generic" / "samples" / f"{name}.hl7").read_bytes()), sender("adt_generic")
        ).facts
        record = merge(record, facts)
    assert record is not None
    return record


def test_every_target_of_hl7_is_an_element_that_is_built_from_messages() -> None:
    # One person in the bed, one on the way home with a prescription, one with counted doses and a corrected diagnosis,
    # and one who is referred by name, with results and consents.
    stories = [
        merged("a01-admit", "rde-order", "ras-doses"),
        merged("a01-admit", "ras-doses", "rds-supply", "a03-discharge"),
        merged("rde-to-take-home", "rds-doses", "a08-dated-diagnosis"),
        merged("ref-asked-for", "a01-admit", "rde-order", "oru-results", "a08-consents"),
    ]
    built = [one for story in stories for one in resources_of(as_event(story, event_id="1", occurred_at=NOW))]
    assert missing(TARGETS, built) == set()


def test_every_target_of_an_event_is_an_element_that_is_built_from_it() -> None:
    samples = [FOLDER / "event_json" / "samples" / f"{name}.json" for name in ("discharge", "expected-discharge")]
    events = [parse_event(sample.read_bytes(), sender("event_json")) for sample in samples]
    assert missing(EVENT_TARGETS, [one for event in events for one in resources_of(event)]) == set()


@pytest.mark.parametrize("sample", [*HL7, *EVENTS], ids=lambda path: path.stem)
def test_every_populated_field_is_either_used_with_a_target_or_unused_with_a_reason(sample: Path) -> None:
    explanation = explained(sample)
    assert explanation.fields
    for field in explanation.fields:
        assert field.target if field.used else field.reason


def test_a_supply_message_is_explained_with_fields_facts_and_verdict() -> None:
    explanation = explained(FOLDER / "adt_generic" / "samples" / "rds-supply.hl7")
    uses = {field.path: field for field in explanation.fields}
    assert uses["TQ1-6"].used
    assert "daysSupply" in (uses["TQ1-6"].target or "")
    assert (
        uses["RXD-4"].reason
        == "a quantity of units is never days of supply; only RXD-5 DOSE makes it a number of doses"
    )
    assert explanation.verdict is not None
    assert explanation.verdict.outcome == "referral"
    assert [reason.code for reason in explanation.verdict.reasons] == ["moud-daily"]
    assert any(fact.startswith("supply 1010604") and "days 3" in fact for fact in explanation.facts)


def test_a_consent_is_explained_without_the_names_in_it() -> None:
    found = explained(FOLDER / "adt_generic" / "samples" / "a08-consents.hl7").facts
    told = "1 recipients, 1 classes, both directions, form known, lacks 2.31(a) (10)"
    assert [line for line in found if line.startswith("consent")] == [
        f"consent active, {told}",
        f"consent inactive, {told}",
    ]


def test_z_segments_unmapped_and_unreadable_fields_have_their_own_reasons() -> None:
    admit = {
        field.path: field.reason for field in explained(FOLDER / "adt_generic" / "samples" / "a01-admit.hl7").fields
    }
    assert admit["ZPV-2"] == "local to the sender, and nothing in its file names it"
    assert admit["DG1-6"] == "nothing of a referral comes from it"
    odd = {
        field.path: field
        for field in explained(FOLDER / "adt_generic" / "samples" / "a08-unreadable-fields.hl7").fields
    }
    assert not odd["PID-7"].used
    assert "not a date" in (odd["PID-7"].reason or "")


def test_the_drawn_event_is_there_for_the_resources() -> None:
    explanation = explained(FOLDER / "adt_generic" / "samples" / "rds-supply.hl7")
    assert explanation.event is not None
    assert explanation.event.occurred_at == NOW
    assert explanation.event.medications[0].bridges[0].days == 3


@pytest.mark.parametrize("sample", [*HL7, *EVENTS], ids=lambda path: path.stem)
def test_no_value_of_a_person_is_shown(sample: Path) -> None:
    explanation = explained(sample)
    shown = render_text(explanation) + to_json(explanation).decode()
    for value in (
        "HTEST7",
        "HTEST8",
        "HTESTS",
        "HTESTE",
        "HTESTK",
        "HTESTN",
        "HTESTD",
        "Róisín",
        "Lee",
        "Test Rd",
        "555-01",
        "5550140",
        "1990",
        "1984",
        "W7001",
        "W8001",
        "V7001",
    ):
        assert value not in shown


def test_text_is_aligned_and_plain() -> None:
    text = render_text(explained(FOLDER / "adt_generic" / "samples" / "a03-discharge.hl7"))
    assert text.startswith(
        "sender      htest-sample (adt_generic)\n"
        "message     ADT^A03, version 2.5.1\n"
        "characters  read as utf-8 (MSH-18 says UNICODE UTF-8)\n"
        "delimiters  | ^ ~ \\ &\n\nused\n"
    )
    used = text.split("\nused\n")[1].split("\n\n")[0].splitlines()
    assert (
        len({len(line) - len(line[2:].lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-").lstrip()) for line in used}) == 1
    )
    assert "\x1b" not in text


def test_json_says_the_same_as_the_text() -> None:
    explanation = explained(FOLDER / "adt_generic" / "samples" / "a03-discharge.hl7")
    body = json.loads(to_json(explanation))
    assert body["message_type"] == "ADT^A03"
    assert {field["path"] for field in body["fields"]} == {field.path for field in explanation.fields}
    assert body["verdict"]["outcome"] == "review"
    assert body["verdict"]["reasons"][0]["code"] == "bare-f11"
    assert body["wire"] == {
        "charset": "utf-8",
        "basis": "declared",
        "declared": "UNICODE UTF-8",
        "separators": "| ^ ~ \\ &",
        "version": "2.5.1",
    }


def test_each_field_has_one_of_five_ends() -> None:
    def ends(name: str) -> dict[str, str]:
        return {use.path: use.status for use in explained(FOLDER / "adt_generic" / "samples" / name).fields}

    admit, odd = ends("a01-admit.hl7"), ends("a08-unreadable-fields.hl7")
    assert (admit["PID-3"], admit["PID-1"], admit["DG1-6"], admit["ZPV-2"], odd["PID-7"]) == (
        "used",
        "ignored",
        "not-mapped",
        "z-segment",
        "unreadable",
    )


def test_components_that_make_no_difference_are_named() -> None:
    fields = {use.path: use for use in explain(PLACED.encode(), sender("adt_generic"), now=NOW).fields}
    assert fields["PV1-3"].idle == (2, 3)
    assert fields["PID-5"].idle == ()
    assert fields["PID-3"].idle == (), "a part that counts in one repetition counts"
    text = render_text(explain(PLACED.encode(), sender("adt_generic"), now=NOW))
    assert re.search(r"^  PV1-3 .*; components 2, 3 not needed$", text, re.MULTILINE)


def test_the_end_of_a_field_that_repeats_is_told_once() -> None:
    twice = PLACED + "DG1|1||F11.20^x^I10\rDG1|2||F11.20^x^I10\r"
    text = render_text(explain(twice.encode(), sender("adt_generic"), now=NOW))
    assert len(re.findall("^  DG1-1 ", text, re.MULTILINE)) == 1
    assert re.search(r"^  DG1-1 .*\(2 times\)$", text, re.MULTILINE)


def test_other_delimiters_and_character_sets_are_said() -> None:
    odd = PLACED.replace("Sam", "Zoë").replace("^~\\&", "^~").replace("2.5.1", "2.3||||||8859/1").encode("latin-1")
    told = explain(odd, sender("adt_generic"), now=NOW)
    assert told.wire is not None
    assert (told.wire.charset, told.wire.declared, told.wire.version) == ("iso8859-1", "8859/1", "2.3")
    assert "delimiters  | ^ ~  (not all five)" in render_text(told)
    untrue = PLACED.replace("Sam", "Zoë").replace("2.5.1", "2.5.1||||||ASCII").encode()
    text = render_text(explain(untrue, sender("adt_generic"), now=NOW))
    assert "characters  read as utf-8 (MSH-18 says ASCII; the bytes are not that)\n" in text
    free = PLACED.replace("2.5.1", "2.5.1||||||some (free) text")
    assert "MSH-18 says (text only)" in render_text(explain(free.encode(), sender("adt_generic"), now=NOW))


def test_a_unit_is_named_with_its_standing() -> None:
    told = render_text(explain(PLACED.encode(), sender("adt_generic").model_copy(update={"part2": None}), now=NOW))
    assert "  unit 7E: not classified, counts as Part 2\n" in told


def test_what_a_free_text_holds_is_not_shown() -> None:
    free = PLACED.replace("7E^", "HTESTNAME in bed^") + "DG1|1||^HTESTNAME has opioid use disorder\r"
    told = render_text(explain(free.encode(), sender("adt_generic"), now=NOW))
    assert "HTESTNAME" not in told
    assert "unit (text only): " in told
    assert "diagnosis (text only)" in told


def test_codes_that_nobody_knows_are_listed() -> None:
    explanation = explained(FOLDER / "adt_generic" / "samples" / "rds-supply.hl7")
    unknown = replace(explanation, unmapped=(Unmapped("drug", "RXD-2", "LK9"), Unmapped("drug", "RXD-2", "LK9")))
    assert "codes that nobody knows\n  RXD-2  drug  LK9 (2 times)\n" in render_text(unknown)
    assert json.loads(to_json(unknown))["unmapped"][0] == {"kind": "drug", "path": "RXD-2", "code": "LK9"}


def test_a_trigger_that_is_not_handled_is_said_so() -> None:
    explanation = explain(PLACED.replace("ADT^A08", "MDM^T02").encode(), sender("adt_generic"), now=NOW)
    assert not explanation.handled
    assert "(trigger not handled)" in render_text(explanation)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "message: empty"),
        (b"hello", "message: no-msh"),
        (rb"MSH|^~\&|A|F|B|G|20260608||ADT^A04|1|P|2.5", "PID-3: neither a patient identifier nor a visit identifier"),
    ],
)
def test_what_cant_be_accepted_says_where_and_why(data: bytes, problem: str) -> None:
    explanation = explain(data, sender("adt_generic"), now=NOW)
    assert explanation.problems == (problem,)
    assert problem in render_text(explanation)
    assert json.loads(to_json(explanation))["problems"] == [problem]


def test_a_header_that_is_not_the_senders_is_told_and_the_rest_read_all_the_same() -> None:
    other = sender("adt_generic").model_copy(update={"match_msh": ["EPIC|MERCY"]})
    told = explain(PLACED.encode(), other, now=NOW)
    assert told.problems == ("MSH-3: with MSH-4 it is not in match_msh of this sender, so the answer would be AR",)
    assert told.fields
    ours = sender("adt_generic").model_copy(update={"match_msh": ["A|F"]})
    assert explain(PLACED.encode(), ours, now=NOW).problems == ()


def test_a_refused_event_shows_its_faults() -> None:
    explanation = explain(b'{"kind":"x"}', sender("event_json"), now=NOW)
    assert explanation.verdict is None
    assert any(problem.startswith("kind: ") for problem in explanation.problems)


def test_the_same_message_is_explained_alike_each_time() -> None:
    sample = FOLDER / "adt_generic" / "samples" / "rds-supply.hl7"
    assert explained(sample) == explained(sample)
