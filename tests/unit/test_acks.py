from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import product

import hl7  # type: ignore[import-untyped] # it has no types
import pytest
from hl7apy.parser import parse_message  # type: ignore[import-untyped] # it has no types

from fhir_mappings.acks import (
    AckCode,
    AckError,
    ApplicationCode,
    Mode,
    ack,
    batch,
    batch_header,
    due,
    file,
    file_header,
    header_of,
    rough_header,
)
from fhir_mappings.hl7v2 import Message, batches, parse

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


# ---- which acknowledgements


CONDITIONS = ("", "AL", "NE", "ER", "SU")
MODES: tuple[Mode, ...] = ("original", "enhanced", "always")
OUTCOMES: tuple[ApplicationCode, ...] = ("AA", "AE", "AR")

# Rows: MSH-15. Columns: MSH-16 as in CONDITIONS. Each cell: what is sent on success, then on an error; C is the
# commit acknowledgement, A that of the application. "-" is silence.
ENHANCED = {
    "": ("A A", "A A", "- -", "- A", "A -"),
    "AL": ("C C", "CA CA", "C C", "C CA", "CA C"),
    "NE": ("- -", "A A", "- -", "- A", "A -"),
    "ER": ("- C", "A CA", "- C", "- CA", "A C"),
    "SU": ("C -", "CA A", "C -", "C A", "CA -"),
}


def expected(mode: Mode, accept: str, application: str, outcome: ApplicationCode) -> tuple[str, ...]:
    if mode == "original":
        return (outcome,)
    cell = ENHANCED[accept][CONDITIONS.index(application)].split()[outcome != "AA"]
    if cell == "-":
        return (outcome,) if mode == "always" else ()
    return tuple(f"{level}{outcome[1]}" for level in cell)


@pytest.mark.parametrize(
    ("mode", "accept", "application", "outcome"), list(product(MODES, CONDITIONS, CONDITIONS, OUTCOMES))
)
def test_mode_conditions_and_outcome_say_what_is_sent(
    mode: Mode, accept: str, application: str, outcome: ApplicationCode
) -> None:
    assert due(mode, accept, application, outcome) == expected(mode, accept, application, outcome)


@pytest.mark.parametrize(("accept", "application", "outcome"), list(product(CONDITIONS, CONDITIONS, OUTCOMES)))
def test_always_is_enhanced_but_never_silent(accept: str, application: str, outcome: ApplicationCode) -> None:
    enhanced = due("enhanced", accept, application, outcome)
    assert due("always", accept, application, outcome) == (enhanced or (outcome,))


@pytest.mark.parametrize("odd", ["Y", "AA", "ALWAYS", "0155"])
def test_a_condition_that_the_table_lacks_is_answered(odd: str) -> None:
    assert due("enhanced", odd, "NE", "AA") == ("CA",)
    assert due("enhanced", "NE", odd, "AE") == ("AE",)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("", ("", "")),
        ("|||AL|NE", ("AL", "NE")),
        ("|||al| ne ", ("AL", "NE")),
        ("|||AL^x|SU&y", ("AL", "SU")),
        ('|||""|""', ("", "")),
        ("||||ER", ("", "ER")),
    ],
)
def test_the_conditions_are_read_from_msh_15_and_16(sent: str, read: tuple[str, str]) -> None:
    header = header_of(parse(f"MSH|^~\\&|A|B|||||ADT^A03|7|P|2.5{sent}".encode()))
    assert (header.accept, header.application) == read
    assert header.enhanced == any(read)


def test_an_answer_to_a_sender_that_states_conditions_asks_for_none_itself() -> None:
    stated = SENT.replace(b"2.5.1||||||UNICODE", b"2.5.1|||AL|AL||UNICODE")
    assert lines(ack(parse(stated), "CA", at=AT, control_id="T1")) == [
        "MSH|^~\\&|TL|HUB|EPIC^1.2^ISO|NORTHGATE|20260608142005-0400||ACK^A03^ACK|T1|P|2.5.1|||NE|NE||UNICODE UTF-8",
        "MSA|CA|NG1",
    ]
    plain = ack(parse(b"MSH|^~\\&|A|B|||||ADT^A03|7|P|2.5|||NE"), "AA", at=AT, control_id="T1")
    assert lines(plain)[0].endswith("|T1|P|2.5|||NE|NE")


@pytest.mark.parametrize(("code", "segments"), [("CA", "MSH MSA"), ("CE", "MSH MSA ERR"), ("CR", "MSH MSA ERR")])
def test_a_commit_refusal_says_where_and_why_like_any_other(code: AckCode, segments: str) -> None:
    answer = lines(ack(parse(SENT), code, at=AT, control_id="T1", error=MISSING))
    assert answer[1] == f"MSA|{code}|NG1"
    assert " ".join(line[:3] for line in answer) == segments


# ---- one acknowledgement


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


# ---- every oddity of delimiters


ENCODINGS = (
    *("^~\\&", "^~\\&#", "^~\\\\&", "^~\\\\&#", "^~&", "^&", "^", "", "&&&&", "%~\\&", "~|\\&", "#!@$", "^~"),
    *("~\\&", "&", "~", "\\", "^~\\", "blah", "^~\\&#!"),
)
VERSIONS = ("2.3", "2.5.1", "2.7")


def odd_messages() -> list[bytes]:
    """An error in MSH-9 underscore form, so that the trigger is known even where there are no components."""
    return [
        f"MSH{field}{encoding}{field}APP{field}FAC{field * 5}ADT_A03{field}7{field}P{field}{version}".encode() + b"\r"
        for field, encoding, version in product("|$^*", ENCODINGS, VERSIONS)
        if field not in encoding
    ]


@pytest.mark.parametrize("sent", odd_messages(), ids=bytes.decode)
@pytest.mark.parametrize("code", ["AA", "AE"])
def test_an_answer_can_be_read_again_whatever_the_delimiters(sent: bytes, code: ApplicationCode) -> None:
    header = rough_header(sent)
    assert header is not None
    error = AckError("101", "no | ^ ~ \\ & $ # in PID-3", "PID", 1, 3)
    answer = parse(ack(header, code, at=AT, control_id="T1", error=error))
    assert [segment.name for segment in answer.segments] == ["MSH", "MSA", *(["ERR"] if code == "AE" else [])]
    assert answer.separators == header.separators
    msa = answer.first("MSA")
    assert msa is not None
    assert (msa.raw(1), msa.raw(2), answer.header.raw(10), answer.header.raw(5)) == (code, "7", "T1", "APP")


def control_id_of_hl7(data: bytes) -> str:
    return str(hl7.parse(data.decode()).segment("MSA")[2])


def control_id_of_hl7apy(data: bytes) -> str:
    return str(parse_message(data.decode()).msa.msa_2.to_er7())


def reads(read: Callable[[bytes], object], data: bytes) -> bool:
    try:
        read(data)
    except Exception:  # noqa: BLE001 - other people's parsers raise what they like
        return False
    return True


@pytest.mark.parametrize(
    ("read", "control_id", "how_many"),
    [
        (lambda d: hl7.parse(d.decode()), control_id_of_hl7, 150),
        (lambda d: parse_message(d.decode()), control_id_of_hl7apy, 30),
    ],
    ids=["hl7", "hl7apy"],
)
def test_another_reader_that_reads_the_message_reads_its_answer(
    read: Callable[[bytes], object], control_id: Callable[[bytes], str], how_many: int
) -> None:
    told = [(sent, rough_header(sent)) for sent in odd_messages() if reads(read, sent.replace(b"APP", b"APP^1"))]
    assert len(told) > how_many
    faults = [
        sent
        for sent, header in told
        if header is None or control_id(ack(header, "AE", at=AT, control_id="T1", error=MISSING)) != "7"
    ]
    assert faults == []


def test_a_field_separator_that_is_a_standard_delimiter_is_told_from_the_fields() -> None:
    header = rough_header(b"MSH^blah^APP^FAC^^^^^ADT_A03^7^P^2.5\r")
    assert header is not None
    assert lines(ack(header, "AE", at=AT, control_id="T1"))[1] == "MSA|AE|7"


# ---- every character set


@pytest.mark.parametrize(
    ("name", "facility"),
    [
        ("ASCII", "Hopital"),
        ("8859/1", "Hôpital"),
        ("8859/15", "Hôpital €"),
        ("UNICODE UTF-8", "Hôpital 病院"),
        ("UTF-8~UNICODE", "Hôpital 病院"),
        ("~ISO IR87", "病院"),
        ("GB 18030-2000", "医院"),
        ("", "Hôpital"),
        ("unheard of", "Hôpital"),
    ],
)
def test_what_is_mirrored_goes_back_byte_by_byte_in_each_character_set(name: str, facility: str) -> None:
    codec = {"8859/1": "latin-1", "8859/15": "iso8859-15", "~ISO IR87": "iso2022_jp", "GB 18030-2000": "gb18030"}
    there = facility.encode(codec.get(name, "utf-8"))
    message = parse(b"MSH|^~\\&|APP|" + there + b"|||||ADT^A03|7|P|2.5||||||" + name.encode() + b"\r")
    answer = ack(message, "AA", at=AT, control_id="T1")
    assert b"|" + there + b"|" in answer
    again = parse(answer)
    assert (again.header.text(6), again.header.raw(18)) == (facility, name)


@pytest.mark.parametrize("name", ["UNICODE UTF-8", "ASCII"])
def test_a_character_set_that_is_declared_and_untrue_costs_the_answer_nothing(name: str) -> None:
    sent = b"MSH|^~\\&|APP|H\xf4pital|||||ADT^A03|7\xe9|P|2.5||||||" + name.encode() + b"\r"
    answer = ack(parse(sent), "AA", at=AT, control_id="T1")
    assert b"|H\xf4pital|" in answer
    assert b"MSA|AA|7\xe9\r" in answer


# ---- batches


BHS = b"BHS|^~\\&|APP|FAC|TL|HUB|2026||||B7\r"
FHS = b"FHS|^~\\&|FAPP|FFAC|TL|HUB|2026||||F9\r"
ONE = ack(parse(SENT), "AA", at=AT, control_id="T1")


def test_the_answers_to_a_batch_come_in_a_batch() -> None:
    header = batch_header(FHS + BHS + SENT + SENT + b"BTS|2\rFTS|1\r")
    assert header is not None
    answer = lines(batch([ONE, ONE], header, at=AT, control_id="T9"))
    assert answer[0] == "BHS|^~\\&|TL|HUB|APP|FAC|20260608142005-0400||||T9|B7"
    assert [line[:3] for line in answer] == ["BHS", "MSH", "MSA", "MSH", "MSA", "BTS"]
    assert answer[-1] == "BTS|2"


def test_a_batch_without_answers_counts_none() -> None:
    header = batch_header(BHS)
    assert header is not None
    assert lines(batch([], header, at=AT, control_id="T9"))[1:] == ["BTS|0"]


def test_a_file_of_batches_is_answered_by_a_file() -> None:
    header = file_header(FHS + BHS + SENT + b"BTS|1\rFTS|1\r")
    assert header is not None
    answer = lines(file([b"BHS|^~\\&\rBTS|0\r"] * 2, header, at=AT, control_id="T9"))
    assert answer[0] == "FHS|^~\\&|TL|HUB|FAPP|FFAC|20260608142005-0400||||T9|F9"
    assert answer[-1] == "FTS|2"


@pytest.mark.parametrize("data", [SENT, b"", b"BHS\r", b"BTS|1\r", b"hello"])
def test_where_there_is_no_envelope_that_can_be_read_there_is_no_header(data: bytes) -> None:
    assert batch_header(data) is None
    assert file_header(data) is None


def test_the_file_header_gives_the_addresses_of_a_batch_without_its_own_and_not_its_control_id() -> None:
    header = batch_header(FHS + SENT)
    assert header is not None
    assert lines(batch([], header, at=AT, control_id="T9"))[0] == (
        "BHS|^~\\&|TL|HUB|FAPP|FFAC|20260608142005-0400||||T9"
    )


@pytest.mark.parametrize("there", ["Hôpital".encode(), b"H\xf4pital"])
def test_the_envelope_is_mirrored_byte_by_byte(there: bytes) -> None:
    header = batch_header(b"BHS$%~\\&$APP$" + there + b"$$$$$$$" + there + b"\r")
    assert header is not None
    answer = batch([], header, at=AT, control_id="T9")
    assert answer == b"BHS$%~\\&$$$APP$" + there + b"$20260608142005-0400$$$$T9$" + there + b"\rBTS$0\r"


def test_an_envelope_whose_delimiters_contradict_themselves_is_answered_with_the_standard_ones() -> None:
    header = batch_header(b"BHS|&&&&|APP|FAC|||||||B7\r")
    assert header is not None
    assert lines(batch([], header, at=AT, control_id="T9"))[0].startswith("BHS|^~\\&|||APP|FAC|")


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\n\r\n  "])
def test_a_file_is_cut_into_its_batches_and_nothing_is_lost(end: bytes) -> None:
    first = FHS + BHS + SENT + b"BTS|1" + end
    second = b"BHS|^~\\&|APP|FAC|||||||B8\r" + SENT + SENT
    third = b"BHS|^~\\&|APP|FAC|||||||B9\rFTS|3\r"
    parts = batches(first + second + third)
    assert b"".join(parts) == first + second + third
    headers = [header for header in map(batch_header, parts) if header]
    assert [header.control_id for header in headers] == ["B7", "B8", "B9"]
    assert [part.count(b"MSH|") for part in parts] == [1, 2, 0]


@pytest.mark.parametrize("data", [b"", SENT, SENT + SENT, SENT.replace(b"\r", b"\rNTE|1||BHS|x\r"), b"xBHS|"])
def test_what_is_no_batch_is_one_piece(data: bytes) -> None:
    assert batches(data) == [data]


def test_the_answer_belongs_to_a_message_and_not_to_its_reader() -> None:
    message: Message = parse(SENT)
    assert ack(message.traced(), "AA", at=AT, control_id="T1") == ONE
