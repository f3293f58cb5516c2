"""How a person can be reached, as they agreed to it: who, where, whether a message may be left. For people."""

from collections.abc import Iterator
from typing import Final

from fhir_mappings.building.build_elements import EXTENSION
from fhir_mappings.labels import Resource
from fhir_mappings.pages.opened import Opened
from fhir_mappings.pages.paper import Lines, Sheet, Table
from fhir_mappings.pages.readable import phone_of, text

TITLE: Final = "How to reach the person"
_COLUMNS: Final = ("Who or where", "Name", "Phone", "Place", "May be asked", "A message", "Best time")
_RULE: Final = "A message says who calls and a number to call back, never what it is about."
_ASK_FIRST: Final = "ask the person first"
_MAY_BE_LEFT: Final = "may be left"
_LEAVE_NONE: Final = "do not leave one"
_NOT_SAID: Final = "not said: do not leave one"


def contact_plan(packet: Opened) -> Sheet | None:
    """The page of a packet; None where nothing but the person's own phone is known."""
    rows = [*_rows(packet.patient)]
    return Sheet(TITLE, (Table(f"Contacts: {len(rows)}", _COLUMNS, tuple(rows)), Lines((_RULE,)))) if rows else None


def _rows(patient: Resource) -> Iterator[tuple[str, ...]]:
    for contact in patient.get("contact", ()):
        terms = _terms(contact)
        permission, message = terms.get("permission"), terms.get("safeToLeaveMessage")
        yield (
            text(contact["relationship"][0]) if contact.get("relationship") else "not said",
            text(contact.get("name")),
            phone_of(contact) or "",
            text(contact.get("address")),
            "yes" if permission is True else _ASK_FIRST,
            _MAY_BE_LEFT if message is True else _LEAVE_NONE if message is False else _NOT_SAID,
            str(terms.get("bestTime", "")),
        )


def _terms(contact: Resource) -> dict[str, object]:
    told = (one for one in contact.get("extension", ()) if one["url"] == f"{EXTENSION}/contact-terms")
    parts = (part for one in told for part in one.get("extension", ()))
    return {part["url"]: next(value for name, value in part.items() if name.startswith("value")) for part in parts}
