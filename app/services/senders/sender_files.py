"""Sender files read for trying out: no database needed, nothing registered."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from app.core import json
from app.core.errors import BadRequest, Issue
from fhir_mappings import build, dialects
from schemas.sender import Sender

UNREGISTERED: Final = "unregistered"
_MISSING: Final[Mapping[str, str]] = {
    "id": UNREGISTERED,
    "organization": "hospital",
    "dialect": "adt_generic",
    "timezone": "UTC",
}
"""What stands for the names that the command line of ``sender add`` would give."""


def neutral(dialect: str = "adt_generic") -> Sender:
    """The interface of a message that no registered one is known for: no maps, UTC."""
    return Sender.model_validate({**_MISSING, "dialect": dialect})


def fields_of(data: bytes) -> dict[str, Any]:
    """The object in a sender file. Raises BadRequest when it is not one."""
    found = json.loads(data)
    if not isinstance(found, dict):
        raise BadRequest("A sender file is one JSON object.")
    return found


def issues_of(fields: Mapping[str, Any]) -> tuple[Issue, ...]:
    """What ``sender add`` would refuse, with the path in the file. What its command line can give is not missed."""
    try:
        sender = Sender.model_validate({**_MISSING, **fields})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        issues = {_path(one["loc"]): one["msg"].removeprefix("Value error, ") for one in reversed(found)}
        return tuple(Issue("value", text, path) for path, text in reversed(issues.items()))
    return problems_of(sender)


def problems_of(sender: Sender) -> tuple[Issue, ...]:
    """What is wrong with a sender although each field by itself has the right shape."""
    wrong = []
    if sender.dialect not in dialects.names():
        wrong.append(Issue("value", f"one of {', '.join(dialects.names())}", "dialect"))
    if any(pair.count("|") != 1 for pair in sender.match_msh):
        wrong.append(Issue("value", "'APPLICATION|FACILITY'", "match_msh"))
    if sender.organization.strip() in {"", build.HUB_NAME}:
        wrong.append(Issue("value", "the hospital's name, which is not the hub's own", "organization"))
    if not all(map(_is_network, sender.peers)):
        wrong.append(Issue("value", "an address or a network without host bits, e.g. 10.1.2.0/24", "peers"))
    return tuple(wrong)


def sender_of(fields: Mapping[str, Any], registered: Sender | None = None) -> Sender:
    """The interface that a file describes; what it does not say is as registered, else neutral.

    Raises BadRequest when ``issues_of`` finds something.
    """
    known = registered.model_dump(by_alias=True) if registered is not None else {}
    whole = {**known, **fields}
    issues = issues_of(whole)
    if issues:
        raise BadRequest(f"sender file: {issues[0].path}: {issues[0].text}", issues=issues)
    return Sender.model_validate({**_MISSING, **whole})


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _path(loc: tuple[int | str, ...]) -> str:
    """The place in the file; of the forms that a value may have (``literal[...]``) nothing is said."""
    return ".".join(str(part) for part in loc if "[" not in str(part)) or "file"
