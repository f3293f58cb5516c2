"""What Schemathesis must be told of the hub (its SCHEMATHESIS_HOOKS): media types that are text."""

import schemathesis

schemathesis.serializer.alias(
    ["application/hl7-v2", "x-application/hl7-v2+er7", "application/x-ndjson"],
    "text/plain",
)
