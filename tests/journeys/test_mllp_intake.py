"""MLLP as engines speak it, on a running hub: order, many lines, noise, who may speak, and what is never said."""

import asyncio
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http_messages import adt
from tests.journeys.certificates import Authority
from tests.journeys.running_hub import HOST, SEVERAL_SECONDS, MllpSender, RunningHub, ack_code, command, running
from tests.journeys.stay import HARBOR, MERCY, NORTH, Stay

ENHANCED = {**NORTH, "id": "enhanced", "organization": "HTEST East", "match_msh": ["ENH|EAST"], "ack": "enhanced"}
ALWAYS = {**NORTH, "id": "always", "organization": "HTEST East", "match_msh": ["ALW|EAST"], "ack": "always"}
AWAY = {**NORTH, "id": "away", "organization": "HTEST Away", "match_msh": ["FAR|AWAY"], "peers": ["192.0.2.0/24"]}

SENDERS: list[dict[str, Any]] = [MERCY, NORTH, AWAY, ENHANCED, ALWAYS]


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    with running(monkeypatch, tmp_path, database_url, senders=SENDERS, partners=[HARBOR]) as made:
        yield made


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def control_id(ack: bytes) -> str:
    """MSA-2."""
    segment = next(line for line in ack.split(b"\r") if line.startswith(b"MSA"))
    return segment.split(b"|")[2].decode()


def told(ack: bytes) -> str:
    """MSA-1 and MSA-2."""
    return f"{ack_code(ack)} {control_id(ack)}"


def asking(number: int, conditions: str, name: str = "ENH") -> bytes:
    """An admission with MSH-15 and MSH-16."""
    return adt(number, application=name, facility="EAST").replace(b"|2.5.1\r", f"|2.5.1|||{conditions}\r".encode())


def framed(*messages: bytes) -> bytes:
    return b"".join(b"\x0b" + message + b"\x1c\r" for message in messages)


def test_messages_of_one_line_are_answered_in_their_order(hub: RunningHub) -> None:
    sent = [adt(number) for number in range(1, 41)]
    with hub.mllp() as line:
        line.stream.sendall(framed(*sent))
        answers = [line.answer() for _ in sent]
    assert [control_id(ack) for ack in answers] == [f"HTEST-{number}" for number in range(1, 41)]
    assert {ack_code(ack) for ack in answers} == {"AA"}
    assert [entry["control_id"] for entry in hub.ledger()] == [f"HTEST-{number}" for number in range(1, 41)]


@on_sqlite
def test_many_messages_without_waiting_have_each_their_own_answer_in_order(hub: RunningHub) -> None:
    """A sender that matches answers by their order alone must not be misled, whatever becomes of a message."""
    changes = {0: (b"", b"", "AA"), 1: (b"|EPIC|", b"|NOBODY|", "AR"), 2: (b"|P|2.5.1", b"|X|2.5.1", "AR")}
    changes |= {3: (b"\rPID|", b"\rZID|", "AE"), 4: (b"|ADT^A01^ADT_A01|", b"|SIU^S12|", "AA")}
    sent, wanted = [], []
    for number in range(1, 301):
        old, new, code = changes[number % 5]
        message = adt(number).replace(old, new, 1) if old else adt(number)
        if number % 5 == 3:  # neither patient nor visit identifier
            message = message.replace(b"\rPV1|", b"\rZV1|")
        sent.append(message)
        wanted.append(f"{code} HTEST-{number}")
    with hub.mllp() as line:
        writing = threading.Thread(target=line.stream.sendall, args=(framed(*sent),))
        writing.start()
        answers = [told(line.answer()) for _ in sent]
        writing.join(SEVERAL_SECONDS)
    assert answers == wanted
    assert [entry["control_id"] for entry in hub.ledger()] == [f"HTEST-{number}" for number in range(1, 301)]


@on_sqlite
def test_in_enhanced_mode_the_commit_comes_first_then_what_the_application_says(hub: RunningHub) -> None:
    with hub.mllp() as line:
        line.stream.sendall(framed(asking(1, "AL|AL"), asking(2, "AL|NE"), asking(3, "NE|AL"), asking(4, "|")))
        answers = [line.answer() for _ in range(5)]
    assert [told(ack) for ack in answers] == ["CA HTEST-1", "AA HTEST-1", "CA HTEST-2", "AA HTEST-3", "AA HTEST-4"]
    own = [ack.split(b"|")[9] for ack in answers]
    assert len(set(own)) == 5
    assert [b"|NE|NE\r" in ack for ack in answers] == [True, True, True, True, False]


@on_sqlite
def test_a_sender_that_wants_no_acknowledgement_gets_none_and_the_line_goes_on(hub: RunningHub) -> None:
    with hub.mllp() as line:
        line.stream.sendall(framed(asking(1, "NE|NE"), asking(2, "ER|ER"), asking(3, "NE|NE", "ALW")))
        assert told(line.answer()) == "AA HTEST-3"
        assert told(line.send(asking(4, "AL|NE"))) == "CA HTEST-4"
    assert [entry["control_id"] for entry in hub.ledger()] == [f"HTEST-{number}" for number in range(1, 5)]


@on_sqlite
def test_two_hundred_lines_at_once_are_each_answered_in_their_order(hub: RunningHub) -> None:
    async def tell(line: int) -> list[str]:
        reader, writer = await asyncio.open_connection(HOST, hub.mllp_port)
        writer.write(framed(*(adt(1000 * line + turn) for turn in range(4))))
        answers = [told((await reader.readuntil(b"\x1c\r"))[1:-2]) for _ in range(4)]
        writer.close()
        await writer.wait_closed()
        return answers

    async def all_lines() -> list[list[str]]:
        async with asyncio.timeout(SEVERAL_SECONDS * 4):
            return list(await asyncio.gather(*map(tell, range(1, 201))))

    assert asyncio.run(all_lines()) == [
        [f"AA HTEST-{1000 * line + turn}" for turn in range(4)] for line in range(1, 201)
    ]
    assert len(hub.ledger()) == 800


@on_sqlite
def test_a_batch_by_mllp_is_answered_by_one_frame(hub: RunningHub) -> None:
    batch = rb"BHS|^~\&|EPIC|MERCY|HUB|HUB|20260605||||B7" + b"\r" + adt(1) + adt(2) + b"BTS|2\r"
    with hub.mllp() as line:
        answer = line.send(batch)
        assert ack_code(line.send(adt(3))) == "AA"
    lines = answer.split(b"\r")
    assert [one.split(b"|")[0] for one in lines] == [b"BHS", b"MSH", b"MSA", b"MSH", b"MSA", b"BTS", b""]
    assert (lines[0].split(b"|")[11], lines[2], lines[4], lines[5]) == (
        *(b"B7", b"MSA|AA|HTEST-1", b"MSA|AA|HTEST-2", b"BTS|2"),
    )


@on_sqlite
def test_the_settings_of_the_door_reach_it(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_MLLP_IDLE_SECONDS", "0.5")
    monkeypatch.setenv("THROUGHLINE_MLLP_MAX_CONNECTIONS", "2")
    monkeypatch.setenv("THROUGHLINE_MAX_BODY", "1000")
    made = running(monkeypatch, tmp_path, database_url, senders=SENDERS, partners=[])
    with made as hub, hub.mllp() as first, hub.mllp() as second:
        assert (ack_code(first.send(adt(1))), ack_code(second.send(adt(2)))) == ("AA", "AA")
        with hub.mllp() as third:
            assert third.ended()
        first.stream.sendall(framed(adt(3) + b"NTE|1||" + b"x" * 1000))
        assert first.ended()
        began = time.monotonic()
        assert second.ended()
        assert time.monotonic() - began < SEVERAL_SECONDS / 3


@on_sqlite
def test_with_a_client_authority_only_its_hospitals_are_heard(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, stranger = Authority(tmp_path, "authority"), Authority(tmp_path, "stranger")
    certificate = trusted.server()
    monkeypatch.setenv("THROUGHLINE_MLLP_TLS_CERT", str(certificate.certificate))
    monkeypatch.setenv("THROUGHLINE_MLLP_TLS_KEY", str(certificate.key))
    monkeypatch.setenv("THROUGHLINE_MLLP_TLS_CLIENT_CA", str(trusted.file))
    with running(monkeypatch, tmp_path, database_url, senders=SENDERS, partners=[]) as hub:
        for shown in (stranger.sender(), trusted.sender(expired=True)):
            with pytest.raises((OSError, AssertionError)), over_tls(hub, shown.client(trusted.file)) as line:
                line.send(adt(1))
        with hub.mllp() as line:
            line.stream.sendall(framed(adt(2)))
            assert b"MSA" not in line.stream.recv(1000)
        with over_tls(hub, trusted.sender().client(trusted.file)) as line:
            assert told(line.send(adt(3))) == "AA HTEST-3"
        assert [entry["control_id"] for entry in hub.ledger()] == ["HTEST-3"]


@contextmanager
def over_tls(hub: RunningHub, context: ssl.SSLContext) -> Iterator[MllpSender]:
    with hub.mllp() as line, context.wrap_socket(line.stream, server_hostname=HOST) as stream:
        yield MllpSender(stream)


def test_many_lines_at_once_are_all_accounted_for(hub: RunningHub) -> None:
    """Each line tells whole stays, one after the other; lines overlap."""
    faults: list[str] = []

    def tell(first: int) -> None:
        try:
            with hub.mllp() as line:
                for number in range(first, first + 3):
                    codes = [ack_code(line.send(message)) for message in Stay(number).whole()]
                    faults.extend(f"{number}: {codes}" for _ in [0] if codes != ["AA"] * 5)
        except (OSError, AssertionError) as error:
            faults.append(repr(error))

    lines = [threading.Thread(target=tell, args=(100 * number,)) for number in range(1, 9)]
    for one in lines:
        one.start()
    for one in lines:
        one.join(SEVERAL_SECONDS * 2)
    assert faults == []
    assert Counter(entry["state"] for entry in hub.ledger()) == {"referral": 24, "updated": 96}
    partner = hub.caller("HTEST Harbor OTP")
    assert len(partner.search("Task?status=requested&_count=10")) == 24


@on_sqlite
def test_an_acknowledged_message_can_be_read_at_once(hub: RunningHub) -> None:
    partner = hub.caller("HTEST Harbor OTP")
    with hub.mllp() as line:
        for number in range(1, 6):
            for message in Stay(number).whole():
                line.send(message)
            assert len(partner.search("Task")) == number


@on_sqlite
def test_a_message_in_single_bytes_between_noise_is_read(hub: RunningHub) -> None:
    with hub.mllp() as line:
        line.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\nnoise" + framed(adt(1)) + b"\r\n\r\n" + framed(adt(2)):
            line.stream.sendall(bytes([byte]))
        assert [control_id(line.answer()) for _ in range(2)] == ["HTEST-1", "HTEST-2"]


@on_sqlite
def test_a_duplicate_gets_the_same_answer_and_no_second_effect(hub: RunningHub) -> None:
    with hub.mllp() as line:
        for message in Stay(7).whole():
            first, again = line.send(message), line.send(message)
            assert (ack_code(first), control_id(first)) == (ack_code(again), control_id(again))
    assert Counter(entry["state"] for entry in hub.ledger()) == {"referral": 1, "updated": 4, "duplicate": 5}


@on_sqlite
def test_a_sender_is_who_it_says_from_where_it_may_say_it(hub: RunningHub) -> None:
    with hub.mllp() as line:
        known = line.send(adt(1, application="CERN", facility="NORTH"))
        unknown = line.send(adt(2, application="NO", facility="BODY"))
        spoofed = line.send(adt(3, application="FAR", facility="AWAY"))
    assert [ack_code(ack) for ack in (known, unknown, spoofed)] == ["AA", "AR", "AR"]
    told = [(entry["sender"], entry["state"]) for entry in hub.ledger()]
    assert told == [("north", "not-ours"), (None, "rejected"), (None, "rejected")]
    assert {reason["code"] for reason in hub.ledger()[2]["reasons"]} == {"unknown-sender"}


@on_sqlite
@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ((b"|HTEST-1|P|", b"||P|"), "AE", "control-id-missing"),
        ((b"|P|2.5.1", b"|X|2.5.1"), "AR", "processing-id"),
        ((b"|P|2.5.1", b"|P|3.0"), "AR", "version"),
        ((b"|P|2.5.1", b"|T|2.5.1"), "AA", "test-message"),
        ((b"ADT^A01", b"ZZZ^Z99"), "AA", "no-signal"),
        ((b"ADT^A01", b"SIU^S12"), "AA", "no-signal"),
    ],
)
def test_each_fault_has_its_own_acknowledgement(
    change: tuple[bytes, bytes], code: str, reason: str, hub: RunningHub
) -> None:
    with hub.mllp() as line:
        ack = line.send(adt(1).replace(*change))
        assert ack_code(ack) == code
        assert (b"\rERR|" in ack) == (code != "AA")
        assert ack_code(line.send(adt(2))) == "AA", "the line goes on"
    assert reason in [one["code"] for one in hub.ledger()[0]["reasons"]]


@on_sqlite
def test_what_is_unfileable_is_kept_and_can_be_decided_again(hub: RunningHub) -> None:
    data = adt(1).replace(b"HTEST0001^^^MERCY^MR", b"").replace(b"HTEST-V0001^^^MERCY^VN", b"")
    with hub.mllp() as line:
        ack = line.send(data)
    assert ack_code(ack) == "AE"
    (entry,) = hub.ledger()
    assert entry["state"] == "rejected"
    assert command("ledger", "replay", entry["id"])["state"] == "rejected"
    assert len(hub.ledger()) == 1


@on_sqlite
def test_a_signal_in_a_trigger_that_is_not_handled_is_for_a_person(hub: RunningHub) -> None:
    stay = Stay(9)
    with hub.mllp() as line:
        line.send(stay.quiet_admit())
        assert ack_code(line.send(stay.dose().replace(b"RAS^O17^RAS_O17", b"VXU^V04^VXU_V04"))) == "AA"
    entry = hub.ledger()[1]
    assert entry["state"] == "review"
    assert "trigger-not-handled" in [reason["code"] for reason in entry["reasons"]]


@on_sqlite
def test_what_is_not_hl7_gets_no_answer_and_another_line_is_not_hurt(hub: RunningHub) -> None:
    with hub.mllp() as other, hub.mllp() as line:
        line.stream.sendall(framed(b"GET / HTTP/1.1\r\nHost: x"))
        assert line.ended()
        assert ack_code(other.send(adt(3))) == "AA"
    assert [entry["state"] for entry in hub.ledger()] == ["rejected", "not-ours"]


@on_sqlite
def test_the_acknowledgement_mirrors_delimiters_and_version(hub: RunningHub) -> None:
    text = adt(4).decode()
    other = (
        text.replace("^~\\&", "\x01")
        .replace("^", "*")
        .replace("|", "#")
        .replace("\x01", "*~\\&")
        .replace("2.5.1", "2.3")
    )
    with hub.mllp() as line:
        line.stream.sendall(framed(other.encode()))
        ack = line.answer()
    header, answer = ack.split(b"\r")[:2]
    assert header.startswith(b"MSH#*~\\&#HUB#HUB#EPIC#MERCY#")
    assert header.endswith(b"#2.3")
    assert answer.startswith(b"MSA#AA#HTEST-4")


@on_sqlite
def test_a_frame_that_never_ends_is_not_kept_for_ever(hub: RunningHub) -> None:
    with socket.create_connection((HOST, hub.mllp_port), timeout=SEVERAL_SECONDS) as stream:
        stream.sendall(b"\x0b")
        try:
            for _ in range(40):
                stream.sendall(b"x" * 1_000_000)
        except OSError:
            closed = True
        else:
            closed = MllpSender(stream).ended()
    assert closed
    with hub.mllp() as line:
        assert ack_code(line.send(adt(5))) == "AA"
