"""hl7v2-out: one HL7 v2 message over MLLP and its acknowledgement (HL7 v2.5.1 chapter 2, 2.9.2; MLLP release 1).

It arrived when the receiver says AA (or CA) and MSA-2 is the MSH-10 that was sent. AE, AR, CE, CR, an acknowledgement
of something else and what is none at all are a refusal: the same message would fare no better, so a person must look.
Silence, a refused connection and one that breaks are worth another attempt, with the very same bytes. What the receiver
says once more of an earlier message (enhanced mode: CA, then AA) is no answer to this one; a refusal among it is
logged, since its message has left the queue. Carries what it
is handed, up to whole records, so only over TLS, but for this machine and the networks that whoever runs the hub named.
Limits: one attempt lasts as long as the parcel says, from connecting to the acknowledgement; 64 KiB of that are read;
per receiver four connections stay open between messages, one message at a time on each.
"""

import asyncio
import ssl
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.channels.base import Certificates, Channel, ChannelKind, Outside, Parcel, Receipt
from app.core import log
from app.core.mllp import Framer, TooLong, frame
from app.core.resolving import Resolver, Unreachable
from fhir_mappings.hl7v2 import Unreadable, parse
from schemas.sender import place_of

_ACKNOWLEDGEMENT: Final = 64 * 1024
_KEPT: Final = 4
_RECEIVERS: Final = 256
_ACCEPTED: Final = frozenset({"AA", "CA"})
_SETTLED: Final = 16
_CHUNK: Final = 16 * 1024


class _Broken(Exception):
    """The connection ended before an acknowledgement."""


@dataclass(slots=True)
class _Line:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    framer: Framer = field(default_factory=lambda: Framer(_ACKNOWLEDGEMENT))
    settled: deque[str] = field(default_factory=lambda: deque(maxlen=_SETTLED))
    """Control ids of the messages that were acknowledged on it last."""
    used: bool = False
    """Whether it has carried a message before: then its receiver may have closed it meanwhile."""

    async def exchange(self, content: bytes) -> bytes:
        """The acknowledgement of one message. Raises _Broken, TooLong."""
        number, self.framer.garbage = parse(content).control_id, 0
        if number in self.settled:
            # It was refused, and somebody sends it again.
            self.settled.remove(number)
        try:
            self.writer.write(frame(content))
            await self.writer.drain()
            while data := await self.reader.read(_CHUNK):
                for acknowledgement in self.framer.feed(data):
                    if not self._is_late(acknowledgement):
                        return acknowledgement
        except OSError:
            raise _Broken from None
        if self.framer.garbage:
            raise TooLong
        raise _Broken

    def _is_late(self, acknowledgement: bytes) -> bool:
        """Whether it speaks of a message that was acknowledged already."""
        code, number = _said(acknowledgement)
        late = number in self.settled
        if late and code in _CODES - _ACCEPTED:
            log.warning("answer.refused-afterwards", reason=code.lower())
        return late

    def close(self) -> None:
        self.writer.transport.abort()


class Hl7v2Out:
    """Sends to receivers of MLLP."""

    def __init__(self, outside: Outside) -> None:
        self._resolver = Resolver(outside.networks, loopback=outside.loopback)
        self._certificates = outside.mllp
        self._trust: ssl.SSLContext | None = None
        self._idle: OrderedDict[str, list[_Line]] = OrderedDict()

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One message and its acknowledgement."""
        line: _Line | None = None
        try:
            async with asyncio.timeout(parcel.seconds):
                kept = None if parcel.alone else self._taken(parcel.to)
                line = kept or await self._opened(parcel.to)
                try:
                    acknowledgement = await line.exchange(parcel.content)
                except _Broken:
                    if not line.used:
                        raise
                    line.close()
                    line = await self._opened(parcel.to)
                    acknowledgement = await line.exchange(parcel.content)
        except (TimeoutError, Unreachable, OSError, ValueError, _Broken, TooLong) as error:
            if line is not None:
                line.close()
            return _failed(error, connected=line is not None)
        except asyncio.CancelledError:
            if line is not None:
                line.close()
            raise
        receipt = judged(parcel.content, acknowledgement)
        if parcel.alone or receipt.reason in _OUT_OF_STEP:
            # After an acknowledgement of something else nobody knows whose is next.
            line.close()
        else:
            line.settled.append(parse(parcel.content).control_id)
            line.used = True
            self._keep(parcel.to, line)
        return receipt

    async def close(self) -> None:
        """Close every connection."""
        for lines in self._idle.values():
            for line in lines:
                line.close()
        self._idle.clear()
        self._resolver.close()

    def _taken(self, to: str) -> _Line | None:
        lines = self._idle.get(to, [])
        while lines:
            line = lines.pop()
            if not (line.reader.at_eof() or line.writer.is_closing()):
                return line
            line.close()
        return None

    async def _opened(self, to: str) -> _Line:
        place = place_of(to)
        address = await self._resolver.address(place.host, place.port)
        if not (place.tls or self._resolver.is_private(address)):
            raise Unreachable("address")
        trust = self._trusted() if place.tls else None
        reader, writer = await asyncio.open_connection(
            str(address), place.port, ssl=trust, server_hostname=place.host if place.tls else None
        )
        return _Line(reader, writer)

    def _trusted(self) -> ssl.SSLContext:
        if self._trust is None:
            self._trust = _context(self._certificates)
        return self._trust

    def _keep(self, to: str, line: _Line) -> None:
        """Keep a connection for the next message."""
        lines = self._idle.setdefault(to, [])
        self._idle.move_to_end(to)
        if len(lines) >= _KEPT:
            line.close()
        else:
            lines.append(line)
        while len(self._idle) > _RECEIVERS:
            _, oldest = self._idle.popitem(last=False)
            for one in oldest:
                one.close()


_OUT_OF_STEP: Final = frozenset({"acknowledgement-unreadable", "acknowledgement-of-another"})


def judged(sent: bytes, acknowledgement: bytes) -> Receipt:
    """What a receiver said of the message ``sent``."""
    code, number = _said(acknowledgement)
    if code not in _CODES:
        return Receipt(arrived=False, reason="acknowledgement-unreadable", refused=True)
    if number != parse(sent).control_id:
        return Receipt(arrived=False, reason="acknowledgement-of-another", refused=True)
    return Receipt(arrived=True) if code in _ACCEPTED else Receipt(arrived=False, reason=code.lower(), refused=True)


def _said(acknowledgement: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2; "" for each where it is no acknowledgement."""
    try:
        msa = parse(acknowledgement).first("MSA")
    except Unreadable:
        msa = None
    return ("", "") if msa is None else (msa.text(1).strip().upper(), msa.text(2).strip())


_CODES: Final = frozenset({"AA", "AE", "AR", "CA", "CE", "CR"})


def _failed(error: BaseException, *, connected: bool) -> Receipt:
    match error:
        case TimeoutError():
            return Receipt(arrived=False, reason="timeout")
        case Unreachable():
            return Receipt(arrived=False, reason=error.reason)
        case ssl.SSLError():
            return Receipt(arrived=False, reason="certificate")
        case TooLong():
            return Receipt(arrived=False, reason="acknowledgement-unreadable", refused=True)
    return Receipt(arrived=False, reason="connection-broken" if connected else "no-connection")


def _context(files: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=_path(files.ca))
    if files.cert is not None:
        context.load_cert_chain(files.cert, files.key)
    return context


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _open(outside: Outside) -> Channel:
    return Hl7v2Out(outside)


CHANNEL = ChannelKind("hl7v2-out", lambda _: True, _open, subscribed=False)
