"""The card that the person takes along: where to go, when, what to bring, whom to call. It names no medication."""

from collections.abc import Iterator

from fhir_mappings.labels import Resource
from fhir_mappings.pages.letter import MADE_UP
from fhir_mappings.pages.opened import Opened, component
from fhir_mappings.pages.paper import Lines, Pairs, Sheet
from fhir_mappings.pages.readable import moment, name_of, phone_of, text

TITLE = "Your card"
NOT_SETTLED = "not settled yet: ask before you leave"


def card(packet: Opened, partner: Resource | None, code: str) -> Sheet:
    """The card of one referral.

    Args:
        packet: what the hospital sees of the referral.
        partner: Organization of the partner that takes the person; None where none has accepted yet.
        code: by which a partner where the person comes finds the referral.
    """
    made_up = (Lines((MADE_UP,), strong=True),) if packet.test else ()
    return Sheet(TITLE, (*made_up, Pairs(tuple(_rows(packet, partner, code)))), alone=True)


def _rows(packet: Opened, partner: Resource | None, code: str) -> Iterator[tuple[str, str]]:
    yield "For", name_of(packet.patient) or ""
    yield "Go to", text(partner["name"]) if partner else NOT_SETTLED
    if partner:
        yield "Phone", phone_of(partner) or "not stated"
        yield "Address", text(partner.get("address")) or "not stated: ask before you leave"
    yield "When", _when(packet)
    until = packet.task.get("restriction", {}).get("period", {}).get("end")
    if until:
        yield "Be there before", moment(packet.local(until))
    yield "Show there", code
    yield "Bring", "; ".join(("this card and your letter", *_bring(packet)))
    role = packet.first("PractitionerRole")
    yield "Call us", f"{text(packet.task.get('requester'))}: {phone_of(role) or 'no phone number stated'}"


def _when(packet: Opened) -> str:
    booked = next(iter(packet.observations("next-appointment")), {})
    if "valueDateTime" not in booked:
        return "no appointment is booked: call first"
    where = component(booked, "Where")
    return f"{moment(packet.local(booked['valueDateTime']))}{f', {where}' if where else ''}"


def _bring(packet: Opened) -> Iterator[str]:
    yield "a photo ID" if packet.fact("photo-id") == "yes" else "a photo ID if you have one"
    if packet.of("Coverage"):
        yield "your insurance card"
    if packet.of("MedicationDispense"):
        yield "the doses that you were given, in their bottles"
