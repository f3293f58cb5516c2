"""Reading single HL7 v2 fields: texts, times, identifiers, names, coded entries.

Source: HL7 v2.5.1 chapter 2A (data types CX, CWE, DTM, XCN, XPN, XTN).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from fhir_mappings.dialects.adt_generic import site as sites
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.adt_generic.site import ABSENT, KEPT_LENGTH, NULL, TEXT_MAX, TOKEN_MAX, Path, Site
from fhir_mappings.dialects.base import CodeKind, Note, Unmapped
from fhir_mappings.hl7v2 import Segment
from schemas.base import FARTHEST, FIRST_YEAR, LAST_YEAR
from schemas.discharge import Clinician, Coding, Identifier, Product

_DTM = re.compile(r"\d{8}(?:\d\d(?:\d\d(?:\d\d(?:\.\d{1,6}|\d{1,3})?)?)?)?(?:[+-]\d\d(?::?\d\d)?)?", re.ASCII)
_DIGITS_ONLY: Final = frozenset({8, 10, 12, 14})
"""Lengths of a DTM without fraction and offset."""
_SIGNS: Final = ("+", "-")
_TO_THE_SECOND: Final = 6
"""Digits of a time of day. More are a fraction whose point was left out, as senders do."""
NOT_NEEDED: Final = frozenset({"SS", "SR", "DL", "PPN"})
"""v2-0203 types that no referral needs (45 CFR 164.502(b)): social security, registry, licence and passport numbers."""
_NUMBER = re.compile(r"\+?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})", re.ASCII)


class Source:
    """One message being read for one sender: its delimiters, zone and maps, and the notes made on the way."""

    __slots__ = ("notes", "sender", "separators", "site", "unmapped", "zone")

    def __init__(self, site: Site, facility: str | None = None) -> None:
        self.site = site
        self.sender = site.sender
        self.separators = site.separators
        self.zone: ZoneInfo = site.zone(facility)
        self.notes: list[Note] = []
        self.unmapped: list[Unmapped] = []

    def note(self, segment: Segment, field: int, rule: str) -> None:
        """Say that a field was not taken, and by which rule."""
        self.notes.append(Note(f"{segment.name}-{field}", rule, segment.index))

    def unknown(self, kind: CodeKind, segment: Segment, field: int, code: str) -> None:
        """Count a code of the sender's own that nothing maps, if it has the shape of one."""
        if sites.is_code(code):
            self.unmapped.append(Unmapped(kind, f"{segment.name}-{field}", code))

    def text(self, segment: Segment, field: int, component: int = 1) -> str | None:
        """Free text, or None. Control characters are dropped; what is too long is noted, never cut."""
        raw = segment.raw(field)
        if not raw:
            return None
        return self._short(segment, field, sites.printable(segment.text(field, component)), TEXT_MAX)

    def token(self, segment: Segment, field: int, component: int = 1) -> str | None:
        """A short text such as a code or a number, or None."""
        raw = segment.raw(field)
        if not raw:
            return None
        if component == 1 and raw.isalnum() and len(raw) <= TOKEN_MAX:
            return raw
        return self._short(segment, field, sites.printable(segment.text(field, component)), TOKEN_MAX)

    def parts(self, segment: Segment, field: int) -> Sequence[str]:
        """The components of the first repetition as sent, cut once (a name or an address is read in six pieces)."""
        raw = segment.raw(field)
        return sites.components(raw, self.separators) if raw else ABSENT

    def repetitions(self, segment: Segment, field: int) -> list[list[str]]:
        """The components of every repetition as sent."""
        raw = segment.raw(field)
        if not raw:
            return []
        component, repetition = self.separators.component, self.separators.repetition
        if repetition not in raw:
            return [[*raw.split(component), *ABSENT]]
        return [[*one.split(component), *ABSENT] for one in raw.split(repetition)]

    def leaves(self, segment: Segment, field: int, parts: Sequence[str]) -> list[str | None]:
        """Several of ``parts``, each as ``leaf``; most are absent, or plain letters and digits."""
        return [
            (part if part.isalnum() and len(part) <= TOKEN_MAX else self.leaf(segment, field, part)) if part else None
            for part in parts
        ]

    def leaf(self, segment: Segment, field: int, part: str, limit: int = TOKEN_MAX) -> str | None:
        """One of ``parts`` as text: first subcomponent, unescaped, or None."""
        if len(part) <= limit and part.isprintable() and self.site.marked(part) is None:
            return part.strip() or None
        return self._short(segment, field, sites.clean(part, self.separators), limit)

    def _short(self, segment: Segment, field: int, value: str, limit: int) -> str | None:
        if len(value) > limit:
            self.note(segment, field, sites.too_long(limit))
            return None
        return value or None

    def when(self, segment: Segment, field: int, component: int = 1) -> date | datetime | None:
        """A moment, or a day where no time was sent; None when absent or unreadable (noted)."""
        raw = segment.raw(field)
        if not raw:
            return None
        read = moment(raw, self.zone) if component == 1 else None
        if read is not None:
            return read
        said = segment.text(field, component)
        read = moment(said.strip(), self.zone)
        if read is None and said:
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

    def unit(self, segment: Segment, field: int) -> str | None:
        """A unit (CWE); its text where the code is but a number in the hospital's list."""
        code = self.token(segment, field)
        return (self.token(segment, field, 2) or code) if code is None or code.isdigit() else code

    def identifier(self, segment: Segment, field: int, type_code: str, authority: str) -> Identifier | None:
        """The first repetition of a CX."""
        raw = segment.raw(field)
        if not raw:
            return None
        if self.separators.repetition in raw:
            raw = raw.split(self.separators.repetition, maxsplit=1)[0]
        return self._identifier(segment, field, raw, type_code, authority)

    def identifiers(self, segment: Segment, field: int, type_code: str, authority: str) -> list[Identifier]:
        """Every repetition of a CX that holds a number which a referral may need.

        Its type is component 5, else ``type_code``; ``authority`` is the field that stands for one that was not sent.
        """
        raw = segment.raw(field)
        if not raw:
            return []
        found = []
        for one in raw.split(self.separators.repetition) if self.separators.repetition in raw else (raw,):
            identifier = self._identifier(segment, field, one, type_code, authority)
            if identifier is not None and identifier.type not in NOT_NEEDED:
                found.append(identifier)
        return found

    def _identifier(self, segment: Segment, field: int, raw: str, type_code: str, authority: str) -> Identifier | None:
        number, _, rest = raw.partition(self.separators.component)
        value = number if number.isalnum() and len(number) <= TOKEN_MAX else self.leaf(segment, field, number)
        if value is None:
            return None
        read = sites.kept_assigned if len(rest) <= KEPT_LENGTH else sites.read_assigned
        system, kind = read(self.site, rest, authority)
        if len(system) > TOKEN_MAX:
            self.note(segment, field, "assigning authority is too long")
            return None
        return made(Identifier, system=system, value=value, type=kind or type_code)

    def clinician(self, segment: Segment, field: int) -> Clinician | None:
        """An XCN: name, and number with its authority."""
        raw = segment.raw(field)
        if not raw or raw == NULL:
            return None
        read = sites.kept_clinician if len(raw) <= KEPT_LENGTH else sites.read_clinician
        found, rules = read(self.site, raw, f"{segment.name}-{field}")
        if rules:
            self.noted(segment, field, rules)
        return found

    def clinician_name(self, segment: Segment, field: int) -> str | None:
        """An XCN as one text: given names and family name, else the number."""
        number, family, given, further = self.leaves(segment, field, self.parts(segment, field)[:4])
        return " ".join(part for part in (given, further, family) if part) or number

    def coding(self, segment: Segment, field: int) -> Coding | None:
        """The first coded triplet of a CWE (components 1-3, 4-6, 10-12) that holds a code or a text."""
        raw = segment.raw(field)
        if not raw:
            return None
        _, rules, first, _ = (sites.kept_codings if len(raw) <= KEPT_LENGTH else sites.read_codings)(self.site, raw)
        if rules:
            self.noted(segment, field, rules)
        return first

    def product(self, segment: Segment, field: int) -> Product | None:
        """A drug; a code of the sender's own that nothing maps is counted."""
        raw = segment.raw(field)
        if not raw:
            return None
        product, rules, unknown = sites.drug(self.site, raw)
        if rules:
            self.noted(segment, field, rules)
        if unknown is not None:
            self.unknown("drug", segment, field, unknown)
        return product

    def word(self, segment: Segment, field: int) -> str | None:
        """The first component of a field with few values: a unit, a language."""
        raw = segment.raw(field)
        if not raw:
            return None
        if raw.isalnum() and len(raw) <= TOKEN_MAX:
            return raw
        first, _, rules = sites.location(self.site, raw)
        if rules:
            self.noted(segment, field, rules)
        return first

    def noted(self, segment: Segment, field: int, rules: Iterable[str]) -> None:
        """Note each rule."""
        for rule in rules:
            self.note(segment, field, rule)

    def path(self, text: str | None) -> Path | None:
        """The field that the sender's file names."""
        return sites.path_of(text) if text else None


_OLDEST: Final = str(FIRST_YEAR)
"""What is older is filler ("00010101")."""


def moment(value: str, zone: ZoneInfo) -> date | datetime | None:
    """A DTM of any precision from the day on. Without offset it is in ``zone`` (the earlier of two equal hours)."""
    # Nearly all are digits alone, or with an offset of four: a few short questions cost less than a match.
    digits = value[:-5] if value[-5:-4] in _SIGNS and value[-4:].isdigit() else value
    if not (len(digits) in _DIGITS_ONLY and digits.isdigit() and value.isascii()) and _DTM.fullmatch(value) is None:
        return None
    day, time = value[:8], value[8:]
    if day < _OLDEST:
        return None
    try:
        if not time[:1].isdigit():
            return date.fromisoformat(day)
        if len(time) > _TO_THE_SECOND and time[: _TO_THE_SECOND + 1].isdigit():
            time = f"{time[:_TO_THE_SECOND]}.{time[_TO_THE_SECOND:]}"
        read = datetime.fromisoformat(f"{day}T{time}")
        if read.year > LAST_YEAR:
            return read.date()
        stated = read.utcoffset()
        if stated is not None:
            return read if abs(stated) <= FARTHEST else None
        # A time that the clock skips gets the offset before the change, so it moves on by the hour.
        return datetime.combine(read, read.time(), _fixed(zone.utcoffset(read)))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def _fixed(offset: timedelta | None) -> timezone:
    return timezone(offset or timedelta())


def instant(value: date | datetime | None, zone: ZoneInfo) -> datetime | None:
    """A moment; a day without time is its first moment in ``zone``. A day that stands for "no end" is none."""
    if value is None or isinstance(value, datetime):
        return value
    if value.year > LAST_YEAR:
        return None
    local = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the zone is put on below
    return local.replace(tzinfo=_fixed(zone.utcoffset(local)))
