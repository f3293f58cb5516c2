import json
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.dialects.event_json.dialect import DIALECT, Refused, parse, to_facts
from fhir_mappings.dialects.event_json.targets import TARGETS
from schemas.discharge import Circumstances, DischargeEvent, Medication, Patient, VisitDetails
from schemas.sender import Sender

SENDER = Sender(id="s", organization="org", dialect="event_json", timezone="America/Chicago")
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SAMPLES = Path(__file__).parents[2] / "fhir_mappings" / "dialects" / "event_json" / "samples"


def event(**changes: Any) -> dict[str, Any]:
    smallest: dict[str, Any] = {
        "schema_version": "1",
        "event_id": "htest-1",
        "kind": "discharge",
        "occurred_at": "2026-06-05T14:10:00-04:00",
        "patient": {"identifiers": [{"system": "urn:oid:1.2.3", "value": "HTEST1"}]},
        "visit": {"identifiers": [{"system": "urn:oid:1.2.4", "value": "V1"}]},
    }
    return {**smallest, **changes}


def medication(**changes: Any) -> dict[str, Any]:
    return {"product": {"system": RXNORM, "code": "991147"}, "schedule": {"interval": "PT24H"}, **changes}


def faults(data: dict[str, Any] | bytes) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        parse(data, SENDER)
    return dict(refused.value.faults)


@pytest.mark.parametrize("kind", ["expected-discharge", "discharge", "update", "cancel-discharge", "cancel-visit"])
def test_the_kind_of_the_event_is_the_kind_of_the_fact(kind: str) -> None:
    facts = DIALECT.read(event(kind=kind), SENDER).facts
    assert (facts.kind, facts.trigger, facts.handled) == (kind, "event", True)
    assert facts.visit_status_ended is (True if kind == "discharge" else None)


def test_a_time_without_offset_is_in_the_senders_zone() -> None:
    facts = DIALECT.read(event(occurred_at="2026-06-05T14:10:00"), SENDER).facts
    assert facts.at.isoformat() == "2026-06-05T14:10:00-05:00"


def test_bytes_and_the_parsed_object_say_the_same() -> None:
    data = event(medications=[medication()])
    assert DIALECT.read(json.dumps(data).encode(), SENDER) == DIALECT.read(data, SENDER)


def test_a_medication_becomes_an_order_its_doses_and_its_supplies() -> None:
    doses = [{"at": "2026-06-05T09:00:00-04:00", "amount": 80, "unit": "mg"}, {"at": "2026-06-04", "held": True}]
    bridges = [{"kind": "dispensed", "days": 2, "filled": "yes"}, {"kind": "take-home", "doses": 3}]
    facts = DIALECT.read(event(medications=[medication(doses=doses, bridges=bridges, dose_number=2)]), SENDER).facts
    (order,) = facts.orders
    assert (order.interval, order.dose_number, order.withdrawn, order.discharge) == ("PT24H", 2, False, False)
    assert [(dose.outcome, dose.held, dose.order) for dose in facts.doses] == [
        ("complete", False, order.key),
        ("not-given", True, order.key),
    ]
    assert [(supply.kind, supply.days, supply.doses, supply.filled) for supply in facts.supplies] == [
        ("dispensed", 2, None, "yes"),
        ("take-home", None, 3, "unknown"),
    ]


def test_the_same_event_again_has_the_same_keys_and_an_update_keeps_them() -> None:
    bridges = [{"kind": "prescribed", "days": 7}, {"kind": "prescribed", "days": 3}]
    doses = [{"at": "2026-06-05T09:00:00-04:00"}]
    first = DIALECT.read(event(medications=[medication(doses=doses, bridges=bridges)]), SENDER).facts
    bridges[0]["days"] = 5
    later = event(
        kind="update", occurred_at="2026-06-06T09:00:00-04:00", medications=[medication(doses=doses, bridges=bridges)]
    )
    second = DIALECT.read(later, SENDER).facts
    keys = [
        [order.key for order in facts.orders] + [dose.key for dose in facts.doses] + [one.key for one in facts.supplies]
        for facts in (first, second)
    ]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 4


def test_every_circumstance_reaches_the_facts() -> None:
    sample = (SAMPLES / "discharge.json").read_bytes()
    full = DischargeEvent.model_validate_json(sample, context={"zone": SENDER.zone()})
    circumstances = to_facts(full).circumstances
    assert circumstances is not None
    for name in Circumstances.model_fields:
        assert getattr(full, name) == getattr(circumstances, name)
        assert getattr(full, name) not in (None, []), f"the sample does not show {name}"


@pytest.mark.parametrize(
    ("changes", "path", "rule"),
    [
        ({"favourite": 1}, "favourite", "unknown field"),
        ({"patient": {"ssn": "1"}}, "patient.ssn", "unknown field"),
        ({"occurred_at": "2026-06-05"}, "occurred_at", "expected an instant with date and time"),
        ({"occurred_at": "2026-13-45T00:00:00Z"}, "occurred_at", "not a valid date, time or value"),
        ({"patient": {"birth_date": 670550400}}, "patient.birth_date", "expected a date as text"),
        ({"patient": {"birth_date": "1991-04"}}, "patient.birth_date", "expected a date as text"),
        ({"kind": "admit"}, "kind", "Input should be 'expected-discharge'"),
        ({"medications": [{"product": {"code": ""}}]}, "medications[0].product.code", "at least 1 character"),
        ({"clinical": {"qtc_ms": "HTESTSECRET"}}, "clinical.qtc_ms", "Input should be"),
        (
            {"medications": [{"product": {"code": "1"}, "doses": [{"at": "HTESTSECRET0"}]}]},
            "medications[0].doses[0].at",
            "not a valid",
        ),
    ],
)
def test_an_error_names_path_and_rule(changes: dict[str, Any], path: str, rule: str) -> None:
    found = faults(event(**changes))
    assert rule in found[path]
    assert "HTESTSECRET" not in repr(found)


def test_the_name_of_an_unknown_field_is_cut_down_to_harmless_characters() -> None:
    (path,) = faults(event(**{"<b>Sam Htest</b>" + "x" * 99: 1}))
    assert path.startswith("_b_Sam_Htest__b_xx")
    assert len(path) == 64


def test_an_error_of_a_nested_union_has_no_type_name_in_its_path() -> None:
    assert set(faults(event(clinical={"pregnant": "maybe"}))) == {"clinical.pregnant"}


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff\xfe{}", b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"]
)
def test_what_is_no_json_is_refused_without_quoting_it(data: bytes) -> None:
    assert list(faults(data)) in ([""], ["x"])


@pytest.mark.parametrize("data", [b"[1]", b'"x"', b"null"])
def test_json_that_is_no_object_is_refused(data: bytes) -> None:
    assert "valid dictionary" in faults(data)[""]


def test_a_lone_surrogate_is_refused() -> None:
    assert "patient.name.family" in faults(event(patient={"name": {"family": "\ud800"}}))


def test_the_inner_error_is_not_kept_because_it_holds_the_input() -> None:
    with pytest.raises(Refused) as refused:
        parse(event(kind="HTESTSECRET"), SENDER)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


def test_an_event_without_any_identifier_cant_be_filed() -> None:
    data = event(patient={}, visit={})
    assert DIALECT.filing(data, DIALECT.read(data, SENDER).facts) is not None
    assert DIALECT.filing(event(), DIALECT.read(event(), SENDER).facts) is None


def test_every_field_of_the_event_has_a_target_and_no_target_is_without_a_field() -> None:
    def names(model: type[Any], prefix: str) -> set[str]:
        return {f"{prefix}{field.alias or name}" for name, field in model.model_fields.items()}

    expected = names(DischargeEvent, "") - {"patient", "visit", "medications"}
    expected |= names(Patient, "patient.") | names(VisitDetails, "visit.") | names(Medication, "medications.")
    assert set(TARGETS) == expected
