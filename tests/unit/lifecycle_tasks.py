"""Tasks as the lifecycle sees them."""

from typing import Any

from app.rules.lifecycle import Task

OUTPUT = {"type": {"text": "resulting activity"}, "valueReference": {"reference": "Procedure/p1"}}
WHY = {"text": "no free place"}


def task(status: str = "requested", **more: Any) -> Task:
    return {
        "resourceType": "Task",
        "id": "t1",
        "meta": {"versionId": "3", "lastUpdated": "2026-06-08T14:00:00.000001Z", "security": [{"code": "R"}]},
        "status": status,
        "intent": "order",
        "focus": {"reference": "ServiceRequest/s1"},
        "authoredOn": "2026-06-08T14:00:00Z",
        "lastModified": "2026-06-08T14:00:00Z",
        "input": [{"type": {"text": "a"}, "valueDecimal": 1.5}, {"type": {"text": "b"}, "valueString": "x"}],
        **more,
    }


def business(resource: Task | None) -> str | None:
    return None if resource is None or "businessStatus" not in resource else resource["businessStatus"]["text"]
