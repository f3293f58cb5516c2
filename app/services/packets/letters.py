"""Paper for those who print it: the letter and a card for the patient, the whole packet for the partner."""

from typing import Final, Literal

from app.core.actor import Actor
from app.core.errors import BadRequest, NotFound, Unavailable
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.packets import card_codes
from app.services.packets.packets import Packet, packet_of, printed
from app.services.writing import Resource, decoded
from app.store.queries import ColumnIn, Query, Row
from fhir_mappings.outreach import is_beside
from fhir_mappings.pages.card import card
from fhir_mappings.pages.opened import Opened
from fhir_mappings.pages.packet_paper import letter_paper, packet_paper
from fhir_mappings.pages.paper import Paper

Audience = Literal["patient", "partner"]
_SYSTEM: Final = Actor.system("letter")
_LOST: Final = frozenset({"rejected", "cancelled", "entered-in-error", "failed"})
_ENGAGED: Final = frozenset({"accepted", "in-progress", "on-hold", "completed"})
_OWN_COPY: Final = "Copy for the patient."


async def letter(
    hub: Hub, referral: str, audience: Audience, form: Literal["html", "pdf"], *, user: str | None = None
) -> bytes:
    """What is printed of a referral.

    For the patient the letter and a card, of what the hospital may see: it is the person's own record (42 CFR 2.23).
    For the partner the whole packet with its cover, of what that partner may see: a disclosure to it like any other.

    Args:
        hub: the hub.
        referral: id of a ServiceRequest or Task, source or child.
        audience: for whom.
        form: page or print.
        user: the person at the machine.

    Raises:
        NotFound: no referral of this id.
        BadRequest: there is no such paper: nobody doses for this need, no partner was asked, or several were, or no
            consent lets the partner see more than the offer.
    """
    asked = await _task(hub, referral)
    parent = asked.get("partOf")
    source = await _read(hub, parent[0]["reference"]) if parent else asked
    children = [asked] if parent else await _children(hub, source)
    if audience == "partner":
        return await printed(await _for_partner(hub, children, user), form)
    return await printed(await _for_patient(hub, source, await _children(hub, source), user), form)


async def _for_partner(hub: Hub, children: list[Resource], user: str | None) -> Paper:
    open_ones = [one for one in children if one["status"] not in _LOST]
    if len(open_ones) != 1:
        raise BadRequest(f"{len(open_ones)} partners are asked; name the Task of one of them.", path="REFERRAL")
    made = await _shown(hub, open_ones[0], "owner", user)
    if Opened(made.document).offered:
        raise BadRequest("No consent lets this partner see more than the offer.", path="REFERRAL")
    return packet_paper(made.document, notices=made.said, foot=made.foot)


async def _for_patient(hub: Hub, source: Resource, children: list[Resource], user: str | None) -> Paper:
    made = await _shown(hub, source, "requester", user)
    taking = next((one for one in children if one["status"] in _ENGAGED), None)
    partner = await _read(hub, taking["owner"]["reference"]) if taking else None
    code = await card_codes.printed(hub, source["id"])
    paper = letter_paper(made.document, foot=_OWN_COPY, more=(card(Opened(made.document), partner, code),))
    if paper is None:
        raise BadRequest("Nobody doses for this need: it has no last-dose letter.", path="REFERRAL")
    return paper


async def _shown(hub: Hub, task: Resource, role: Literal["owner", "requester"], user: str | None) -> Packet:
    """What the owner or the requester of a Task may see of the referral, on record before it is printed."""
    disclosures = Disclosures(hub.store)
    made = await packet_of(hub, Actor(_id(task[role]["reference"]), "hub", user=user), task["id"], disclosures, "print")
    await disclosures.flush()
    if disclosures.waits:
        raise Unavailable("The look could not be recorded, so nothing is printed; try again.")
    return made


async def _task(hub: Hub, referral: str) -> Resource:
    """The Task of this id, or that asks for the ServiceRequest of this id."""
    reader = hub.store.reader(_SYSTEM)
    row = await reader.read("Task", referral)
    if row is None:
        focus = ColumnIn("focus", (f"ServiceRequest/{referral}",))
        row = next(iter(await reader.search(Query("Task", (focus,), limit=1))), None)
    if row is None or row.deleted:
        raise NotFound("No referral has this id.")
    return decoded(row)


async def _children(hub: Hub, source: Resource) -> list[Resource]:
    part_of = ColumnIn("part_of", (f"Task/{source['id']}",))
    rows: list[Row] = await hub.store.reader(_SYSTEM).search(Query("Task", (part_of,), limit=500))
    return [task for row in rows if not is_beside(task := decoded(row))]


async def _read(hub: Hub, reference: str) -> Resource:
    (row,) = await hub.store.reader(_SYSTEM).by_ids([_id(reference)])
    return decoded(row)


def _id(reference: str) -> str:
    return reference.rpartition("/")[2]
