"""What ``/fhir/R4`` says of itself in the OpenAPI document: a path per type and interaction that a spec declares.

Nothing here is made before it is asked for: the schemas alone take some megabytes.
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from app.entrypoints.fhir import ways_in
from schemas.resources import ALL
from schemas.resources.base import COMMON, ResourceSpec, SearchParam

Json = dict[str, Any]
_BASE: Final = "/fhir/R4"
_SPEC: Final = "https://hl7.org/fhir/R4"
_FHIR: Final = "application/fhir+json"
_HIDDEN: Final = frozenset({"_security", "_tag", "_source"})
"""Search parameters that the CapabilityStatement leaves out too."""


def paths() -> dict[str, Json]:
    """The path items, by path."""
    items: dict[str, Json] = {
        f"{_BASE}/metadata": {"get": _metadata()},
        **ways_in.PATHS,
    }
    for name in sorted(ALL):
        spec = ALL[name]
        for interaction, (path, method, operation) in _INTERACTIONS.items():
            if interaction in spec.interactions:
                items.setdefault(path.format(type=name), {})[method] = operation(spec)
        if "search-type" in spec.interactions:
            items[f"{_BASE}/{name}/_search"] = {"post": _search_by_post(spec)}
    items[f"{_BASE}/Task/{{id}}/$packet"] = {"get": _packet()}
    return items


# ---- operations


def _operation(kind: str, spec: ResourceSpec, letter: str, summary: str, text: str, **more: Any) -> Json:
    return {
        "tags": [spec.type],
        "operationId": f"{kind}{spec.type}",
        "summary": summary,
        "description": f"{text} Scope `system/{spec.type}.{letter}`.",
        "security": [{scheme: [f"system/{spec.type}.{letter}"]} for scheme in ("oauth", "bearer")],
        **more,
    }


def _metadata() -> Json:
    return {
        "tags": ["Server"],
        "operationId": "capabilities",
        "summary": "CapabilityStatement",
        "description": f"What this server does; needs no token. {_SPEC}/http.html#capabilities",
        "security": [],
        "responses": {"200": _body("The statement.", "CapabilityStatement"), "406": _refer("NotAcceptable")},
    }


def _search(spec: ResourceSpec) -> Json:
    return _operation(
        "search",
        spec,
        "s",
        f"Search {spec.type}",
        "Only what the token's organisation may see is found. A poll names the greatest `meta.lastUpdated` that it "
        f"has seen (`_lastUpdated=gt...`) and misses nothing. {_SPEC}/http.html#search, {_profiles(spec)}",
        parameters=[*_search_parameters(spec), _IF_NONE_MATCH, _PREFER_HANDLING],
        responses={
            "200": _body("A searchset.", "Bundle", "ETag"),
            "304": {
                "description": "Nothing has changed for this organisation since that ETag.",
                "headers": _headers("ETag"),
            },
            **_refusals("400", "401", "403", "404", "406", "503"),
        },
    )


def _search_by_post(spec: ResourceSpec) -> Json:
    return _operation(
        "searchByPost",
        spec,
        "s",
        f"Search {spec.type}, parameters in the body",
        f"The same search; values stay out of addresses and logs. {_SPEC}/http.html#search",
        parameters=[_PREFER_HANDLING],
        requestBody={
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": _form(spec)}},
        },
        responses={
            "200": _body("A searchset.", "Bundle", "ETag"),
            **_refusals("400", "401", "403", "404", "406", "413", "415", "503"),
        },
    )


def _read(spec: ResourceSpec) -> Json:
    return _operation(
        "read",
        spec,
        "r",
        f"Read one {spec.type}",
        f"What is not visible to the token's organisation does not exist: the same 404. {_SPEC}/http.html#read, "
        f"#cread, {_profiles(spec)}",
        parameters=[_ID, _IF_NONE_MATCH, _IF_MODIFIED_SINCE],
        responses={
            "200": _body("The current version.", spec.type, "ETag"),
            "304": {"description": "The client has this version.", "headers": _headers("ETag")},
            **_refusals("401", "403", "404", "406", "503"),
        },
    )


def _version(spec: ResourceSpec) -> Json:
    return _operation(
        "version",
        spec,
        "r",
        f"Read one version of a {spec.type}",
        f"{_SPEC}/http.html#vread.",
        parameters=[_ID, {**_ID, "name": "version", "description": "`meta.versionId`."}],
        responses={
            "200": _body("That version.", spec.type, "ETag"),
            **_refusals("401", "403", "404", "406", "503"),
        },
    )


def _history(spec: ResourceSpec) -> Json:
    since = _parameter("_since", "query", "Versions of this instant and later only.", {"type": "string"})
    return _operation(
        "history",
        spec,
        "r",
        f"History of one {spec.type}",
        f"Every version that the token's organisation may see, newest first. {_SPEC}/http.html#history",
        parameters=[_ID, since],
        responses={
            "200": _body("A history Bundle.", "Bundle"),
            **_refusals("400", "401", "403", "404", "406", "503"),
        },
    )


_RULES: Final = (
    "The owner may change `status` (`requested` → `accepted` → `in-progress` → `completed`, or `rejected`, `on-hold`, "
    "`failed`, `cancelled`), `statusReason`, `businessStatus`, and append to `output` and `note`. `completed` needs an "
    "`output`; `rejected`, `failed`, `cancelled` and `on-hold` need `statusReason.text`. A request whose effect is "
    "already there answers 200 with the current ETag, so it can be sent again."
)


def _update(spec: ResourceSpec) -> Json:
    return _operation(
        "update",
        spec,
        "u",
        f"Change a {spec.type} by sending all of it",
        f"{_RULES} Without `If-Match`, `meta.versionId` of the body is the precondition; without either the change "
        f"must be legal from the current status. No update creates. {_SPEC}/http.html#update",
        parameters=[_ID, _IF_MATCH, _PREFER_RETURN],
        requestBody={"required": True, "content": {_FHIR: {"schema": _schema(spec.type)}}},
        responses=_changed(spec),
    )


def _patch(spec: ResourceSpec) -> Json:
    return _operation(
        "patch",
        spec,
        "u",
        f"Change a {spec.type} by JSON Patch",
        f"{_RULES} {_SPEC}/http.html#patch, RFC 6902.",
        parameters=[_ID, _IF_MATCH, _PREFER_RETURN],
        requestBody={
            "required": True,
            "content": {"application/json-patch+json": {"schema": _schema("JsonPatch")}},
        },
        responses=_changed(spec),
    )


def _changed(spec: ResourceSpec) -> Json:
    one_of = {"oneOf": [_schema(spec.type), _schema("OperationOutcome")]}
    return {
        "200": {
            "description": "As it is now. Empty under `Prefer: return=minimal`.",
            "headers": _headers("ETag"),
            "content": {_FHIR: {"schema": one_of}},
        },
        **_refusals("400", "401", "403", "404", "406", "409", "412", "413", "415", "422", "503"),
    }


def _packet() -> Json:
    return _operation(
        "packetOf",
        ALL["Task"],
        "r",
        "All of one referral as a document",
        "Everything that the token's organisation may see of a referral, in one document Bundle: an operation of this "
        f"server in the manner of {_SPEC}/documents.html.",
        parameters=[_ID],
        responses={
            "200": _body("A document Bundle; its first entry is the Composition.", "Bundle"),
            **_refusals("401", "403", "404", "406", "503"),
        },
    )


_ONE: Final = f"{_BASE}/{{type}}/{{{{id}}}}"
_INTERACTIONS: Final = {
    "search-type": (f"{_BASE}/{{type}}", "get", _search),
    "read": (_ONE, "get", _read),
    "update": (_ONE, "put", _update),
    "patch": (_ONE, "patch", _patch),
    "history-instance": (f"{_ONE}/_history", "get", _history),
    "vread": (f"{_ONE}/_history/{{{{version}}}}", "get", _version),
}
"""FHIR interaction to path, method and what is said of it."""


# ---- parameters


def _parameter(name: str, where: str, text: str, schema: Json, **more: Any) -> Json:
    return {"name": name, "in": where, "description": text, "schema": schema, **more}


_TEXT: Final[Json] = {"type": "string"}
_ID: Final = _parameter("id", "path", "Logical id.", {"$ref": "#/components/schemas/p-id"}, required=True)
_IF_NONE_MATCH: Final = _parameter("If-None-Match", "header", "An ETag that was seen; 304 where it still holds.", _TEXT)
_IF_MODIFIED_SINCE: Final = _parameter("If-Modified-Since", "header", "`Last-Modified` that was seen.", _TEXT)
_IF_MATCH: Final = _parameter(
    "If-Match", "header", "The ETag of the version to change; 412 where it is another.", _TEXT
)
_PREFER_RETURN: Final = _parameter(
    "Prefer",
    "header",
    "What the answer holds.",
    {"enum": ["return=representation", "return=minimal", "return=OperationOutcome"]},
)
_PREFER_HANDLING: Final = _parameter(
    "Prefer",
    "header",
    "Lenient: unknown parameters are left out, and an OperationOutcome in the Bundle says so; else they are refused.",
    {"enum": ["handling=strict", "handling=lenient"]},
)
_VALUES: Final = {
    "token": "`code` or `system|code`",
    "reference": "`id`, `Type/id` or URL",
    "date": "FHIR date with optional prefix `eq gt ge lt le`",
    "string": "start of the text; `:exact`",
    "uri": "URI",
}


def _search_parameters(spec: ResourceSpec) -> list[Json]:
    own = [_search_parameter(param) for param in spec.search]
    names = _array({"enum": sorted(spec.references)})
    include = _parameter("_include", "query", "References of the matches to follow.", names)
    return [*own, *([include] if spec.references else []), *(_shared(name) for name in _shared_parameters())]


def _search_parameter(param: SearchParam) -> Json:
    read = f" of {', '.join(f'`{path}`' for path in param.paths)}" if param.paths else ""
    text = f"{param.kind.capitalize()}{read}: {_VALUES[param.kind]}; several by comma. `:missing`."
    return _parameter(param.name, "query", text, _TEXT)


def _shared_parameters() -> dict[str, Json]:
    """Parameters that each search knows, by name."""
    every = sorted({name for one in ALL.values() for name in one.references})
    count = {"type": "integer", "minimum": 0}
    about = (
        ("_count", "Matches per page, 500 at most; 0 counts only.", count),
        ("_sort", "Oldest change first, or newest.", {"enum": ["_lastUpdated", "-_lastUpdated"]}),
        ("_total", "Whether to count.", {"enum": ["none", "estimate", "accurate"]}),
        ("_summary", "`count`: the number only.", {"enum": ["count", "false"]}),
        ("_include:iterate", "References of what is included to follow too.", _array({"enum": every})),
    )
    common = [_search_parameter(param) for param in COMMON if param.name not in _HIDDEN]
    found = [*common, *(_parameter(name, "query", text, schema) for name, text, schema in about)]
    return {param["name"]: param for param in found}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _shared(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{name.replace(':', '.')}"}


def _form(spec: ResourceSpec) -> Json:
    own = {param["name"]: param["schema"] for param in _search_parameters(spec) if "name" in param}
    return {"allOf": [_schema("CommonSearch"), {"type": "object", "properties": own}]}


# ---- answers


def _schema(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _body(text: str, name: str, *headers: str) -> Json:
    shown = {"headers": _headers(*headers)} if headers else {}
    return {"description": text, **shown, "content": {_FHIR: {"schema": _schema(name)}}}


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refer(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}


_REFUSALS: Final = {
    "400": ("BadRequest", "It can't be read, or something that a rule needs is missing."),
    "401": ("Unauthorized", "No valid bearer token."),
    "403": ("Forbidden", "The token does not cover this."),
    "404": ("NotFound", "Not known, or not visible to the caller: the answer is the same."),
    "406": ("NotAcceptable", "This server writes JSON only."),
    "409": ("Conflict", "Others keep changing it: read it again."),
    "412": ("PreconditionFailed", "It has changed since the version that the request names."),
    "413": ("TooLarge", "The body is larger than the limit."),
    "415": ("UnsupportedMedia", "The media type is not one that is read here."),
    "422": ("Unprocessable", "Readable, but against a rule: the issue names what is allowed."),
    "503": ("Unavailable", "Nothing was written, or it is not known: send it again (see Retry-After)."),
}


def _refusals(*statuses: str) -> Json:
    return {status: _refer(_REFUSALS[status][0]) for status in statuses}


def _profiles(spec: ResourceSpec) -> str:
    lower = spec.type.lower()
    return " ".join([f"{_SPEC}/{lower}.html.", *(f"Profile {url}." for url in sorted(spec.profiles))])


def components() -> Json:
    """Schemas, answers, parameters and headers that the paths of all doors refer to."""
    return {
        "schemas": {**_schemas(), "CommonSearch": _common_search(), "JsonPatch": _JSON_PATCH},
        "responses": {name: _body(text, "OperationOutcome") for name, text in _REFUSALS.values()},
        "parameters": {name.replace(":", "."): param for name, param in _shared_parameters().items()},
        "headers": {"ETag": {"description": "Weak validator of what was sent.", "schema": _TEXT}},
    }


def _common_search() -> Json:
    known = {param["name"]: param["schema"] for param in _shared_parameters().values()}
    return {"type": "object", "description": "What each search knows, as a form.", "properties": known}


_JSON_PATCH: Final[Json] = {
    "type": "array",
    "description": "RFC 6902.",
    "items": {
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string", "description": "JSON Pointer (RFC 6901)."},
            "from": _TEXT,
            "value": True,
        },
    },
}


# ---- schemas of FHIR types


_REF: Final = "#/$defs/"
_TARGET: Final = "to-"
_COMMENTS: Final = frozenset({"$comment"})


def _schemas() -> dict[str, Json]:
    """The types that are sent and served, out of the schema that the hub validates with, and what they need."""
    text = (files("schemas") / "r4" / "r4.schema.json").read_text(encoding="utf-8")
    known: dict[str, Json] = json.loads(text)["$defs"]
    known["AnyResource"] = {
        "oneOf": [{"$ref": f"{_REF}{name}"} for name in _SERVED],
        "discriminator": {"propertyName": "resourceType"},
    }
    found: dict[str, Json] = {}
    waiting = list(_SERVED)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _plain(known[name])
            waiting += [ref.removeprefix("#/components/schemas/") for ref in _references(found[name])]
    return {name: found[name] for name in sorted(found)}


_SERVED: Final = sorted({*ALL, "Composition", "Medication", "MessageHeader", "RelatedPerson"})
"""Types that stand in answers, or in what hospitals send."""


def _plain(value: Any) -> Any:
    """A schema with references of this document; what a Reference may point to is said, not enforced."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    parts = value.get("allOf")
    if isinstance(parts, list):
        value = _without_targets(value, parts)
    out = {key: _plain(item) for key, item in value.items() if key not in _COMMENTS}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = out["$ref"].replace(_REF, "#/components/schemas/")
    return out


def _without_targets(value: Json, parts: list[Any]) -> Json:
    targets = [part["$ref"].removeprefix(_REF + _TARGET) for part in parts if _is_target(part)]
    if not targets:
        return value
    others = [part for part in parts if not _is_target(part)]
    said = f"Reference({' | '.join(targets[0].split('-'))})"
    rest = {key: item for key, item in value.items() if key != "allOf"}
    return {**rest, **(others[0] if len(others) == 1 else {"allOf": others} if others else {}), "description": said}


def _is_target(part: Any) -> bool:
    return isinstance(part, dict) and part.get("$ref", "").startswith(_REF + _TARGET)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
