"""FHIR comes in: a message to ``$process-message``, a transaction to the base address.

Both go the way of every message: read, filed, judged and committed as one, with one entry in the ledger. What is
refused is kept as ``rejected`` and answered by an HTTP error with an OperationOutcome: a sender of notifications looks
at nothing else (Da Vinci Unsolicited Notifications 1.1.0, "Reliable Delivery").
"""

from collections.abc import Sequence
from typing import Any, Final

from app.core import json
from app.core.actor import Actor
from app.core.clock import from_micros, iso
from app.core.errors import BadRequest, Forbidden, HubError, Issue, Unavailable, Unprocessable
from app.services.hub import Hub
from app.services.intake.accounting import counted, original
from app.services.intake.intake import Intake, Outcome
from app.services.intake.intake_reading import Arrival, Refusal, read_fhir
from app.services.intake.ledger_views import LedgerLine, line_of_outcome
from app.services.packets.packets import reachable
from app.services.writing import decoded, turned
from app.store.database import Gone
from app.store.queries import ColumnIn, Query, Row
from app.store.reader import Reader
from fhir_mappings.fhir_in import fhir_answers, fhir_bundle
from schemas.sender import Sender

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r\n"
_UNREADABLE: Final = frozenset({"not-json", "not-a-bundle", "not-conforming", "unknown-sender"})
"""Refused with 400, as what can't be read or is no FHIR; all else is 422 (http.html#create)."""
_NAME: Final = "Throughline"

Body = bytes
"""A FHIR resource as it leaves."""


async def process_message(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender]) -> Body:
    """The response message to one message (https://hl7.org/fhir/R4/messaging.html).

    Raises BadRequest or Unprocessable with the path of everything that is wrong (the ledger has it as rejected),
    Unavailable when it could not be made durable.
    """
    outcome = await _taken(hub, intake, data, senders, "message")
    account = _account(await _entry(hub, outcome))
    request: dict[str, Any] = json.loads(outcome.reading.inbound.data)
    now = from_micros(hub.clock.now_us())
    return json.dumps(fhir_answers.message(request, account, fhir_base=hub.settings.fhir_base, name=_NAME, now=now))


async def transaction(hub: Hub, intake: Intake, actor: Actor, data: bytes, senders: Sequence[Sender]) -> Body:
    """The response to one transaction (https://hl7.org/fhir/R4/http.html#transaction).

    Raises as ``process_message`` does.
    """
    outcome = await _taken(hub, intake, data, senders, "transaction")
    account = _account(await _entry(hub, outcome))
    request: dict[str, Any] = json.loads(outcome.reading.inbound.data)
    kept = await _kept(hub, actor, account.referral)
    return json.dumps(fhir_answers.transaction(request, account, kept))


async def _taken(
    hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender], expected: fhir_bundle.Kind
) -> Outcome:
    inbound = intake.inbound(data.removeprefix(_BYTE_ORDER_MARK).lstrip(_BLANK), senders)
    outcome = counted(await intake.receive(read_fhir(inbound, hub.keys, expected)))
    reading = outcome.reading
    if isinstance(reading, Refusal):
        raise refusal(reading)
    if outcome.decision.state == "rejected":
        text = "This identity was already used for other content."
        raise Unprocessable(text, issues=(Issue("duplicate", text, "Bundle.identifier"),))
    return outcome


def refusal(refused: Refusal) -> HubError:
    """The error that a refusal is for its sender."""
    if refused.of_another:
        return Forbidden(refused.text, issues=refused.issues)
    error = BadRequest if refused.reason in _UNREADABLE else Unprocessable
    return error(refused.text, issues=refused.issues)


async def _entry(hub: Hub, outcome: Outcome) -> LedgerLine:
    reading = outcome.reading
    known = None
    if isinstance(reading, Arrival) and outcome.decision.state == "duplicate":
        known = await original(hub, reading)
    return known or line_of_outcome(outcome)


def _account(entry: LedgerLine) -> fhir_answers.Account:
    reasons = [(reason["code"], reason["text"]) for reason in entry["reasons"]]
    return fhir_answers.Account(entry["id"], entry["state"], reasons, entry["referral"])


# ---- what the hospital can read of it


async def _kept(hub: Hub, actor: Actor, referral: str | None) -> list[fhir_answers.Kept]:
    """The resources of a referral that its hospital may see; only their names and versions leave."""
    if referral is None:
        return []
    reader = hub.store.reader(actor)
    try:
        rows = await _family(reader, referral)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    return [fhir_answers.Kept(decoded(row), row.version, iso(row.last_updated)) for row in rows.values()]


async def _family(reader: Reader, referral: str) -> dict[str, Row]:
    """The source Tasks of one transition, their ServiceRequests, and all that they lead to."""
    first = await reader.search(Query("Task", (ColumnIn("focus", (f"ServiceRequest/{referral}",)),), limit=1))
    rows: dict[str, Row] = {}
    for task in first:
        group = decoded(task).get("groupIdentifier", {})
        wanted = turned(f"{group.get('system', '')}|{group.get('value', '')}")
        for source in await reader.search(Query("Task", (ColumnIn("group_identifier", (wanted,)),))):
            rows |= {row.id: row for row in await reachable(reader, source)}
    return rows
