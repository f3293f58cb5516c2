"""Answers to hospitals, taken by receivers of others over real sockets, and read by libraries of others."""

import asyncio
import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hl7  # type: ignore[import-untyped] # it has no types
import pytest
from hl7.mllp import start_hl7_server  # type: ignore[import-untyped] # it has no types
from hl7apy.consts import VALIDATION_LEVEL  # type: ignore[import-untyped] # it has no types
from hl7apy.mllp import AbstractHandler, MLLPServer  # type: ignore[import-untyped] # it has no types
from hl7apy.parser import parse_message  # type: ignore[import-untyped] # it has no types

from fhir_mappings.outcomes import identity_of, written
from tests.contract.answered import progress, reported
from tests.golden.test_answers_golden import CASES, DISCHARGE, answers, message, outcome
from tests.journeys.running_hub import HOST, SEVERAL_SECONDS, RunningHub, ack_code, command, running
from tests.journeys.stay import HARBOR, MERCY, Stay
from tests.peers.test_mllp import NODE, node
from tests.scratch import spare_port

__all__ = ["node"]
FIRST_DOSE = "Seen, first dose given"
VERSIONS = ("2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8.2")


# ---- read by others


@pytest.mark.parametrize("name", CASES)
def test_python_hl7_reads_every_answer(name: str) -> None:
    told, who, wants = CASES[name]
    codec = {"8859/1": "latin-1", "ASCII": "ascii"}.get(wants.charset or "", "utf-8")
    read = hl7.parse(written(told, who, wants).decode(codec))
    assert str(read.segment("MSH")[10]) == told.control_id
    assert str(read.segment("PID")[3][0][0]).startswith("HTEST")
    texts = [read.unescape(str(one[5])) for one in read.segments("OBX") if str(one[2]) == "TX"]
    assert len(texts) == len(told.lines)
    assert texts[0] == told.lines[0]


@pytest.mark.parametrize(("version", "kind"), [*itertools.product(VERSIONS, ("MDM^T02", "ORU^R01"))])
@pytest.mark.parametrize("placer", [("P1", "HTESTPLC"), ""], ids=["placer", "no-placer"])
def test_hl7apy_finds_every_answer_as_its_version_has_it(version: str, kind: str, placer: Any) -> None:
    told = outcome("first-dose-given", final=True, part2=True, placer=placer)
    content = written(told, identity_of(message(*DISCHARGE)), answers(version=version, message=kind))
    # Since 2.8 an OBX may stand in two groups of an ORU^R01, and hl7apy takes the first that it finds.
    grouped = (version, kind) != ("2.8.2", "ORU^R01")
    level = VALIDATION_LEVEL.STRICT if grouped else VALIDATION_LEVEL.TOLERANT
    read = parse_message(content.decode(), validation_level=level, find_groups=grouped)
    assert read.msh.msh_10.to_er7() == told.control_id
    assert not grouped or read.validate()


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("rri")])
def test_hl7apy_finds_the_answer_to_a_referral_as_its_version_has_it(name: str) -> None:
    content = written(*CASES[name]).decode()
    assert parse_message(content, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True).validate()


# ---- taken by others


class Taken:
    """What a receiver took, as its own library read it."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def several(self, count: int) -> list[str]:
        until = time.monotonic() + SEVERAL_SECONDS * 2
        while len(self.texts) < count:
            assert time.monotonic() < until, f"{len(self.texts)} of {count} came"
            time.sleep(0.02)
        return [progress(one) for one in self.texts[:count]]


Receiving = Callable[[int, Taken], Any]


@contextmanager
def python_hl7(port: int, taken: Taken) -> Iterator[None]:
    """The stream server of python-hl7."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def process(reader: Any, writer: Any) -> None:
        try:
            while True:
                read = await reader.readmessage()
                taken.texts.append(str(read))
                writer.writemessage(read.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def serve() -> None:
        server = await start_hl7_server(process, HOST, port, encoding="utf-8")
        ready.set()
        async with server:
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(SEVERAL_SECONDS)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(SEVERAL_SECONDS)
        loop.close()


@contextmanager
def hl7apy(port: int, taken: Taken) -> Iterator[None]:
    """The MLLP server of hl7apy, which ends a connection after each answer."""

    class Take(AbstractHandler):  # type: ignore[misc] # it has no types
        def reply(self) -> str:
            read = parse_message(self.incoming_message)
            taken.texts.append(read.to_er7())
            control_id = read.msh.msh_10.to_er7()
            return f"\x0bMSH|^~\\&|A|B|C|D|20260609||ACK|{control_id}X|P|2.5.1\rMSA|AA|{control_id}\r\x1c\r"

    handlers = dict.fromkeys(("MDM^T02^MDM_T02", "ORU^R01^ORU_R01"), (Take,))
    server = MLLPServer(HOST, port, handlers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(SEVERAL_SECONDS)


@contextmanager
def node_hl7_server(node: str, port: int, taken: Taken) -> Iterator[None]:
    """node-hl7-server."""
    asked = [node, "take.mjs", str(port), "AE", "Status: In progress"]
    with subprocess.Popen(asked, cwd=NODE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        assert lines.readline() == "ready\n"

        def read() -> None:
            for line in lines:
                taken.texts.append(json.loads(line)["raw"])

        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield
        finally:
            process.terminate()
            thread.join(SEVERAL_SECONDS)


@contextmanager
def told_to(folder: Path, port: int, kind: str, connection: str = "kept") -> Iterator[RunningHub]:
    """A hub that tells the hospital on ``port``, and has heard of a discharge."""
    answers = {"to": f"mllp://{HOST}:{port}", "message": kind, "connection": connection}
    answered = {**MERCY, "answers": answers}
    with pytest.MonkeyPatch.context() as patch:
        url = f"sqlite:///{folder / 'throughline.db'}"
        with running(patch, folder, url, senders=[answered], partners=[HARBOR]) as hub:
            with hub.mllp() as line:
                for sent in Stay(1, family="HTESTMÜLLER").whole():
                    assert ack_code(line.send(sent)) == "AA"
            yield hub


@pytest.mark.parametrize("kind", ["MDM^T02", "ORU^R01"])
@pytest.mark.parametrize("receiving", [python_hl7, hl7apy])
def test_a_receiver_of_others_takes_them_in_order(tmp_path: Path, receiving: Receiving, kind: str) -> None:
    port, taken = spare_port(), Taken()
    with receiving(port, taken), told_to(tmp_path, port, kind) as hub:
        partner = hub.caller("HTEST Harbor OTP")
        (child,) = partner.search("Task")
        for status, more in (("accepted", ()), ("in-progress", ()), ("completed", (reported("first-dose-given"),))):
            child = partner.moved(child, status, *more)
        assert taken.several(3) == ["Accepted", "In progress", FIRST_DOSE]
        assert ["HTESTMÜLLER" in one for one in taken.texts] == [True] * 3
        assert command("answers", "list") == []


@pytest.mark.parametrize("kind", ["MDM^T02", "ORU^R01"])
def test_node_hl7_server_takes_them_in_order_and_what_it_refuses_waits(tmp_path: Path, node: str, kind: str) -> None:
    port, taken = spare_port(), Taken()
    with node_hl7_server(node, port, taken), told_to(tmp_path, port, kind, "each") as hub:
        # It keeps what it has read of a connection, and reads the first message again when a second comes.
        partner = hub.caller("HTEST Harbor OTP")
        (child,) = partner.search("Task")
        for status, more in (("accepted", ()), ("in-progress", ()), ("completed", (reported("first-dose-given"),))):
            child = partner.moved(child, status, *more)
        assert taken.several(2) == ["Accepted", "In progress"]
        until = time.monotonic() + SEVERAL_SECONDS
        while not (parked := command("answers", "list", "--state", "parked", code=None)):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert (parked[0]["progress"], parked[0]["reason"]) == ("in-progress", "ae")
        command("answers", "drop", parked[0]["task"], "--version", str(parked[0]["version"]))
        assert taken.several(3) == ["Accepted", "In progress", FIRST_DOSE]
