"""What is said of the addresses that take whole Bundles: ``$process-message``, batch and transaction."""

from typing import Final

from app.entrypoints.fhir.openapi.parts import BASE, NOTICE, SPEC, TEXT, Json, body, parameter, refusals, sent

_SENDER: Final = parameter("sender", "query", "Id of the interface, where the organisation has several.", TEXT)
_BUNDLE: Final = (
    "A **batch** is answered entry by entry, each as if it had been sent alone with that token. A **transaction** is "
    "all or nothing: `fullUrl` urn:uuid and conditional references are resolved, what is read is read after what is "
    "written, and a resource that two entries write is refused with both named. A transaction with the scope `ingest` "
    "that tells of a stay (Encounter, Condition, medication, Coverage and what else belongs to it, of one person) is "
    "intake: nothing is kept as it was sent; it is read into the visit, and what a referral needs of it is built under "
    "ids of this server. With a source Task and its ServiceRequest it asks for the referral by name. The answer has an "
    "entry for each entry, with the location of what came of it, and the ledger's state as outcome. "
    f"{SPEC}/http.html#transaction, "
    "https://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition-SDOHCC-TaskForReferralManagement.html"
)
_PROCESS_MESSAGE: Final = (
    "A message Bundle with an event of Da Vinci Unsolicited Notifications; the focus is the Encounter. The answer is a "
    "response message, after the message is durable. A message that is refused is answered by an HTTP error, since who "
    "sends notifications looks at nothing else. The same message again (Bundle.identifier, else MessageHeader.id) has "
    f"the same answer and no second effect. {SPEC}/messaging.html, https://hl7.org/fhir/us/davinci-alerts/"
)
_READ: Final = ("400", "401", "403", "406", "413", "415", "422", "503")


def _operation(kind: str, scope: list[str], summary: str, text: str, answer: str, *more: str) -> Json:
    return {
        "tags": ["Ways in"],
        "operationId": kind,
        "summary": summary,
        "description": text,
        "security": [{"oauth": scope}, {"bearer": scope}],
        "parameters": [_SENDER],
        "requestBody": sent("Bundle"),
        "responses": {"200": body(answer, "Bundle", NOTICE), **refusals(*sorted((*_READ, *more)))},
    }


PATHS: Final[dict[str, Json]] = {
    BASE: {
        "post": _operation(
            "transaction",
            [],
            "Many requests as one: batch and transaction",
            f"{_BUNDLE} Scopes are those of the entries, or `ingest`.",
            "A batch-response or transaction-response.",
            *("404", "405", "409", "410", "412"),
        )
    },
    f"{BASE}/$process-message": {
        "post": _operation(
            "processMessage",
            ["ingest"],
            "Send a notification of an admission, a transfer or a discharge",
            f"{_PROCESS_MESSAGE} Scope `ingest`.",
            "The response message: MessageHeader.response, and the ledger's state as OperationOutcome.",
        )
    },
}
