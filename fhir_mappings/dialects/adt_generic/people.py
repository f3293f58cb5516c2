"""Who the message is about and who stands beside: PID, NK1, IN1, AL1.

Source: HL7 v2.5.1 chapter 3 (PID, NK1, AL1) and 6 (IN1); tables 0001 (sex), 0136 (yes or no), 0190 (address type),
0201-0202 (telecommunication use and equipment).
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Final

from fhir_mappings.dialects.adt_generic.fields import Source
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.adt_generic.site import KEPT_LENGTH, NULL, TOKEN_MAX, Site, name
from fhir_mappings.hl7v2 import Message, Segment
from schemas.base import changed
from schemas.discharge import Address, Coding, Contact, Coverage, Identifier, Name, Patient, Sex

_SEX: Final[dict[str, Sex]] = {
    "M": "male",
    "F": "female",
    "O": "other",
    "A": "other",
    "N": "other",
    "U": "unknown",
    "MALE": "male",
    "FEMALE": "female",
    "OTHER": "other",
    "UNKNOWN": "unknown",
}
_NOT_A_PHONE: Final = frozenset({"FX", "INTERNET", "X.400", "MD", "BP"})
_NOT_LIVED_AT: Final = frozenset({"BA", "BDL", "N", "F"})
"""Bad address, birth delivery location, birth, country of origin."""
_HOMELESS: Final = frozenset({"HOMELESS", "UNDOMICILED", "NO FIXED ADDRESS", "NO FIXED ABODE"})
_DIED: Final = {"Y": True, "YES": True, "N": False, "NO": False}
_DIGIT: Final = re.compile(r"\d", re.ASCII)
_OLDER_NUMBERS: Final = (2, 4)
"""PID-2 and PID-4, where a person was numbered before v2.3.1; the field stands for an authority that is not named."""


def patient(source: Source, pid: Segment) -> Patient:
    """The person: PID-3 (else 2 and 4), 5, 7, 8, 11, 13-15."""
    address, homeless = _address(source, pid)
    return made(
        Patient,
        identifiers=_numbers(source, pid),
        name=_legal_name(source, pid, 5),
        birth_date=_birth_date(source, pid),
        sex=_sex(source, pid),
        phones=_phones(source, pid, 13) + _phones(source, pid, 14),
        address=address,
        language=source.word(pid, 15),
        interpreter=None,
        homeless=homeless,
    )


def died(source: Source, pid: Segment) -> bool | None:
    """Whether the person has died: PID-30 (table 0136), where that is empty a time of death (PID-29)."""
    said = _DIED.get((source.token(pid, 30) or "").upper())
    return True if said is None and source.when(pid, 29) is not None else said


def contacts(source: Source, message: Message) -> list[Contact]:
    """NK1: people beside the person. Whether they may be told anything is not in this segment."""
    found = []
    for nk1 in message.all("NK1")[:64]:
        who = name(*source.leaves(nk1, 2, source.parts(nk1, 2)[:3]))
        phones = _phones(source, nk1, 5) or _phones(source, nk1, 6)
        if who is None and not phones:
            continue
        spoken = " ".join([*who.given, *([who.family] if who.family else [])]) if who is not None else None
        relation = source.token(nk1, 3, 2) or source.token(nk1, 3) or "contact"
        found.append(_contact(relation, spoken, phones[0] if phones else None))
    return found


def _contact(relation: str, spoken: str | None, phone: str | None) -> Contact:
    return made(
        Contact,
        what=relation,
        where=None,
        name=spoken,
        phone=phone,
        permission=None,
        safe_to_leave_message=None,
        best_time=None,
    )


def coverage(source: Source, message: Message) -> list[Coverage]:
    """IN1: payer (4, else 3), member number (36, else 49, else what IN2 says), plan (2), plan type (15)."""
    found = []
    for in1 in message.all("IN1")[:32]:
        payer = in1.raw(4)
        raws = in1.raw(2), in1.raw(3) if payer in ("", NULL) else "", payer, in1.raw(15)
        plan = (_plan if sum(map(len, raws)) <= KEPT_LENGTH else _read_plan)(source.site, *raws)
        if plan is None:
            source.note(in1, 4, "no payer, so the insurance is left out")
            continue
        member = source.token(in1, 36) or source.token(in1, 49) or _member_number(source, message, in1)
        found.append(changed(plan, {"member_id": member}) if member is not None else plan)
    return found


def _member_number(source: Source, message: Message, in1: Segment) -> str | None:
    """The patient's member number, else the Medicaid case number, of the IN2 that follows this IN1."""
    if message.first("IN2") is None:
        return None
    in2 = next((one for one in message.all("IN2") if one.index > in1.index), None)
    if in2 is None or any(in1.index < one.index < in2.index for one in message.all("IN1")):
        return None
    return source.token(in2, 61) or source.token(in2, 8)


def allergies(source: Source, message: Message) -> list[Coding]:
    """AL1-3, as sent."""
    return [coding for al1 in message.all("AL1")[:200] if (coding := source.coding(al1, 3)) is not None]


def _read_plan(site: Site, plan: str, number: str, payer: str, kind: str) -> Coverage | None:
    """What many people have in common: payer, plan and its type."""
    named = site.text(payer) or site.text(number, limit=TOKEN_MAX)
    if named is None:
        return None
    called = site.text(plan, 2) or site.text(plan, limit=TOKEN_MAX)
    return made(Coverage, payer=named, member_id=None, plan=called, type=site.text(kind, limit=TOKEN_MAX))


_plan = lru_cache(maxsize=1024)(_read_plan)


def _numbers(source: Source, pid: Segment) -> list[Identifier]:
    """What the person is numbered by; an older layout counts only where PID-3 names nobody."""
    needed = source.identifiers(pid, 3, "MR", "PID-3")
    if not needed:
        needed = [one for field in _OLDER_NUMBERS for one in source.identifiers(pid, field, "PI", f"PID-{field}")]
    return needed[:64]


def _legal_name(source: Source, segment: Segment, field: int) -> Name | None:
    raw = segment.raw(field)
    if not raw:
        return None
    component, repetition = source.separators.component, source.separators.repetition
    if repetition in raw:
        names = raw.split(repetition)
        raw = next((one for one in names if one.split(component)[6:7] == ["L"]), names[0])
    return name(*source.leaves(segment, field, raw.split(component, 3)[:3]))


def _birth_date(source: Source, pid: Segment) -> date | None:
    born = source.when(pid, 7)
    return born.date() if isinstance(born, datetime) else born


def _sex(source: Source, pid: Segment) -> Sex | None:
    sent = pid.text(8)
    sex = _SEX.get(sent) or _SEX.get(sent.strip().upper())
    if sex is None and sent.strip():
        source.note(pid, 8, "not in table 0001 (F M O U A N)")
    return sex


def _phones(source: Source, segment: Segment, field: int) -> list[str]:
    repetitions = source.repetitions(segment, field)
    if not repetitions:
        return []
    if len(repetitions) == 1:
        number = _phone(source, segment, field, repetitions[0])
        return [number] if number else []
    numbers = [_phone(source, segment, field, parts) for parts in repetitions]
    return list(dict.fromkeys([number for number in numbers if number]))


def _phone(source: Source, segment: Segment, field: int, parts: Sequence[str]) -> str | None:
    """An XTN as it was typed (12, else 1), else put together of country, area, local number and extension.

    What has no digit (``REDACTED``) is no number, and a country without is no country.
    """
    if parts[2].strip().upper() in _NOT_A_PHONE:
        return None
    for part in (parts[11], parts[0]):
        typed = source.leaf(segment, field, part) if part else None
        if typed is not None and _DIGIT.search(typed) is not None:
            return typed
    country, area, local, extension = source.leaves(segment, field, parts[4:8])
    if local is None or _DIGIT.search(local) is None:
        return None
    if len(local) == 7 and local.isdigit():
        local = f"{local[:3]}-{local[3:]}"
    code = country.lstrip("+") if country else ""
    number = "-".join(filter(None, (f"+{code}" if code.isdigit() else None, area, local)))
    whole = f"{number} x{extension}" if extension else number
    return whole if len(whole) <= 64 else None


def _address(source: Source, pid: Segment) -> tuple[Address | None, bool | None]:
    """The first address that is lived at, and whether it says that there is none."""
    for parts in source.repetitions(pid, 11):
        if parts[6].strip().upper() in _NOT_LIVED_AT:
            continue
        other, city, state, code, country = source.leaves(pid, 11, parts[1:6])
        street = _street(source, pid, parts[0])
        if not (street or other or city or state or code or country):
            continue
        addressee = source.leaf(pid, 11, parts[18]) if parts[18] else None
        lines = list(filter(None, (street, other, addressee)))
        homeless = True if street is not None and street.upper() in _HOMELESS else None
        where = made(Address, lines=lines, city=city, state=state, postal_code=code, country=country)
        return where, homeless
    return None, None


def _street(source: Source, pid: Segment, sad: str) -> str | None:
    """An SAD in one line: the address, street name and house number, none of it twice."""
    if source.separators.subcomponent not in sad:
        return source.leaf(pid, 11, sad)
    words: list[str] = []
    for part in sad.split(source.separators.subcomponent)[:3]:
        said = (source.leaf(pid, 11, part) or "").split()
        if not set(said) <= set(words):
            words += said
    return " ".join(words)[:TOKEN_MAX] or None
