"""DocumentReference: a document and where it is (FHIR R4 10.3)."""

from schemas.resources.base import AUTHORED, ResourceSpec, code, date, patient, reference, string, token, uri

SPEC = ResourceSpec(
    type="DocumentReference",
    interactions=AUTHORED,
    search=(
        token("identifier", "masterIdentifier", "identifier"),
        code("status", "status", "http://hl7.org/fhir/document-reference-status"),
        patient("subject"),
        reference("subject", "subject", targets=("Practitioner", "Group", "Device", "Patient")),
        token("type", "type"),
        token("category", "category"),
        date("date", "date"),
        date("period", "context.period"),
        reference(
            "author",
            "author",
            targets=("Practitioner", "Organization", "Device", "Patient", "PractitionerRole", "RelatedPerson"),
        ),
        reference("authenticator", "authenticator", targets=("Practitioner", "Organization", "PractitionerRole")),
        reference("custodian", "custodian", targets=("Organization",)),
        reference("encounter", "context.encounter", targets=("Encounter", "EpisodeOfCare")),
        reference("related", "context.related"),
        reference("relatesto", "relatesTo.target", targets=("DocumentReference",)),
        string("description", "description"),
        uri("location", "content.attachment.url"),
        token("event", "context.event"),
        token("facility", "context.facilityType"),
        token("setting", "context.practiceSetting"),
        token("format", "content.format"),
        token("security-label", "securityLabel"),
    ),
    indexed=frozenset({"identifier", "patient"}),
)
