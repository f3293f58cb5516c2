"""The load generator counts what it must count: a wrong yardstick is worse than none."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import repeat

import pytest

from app.services.bench import bench, bench_load, bench_machine
from app.services.bench.bench_load import Load, Target, percentile, request
from app.services.bench.bench_messages import accepted

Answer = Callable[[int], Awaitable[bytes]]
ASK = request("GET", "/x")


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[Target]:
    """Answers the n-th request with ``answer(n)``, in two pieces; closes the connection for an empty one."""
    number = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                number += 1
                said = await answer(number)
                if not said:
                    return
                writer.write(said[:20])
                await asyncio.sleep(0)
                writer.write(said[20:])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield Target("127.0.0.1", listening.sockets[0].getsockname()[1])


async def ok(_number: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


def is_hello(status: int, body: bytes) -> bool:
    return (status, body) == (200, b"hello")


async def test_a_closed_run_asks_all_requests_of_each_job_and_counts_jobs_and_answers() -> None:
    async with server(ok) as target:
        load = await bench_load.closed(target, repeat((ASK, ASK), 10), is_hello, connections=3, seconds=5)
    assert (len(load.jobs), len(load.exchanges), load.failed) == (10, 20, 0)
    assert load.rate == pytest.approx(10 / load.seconds)


async def test_an_answer_that_is_not_the_one_asked_for_is_counted_as_failed() -> None:
    async def every_second(number: int) -> bytes:
        return b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n" if number % 2 else await ok(number)

    async with server(every_second) as target:
        load = await bench_load.closed(target, repeat((ASK,), 10), is_hello, connections=1, seconds=5)
    assert (len(load.jobs), load.failed) == (10, 5)


async def test_an_answer_without_a_body_ends_with_its_head() -> None:
    async def unchanged(_number: int) -> bytes:
        return b'HTTP/1.1 304 Not Modified\r\netag: W/"1"\r\n\r\n'

    async with server(unchanged) as target:
        load = await bench_load.closed(
            target, repeat((ASK,), 4), lambda s, b: (s, b) == (304, b""), connections=2, seconds=5
        )
    assert (len(load.jobs), load.failed) == (4, 0)


async def test_a_connection_that_the_server_closes_in_the_middle_is_a_failure_and_no_hang() -> None:
    async def closes(_number: int) -> bytes:
        return b""

    async with server(closes) as target:
        load = await bench_load.closed(target, repeat((ASK,)), is_hello, connections=2, seconds=5)
    assert (len(load.jobs), load.failed) == (0, 2)


async def test_at_a_constant_rate_a_stall_is_felt_by_everybody_who_was_due_during_it() -> None:
    stall, rate = 0.3, 100.0
    answered = asyncio.Event()

    async def stalls(number: int) -> bytes:
        if number == 1:
            asyncio.get_running_loop().call_later(stall, answered.set)
        await answered.wait()
        return await ok(number)

    async with server(stalls) as target:
        load = await bench_load.paced(target, repeat((ASK,)), is_hello, connections=1, seconds=0.6, rate=rate)
    assert (len(load.jobs), load.failed) == (60, 0)
    # A generator that waits for each answer would see one slow request; 29 of these were due during the stall.
    waited = sorted(load.jobs, reverse=True)
    assert waited[0] >= stall * 0.9
    assert sum(one > 0.1 for one in waited) >= 15


async def test_a_run_ends_when_its_time_is_over() -> None:
    async with server(ok) as target:
        load = await bench_load.closed(target, repeat((ASK,)), is_hello, connections=4, seconds=0.2)
    assert load.jobs
    assert 0.2 <= load.seconds < 2


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(n) for n in range(100)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([], 0.5)) == (50.0, 99.0, 0.0)


def test_a_request_carries_its_token_and_the_length_of_its_body() -> None:
    sent = request("POST", "/ingest/hl7v2", token="t", body=b"abc", headers=[("Content-Type", "text/plain")])
    head, _, body = sent.partition(b"\r\n\r\n")
    assert body == b"abc"
    assert {b"Authorization: Bearer t", b"Content-Length: 3", b"Content-Type: text/plain"} <= set(head.split(b"\r\n"))


@pytest.mark.parametrize(
    ("status", "body", "right"), [(200, b"MSA|AA|1", True), (200, b"MSA|AE|1", False), (503, b"", False)]
)
def test_only_a_positive_acknowledgement_counts(status: int, body: bytes, right: bool) -> None:  # noqa: FBT001 - a case
    assert accepted(status, body) is right


def test_figures_count_cpu_per_job_and_leave_out_what_is_not_known() -> None:
    load = Load(seconds=2.0, jobs=[0.1] * 4, exchanges=[0.05] * 8)
    known = bench.figures(load, app=0.002, database=0.004)
    assert (known["per_second"], known["app_us"], known["db_us"], known["cpu_us"]) == (2.0, 500.0, 1000.0, 1500.0)
    assert "cpu_us" not in bench.figures(load)


@pytest.mark.skipif(not bench_machine.available(), reason="CPU per process is read from /proc")
def test_the_cpu_of_a_child_counts_for_its_parent_while_it_runs_and_after_it_ended() -> None:
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\ninput()"
    before = bench_machine.cpu_seconds(os.getpid())
    with subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE) as child:
        until = time.monotonic() + 20
        while bench_machine.cpu_seconds(child.pid) < 0.3 and time.monotonic() < until:
            time.sleep(0.02)
        assert child.pid in bench_machine.tree(os.getpid())
        assert bench_machine.memory(child.pid)[0].resident > 1_000_000
        assert bench_machine.cpu_seconds(os.getpid()) - before >= 0.29
        child.communicate(b"\n")
    assert bench_machine.cpu_seconds(os.getpid()) - before >= 0.29
