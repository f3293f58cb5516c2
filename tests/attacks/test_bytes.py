"""Attack cases 13, 47 to 49, 56, 59 and 65: where the bytes on the wire matter, on real sockets."""

import gzip
import json
import logging
import socket
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pytest

from tests.attacks.raw import exchange, request
from tests.contract.neighbours import UNKNOWN
from tests.journeys.running_hub import Caller, RunningHub, ack_code
from tests.journeys.stay import Stay

VARIANTS: Final = (
    "/fhir/R4/Task/{id}",
    "/fhir/R4/Task/{id}/",
    "/fhir/R4//Task/{id}",
    "//fhir/R4/Task/{id}",
    "/fhir/R4/./Task/{id}",
    "/fhir/R4/Patient/../Task/{id}",
    "/fhir/R4/%2e/Task/{id}",
    "/fhir/R4/Patient/%2e%2e/Task/{id}",
    "/fhir/R4/Patient%2F..%2FTask%2F{id}",
    "/fhir/R4/Task%2F{id}",
    "/fhir/R4/%54ask/{id}",
    "/fhir/R4/task/{id}",
    "/FHIR/R4/Task/{id}",
    "/fhir/R4/Task/{id}.json",
    "/fhir/R4/Task/{id}?_format=xml",
    "/fhir/R4/Task/{id}?_format=json",
    "/fhir/R4/Task/{id};owner=x",
    "/fhir/R4/Task/{id}%00",
    "/fhir/R4/Task/{id}%0d%0a",
    "/fhir/R4/Task/{id}#x",
    "/fhir/R4/Task/{id}?",
    "/fhir/R4/Task/{id}/_history/1",
    "/fhir/R4/Task/{id}/_history/%31",
    "http://hub.example.org/fhir/R4/Task/{id}",
    "http://127.0.0.1/fhir/R4/Task/{id}",
    "/fhir/R4/Task/{id}\\",
    "/fhir/R4\\Task\\{id}",
    "/fhir/R4/Task/\u0132{id}",
)
IDS: Final = (
    "../../etc/passwd",
    "%2e%2e%2fetc%2fpasswd",
    "..",
    ".",
    "%2e",
    "%2e%2e",
    "",
    "a" * 65,
    "a" * 5000,
    "%C3%BC",
    "\u00fc",
    "a%00b",
    "1/../../admin",
    "1'or'1'='1",
    "%25",
    "_search",
    "$packet",
)


@pytest.fixture
def theirs(served: RunningHub) -> str:
    """A Task of the partner that was asked."""
    hospital = served.caller("mercy")
    for message in Stay(1).whole():
        served.post_hl7(hospital, message)
    (task,) = served.caller("HTEST Harbor OTP").search("Task")
    return str(task["id"])


@pytest.fixture
def stranger(served: RunningHub) -> Caller:
    """The hospital itself, which is no party to what its partner was asked."""
    return served.caller("mercy", "system/*.cruds")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_13_an_address_that_is_written_otherwise_is_decided_like_the_plain_one(
    method: str, served: RunningHub, theirs: str, stranger: Caller
) -> None:
    for variant in VARIANTS:
        hidden = request(served, stranger, method, variant.format(id=theirs))
        absent = request(served, stranger, method, variant.format(id=UNKNOWN))
        assert hidden.plain == absent.plain, variant
        assert hidden.status >= 400, variant
        assert theirs.encode() not in hidden.body


def test_13_a_method_in_a_header_is_no_method(served: RunningHub, theirs: str, stranger: Caller) -> None:
    harbor = served.caller("HTEST Harbor OTP", "system/*.rs")
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"):
        for who in (harbor, stranger):
            answer = request(served, who, "POST", f"/fhir/R4/Task/{theirs}", f"{name}: PATCH", body=b"[]")
            assert answer.status == 405
    assert harbor.fhir(f"Task/{theirs}")["meta"]["versionId"] == "1"


def test_59_an_id_that_is_none_names_nothing(served: RunningHub, stranger: Caller) -> None:
    for one in IDS:
        for target in (f"/fhir/R4/Task/{one}", f"/fhir/R4/Patient/{one}/_history", f"/schemas/{one}.json"):
            answer = request(served, stranger, "GET", target)
            assert answer.status in {400, 404, 405, 414}, (target[:60], answer.status)
            assert b"root:" not in answer.body
            assert b"Traceback" not in answer.body


# ---- bodies


def _chunked(chunks: int, size: int) -> Iterator[bytes]:
    for _ in range(chunks):
        yield f"{size:x}\r\n".encode() + b"x" * size + b"\r\n"


def _head(caller: Caller, *lines: str) -> bytes:
    said = ("POST /ingest/events HTTP/1.1", "host: x", f"authorization: {caller.headers['authorization']}", *lines)
    return ("\r\n".join(said) + "\r\n\r\n").encode()


def test_56_a_body_without_end_is_refused_and_not_read_on(served: RunningHub) -> None:
    hospital = served.caller("mercy")
    head = _head(hospital, "content-type: application/json", "transfer-encoding: chunked", "connection: close")
    answer = exchange(served, head, *_chunked(2000, 64 * 1024))
    assert answer.status in {413, 0}
    assert served.web.get("/health/live").status_code == 200


def test_56_a_length_that_is_not_true_makes_no_second_request(served: RunningHub) -> None:
    hospital = served.caller("mercy")
    smuggled = b"GET /fhir/R4/Patient HTTP/1.1\r\nhost: x\r\n\r\n"
    for lines in (
        ("content-type: application/json", "content-length: 10"),
        ("content-type: application/json", "content-length: 4", "content-length: 400"),
        ("content-type: application/json", "content-length: 4", "transfer-encoding: chunked"),
        ("content-type: application/json", "transfer-encoding: chunked, identity"),
        ("content-type: application/json", "content-length: -1"),
        ("content-type: application/json", "content-length: 99999999999999"),
        ("content-type: application/json", "transfer-encoding : chunked"),
    ):
        answer = exchange(served, _head(hospital, *lines) + b"0\r\n\r\n" + smuggled)
        assert b'"resourceType":"Bundle"' not in answer.body, lines
        assert answer.status in {0, 400, 401, 411, 413, 422, 501}, (lines, answer.status)
    assert served.web.get("/health/live").status_code == 200


@pytest.mark.parametrize("squeeze", [gzip.compress, zlib.compress])
def test_56_a_bomb_is_refused_before_it_is_opened(served: RunningHub, squeeze: Callable[[bytes], bytes]) -> None:
    hospital = served.caller("mercy")
    bomb = squeeze(bytes(20_000_000))
    encoding = "gzip" if squeeze is gzip.compress else "deflate"
    for path in ("/ingest/events", "/ingest/hl7v2", "/fhir/R4", "/fhir/R4/$process-message", "/fhir/R4/Procedure"):
        sent = hospital.headers | {"content-encoding": encoding, "content-type": "application/fhir+json"}
        answer = served.web.post(path, content=bomb, headers=sent)
        assert answer.status_code in {403, 415}, path


def test_56_a_head_without_end_is_not_kept(served: RunningHub) -> None:
    head = b"GET /fhir/R4/Task HTTP/1.1\r\nhost: x\r\n" + b"".join(
        b"x-%d: %s\r\n" % (n, b"y" * 60_000) for n in range(40)
    )
    answer = exchange(served, head)
    assert answer.status in {0, 400, 401, 431}
    assert served.web.get("/health/live").status_code == 200


# ---- HL7 v2


def test_47_what_a_field_holds_forges_no_segment_and_no_acknowledgement(served: RunningHub) -> None:
    hospital = served.caller("mercy")
    admit = Stay(7).admit()
    for name in (rb"A\X0D\MSA|AA|FORGED", rb"A\.br\B\E\|C", rb"\T\\S\\R\\F\\E\ ", b"A\nMSA|AA|FORGED"):
        acknowledged = served.post_hl7(hospital, admit.replace(b"HTESTALDER", name))
        assert acknowledged.count(b"MSA") == 1
        assert b"FORGED" not in acknowledged
    for control in (rb"X\X0D\MSA\F\AA", rb"X\F\AA", b"X^Y&Z~W"):
        acknowledged = served.post_hl7(hospital, admit.replace(b"HTEST00007-01", control))
        assert acknowledged.count(b"\rMSA") == 1
        assert acknowledged.split(b"MSA|")[1].split(b"|")[1].rstrip(b"\r") == control


def test_48_odd_framing_harms_no_other_message(served: RunningHub) -> None:
    hostile = [
        b"\x0bMSH|^~\\&|\x1c\r",
        b"\x0b\x1c\r",
        b"\x0b" + Stay(2).admit().replace(b"HTESTALDER", b"A" + b"~B" * 50_000) + b"\x1c\r",
        b"\x0b" + Stay(3).admit() + b"NTE|1\r" * 20_000 + b"\x1c\r",
        b"\x0b" + Stay(4).admit().replace(b"HTESTALDER", b"A\x0bB") + b"\x1c\r",
        b"\x0bMSH^~\\&|" + b"\x1c\r",
        b"\x0bMSH" + b"|" * 100 + b"\x1c\r",
        b"\x0bMSH|||||\x1c\r",
    ]
    for bad in hostile:
        with served.mllp() as line:
            line.stream.sendall(bad)
            line.stream.shutdown(socket.SHUT_WR)
            answers = b"".join(iter(partial(line.stream.recv, 65536), b""))
        assert answers.count(b"\rMSA|") <= 2
        assert b"Traceback" not in answers
    with served.mllp() as line:
        assert ack_code(line.send(Stay(61).admit())) == "AA"


# ---- logs


def test_65_what_is_sent_never_makes_a_line_of_the_log(
    served: RunningHub, stranger: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for value in ("x\x1b[2Jzq", "x\tzq", "x%0d%0azq", "\x7fzq"):
            request(served, stranger, "GET", "/fhir/R4/Task", f"user-agent: {value}", f"x-request-id: {value}")
        served.post_hl7(served.caller("mercy"), Stay(8).admit().replace(b"EPIC|MERCY", b"EPIC\x1b[2Jzq|MERCY"))
    lines = [record.getMessage() for record in caplog.records if record.name == "throughline"]
    assert all("\n" not in line and "\x1b" not in line and json.loads(line) for line in lines)
    assert not any("zq" in line for line in lines)
