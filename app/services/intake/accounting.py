"""Every message that comes in is counted once, and one that comes again is told what the first copy came to."""

from typing import Final

from app.core.actor import Actor
from app.core.errors import Unavailable
from app.core.metrics import MESSAGES
from app.services.hub import Hub
from app.services.intake.intake import Outcome
from app.services.intake.intake_reading import Arrival
from app.services.intake.ledger_views import LedgerLine, line_of
from app.store.database import Gone

_SYSTEM: Final = Actor.system("ingest")


def counted(outcome: Outcome) -> Outcome:
    """The same, counted by sender and state."""
    reading = outcome.reading
    sender = reading.sender.id if isinstance(reading, Arrival) else reading.sender
    MESSAGES.add(sender or "unknown", outcome.decision.state)
    return outcome


async def original(hub: Hub, arrival: Arrival) -> LedgerLine | None:
    """The entry of the first copy of a message, as it stands now."""
    reader = hub.store.intake(_SYSTEM)
    try:
        copies = (await reader.known(receipts=[(arrival.scope, arrival.key)])).receipts
        first = next((copy.ledger for copy in copies if copy.mac == arrival.mac), None)
        entry = None if first is None else await reader.entry(first)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    return None if entry is None else line_of(entry)
