"""Validators and preconditions of FHIR requests (https://hl7.org/fhir/R4/http.html#versioning, #cread).

``Last-Modified`` counts whole seconds, changes don't: a date is given as the second after the change
and only once that second has begun, so that no later change can hide behind it.
"""

import re
from collections.abc import Sequence
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import BadRequest
from app.entrypoints.base import header
from app.services.writes.resource_requests import version_of_tag
from schemas.packs.base import headers as notice_headers

_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_SECOND: Final = 1_000_000


class FhirAnswer(Response):
    """A FHIR answer; no body means 304. The notices that must travel with a record do so in headers of their own.

    Its headers are put together as they are sent: Starlette's own translates each from text for every answer.
    """

    def __init__(
        self,
        body: bytes | None,
        content_type: str,
        *,
        tag: str | None = None,
        last_modified: str | None = None,
        notices: tuple[str, ...] = (),
    ) -> None:
        self.status_code = 304 if body is None else 200
        self.body = body or b""
        self.background = None
        self.raw_headers = []
        self.notices = notices if body else ()
        if tag is not None:
            self.raw_headers.append((b"etag", f'W/"{tag}"'.encode("latin-1")))
        if last_modified is not None:
            self.raw_headers.append((b"last-modified", last_modified.encode("latin-1")))
        if body is not None:
            self.raw_headers.append((b"content-length", b"%d" % len(body)))
        if body:
            self.raw_headers.append((b"content-type", content_type.encode("latin-1")))
        for name, value in notice_headers(self.notices):
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))


def if_match(request: Request) -> int | None:
    """The version that ``If-Match`` names; None where it is not sent."""
    value = header(request.scope, b"if-match")
    if value is None:
        return None
    version = version_of_tag(value.decode("latin-1"))
    if version is None:
        raise BadRequest('If-Match is the ETag of one version: W/"3".', path="http.If-Match")
    return version


def none_match(request: Request) -> Sequence[str]:
    """What ``If-None-Match`` names, without quotes and weakness (RFC 9110 section 13.1.2); ``*`` stands for any."""
    value = header(request.scope, b"if-none-match")
    if value is None:
        return ()
    text = value.decode("latin-1")
    return ("*",) if text.strip() == "*" else _TAG.findall(text)


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


def last_modified(changed: int, now: int) -> str | None:
    """The date to give, where it can be given without hiding a later change."""
    return _http_date(changed // _SECOND + 1) if _settled(changed, now) else None


@lru_cache(maxsize=4096)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


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
