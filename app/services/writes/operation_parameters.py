"""What an operation is called with: a Parameters resource with each of its parameters once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.core.clock import in_calendar
from app.core.errors import BadRequest, Issue
from app.services.writes.resource_requests import conforming
from schemas.resources.times import date_range

Asked = Mapping[str, tuple[str, str]]
"""Name of a parameter to the element that holds its value, and what it says."""


def fields_of(body: object, asked: Asked, *, source: str = "") -> dict[str, Any]:
    """The values of a Parameters resource, texts without space around them.

    Args:
        body: what was sent.
        asked: the parameters, all of which are needed.
        source: the rule that asks for them, in brackets, where there is one.

    Raises:
        BadRequest: with each one that is missing, stands there twice or is unknown.
    """
    given: dict[str, Any] = {}
    for one in conforming("Parameters", body).get("parameter", []):
        element, _ = asked.get(one["name"], ("", ""))
        value = one.get(element)
        if one["name"] in given or value is None:
            raise BadRequest(f"Parameters are {', '.join(asked)}, each once.", path="Parameters.parameter")
        given[one["name"]] = value.strip() if isinstance(value, str) else value
    missing = [name for name in asked if not given.get(name)]
    if missing:
        issues = (Issue("required", f"{n}: {asked[n][1]}{source}", path_of(n, asked[n][0])) for n in missing)
        raise BadRequest(f"Also needed: {', '.join(missing)}{source}.", issues=tuple(issues))
    return given


def instant_of(text: str) -> datetime | None:
    """A date with its time; None of another, and of one that the calendar does not reach."""
    found = date_range(text)
    return in_calendar(found[0]) if found is not None and "T" in text else None


def path_of(name: str, element: str) -> str:
    """Where the value of a parameter stands (FHIRPath)."""
    return f"Parameters.parameter.where(name='{name}').{element}"
