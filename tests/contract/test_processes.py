"""Several serving processes share one port, and each gets connections of its own."""

import contextlib
import pickle
import socket
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection

import pytest

from app.entrypoints import processes

CALLS = 64


def accept_all(listening: socket.socket, told: Connection) -> None:
    """What a serving process does with its socket; says how many connections it got once it is told to stop."""
    listening.listen(CALLS)
    listening.setblocking(False)
    told.send("ready")
    told.recv()
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
            count += 1
    told.send(count)


@pytest.fixture
def holder() -> Iterator[processes.OwnSocket]:
    with processes.first("127.0.0.1", 0) as made:
        yield made


def test_a_burst_of_connections_is_dealt_out_to_every_process(holder: processes.OwnSocket) -> None:
    spawn = get_context("spawn")
    running = []
    for _ in range(2):
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=accept_all, args=(holder, theirs))
        process.start()
        assert ours.recv() == "ready"
        running.append((process, ours))
    calls = [socket.create_connection(holder.getsockname()) for _ in range(CALLS)]
    for _, ours in running:
        ours.send("count")
    counts = [ours.recv() for _, ours in running]
    for call in calls:
        call.close()
    for process, _ in running:
        process.join(10)
    assert sum(counts) == CALLS
    # Dealt by a hash of the addresses: fewer than 10 of 64 for one of two happens once in a billion runs.
    assert min(counts) >= 10


def test_a_port_that_others_listen_on_is_refused_though_they_would_let_us_in() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            processes.first("127.0.0.1", other.getsockname()[1])


def test_a_second_hub_is_refused_the_port_of_the_first(holder: processes.OwnSocket) -> None:
    with pickle.loads(pickle.dumps(holder)) as serving:
        serving.listen()
        with pytest.raises(OSError, match="in use"):
            processes.first("127.0.0.1", holder.getsockname()[1])
