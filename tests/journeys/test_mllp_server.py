import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.entrypoints.mllp.framing import Framer, frame
from app.entrypoints.mllp.server import MllpServer

ONE = b"MSH|^~\\&|A|B|||||ADT^A01|1|P|2.5\rPID|1||HTEST1\r"
TWO = b"MSH|^~\\&|A|B|||||ADT^A03|2|P|2.5\rPID|1||HTEST2\x1c\x0b\r"
HOST = "127.0.0.1"
WAIT = 5.0

Receive = Callable[[bytes, str], Awaitable[bytes | None]]


class Hub:
    """Answers each message with its own bytes in front of ``ok``, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.peers: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most = 0

    async def receive(self, message: bytes, peer: str) -> bytes | None:
        self.asked.append(message)
        self.peers.append(peer)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if b"|nothing|" in message:
                return None
            if b"|broken|" in message:
                raise RuntimeError("HTEST must not be logged")
        finally:
            self.running -= 1
        return message[:40] + b"ok"


class Sender:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        async with asyncio.timeout(WAIT):
            return (await self.reader.readuntil(b"\x1c\r"))[1:-2]

    async def rest(self) -> bytes:
        """What comes until the server closes; a reset counts as a close."""
        async with asyncio.timeout(WAIT):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except ConnectionError:
            return


@asynccontextmanager
async def door(receive: Receive, **options: object) -> AsyncIterator[MllpServer]:
    server = MllpServer(receive, host=HOST, port=0, **options)  # type: ignore[arg-type] # options of one test each
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def sender(server: MllpServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Sender]:
    reader, writer = await asyncio.open_connection(HOST, server.port, ssl=tls)
    one = Sender(reader, writer)
    try:
        yield one
    finally:
        await one.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 - what is waited for is a figure, not an event
            await asyncio.sleep(0.001)


async def test_a_message_is_answered_in_a_frame_of_its_own() -> None:
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(frame(ONE))
        assert await one.answer() == ONE[:40] + b"ok"
    assert (hub.asked, hub.peers) == ([ONE], [HOST])


async def test_answers_come_in_order_one_message_in_process_at_a_time() -> None:
    hub = Hub()
    messages = [ONE.replace(b"|1|P", f"|{number}|P".encode()) for number in range(100)]
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(b"".join(map(frame, messages)))
        assert [await one.answer() for _ in messages] == [message[:40] + b"ok" for message in messages]
    assert hub.most == 1


@pytest.mark.parametrize("between", [b"", b"\r\n", b"noise"])
async def test_a_stream_split_at_any_byte_gives_the_same_messages(between: bytes) -> None:
    stream = frame(ONE) + between + frame(TWO)
    for position in range(1, len(stream)):
        framer = Framer(1000)
        assert [*framer.feed(stream[:position]), *framer.feed(stream[position:])] == [ONE, TWO]
        assert (framer.garbage, framer.unfinished) == (len(between.strip()), False)
    framer = Framer(1000)
    assert [message for byte in stream for message in framer.feed(bytes([byte]))] == [ONE, TWO]


async def test_a_stream_split_at_any_byte_is_answered_alike_over_a_socket() -> None:
    hub = Hub()
    stream = frame(ONE) + frame(TWO)
    async with door(hub.receive) as server:
        for position in range(1, len(stream)):
            async with sender(server) as one:
                await one.send(stream[:position])
                if position % 2:  # let the halves arrive apart in every second case
                    await asyncio.sleep(0.001)
                await one.send(stream[position:])
                assert [await one.answer(), await one.answer()] == [ONE[:40] + b"ok", TWO[:40] + b"ok"]
    assert hub.asked == [ONE, TWO] * (len(stream) - 1)


async def test_garbage_between_frames_is_ignored_and_counted() -> None:
    hub = Hub()
    async with door(hub.receive) as server:
        async with sender(server) as one:
            await one.send(b"GET / HTTP/1.1\r\n" + frame(ONE) + b"\r\n???" + frame(TWO) + b"\n")
            await one.answer()
            await one.answer()
        await until(lambda: server.counts.garbage > 0)
        assert server.counts.garbage == len(b"GET / HTTP/1.1") + len(b"???")
        assert (server.counts.messages, server.counts.answers) == (2, 2)


async def test_half_a_frame_is_dropped_when_the_connection_closes() -> None:
    hub = Hub()
    async with door(hub.receive) as server:
        async with sender(server) as one:
            await one.send(frame(ONE) + frame(TWO)[:-1])
            await one.answer()
        await until(lambda: server.counts.torn == 1)
    assert hub.asked == [ONE]


async def test_a_message_begun_anew_in_the_same_frame_does_not_mix_with_the_first() -> None:
    hub = Hub()
    async with door(hub.receive) as server:
        async with sender(server) as one:
            await one.send(frame(ONE)[:30] + frame(TWO))
            await one.answer()
        await until(lambda: server.counts.torn == 1)
    assert hub.asked == [TWO]


async def test_a_frame_over_the_limit_closes_the_connection_after_the_answers_that_are_owed() -> None:
    hub = Hub()
    async with door(hub.receive, max_bytes=len(TWO)) as server, sender(server) as one:
        await one.send(frame(TWO))
        assert await one.answer() == TWO[:40] + b"ok"
        await one.send(frame(ONE) + b"\x0b" + b"x" * (len(TWO) + 1))
        assert await one.rest() == frame(ONE[:40] + b"ok")
        assert server.counts.too_long == 1
    assert hub.asked == [TWO, ONE]


async def test_a_complete_frame_over_the_limit_is_not_taken() -> None:
    hub = Hub()
    async with door(hub.receive, max_bytes=len(ONE) - 1) as server, sender(server) as one:
        await one.send(frame(ONE))
        assert await one.rest() == b""
    assert hub.asked == []


@pytest.mark.parametrize("word", [b"|nothing|", b"|broken|"])
async def test_without_an_answer_the_connection_closes_and_nothing_more_is_taken(
    word: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    bad = ONE.replace(b"|A|", word)
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(frame(TWO) + frame(bad) + frame(TWO))
        assert await one.rest() == frame(TWO[:40] + b"ok")
        assert (server.counts.messages, server.counts.answers, server.counts.unanswered) == (2, 1, 1)
    assert hub.asked == [TWO, bad]
    assert "HTEST" not in caplog.text


async def test_a_sender_that_closes_its_half_still_gets_its_answers() -> None:
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(frame(ONE) + frame(TWO))
        one.writer.write_eof()
        assert await one.rest() == frame(ONE[:40] + b"ok") + frame(TWO[:40] + b"ok")


async def test_a_sender_that_is_faster_than_the_hub_is_slowed_down() -> None:
    hub = Hub()
    hub.gate.clear()
    big = ONE + b"NTE|1||" + b"x" * 60_000 + b"\r"
    total = 600
    async with door(hub.receive) as server, sender(server) as one:

        async def push() -> None:
            for _ in range(total):
                await one.send(frame(big))

        pushing = asyncio.create_task(push())
        await asyncio.sleep(0.3)
        assert not pushing.done()
        assert len(hub.asked) == 1
        hub.gate.set()
        for _ in range(total):
            await one.answer()
        await pushing
    assert len(hub.asked) == total


async def test_one_slow_sender_does_not_hold_up_another() -> None:
    hub = Hub()
    slow = asyncio.Event()

    async def receive(message: bytes, peer: str) -> bytes | None:
        if message == ONE:
            await slow.wait()
        return await hub.receive(message, peer)

    async with door(receive) as server, sender(server) as first, sender(server) as second:
        await first.send(frame(ONE))
        await second.send(frame(TWO))
        assert await second.answer() == TWO[:40] + b"ok"
        slow.set()
        assert await first.answer() == ONE[:40] + b"ok"


async def test_stopping_answers_what_was_received_and_takes_no_more() -> None:
    hub = Hub()
    hub.gate.clear()
    async with door(hub.receive) as server, sender(server) as one, sender(server) as quiet:
        port = server.port
        await one.send(frame(ONE) + frame(TWO) + frame(ONE)[:9])
        await until(lambda: len(hub.asked) == 1)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.01)
        hub.gate.set()
        await stopping
        assert await one.rest() == frame(ONE[:40] + b"ok") + frame(TWO[:40] + b"ok")
        assert await quiet.rest() == b""
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection(HOST, port)


async def test_what_does_not_end_in_time_is_cut_off_without_an_answer() -> None:
    hub = Hub()
    hub.gate.clear()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(frame(ONE))
        await until(lambda: len(hub.asked) == 1)
        await server.stop(grace_seconds=0.05)
        assert await one.rest() == b""
        await until(lambda: hub.running == 0)


async def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    hub = Hub()
    async with door(hub.receive, idle_seconds=0.1) as server, sender(server) as one:
        await one.send(frame(ONE))
        assert await one.answer()
        assert await one.rest() == b""


async def test_waiting_for_the_hub_is_not_idleness() -> None:
    hub = Hub()
    hub.gate.clear()
    async with door(hub.receive, idle_seconds=0.05) as server, sender(server) as one:
        await one.send(frame(ONE))
        await asyncio.sleep(0.2)
        hub.gate.set()
        assert await one.answer() == ONE[:40] + b"ok"


async def test_connections_beyond_the_limit_are_refused_until_one_leaves() -> None:
    hub = Hub()
    async with door(hub.receive, max_connections=1) as server:
        async with sender(server) as first:
            await first.send(frame(ONE))
            await first.answer()
            async with sender(server) as second:
                assert await second.rest() == b""
            assert server.counts.refused == 1
        await until(lambda: not server.open_connections)
        async with sender(server) as third:
            await third.send(frame(TWO))
            assert await third.answer() == TWO[:40] + b"ok"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "HTEST hub")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


async def test_the_same_holds_over_tls(certificate: tuple[Path, Path]) -> None:
    hub = Hub()
    here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    here.load_cert_chain(*certificate)
    there = ssl.create_default_context(cafile=str(certificate[0]))
    async with door(hub.receive, ssl=here) as server, sender(server, there) as one:
        await one.send(frame(ONE) + frame(TWO))
        assert [await one.answer(), await one.answer()] == [ONE[:40] + b"ok", TWO[:40] + b"ok"]
