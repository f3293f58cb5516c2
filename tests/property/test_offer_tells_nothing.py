"""Whatever a visit says and whatever stands in the full resources, an offer tells none of it word for word."""

import json
import re
from datetime import date, timedelta
from typing import Any, Final, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.building.offer import Offer, Policies, Product, facts_of, offer_of
from fhir_mappings.gate import check
from fhir_mappings.labels import Resource
from schemas.codes import local
from schemas.discharge import DischargeEvent, NeedKind
from tests.unit.build_events import NOW, PART2, PARTIES, asked, body, ids

PERSON: Final = "HTESTCANARY"
"""Every free text and identifier of a visit is made to hold it."""
EXACT: Final = re.compile(r"\d{4}-\d{2}-\d{2}|T\d{2}:\d{2}")
FREE: Final = frozenset(
    {
        *("family", "given", "text", "lines", "city", "postal_code", "phones", "phone", "name", "where", "best_time"),
        *("unit", "destination", "value", "display", "given_by", "verified_by", "call_back", "supplies_given"),
        *("psychiatric_acuity", "mobility", "result", "payer", "member_id", "plan", "patient_choice", "recipients"),
        *("what", "route", "state", "country", "language"),
    }
)
"""Names of what a sender writes as it likes."""
WORDS: Final = st.text(alphabet="abcdefghijklmnopqrstuvwxyzé ", min_size=1, max_size=12)


def marked(element: Any, word: str, name: str = "") -> Any:
    """``element`` with the canary and ``word`` in every free text."""
    if isinstance(element, dict):
        return {key: marked(inner, word, key) for key, inner in element.items()}
    if isinstance(element, list):
        return [marked(inner, word, name) for inner in element]
    return f"{PERSON}{word}" if isinstance(element, str) and name in FREE and element != "unknown" else element


def crowded(resource: Resource, word: str, at: str) -> Resource:
    """A full resource with identity in every element that may hold some."""
    text = f"{PERSON}{word}"
    pointer = {"reference": f"Patient/{PERSON}", "display": text}
    concept = {"coding": [{"system": f"urn:{PERSON}", "code": PERSON, "display": text}], "text": text}
    more = {
        "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'},
        "identifier": [{"system": f"urn:{PERSON}", "value": text}],
        "groupIdentifier": {"system": f"urn:{PERSON}", "value": text},
        "requisition": {"system": f"urn:{PERSON}", "value": text},
        "basedOn": [{"reference": f"ServiceRequest/{PERSON}"}],
        "partOf": [{"reference": f"Task/{PERSON}"}],
        "reasonCode": concept if resource["resourceType"] == "Task" else [concept],
        "statusReason": concept,
        "businessStatus": concept,
        "description": text,
        "note": [{"text": text, "time": at}],
        "performerType": [concept],
        "bodySite": [concept],
        "locationCode": [concept],
        "location": pointer,
        "requester": pointer,
        "encounter": pointer,
        "for": pointer,
        "subject": pointer,
        "owner": {**resource.get("owner", {}), "display": text},
        "code": concept,
        "category": [concept],
        "orderDetail": [concept],
        "authoredOn": at,
        "lastModified": at,
        "occurrenceDateTime": at,
        "executionPeriod": {"start": at},
        "restriction": {"period": {"end": at}},
        "extension": [{"url": f"urn:{PERSON}", "valueString": text}],
        "input": [{"type": concept, "valueString": text}],
        "output": [{"type": concept, "valueReference": pointer}],
        "contained": [{"resourceType": "Patient", "id": PERSON}],
        "implicitRules": f"urn:{PERSON}",
        "language": "es",
    }
    meta = {**resource["meta"], "source": f"urn:{PERSON}", "tag": [{"system": f"urn:{PERSON}"}], "lastUpdated": at}
    return {**resource, **more, "meta": meta}


@st.composite
def offers(draw: st.DrawFn) -> tuple[DischargeEvent, Offer]:
    word = draw(WORDS)
    stated = marked(body("full"), word)
    stated["patient"]["birth_date"] = draw(st.dates(date(1920, 1, 1), NOW.date())).isoformat()
    event = DischargeEvent.model_validate(stated)
    request, task = asked(event, PART2)
    at = (NOW + timedelta(minutes=draw(st.integers(-100_000, 100_000)))).isoformat()
    facts = facts_of(
        event,
        need=draw(st.sampled_from(get_args(NeedKind))),
        product=draw(st.sampled_from(get_args(Product))),
        due=draw(st.none() | st.integers(-9000, 9000).map(lambda minutes: NOW + timedelta(minutes=minutes))),
        now=NOW,
        gendered=draw(st.booleans()),
        policies=draw(st.sampled_from(get_args(Policies))),
        complete=draw(st.booleans()),
    )
    full = (crowded(request, word, at), crowded(task, word, at))
    return event, offer_of(*full, facts=facts, parties=PARTIES, ids=ids, labels=PART2)


@settings(max_examples=150, deadline=None)
@given(offers())
def test_an_offer_holds_no_word_no_number_and_no_instant_of_the_person(made: tuple[DischargeEvent, Offer]) -> None:
    event, offer = made
    written = json.dumps(offer, ensure_ascii=False)
    assert PERSON not in written
    assert EXACT.search(written) is None
    for instant in (event.patient.birth_date, event.occurred_at, event.visit.admitted_at):
        assert str(instant) not in written
    assert PARTIES.hospital_name not in written
    assert f"Organization/{PARTIES.hospital}" not in written
    assert "mg" not in written.lower()


@settings(max_examples=150, deadline=None)
@given(offers())
def test_every_text_and_code_of_an_offer_is_one_that_was_written_here(made: tuple[DischargeEvent, Offer]) -> None:
    displays = {meaning.display for codes in local.CODES.values() for meaning in codes.values()}
    for one in made[1]:
        assert check(one) == []
        assert set(texts(one)) <= displays | {
            PARTIES.hub_name,
            "Fulfill the focal request",
            "Referral to substance use disorder treatment program (procedure)",
            "Referral to peer support (procedure)",
            "42 CFR Part2",
        }


def texts(element: Any) -> list[str]:
    """Every display and text."""
    if isinstance(element, dict):
        own = [element[name] for name in ("display", "text", "description", "valueString") if name in element]
        return own + [text for inner in element.values() for text in texts(inner)]
    return [text for inner in element for text in texts(inner)] if isinstance(element, list) else []
