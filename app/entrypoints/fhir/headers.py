"""Validators and preconditions of FHIR requests (https://hl7.org/fhir/R4/http.html#versioning, #cread).

``Last-Modified`` counts whole seconds, changes don't: a date is given as the second after the change
and only once that second has begun, so that no later change can hide behind it.
"""

import re
from email.utils import formatdate, parsedate_to_datetime
from typing import Final

from starlette.requests import Request

from app.core.errors import BadRequest
from app.entrypoints.base import header

_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_SECOND: Final = 1_000_000


def version_tag(version: int) -> str:
    """The weak ETag of a version."""
    return f'W/"{version}"'


def if_match(request: Request) -> int | None:
    """The version that ``If-Match`` names; None where it is not sent."""
    value = header(request.scope, b"if-match")
    if value is None:
        return None
    found = _TAG.fullmatch(value.decode("latin-1").strip())
    if found is None or not found[1].isdecimal() or len(found[1]) > 8:
        raise BadRequest('If-Match is the ETag of one version: W/"3".', path="http.If-Match")
    return int(found[1])


def matches(request: Request, tag: str) -> bool:
    """Whether ``If-None-Match`` holds ``tag`` (weak comparison, RFC 9110 section 13.1.2)."""
    value = header(request.scope, b"if-none-match")
    if value is None:
        return False
    wanted = tag.removeprefix("W/").strip('"')
    text = value.decode("latin-1")
    return text.strip() == "*" or wanted in _TAG.findall(text)


def not_modified_since(request: Request, changed: int, now: int) -> bool:
    """Whether ``If-Modified-Since`` is not before the change (microseconds); an ETag goes first."""
    if header(request.scope, b"if-none-match") is not None:
        return False
    value = header(request.scope, b"if-modified-since")
    if value is None or not _settled(changed, now):
        return False
    try:
        since = parsedate_to_datetime(value.decode("latin-1"))
    except ValueError:
        return False
    return since.timestamp() >= changed // _SECOND + 1


def last_modified(changed: int, now: int) -> dict[str, str]:
    """The header, where it can be given without hiding a later change."""
    return {"last-modified": formatdate(changed // _SECOND + 1, usegmt=True)} if _settled(changed, now) else {}


def _settled(changed: int, now: int) -> bool:
    return now >= (changed // _SECOND + 1) * _SECOND


def prefers(request: Request, what: str) -> str | None:
    """A preference of the ``Prefer`` header: ``return`` or ``handling``."""
    value = header(request.scope, b"prefer")
    if value is None:
        return None
    for part in re.split(r"[;,]", value.decode("latin-1")):
        name, _, chosen = part.strip().partition("=")
        if name.lower() == what:
            return chosen.strip('"')
    return None
