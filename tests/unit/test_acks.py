from datetime import datetime, timedelta, timezone

import pytest

from fhir_mappings.acks import AckError, ack, batch, batch_header, header_of, rough_header
from fhir_mappings.hl7v2 import parse

AT = datetime(2026, 6, 8, 14, 20, 5, tzinfo=timezone(-timedelta(hours=4)))
SENT = (
    b"MSH|^~\\&|EPIC^1.2^ISO|NORTHGATE|TL|HUB|20260608142000||ADT^A03^ADT_A03|NG1|P|2.5.1||||||UNICODE UTF-8\r"
    b"PID|1||HTEST1\r"
)
MISSING = AckError("101", "PID-3 or a visit identifier is required", "PID", 1, 3)


def lines(data: bytes) -> list[str]:
    text = data.decode()
    assert text.endswith("\r")
    return text.split("\r")[:-1]


def test_an_accepting_answer_mirrors_the_header_and_swaps_the_parties() -> None:
    answer = ack(header_of(parse(SENT)), "AA", at=AT, control_id="T1")
    assert lines(answer) == [
        "MSH|^~\\&|TL|HUB|EPIC^1.2^ISO|NORTHGATE|20260608142005-0400||ACK^A03^ACK|T1|P|2.5.1||||||UNICODE UTF-8",
        "MSA|AA|NG1",
    ]


def test_an_answer_can_be_formed_from_the_message_itself() -> None:
    message = parse(SENT)
    assert ack(message, "AA", at=AT, control_id="T1") == ack(header_of(message), "AA", at=AT, control_id="T1")


def test_a_refusal_from_2_5_on_says_where_and_why_in_err() -> None:
    answer = lines(ack(parse(SENT), "AE", at=AT, control_id="T1", error=MISSING))
    assert answer[1] == "MSA|AE|NG1"
    assert answer[2] == (
        "ERR||PID^1^3|101^Required field missing^HL70357|E|||"
        "PID-3 or a visit identifier is required|PID-3 or a visit identifier is required"
    )
    assert len(answer) == 3


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.4^DEU"])
def test_a_refusal_before_2_5_has_the_old_err_and_the_text_in_msa(version: str) -> None:
    answer = lines(ack(parse(SENT.replace(b"2.5.1", version.encode())), "AE", at=AT, control_id="T1", error=MISSING))
    assert answer[0].split("|")[11] == version
    assert answer[1:] == [
        "MSA|AE|NG1|PID-3 or a visit identifier is required",
        "ERR|PID^1^3^101&Required field missing&HL70357",
    ]


@pytest.mark.parametrize("version", ["2.5", "2.5^DEU&&HL70399", "2.8.1", "2.10", "nonsense", "", "2." + "9" * 5000])
def test_any_other_version_has_the_new_err(version: str) -> None:
    answer = lines(ack(parse(SENT.replace(b"2.5.1", version.encode())), "AR", at=AT, control_id="T1", error=MISSING))
    assert answer[0].split("|")[11] == (version or "2.5.1")
    assert answer[1] == "MSA|AR|NG1"
    assert answer[2].startswith("ERR||PID^1^3|101^")


def test_an_accepting_answer_never_has_an_err() -> None:
    assert lines(ack(parse(SENT), "AA", at=AT, control_id="T1", error=MISSING))[1:] == ["MSA|AA|NG1"]
    assert lines(ack(parse(SENT), "CA", at=AT, control_id="T1", error=MISSING))[1:] == ["MSA|CA|NG1"]


def test_an_error_without_a_place_has_no_location() -> None:
    answer = lines(ack(parse(SENT), "AR", at=AT, control_id="T1", error=AckError("207", "unknown sender")))
    assert answer[2] == "ERR|||207^Application internal error^HL70357|E|||unknown sender|unknown sender"
    answer = lines(ack(parse(SENT), "AE", at=AT, control_id="T1", error=AckError("100", "order", "PV1", 2)))
    assert answer[2].startswith("ERR||PV1^2|100^Segment sequence error^HL70357|E")


def test_a_message_without_a_trigger_is_answered_with_a_plain_ack() -> None:
    assert "||ACK|T1|" in lines(ack(parse(SENT.replace(b"ADT^A03^ADT_A03", b"ORU")), "AA", at=AT, control_id="T1"))[0]
    underscore = parse(SENT.replace(b"ADT^A03^ADT_A03", b"ADT_A03"))
    assert "||ACK^A03^ACK|T1|" in lines(ack(underscore, "AA", at=AT, control_id="T1"))[0]


def test_the_control_id_goes_back_character_by_character() -> None:
    odd = "N\\T\\1^x~\\Zq\\é"
    answer = ack(parse(SENT.replace(b"|NG1|", f"|{odd}|".encode())), "AA", at=AT, control_id="T1")
    assert lines(answer)[1] == f"MSA|AA|{odd}"


def test_a_missing_control_id_leaves_msa_2_empty() -> None:
    answer = lines(ack(parse(SENT.replace(b"|NG1|", b"||")), "AE", at=AT, control_id="T1", error=MISSING))
    assert answer[1] == "MSA|AE"


@pytest.mark.parametrize(
    ("header", "msh", "err"),
    [
        (
            "MSH$%~\\&$APP$FAC$$$$$ADT%A03$7$P$2.5",
            "MSH$%~\\&$$$APP$FAC$20260608142005-0400$$ACK%A03%ACK$T1$P$2.5",
            "ERR$$PID%1%3$101%Required field missing%HL70357$E$$$no | in PID-3$no | in PID-3",
        ),
        (
            "MSH|^~&|APP|FAC|||||ADT^A03|7|P|2.5",
            "MSH|^~&|||APP|FAC|20260608142005-0400||ACK^A03^ACK|T1|P|2.5",
            "ERR||PID^1^3|101^Required field missing^HL70357|E|||no   in PID-3|no   in PID-3",
        ),
        (
            "MSH||APP|FAC|||||ADT^A03|7|P|2.5",
            "MSH|^~\\&|||APP|FAC|20260608142005-0400||ACK^A03^ACK|T1|P|2.5",
            "ERR||PID^1^3|101^Required field missing^HL70357|E|||no \\F\\ in PID-3|no \\F\\ in PID-3",
        ),
        (
            "MSH|^~\\\\&#|APP|FAC|||||ADT^A03|7|P|2.5",
            "MSH|^~\\\\&#|||APP|FAC|20260608142005-0400||ACK^A03^ACK|T1|P|2.5",
            "ERR||PID^1^3|101^Required field missing^HL70357|E|||no \\F\\ in PID-3|no \\F\\ in PID-3",
        ),
    ],
)
def test_the_senders_delimiters_are_mirrored(header: str, msh: str, err: str) -> None:
    error = AckError("101", "no | in PID-3", "PID", 1, 3)
    answer = ack(parse(header.encode()), "AE", at=AT, control_id="T1", error=error)
    assert lines(answer)[0] == msh
    assert lines(answer)[2].startswith(err)
    assert parse(answer).type == "ACK^A03"


def test_the_answer_is_in_the_senders_character_set() -> None:
    sent = SENT.replace(b"UNICODE UTF-8", b"8859/1").replace(b"NORTHGATE", b"H\xf4pital")
    answer = ack(parse(sent), "AA", at=AT, control_id="T1")
    assert b"|H\xf4pital|2026" in answer
    assert answer.partition(b"\r")[0].endswith(b"||||||8859/1")


def test_a_test_message_is_answered_as_one() -> None:
    assert "|T1|T|2.5.1" in lines(ack(parse(SENT.replace(b"|P|", b"|T|")), "AA", at=AT, control_id="T1"))[0]


@pytest.mark.parametrize(
    "data",
    [
        SENT + SENT,
        b"PID|1||HTEST1\r" + SENT,
        SENT.replace(b"|^~\\&|", b"|blah|"),
        SENT.replace(b"|^~\\&|", b"|&&&&|"),
        b"\x0b" + SENT.replace(b"\r", b"\n"),
    ],
)
def test_content_that_cannot_be_read_still_gets_its_answer(data: bytes) -> None:
    header = rough_header(data)
    assert header is not None
    answer = parse(ack(header, "AE", at=AT, control_id="T1", error=AckError("207", "unreadable", "MSH", 1, 2)))
    msa = answer.first("MSA")
    assert msa is not None
    assert (msa.text(1), msa.text(2), answer.type, answer.header.text(6)) == ("AE", "NG1", "ACK^A03", "NORTHGATE")


def test_a_field_separator_that_is_a_standard_delimiter_gives_way_to_the_bar() -> None:
    header = rough_header(b"MSH^~\\&|CDC PRIME - Atlanta^2.16^ISO\r")
    assert header is not None
    assert lines(ack(header, "AE", at=AT, control_id="T1"))[0].startswith("MSH|^~\\&|")


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xfe\x00", b"PID|1\r", b"MSH", b"MSH\r", b"MSHX", b"MSH \r"])
def test_where_there_is_no_header_there_is_no_answer(data: bytes) -> None:
    assert rough_header(data) is None


def test_the_answers_to_a_batch_come_in_a_batch() -> None:
    sent = b"FHS|^~\\&|F\rBHS|^~\\&|APP|FAC|TL|HUB|2026||||B7\r" + SENT + SENT + b"BTS|2\rFTS|1\r"
    header = batch_header(sent)
    one = ack(parse(SENT), "AA", at=AT, control_id="T1")
    answer = lines(batch([one, one], header, at=AT, control_id="T9"))
    assert answer[0] == "BHS|^~\\&|TL|HUB|APP|FAC|20260608142005-0400||||T9|B7"
    assert [line[:3] for line in answer] == ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS"]
    assert answer[-1] == "BTS|2"


def test_a_batch_of_answers_needs_no_received_header() -> None:
    assert batch([]) == b"BHS|^~\\&\rBTS|0\r"
    assert batch_header(SENT) is None
    assert batch_header(b"BHS\r") is None


def test_the_file_header_speaks_for_a_batch_without_its_own() -> None:
    header = batch_header(b"FHS|^~\\&|APP|FAC\r" + SENT)
    assert header is not None
    assert batch([], header).startswith(b"BHS|^~\\&|||APP|FAC\r")
