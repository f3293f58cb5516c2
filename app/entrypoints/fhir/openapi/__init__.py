"""What ``/fhir/R4`` says of itself in the OpenAPI document: a path per type and interaction that a spec declares.

Nothing here is made before it is asked for: the schemas alone take some megabytes. To say something of one more
operation is to add it to the table of its family.
"""

from app.entrypoints.fhir.openapi import operations, reading, subscriptions, types, ways_in, writing
from app.entrypoints.fhir.openapi.headers import shared_headers
from app.entrypoints.fhir.openapi.parts import ETAG, NOTICE, NOTICE_HEADER, Json, shared_responses
from schemas.resources import ALL


def paths() -> dict[str, Json]:
    """The path items, by path."""
    items: dict[str, Json] = {}
    families = (reading.FAMILY, writing.FAMILY)
    for part in (operations.PATHS, subscriptions.PATHS, ways_in.PATHS):
        items |= {path: {**item} for path, item in part.items()}
    for spec in (ALL[name] for name in sorted(ALL)):
        for needs, path, method, operation in (entry for family in families for entry in family):
            if needs <= spec.interactions:
                items.setdefault(path.format(type=spec.type), {})[method] = operation(spec)
    return items


def components() -> Json:
    """Schemas, answers, parameters and headers that the paths of all doors refer to."""
    return {
        "schemas": {
            **types.schemas(),
            "CommonSearch": reading.common_search(),
            "JsonPatch": writing.JSON_PATCH,
        },
        "responses": shared_responses(),
        "parameters": {**reading.shared_parameters(), **shared_headers()},
        "headers": {"ETag": ETAG, NOTICE: NOTICE_HEADER},
    }
