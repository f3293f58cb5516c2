"""What is said of the operations of Subscription: ``$status`` and ``$events``."""

from typing import Any, Final

from app.entrypoints.fhir.openapi.parts import (
    BASE,
    FHIR,
    ID,
    NOTICE,
    SPEC,
    TEXT,
    Json,
    body,
    operation,
    parameter,
    refusals,
)
from schemas.resources import ALL

_DEFINED: Final = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription"
_PARAMETERS: Final[Json] = {"type": "object", "description": "Parameters, under the names of the query."}
_BODY: Final[Json] = {"required": False, "content": {FHIR: {"schema": _PARAMETERS}}}
_IDS: Final = parameter("id", "query", "Ids of Subscriptions, by comma; without it all of the organisation.", TEXT)
_STATUS: Final = parameter("status", "query", "`requested`, `active`, `error`, `off`, by comma.", TEXT)
_NUMBER: Final = {"type": "integer", "minimum": 0}
_EVENTS: Final = (
    parameter("eventsSinceNumber", "query", "The first event that is wanted.", _NUMBER),
    parameter("eventsUntilNumber", "query", "The last one.", _NUMBER),
    parameter(
        "content",
        "query",
        "How much of each; no more than the Subscription has.",
        {"enum": ["empty", "id-only", "full-resource"]},
    ),
)


def _by_get(kind: str, summary: str, text: str, answer: str, parameters: list[Json]) -> Json:
    return _operation(kind, summary, text, answer, parameters=parameters)


def _by_post(kind: str, summary: str, text: str, answer: str, parameters: list[Json]) -> Json:
    in_path = [one for one in parameters if one["in"] == "path"]
    described = _operation(f"{kind}ByPost", f"{summary}, asked in the body", text, answer, parameters=in_path)
    described["responses"] |= refusals("413", "415")
    return {**described, "requestBody": _BODY}


def _operation(kind: str, summary: str, text: str, answer: str, **more: Any) -> Json:
    said = operation(
        kind,
        ALL["Subscription"],
        "r",
        summary,
        f"{text} {SPEC}/subscription.html",
        responses={"200": body(answer, "Bundle", NOTICE), **refusals("400", "401", "403", "404", "406", "410", "503")},
        **more,
    )
    return {**said, "operationId": kind}


def _item(*about: Any) -> Json:
    return {"get": _by_get(*about), "post": _by_post(*about)}


PATHS: Final[dict[str, Json]] = {
    f"{BASE}/Subscription/$status": _item(
        "subscriptionStatuses",
        "How the Subscriptions of the organisation stand",
        f"{_DEFINED}-status.",
        "A searchset of Parameters, one for each.",
        [_IDS, _STATUS],
    ),
    f"{BASE}/Subscription/{{id}}/$status": _item(
        "subscriptionStatus",
        "How one Subscription stands",
        f"{_DEFINED}-status.",
        "A searchset with its Parameters.",
        [ID],
    ),
    f"{BASE}/Subscription/{{id}}/$events": _item(
        "subscriptionEvents",
        "Events of one Subscription by number",
        f"For whom notifications did not reach: the same again, 200 events at most. {_DEFINED}-events.",
        "A notification Bundle, as the channel would get it.",
        [ID, *_EVENTS],
    ),
}
