"""Request headers of FHIR operations; each stands once in the document."""

from typing import Final

from app.entrypoints.fhir.openapi.parts import TEXT, Json, parameter

IF_MATCH: Final = "If-Match"
IF_NONE_MATCH: Final = "If-None-Match"
IF_MODIFIED_SINCE: Final = "If-Modified-Since"
IF_NONE_EXIST: Final = "If-None-Exist"
PREFER_RETURN: Final = "Prefer.return"
PREFER_HANDLING: Final = "Prefer.handling"


def shared_headers() -> dict[str, Json]:
    """By their names as components."""
    return {
        name: parameter(name.partition(".")[0], "header", text, schema) for name, (text, schema) in _HEADERS.items()
    }


_HEADERS: Final[dict[str, tuple[str, Json]]] = {
    IF_MATCH: ("The ETag of the version to change; 412 where it is another.", TEXT),
    IF_NONE_MATCH: ("An ETag that was seen; 304 where it still holds.", TEXT),
    IF_MODIFIED_SINCE: ("`Last-Modified` that was seen.", TEXT),
    IF_NONE_EXIST: ("A search (`identifier=system|value`): created only where it finds nothing.", TEXT),
    PREFER_RETURN: (
        "What the answer holds.",
        {"enum": ["return=representation", "return=minimal", "return=OperationOutcome"]},
    ),
    PREFER_HANDLING: (
        "Lenient: unknown parameters are left out, and an OperationOutcome in the Bundle says so; else refused.",
        {"enum": ["handling=strict", "handling=lenient"]},
    ),
}
