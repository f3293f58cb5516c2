"""The FHIR R4 REST surface: whole Bundles to the base address, and the interactions with one resource or type."""

import re

from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from app.entrypoints.fhir import interactions
from app.entrypoints.fhir.bundle import bundle
from app.entrypoints.fhir.interactions import BASE, ID, READ, SEARCH
from app.entrypoints.fhir.process_message import process_message
from schemas.resources import ALL

routes: list[BaseRoute] = [
    Route(f"{BASE}{{slash:fhir_slash}}", bundle, methods=["POST"]),
    Route(f"{BASE}/$process-message", process_message, methods=["POST"]),
    *interactions.routes,
]
"""Every FHIR route, in the order in which they are tried."""

_PREFIX = f"{BASE}/"
_STORED = frozenset(name for name, spec in ALL.items() if not spec.rendered)
_is_id = re.compile(ID).fullmatch


def polled(scope: Scope) -> Route | None:
    """The route of a search or read by GET, found without trying the others; None for everything else."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    resource_type, slash, resource_id = path[len(_PREFIX) :].partition("/")
    if resource_type not in _STORED:
        return None
    if not slash:
        scope["path_params"] = {"type": resource_type}
        return SEARCH
    if not _is_id(resource_id):
        return None
    scope["path_params"] = {"type": resource_type, "id": resource_id}
    return READ
