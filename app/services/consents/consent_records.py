"""A consent that was signed on paper, or taken back: told to intake as every message is, so the ledger has it.

Of the signed document the hash is kept, the document itself is not.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from pydantic import ValidationError

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, Issue
from app.core.ids import uuid7
from app.rules.consent_elements import ELEMENTS, missing_elements
from app.rules.consent_flaws import plain
from app.services.hub import Hub
from app.services.intake import intake_requests
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import identity_macs
from app.services.intake.ledger_views import LedgerLine
from app.services.referral.visit_file import VisitFile
from schemas.discharge import ConsentGiven, Identifier, VisitDetails
from schemas.facts import Facts
from schemas.sender import Sender

_SYSTEM: Final = Actor.system("consents")


async def record(
    hub: Hub, data: bytes, *, sender: str, visit: str, document: bytes | None = None
) -> tuple[str, LedgerLine]:
    """Tell a visit of a consent that was signed; its number, and where it went.

    Args:
        hub: the hub.
        data: JSON of a ConsentGiven; one without ``identifier`` is given one.
        sender: id of the interface.
        visit: number of the visit, ``SYSTEM|VALUE``.
        document: the signed document.

    Raises BadRequest for what is no consent, with one issue for each element of 42 CFR 2.31(a) that it lacks, and what
    intake raises.
    """
    interface = await _sender(hub, sender)
    given = _read(data, interface, document)
    missing = missing_elements(given, on=_day(given, hub.clock.now().astimezone(interface.zone()).date()))
    if given.status == "active" and missing:
        issues = tuple(Issue("required", f"42 CFR 2.31(a)({number}): {ELEMENTS[number]}") for number in missing)
        raise BadRequest("; ".join(one.text for one in issues), issues=issues)
    told = given.model_dump(mode="json", exclude_defaults=True) | {"status": given.status}
    return await _tell(hub, interface, visit, told | {"identifier": given.identifier or f"form-{uuid7()}"})


async def revoke(
    hub: Hub, *, sender: str, visit: str, identifier: str, recipients: Sequence[str] = ()
) -> tuple[str, LedgerLine]:
    """Tell a visit that a consent was taken back: for all whom it names, or for ``recipients`` only.

    Raises BadRequest for a sender that is not registered, a consent that the visit doesn't have and a recipient that it
    doesn't name, so that nobody takes for revoked what is not, and what intake raises.
    """
    interface = await _sender(hub, sender)
    known = [one for one in await _held(hub, interface, visit) if one.identifier == identifier]
    if not known:
        raise BadRequest("The visit has no consent of this number.", path="--identifier")
    named = {plain(name) for one in known for name in one.recipients}
    if not any(one.classes for one in known) and not named.issuperset(map(plain, recipients)):
        raise BadRequest("The consent names no such recipient.", path="--for")
    said: dict[str, Any] = {"not_recipients": list(recipients)} if recipients else {"status": "inactive"}
    return await _tell(hub, interface, visit, {"identifier": identifier, **said})


async def _held(hub: Hub, sender: Sender, visit: str) -> list[ConsentGiven]:
    """The consents of the visit."""
    details = VisitDetails(identifiers=[_number(visit)])
    facts = Facts(trigger="consent", kind="update", at=hub.clock.now(), visit=details)
    numbers, _ = identity_macs(facts, sender.organization, hub.keys)
    found = await hub.store.intake(_SYSTEM).known(numbers=numbers)
    files = [VisitFile.opened(hub.keys, sender.organization, stored) for stored in found.by_number]
    return [one for file in files if file is not None for one in file.content.record.circumstances.consents]


def _number(visit: str) -> Identifier:
    system, bar, value = visit.rpartition("|")
    if not (bar and system and value):
        raise BadRequest("The number of the visit with its system: SYSTEM|VALUE.", path="--visit")
    return Identifier(system=system, value=value)


async def _sender(hub: Hub, name: str) -> Sender:
    found = (await hub.registry.current()).senders.get(name)
    if found is None:
        raise BadRequest("No sender of this id is registered.", path="--sender")
    return found


def _read(data: bytes, sender: Sender, document: bytes | None) -> ConsentGiven:
    stated = json.loads(data)
    if not isinstance(stated, dict):
        raise BadRequest("One JSON object.", path="FILE")
    if document is not None:
        stated |= {"document_hash": hashlib.sha256(document).hexdigest()}
    try:
        return ConsentGiven.model_validate(stated, context={"zone": sender.zone()})
    except ValidationError as error:
        paths = (".".join(map(str, one["loc"])) for one in error.errors(include_input=False, include_url=False))
        raise BadRequest("Not a consent as the schema has it.", path=", ".join(paths)) from None


def _day(given: ConsentGiven, today: date) -> date:
    signed = given.signed_at
    return signed.date() if isinstance(signed, datetime) else signed or today


async def _tell(hub: Hub, sender: Sender, visit: str, consent: dict[str, Any]) -> tuple[str, LedgerLine]:
    event = {
        "schema_version": "1",
        "event_id": f"consent-{uuid7()}",
        "kind": "update",
        "occurred_at": hub.clock.now().isoformat(),
        "patient": {},
        "visit": {"identifiers": [_number(visit).model_dump(exclude_none=True)]},
        "consents": [consent],
    }
    answer = await intake_requests.receive_event(hub, Intake(hub), json.dumps(event), [sender])
    return consent["identifier"], answer.entry
