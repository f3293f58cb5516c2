"""The stay: EVN, PV1, PV2, PID-18 and DG1.

Source: HL7 v2.5.1 chapter 3; class by table 0004, disposition by the sender's map, else by the UB-04 patient
discharge status (form locator 17), because table 0112 has no values of its own.
"""

import re
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple, get_args

from fhir_mappings.dialects.adt_generic import site as sites
from fhir_mappings.dialects.adt_generic.fields import Source
from fhir_mappings.dialects.adt_generic.kinds import TRACKING
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.adt_generic.site import TEXT_MAX, TOKEN_MAX, Site, Triplet
from fhir_mappings.hl7v2 import Message, Segment
from schemas.base import changed
from schemas.codes import tables
from schemas.discharge import Diagnosis, Disposition, Identifier, VisitClass, VisitDetails
from schemas.facts import FactKind

_NOT_A_DISCHARGE: Final = "not-a-discharge"
_DISPOSITIONS: Final[dict[str, Disposition]] = {code: code for code in get_args(Disposition)}
_CLASSES: Final[dict[str, VisitClass]] = {code: code for code in get_args(VisitClass)}
_NUMERIC = re.compile(r"(\d{1,2})(?!\d)", re.ASCII)
_ICD10_SHAPE = re.compile(r"[A-TV-Z]\d[0-9AB](?:\.?[0-9A-Z]{1,4})?", re.ASCII)
_PREGNANT: Final = "B6"
"""Table 0009 (ambulatory status)."""
_NO_DISCHARGE: Final[frozenset[FactKind]] = frozenset({"cancel-discharge", "cancel-expected", "pre-admit"})
"""They state no way out: a cancellation may repeat the very discharge that it takes back (A13, A25)."""
_NO_CLASS: Final = frozenset({"P", "C", "N", "U"})
"""Table 0004, but no class of a stay: not here yet, an account without a person, not applicable, unknown."""
_NUMBERS: Final = (("PV1", 19, "VN", "PV1-19"), ("PID", 18, "AN", "PID-18"), ("PV1", 50, "VN", "PV1-50"))
_KNOWN: Final = frozenset({None, tables.ICD10CM, tables.SNOMED, tables.ICD9CM})
_OTHER_ICD: Final = ("I9", "ICD9", "ICD-9")
"""Names of table 0396 for what is no system of the sender's own although no table here has it."""

_MORE_UB04: Final = {
    "50": "hosp",
    "51": "hosp",
    "61": "other-hcf",
    "62": "rehab",
    "63": "long",
    "64": "long",
    "65": "psy",
    "66": "other-hcf",
    "70": "other-hcf",
}
"""Codes that ``ub04_discharge_status.csv`` does not hold, because no public source of them was read."""
_READMISSION: Final = dict(
    zip(
        (str(code) for code in range(81, 96)),
        ("01", "02", "03", "04", "05", "06", "21", "43", "61", "62", "63", "64", "65", "66", "70"),
        strict=True,
    )
)
"""81-95 say the same as an older code, with a planned readmission; in the order of the list, not by arithmetic."""


class Diagnosed(NamedTuple):
    """What DG1-2, 3, 4 and 15 say, without its dates; ``unknown`` is a code of a system that nobody knows here."""

    diagnosis: Diagnosis | None
    rules: tuple[tuple[int, str], ...]
    unknown: str | None


def visit(source: Source, message: Message, kind: FactKind) -> tuple[VisitDetails | None, bool | None]:
    """The stay, and whether this message ends it (False: its disposition says that it goes on).

    A28 and A31 tell of a person, whatever the visit: their PV1 and PID-18 are no stay. PV1-3 is where the person is
    after the message, also of A02 and of A12, which goes back (3.3.2, 3.3.12); of A09 and A10 it is no assigned place.
    """
    if kind == "person":
        return None, None
    pid, pv1 = message.first("PID"), message.first("PV1")
    identifiers = _identifiers(source, message, pid, pv1)
    if pv1 is None:
        details = _details(identifiers) if identifiers else None
        return details, True if kind == "discharge" else None
    left = kind not in _NO_DISCHARGE
    disposition = _disposition(source, pv1) if left else None
    details = made(
        VisitDetails,
        identifiers=identifiers,
        class_=_class(source, pv1),
        admitted_at=source.when(pv1, 44),
        expected_discharge_at=_expected(source, message, pv1, kind),
        discharged_at=_discharged(source, message, pv1, kind) if left else None,
        unit=source.word(pv1, 3) if kind != "update" or message.type not in TRACKING else None,
        disposition=_DISPOSITIONS.get(disposition) if disposition is not None else None,
        destination=_destination(source, pv1) if left else None,
        attending=source.clinician(pv1, 7),
    )
    if disposition == _NOT_A_DISCHARGE:
        return details, False
    return details, True if kind == "discharge" else None


def numbered(details: VisitDetails | None, more: list[Identifier]) -> VisitDetails | None:
    """The stay with further numbers."""
    if not more:
        return details
    return _details(more) if details is None else changed(details, {"identifiers": details.identifiers + more})


def is_recurring(source: Source, message: Message, name: str, field: int) -> bool:
    """Whether a number in this field is used for more than one visit, by the sender's file."""
    classes = source.site.recurring.get((name, field))
    if classes is None:
        return False
    pv1 = message.first("PV1")
    return not classes or (pv1 is not None and pv1.text(2).strip() in classes)


def facility(site: Site, message: Message) -> str | None:
    """PV1-3.4, else MSH-4: where the unit is."""
    pv1 = message.first("PV1")
    raw = pv1.raw(3) if pv1 is not None else ""
    found = sites.location(site, raw).facility if raw else None
    return found or sites.location(site, message.header.raw(4)).first


def pregnant(pv1: Segment | None) -> bool:
    """PV1-15 B6."""
    if pv1 is None or _PREGNANT not in pv1.raw(15):
        return False
    return any(pv1.text(15, 1, 1, number) == _PREGNANT for number in range(pv1.repetitions(15)))


def diagnoses(source: Source, message: Message) -> tuple[list[Diagnosis], list[Diagnosis]]:
    """Diagnoses that stand, and those that were taken back (DG1-21 D)."""
    standing: list[Diagnosis] = []
    removed: list[Diagnosis] = []
    for dg1 in message.all("DG1")[:500]:
        diagnosis = _diagnosis(source, dg1)
        if diagnosis is not None:
            (removed if dg1.text(21) == "D" else standing).append(diagnosis)
    return standing, removed


def _details(identifiers: list[Identifier]) -> VisitDetails:
    return VisitDetails(identifiers=identifiers)


def _identifiers(source: Source, message: Message, pid: Segment | None, pv1: Segment | None) -> list[Identifier]:
    found = []
    recurring = bool(source.site.recurring)
    for name, field, type_code, authority in _NUMBERS:
        segment = pv1 if name == "PV1" else pid
        if segment is None or (recurring and is_recurring(source, message, name, field)):
            continue
        number = source.identifier(segment, field, type_code, authority)
        if number is not None:
            found.append(number)
    return found


def _expected(source: Source, message: Message, pv1: Segment, kind: FactKind) -> date | datetime | None:
    """PV2-9, in an A16 else PV1-45; an A25 may repeat the time that no longer holds."""
    if kind == "cancel-expected":
        return None
    pv2 = message.first("PV2")
    expected = source.when(pv2, 9) if pv2 is not None else None
    return expected or (source.when(pv1, 45) if kind == "expected-discharge" else None)


def _discharged(source: Source, message: Message, pv1: Segment, kind: FactKind) -> date | datetime | None:
    """PV1-45; of a discharge else EVN-6, when it happened. A discharge that is expected (A16) has not happened."""
    if kind == "expected-discharge":
        return None
    left = source.when(pv1, 45)
    evn = message.first("EVN") if left is None and kind == "discharge" else None
    return source.when(evn, 6) if evn is not None else left


def _destination(source: Source, pv1: Segment) -> str | None:
    """PV1-37.1, which is coded since v2.7: its text, else its code."""
    if not pv1.raw(37):
        return None
    _, _, text = source.parts(pv1, 37)[0].partition(source.separators.subcomponent)
    return source.leaf(pv1, 37, text, TEXT_MAX) or source.text(pv1, 37)


def _class(source: Source, pv1: Segment) -> VisitClass | None:
    raw = pv1.raw(2)
    if not raw:
        return None
    code, found = _class_of(source.site, raw[:TOKEN_MAX])
    if found is None and code and code.upper() not in _NO_CLASS:
        source.note(pv1, 2, "patient class is neither in the sender's map nor in table 0004 with a meaning here")
        source.unknown("class", pv1, 2, code)
    return found


@lru_cache(maxsize=256)
def _class_of(site: Site, raw: str) -> tuple[str, VisitClass | None]:
    code = site.text(raw) or ""
    return code, site.sender.maps.class_.get(code) or _CLASSES.get(tables.encounter_class(code.upper()) or "")


def _disposition(source: Source, pv1: Segment) -> str | None:
    raw = pv1.raw(36)
    if not raw:
        return None
    code, found = _disposition_of(source.site, raw[:TOKEN_MAX])
    if found is None and code:
        source.note(pv1, 36, "disposition is neither in the sender's map nor a UB-04 discharge status known here")
        source.unknown("disposition", pv1, 36, code)
    return found


@lru_cache(maxsize=256)
def _disposition_of(site: Site, raw: str) -> tuple[str, str | None]:
    code = site.text(raw) or ""
    return code, site.sender.maps.disposition.get(code) or _ub04(code) or _DISPOSITIONS.get(code.lower())


def _ub04(sent: str) -> str | None:
    """``1``, ``01`` and ``7 AMA`` by their number."""
    match = _NUMERIC.match(sent)
    if match is None:
        return None
    code = f"{match[1]:0>2}"
    code = _READMISSION.get(code, code)
    row = tables.ub04().get(code)
    return row.disposition if row is not None else _MORE_UB04.get(code)


def _diagnosis(source: Source, dg1: Segment) -> Diagnosis | None:
    code, rank = dg1.raw(3), dg1.raw(15)
    # What DG1-3 says by itself, DG1-2 and DG1-4 are not asked for.
    method, text = ("", "") if code and sites.codings(source.site, code).complete else (dg1.raw(2), dg1.raw(4))
    read = _diagnosed if len(method) + len(code) + len(text) + len(rank) <= sites.KEPT_LENGTH else _read_diagnosis
    diagnosis, rules, unknown = read(source.site, method, code, text, rank)
    for field, rule in rules:
        source.note(dg1, field, rule)
    if unknown is not None:
        source.unknown("diagnosis", dg1, 3, unknown)
    if diagnosis is None:
        return None
    recorded = source.when(dg1, 19) or source.when(dg1, 5)
    return changed(diagnosis, {"recorded_at": recorded}) if recorded is not None else diagnosis


def _read_diagnosis(site: Site, method: str, code: str, text: str, rank: str) -> Diagnosed:
    rules: list[tuple[int, str]] = []
    coding, unknown = _coded(site, method, code, text, rules)
    if coding is None:
        return Diagnosed(None, tuple(rules), None)
    rank = sites.clean(rank, site.separators)
    dotted = tables.dotted(coding.code) if coding.system == tables.ICD10CM else coding.code
    diagnosis = made(
        Diagnosis,
        system=coding.system,
        code=dotted if len(dotted) <= TOKEN_MAX else coding.code,
        display=coding.display or _text(site, text, rules),
        rank=int(rank) if rank.isascii() and rank.isdigit() and len(rank) < 4 else None,
        recorded_at=None,
    )
    return Diagnosed(diagnosis, tuple(rules), coding.code if unknown else None)


def _coded(site: Site, method: str, code: str, text: str, rules: list[tuple[int, str]]) -> tuple[Triplet | None, bool]:
    """DG1-3: the ICD-10-CM triplet, else SNOMED CT, else the first; the old layout has its system in DG1-2.

    The second value says that the code is of a system that nobody knows here.
    """
    triplets, long, *_ = sites.codings(site, code)
    rules.extend((3, rule) for rule in long)
    for system in (tables.ICD10CM, tables.SNOMED):
        for coding in triplets:
            if coding.system == system:
                return coding, False
    if not triplets:
        said = _text(site, text, rules)
        return (Triplet(None, said[:TOKEN_MAX], said), False) if said else (None, False)
    first = triplets[0]
    if first.system is None:
        named = site.system(site.text(method, limit=TOKEN_MAX))
        if named is None and _ICD10_SHAPE.fullmatch(first.code.upper()):
            rules.append((3, "no code system: read as ICD-10-CM because of its shape"))
            named = tables.ICD10CM
        first = first._replace(system=named)
    known = first.system in _KNOWN or _is_other_icd(first.system)
    return first, first.coded and not known


def _is_other_icd(system: str | None) -> bool:
    name = (system or "").rpartition(":")[2].upper()
    return name.startswith(_OTHER_ICD)


def _text(site: Site, raw: str, rules: list[tuple[int, str]]) -> str | None:
    said = sites.clean(sites.components(raw, site.separators)[0], site.separators)
    if len(said) > sites.TEXT_MAX:
        rules.append((4, sites.too_long(sites.TEXT_MAX)))
        return None
    return said or None


_diagnosed = lru_cache(maxsize=4096)(_read_diagnosis)
