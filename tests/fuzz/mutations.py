"""A message in, a broken one out: changes that know what HL7 v2 is made of. The same random numbers, the same bytes."""

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

MOST_BYTES: Final = 200_000
_TRIGGERS: Final = (
    *(f"ADT^A{number:02}" for number in (*range(1, 19), 25, 27, 28, 31, 34, 35, 37, 38, 40, 41, 43, 44, 45, 47, 50)),
    *("RDE^O11^RDE_O11", "RDE^O25", "RDS^O13", "RAS^O17", "OMP^O09", "ORM^O01", "ORU^R01", "ORU^R30"),
    *("REF^I12", "REF^I13", "REF^I14", "ORU", "ADT_A01", "ADT&x^A03", "", "^", "^A03", "~ADT^A03", '""', "ADT^A03^"),
)
_VALUES: Final = (
    *(
        '""',
        '"',
        '""^""',
        '""~1',
        " ",
        "^",
        "~",
        "&",
        "^^^",
        "~~",
        "&&",
        "^~\\&",
        "0",
        "-1",
        "00",
        "1e400",
        "nan",
        "inf",
    ),
    *("9" * 400, "1" * 20, "0.0000001", "1.5.5", "+5", "٣", "½", "A" * 70_000, "x" * 300, "A" * 64, "A" * 65),
    *("19910402", "1990", "199013", "20260230", "00000000", "99999999", "20260608142000.1234-0400", "2026060814+9999"),
    *("20260608142000-0000", "20260608246060", "10000101", "99991231235959+1400", "00010101000000-1200", "2026-06-08"),
    *(
        "F11.20^^I10",
        "1010604^x^RXNORM",
        "HTFILM8^^FORMULARY",
        "^methadone",
        "&&&",
        "a^b&c&d^e~f^g",
        "Z",
        "P",
        "T",
        "X",
    ),
    *(
        "\u202e\u200f",
        "😀",
        "é",
        "e\u0301",
        "\ufeff",
        "\u2028",
        "\x85",
        "\x00",
        "\x07",
        "\x1b$B",
        "\x7f",
        "\ufffd",
        "ﬁ",
    ),
    *("http://[", "urn:oid:", "2.16.840.1.113883.3", "%00", "../..", "{}", "<x>", "\\r", "\\", "\\X00\\", "\\XD800\\"),
)
_ESCAPES: Final = (
    *("\\F\\", "\\S\\", "\\T\\", "\\R\\", "\\E\\", "\\P\\", "\\H\\", "\\N\\", "\\.br\\", "\\.sp\\", "\\.sp99999\\"),
    *(
        "\\X0D\\",
        "\\X000000\\",
        "\\XC3\\",
        "\\XEDA080\\",
        "\\X4\\",
        "\\Zxx\\",
        "\\C2842\\",
        "\\M244242\\",
        "\\",
        "\\\\",
    ),
    *("\\E\\F\\E\\", "\\.in+4\\", "\\.sk-3\\", "\\.BR\\", "\\X" + "41" * 500 + "\\"),
)
_SEPARATORS: Final = (
    *(
        "|^~\\&",
        "|^~\\&#",
        "|^~\\\\&",
        "|^~&",
        "|^&",
        "|^",
        "|",
        "|&&&&",
        "$%~\\&",
        "|!@#$",
        "^~|\\&",
        "#!@$*",
        ":-+?*",
    ),
    *(
        "|^~\\&#!",
        "|blah",
        "||",
        "\x01^~\\&",
        '"^~\\&',
        "|^~\\&&",
        "|\u00a7\u00b6\\&",
        "\u00a7^~\\&",
        "\r^~\\&",
        "|^~\\&|",
    ),
)
_CHARSETS: Final = (
    *(
        "ASCII",
        "8859/1",
        "8859/5",
        "8859/15",
        "UNICODE UTF-8",
        "UNICODE",
        "UNICODE UTF-16",
        "UNICODE UTF-32",
        "ISO IR87",
    ),
    *(
        "~ISO IR87",
        "~ISO IR87~ISO IR159",
        "GB 18030-2000",
        "BIG-5",
        "KS X 1001",
        "UTF-8~UNICODE",
        "1",
        "",
        "\x00",
        "x" * 99,
    ),
)
_CODECS: Final = (
    *("utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "gb18030"),
    *("big5", "euc_kr", "iso2022_jp", "shift_jis", "utf-7", "cp037"),
)
_LINE_ENDS: Final = (
    "\n",
    "\r\n",
    "\r\r",
    "\n\r",
    "",
    " ",
    "\\r",
    "\x0b",
    "\x1c\r",
    "\r\x1c\r\x0b",
    "\r   ",
    "\x85",
    "\u2028",
)
_LINES: Final = (
    *(
        "ZBX|1|x",
        "ZPI",
        "PID|1",
        "PID|1||\\F\\",
        "MRG|1~2||3||4",
        "PV1",
        "DG1|1||F11.20",
        "OBX|1|NM|x||1",
        "RXE",
        "RXA|0",
    ),
    *(
        "MSH",
        "MSH|^~\\&|A",
        "BHS|^~\\&|A",
        "FHS|^~\\&",
        "BTS|1",
        "FTS|1",
        "ERR",
        "NTE|1||a",
        "pid|1",
        "wrapped",
        "AL1|1",
    ),
    *("ORC|RE|1|2", "TQ1|1", "CON|1", "IN1|1", "NK1|1", "RF1", "PD1", "EVN|A03|20260608", "GT1", "ARV|1", "ROL", "TXA"),
)


def mutated(rng: random.Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """``seed`` after one to six changes; of the last ones a few change bytes only."""
    data = seed
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 6))):
        data = rng.choice(MUTATIONS)(rng, data, others)[:MOST_BYTES]
    return data


def _text(change: Callable[[random.Random, str], str]) -> Mutation:
    """A change of characters; what is no UTF-8 passes through it as it is."""

    def mutation(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        return change(rng, text).encode("utf-8", "surrogateescape")

    return mutation


def _lines_of(text: str) -> list[str]:
    return re.split(r"[\r\n]+", text)


def _place(rng: random.Random, size: int) -> tuple[int, int]:
    start = rng.randint(0, size)
    return start, min(size, start + rng.choice((0, 1, 1, 2, 3, 8, 40, 400)))


def _times(rng: random.Random, size: int, counts: Sequence[int]) -> int:
    """How often a piece of ``size`` is repeated: never beyond what is kept, or the mutation itself fills the memory."""
    return min(rng.choice(counts), MOST_BYTES // max(size, 1) + 1)


# ---- bytes


def _flip(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20)) if data else 0):
        changed[rng.randrange(len(changed))] = rng.choice(
            (rng.randrange(256), rng.choice(b'\r\n|^~\\&\x0b\x1c\x00"MSH'))
        )
    return bytes(changed)


def _cut(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _place(rng, len(data))
    return data[:start] + data[end:]


def _truncate(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    return data[: rng.randint(0, len(data))] if rng.random() < 0.8 else data[rng.randint(0, len(data)) :]


def _repeat(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, end = _place(rng, len(data))
    return data[:start] + data[start:end] * _times(rng, end - start, (2, 3, 10, 100, 2000)) + data[end:]


def _noise(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    start, _ = _place(rng, len(data))
    return data[:start] + rng.randbytes(rng.choice((1, 2, 4, 30))) + data[start:]


def _splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _append(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data + rng.choice((b"", b"\r", b"\n", b"\x1c\r\x0b", b"BTS|1\r")) + rng.choice(others)


def _recode(rng: random.Random, data: bytes, _others: Sequence[bytes]) -> bytes:
    text = data.decode("utf-8", "replace")
    position = rng.randint(0, len(text))
    return (text[:position] + rng.choice(("", "é", "山田", "€", "\u2019")) + text[position:]).encode(
        rng.choice(_CODECS), "replace"
    )


# ---- segments


def _shuffle(rng: random.Random, text: str) -> str:
    head, *lines = _lines_of(text)
    rng.shuffle(lines)
    return "\r".join([head, *lines])


def _drop_segment(rng: random.Random, text: str) -> str:
    lines = _lines_of(text)
    del lines[rng.randrange(len(lines))]
    return "\r".join(lines)


def _double_segment(rng: random.Random, text: str) -> str:
    lines = _lines_of(text)
    at = rng.randrange(len(lines))
    more = lines[at : at + 1] * _times(rng, len(lines[at]), (1, 1, 2, 30, 500))
    return "\r".join(lines[: at + 1] + more + lines[at + 1 :])


def _insert_segment(rng: random.Random, text: str) -> str:
    lines = _lines_of(text)
    lines.insert(rng.randint(0, len(lines)), rng.choice(_LINES))
    return "\r".join(lines)


def _rename_segment(rng: random.Random, text: str) -> str:
    lines = _lines_of(text)
    at = rng.randrange(len(lines))
    lines[at] = rng.choice(_LINES)[:3] + lines[at][3:]
    return "\r".join(lines)


def _end_lines(rng: random.Random, text: str) -> str:
    ends = rng.choice(([rng.choice(_LINE_ENDS)], _LINE_ENDS))
    return "".join(line + rng.choice(ends) for line in _lines_of(text))


def _wrap(rng: random.Random, text: str) -> str:
    position = rng.randint(0, len(text))
    return text[:position] + rng.choice(("\n", "\r", "\r\n  ", "\r\r", "\rABC|", "\n\t")) + text[position:]


# ---- fields


def _in_field(rng: random.Random, text: str, change: Callable[[str], str]) -> str:
    lines = _lines_of(text)
    at = rng.randrange(len(lines))
    fields = lines[at].split("|")
    if len(fields) > 1:
        number = rng.randrange(1, len(fields))
        fields[number] = change(fields[number])
    lines[at] = "|".join(fields)
    return "\r".join(lines)


def _set_field(rng: random.Random, text: str) -> str:
    return _in_field(rng, text, lambda _: rng.choice(_VALUES))


def _set_component(rng: random.Random, text: str) -> str:
    def change(field: str) -> str:
        between = rng.choice("^~&")
        parts = field.split(between)
        parts[rng.randrange(len(parts))] = rng.choice(_VALUES)
        return between.join(parts)

    return _in_field(rng, text, change)


def _many_parts(rng: random.Random, text: str) -> str:
    def change(field: str) -> str:
        return rng.choice("^~&|").join([field] * _times(rng, len(field), (2, 5, 100, 3000)))

    return _in_field(rng, text, change)


def _move_fields(rng: random.Random, text: str) -> str:
    return _in_field(rng, text, lambda field: rng.choice(("|", "||||", "")) + field)


def _escape_in_field(rng: random.Random, text: str) -> str:
    def change(field: str) -> str:
        position = rng.randint(0, len(field))
        return field[:position] + rng.choice(_ESCAPES) + field[position:]

    return _in_field(rng, text, change)


# ---- the header


def _in_header(text: str, field: int, value: str) -> str:
    line, end, rest = text.partition("\r")
    fields = line.split("|") + [""] * 20
    fields[field - 1] = value
    return "|".join(fields).rstrip("|") + end + rest


def _set_trigger(rng: random.Random, text: str) -> str:
    return _in_header(text, 9, rng.choice(_TRIGGERS))


def _set_charset(rng: random.Random, text: str) -> str:
    return _in_header(text, 18, rng.choice(_CHARSETS))


def _set_header_field(rng: random.Random, text: str) -> str:
    return _in_header(text, rng.randint(3, 21), rng.choice((*_VALUES, "2.1", "2.5^DEU&&HL70399", "AL", "NE", "2.9")))


def _set_separators(rng: random.Random, text: str) -> str:
    """Declare other delimiters, and mostly use them too."""
    meant = rng.choice(_SEPARATORS)
    head, declared, rest = text[:3], text[3:8], text[8:]
    if rng.random() < 0.8 and len(set(meant)) == len(meant) >= 5:
        rest = rest.translate(str.maketrans("|^~\\&", meant[:5]))
    return head + meant + rest if declared else text


MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_flip, _cut, _truncate, _repeat, _noise, _splice, _append, _recode),
    *map(_text, (_shuffle, _drop_segment, _double_segment, _insert_segment, _rename_segment, _end_lines, _wrap)),
    *map(_text, (_set_field, _set_field, _set_component, _set_component, _many_parts, _move_fields, _escape_in_field)),
    *map(_text, (_set_trigger, _set_trigger, _set_charset, _set_header_field, _set_separators)),
)
