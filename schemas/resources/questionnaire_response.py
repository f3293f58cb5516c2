"""QuestionnaireResponse: a form that was filled in (FHIR R4 4.37)."""

from schemas.resources.base import (
    AUTHORED,
    Invariant,
    Resource,
    ResourceSpec,
    code,
    date,
    patient,
    reference,
    token,
)


def _nested_once(response: Resource) -> bool:
    """No item has both answers and items of its own, at any depth."""
    for item in response.get("item", ()):
        answers = item.get("answer", ())
        if (answers and item.get("item")) or not _nested_once(item) or not all(map(_nested_once, answers)):
            return False
    return True


SPEC = ResourceSpec(
    type="QuestionnaireResponse",
    interactions=AUTHORED,
    search=(
        token("identifier", "identifier"),
        code("status", "status", "http://hl7.org/fhir/questionnaire-answers-status"),
        patient("subject"),
        reference("subject", "subject"),
        date("authored", "authored"),
        reference(
            "author",
            "author",
            targets=("Practitioner", "Organization", "Device", "Patient", "PractitionerRole", "RelatedPerson"),
        ),
        reference("source", "source", targets=("Practitioner", "Patient", "PractitionerRole", "RelatedPerson")),
        reference("encounter", "encounter", targets=("Encounter",)),
        reference("based-on", "basedOn", targets=("CarePlan", "ServiceRequest")),
        reference("part-of", "partOf", targets=("Observation", "Procedure")),
    ),
    invariants=(
        Invariant(
            "qrs-1",
            "items beneath an item or beneath its answers, not both",
            "QuestionnaireResponse",
            _nested_once,
            element="item",
        ),
    ),
    indexed=frozenset({"identifier", "patient", "based-on"}),
)
