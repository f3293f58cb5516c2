"""Files of messages: found, cut into messages, read in, and each one accounted for.

Files may be of any size: they are read as streams, and no more is held than the messages that are taken in together.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from app.core import log
from app.core.crypto import Keys
from app.core.errors import BadRequest, NotFound, Unavailable
from app.services.hub import Hub
from app.services.intake import intake_deciding, intake_reading, ledger_views
from app.services.intake.intake import Intake, Outcome, Reading
from app.services.intake.intake_reading import Inbound
from app.services.intake.sender_counts import SenderCounts
from app.store.accounts import Directory
from fhir_mappings import dialects, hl7v2
from schemas.sender import Sender

_TOGETHER: Final = 64
"""Messages that are handed in together, so that they share a commit."""
_TOGETHER_BYTES: Final = 16 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_LINES: Final = frozenset({".ndjson", ".jsonl"})
_FHIR: Final = re.compile(rb'"resourceType"\s*:')
_BLANK: Final = b"\xef\xbb\xbf \t\r\n\x0b\x1c"

Kind = Literal["hl7v2", "event", "fhir", "unsupported"]


class Fault(NamedTuple):
    """What is wrong with a file: ``unsupported-format``, ``too-large``, or a code of ``hl7v2.EnvelopeFault``."""

    code: str
    text: str


_UNSUPPORTED: Final = Fault("unsupported-format", "Neither HL7 v2 nor a discharge event nor a FHIR Bundle in JSON.")


@dataclass(frozen=True, slots=True)
class Piece:
    """One message of a file; ``index`` counts from 1."""

    file: str
    index: int
    kind: Kind
    data: bytes
    """Empty where it is unsupported."""
    faults: tuple[Fault, ...] = ()
    """Why it is unsupported; of a message, what is wrong with the envelopes around it and after it."""


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


def pieces(path: Path) -> Iterator[Piece]:
    """The messages of one file, read while they are asked for; see ``cut``. Raises OSError at any of them."""
    with path.open("rb") as file:
        yield from cut_stream(str(path), iter(partial(file.read, _CHUNK), b""))


def cut(name: str, data: bytes) -> Iterator[Piece]:
    """The messages of one file: HL7 v2, single or batch; JSON events or FHIR Bundles, one or one a line.

    Envelopes without any message, where they are wrong, are one unsupported piece.
    """
    return cut_stream(name, [data])


def cut_stream(name: str, chunks: Iterable[bytes], *, limit: int = hl7v2.LARGEST) -> Iterator[Piece]:
    """The same of bytes that come in chunks; a message of more than ``limit`` bytes is unsupported."""
    source = iter(chunks)
    head = b""
    for chunk in source:
        # Blanks that a file begins with say nothing, however many they are.
        head = (head if head.strip(_BLANK) else head[:4]) + chunk
        if head.strip(_BLANK):
            break
    start = head.lstrip(_BLANK)[:1]
    if start in {b"<", b"["}:
        yield Piece(name, 1, "unsupported", b"", (_UNSUPPORTED,))
    elif start == b"{":
        yield from _events(name, itertools.chain([head], source), limit)
    else:
        yield from _messages(name, itertools.chain([head], source), limit)


def _messages(name: str, chunks: Iterable[bytes], limit: int) -> Iterator[Piece]:
    held: Piece | None = None
    found: tuple[Fault, ...] = ()
    index = 0
    for one in hl7v2.split_stream(chunks, limit=limit):
        if isinstance(one, hl7v2.EnvelopeFault):
            found = (*found, Fault(one.code, one.text))
            continue
        if held is not None:
            yield replace(held, faults=held.faults + found)
            found = ()
        index += 1
        held = _too_large(name, index, one) if isinstance(one, hl7v2.TooLarge) else Piece(name, index, "hl7v2", one)
    if held is not None:
        yield replace(held, faults=held.faults + found)
    elif found:
        told = " ".join(fault.text for fault in found)
        yield Piece(name, 1, "unsupported", b"", (Fault(_UNSUPPORTED.code, f"No message is in it. {told}"),))


def _events(name: str, chunks: Iterable[bytes], limit: int) -> Iterator[Piece]:
    lines = _lines(chunks, limit)
    head = list(itertools.islice(lines, 2))
    lines = itertools.chain(head, lines)
    documents = lines if _is_ndjson(name, head) else [_joined(lines, limit)]
    for index, one in enumerate(documents, 1):
        if isinstance(one, hl7v2.TooLarge):
            yield _too_large(name, index, one)
        elif _FHIR.search(one):
            yield Piece(name, index, "fhir", one)
        else:
            yield Piece(name, index, "event", one)


def _too_large(name: str, index: int, found: hl7v2.TooLarge) -> Piece:
    return Piece(name, index, "unsupported", b"", (Fault("too-large", f"It is larger than {found.limit} bytes."),))


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes | hl7v2.TooLarge]:
    """The lines that are not blank, without what is blank around them."""
    line = bytearray()
    size = 0
    for chunk in itertools.chain(chunks, [b"\n"]):
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            size += len(part)
            content = bytes(line + part).strip(_BLANK) if size <= limit else hl7v2.TooLarge(limit)
            if content:
                yield content
            line.clear()
            size = 0
        size += len(rest)
        if size <= limit:
            line += rest
        else:
            line.clear()


def _is_ndjson(name: str, head: Sequence[bytes | hl7v2.TooLarge]) -> bool:
    """By its name, or because its first line is whole and its second begins anew, as no line within JSON does."""
    if Path(name).suffix.lower() in _LINES:
        return True
    begin = all(isinstance(line, bytes) and line.startswith(b"{") for line in head)
    return begin and isinstance(head[0], bytes) and head[0].endswith(b"}")


def _joined(lines: Iterable[bytes | hl7v2.TooLarge], limit: int) -> bytes | hl7v2.TooLarge:
    parts: list[bytes] = []
    size = 0
    for line in lines:
        size += len(line) + 1 if isinstance(line, bytes) else limit + 1
        if isinstance(line, hl7v2.TooLarge) or size > limit:
            return hl7v2.TooLarge(limit)
        parts.append(line)
    return b"\n".join(parts)


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
    by_kind = {kind: able(senders, kind) for kind in ("hl7v2", "event", "fhir")}
    for batch in _batches(files):
        readable = [p for p in batch if isinstance(p, Piece) and p.kind != "unsupported"]
        now = hub.clock.now_us()
        readings = [read(Inbound(piece.data, by_kind[piece.kind], now), piece.kind, hub.keys) for piece in readable]
        done = iter(zip(readable, await work.take(readings), strict=True))
        for piece in batch:
            if isinstance(piece, Result):
                yield piece
            elif piece.kind == "unsupported":
                yield _rejected(piece.file, piece.index, piece.faults)
            else:
                yield _result(*next(done))


def summary(results: Counter[str], *, files: int, dry_run: bool) -> dict[str, Any]:
    """The figures of one run; ``states`` adds up to ``messages``."""
    return {"files": files, "messages": results.total(), "states": dict(sorted(results.items())), "dry_run": dry_run}


def _batches(files: Iterable[Path]) -> Iterator[list[Piece | Result]]:
    gathered: list[Piece | Result] = []
    size = 0
    for found in _found(files):
        gathered.append(found)
        size += len(found.data) if isinstance(found, Piece) else 0
        if len(gathered) >= _TOGETHER or size >= _TOGETHER_BYTES:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _found(files: Iterable[Path]) -> Iterator[Piece | Result]:
    for path in files:
        index = 0
        try:
            for piece in pieces(path):
                index = piece.index
                yield piece
        except OSError:
            yield _rejected(str(path), index + 1, [Fault("unreadable-file", "The file can't be read.")])


def able(senders: Sequence[Sender], kind: Kind) -> tuple[Sender, ...]:
    """Senders whose dialect reads HL7 v2; events and Bundles need no dialect of their own."""
    if kind != "hl7v2":
        return tuple(senders)
    return tuple(s for s in senders if dialects.find(s.dialect).source == "hl7v2")


def read(inbound: Inbound, kind: Kind, keys: Keys) -> Reading:
    """One message of a file, as what it is."""
    if kind == "event":
        return intake_reading.read_event(inbound, keys)
    return intake_reading.read_fhir(inbound, keys) if kind == "fhir" else intake_reading.read_hl7(inbound, keys)


def _result(piece: Piece, outcome: Outcome | None) -> Result:
    if outcome is None:
        not_kept = Fault("not-kept", "It could not be made durable; send it again.")
        return Result(piece.file, piece.index, None, None, _reasons([not_kept, *piece.faults]))
    line = ledger_views.line_of_outcome(outcome)
    return Result(
        file=piece.file,
        index=piece.index,
        ack=outcome.decision.code,
        state=line["state"],
        reasons=[*line["reasons"], *_reasons(piece.faults)],
        control_id=line["control_id"],
        message_type=line["message_type"],
        referral=line["referral"],
    )


def _rejected(file: str, index: int, faults: Iterable[Fault]) -> Result:
    return Result(file, index, None, "rejected", _reasons(faults))


def _reasons(faults: Iterable[Fault]) -> list[dict[str, str]]:
    return [{"code": fault.code, "text": fault.text} for fault in faults]


class _Intake:
    """Takes messages in for real."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._counts = SenderCounts(hub.store.database)
        self._intake = Intake(hub, self._counts)

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
        await self._counts.flush()
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
            decision = intake_deciding.decide_alone(reading, self._directory, self._hub.keys)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one message must not end the run
            log.error("ingest.decision-failed", error, ledger=reading.ledger)
            return None
        return Outcome(reading, decision, None)
