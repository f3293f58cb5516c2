"""The packet: one document that a partner can read whole."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from fhir_mappings.build import Labels, hospital_organization
from fhir_mappings.gate import check
from fhir_mappings.labels import high_water_mark
from fhir_mappings.notices import Permit
from fhir_mappings.packet import narrative, packet
from schemas.packs.base import notice, redisclosure
from tests.unit.build_events import NOW, OPEN, PART2, asked, built, event

BASE = "https://hub.example/fhir/R4"
PART2_NOTICE = "part2-2-32"


def members(labels: Labels = OPEN) -> list[dict[str, Any]]:
    return [*asked(event(), labels), *built(event(), labels), hospital_organization("hosp", "Northgate Hospital")]


def made(of: list[dict[str, Any]], *notices: str, permits: Sequence[Permit] = ()) -> dict[str, Any]:
    task = next(one for one in of if one["resourceType"] == "Task")
    return packet(
        of, base=BASE, document="doc-1", task=task["id"], author="hub", now=NOW, notices=notices, permits=permits
    )


def composition(bundle: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = bundle["entry"][0]["resource"]
    return first


def test_a_packet_is_a_document_whose_first_entry_is_the_composition() -> None:
    bundle = made(members())
    assert bundle["type"] == "document"
    assert composition(bundle)["resourceType"] == "Composition"
    assert bundle["identifier"]["value"] == "doc-1"
    assert bundle["timestamp"] == composition(bundle)["date"] == NOW.isoformat()


def test_the_reference_models_accept_it() -> None:
    Bundle.model_validate(json.loads(json.dumps(made(members(PART2), PART2_NOTICE))))


def test_the_gate_lets_it_pass() -> None:
    assert check(made(members(PART2), PART2_NOTICE)) == []
    assert check(composition(made(members()))) == []


def test_every_member_is_there_once_and_in_exactly_one_section() -> None:
    of = members()
    bundle = made(of)
    urls = [one["fullUrl"] for one in bundle["entry"]]
    assert len(urls) == len(set(urls)) == len(of) + 1
    named = [one["reference"] for section in composition(bundle)["section"] for one in section.get("entry", ())]
    assert sorted(named) == sorted(f"{one['resourceType']}/{one['id']}" for one in of)
    assert all(f"{BASE}/{one}" in urls for one in named)


def test_a_type_that_no_section_names_still_stands_in_the_document() -> None:
    bundle = made([*members(), {"resourceType": "Basic", "id": "b1", "code": {"text": "x"}}])
    assert composition(bundle)["section"][-1] == {"title": "Other", "entry": [{"reference": "Basic/b1"}]}


def test_a_notice_that_must_travel_stands_first_and_no_other_does() -> None:
    first = composition(made(members(PART2), PART2_NOTICE))["section"][0]
    assert first["title"] == "Notice"
    assert notice(PART2_NOTICE).text in first["text"]["div"]
    titles = [one["title"] for one in composition(made(members(PART2)))["section"]]
    assert "Notice" not in titles, "who holds the record itself is told nothing of it"


CONSENTED = Permit("consent", "consistent-with-consent", datetime(2026, 7, 1, 4, tzinfo=UTC))
EMERGENCY = Permit("emergency-2-51", "only-as-consented")


def test_a_consent_that_goes_along_speaks_for_itself_and_the_rule_on_redisclosure_is_said() -> None:
    bundle = made(members(PART2), PART2_NOTICE, permits=[CONSENTED, CONSENTED])
    assert "Consent" in [one["title"] for one in composition(bundle)["section"]]
    said = composition(bundle)["section"][0]["text"]["div"]
    assert said.count("<p>") == 2
    assert said.endswith(f"<p>{redisclosure('consistent-with-consent')}</p></div>")


def test_where_no_consent_goes_along_the_notice_explains_the_scope() -> None:
    without = [one for one in members(PART2) if one["resourceType"] != "Consent"]
    said = composition(made(without, PART2_NOTICE, permits=[CONSENTED, EMERGENCY]))["section"][0]["text"]["div"]
    assert said.count("<p>") == 6
    assert "on the written consent of the patient, which names you." in said
    assert "until 2026-07-01T04:00:00+00:00." in said
    assert "in a medical emergency (42 CFR 2.51)" in said
    assert check(made(without, PART2_NOTICE, permits=[CONSENTED])) == []


def test_the_outside_of_the_document_tells_how_secret_but_not_why() -> None:
    bundle = made(members(PART2))
    assert [one["code"] for one in bundle["meta"]["security"]] == ["R", "HTEST"]
    assert composition(bundle)["meta"] == bundle["meta"]
    assert composition(bundle)["confidentiality"] == "R"
    assert "extension" not in bundle["meta"]["security"][0]
    assert high_water_mark([{"resourceType": "Organization", "id": "o"}]) == []


def test_a_packet_of_unlabelled_members_has_no_empty_meta() -> None:
    bundle = packet(
        [{"resourceType": "Task", "id": "t", "for": {"reference": "Patient/p"}}],
        base=BASE,
        document="d",
        task="t",
        author="hub",
        now=NOW,
    )
    assert "meta" not in bundle
    assert "meta" not in composition(bundle)


def test_a_packet_needs_its_task_and_refuses_a_member_twice() -> None:
    of = members()
    with pytest.raises(ValueError, match="must be one of its members"):
        packet(of, base=BASE, document="d", task="absent", author="hub", now=NOW)
    with pytest.raises(ValueError, match="once"):
        made([*of, of[0]])


def test_members_are_taken_as_they_are() -> None:
    of = members()
    before = json.dumps(of)
    bundle = made(of)
    assert json.dumps(of) == before
    assert [one["resource"] for one in bundle["entry"][1:]] == of


def test_a_narrative_escapes_what_xml_would_read() -> None:
    assert narrative("a < b & c")["div"] == '<div xmlns="http://www.w3.org/1999/xhtml"><p>a &lt; b &amp; c</p></div>'
