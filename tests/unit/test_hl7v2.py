from collections.abc import Callable

import pytest

from fhir_mappings.hl7v2 import (
    DEFAULT_SEPARATORS,
    Message,
    Raw,
    Unreadable,
    escape,
    fingerprint,
    parse,
    separators_of,
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
        ("ORU^^ORU_R01", "ORU", "ORU_R01"),
        ("ADT&x^A03&y^ADT_A03&z", "ADT^A03", "ADT_A03"),
        (" ADT ^ A03 ", "ADT^A03", "ADT_A03"),
        ("ADT^A03~ADT^A08", "ADT^A03", "ADT_A03"),
        ("^A03", "^A03", "_A03"),
        ("", "", ""),
    ],
)
def test_the_type_is_code_and_trigger_in_whatever_form(sent: str, type_: str, structure: str) -> None:
    read = message(header=HEADER.replace("ADT^A03^ADT_A03", sent))
    assert (read.type, read.structure) == (type_, structure)


@pytest.mark.parametrize("minor", ["1", "2", "3", "3.1", "4", "5", "5.1", "6", "7", "7.1", "8", "8.1", "8.2", "9"])
def test_the_version_is_its_first_component(minor: str) -> None:
    for sent in (f"2.{minor}", f"2.{minor}^DEU", f"2.{minor}^DEU&&HL70399", f"2.{minor}^DEU&&HL70399^^^x"):
        assert message(header=HEADER.replace("|2.5.1", f"|{sent}")).version == f"2.{minor}"


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
        (r"one\.sp\two\.sp2\three\.ce\four", "one\ntwo\n\nthree\nfour"),
        (r"\.in+4\\.ti-4\\.fi\\.nf\a\.sk3\b\.BR\c", "a   b\nc"),
        (r"\.sp0\x\.sk9999\y", "\nx" + " " * 99 + "y"),
        (r"\X4\ \XZZ\ \X\ \Zxx\ \C2842\ \M244242\ ", r"\X4\ \XZZ\ \X\ \Zxx\ \C2842\ \M244242\ "),
        (r"\.xx\F\ \.sp99999\ \f\ \x41\ C:\dir\F", r"\.xx| \.sp99999\ \f\ \x41\ C:\dir\F"),
        ("\\", "\\"),
        (r"a\unknown\F\b", r"a\unknown|b"),
        (r"\E\T\E\ ", r"\T\ "),
        ("tab\there\x07", "tab\there\x07"),
    ],
)
def test_escapes_are_resolved_and_unknown_ones_kept(sent: str, meant: str) -> None:
    assert segment_text(f"NTE|1||{sent}|", 3) == meant


@pytest.mark.parametrize(("encoding", "meant"), [("^~\\&", "#"), ("^~\\&#", "#"), ("^~\\&!", "!"), ("^~\\&x", "#")])
def test_the_escape_of_truncation_is_the_character_that_the_header_declares(encoding: str, meant: str) -> None:
    read = parse(f"MSH|{encoding}|A\rNTE|1||cut\\P\\off#".encode())
    assert read.segments[1].text(3) == f"cut{meant}off#"


def test_the_escape_of_a_delimiter_that_the_message_lacks_stays() -> None:
    assert unescape("a!S!b!R!c!T!d!E!", separators_of("|", "@~!")) == "a@b~c!T!d!"


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
        ("!@$", "!", "@", "$", "\r"),
        ("@", "@", "\r", "\r", "\r"),
        ("^~\\&&", "^", "~", "\\", "&"),
    ],
)
def test_delimiters_come_from_the_header(
    encoding: str, component: str, repetition: str, escape_: str, subcomponent: str
) -> None:
    assert separators_of("|", encoding)[:5] == ("|", component, repetition, escape_, subcomponent)


@pytest.mark.parametrize("encoding", ["blah", "&&&&", "^~^&", "^ \\&", "~\\&|CDC PRIME"])
def test_delimiters_that_contradict_themselves_are_refused_not_guessed(encoding: str) -> None:
    with pytest.raises(Unreadable, match="bad-separators") as caught:
        separators_of("^" if encoding[0] == "~" else "|", encoding)
    assert (caught.value.segment, caught.value.field) == ("MSH", 2)


@pytest.mark.parametrize(
    ("header", "pid"),
    [
        ("MSH|^~\\&|", "PID|1||A^B^C&D~E"),
        ("MSH|^~\\&#|", "PID|1||A^B^C&D~E"),
        ("MSH|^~\\\\&|", "PID|1||A^B^C&D~E"),
        ("MSH|^~&|", "PID|1||A^B^C&D~E"),
        ("MSH|^&|", "PID|1||A^B^C&D~E"),
        ("MSH||", "PID|1||A^B^C&D~E"),
        ("MSH#!@$*#", "PID#1##A!B!C*D@E"),
        ("MSH$%~\\&$", "PID$1$$A%B%C&D~E"),
        ("MSH^~|\\&^", "PID^1^^A~B~C&D|E"),
        ("MSH:-+?*:", "PID:1::A-B-C*D+E"),
        ("MSH§^~\\&§", "PID§1§§A^B^C&D~E"),
        ("MSH\x01^~\\&\x01", "PID\x011\x01\x01A^B^C&D~E"),
    ],
)
def test_any_delimiters_that_do_not_contradict_themselves_are_read_by(header: str, pid: str) -> None:
    segment = parse(f"{header}\r{pid}".encode()).segments[1]
    assert segment.text(1) == "1"
    assert [segment.text(3, n, m) for n, m in ((1, 1), (2, 1), (3, 1), (3, 2))] == ["A", "B", "C", "D"]
    assert (segment.repetitions(3), segment.text(3, repetition=1)) == (2, "E")


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


def test_blanks_where_a_line_was_wrapped_belong_to_the_text() -> None:
    read = message("NTE|1||one ", "\ttwo", "   ", "\x1c", " three  ", "PV1|1")
    assert [segment.text(3) for segment in read.all("NTE")] == ["one \ttwo three"]


def test_wrapped_text_that_looks_like_a_segment_is_one() -> None:
    read = message("OBX|1|TX|x||see", "ECG|was normal|", "ECG was normal")
    assert [segment.name for segment in read.segments] == ["MSH", "OBX", "ECG"]
    assert (read.segments[2].text(1), read.segments[2].text(2)) == ("was normal", "ECG was normal")


def test_a_header_may_be_wrapped_too() -> None:
    read = parse(b"MSH|^~\\&|EPIC|NORTH\nGATE|||||ADT^A03\n|7\nPID|1")
    assert (read.sending_facility, read.type, read.control_id) == ("NORTHGATE", "ADT^A03", "7")
    delimiters = parse(b"MSH|^~\n\\&|EPIC\nPID|1||a&b")
    assert (delimiters.separators, delimiters.header.raw(2)) == (DEFAULT_SEPARATORS, "^~\\&")
    with pytest.raises(Unreadable, match="bad-separators"):
        parse(b"MSH|\nwrapped")


@pytest.mark.parametrize("mark", [r"\r", r"\n", r"\r\n"])
def test_line_ends_that_were_spelt_out_are_line_ends_where_nothing_else_is(mark: str) -> None:
    read = parse(mark.join([HEADER, PID, r"NTE|1||C:\rest\n", "PV1|1|I", ""]).encode())
    assert [segment.name for segment in read.segments] == ["MSH", "PID", "NTE", "PV1"]
    assert read.segments[2].text(3) == r"C:\rest\n"
    real = parse(f"{HEADER}{mark}PID|1\rPV1|1".encode())
    assert [segment.name for segment in real.segments] == ["MSH", "PV1"]


def test_one_line_without_any_mark_is_the_header_alone() -> None:
    read = parse(f"{HEADER} {PID} PV1|1|I".encode())
    assert [segment.name for segment in read.segments] == ["MSH"]
    assert (read.control_id, read.type) == ("NG1", "ADT^A03")


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
        (b"\xff\xfeP\x00I\x00D\x00|\x00", "no-msh"),
        (b"\xff\xfeM\x00S\x00H\x00\x7c\x07", "no-separators"),
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


def test_segments_of_the_senders_own_are_kept_and_named() -> None:
    read = message("ZPI|1|a", PID, "ZBX|x", "ZPI|2|b")
    assert read.z_segments == {"ZPI": 2, "ZBX": 1}
    assert [segment.text(2) for segment in read.all("ZPI")] == ["a", "b"]
    assert message(PID).z_segments == {}


def test_control_characters_stay_in_the_text() -> None:
    assert segment_text("NTE|1||a\x00b\x07c\x7fd\x1be\x0bf", 3) == "a\x00b\x07c\x7fd\x1be\x0bf"


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
