"""Reading single HL7 v2 fields: texts, times, identifiers, names, coded entries.

Source: HL7 v2.5.1 chapter 2A (data types CX, CWE, DTM, HD, XCN, XPN, XTN), table 0396 for names of code systems.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fhir_mappings.dialects.base import Note
from fhir_mappings.hl7v2 import Segment, Separators, unescape
from schemas.codes import tables
from schemas.discharge import Clinician, Coding, Identifier, Name, Product
from schemas.sender import Sender

NPI: Final = "http://hl7.org/fhir/sid/us-npi"
TOKEN_MAX: Final = 256
TEXT_MAX: Final = 4096

_DTM = re.compile(r"\d{8}(?:\d\d(?:\d\d(?:\d\d(?:\.\d{1,6})?)?)?)?(?:[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_NUMBER = re.compile(r"\+?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})", re.ASCII)
_NULL: Final = '""'
_ABSENT: Final = ("",) * 14
"""So that a component which was not sent can be asked for."""
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_DURATION = re.compile(r"(?:(?P<number>\d{1,4})\s*(?P<unit>[A-Z]*)|(?P<letter>[DW])(?P<count>\d{1,4}))", re.ASCII)
_EVERY = re.compile(r"Q(\d{1,2})([HDW])", re.ASCII)
_PATH = re.compile(r"\s*([A-Z][A-Z0-9]{2})-(\d{1,3})(?:\.(\d{1,2}))?", re.ASCII)
_DAYS_PER_UNIT: Final = {"D": 1, "DAY": 1, "DAYS": 1, "W": 7, "WK": 7, "WEEK": 7, "WEEKS": 7}
_INTERVALS: Final = {
    **dict.fromkeys(("QDAY", "QD", "DAILY", "QAM", "QPM", "QHS", "QNOON", "Q1D"), "PT24H"),
    **dict.fromkeys(("BID", "Q12H"), "PT12H"),
    **dict.fromkeys(("TID", "Q8H"), "PT8H"),
    **dict.fromkeys(("QID", "Q6H"), "PT6H"),
    **dict.fromkeys(("QOD", "Q2D"), "PT48H"),
    **dict.fromkeys(("QWEEK", "QWK", "WEEKLY", "Q1W"), "P7D"),
    **dict.fromkeys(("QMONTH", "QMO", "MONTHLY", "Q4W"), "P28D"),
}
"""Repeat patterns of table 0335 and what is written in the field for the same."""


class Triplet(NamedTuple):
    """A code of a CWE, as long as it isn't settled what becomes of it."""

    system: str | None
    code: str
    display: str | None

    def coding(self) -> Coding:
        """The same as it is kept."""
        return Coding(system=self.system, code=self.code, display=self.display)


class Source:
    """One message being read for one sender: its delimiters, zone and maps, and the notes made on the way."""

    __slots__ = ("notes", "organization", "sender", "separators", "zone")

    def __init__(self, sender: Sender, separators: Separators) -> None:
        self.sender = sender
        self.separators = separators
        self.zone: ZoneInfo = sender.zone()
        self.organization = _quoted(sender.organization)
        self.notes: list[Note] = []

    def note(self, segment: Segment, field: int, rule: str) -> None:
        """Say that a field was not taken, and by which rule."""
        self.notes.append(Note(f"{segment.name}-{field}", rule, segment.index))

    def text(self, segment: Segment, field: int, component: int = 1, *, limit: int = TEXT_MAX) -> str | None:
        """Free text, or None. Control characters are dropped; what is too long is noted, never cut."""
        value = segment.text(field, component)
        return self._clean(segment, field, value, limit) if value else None

    def token(self, segment: Segment, field: int, component: int = 1) -> str | None:
        """A short text such as a code or a number, or None."""
        value = segment.text(field, component)
        return self._clean(segment, field, value, TOKEN_MAX) if value else None

    def parts(self, segment: Segment, field: int) -> Sequence[str]:
        """The components of the first repetition as sent, cut once (a name or an address is read in six pieces)."""
        value = segment.raw(field)
        if not value:
            return _ABSENT
        if self.separators.repetition in value:
            value = value.split(self.separators.repetition, maxsplit=1)[0]
        return [*value.split(self.separators.component), *_ABSENT]

    def repetitions(self, segment: Segment, field: int) -> list[list[str]]:
        """The components of every repetition as sent."""
        value = segment.raw(field)
        if not value:
            return []
        return [[*one.split(self.separators.component), *_ABSENT] for one in value.split(self.separators.repetition)]

    def leaves(self, segment: Segment, field: int, parts: Sequence[str]) -> list[str | None]:
        """Several of ``parts``, each as ``leaf``; most are absent, or plain letters and digits."""
        return [
            (part if part.isalnum() and len(part) <= TOKEN_MAX else self.leaf(segment, field, part)) if part else None
            for part in parts
        ]

    def leaf(self, segment: Segment, field: int, part: str, limit: int = TOKEN_MAX) -> str | None:
        """One of ``parts`` as text: first subcomponent, unescaped, or None."""
        if part.isalnum() and len(part) <= limit:
            return part  # letters and digits: no delimiter, blank or control character is among them
        if not part or part == _NULL:
            return None
        if self.separators.subcomponent in part:
            part = part.split(self.separators.subcomponent, maxsplit=1)[0]
        if self.separators.escape in part:
            part = unescape(part, self.separators)
        return self._clean(segment, field, part, limit)

    def _clean(self, segment: Segment, field: int, value: str, limit: int) -> str | None:
        value = (value if value.isprintable() else _printable(value)).strip()
        if len(value) > limit:
            self.note(segment, field, f"longer than {limit} characters")
            return None
        return value or None

    def when(self, segment: Segment, field: int, component: int = 1) -> date | datetime | None:
        """A moment, or a day where no time was sent; None when absent or unreadable (noted)."""
        value = segment.text(field, component)
        if not value:
            return None
        read = moment(value.strip(), self.zone)
        if read is None:
            self.note(segment, field, "not a date or time (YYYYMMDD[HHMM[SS]][+ZZZZ])")
        return read

    def number(self, segment: Segment, field: int) -> float | None:
        """A quantity that is not negative; None when absent or unreadable (noted)."""
        value = segment.text(field).strip()
        if not value:
            return None
        if _NUMBER.fullmatch(value) is None:
            self.note(segment, field, "not a number of at least zero")
            return None
        return float(value)

    def system(self, name: str | None) -> str | None:
        """URI of a code system: the sender's map, then the names in table 0396, then a URI of the hospital's own."""
        if not name:
            return None
        return _system(name, self.sender.maps.drug_systems.get(name), self.organization)

    def authority(self, hd: str, fallback: str) -> str:
        """URI of an assigning authority (HD): its OID, UUID or URI, else its name within the hospital's organization.

        Namespaces are local to a hospital, so they are joined with its organization: two interfaces of one
        hospital name the same authority, two hospitals never do. Without any authority ``fallback``, the
        field itself, stands for it.
        """
        return _authority(hd, self.separators, self.organization, fallback)

    def identifier(self, segment: Segment, field: int, type_code: str) -> Identifier | None:
        """A CX. Its type is component 5, else ``type_code``."""
        parts = self.parts(segment, field)
        return self._identifier(segment, field, parts, type_code, "") if parts[0] else None

    def identifiers(self, segment: Segment, field: int, type_code: str, authority: str = "") -> list[Identifier]:
        """Every repetition of a CX that holds a number; ``authority`` names the field where none was sent."""
        repetitions = self.repetitions(segment, field)
        found = [self._identifier(segment, field, parts, type_code, authority) for parts in repetitions]
        return [identifier for identifier in found if identifier is not None]

    def _identifier(
        self, segment: Segment, field: int, parts: Sequence[str], type_code: str, authority: str
    ) -> Identifier | None:
        value = self.leaf(segment, field, parts[0])
        if value is None:
            return None
        system = self.authority(parts[3], authority or f"{segment.name}-{field}")
        if len(system) > TOKEN_MAX:
            self.note(segment, field, "assigning authority is too long")
            return None
        return Identifier(system=system, value=value, type=self.leaf(segment, field, parts[4]) or type_code)

    def clinician(self, segment: Segment, field: int) -> Clinician | None:
        """An XCN: name, and number with its authority."""
        parts = self.parts(segment, field)
        number, family, given = self.leaves(segment, field, parts[:3])
        who = name(family, given)
        if number is None:
            return Clinician(name=who) if who is not None else None
        is_npi = "NPI" in (parts[8].upper(), parts[12].upper())
        system = NPI if is_npi else self.authority(parts[8], f"{segment.name}-{field}")
        if len(system) > TOKEN_MAX:
            return Clinician(name=who)
        return Clinician(identifier=Identifier(system=system, value=number, type="NPI" if is_npi else None), name=who)

    def clinician_name(self, segment: Segment, field: int) -> str | None:
        """An XCN as one text: given and family name, else the number."""
        number, family, given = self.leaves(segment, field, self.parts(segment, field)[:3])
        return " ".join(part for part in (given, family) if part) or number

    def codings(self, segment: Segment, field: int) -> list[Triplet]:
        """The coded triplets of a CWE (components 1-3, 4-6, 10-12); one without code or text is left out."""
        parts = self.parts(segment, field)
        found = []
        for first in (0, 3, 9):
            if not (parts[first] or parts[first + 1]):
                continue
            code = self.leaf(segment, field, parts[first])
            display = self.leaf(segment, field, parts[first + 1], TEXT_MAX)
            if code is not None or display is not None:
                system = self.system(self.leaf(segment, field, parts[first + 2]))
                # A text without code stands for itself; the text match of triage needs it.
                code = code if code is not None else (display or "")[:TOKEN_MAX]
                found.append(Triplet(system, code, display))
        return found

    def product(self, segment: Segment, field: int) -> Product | None:
        """A drug: its RxNorm code where one was sent or the sender maps the local code, every other as alternate."""
        codings = self.codings(segment, field)
        if not codings:
            return None
        chosen = next((coding for coding in codings if coding.system == tables.RXNORM), None) or self._mapped(codings)
        chosen = chosen or codings[0]
        alternates = [coding.coding() for coding in codings if coding is not chosen]
        return Product(system=chosen.system, code=chosen.code, display=chosen.display, alternates=alternates)

    def _mapped(self, codings: list[Triplet]) -> Triplet | None:
        local = self.sender.maps.local_drugs
        for coding in codings:
            drug = local.get(coding.code) if coding.system not in (tables.NDC, tables.RXNORM) else None
            if drug is not None:
                return Triplet(self.system(drug.system), drug.code, drug.display)
        return None


@lru_cache(maxsize=64)
def _quoted(organization: str) -> str:
    return quote(organization, safe="")


class Path(NamedTuple):
    """Where a sender keeps something: ``ORC-16.1``."""

    segment: str
    field: int
    component: int


@lru_cache(maxsize=256)
def path_of(text: str) -> Path | None:
    """The field that a sender file names (``ZOC-2``, ``ORC-7.3 (Dn)``); None when it names none."""
    match = _PATH.match(text)
    return Path(match[1], int(match[2]), int(match[3] or 1)) if match else None


def _printable(value: str) -> str:
    return "".join([char if char.isprintable() or char == "\n" else " " if char.isspace() else "" for char in value])


@lru_cache(maxsize=512)
def _system(name: str, mapped: str | None, organization: str) -> str:
    known = tables.system_of(mapped if mapped in ("rxnorm", "ndc") else name)
    if known is not None and mapped != "local":
        return known
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if name.startswith(("http://", "https://", "urn:")):
        return name
    # 256 characters are what a token may have; a name that long is no name that anybody wrote by hand.
    return f"urn:throughline:system:{organization}:{quote(name, safe='')}"[:TOKEN_MAX]


@lru_cache(maxsize=512)
def _authority(hd: str, separators: Separators, organization: str, fallback: str) -> str:
    leaves = [unescape(leaf, separators) if separators.escape in leaf else leaf for leaf in hd.split(separators[4])]
    namespace, universal, kind, *_ = (*(("" if leaf == _NULL else leaf.strip()) for leaf in leaves), "", "", "")
    kind = kind.upper()
    if kind in ("ISO", "") and _OID.fullmatch(universal):
        return f"urn:oid:{universal}"
    if kind in ("UUID", "GUID") and universal:
        return f"urn:uuid:{universal.lower()}"
    if kind in ("URI", "URL") and universal:
        return universal
    return f"urn:throughline:authority:{organization}:{quote(namespace or universal or fallback, safe='')}"


def moment(value: str, zone: ZoneInfo) -> date | datetime | None:
    """A DTM of any precision from the day on. Without offset it is in ``zone`` (the earlier of two equal hours)."""
    if _DTM.fullmatch(value) is None:
        return None
    try:
        if value[8:9].isdigit():
            read = datetime.fromisoformat(f"{value[:8]}T{value[8:]}")
            return read if read.tzinfo is not None else datetime.combine(read, read.time(), _offset_in(zone, read))
        return date.fromisoformat(value[:8])
    except (ValueError, OverflowError):
        return None


def _offset_in(zone: ZoneInfo, local: datetime) -> timezone:
    # A time that the clock skips gets the offset before the change, so it moves on by the hour.
    return _fixed(zone.utcoffset(local) or timedelta())


@lru_cache(maxsize=64)
def _fixed(offset: timedelta) -> timezone:
    return timezone(offset)


def instant(value: date | datetime | None, zone: ZoneInfo) -> datetime | None:
    """A moment; a day without time is its first moment in ``zone``."""
    if value is None or isinstance(value, datetime):
        return value
    local = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone is put on below
    return local.replace(tzinfo=_offset_in(zone, local))


def name(family: str | None, *given: str | None) -> Name | None:
    """A name of what was sent; None when nothing was."""
    first_names = [part for part in given if part]
    return Name(family=family, given=first_names) if family or first_names else None


@lru_cache(maxsize=512)
def interval(repeat: str) -> str | None:
    """An ISO 8601 duration for a repeat pattern (``QDAY``, ``Q12H``, ``QWEEK``); None for once and what is unknown."""
    word = re.sub(r"[\s.]", "", repeat).upper()
    known = _INTERVALS.get(word)
    match = _EVERY.fullmatch(word)
    if known is not None or match is None or not int(match[1]):
        return known
    number = int(match[1])
    return {"H": f"PT{number}H", "D": f"PT{number * 24}H", "W": f"P{number * 7}D"}[match[2]]


@lru_cache(maxsize=512)
def days(text: str, unit: str) -> int | None:
    """Days of a service duration: ``3`` with unit ``d``, or ``D3`` and ``W1``. None without unit: it may be doses."""
    match = _DURATION.fullmatch(text.strip().upper())
    if match is None:
        return None
    if match["letter"]:
        found = int(match["count"]) * _DAYS_PER_UNIT[match["letter"]]
    else:
        per_unit = _DAYS_PER_UNIT.get(match["unit"] or unit.strip().upper())
        found = int(match["number"]) * (per_unit or 0)
    return found if 0 < found <= 366 else None
