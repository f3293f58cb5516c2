"""What is said of create, update, patch and delete."""

from typing import Final

from app.entrypoints.fhir.openapi.headers import IF_MATCH, IF_NONE_EXIST, PREFER_RETURN
from app.entrypoints.fhir.openapi.parts import (
    FHIR,
    ID,
    MANY,
    NOTICE,
    ONE,
    SPEC,
    TEXT,
    Family,
    Json,
    gone,
    headers,
    operation,
    pages,
    parameter,
    refusals,
    schema,
    sent,
    shared,
)
from schemas.resources.base import ResourceSpec

_SENDER: Final = {
    "Task": [parameter("sender", "query", "Id of the interface, where the organisation has several.", TEXT)]
}
_BY_POST_ONLY: Final = frozenset({"Task"})
"""What an update never creates."""
_ALWAYS: Final = ("400", "401", "403", "404", "406", "412", "413", "415", "422", "503")
_AUTHOR: Final = "Who created it may change and delete it; whoever sees it may read it."
_RULES: Final = {
    "Task": "The owner may change `status` (`requested` → `accepted` → `in-progress` → `completed`, or `rejected`, "
    "`on-hold`, `failed`, `cancelled`), `statusReason`, `businessStatus`, and append to `output` and `note`. "
    "`completed` needs an `output`; `rejected`, `failed`, `cancelled` and `on-hold` need `statusReason.text`. A "
    "request whose effect is already there answers 200 with the current ETag, so it can be sent again.",
}
"""Who may change what, where it is not the author and everything."""


def _create(spec: ResourceSpec) -> Json:
    return operation(
        "create",
        spec,
        "c",
        f"Create a {spec.type}",
        f"The id is given by the server. With `If-None-Exist` nothing is created where one is there already, and that "
        f"one is answered with 200; 412 where several are. {SPEC}/http.html#create, #ccreate, {pages(spec)}",
        parameters=[*_SENDER.get(spec.type, ()), shared(IF_NONE_EXIST), shared(PREFER_RETURN)],
        requestBody=sent(spec.type),
        responses={
            "200": _now(spec, "It was there already.", "ETag"),
            "201": _now(spec, "It was created.", "ETag", "Location"),
            **refusals(*sorted((*_ALWAYS, "409"))),
        },
    )


def _update(spec: ResourceSpec) -> Json:
    return operation(
        "update",
        spec,
        "u",
        f"Change a {spec.type} by sending all of it",
        f"{_RULES.get(spec.type, _AUTHOR)} Without `If-Match`, `meta.versionId` of the body is the precondition; "
        f"without either the change must be legal as it is now. No update creates. {SPEC}/http.html#update",
        parameters=[ID, shared(IF_MATCH), shared(PREFER_RETURN)],
        requestBody=sent(spec.type),
        responses=_changed(spec),
    )


def _conditional_update(spec: ResourceSpec) -> Json:
    return operation(
        "conditionalUpdate",
        spec,
        "u",
        f"Change the {spec.type} that a search finds, or create it",
        "The query is a search, such as `identifier=system|value`. One match is changed, several are refused; where "
        f"there is none, one is created, which needs `system/{spec.type}.c` too. {_RULES.get(spec.type, _AUTHOR)} "
        f"{SPEC}/http.html#cond-update",
        parameters=[*_criteria(spec), shared(IF_MATCH), shared(PREFER_RETURN)],
        requestBody=sent(spec.type),
        responses={**_made(spec), **_changed(spec)},
    )


def _made(spec: ResourceSpec) -> Json:
    if spec.type in _BY_POST_ONLY:
        return {}
    return {"201": _now(spec, "Nothing matched: it was created.", "ETag", "Location")}


def _criteria(spec: ResourceSpec) -> list[Json]:
    return [
        parameter(param.name, "query", "What to look for; as in the search.", TEXT)
        for param in spec.search
        if param.name == "identifier"
    ]


def _patch(spec: ResourceSpec) -> Json:
    return operation(
        "patch",
        spec,
        "u",
        f"Change a {spec.type} by JSON Patch",
        f"{_RULES.get(spec.type, _AUTHOR)} {SPEC}/http.html#patch, RFC 6902.",
        parameters=[ID, shared(IF_MATCH), shared(PREFER_RETURN)],
        requestBody=sent("JsonPatch", "application/json-patch+json"),
        responses=_changed(spec),
    )


def _conditional_patch(spec: ResourceSpec) -> Json:
    return operation(
        "conditionalPatch",
        spec,
        "u",
        f"Change the {spec.type} that a search finds by JSON Patch",
        "The query is a search, such as `identifier=system|value`, that finds one; 404 for none, 412 for several. "
        f"{_RULES.get(spec.type, _AUTHOR)} {SPEC}/http.html#patch, RFC 6902.",
        parameters=[*_criteria(spec), shared(IF_MATCH), shared(PREFER_RETURN)],
        requestBody=sent("JsonPatch", "application/json-patch+json"),
        responses=_changed(spec),
    )


def _delete(spec: ResourceSpec) -> Json:
    return operation(
        "delete",
        spec,
        "d",
        f"Delete a {spec.type}",
        f"{_AUTHOR} Its versions stay in its history; a read of it is answered with 410 from then on. Not while "
        f"something rests on it. {SPEC}/http.html#delete",
        parameters=[ID, shared(IF_MATCH)],
        responses={
            "204": {"description": "It is deleted, or was already.", "headers": headers("ETag")},
            **refusals("400", "401", "403", "404", "406", "409", *gone(spec), "412", "422", "503"),
        },
    )


def _changed(spec: ResourceSpec) -> Json:
    return {
        "200": _now(spec, "As it is now.", "ETag"),
        **refusals(*sorted((*_ALWAYS, "409", *gone(spec)))),
    }


def _now(spec: ResourceSpec, text: str, *names: str) -> Json:
    one_of = {"oneOf": [schema(spec.type), schema("OperationOutcome")]}
    return {
        "description": f"{text} Empty under `Prefer: return=minimal`.",
        "headers": headers(*names, NOTICE),
        "content": {FHIR: {"schema": one_of}},
    }


FAMILY: Final[Family] = (
    (frozenset({"create"}), MANY, "post", _create),
    (frozenset({"create", "update"}), MANY, "put", _conditional_update),
    (frozenset({"create", "patch"}), MANY, "patch", _conditional_patch),
    (frozenset({"update"}), ONE, "put", _update),
    (frozenset({"patch"}), ONE, "patch", _patch),
    (frozenset({"delete"}), ONE, "delete", _delete),
)

JSON_PATCH: Final[Json] = {
    "type": "array",
    "description": "RFC 6902.",
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string", "description": "JSON Pointer (RFC 6901)."},
            "from": TEXT,
            "value": True,
        },
    },
}
