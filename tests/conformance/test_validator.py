"""The HL7 validator accepts what the hub says, and agrees with the gate; where not, a rule says why."""

from collections.abc import Iterator

import pytest
import pytest_asyncio

from tests.conformance import judged, validator
from tests.conformance.cases import CASES
from tests.conformance.emitted import CORPUS, VISITS
from tests.conformance.explained import GATE_ONLY, OF_EMITTED, REMARKS, VALIDATOR_ONLY, of_error, remark_of, rules_of
from tests.conformance.judged import Emission
from tests.conformance.validator import Document, Validator
from tests.conformance.verdicts import Verdict
from tests.requirements import missing


@pytest.fixture(scope="module")
def hl7() -> Iterator[Validator]:
    validator.require()
    for folder in (*CORPUS, VISITS, CASES):
        if not folder.is_dir():
            missing("shared", f"../shared/{folder.name} is not here")
    with validator.running() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emission(hl7: Validator) -> Emission:
    return await judged.emission(hl7)


@pytest.fixture(scope="module")
def verdicts(hl7: Validator) -> dict[str, list[Verdict]]:
    return {"cases": judged.of_cases(hl7), "mutations": judged.of_mutations(hl7)}


def test_a_planted_fault_of_each_sort_is_found(hl7: Validator) -> None:
    us_core = ("http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient|7.0.0",)
    found = hl7.judge(
        [
            Document("sound", '{"resourceType": "Patient", "gender": "other"}'),
            Document("date", '{"resourceType": "Patient", "birthDate": "2026-02-30"}'),
            Document("invariant", '{"resourceType": "Patient", "contact": [{"gender": "other"}]}'),
            Document("profile", '{"resourceType": "Patient", "gender": "other"}', us_core),
            Document("text", "{"),
        ]
    )
    assert {name for name, issues in found.items() if any(issue.wrong for issue in issues)} == set(found) - {"sound"}


def test_the_validator_finds_no_error_in_what_the_hub_says(emission: Emission) -> None:
    assert emission.unexplained_errors() == []
    kinds = {one.kind for one in emission.said}
    assert kinds >= {"Task", "Patient", "Provenance", "Consent", "OperationOutcome", "CapabilityStatement"}
    assert kinds >= {
        f"Bundle:{kind}" for kind in ("searchset", "history", "document", "message", "transaction-response")
    }
    assert {one.world for one in emission.said} == {"demo", "visits", "corpus", "examples", "built"}


def test_every_warning_is_of_a_kind_that_is_listed(emission: Emission) -> None:
    assert emission.unlisted_warnings() == {}


@pytest.mark.parametrize(("source", "fewest"), [("cases", 50), ("mutations", judged.MUTATIONS)])
def test_the_gate_and_the_validator_agree_or_a_rule_says_why_not(
    verdicts: dict[str, list[Verdict]], source: str, fewest: int
) -> None:
    assert judged.unexplained(verdicts[source]) == []
    assert len(verdicts[source]) >= fewest
    assert any(one.agreed and one.problems for one in verdicts[source])
    assert any(one.agreed and not one.problems for one in verdicts[source])


def test_no_rule_is_left_over(emission: Emission, verdicts: dict[str, list[Verdict]]) -> None:
    differing = (one for found in verdicts.values() for one in found if not one.agreed)
    used = {rule for one in differing for rule in rules_of(one)}
    assert [rule.name for rule in (*VALIDATOR_ONLY, *GATE_ONLY) if rule not in used] == []
    remarks = [issue for _, issue in emission.remarks()]
    of_errors = {of_error(OF_EMITTED, issue) for issue in remarks if issue.wrong}
    assert [rule.name for rule in OF_EMITTED if rule not in of_errors] == []
    listed = {remark_of(issue) for issue in remarks if issue.severity == "warning"}
    assert [remark.name for remark in REMARKS if remark not in listed] == []
