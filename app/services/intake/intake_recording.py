"""How one message is accounted for: its entry in the ledger, its identity, and what of it is kept."""

from collections.abc import Sequence
from typing import NamedTuple

from app.core.crypto import Keys
from app.services.intake.intake_reading import AckCode, Arrival, Refusal
from app.services.referral.situation import Reason
from app.services.referral.visit_file import reasons_json
from app.services.writing import Draft
from app.store.changes import Changes, LedgerMove, LedgerRow, LedgerState, Receipt, ReviewItem


class Decision(NamedTuple):
    """What is written for one message, and how it is answered."""

    changes: Changes
    state: LedgerState
    reasons: tuple[Reason, ...]
    code: AckCode = "AA"
    visit: str | None = None
    referral: str | None = None
    notes: tuple[Reason, ...] = ()
    """What is said of the message whatever becomes of it."""
    drafts: tuple[Draft, ...] = ()
    """Resources that it writes as well, once they have passed the gate."""


def refused(refusal: Refusal, keys: Keys) -> Decision:
    """A refused message is kept, so that it can be looked into and decided again."""
    inbound = refusal.inbound
    reasons = ((refusal.reason, refusal.text),)
    if inbound.replay_of:
        move = LedgerMove(refusal.ledger, inbound.received_at, "rejected", reasons_json(reasons))
        return Decision(Changes(moves=(move,)), "rejected", reasons, code=refusal.code)
    row = LedgerRow(
        id=refusal.ledger,
        sender=refusal.sender,
        control_id=refusal.header.control_id if refusal.header else None,
        message_type=refusal.message_type,
        received_at=inbound.received_at,
        state="rejected",
        reasons=reasons_json(reasons),
        raw=keys.seal_raw(refusal.ledger, inbound.data),
    )
    return Decision(Changes(ledger=(row,)), "rejected", reasons, code=refusal.code)


def plain(
    arrival: Arrival, state: LedgerState, reasons: Sequence[Reason], keys: Keys, *, code: AckCode = "AA"
) -> Decision:
    """A message that touches no visit."""
    raw = None if state == "not-ours" else arrival.inbound.data
    changes = recorded(arrival, state, reasons, keys, raw=raw, receipt=code == "AA")
    return Decision(changes, state, tuple(reasons), code=code)


def row(
    arrival: Arrival,
    state: LedgerState,
    reasons: Sequence[Reason],
    *,
    visit: str | None = None,
    referral: str | None = None,
    person: str | None = None,
    raw: bytes | None = None,
) -> LedgerRow:
    """The entry of a message that was not accounted for before."""
    return LedgerRow(
        id=arrival.ledger,
        sender=arrival.sender.id,
        control_id=arrival.key,
        message_type=arrival.message_type,
        received_at=arrival.inbound.received_at,
        state=state,
        reasons=reasons_json(reasons),
        visit=visit,
        referral=referral,
        person=person,
        raw=raw,
    )


def recorded(
    arrival: Arrival,
    state: LedgerState,
    reasons: Sequence[Reason],
    keys: Keys,
    *,
    visit: str | None = None,
    referral: str | None = None,
    person: str | None = None,
    raw: bytes | None = None,
    receipt: bool = True,
) -> Changes:
    """The message's own entry: a new row with its receipt, or, decided again, a move of the old row."""
    if arrival.inbound.replay_of:
        at = arrival.inbound.received_at
        move = LedgerMove(arrival.ledger, at, state, reasons_json(reasons), referral, visit)
        # What waited for a human as a message by itself is over, or goes on as a row of its visit.
        settled = arrival.visit is None and state != "review"
        item = ReviewItem(arrival.ledger, arrival.sender.id, at, "[]", closed=True)
        return Changes(moves=(move,), reviews=(item,) if settled else ())
    sealed = keys.seal_raw(arrival.ledger, raw) if raw is not None else None
    entry = row(arrival, state, reasons, visit=visit, referral=referral, person=person, raw=sealed)
    receipts = (Receipt(arrival.scope, arrival.key, arrival.mac, arrival.ledger),) if receipt else ()
    return Changes(ledger=(entry,), receipts=receipts)
