import pytest

from fhir_mappings.hl7v2 import Basis, parse

HEADER = r"MSH|^~\&|EPIC|NORTHGATE|HUB|TL|20260608142000-0400||ADT^A03^ADT_A03|NG1|P|2.5.1"
BOM = b"\xef\xbb\xbf"


def sent(declared: str, name: bytes, before: bytes = b"") -> bytes:
    return before + f"{HEADER}||||||{declared}\rPID|||||".encode() + name


@pytest.mark.parametrize(
    ("declared", "name", "read", "used", "basis"),
    [
        ("", "José".encode(), "José", "utf-8", "default"),
        ("", b"Jose", "Jose", "utf-8", "default"),
        ("no such set", "José".encode(), "José", "utf-8", "default"),
        ("UNICODE UTF-8", "José 山田".encode(), "José 山田", "utf-8", "declared"),
        ("UNICODE UTF8", "José".encode(), "José", "utf-8", "declared"),
        ("utf-8", "José".encode(), "José", "utf-8", "declared"),
        ("UTF-8~UNICODE", "José".encode(), "José", "utf-8", "declared"),
        ("8859/1", b"Jos\xe9", "José", "iso8859-1", "declared"),
        ("ISO-8859-1", b"Jos\xe9", "José", "iso8859-1", "declared"),
        ("8859/2", b"Wa\xb3\xeasa", "Wałęsa", "iso8859-2", "declared"),
        ("8859/15", b"\xa4 5", "€ 5", "iso8859-15", "declared"),
        ("ASCII~8859/5", b"Jose", "Jose", "ascii", "declared"),
        ("ISO IR6", b"Jose", "Jose", "ascii", "declared"),
        ("~ISO IR87", "山田".encode("iso2022_jp"), "山田", "iso2022_jp", "declared"),
        ("~ISO IR87~ISO IR159", "山田".encode("iso2022_jp"), "山田", "iso2022_jp", "declared"),
        ("GB 18030-2000", "王".encode("gb18030"), "王", "gb18030", "declared"),
        ("BIG-5", "王".encode("big5"), "王", "big5", "declared"),
        ("KS X 1001", "김".encode("euc_kr"), "김", "euc_kr", "declared"),
        ("WINDOWS-1252", b"O\x92Neil", "O\u2019Neil", "cp1252", "declared"),
    ],
)
def test_the_character_set_is_the_declared_one_or_the_default(
    declared: str, name: bytes, read: str, used: str, basis: Basis
) -> None:
    message = parse(sent(declared, name))
    assert (message.segments[1].text(5), message.charset, message.charset_basis) == (read, used, basis)
    assert message.declared_charset == declared


@pytest.mark.parametrize(
    ("declared", "name", "read", "used"),
    [
        ("ASCII", "José".encode(), "José", "utf-8"),
        ("ASCII", b"Jos\xe9", "José", "cp1252"),
        ("ASCII", b"O\x92Neil \x81", "O\x92Neil \x81", "latin-1"),
        ("", b"Jos\xe9", "José", "cp1252"),
        ("UNICODE UTF-8", b"Jos\xe9", "José", "cp1252"),
        ("8859/1", "José".encode(), "José", "utf-8"),
        ("8859/15", "José".encode(), "José", "utf-8"),
        ("8859/1", b"O\x92Neil", "O\u2019Neil", "cp1252"),
        ("GB 18030-2000", b"Jos\xe9", "José", "cp1252"),
        ("~ISO IR87", "山田".encode(), "山田", "utf-8"),
    ],
)
def test_where_the_declaration_is_untrue_the_message_says_so(declared: str, name: bytes, read: str, used: str) -> None:
    message = parse(sent(declared, name))
    assert (message.segments[1].text(5), message.charset, message.charset_basis) == (read, used, "fallback")


@pytest.mark.parametrize("declared", ["UNICODE UTF-16", "UNICODE UTF-32", "UNICODE", "", "8859/1"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("marked", [True, False])
def test_characters_of_two_or_four_bytes_show_themselves(declared: str, codec: str, *, marked: bool) -> None:
    text = sent(declared, "山田 José".encode()).decode()
    message = parse(("\ufeff" + text if marked else text).encode(codec))
    assert (message.segments[1].text(5), message.charset, message.charset_basis) == ("山田 José", codec, "bytes")


@pytest.mark.parametrize("declared", ["UNICODE UTF-16", "UNICODE UTF-32"])
def test_a_declaration_of_wide_characters_does_not_make_them_wide(declared: str) -> None:
    message = parse(sent(declared, "José".encode()))
    assert (message.segments[1].text(5), message.charset, message.charset_basis) == ("José", "utf-8", "default")
    assert message.declared_charset == declared


def test_wide_characters_that_are_broken_are_read_as_far_as_they_go() -> None:
    message = parse(sent("", b"A").decode().encode("utf-16-le") + b"\x00\xd8B")
    assert message.segments[1].text(5).startswith("A\ufffd")


def test_a_byte_order_mark_is_stronger_than_msh_18() -> None:
    message = parse(sent("8859/5", "José".encode(), BOM))
    assert (message.segments[1].text(5), message.charset, message.charset_basis) == ("José", "utf-8", "bytes")
    untrue = parse(sent("8859/5", b"Jos\xe9", BOM))
    assert (untrue.segments[1].text(5), untrue.charset_basis) == ("José", "fallback")


def test_delimiters_within_a_japanese_name_in_the_header_hide_no_field() -> None:
    header = "MSH|^~\\&|万山|N|||20260608||ADT^A03|1|P|2.5||||||~ISO IR87".encode("iso2022_jp")
    assert header.count(b"|") == 18, "the example must hold a byte that looks like a separator"
    message = parse(header + b"\rPID|1")
    assert (message.sending_application, message.charset, message.charset_basis) == ("万山", "iso2022_jp", "declared")


def test_a_wrapped_header_declares_too() -> None:
    message = parse(b"MSH|^~\\&|A|B||||\n|ADT^A03|1|P|2.5\r\n||||||8859/5\nPID|||||\xb6\xd9")
    assert (message.segments[1].text(5), message.charset, message.declared_charset) == ("Жй", "iso8859-5", "8859/5")


def test_the_callers_default_holds_where_no_character_set_is_declared() -> None:
    message = parse(f"{HEADER}\rPID|||||".encode() + b"\xa4", default_charset="iso8859-15")
    assert (message.segments[1].text(5), message.charset, message.charset_basis) == ("€", "iso8859-15", "default")
    unknown = parse(sent("", "José".encode()), default_charset="no-such-codec")
    assert (unknown.segments[1].text(5), unknown.charset, unknown.charset_basis) == ("José", "utf-8", "fallback")


def test_a_traced_message_tells_its_character_set_too() -> None:
    traced = parse(sent("ASCII", "José".encode())).traced()
    assert (traced.charset, traced.charset_basis, traced.declared_charset) == ("utf-8", "fallback", "ASCII")
