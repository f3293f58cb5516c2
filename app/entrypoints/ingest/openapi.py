"""What ``/ingest`` says of itself in the OpenAPI document."""

from typing import Any, Final

_OUTCOME: Final = {"application/fhir+json": {"schema": {"$ref": "#/components/schemas/OperationOutcome"}}}
_ENTRY: Final = {"$ref": "#/components/schemas/LedgerEntry"}

_SCOPE: Final = [{"oauth": ["ingest"]}, {"bearer": ["ingest"]}]
_HL7: Final = "https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185"


def _outcome(text: str) -> dict[str, Any]:
    return {"description": text, "content": _OUTCOME}


_ALWAYS: Final = {
    status: {"$ref": f"#/components/responses/{name}"}
    for status, name in (
        ("401", "Unauthorized"),
        ("403", "Forbidden"),
        ("413", "TooLarge"),
        ("415", "UnsupportedMedia"),
        ("503", "Unavailable"),
    )
}


def _entry(text: str, **headers: Any) -> dict[str, Any]:
    return {"description": text, "headers": headers, "content": {"application/json": {"schema": _ENTRY}}}


_TEXT: Final = {"schema": {"type": "string"}}
_HL7_TYPES: Final = ("application/hl7-v2", "x-application/hl7-v2+er7", "text/plain")

PATHS: Final[dict[str, dict[str, Any]]] = {
    "/ingest/hl7v2": {
        "post": {
            "tags": ["Ways in"],
            "operationId": "ingestHl7v2",
            "summary": "Send an HL7 v2 message or a batch",
            "description": "Scope `ingest`. The acknowledgement is sent after the message is durable. Messages of "
            "one request are taken in order; a batch (BHS) is answered by a batch. AA: accounted for, whatever the "
            "verdict. AE: content that can't be read or filed, with its place in ERR. AR: not taken from this sender, "
            "version or processing id. With the sender's setting `ack` as `enhanced` or `always`, MSH-15 and MSH-16 "
            "decide what is sent: CA, CE or CR first, then AA, AE or AR; the body is empty where nothing is asked "
            f"for. HL7 v2 chapter 2, section 2.9: {_HL7}",
            "security": _SCOPE,
            "requestBody": {"required": True, "content": dict.fromkeys(_HL7_TYPES, _TEXT)},
            "responses": {
                "200": {
                    "description": "Acknowledged: MSA-1 is AA, AE or AR, in enhanced mode also CA, CE or CR. The same "
                    "media type as the request.",
                    "content": dict.fromkeys(_HL7_TYPES, _TEXT),
                },
                "400": _outcome("Not HL7 v2: no acknowledgement can be formed. The ledger has it as rejected."),
                **_ALWAYS,
            },
        }
    },
    "/ingest/events": {
        "post": {
            "tags": ["Ways in"],
            "operationId": "ingestEvents",
            "summary": "Send a discharge event, or one per line",
            "description": "Scope `ingest`. The answer is the event's ledger entry. With `application/x-ndjson` each "
            "line is one event and the answer has one entry per line. The schema also stands alone at "
            "`/schemas/discharge-event.json`. Codes are those of FHIR: "
            "https://hl7.org/fhir/R4/valueset-encounter-discharge-disposition.html, "
            "https://terminology.hl7.org/CodeSystem-v3-ActCode.html",
            "security": _SCOPE,
            "parameters": [
                {
                    "name": "sender",
                    "in": "query",
                    "description": "Id of the interface, where the organisation has several.",
                    "schema": {"type": "string"},
                },
                {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": "Identity of the event instead of its `event_id`; not with NDJSON.",
                    "schema": {"type": "string", "maxLength": 256},
                },
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/DischargeEvent"},
                    },
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            },
            "responses": {
                "200": {
                    **_entry("A replay: the entry of the first copy as it stands now. NDJSON: one entry per line."),
                    "content": {
                        "application/json": {"schema": _ENTRY},
                        "application/x-ndjson": {"schema": {"type": "string"}},
                    },
                },
                "201": _entry(
                    "It opened or changed a referral.",
                    Location={"description": "Path of the source ServiceRequest.", "schema": {"type": "string"}},
                ),
                "202": _entry("Accepted: `waiting`, `review` or `not-ours`."),
                "400": _outcome("Not a discharge event; each issue has a path. The ledger has it as rejected."),
                "422": _entry("This identity was already used for other content."),
                **_ALWAYS,
            },
        }
    },
}
