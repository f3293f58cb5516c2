"""The MLLP door: order, several answers or none, torn streams, slow and many senders, its limits and its end."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from app.entrypoints.mllp import server as door_module
from app.entrypoints.mllp.server import MllpServer
from tests.journeys.mllp_door import HOST, ONE, TWO, WAIT, Hub, Sender, door, framed, rude, sender, until


async def test_a_message_is_answered_in_a_frame_of_its_own() -> None:
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(ONE))
        assert await one.answer() == ONE[:40] + b"ok"
    assert (hub.asked, hub.peers) == ([ONE], [HOST])


async def test_answers_come_in_order_one_message_in_process_at_a_time() -> None:
    hub = Hub()
    messages = [ONE.replace(b"|1|P", f"|{number}|P".encode()) for number in range(100)]
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(b"".join(map(framed, messages)))
        assert [await one.answer() for _ in messages] == [message[:40] + b"ok" for message in messages]
    assert hub.most == 1


async def test_a_stream_split_at_any_byte_is_answered_alike_over_a_socket() -> None:
    hub = Hub()
    stream = framed(ONE) + framed(TWO)
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
            await one.send(b"GET / HTTP/1.1\r\n" + framed(ONE) + b"\r\n???" + framed(TWO) + b"\n")
            await one.answer()
            await one.answer()
        await until(lambda: server.counts.garbage > 0)
        assert server.counts.garbage == len(b"GET / HTTP/1.1") + len(b"???")
        assert (server.counts.messages, server.counts.answers) == (2, 2)


async def test_half_a_frame_is_dropped_when_the_connection_closes() -> None:
    hub = Hub()
    async with door(hub.receive) as server:
        async with sender(server) as one:
            await one.send(framed(ONE) + framed(TWO)[:-2])
            await one.answer()
        await until(lambda: server.counts.torn == 1)
    assert hub.asked == [ONE]


async def test_a_message_begun_anew_in_the_same_frame_does_not_mix_with_the_first() -> None:
    hub = Hub()
    async with door(hub.receive) as server:
        async with sender(server) as one:
            await one.send(framed(ONE)[:30] + framed(TWO))
            await one.answer()
        await until(lambda: server.counts.torn == 1)
    assert hub.asked == [TWO]


async def test_a_frame_over_the_limit_closes_the_connection_after_the_answers_that_are_owed() -> None:
    hub = Hub()
    async with door(hub.receive, max_bytes=len(TWO)) as server, sender(server) as one:
        await one.send(framed(TWO))
        assert await one.answer() == TWO[:40] + b"ok"
        await one.send(framed(ONE) + b"\x0b" + b"x" * (len(TWO) + 1))
        assert await one.rest() == framed(ONE[:40] + b"ok")
        assert server.counts.too_long == 1
    assert hub.asked == [TWO, ONE]


async def test_a_complete_frame_over_the_limit_is_not_taken() -> None:
    hub = Hub()
    async with door(hub.receive, max_bytes=len(ONE) - 1) as server, sender(server) as one:
        await one.send(framed(ONE))
        assert await one.rest() == b""
    assert hub.asked == []


@pytest.mark.parametrize("word", [b"|nothing|", b"|broken|"])
async def test_without_an_answer_the_connection_closes_and_nothing_more_is_taken(
    word: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hub = Hub()
    bad = ONE.replace(b"|A|", word)
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(TWO) + framed(bad) + framed(TWO))
        assert await one.rest() == framed(TWO[:40] + b"ok")
        assert (server.counts.messages, server.counts.answers, server.counts.unanswered) == (2, 1, 1)
    assert hub.asked == [TWO, bad]
    assert "HTEST" not in caplog.text


async def test_a_sender_that_closes_its_half_still_gets_its_answers() -> None:
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(ONE) + framed(TWO))
        one.writer.write_eof()
        assert await one.rest() == framed(ONE[:40] + b"ok") + framed(TWO[:40] + b"ok")


async def test_a_sender_that_is_faster_than_the_hub_is_slowed_down() -> None:
    hub = Hub()
    hub.gate.clear()
    big = ONE + b"NTE|1||" + b"x" * 60_000 + b"\r"
    total = 600
    async with door(hub.receive) as server, sender(server) as one:

        async def push() -> None:
            for _ in range(total):
                await one.send(framed(big))

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

    async def receive(message: bytes, peer: str) -> Sequence[bytes] | None:
        if message == ONE:
            await slow.wait()
        return await hub.receive(message, peer)

    async with door(receive) as server, sender(server) as first, sender(server) as second:
        await first.send(framed(ONE))
        await second.send(framed(TWO))
        assert await second.answer() == TWO[:40] + b"ok"
        slow.set()
        assert await first.answer() == ONE[:40] + b"ok"


async def test_stopping_answers_what_was_received_and_takes_no_more() -> None:
    hub = Hub()
    hub.gate.clear()
    async with door(hub.receive) as server, sender(server) as one, sender(server) as quiet:
        port = server.port
        await one.send(framed(ONE) + framed(TWO) + framed(ONE)[:9])
        await until(lambda: len(hub.asked) == 1)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.01)
        hub.gate.set()
        await stopping
        assert await one.rest() == framed(ONE[:40] + b"ok") + framed(TWO[:40] + b"ok")
        assert await quiet.rest() == b""
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection(HOST, port)


async def test_what_does_not_end_in_time_is_cut_off_without_an_answer() -> None:
    hub = Hub()
    hub.gate.clear()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(ONE))
        await until(lambda: len(hub.asked) == 1)
        await server.stop(grace_seconds=0.05)
        assert await one.rest() == b""
        await until(lambda: hub.running == 0)


async def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    hub = Hub()
    async with door(hub.receive, idle_seconds=0.1) as server, sender(server) as one:
        await one.send(framed(ONE))
        assert await one.answer()
        assert await one.rest() == b""


async def test_waiting_for_the_hub_is_not_idleness() -> None:
    hub = Hub()
    hub.gate.clear()
    async with door(hub.receive, idle_seconds=0.05) as server, sender(server) as one:
        await one.send(framed(ONE))
        await asyncio.sleep(0.2)
        hub.gate.set()
        assert await one.answer() == ONE[:40] + b"ok"


async def test_connections_beyond_the_limit_are_refused_until_one_leaves() -> None:
    hub = Hub()
    async with door(hub.receive, max_connections=1) as server:
        async with sender(server) as first:
            await first.send(framed(ONE))
            await first.answer()
            async with sender(server) as second:
                assert await second.rest() == b""
            assert server.counts.refused == 1
        await until(lambda: not server.open_connections)
        async with sender(server) as third:
            await third.send(framed(TWO))
            assert await third.answer() == TWO[:40] + b"ok"


# ---- several answers, or none


async def test_each_of_several_answers_has_a_frame_of_its_own_in_order() -> None:
    hub = Hub()
    both = ONE.replace(b"|A|", b"|both|")
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(both) + framed(TWO))
        assert [await one.answer() for _ in range(3)] == [both[:40] + b"first", both[:40] + b"ok", TWO[:40] + b"ok"]
        assert (server.counts.messages, server.counts.answers, server.counts.unanswered) == (2, 3, 0)


async def test_where_no_answer_is_wanted_nothing_is_written_and_the_connection_goes_on() -> None:
    hub = Hub()
    silent = ONE.replace(b"|A|", b"|silent|")
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(silent) * 3 + framed(TWO) + framed(silent))
        assert await one.answer() == TWO[:40] + b"ok"
        await until(lambda: server.counts.messages == 5)
        assert (server.counts.answers, server.counts.unanswered, server.open_connections) == (1, 0, 1)
        one.writer.write_eof()
        assert await one.rest() == b""


# ---- what stands in the stream


async def test_a_frame_that_lacks_its_cr_is_answered_when_nothing_more_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "_PATIENCE", 0.1)
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        for message in (ONE, TWO, ONE):
            await one.send(framed(message)[:-1])
            assert await one.answer() == message[:40] + b"ok"
        await one.send(b"\r")
        await one.send(framed(TWO))
        assert await one.answer() == TWO[:40] + b"ok"
    assert (hub.asked, server.counts.garbage, server.counts.torn) == ([ONE, TWO, ONE, TWO], 0, 0)


async def test_a_frame_that_lacks_its_cr_is_answered_when_the_sender_closes_its_half() -> None:
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        await one.send(framed(ONE)[:-1])
        one.writer.write_eof()
        assert await one.rest() == framed(ONE[:40] + b"ok")


async def test_an_fs_within_a_slow_message_does_not_cut_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "_PATIENCE", 0.2)
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as one:
        begun, rest = framed(TWO).split(b"\x1c", 1)
        await one.send(begun + b"\x1c")
        await asyncio.sleep(0.02)
        await one.send(rest)
        await one.answer()
    assert hub.asked == [TWO]


async def test_a_reset_in_the_middle_of_a_frame_harms_nobody() -> None:
    hub = Hub()
    async with door(hub.receive) as server, sender(server) as other:
        for part in (framed(ONE) + framed(TWO)[:30], framed(ONE)[:-1], b"", b"\x0b"):
            async with rude(server) as writer:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.02)
        await until(lambda: server.open_connections == 1)
        await other.send(framed(TWO))
        assert await other.answer() == TWO[:40] + b"ok"
    assert set(hub.asked) == {ONE, TWO}


# ---- slow and many


async def test_a_sender_that_does_not_read_its_answers_is_not_read_and_harms_nobody() -> None:
    hub = Hub()
    long = b"MSH|^~\\&|both|" + b"x" * 20 + b"\r"

    async def receive(message: bytes, peer: str) -> Sequence[bytes] | None:
        return [b"x" * 50_000] if message == long else await hub.receive(message, peer)

    async with door(receive, idle_seconds=1.5) as server, sender(server) as good, rude(server) as writer:
        writer.write(framed(long) * 2000)
        await until(lambda: server.counts.answers > 10)
        await asyncio.sleep(0.3)
        answered = server.counts.answers
        await asyncio.sleep(0.3)
        assert server.counts.answers == answered < 2000
        assert await slowest(good, 50) < 1.0
        async with asyncio.timeout(WAIT):  # what it does not take for so long is given up
            while server.open_connections > 1:
                await slowest(good, 1)
                await asyncio.sleep(0.05)
        assert await slowest(good, 1) < 1.0


async def slowest(one: Sender, times: int) -> float:
    """Seconds of the slowest of so many messages, one after the other."""
    worst, clock = 0.0, asyncio.get_running_loop().time
    for _ in range(times):
        began = clock()
        await one.send(framed(TWO))
        await one.answer()
        worst = max(worst, clock() - began)
    return worst


async def test_slow_senders_and_some_that_stop_in_a_frame_hold_up_nobody() -> None:
    hub = Hub()
    stop = asyncio.Event()

    async def drip(one: Sender) -> None:
        for byte in framed(ONE):
            await one.send(bytes([byte]))
            try:
                async with asyncio.timeout(0.1):
                    await stop.wait()
            except TimeoutError:
                continue
            return

    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(door(hub.receive))
        slow = [await stack.enter_async_context(sender(server)) for _ in range(40)]
        for stopped in slow[:20]:
            await stopped.send(framed(ONE)[:25])
        dripping = [asyncio.create_task(drip(one)) for one in slow[20:]]
        good = await stack.enter_async_context(sender(server))
        worst = await slowest(good, 200)
        stop.set()
        await asyncio.gather(*dripping)
    assert worst < 1.0
    assert hub.asked == [TWO] * 200


async def test_two_hundred_connections_at_once_are_each_answered_in_their_order() -> None:
    hub = Hub()

    async def tell(number: int, server: MllpServer) -> list[bytes]:
        messages = [ONE.replace(b"|1|P", f"|{number}.{turn}|P".encode()) for turn in range(25)]
        async with sender(server) as one:
            await one.send(b"".join(map(framed, messages)))
            assert [await one.answer() for _ in messages] == [message[:40] + b"ok" for message in messages]
        return messages

    async with door(hub.receive) as server:
        told = await asyncio.gather(*(tell(number, server) for number in range(200)))
        assert server.counts.refused == 0
    assert Counter(hub.asked) == Counter(message for messages in told for message in messages)
