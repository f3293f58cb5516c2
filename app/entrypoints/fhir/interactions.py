"""The FHIR interactions with one resource or type: one line each, one module each.

Plain Starlette routes, because partners poll them. A path that is not here is 404 or 405, as an
OperationOutcome. The entries of a batch come the same way.
"""

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.routing import Route

from app.entrypoints.fhir.arriving import patient_is_here
from app.entrypoints.fhir.audit import read_event, search_events
from app.entrypoints.fhir.break_glass import break_glass
from app.entrypoints.fhir.choosing import ask, choose_fallback
from app.entrypoints.fhir.create import create
from app.entrypoints.fhir.delete import delete
from app.entrypoints.fhir.history import history
from app.entrypoints.fhir.match import match
from app.entrypoints.fhir.metadata import metadata
from app.entrypoints.fhir.packet import packet
from app.entrypoints.fhir.read import read, vread
from app.entrypoints.fhir.search import search, search_by_post
from app.entrypoints.fhir.spoken import confirm_answer, correct_answer, record_answer, record_call
from app.entrypoints.fhir.still_here import answer_still_here, still_here
from app.entrypoints.fhir.subscription import events, status, status_of
from app.entrypoints.fhir.update import patch, patch_found, update, update_found
from app.entrypoints.fhir.validate import validate

BASE = "/fhir/R4"


ID = r"[A-Za-z0-9\-.]{1,64}"


class _IdConvertor(StringConvertor):
    """An id as FHIR has them; what is not one names nothing, and never comes near the database."""

    regex = ID


class _SlashConvertor(StringConvertor):
    """The base address, with or without its slash."""

    regex = "/?"


register_url_convertor("fhir_id", _IdConvertor())
register_url_convertor("fhir_slash", _SlashConvertor())

SEARCH = Route(f"{BASE}/{{type}}", search, methods=["GET"])
READ = Route(f"{BASE}/{{type}}/{{id:fhir_id}}", read, methods=["GET"])

routes: list[Route] = [
    Route(f"{BASE}/metadata", metadata, methods=["GET"]),
    Route(f"{BASE}/AuditEvent", search_events, methods=["GET"]),
    Route(f"{BASE}/AuditEvent/_search", search_events, methods=["POST"]),
    Route(f"{BASE}/AuditEvent/{{id:fhir_id}}", read_event, methods=["GET"]),
    SEARCH,
    Route(f"{BASE}/{{type}}", create, methods=["POST"]),
    Route(f"{BASE}/{{type}}", update_found, methods=["PUT"]),
    Route(f"{BASE}/{{type}}", patch_found, methods=["PATCH"]),
    Route(f"{BASE}/{{type}}/_search", search_by_post, methods=["POST"]),
    Route(f"{BASE}/{{type}}/$validate", validate, methods=["POST"]),
    Route(f"{BASE}/{{type}}/{{id:fhir_id}}/$validate", validate, methods=["GET", "POST"]),
    READ,
    Route(f"{BASE}/{{type}}/{{id:fhir_id}}", update, methods=["PUT"]),
    Route(f"{BASE}/{{type}}/{{id:fhir_id}}", patch, methods=["PATCH"]),
    Route(f"{BASE}/{{type}}/{{id:fhir_id}}", delete, methods=["DELETE"]),
    Route(f"{BASE}/Task/$patient-is-here", patient_is_here, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$packet", packet, methods=["GET"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$break-glass", break_glass, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$ask", ask, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$choose-fallback", choose_fallback, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$record-answer", record_answer, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$record-call", record_call, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$confirm-answer", confirm_answer, methods=["POST"]),
    Route(f"{BASE}/Task/{{id:fhir_id}}/$correct-answer", correct_answer, methods=["POST"]),
    Route(f"{BASE}/Organization/{{id:fhir_id}}/$still-here", still_here, methods=["GET"]),
    Route(f"{BASE}/Organization/{{id:fhir_id}}/$still-here", answer_still_here, methods=["POST"]),
    Route(f"{BASE}/ServiceRequest/{{id:fhir_id}}/$match", match, methods=["GET", "POST"]),
    Route(f"{BASE}/Subscription/$status", status, methods=["GET", "POST"]),
    Route(f"{BASE}/Subscription/{{id:fhir_id}}/$status", status_of, methods=["GET", "POST"]),
    Route(f"{BASE}/Subscription/{{id:fhir_id}}/$events", events, methods=["GET", "POST"]),
    Route(f"{BASE}/{{type}}/{{id:fhir_id}}/_history", history, methods=["GET"]),
    Route(f"{BASE}/{{type}}/{{id:fhir_id}}/_history/{{version}}", vread, methods=["GET"]),
]
"""In the order in which they are tried."""
