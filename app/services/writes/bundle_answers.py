"""The answer to a batch or transaction: an entry for each entry, in order."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from app.core import json
from app.core.clock import iso
from app.core.ids import uuid7
from app.services.interactions import Done
from app.services.reading.bundle_marks import marked_meta
from app.services.writing import Disclosed


class Answered(NamedTuple):
    """What came of one entry."""

    status: int
    body: bytes | None
    """A resource: what was asked for, or the OperationOutcome of what went wrong."""
    location: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    notices: tuple[str, ...] = ()
    """Those that must travel with the body."""


def answer_of(done: Done, fhir_base: str, *, whole: bool) -> Answered:
    """What an entry of a transaction came to; with the resource where the client wants the ``whole``."""
    location = f"{fhir_base}/{done.type}/{done.id}/_history/{done.version}"
    found = done.rendition
    told = found if whole else None
    return Answered(
        done.status,
        told.body if told is not None else None,
        location=location if done.status != 204 else None,
        etag=f'W/"{done.version}"',
        last_modified=iso(found.last_updated) if found is not None else None,
        notices=told.notices if told is not None else (),
    )


def answer_bundle(kind: str, answers: Sequence[Answered]) -> Disclosed:
    """The Bundle of all answers; resources go in as the bytes that they are."""
    entries = b",".join(map(_entry, answers))
    head = f'{{"resourceType":"Bundle","id":"{uuid7()}",'.encode() + marked_meta(entries)
    body = head + f'"type":"{kind}"'.encode() + (b',"entry":[' + entries + b"]}" if entries else b"}")
    return Disclosed(body, tuple(sorted({name for one in answers for name in one.notices})))


def _entry(answer: Answered) -> bytes:
    said: dict[str, Any] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    said |= {"location": answer.location} if answer.location else {}
    said |= {"etag": answer.etag} if answer.etag else {}
    said |= {"lastModified": answer.last_modified} if answer.last_modified else {}
    failed = answer.status >= HTTPStatus.BAD_REQUEST
    response = json.dumps(said)
    if not answer.body:
        return b'{"response":' + response + b"}"
    if failed:
        return b'{"response":' + response[:-1] + b',"outcome":' + answer.body + b"}}"
    return b'{"resource":' + answer.body + b',"response":' + response + b"}"
