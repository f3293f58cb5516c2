"""Messages read and judged one by one, as ``ingest --dry-run`` does, with what was read of each kept beside it.

Without a database it works too: a sender file stands for the registration, and the partners that its routes name count
as registered, since nobody else could be asked.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from app.core import log
from app.core.clock import Clock
from app.core.crypto import Keys
from app.services.intake import ingest_files, intake_deciding, intake_reading
from app.services.intake.ingest_files import Piece
from app.services.intake.intake_reading import Arrival, Refusal
from app.services.senders import explaining, sender_files
from app.store.accounts import Directory
from fhir_mappings import build, dialects, hl7v2
from fhir_mappings.dialects.event_json.dialect import Refused
from fhir_mappings.explaining import explain
from fhir_mappings.explaining.coverage_report import Judged
from fhir_mappings.fhir_in import fhir_bundle
from schemas.partner import PartnerProfile
from schemas.sender import Sender

_HUB: Final = "hub"
_HOSPITAL: Final = "hospital"


@dataclass(frozen=True, slots=True)
class DryRun:
    """Who may have sent the messages, and who takes part."""

    senders: tuple[Sender, ...]
    directory: Directory
    keys: Keys
    clock: Clock

    @classmethod
    def of_file(cls, sender: Sender, clock: Clock) -> "DryRun":
        """Over one sender that is not registered; nothing of it is kept, so neither are its keys."""
        routed = dict.fromkeys(sender.routes.values())
        partners = {f"partner-{number}": _stand_in(name) for number, name in enumerate(routed, 1)}
        names = {_HUB: build.HUB_NAME, _HOSPITAL: sender.organization}
        # A name is no id: what is built would refer to nobody.
        sender = sender.model_copy(update={"organization": _HOSPITAL})
        directory = Directory(
            hub=_HUB,
            names=names | {key: partner.name for key, partner in partners.items()},
            senders={sender.id: sender},
            partners=partners,
        )
        return cls((sender,), directory, Keys(secrets.token_bytes(32)), clock)

    def judged(self, piece: Piece) -> Judged:
        """What ``piece`` would come to by itself, and what was read of it."""
        faults = tuple(fault.code for fault in piece.faults)
        if piece.kind == "unsupported":
            return Judged(sender_files.neutral(), None, "rejected", faults, place=_place(piece))
        senders = ingest_files.able(self.senders, piece.kind)
        inbound = intake_reading.Inbound(piece.data, senders, self.clock.now_us())
        reading = ingest_files.read(inbound, piece.kind, self.keys)
        state, reasons = self._decided(reading)
        sender = reading.sender if isinstance(reading, Arrival) else explaining.sender_for(piece, inbound.senders)
        reasons = (*reasons, *faults)
        judged = Judged(explaining.able(sender, piece), reading.message_type, state, reasons, place=_place(piece))
        return _with_reading(piece, judged)

    def _decided(self, reading: Arrival | Refusal) -> tuple[str, tuple[str, ...]]:
        if isinstance(reading, Refusal):
            return "rejected", (reading.reason,)
        try:
            decision = intake_deciding.decide_alone(reading, self.directory, self.keys)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one message must not end the run
            log.error("dry-run.decision-failed", error, ledger=reading.ledger)
            return "not-kept", ("not-kept",)
        return decision.state, tuple(code for code, _ in decision.reasons)


def pieces(files: Iterable[Path]) -> Iterator[Piece | Path]:
    """Every message of the files, in order; of a file that can't be read its path."""
    for path in files:
        try:
            yield from ingest_files.pieces(path)
        except OSError:
            yield path


def unreadable_file(path: Path) -> Judged:
    """A file that can't be read counts as one message, as ``ingest`` counts it."""
    return Judged(sender_files.neutral(), None, "rejected", ("unreadable-file",), place=str(path))


def _with_reading(piece: Piece, judged: Judged) -> Judged:
    """The same with what the dialect reads, where it can read it."""
    sender = judged.sender
    dialect = dialects.find(sender.dialect)
    try:
        if piece.kind == "event":
            paths = tuple(explain.event_paths(orjson.loads(piece.data)))
            return replace(judged, reading=dialect.read(piece.data, sender), paths=paths)
        if piece.kind == "fhir":
            bundle = orjson.loads(piece.data)
            return replace(judged, reading=dialect.read(bundle, sender), paths=tuple(explain.bundle_paths(bundle)))
        message = hl7v2.parse(piece.data).traced()
    except (hl7v2.Unreadable, Refused, fhir_bundle.Refused, ValueError):
        return judged
    reading = dialect.read(message, sender)
    dialect.filing(message, reading.facts)  # reads MSH-10
    return replace(judged, message_type=message.type, message=message, reading=reading)


def _place(piece: Piece) -> str:
    return f"{piece.file}, message {piece.index}"


def _stand_in(name: str) -> PartnerProfile:
    return PartnerProfile(name=name, covered_entity=True, part2_program=True)
