"""Words for tests of verdicts."""

from fhir_mappings.triage import Triage, judge
from schemas.discharge import Diagnosis
from schemas.facts import Facts
from tests.unit.stories import assembled, facts


def verdict(*messages: Facts) -> Triage:
    """Of a visit with these messages."""
    return judge(assembled(*messages))


def codes(triage: Triage) -> set[str]:
    """Its reasons."""
    return {reason.code for reason in triage.reasons}


def diagnosed(*diagnoses: Diagnosis, **more: object) -> Facts:
    """ADT^A03."""
    return facts("ADT^A03", "discharge", "06-09 12:00", diagnoses=list(diagnoses), **more)
