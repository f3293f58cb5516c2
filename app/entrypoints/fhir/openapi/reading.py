"""What is said of search, read, vread and history."""

from collections.abc import Iterator
from typing import Final

from app.entrypoints.fhir.openapi.headers import IF_MODIFIED_SINCE, IF_NONE_MATCH, PREFER_HANDLING
from app.entrypoints.fhir.openapi.parts import (
    ID,
    MANY,
    NOTICE,
    ONE,
    SPEC,
    TEXT,
    Family,
    Json,
    body,
    component,
    gone,
    headers,
    operation,
    pages,
    parameter,
    refusals,
    schema,
    shared,
)
from schemas.resources import ALL
from schemas.resources.base import COMMON, ResourceSpec, SearchParam

_HIDDEN: Final = frozenset({"_security", "_tag", "_source"})
"""Search parameters that the CapabilityStatement leaves out too."""


def _search(spec: ResourceSpec) -> Json:
    return operation(
        "search",
        spec,
        "s",
        f"Search {spec.type}",
        "Only what the token's organisation may see is found. A poll names the greatest `meta.lastUpdated` that it "
        f"has seen (`_lastUpdated=gt...`) and misses nothing. {SPEC}/http.html#search, {pages(spec)}",
        parameters=[*_search_parameters(spec), shared(IF_NONE_MATCH), shared(PREFER_HANDLING)],
        responses={
            "200": body("A searchset.", "Bundle", "ETag", NOTICE),
            "304": {
                "description": "Nothing has changed for this organisation since that ETag.",
                "headers": headers("ETag"),
            },
            **refusals("400", "401", "403", "404", "406", "503"),
        },
    )


def _search_by_post(spec: ResourceSpec) -> Json:
    return operation(
        "searchByPost",
        spec,
        "s",
        f"Search {spec.type}, parameters in the body",
        f"The same search; values stay out of addresses and logs. {SPEC}/http.html#search",
        parameters=[shared(PREFER_HANDLING)],
        requestBody={
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": _form(spec)}},
        },
        responses={
            "200": body("A searchset.", "Bundle", "ETag", NOTICE),
            **refusals("400", "401", "403", "404", "406", "413", "415", "503"),
        },
    )


def _read(spec: ResourceSpec) -> Json:
    return operation(
        "read",
        spec,
        "r",
        f"Read one {spec.type}",
        f"What is not visible to the token's organisation does not exist: the same 404. {SPEC}/http.html#read, "
        f"#cread, {pages(spec)}",
        parameters=[ID, *_OF_PART, shared(IF_NONE_MATCH), shared(IF_MODIFIED_SINCE)],
        responses={
            "200": body("The current version.", spec.type, "ETag", NOTICE),
            "304": {"description": "The client has this version.", "headers": headers("ETag")},
            **refusals("400", "401", "403", "404", "406", *gone(spec), "503"),
        },
    )


def _version(spec: ResourceSpec) -> Json:
    return operation(
        "version",
        spec,
        "r",
        f"Read one version of a {spec.type}",
        f"{SPEC}/http.html#vread.",
        parameters=[ID, {**ID, "name": "version", "description": "`meta.versionId`."}, *_OF_PART],
        responses={
            "200": body("That version.", spec.type, "ETag", NOTICE),
            **refusals("400", "401", "403", "404", "406", *gone(spec), "503"),
        },
    )


def _history(spec: ResourceSpec) -> Json:
    return operation(
        "history",
        spec,
        "r",
        f"History of one {spec.type}",
        f"Every version that the token's organisation may see, newest first. {SPEC}/http.html#history",
        parameters=[ID, shared("_count"), *_TIMES],
        responses={
            "200": body("A history Bundle.", "Bundle", NOTICE),
            **refusals("400", "401", "403", "404", "406", "503"),
        },
    )


# ---- parameters

_OF_PART: Final = (shared("_summary"), shared("_elements"))
_COUNT: Final = parameter(
    "_count", "query", "How many per page, 500 at most; 0 counts only.", {"type": "integer", "minimum": 0}
)
_TIMES: Final = (
    parameter("_since", "query", "Versions of this instant and later only.", TEXT),
    parameter("_at", "query", "The version that was current at some time in this date or period.", TEXT),
)
_SUBSET: Final = (
    parameter(
        "_summary",
        "query",
        "Part of each resource: `true` what FHIR calls its summary, `text` its narrative, `data` all else; `count` "
        "(search only) the number.",
        {"enum": ["true", "text", "data", "count", "false"]},
    ),
    parameter("_elements", "query", "Only these elements, by comma, and those that must be there.", TEXT),
)
_VALUES: Final = {
    "token": "`code`, `system|code`, `|code` or `system|`; `:not`",
    "reference": "`id`, `Type/id` or URL; `:identifier`, `:Type`",
    "date": "FHIR date with optional prefix `eq ne gt ge lt le sa eb ap`",
    "string": "start of the text; `:exact`, `:contains`",
    "uri": "URI",
}


def _search_parameters(spec: ResourceSpec) -> list[Json]:
    own = [_search_parameter(param) for param in spec.search]
    return [*own, *_about_the_result(spec), *(shared(name) for name in _shared_parameters())]


def _about_the_result(spec: ResourceSpec) -> Iterator[Json]:
    """Result parameters whose values depend on the type."""
    keys = ", ".join(f"`{name}`" for name in sorted(spec.sorts))
    yield parameter("_sort", "query", f"By comma, with `-` from the last: {keys}.", TEXT)
    if spec.references:
        yield parameter("_include", "query", "References of the matches to follow.", _array(sorted(spec.references)))
    reverse = sorted(_leading_to(spec.type))
    if reverse:
        yield parameter("_revinclude", "query", "References to the matches to follow back.", _array(reverse))


def _leading_to(resource_type: str) -> Iterator[str]:
    for spec in ALL.values():
        for name, reaches in spec.revincludes.items():
            if not reaches or resource_type in reaches:
                yield name


def _search_parameter(param: SearchParam) -> Json:
    read = f" of {', '.join(f'`{path}`' for path in param.paths)}" if param.paths else ""
    text = f"{param.kind.capitalize()}{read}: {_VALUES[param.kind]}; several by comma. `:missing`."
    return parameter(param.name, "query", text, TEXT)


def _shared_parameters() -> dict[str, Json]:
    """Parameters that each search knows, by name."""
    forth = sorted({name for one in ALL.values() for name in one.references})
    back = sorted({name for one in ALL.values() for name in one.revincludes})
    about = (
        ("_total", "Whether to count.", {"enum": ["none", "estimate", "accurate"]}),
        ("_include:iterate", "References of what is included to follow too.", _array(forth)),
        ("_revinclude:iterate", "References to what is included to follow back too.", _array(back)),
    )
    common = [_search_parameter(param) for param in COMMON if param.name not in _HIDDEN]
    found = [*common, _COUNT, *_SUBSET, *(parameter(name, "query", text, schema) for name, text, schema in about)]
    return {param["name"]: param for param in found}


def shared_parameters() -> dict[str, Json]:
    """The same by their names as components."""
    return {component(name): param for name, param in _shared_parameters().items()}


def common_search() -> Json:
    """What each search knows, as a form."""
    known = {param["name"]: param["schema"] for param in _shared_parameters().values()}
    return {"type": "object", "description": "What each search knows, as a form.", "properties": known}


def _array(values: list[str]) -> Json:
    return {"type": "array", "items": {"enum": values}}


def _form(spec: ResourceSpec) -> Json:
    own = {param["name"]: param["schema"] for param in _search_parameters(spec) if "name" in param}
    return {"allOf": [schema("CommonSearch"), {"type": "object", "properties": own}]}


FAMILY: Final[Family] = (
    (frozenset({"search-type"}), MANY, "get", _search),
    (frozenset({"search-type"}), f"{MANY}/_search", "post", _search_by_post),
    (frozenset({"read"}), ONE, "get", _read),
    (frozenset({"history-instance"}), f"{ONE}/_history", "get", _history),
    (frozenset({"vread"}), f"{ONE}/_history/{{{{version}}}}", "get", _version),
)
