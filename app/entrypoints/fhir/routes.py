"""The FHIR R4 REST surface: one line per interaction, one module each.

Plain Starlette routes, because partners poll them. A path that is not here is 404 or 405, as an
OperationOutcome.
"""

import re

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from app.entrypoints.fhir.history import history
from app.entrypoints.fhir.metadata import metadata
from app.entrypoints.fhir.packet import packet
from app.entrypoints.fhir.process_message import process_message
from app.entrypoints.fhir.read import read, vread
from app.entrypoints.fhir.search import search, search_by_post
from app.entrypoints.fhir.transaction import transaction
from app.entrypoints.fhir.update import patch, update
from schemas.resources import ALL

_BASE = "/fhir/R4"


_ID = r"[A-Za-z0-9\-.]{1,64}"


class _IdConvertor(StringConvertor):
    """An id as FHIR has them; what is not one names nothing, and never comes near the database."""

    regex = _ID


class _SlashConvertor(StringConvertor):
    """The base address, with or without its slash."""

    regex = "/?"


register_url_convertor("fhir_id", _IdConvertor())
register_url_convertor("fhir_slash", _SlashConvertor())

_SEARCH = Route(f"{_BASE}/{{type}}", search, methods=["GET"])
_READ = Route(f"{_BASE}/{{type}}/{{id:fhir_id}}", read, methods=["GET"])

routes: list[BaseRoute] = [
    Route(f"{_BASE}{{slash:fhir_slash}}", transaction, methods=["POST"]),
    Route(f"{_BASE}/$process-message", process_message, methods=["POST"]),
    Route(f"{_BASE}/metadata", metadata, methods=["GET"]),
    _SEARCH,
    Route(f"{_BASE}/{{type}}/_search", search_by_post, methods=["POST"]),
    _READ,
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}", update, methods=["PUT"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}", patch, methods=["PATCH"]),
    Route(f"{_BASE}/Task/{{id:fhir_id}}/$packet", packet, methods=["GET"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}/_history", history, methods=["GET"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}/_history/{{version}}", vread, methods=["GET"]),
]
"""Every FHIR route, in the order in which they are tried."""

_PREFIX = f"{_BASE}/"
_is_id = re.compile(_ID).fullmatch


def polled(scope: Scope) -> Route | None:
    """The route of a search or read by GET, found without trying the others; None for everything else."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    resource_type, slash, resource_id = path[len(_PREFIX) :].partition("/")
    if resource_type not in ALL:
        return None
    if not slash:
        scope["path_params"] = {"type": resource_type}
        return _SEARCH
    if not _is_id(resource_id):
        return None
    scope["path_params"] = {"type": resource_type, "id": resource_id}
    return _READ
