"""MLLP as engines speak it, on a running hub: order, many lines, noise, who may speak, and what is never said."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http_messages import adt
from tests.journeys.running_hub import HOST, SEVERAL_SECONDS, MllpSender, RunningHub, ack_code, command, running
from tests.journeys.stay import HARBOR, MERCY, NORTH, Stay

AWAY = {**NORTH, "id": "away", "organization": "HTEST Away", "match_msh": ["FAR|AWAY"], "peers": ["192.0.2.0/24"]}


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    senders: list[dict[str, Any]] = [MERCY, NORTH, AWAY]
    with running(monkeypatch, tmp_path, database_url, senders=senders, partners=[HARBOR]) as made:
        yield made


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def control_id(ack: bytes) -> str:
    """MSA-2."""
    segment = next(line for line in ack.split(b"\r") if line.startswith(b"MSA"))
    return segment.split(b"|")[2].decode()


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
