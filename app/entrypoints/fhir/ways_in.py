"""What the two ways in for FHIR say of themselves in the OpenAPI document: ``$process-message`` and transaction."""

from typing import Any, Final

Json = dict[str, Any]
_FHIR: Final = "application/fhir+json"
_SPEC: Final = "https://hl7.org/fhir/R4"
_BUNDLE: Final = {_FHIR: {"schema": {"$ref": "#/components/schemas/Bundle"}}}
_SENDER: Final = {
    "name": "sender",
    "in": "query",
    "description": "Id of the interface, where the organisation has several.",
    "schema": {"type": "string"},
}
_REFUSALS: Final = {
    status: {"$ref": f"#/components/responses/{name}"}
    for status, name in (
        ("400", "BadRequest"),
        ("401", "Unauthorized"),
        ("403", "Forbidden"),
        ("406", "NotAcceptable"),
        ("413", "TooLarge"),
        ("415", "UnsupportedMedia"),
        ("422", "Unprocessable"),
        ("503", "Unavailable"),
    )
}


def _operation(kind: str, summary: str, text: str, answer: str) -> Json:
    return {
        "tags": ["Ways in"],
        "operationId": kind,
        "summary": summary,
        "description": f"{text} Scope `ingest`.",
        "security": [{"oauth": ["ingest"]}, {"bearer": ["ingest"]}],
        "parameters": [_SENDER],
        "requestBody": {"required": True, "content": {_FHIR: {**_BUNDLE[_FHIR]}}},
        "responses": {"200": {"description": answer, "content": {_FHIR: {**_BUNDLE[_FHIR]}}}, **_REFUSALS},
    }


_TRANSACTION: Final = (
    "A transaction Bundle of one person and one stay: Encounter, Condition, medication, Coverage and what else tells of"
    " it; with a source Task and its ServiceRequest it asks for the referral by name. Entries are POST or PUT. Nothing "
    "is kept as it was sent: it is read into the visit, and what a referral needs of it is built under ids of this "
    "server; what a PUT names stays as identifier. The answer has an entry for each entry, with the location of what "
    "came of it, and the ledger's state as outcome. All or nothing; a resource type that is not taken is refused by "
    f"name and place, and so is a batch. {_SPEC}/http.html#transaction, "
    "https://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition-SDOHCC-TaskForReferralManagement.html"
)
_PROCESS_MESSAGE: Final = (
    "A message Bundle with an event of Da Vinci Unsolicited Notifications; the focus is the Encounter. The answer is a "
    "response message, after the message is durable. A message that is refused is answered by an HTTP error, since who "
    "sends notifications looks at nothing else. The same message again (Bundle.identifier, else MessageHeader.id) has "
    f"the same answer and no second effect. {_SPEC}/messaging.html, https://hl7.org/fhir/us/davinci-alerts/"
)
PATHS: Final[dict[str, Json]] = {
    "/fhir/R4": {
        "post": _operation(
            "transaction", "Write a stay, and ask for a referral by name", _TRANSACTION, "A transaction-response."
        )
    },
    "/fhir/R4/$process-message": {
        "post": _operation(
            "processMessage",
            "Send a notification of an admission, a transfer or a discharge",
            _PROCESS_MESSAGE,
            "The response message: MessageHeader.response, and the ledger's state as OperationOutcome.",
        )
    },
}
