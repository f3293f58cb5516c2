"""Which characters the bytes of an HL7 v2 message are.

Source: HL7 v2.5.1 chapter 2, 2.15.9.18 (MSH-18); table 0211 in its v2.9 form.
"""

import re
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from fhir_mappings.hl7v2_files import BOM, EDGE_BYTES, wide
from fhir_mappings.hl7v2_wire import SEGMENT_NAME

Basis = Literal["declared", "default", "bytes", "fallback"]
"""Why a character set was taken.

    declared  MSH-18 names it, and the bytes agree
    default   MSH-18 is empty, or names none that is known here
    bytes     the first bytes say so: a byte order mark, or characters of two or four bytes
    fallback  the bytes are not what MSH-18 or the default says: UTF-8 where they are, else Windows-1252 or Latin-1,
              with which accented letters may be others than those that were meant
"""

_CODECS: Final = {
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "UNICODEUTF8": "utf-8",
    "UNICODE": "utf-8",
    "UTF8": "utf-8",
    "ISOIR87": "iso2022_jp",
    "JISX0202": "iso2022_jp",
    "JAS2020": "iso2022_jp",
    "ISOIR159": "iso2022_jp_1",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "KSX1001": "euc_kr",
    "BIG5": "big5",
    "WINDOWS1252": "cp1252",
    "CP1252": "cp1252",
    "LATIN1": "iso8859-1",
    **{f"{prefix}8859{part}": f"iso8859-{part}" for prefix in ("", "ISO") for part in (*range(1, 10), 13, 14, 15)},
}
"""MSH-18 (table 0211) to codec, with the spellings that are met in the field; letters and digits only.

``UNICODE UTF-16`` and ``UNICODE UTF-32`` are absent: whether they are true, the bytes tell, and MSH-18 can't.
"""
_NOT_ALNUM: Final = re.compile(r"[^A-Z0-9]+")
_WESTERN: Final = frozenset({"iso8859-1", "iso8859-15", "cp1252"})
"""Sets in which no text, but only UTF-8, has the form of UTF-8."""
_CONTROLS: Final = re.compile(rb"[\x80-\x9f]")
"""Control characters of ISO 8859, which no text has, and letters and quotation marks of Windows-1252."""
_ESCAPE: Final = b"\x1b"
"""Begins a switch of ISO 2022; after it bytes that look like delimiters are halves of characters."""
_LONGEST_HEADER: Final = 65536


def codec_of(declared: str) -> str | None:
    """The codec that a value of MSH-18 names; None where it is not known here."""
    return _codec(declared.encode("latin-1", "replace"))


class Decoded(NamedTuple):
    """The characters of a message."""

    text: str
    charset: str
    """Python codec."""
    basis: Basis


def decode(data: bytes, default: str) -> Decoded:
    """The characters of one message; ``default`` is the codec where MSH-18 says nothing. Never fails."""
    if not data.startswith(b"MSH"):
        codec = wide(data)
        if codec is not None:
            return Decoded(data.decode(codec, "replace"), codec, "bytes")
        marked = data.startswith(BOM)
        data = data.lstrip(EDGE_BYTES + b"\r\n")
        if marked and not data.isascii():
            return _first_that_fits(data, "bytes", ("utf-8",))
    declared = _declared(data)
    codec = declared or default
    basis: Basis = "declared" if declared else "default"
    if codec in _WESTERN and not data.isascii():
        return _western(data, basis, codec)
    return _first_that_fits(data, basis, (codec, "utf-8", "cp1252"))


def _western(data: bytes, basis: Basis, codec: str) -> Decoded:
    better = ("utf-8", "cp1252") if _CONTROLS.search(data) else ("utf-8",)
    for other in better:
        text = _decoded(data, other)
        if text is not None:
            return Decoded(text, other, basis if other == codec else "fallback")
    return _first_that_fits(data, basis, (codec,))


def _first_that_fits(data: bytes, basis: Basis, codecs: tuple[str, ...]) -> Decoded:
    for codec in codecs:
        text = _decoded(data, codec)
        if text is not None:
            return Decoded(text, codec, basis)
        basis = "fallback"
    return Decoded(data.decode("latin-1"), "latin-1", "fallback")


def _decoded(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return None


def _declared(data: bytes) -> str | None:
    """Codec that MSH-18 names; None where it says nothing that is known here."""
    field = data[3:4]
    if not field:
        return None
    after = _after_header(field).search(data, 0, _LONGEST_HEADER)
    header = data[: after.start() if after else _LONGEST_HEADER]
    if b"\n" in header or b"\r" in header:
        header = header.translate(None, b"\r\n")
    if _ESCAPE in header:
        header = header.decode("iso2022_jp_1", "replace").encode()
    fields = header.split(field, 18)
    return _codec(fields[17]) if len(fields) > 17 else None


@lru_cache(maxsize=256)
def _after_header(field: bytes) -> re.Pattern[bytes]:
    """The end of a line, with another segment after it; a header may be wrapped."""
    blanks, name = re.escape(EDGE_BYTES), SEGMENT_NAME.pattern.encode()
    return re.compile(rb"[\r\n][%b]*%b(?:%b|[%b]*(?:[\r\n]|\Z))" % (blanks, name, re.escape(field), blanks))


@lru_cache(maxsize=64)
def _codec(declared: bytes) -> str | None:
    names = re.split(r"[~^]", declared.decode("latin-1").upper())
    known = [codec for codec in (_CODECS.get(_NOT_ALNUM.sub("", name)) for name in names) if codec]
    # Japanese senders name the set that they switch to by escape sequence second; its codec reads both.
    return next((codec for codec in known if codec.startswith("iso2022")), known[0] if known else None)
