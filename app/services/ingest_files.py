"""Files of messages: found, cut into messages, read in, and each one accounted for."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from app.core import log
from app.core.errors import BadRequest, NotFound, Unavailable
from app.services import intake_deciding, intake_reading, ledger_views
from app.services.hub import Hub
from app.services.intake import Intake, Outcome, Reading, split
from app.services.intake_deciding import Known
from app.services.intake_reading import Arrival
from app.store.accounts import Directory
from fhir_mappings import dialects
from schemas.sender import Sender

_TOGETHER: Final = 64
"""Messages that are handed in together, so that they share a commit."""
_LINES: Final = frozenset({".ndjson", ".jsonl"})
_FHIR: Final = re.compile(rb'"resourceType"\s*:')
_BLANK: Final = b"\xef\xbb\xbf \t\r\n\x0b\x1c"

Kind = Literal["hl7v2", "event", "unsupported"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of a file; ``index`` counts from 1."""

    file: str
    index: int
    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message. ``state`` None: it could not be kept, and is to be sent again."""

    file: str
    index: int
    ack: str | None
    state: str | None
    reasons: list[dict[str, str]] = field(default_factory=list)
    control_id: str | None = None
    message_type: str | None = None
    referral: str | None = None

    def line(self) -> dict[str, Any]:
        """One line of the report."""
        return asdict(self)


def find(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant, in order: those named, and all below a folder but hidden ones.

    Raises NotFound for a path that isn't there.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = (p for p in sorted(path.rglob("*")) if not _hidden(p.relative_to(path)))
            found += [p for p in below if p.is_file()]
        elif path.exists():
            found.append(path)
        else:
            raise NotFound(f"There is no {path}.")
    return found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def cut(name: str, data: bytes) -> Iterator[Piece]:
    """The messages of one file: HL7 v2, single or batch; JSON events, one or one a line; FHIR as a whole."""
    start = data.lstrip(_BLANK)[:1]
    if start in {b"<", b"["} or (start == b"{" and _FHIR.search(data)):
        yield Piece(name, 1, "unsupported", data)
    elif start == b"{":
        events = _lines(data) if _is_ndjson(name, data) else [data]
        yield from (Piece(name, index, "event", event) for index, event in enumerate(events, 1))
    else:
        yield from (Piece(name, index, "hl7v2", message) for index, message in enumerate(split(data), 1))


def _lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line.strip(_BLANK)]


def _is_ndjson(name: str, data: bytes) -> bool:
    if Path(name).suffix.lower() in _LINES:
        return True
    return all(line.strip(_BLANK).startswith(b"{") and line.strip(_BLANK).endswith(b"}") for line in _lines(data))


def chosen(directory: Directory, sender: str | None) -> tuple[Sender, ...]:
    """Whose messages they may be: the named interface, or any that is registered.

    Raises BadRequest when there is none.
    """
    if sender is None and directory.senders:
        return tuple(directory.senders.values())
    if sender is not None and sender in directory.senders:
        return (directory.senders[sender],)
    raise BadRequest("No sender is registered." if sender is None else "No sender with this id is registered.")


async def ingest(
    hub: Hub, files: Sequence[Path], senders: Sequence[Sender], *, dry_run: bool = False
) -> AsyncIterator[Result]:
    """Take every message of ``files`` in, in order; one result each, in the same order.

    Args:
        hub: the hub.
        files: what ``find`` gave.
        senders: what ``chosen`` gave.
        dry_run: read and judge each message by itself, and write nothing.
    """
    work = _DryRun(hub, await hub.registry.current()) if dry_run else _Intake(hub)
    by_kind = {kind: _able(senders, kind) for kind in ("hl7v2", "event")}
    for batch in _batches(files):
        readable = [p for p in batch if isinstance(p, Piece) and p.kind != "unsupported"]
        readings = [_read(hub, piece, by_kind[piece.kind]) for piece in readable]
        done = iter(zip(readable, await work.take(readings), strict=True))
        for piece in batch:
            if isinstance(piece, Result):
                yield piece
            elif piece.kind == "unsupported":
                yield _rejected(piece.file, "unsupported-format", "Neither HL7 v2 nor a discharge event.")
            else:
                yield _result(*next(done))


def summary(results: Counter[str], *, files: int, dry_run: bool) -> dict[str, Any]:
    """The figures of one run; ``states`` adds up to ``messages``."""
    return {"files": files, "messages": results.total(), "states": dict(sorted(results.items())), "dry_run": dry_run}


def _batches(files: Iterable[Path]) -> Iterator[list[Piece | Result]]:
    gathered: list[Piece | Result] = []
    for path in files:
        try:
            gathered += cut(str(path), path.read_bytes())
        except OSError:
            gathered.append(_rejected(str(path), "unreadable-file", "The file can't be read."))
        while len(gathered) >= _TOGETHER:
            yield gathered[:_TOGETHER]
            gathered = gathered[_TOGETHER:]
    if gathered:
        yield gathered


def _able(senders: Sequence[Sender], kind: str) -> tuple[Sender, ...]:
    """Senders whose dialect reads HL7 v2; an event needs no dialect."""
    if kind == "event":
        return tuple(senders)
    return tuple(s for s in senders if dialects.find(s.dialect).source == "hl7v2")


def _read(hub: Hub, piece: Piece, senders: tuple[Sender, ...]) -> Reading:
    inbound = intake_reading.Inbound(piece.data, senders, hub.clock.now_us())
    read = intake_reading.read_event if piece.kind == "event" else intake_reading.read_hl7
    return read(inbound, hub.keys)


def _result(piece: Piece, outcome: Outcome | None) -> Result:
    if outcome is None:
        reasons = [{"code": "not-kept", "text": "It could not be made durable; send it again."}]
        return Result(piece.file, piece.index, None, None, reasons)
    line = ledger_views.line_of_outcome(outcome)
    return Result(
        file=piece.file,
        index=piece.index,
        ack=outcome.decision.code,
        state=line["state"],
        reasons=line["reasons"],
        control_id=line["control_id"],
        message_type=line["message_type"],
        referral=line["referral"],
    )


def _rejected(file: str, code: str, text: str) -> Result:
    return Result(file, 1, None, "rejected", [{"code": code, "text": text}])


class _Intake:
    """Takes messages in for real."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._intake = Intake(hub)

    async def take(self, readings: Sequence[Reading]) -> list[Outcome | None]:
        """One outcome each; None for what could not be kept even on its own.

        Raises Unavailable when the database can't be reached.
        """
        done: list[Outcome | None] = [None] * len(readings)
        pending = list(range(len(readings)))
        while pending:
            left = []
            found = await asyncio.gather(*(self._one(readings[p]) for p in pending))
            for position, outcome in zip(pending, found, strict=True):
                done[position] = outcome
                if outcome is None:
                    left.append(position)
            if len(left) == len(pending):
                break
            # Many messages of one visit stood in each other's way; the rest goes again, in order.
            pending = left
        if readings and not any(done):
            # Either nothing can be kept now, which asking for the registrations shows, or these can't be decided.
            self._hub.registry.forget()
            await self._hub.registry.current()
        return done

    async def _one(self, reading: Reading) -> Outcome | None:
        try:
            return await self._intake.receive(reading)
        except Unavailable:
            return None


class _DryRun:
    """Judges each message by itself: no visit is known to it, and nothing is written."""

    def __init__(self, hub: Hub, directory: Directory) -> None:
        self._hub = hub
        self._directory = directory

    async def take(self, readings: Sequence[Reading]) -> list[Outcome | None]:
        """One outcome each; None for what can't be decided."""
        return [self._one(reading) for reading in readings]

    def _one(self, reading: Reading) -> Outcome | None:
        try:
            if isinstance(reading, Arrival):
                decision = intake_deciding.decide(reading, Known(), self._directory, self._hub.keys)
                decision = intake_deciding.gated(reading, decision, self._hub.keys)
            else:
                decision = intake_deciding.refused(reading, self._hub.keys)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one message must not end the run
            log.error("ingest.decision-failed", error, ledger=reading.ledger)
            return None
        return Outcome(reading, decision, None)
