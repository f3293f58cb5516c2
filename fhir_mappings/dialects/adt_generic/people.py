"""Who the message is about and who stands beside: PID, MRG, NK1, IN1, AL1.

Source: HL7 v2.5.1 chapter 3 (PID, MRG, NK1, AL1) and 6 (IN1); tables 0001 (sex), 0190 (address type),
0201-0202 (telecommunication use and equipment).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from fhir_mappings.dialects.adt_generic.fields import Source, name
from fhir_mappings.hl7v2 import Message, Segment
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
_NOT_NEEDED: Final = frozenset({"SS", "SR", "DL", "PPN"})
"""v2-0203 types that no referral needs (45 CFR 164.502(b)): social security, registry, licence and passport numbers."""
_HOMELESS: Final = frozenset({"HOMELESS", "UNDOMICILED", "NO FIXED ADDRESS", "NO FIXED ABODE"})


def patient(source: Source, pid: Segment) -> Patient:
    """The person: PID-3, 5, 7, 8, 11, 13-15."""
    address, homeless = _address(source, pid)
    return Patient(
        identifiers=[i for i in source.identifiers(pid, 3, "MR") if i.type not in _NOT_NEEDED][:64],
        name=_legal_name(source, pid, 5),
        birth_date=_birth_date(source, pid),
        sex=_sex(source, pid),
        phones=_phones(source, pid, 13) + _phones(source, pid, 14),
        address=address,
        homeless=homeless,
        language=source.token(pid, 15),
    )


def merged(source: Source, mrg: Segment) -> list[Identifier]:
    """MRG-1: numbers that no longer stand for the person. An unnamed authority is that of PID-3."""
    return source.identifiers(mrg, 1, "MR", "PID-3")[:64]


def contacts(source: Source, message: Message) -> list[Contact]:
    """NK1: people beside the person. Whether they may be told anything is not in this segment."""
    found = []
    for nk1 in message.all("NK1")[:64]:
        who = name(source.token(nk1, 2), source.token(nk1, 2, 2))
        phones = _phones(source, nk1, 5) or _phones(source, nk1, 6)
        if who is None and not phones:
            continue
        spoken = " ".join([*who.given, *([who.family] if who.family else [])]) if who is not None else None
        relation = source.token(nk1, 3, 2) or source.token(nk1, 3) or "contact"
        found.append(Contact(what=relation, name=spoken, phone=phones[0] if phones else None))
    return found


def coverage(source: Source, message: Message) -> list[Coverage]:
    """IN1: payer (4, else 3), member number (36, else 49), plan (2), plan type (15)."""
    found = []
    for in1 in message.all("IN1")[:32]:
        payer = source.text(in1, 4) or source.token(in1, 3)
        if payer is None:
            source.note(in1, 4, "no payer, so the insurance is left out")
            continue
        member = source.token(in1, 36) or source.token(in1, 49)
        plan = source.text(in1, 2, 2) or source.token(in1, 2)
        found.append(Coverage(payer=payer, member_id=member, plan=plan, type=source.token(in1, 15)))
    return found


def allergies(source: Source, message: Message) -> list[Coding]:
    """AL1-3, as sent."""
    return [codings[0].coding() for al1 in message.all("AL1")[:200] if (codings := source.codings(al1, 3))]


def _legal_name(source: Source, segment: Segment, field: int) -> Name | None:
    repetitions = source.repetitions(segment, field)
    if not repetitions:
        return None
    legal = repetitions[0]
    if len(repetitions) > 1:
        legal = next((parts for parts in repetitions if parts[6] == "L"), legal)
    return name(*source.leaves(segment, field, legal[:3]))


def _birth_date(source: Source, pid: Segment) -> date | None:
    born = source.when(pid, 7)
    return born.date() if isinstance(born, datetime) else born


def _sex(source: Source, pid: Segment) -> Sex | None:
    value = pid.text(8).strip().upper()
    sex = _SEX.get(value)
    if value and sex is None:
        source.note(pid, 8, "not in table 0001 (F M O U A N)")
    return sex


def _phones(source: Source, segment: Segment, field: int) -> list[str]:
    numbers = [_phone(source, segment, field, parts) for parts in source.repetitions(segment, field)]
    return list(dict.fromkeys([number for number in numbers if number]))


def _phone(source: Source, segment: Segment, field: int, parts: Sequence[str]) -> str | None:
    """An XTN as it was typed (1, else 12), else put together of country, area, local number and extension."""
    if parts[2].strip().upper() in _NOT_A_PHONE:
        return None
    typed = source.leaf(segment, field, parts[0]) or source.leaf(segment, field, parts[11])
    if typed is not None:
        return typed
    country, area, local, extension = source.leaves(segment, field, parts[4:8])
    if local is None:
        return None
    if len(local) == 7 and local.isdigit():
        local = f"{local[:3]}-{local[3:]}"
    number = "-".join([part for part in (f"+{country.lstrip('+')}" if country else None, area, local) if part])
    whole = f"{number} x{extension}" if extension else number
    return whole if len(whole) <= 64 else None


def _address(source: Source, pid: Segment) -> tuple[Address | None, bool | None]:
    """The first address that is lived at, and whether it says that there is none."""
    for parts in source.repetitions(pid, 11):
        if parts[6].strip().upper() in _NOT_LIVED_AT:
            continue
        street, other, city, state, code, country = source.leaves(pid, 11, parts[:6])
        if not (street or other or city or state or code or country):
            continue
        lines = [line for line in (street, other) if line]
        homeless = True if street is not None and street.upper() in _HOMELESS else None
        return Address(lines=lines, city=city, state=state, postal_code=code, country=country), homeless
    return None, None
