"""What descriptions of FHIR operations are made of: parameters, bodies, answers, refusals."""

from collections.abc import Callable
from typing import Any, Final

from schemas.resources.base import ResourceSpec

Json = dict[str, Any]
Family = tuple[tuple[frozenset[str], str, str, Callable[[ResourceSpec], Json]], ...]
"""Interactions that a type must declare, path with ``{type}``, method, and what is said of it."""

BASE: Final = "/fhir/R4"
SPEC: Final = "https://hl7.org/fhir/R4"
FHIR: Final = "application/fhir+json"
MANY: Final = f"{BASE}/{{type}}"
ONE: Final = f"{MANY}/{{{{id}}}}"
TEXT: Final[Json] = {"type": "string"}


def operation(kind: str, spec: ResourceSpec, letter: str, summary: str, text: str, **more: Any) -> Json:
    """One operation of a type; ``letter`` is that of the scope it needs."""
    return {
        "tags": [spec.type],
        "operationId": f"{kind}{spec.type}",
        "summary": summary,
        "description": f"{text} Scope `system/{spec.type}.{letter}`.",
        "security": [{scheme: [f"system/{spec.type}.{letter}"]} for scheme in ("oauth", "bearer")],
        **more,
    }


def pages(spec: ResourceSpec) -> str:
    """Where the type and its profiles are specified."""
    return " ".join(
        [f"{SPEC}/{spec.type.lower()}.html.", *(f"Profile {url}." for url in sorted(spec.profiles))],
    )


def parameter(name: str, where: str, text: str, schema: Json, **more: Any) -> Json:
    """One parameter."""
    return {"name": name, "in": where, "description": text, "schema": schema, **more}


ID: Final = parameter("id", "path", "Logical id.", {"$ref": "#/components/schemas/p-id"}, required=True)


def shared(name: str) -> Json:
    """A reference to a parameter that stands once in the document."""
    return {"$ref": f"#/components/parameters/{component(name)}"}


def component(name: str) -> str:
    """The name of a parameter as a component."""
    return name.replace(":", ".")


# ---- bodies and answers


def schema(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def sent(name: str, media: str = FHIR) -> Json:
    """A request body that must be there."""
    return {"required": True, "content": {media: {"schema": schema(name)}}}


def body(text: str, name: str, *names: str) -> Json:
    """An answer with a FHIR body; ``names`` are its headers."""
    shown = {"headers": headers(*names)} if names else {}
    return {"description": text, **shown, "content": {FHIR: {"schema": schema(name)}}}


def headers(*names: str) -> Json:
    """Headers of an answer."""
    return {name: _HEADERS[name] for name in names}


ETAG: Final[Json] = {"description": "Weak validator of what was sent.", "schema": TEXT}
NOTICE: Final = "X-Part2-Notice"
NOTICE_HEADER: Final[Json] = {
    "description": "The notice that travels with records under 42 CFR Part 2, in short; absent with any other.",
    "schema": TEXT,
}
_HEADERS: Final[Json] = {
    "ETag": {"$ref": "#/components/headers/ETag"},
    NOTICE: {"$ref": f"#/components/headers/{NOTICE}"},
    "Location": {"description": "Address of the version that was written.", "schema": TEXT},
}


def refusals(*statuses: str) -> Json:
    """Answers with an OperationOutcome."""
    return {status: {"$ref": f"#/components/responses/{_REFUSALS[status][0]}"} for status in statuses}


def shared_responses() -> Json:
    """What ``refusals`` refer to."""
    return {name: body(text, "OperationOutcome") for name, text in _REFUSALS.values()}


_REFUSALS: Final = {
    "400": ("BadRequest", "It can't be read, or something that a rule needs is missing."),
    "401": ("Unauthorized", "No valid bearer token."),
    "403": ("Forbidden", "The token does not cover this."),
    "404": ("NotFound", "Not known, or not visible to the caller: the answer is the same."),
    "405": ("NotAllowed", "Never done with this type, or not at this address."),
    "406": ("NotAcceptable", "This server writes JSON only."),
    "409": ("Conflict", "Others keep changing it, or something rests on it: read it again."),
    "410": ("Gone", "It was deleted; its earlier versions can be read."),
    "412": ("PreconditionFailed", "It is not as the request says: another version, or several that match."),
    "413": ("TooLarge", "The body is larger than the limit."),
    "415": ("UnsupportedMedia", "The media type is not one that is read here."),
    "422": ("Unprocessable", "Readable, but against a rule: the issue names what is allowed."),
    "429": ("TooManyRequests", "More than this client, its organisation or address may send; see Retry-After."),
    "503": ("Unavailable", "Nothing was written, or it is not known: send it again (see Retry-After)."),
}


def gone(spec: ResourceSpec) -> tuple[str, ...]:
    """410 where the type has it."""
    return ("410",) if "delete" in spec.interactions else ()
