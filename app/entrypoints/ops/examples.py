"""Examples of the OpenAPI document: requests that were sent to a running hub, with the answers that it gave.

Each door keeps its own in ``examples/*.json``, written by ``tools/build_examples.py`` and run again by the tests.
One exchange is ``operation`` (operationId), ``name`` (once in its operation), ``summary``, ``as`` (who sends it),
``request`` (``path``, ``query``, ``headers``, ``media``, ``body``) and ``response`` (``status``, ``headers``,
``media``, ``body``).
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]
_DOORS: Final = Path(__file__).parents[1]

_WELL_FORMED: Final = frozenset({409, 412, 422})
"""Refusals of a body that is as the schema wants it; the body of another refused request is no example to follow."""


def exchanges() -> list[Json]:
    """All that were recorded, door by door."""
    return [one for path in sorted(_DOORS.glob("*/examples/*.json")) for one in json.loads(path.read_bytes())]


def weave(document: Json, recorded: Iterable[Json]) -> None:
    """Put each exchange where a reader of its operation sees it. Raises KeyError for one that the document lacks."""
    operations = {one["operationId"]: one for item in document["paths"].values() for one in item.values()}
    for exchange in recorded:
        operation = operations[exchange["operation"]]
        _weave_request(document, operation, exchange)
        _weave_response(document, operation, exchange)


def resolved(document: Json, value: Json) -> Json:
    """What a ``$ref`` of the document leads to; anything else as it is."""
    while isinstance(value.get("$ref"), str):
        target: Json = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        value = target
    return value


def _weave_request(document: Json, operation: Json, exchange: Json) -> None:
    request, status = exchange["request"], exchange["response"]["status"]
    if status < 400:
        _weave_parameters(document, operation, exchange)
    if "media" in request and (status < 400 or status in _WELL_FORMED):
        _add(operation["requestBody"]["content"][request["media"]], exchange, request["body"])


def _weave_parameters(document: Json, operation: Json, exchange: Json) -> None:
    """Values of the operation's own parameters; those that all share would collect the examples of all."""
    sent = {(where, name): value for where, name, value in _sent(exchange["request"])}
    for parameter in operation.get("parameters", ()):
        own = resolved(document, parameter) is parameter
        key = (parameter.get("in"), parameter.get("name", "").lower())
        known = parameter.get("examples", {}).values()
        if own and key in sent and all(one["value"] != sent[key] for one in known):
            _add(parameter, exchange, sent[key])


def _sent(request: Json) -> Iterator[tuple[str, str, Any]]:
    for where, kind in (("path", "path"), ("query", "query"), ("header", "headers")):
        for name, value in request.get(kind, {}).items():
            yield where, name.lower(), value


def _weave_response(document: Json, operation: Json, exchange: Json) -> None:
    said = exchange["response"]
    response = resolved(document, operation["responses"][str(said["status"])])
    if "media" in said:
        _add(response["content"][said["media"]], exchange, said["body"])


def _add(place: Json, exchange: Json, value: Any) -> None:
    examples = place.setdefault("examples", {})
    name = exchange["name"]
    if name in examples and examples[name]["value"] != value:
        name = f"{exchange['operation']}-{name}"
    examples[name] = {"summary": exchange["summary"], "value": value}
