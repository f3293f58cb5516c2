"""The FHIR R4 REST surface: one line per interaction, one module each.

Plain Starlette routes, because partners poll them. A path that is not here is 404 or 405, as an
OperationOutcome.
"""

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import BaseRoute, Route

from app.entrypoints.fhir.history import history
from app.entrypoints.fhir.metadata import metadata
from app.entrypoints.fhir.packet import packet
from app.entrypoints.fhir.read import read, vread
from app.entrypoints.fhir.search import search, search_by_post
from app.entrypoints.fhir.update import patch, update

_BASE = "/fhir/R4"


class _IdConvertor(StringConvertor):
    """An id as FHIR has them; what is not one names nothing, and never comes near the database."""

    regex = r"[A-Za-z0-9\-.]{1,64}"


register_url_convertor("fhir_id", _IdConvertor())

routes: list[BaseRoute] = [
    Route(f"{_BASE}/metadata", metadata, methods=["GET"]),
    Route(f"{_BASE}/{{type}}", search, methods=["GET"]),
    Route(f"{_BASE}/{{type}}/_search", search_by_post, methods=["POST"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}", read, methods=["GET"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}", update, methods=["PUT"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}", patch, methods=["PATCH"]),
    Route(f"{_BASE}/Task/{{id:fhir_id}}/$packet", packet, methods=["GET"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}/_history", history, methods=["GET"]),
    Route(f"{_BASE}/{{type}}/{{id:fhir_id}}/_history/{{version}}", vread, methods=["GET"]),
]
"""Every FHIR route, in the order in which they are tried."""
