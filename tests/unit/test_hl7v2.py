from collections.abc import Callable

import pytest

from fhir_mappings.hl7v2 import (
    DEFAULT_SEPARATORS,
    Message,
    Raw,
    Unreadable,
    enveloped,
    escape,
    fingerprint,
    parse,
    separators_of,
    split,
    unescape,
    write,
)

HEADER = r"MSH|^~\&|EPIC^1.2.3^ISO|NORTHGATE|HUB|TL|20260608142000-0400||ADT^A03^ADT_A03|NG1|P|2.5.1"
PID = "PID|1||HTEST1^^^NGMRN&2.16.840.1&ISO^MR~HTEST9^^^SSA^SS||HTESTALDER^Sam||19910402|M"


def message(*lines: str, header: str = HEADER) -> Message:
    return parse("\r".join([header, *lines, ""]).encode())


def segment_text(line: str, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 0) -> str:
    return message(line).segments[1].text(field, component, subcomponent, repetition)


def test_the_header_shortcuts_read_the_fields_of_msh() -> None:
    read = message(PID)
    assert (read.control_id, read.type, read.structure) == ("NG1", "ADT^A03", "ADT_A03")
    assert (read.version, read.processing_id) == ("2.5.1", "P")
    assert (read.sending_application, read.sending_facility) == ("EPIC", "NORTHGATE")


def test_msh_1_is_the_separator_and_msh_2_the_encoding_characters() -> None:
    msh = message().segments[0]
    assert (msh.text(1), msh.text(2), msh.raw(2), msh.repetitions(2)) == ("|", "^~\\&", "^~\\&", 1)
    assert (msh.text(3), msh.text(3, 3), len(msh)) == ("EPIC", "ISO", 12)
    assert msh.text(2, 2) == ""


@pytest.mark.parametrize(
    ("sent", "type_", "structure"),
    [
        ("ADT^A03", "ADT^A03", "ADT_A03"),
        ("ADT_A03", "ADT^A03", "ADT_A03"),
        ("ADT^A08^ADT_A01", "ADT^A08", "ADT_A01"),
        ("ORU", "ORU", "ORU"),
        ("", "", ""),
    ],
)
def test_the_type_is_code_and_trigger_in_whatever_form(sent: str, type_: str, structure: str) -> None:
    read = message(header=HEADER.replace("ADT^A03^ADT_A03", sent))
    assert (read.type, read.structure) == (type_, structure)


def test_components_subcomponents_and_repetitions_are_found_by_number() -> None:
    pid = message(PID).first("PID")
    assert pid is not None
    assert [pid.text(3), pid.text(3, 4), pid.text(3, 4, 2), pid.text(3, 4, 3), pid.text(3, 5)] == [
        *("HTEST1", "NGMRN", "2.16.840.1", "ISO", "MR"),
    ]
    assert [pid.text(3, repetition=1), pid.text(3, 5, repetition=1), pid.text(3, repetition=2)] == ["HTEST9", "SS", ""]
    assert (pid.repetitions(3), pid.repetitions(2), pid.repetitions(99)) == (2, 0, 0)
    assert pid.raw(5) == "HTESTALDER^Sam"
    assert (pid.text(5, 9), pid.text(5, 2, 2), pid.text(99), pid.raw(99)) == ("", "", "", "")
    assert (pid.index, len(pid)) == (1, 8)


def test_segments_are_found_by_name_in_order() -> None:
    read = message(PID, "DG1|1", "ZBX|x", "DG1|2")
    assert [segment.text(1) for segment in read.all("DG1")] == ["1", "2"]
    assert [segment.index for segment in read.all("DG1")] == [2, 4]
    assert read.first("PV1") is None
    assert read.all("PV1") == ()


def test_an_explicit_null_has_no_text_and_says_so() -> None:
    segment = message('PV1|""||^""^x').segments[1]
    assert (segment.text(1), segment.is_null(1), segment.is_null(2), segment.is_null(3)) == ("", True, False, False)
    assert (segment.text(3, 2), segment.text(3, 3)) == ("", "x")


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f"),
        (r"one\.br\two", "one\ntwo"),
        (r"\H\bold\N\ plain", "bold plain"),
        (r"\X41\\X0D\\XC3A9\\XE9\ ", "A\réé "),
        (r"\X4\ \XZZ\ \Zxx\ \.sp3\ C:\dir\F", r"\X4\ \XZZ\ \Zxx\ \.sp3\ C:\dir\F"),
        (r"a\unknown\F\b", r"a\unknown|b"),
        (r"\E\T\E\ ", r"\T\ "),
        ("tab\there\x07", "tab\there\x07"),
    ],
)
def test_escapes_are_resolved_and_unknown_ones_kept(sent: str, meant: str) -> None:
    assert segment_text(f"NTE|1||{sent}|", 3) == meant


def test_an_escaped_delimiter_does_not_split() -> None:
    assert segment_text(r"NTE|A\S\B^C", 1) == "A^B"
    assert segment_text(r"NTE|A\S\B^C", 1, 2) == "C"


@pytest.mark.parametrize(
    ("encoding", "component", "repetition", "escape_", "subcomponent"),
    [
        ("^~\\&", "^", "~", "\\", "&"),
        ("^~\\&#", "^", "~", "\\", "&"),
        ("^~\\&#!", "^", "~", "\\", "&"),
        ("^~\\\\&", "^", "~", "\\", "&"),
        ("^~&", "^", "~", "\r", "&"),
        ("^\\&", "^", "~", "\\", "&"),
        ("^&", "^", "~", "\r", "&"),
        ("^", "^", "~", "\r", "\r"),
        ("", "^", "~", "\\", "&"),
        ("%~\\&", "%", "~", "\\", "&"),
        ("@#!$", "@", "#", "!", "$"),
        ("@", "@", "\r", "\r", "\r"),
    ],
)
def test_delimiters_come_from_the_header(
    encoding: str, component: str, repetition: str, escape_: str, subcomponent: str
) -> None:
    assert separators_of("|", encoding) == ("|", component, repetition, escape_, subcomponent)


@pytest.mark.parametrize("encoding", ["blah", "&&&&", "^~^&", "^ \\&", "~\\&|CDC PRIME"])
def test_delimiters_that_contradict_themselves_are_refused_not_guessed(encoding: str) -> None:
    with pytest.raises(Unreadable, match="bad-separators") as caught:
        separators_of("^" if encoding[0] == "~" else "|", encoding)
    assert (caught.value.segment, caught.value.field) == ("MSH", 2)


def test_a_message_with_other_delimiters_reads_alike() -> None:
    read = parse(b"MSH$%~\\&$GHH LAB$$$$$$ADT%A03$7\rPID$$$555%A&B~6$$HTESTX%EVE")
    pid = read.segments[1]
    assert (read.type, read.control_id) == ("ADT^A03", "7")
    assert [pid.text(3), pid.text(3, 2, 2), pid.text(3, repetition=1), pid.text(5, 2)] == ["555", "B", "6", "EVE"]


def test_without_an_escape_character_a_backslash_is_a_backslash() -> None:
    read = parse(b"MSH|^~&|A\rNTE|a\\T\\b|x&y")
    assert (read.segments[1].text(1), read.segments[1].text(2, 1, 2)) == ("a\\T\\b", "y")


@pytest.mark.parametrize("prefix", ["", "\ufeff", "\r\n\r\n", "  \t", "\x0b", "\ufeff\x0b\n "])
@pytest.mark.parametrize("suffix", ["", "\r", "\n\n", "\r\x1c\r", "\x1c", "  "])
def test_what_surrounds_a_message_does_not_matter(prefix: str, suffix: str) -> None:
    read = parse(f"{prefix}{HEADER}\r\r\n  \r    {PID}{suffix}".encode())
    assert [segment.name for segment in read.segments] == ["MSH", "PID"]
    assert read.segments[1].text(8) == "M"


def test_a_wrapped_line_belongs_to_the_segment_before_it() -> None:
    read = message("OBX|1|TX|CODE^PLA", "TELET||seen|F", "the end", "PV1|1")
    assert [segment.name for segment in read.segments] == ["MSH", "OBX", "PV1"]
    assert (read.segments[1].text(3, 2), read.segments[1].text(6)) == ("PLATELET", "Fthe end")


def test_a_segment_may_be_empty() -> None:
    read = message("PV1", "ZZ1|")
    assert [(segment.name, len(segment)) for segment in read.segments[1:]] == [("PV1", 0), ("ZZ1", 1)]
    assert read.segments[1].text(1) == ""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x0b\r\n \x1c\r", "empty"),
        (b"hello", "no-msh"),
        (b"PID|1\rMSH|^~\\&|", "no-msh"),
        (b"\xff\xfeM\x00S\x00H\x00|\x00", "no-msh"),
        (b"MSH", "no-separators"),
        (b"MSH\rPID|1", "no-separators"),
        (b"MSHA^~\\&|", "no-separators"),
        (b"MSH |", "no-separators"),
        (b"MSH|blah|x", "bad-separators"),
        (b"MSH|^~\\&|A\rPID|1\rMSH|^~\\&|B\rPID|2", "second-msh"),
    ],
)
def test_what_is_no_message_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("declared", "sent", "read", "used"),
    [
        ("", "José".encode(), "José", "utf-8"),
        ("UNICODE UTF-8", "José 山田".encode(), "José 山田", "utf-8"),
        ("UTF-8~UNICODE", "José".encode(), "José", "utf-8"),
        ("8859/1", b"Jos\xe9", "José", "iso8859-1"),
        ("8859/15", b"\xa4 5", "€ 5", "iso8859-15"),
        ("ASCII", b"Jose", "Jose", "ascii"),
        ("ASCII", "José".encode(), "José", "utf-8"),
        ("ASCII", b"Jos\xe9", "José", "latin-1"),
        ("UNICODE UTF-8", b"Jos\xe9", "José", "latin-1"),
        ("no such set", "José".encode(), "José", "utf-8"),
        ("~ISO IR87", "山田".encode("iso2022_jp"), "山田", "iso2022_jp"),
    ],
)
def test_the_character_set_is_as_declared_unless_that_is_untrue(
    declared: str, sent: bytes, read: str, used: str
) -> None:
    data = f"{HEADER}||||||{declared}\rPID|||||".encode() + sent
    parsed = parse(data)
    assert (parsed.segments[1].text(5), parsed.charset) == (read, used)


def test_the_callers_default_holds_where_no_character_set_is_declared() -> None:
    parsed = parse(f"{HEADER}\rPID|||||".encode() + b"\xa4", default_charset="iso8859-15")
    assert (parsed.segments[1].text(5), parsed.charset) == ("€", "iso8859-15")


def test_populated_names_each_field_that_holds_something() -> None:
    read = parse(b'MSH|^~\\&|A||\rPID|1||""|')
    assert list(read.populated()) == [(0, "MSH", 1), (0, "MSH", 2), (0, "MSH", 3), (1, "PID", 1), (1, "PID", 3)]


def test_a_traced_message_reads_alike_and_notes_what_was_read() -> None:
    plain = message(PID, "PV1|1|I")
    traced = plain.traced()
    pid, pv1 = traced.segments[1:]
    assert (pid.text(3), pid.raw(5), pv1.repetitions(2), pv1.is_null(1)) == ("HTEST1", "HTESTALDER^Sam", 1, False)
    assert traced.first("PV1") is pv1
    assert (traced.type, len(pid)) == (plain.type, len(plain.segments[1]))
    assert list(traced.populated()) == list(plain.populated())
    assert traced.used == {(0, 1), (0, 2), (0, 9), (1, 3), (1, 5), (2, 1), (2, 2)}


def test_the_fingerprint_leaves_out_msh_7_and_how_lines_end() -> None:
    first = message(PID)
    again = parse(HEADER.replace("20260608142000-0400", "20260609").encode() + b"||\n\n" + PID.encode() + b"|||\r\n")
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) == fingerprint(first.traced())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("Sam", "Sue"),
        lambda text: text.replace("NG1", "NG2"),
        lambda text: text.replace("|1||HTEST1", "||1|HTEST1"),
        lambda text: text + "ZZZ|1\r",
    ],
)
def test_the_fingerprint_sees_every_other_change(change: Callable[[str], str]) -> None:
    text = f"{HEADER}\r{PID}\r"
    assert fingerprint(parse(text.encode())) != fingerprint(parse(change(text).encode()))


ONE = b"MSH|^~\\&|A||||||ADT^A01|1|P|2.5\rPID|1\r"
TWO = b"MSH|^~\\&|A||||||ADT^A03|2|P|2.5\rPID|2\r"


def stripped(data: bytes) -> list[bytes]:
    return [piece.strip() for piece in split(data)]


@pytest.mark.parametrize(
    "data",
    [
        ONE + TWO,
        ONE.replace(b"\r", b"\n") + b"\n\n" + TWO.replace(b"\r", b"\r\n"),
        b"\xef\xbb\xbf" + ONE + TWO,
        b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r",
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\rFTS|1\r",
        b"BHS|^~\\&|A\r" + ONE + b"BTS|1\rBHS|^~\\&|A\r" + TWO,
        ONE + b"BTS\r" + TWO + b"FTS",
        b"  " + ONE + b"  " + TWO,
    ],
)
def test_a_file_of_several_messages_is_cut_into_them(data: bytes) -> None:
    assert [parse(piece).control_id for piece in split(data)] == ["1", "2"]
    assert [len(parse(piece).segments) for piece in split(data)] == [2, 2]


def test_one_message_comes_back_as_it_is() -> None:
    assert list(split(ONE)) == [ONE]
    assert list(split(b"\n" + ONE + b"NTE|1||BTS\r")) == [ONE + b"NTE|1||BTS\r"]


def test_an_envelope_without_messages_holds_none() -> None:
    assert list(split(b"FHS|^~\\&|A\rBHS|^~\\&|A\rBTS|0\rFTS|1\r")) == []
    assert list(split(b"")) == []
    assert list(split(b"\xef\xbb\xbf\r\n\x1c\r")) == []


def test_what_is_no_message_is_handed_out_and_not_lost() -> None:
    assert stripped(b"hello") == [b"hello"]
    assert stripped(b"PID|0\r" + ONE) == [b"PID|0", ONE.strip()]
    assert stripped(b"BHS|^~\\&|A\r" + ONE + b"BTS|1\rPID|9\r") == [ONE.strip(), b"PID|9"]


def test_msh_inside_a_field_or_a_word_starts_no_message() -> None:
    odd = b"MSH|^~\\&|A\rPID|1|MSH|2148790^^^MSH_MRN\rNTE|1||see\rMSHA is text\rMSH\r"
    assert stripped(odd) == [odd.strip()]


def test_only_what_begins_with_an_envelope_is_a_batch() -> None:
    assert enveloped(b"\x0bFHS|^~\\&|A\r" + ONE)
    assert enveloped(b"BHS|^~\\&|A\r")
    assert not enveloped(ONE + b"BTS|1\r")
    assert not enveloped(b"hello")


def test_the_writer_escapes_and_ends_each_segment_with_cr() -> None:
    written = write(
        [
            ["MSH", "A|B", ("ADT", "A03"), Raw("x^y")],
            ["PID", "1", [("HTEST1", ("NGMRN", "2.16&", "ISO")), "HTEST2"], "a\nb\x0b\\", ""],
        ]
    )
    assert written == (
        b"MSH|^~\\&|A\\F\\B|ADT^A03|x^y\rPID|1|HTEST1^NGMRN&2.16\\T\\&ISO~HTEST2|a\\.br\\b\\X0B\\\\E\\\r"
    )
    pid = parse(written).segments[1]
    assert (pid.text(2, 2, 2), pid.text(2, repetition=1), pid.text(3)) == ("2.16&", "HTEST2", "a\nb\x0b\\")


def test_without_an_escape_character_the_writer_puts_spaces() -> None:
    separators = separators_of("|", "^~&")
    assert escape("a|b^c\\d\re", separators) == "a b c\\d e"


def test_the_writer_refuses_a_segment_without_a_name() -> None:
    with pytest.raises(ValueError, match="three characters"):
        write([["pid", "1"]])
    with pytest.raises(ValueError, match="three characters"):
        write([[("PID",), "1"]])


def test_the_writer_puts_a_question_mark_for_what_the_character_set_lacks() -> None:
    assert write([["NTE", "é山"]], charset="iso8859-1") == b"NTE|\xe9?\r"


def test_escape_and_unescape_are_inverse_for_delimiters() -> None:
    text = "|^~\\& \\F\\ \n"
    assert unescape(escape(text, DEFAULT_SEPARATORS), DEFAULT_SEPARATORS) == text
