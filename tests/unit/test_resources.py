"""Resource specs: found by listing, and their search parameters read what FHIR R4 says they read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

import schemas.resources
from schemas.resources import ALL
from schemas.resources.base import Kind, SearchParam, fold
from schemas.resources.times import OPEN_END, OPEN_START, date_range
from tests.unit.gate_samples import SAMPLES, sample

NOT_TYPES = {"__init__", "base", "profiles", "times"}
TASK = sample("TaskForReferralManagement")
REQUEST = sample("us-core-servicerequest")
EVERY = [(spec.type, param) for spec in ALL.values() for param in spec.search]


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000_000)


def test_every_module_of_the_folder_is_a_type_known_to_all() -> None:
    modules = {path.stem for path in Path(schemas.resources.__path__[0]).glob("*.py")} - NOT_TYPES
    assert {spec_type.lower() for spec_type in ALL} == {name.replace("_", "") for name in modules}


def test_the_columns_of_a_task_are_its_poll_fields() -> None:
    assert ALL["Task"].columns(TASK) == {
        "status": "requested",
        "owner": "Organization/otp",
        "requester": "Organization/hospital",
        "patient": "Patient/p1",
        "focus": "ServiceRequest/s1",
        "code": "http://hl7.org/fhir/CodeSystem/task-code|fulfill",
        "intent": "order",
        "priority": "urgent",
        "part_of": "Task/t0",
        "group_identifier": "urn:example:group|HTEST-1",
        "authored_on": micros("2026-01-02T03:04:05Z"),
    }


def found(resource_type: str, resource: dict[str, Any]) -> list[tuple[str, Any]]:
    """Every value that a search can ask for and that no typed column holds."""
    params = ALL[resource_type].params.values()
    return [
        (p.name, value)
        for p in params
        if p.many or not p.column
        for value in p.extract(resource)[1 if p.column else 0 :]
    ]


def test_only_selective_parameters_stand_in_the_index() -> None:
    found = [("part-of", "Task/t9"), ("identifier", "urn:example:hospital|HTEST-66666666"), ("output", "Procedure/x1")]
    assert ALL["Task"].index(TASK) == found
    assert ALL["Patient"].index({"identifier": [{"system": "urn:x", "value": "1"}]}) == [("identifier", "urn:x|1")]
    targets = [{"reference": "Task/1/_history/2"}, {"reference": "Condition/2"}]
    assert ALL["Provenance"].index({"target": targets}) == [("target", "Task/1")]


def test_the_values_of_a_task_are_found() -> None:
    start, end = micros("2026-01-02T03:04:05.5Z"), micros("2026-01-02T03:04:05.6Z")
    rows = found("Task", TASK)
    assert set(rows) == {
        ("_profile", TASK["meta"]["profile"][0]),
        ("_security", "http://terminology.hl7.org/CodeSystem/v3-ActReason|HTEST"),
        ("part-of", "Task/t9"),
        ("subject", "Patient/p1"),
        ("business-status", "urn:example:business|needs-a-person"),
        ("identifier", "urn:example:hospital|HTEST-66666666"),
        ("modified", (start, end)),
        ("period", (micros("2026-01-02T00:00:00Z"), micros("2026-01-03T00:00:00Z"))),
        ("encounter", "Encounter/e1"),
        ("output", "Procedure/x1"),
    }
    assert len(rows) == len(set(rows))


def test_the_columns_of_a_servicerequest_leave_based_on_performer_and_category_to_other_searches() -> None:
    columns = ALL["ServiceRequest"].columns(REQUEST)
    assert set(columns) == {"status", "intent", "priority", "code", "patient", "requester", "authored_on"}
    assert columns["authored_on"] == micros("2026-01-02T08:04:05Z")
    rows = found("ServiceRequest", REQUEST)
    assert ("code", "|local") in rows
    assert ("category", "http://snomed.info/sct|410606002") in rows
    assert ("occurrence", (micros("2026-01-02T00:00:00Z"), OPEN_END)) in rows
    assert [value for name, value in rows if name == "supporting-info"] == ["MedicationAdministration/m1"]


def test_includes_follow_local_references_only() -> None:
    task = {**TASK, "focus": {"reference": "https://ehr.example.org/ServiceRequest/1"}}
    includes = ALL["Task"].references
    assert includes["Task:focus"](task) == []
    assert includes["Task:owner"](task) == ["Organization/otp"]
    assert includes["Task:patient"](task) == ["Patient/p1"]
    assert includes["Task:output"](task) == ["Procedure/x1"]
    assert includes["Task:part-of"](task) == ["Task/t0", "Task/t9"]
    assert "ServiceRequest:supporting-info" in ALL["ServiceRequest"].references


def test_patient_is_the_subject_only_where_that_is_a_patient() -> None:
    param = ALL["Task"].params["patient"]
    assert param.extract({"for": {"reference": "Group/1"}}) == []
    assert param.extract({"for": {"reference": "urn:uuid:1", "type": "Patient"}}) == ["urn:uuid:1"]
    assert param.extract({"for": {"reference": "https://x.example/Patient/1"}}) == ["https://x.example/Patient/1"]


def test_contained_and_logical_references_are_not_indexed() -> None:
    extract = ALL["Task"].params["owner"].extract
    assert extract({"owner": {"reference": "#me"}}) == []
    assert extract({"owner": {"identifier": {"value": "1"}}}) == []


def test_names_phones_and_dates_of_a_patient_are_found() -> None:
    rows = found("Patient", sample("us-core-patient"))
    assert {("family", "Htest"), ("given", "Sám"), ("given", "Lee"), ("name", "Lee")} <= set(rows)
    assert [value for name, value in rows if name == "phone"] == ["|555-0100"]
    assert [value for name, value in rows if name == "email"] == ["|htest@example.org"]
    assert ("gender", "http://hl7.org/fhir/administrative-gender|male") in rows
    assert ("birthdate", (micros("1991-04-02T00:00:00Z"), micros("1991-04-03T00:00:00Z"))) in rows


def test_a_token_has_its_system_but_in_a_column_whose_system_fhir_fixes() -> None:
    for spec in ALL.values():
        for param in spec.params.values():
            assert not param.system or param.column in {"status", "intent", "priority"}
    for url in SAMPLES:
        spec = ALL[SAMPLES[url]["resourceType"]]
        assert all(
            "|" in str(value) for name, value in found(spec.type, SAMPLES[url]) if spec.params[name].kind == "token"
        )


def test_a_profile_is_found_with_and_without_its_version() -> None:
    rows = found("Patient", {"meta": {"profile": ["http://x.example/p|1.0"]}})
    assert set(rows) == {("_profile", "http://x.example/p|1.0"), ("_profile", "http://x.example/p")}


def test_events_of_a_timing_are_dates() -> None:
    rows = found("MedicationRequest", sample("us-core-medicationrequest"))
    assert len([1 for name, _ in rows if name == "date"]) == 2


def test_null_beside_a_primitive_extension_is_no_value() -> None:
    patient = {"name": [{"given": [None, "Sam"], "_given": [{"id": "x"}, None]}], "meta": {"profile": [None]}}
    assert found("Patient", patient) == [("name", "Sam"), ("given", "Sam")]


@pytest.mark.parametrize("url", SAMPLES)
def test_extractors_read_every_valid_sample(url: str) -> None:
    spec = ALL[SAMPLES[url]["resourceType"]]
    assert {name for name, _ in found(spec.type, SAMPLES[url])} <= set(spec.params)
    assert all(isinstance(value, (str, int)) for value in spec.columns(SAMPLES[url]).values())


def _at(model: Any, step: str) -> Any:
    """The class below an element of a library class; None where the element is unknown."""
    field = next((f for name, f in model.model_fields.items() if (f.alias or name) == step), None)
    if field is None:
        return None
    annotation = field.annotation
    while get_args(annotation):
        annotation = next(a for a in get_args(annotation) if a is not type(None))
    return annotation.get_model_klass() if hasattr(annotation, "get_model_klass") else str


@pytest.mark.parametrize(("kind", "param"), EVERY, ids=[f"{kind}:{param.name}" for kind, param in EVERY])
def test_a_parameter_reads_elements_that_exist(kind: str, param: SearchParam) -> None:
    assert param.kind in get_args(Kind)
    assert param.paths
    for path in param.paths:
        model = get_fhir_model_class(kind)
        for step in path.split("."):
            model = _at(model, step)
            assert model is not None, path


def test_parameter_names_are_unique_and_columns_belong_to_task_and_servicerequest() -> None:
    for spec in ALL.values():
        assert len(spec.params) == len(spec.search) + 6 * bool(spec.search)
        columns = [param.column for param in spec.search if param.column]
        assert len(columns) == len(set(columns))
        assert not columns or spec.type in {"Task", "ServiceRequest"}


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2026-06-05T14:10Z", "2026-06-05T14:10:00Z", "2026-06-05T14:11:00Z"),
        ("2026-06-05T14:10:00-04:00", "2026-06-05T18:10:00Z", "2026-06-05T18:10:01Z"),
        ("2026-06-05T14:10:00.000123Z", "2026-06-05T14:10:00.000123Z", "2026-06-05T14:10:00.000124Z"),
        ("2026-06-05T14:10:00.0001239Z", "2026-06-05T14:10:00.000123Z", "2026-06-05T14:10:00.000124Z"),
        ("2026-06-05T23:59:60+14:00", "2026-06-05T10:00:00Z", "2026-06-05T10:00:01Z"),
    ],
)
def test_a_date_is_the_range_it_says(text: str, start: str, end: str) -> None:
    assert date_range(text) == (micros(start), micros(end))


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-02-30", "2026-1-1", "2026-06-05T24:00Z", "x", "2026-06-05T1Z"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert date_range(text) is None


def test_the_last_year_and_open_periods_stay_in_64_bits() -> None:
    assert date_range("9999") == (micros("9999-01-01T00:00:00Z"), OPEN_END)
    assert -(1 << 63) < OPEN_START < OPEN_END < 1 << 63


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_starts_its_range(moment: datetime) -> None:
    found = date_range(f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0"))
    assert found is not None
    assert found[1] - found[0] == 1


def test_strings_fold_case_accents_and_spaces() -> None:
    assert fold("  ÉLAN  Ñandú ") == fold("elan nandu")
