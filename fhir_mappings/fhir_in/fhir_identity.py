"""What a FHIR Bundle is known by: its kind, its identity, and its content without the envelope.

Source: FHIR R4 2.36 (Bundle.identifier), 2.4.4 (a message that is sent again is the same message).
"""

import re
from typing import Any, Final

from fhir_mappings.fhir_in.fhir_bundle import ENVELOPE, Kind, refuse
from fhir_mappings.fhir_in.fhir_bundle import kind_of as stated_kind
from fhir_mappings.labels import Resource

REFUSALS: Final = {
    "not-json": "not strict JSON",
    "not-a-bundle": "not a Bundle of the type that is taken here",
    "not-conforming": "not valid FHIR R4, or not about one person and one stay",
    "not-supported": "holds what intake does not take",
    "unknown-event": "the message's event is not one that is taken here",
    "too-many-entries": "more entries than one Bundle may have",
    "unknown-sender": "not exactly one registered sender",
    "required-field-missing": "neither an identifier of the person nor one of the visit",
}
"""Ledger reason to what it says."""
KEY_MAX: Final = 256

_START: Final = re.compile(rb"\s*\{")
_TYPED: Final = re.compile(rb'"resourceType"\s*:\s*"Bundle"')
_UUID: Final = re.compile(r"urn:uuid:([A-Za-z0-9\-.]{1,64})")


def looks_like_fhir(data: bytes) -> bool:
    """Whether bytes that were kept may be a Bundle."""
    return _START.match(data) is not None and _TYPED.search(data) is not None


def kind_of(document: object, expected: Kind | None) -> Kind:
    """Message or transaction.

    Raises:
        Refused: It is neither, or not the ``expected`` one.
    """
    kind = stated_kind(document)
    if expected is not None and kind != expected:
        where = "POST [base]/$process-message" if kind == "message" else "POST [base]"
        refuse("Bundle.type", f"a Bundle of type {expected}; a {kind} goes to {where}", "not-a-bundle", "value")
    return kind


def key_of(document: Resource, kind: Kind) -> str | None:
    """The identity that the sender gave: Bundle.identifier, else of a message MessageHeader.id; None without any.

    Raises:
        Refused: A message without identity, which could not be answered either.
    """
    stated = document.get("identifier")
    if stated and stated.get("value"):
        system = stated.get("system")
        key = f"{system}|{stated['value']}" if system else str(stated["value"])
        if len(key) > KEY_MAX or not key.isprintable():
            refuse("Bundle.identifier", f"at most {KEY_MAX} characters, no control characters")
        return key
    return header_id(document) if kind == "message" else None


def header_id(message: Resource) -> str:
    """The id of the MessageHeader, which an answer names (MessageHeader.response.identifier).

    Raises:
        Refused: It has none.
    """
    header = message["entry"][0]
    own: str | None = header["resource"].get("id")
    if own is not None:
        return own
    match = _UUID.fullmatch(header.get("fullUrl", ""))
    if match is None:
        refuse(
            "Bundle.entry[0].resource.id", "a MessageHeader has an id, by which the answer names it", code="required"
        )
    return match[1]


def content_of(document: Resource, kind: Kind) -> dict[str, Any]:
    """What is compared when the same identity comes again.

    Of what names itself the envelope is left out, so that sending it again changes nothing. A transaction that names
    itself by nothing is itself only with the instant at which it was put together.
    """
    if kind == "transaction" and key_of(document, kind) is None:
        return document
    return {name: value for name, value in document.items() if name not in ENVELOPE}
