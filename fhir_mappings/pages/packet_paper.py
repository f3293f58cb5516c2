"""A packet as pages for people: what is asked and whom to call, the last-dose letter, the notice, then all the rest."""

from collections.abc import Iterator, Sequence
from typing import Final

from fhir_mappings.building.checklist import items_of, said
from fhir_mappings.labels import Resource
from fhir_mappings.pages import letter
from fhir_mappings.pages.contact_plan import contact_plan
from fhir_mappings.pages.last_dose import last_dose
from fhir_mappings.pages.opened import Opened, value_of
from fhir_mappings.pages.paper import Block, Lines, Pairs, Paper, Sheet, Table
from fhir_mappings.pages.readable import NOT_STATED, concept, label, moment, name_of, pairs, phone_of, text

TITLE: Final = "Referral packet"
OFFER_TITLE: Final = "Offer of a referral"
COPY_TITLE: Final = "Your copy"
"""For the patient; it stands on the card too, which tells of no medication."""
_ROWS: Final = 500
_NOTICE: Final = "Notice"
_TO_AN_OFFER: Final = (
    "This offer asks whether there is a place and says nothing of who it is for. Accept or decline the Task; "
    "the packet is shown once a consent permits it."
)
_KNOWN: Final = frozenset(
    {"subject", "patient", "encounter", "context", "for", "beneficiary", "focus", "partOf", "basedOn", "target"}
)
_OF_COURSE: Final = frozenset({"category", "performer", "dataAbsentReason"})
_LISTED: Final[dict[str, str]] = {
    "AllergyIntolerance": "code",
    "Condition": "code",
    "MedicationAdministration": "medicationCodeableConcept",
    "MedicationDispense": "medicationCodeableConcept",
    "MedicationRequest": "medicationCodeableConcept",
    "Coverage": "payor",
    "Organization": "name",
    "Practitioner": "name",
    "Location": "name",
}
"""Types of which there may be many: one row each, under the element that names them."""


def packet_paper(document: Resource, *, notices: Sequence[str], foot: str) -> Paper:
    """The pages of a packet.

    Args:
        document: the document Bundle; nothing of it is left out but ids, labels and what repeats whom it is about.
        notices: paragraphs of the notices that must travel with it.
        foot: short form of the notices, for each page.
    """
    packet = Opened(document)
    page, plan = letter.letter(packet), contact_plan(packet)
    sheets = (
        Sheet("What is asked", tuple(_cover(packet))),
        *((page,) if page else ()),
        *((plan,) if plan else ()),
        *((Sheet(_NOTICE, (Lines(tuple(notices)),)),) if notices else ()),
        *_sections(packet),
    )
    return Paper(OFFER_TITLE if packet.offered else TITLE, sheets, packet.made, foot=foot)


def letter_paper(document: Resource, *, foot: str, more: Sequence[Sheet] = ()) -> Paper | None:
    """The letter alone, and what goes with it; None where there is none."""
    packet = Opened(document)
    page = letter.letter(packet)
    return None if page is None else Paper(COPY_TITLE, (page, *more), packet.made, foot=foot)


# ---- the first page


def _cover(packet: Opened) -> Iterator[Block]:
    if packet.test:
        yield Lines((letter.MADE_UP,), strong=True)
    yield Pairs(tuple((what, which) for what, which in _asked(packet) if which))
    if packet.offered:
        yield Lines((_TO_AN_OFFER,))
        yield Pairs(tuple(_offer(packet)))


def _asked(packet: Opened) -> Iterator[tuple[str, str]]:
    task = packet.task
    yield "Asked for", concept(packet.request.get("code", {}))
    yield "Asked of", text(task.get("owner"))
    yield "Asked by", text(task.get("requester"))
    if not packet.offered:
        yield "For", name_of(packet.patient) or ""
        yield from _by_when_and_whom(packet)
    yield "Intake checklist", said(items) if (items := items_of(task)) else ""
    yield "Priority", text(task.get("priority"))
    yield "Status", text(task.get("status"))
    yield "Business status", text(task.get("businessStatus"))
    yield "Made", moment(packet.local(packet.made))


def _by_when_and_whom(packet: Opened) -> Iterator[tuple[str, str]]:
    asked = packet.request
    if at := asked.get("occurrenceDateTime"):
        yield "To be there", moment(packet.local(at))
    if days := asked.get("occurrencePeriod"):
        yield "Days", f"{moment(days['start'], of_day='')} to {moment(days['end'], of_day='')}"
    yield "Where", "; ".join(concept(one) for one in asked.get("locationCode", ()))
    role, told = packet.first("PractitionerRole"), last_dose(packet)
    if told is not None:
        yield "Medication covered until", moment(told.covered_until) if told.covered_until else NOT_STATED
    yield "Call", f"{text(role.get('practitioner')) or 'the hospital'}: {phone_of(role) or 'no phone number stated'}"
    if told is not None and told.last is not None:
        yield "Call to verify the last dose", told.last.call_back or NOT_STATED


def _offer(packet: Opened) -> Iterator[tuple[str, str]]:
    for one in packet.task.get("input", ()):
        yield concept(one["type"]), text(one.get("valueCodeableConcept"))
    yield from pairs(packet.patient, without=frozenset({"identifier"}))


# ---- the rest


def _sections(packet: Opened) -> Iterator[Sheet]:
    members = {f"{one['resourceType']}/{one['id']}": one for one in packet.members}
    for section in packet.composition.get("section", ()):
        found = [members[one["reference"]] for one in section.get("entry", ())]
        if found:
            yield Sheet(section["title"], tuple(_blocks(found)))


def _blocks(resources: Sequence[Resource]) -> Iterator[Block]:
    for kind in dict.fromkeys(one["resourceType"] for one in resources):
        same = [one for one in resources if one["resourceType"] == kind]
        if kind == "Observation":
            yield _table(kind, ("What", "Value", "Details"), [_fact(one) for one in same])
            continue
        if kind in _LISTED:
            yield _table(kind, ("What", "Details"), [_row(one, _LISTED[kind]) for one in same])
            continue
        for one in same:
            yield Lines((label(kind),))
            yield Pairs(tuple(pairs(one, without=_KNOWN)))


def _table(kind: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    caption = f"{label(kind)}: {len(rows)}"
    if len(rows) > _ROWS:
        caption += f", the first {_ROWS} of them; the record has all"
    return Table(caption, columns, tuple(rows[:_ROWS]))


def _row(resource: Resource, name: str) -> tuple[str, ...]:
    return text(resource.get(name)) or "not named", _details(resource, _KNOWN | {name})


def _fact(resource: Resource) -> tuple[str, ...]:
    value = next((name for name in resource if name.startswith("value")), "value")
    final = {"status"} if resource.get("status") == "final" else set()
    details = _details(resource, _KNOWN | _OF_COURSE | final | {"code", value})
    return concept(resource["code"]) or "not named", value_of(resource), details


def _details(resource: Resource, without: frozenset[str]) -> str:
    details = pairs(resource, without=without)
    return ", ".join(f"{what[:1].lower()}{what[1:]}: {which}" for what, which in details)
