"""The stay: EVN, PV1, PV2, PID-18 and DG1.

Source: HL7 v2.5.1 chapter 3; class by table 0004, disposition by the sender's map, else by the UB-04 patient
discharge status (form locator 17), because table 0112 has no values of its own.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Final, get_args

from fhir_mappings.dialects.adt_generic.fields import TOKEN_MAX, Source, Triplet
from fhir_mappings.hl7v2 import Message, Segment
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


def visit(source: Source, message: Message, kind: FactKind) -> tuple[VisitDetails | None, bool | None]:
    """The stay, and whether this message ends it (False: its disposition says that it goes on)."""
    pid, pv1, pv2 = message.first("PID"), message.first("PV1"), message.first("PV2")
    identifiers = list(_identifiers(source, pid, pv1))
    if pv1 is None:
        details = VisitDetails(identifiers=identifiers) if identifiers else None
        return details, True if kind == "discharge" else None
    # An A13 may repeat time and disposition of the very discharge that it takes back.
    left = kind != "cancel-discharge"
    disposition = _disposition(source, pv1) if left else None
    details = VisitDetails(
        identifiers=identifiers,
        class_=_class(source, pv1),
        admitted_at=source.when(pv1, 44),
        expected_discharge_at=source.when(pv2, 9) if pv2 is not None else None,
        discharged_at=source.when(pv1, 45) or _occurred(source, message, kind) if left else None,
        unit=source.token(pv1, 3),
        disposition=_DISPOSITIONS.get(disposition or ""),
        destination=source.text(pv1, 37),
        attending=source.clinician(pv1, 7),
    )
    if disposition == _NOT_A_DISCHARGE:
        return details, False
    return details, True if kind == "discharge" else None


def pregnant(pv1: Segment | None) -> bool:
    """PV1-15 B6."""
    return pv1 is not None and any(pv1.text(15, 1, 1, number) == _PREGNANT for number in range(pv1.repetitions(15)))


def diagnoses(source: Source, message: Message) -> tuple[list[Diagnosis], list[Diagnosis]]:
    """Diagnoses that stand, and those that were taken back (DG1-21 D)."""
    standing: list[Diagnosis] = []
    removed: list[Diagnosis] = []
    for dg1 in message.all("DG1")[:500]:
        diagnosis = _diagnosis(source, dg1)
        if diagnosis is not None:
            (removed if dg1.text(21) == "D" else standing).append(diagnosis)
    return standing, removed


def _identifiers(source: Source, pid: Segment | None, pv1: Segment | None) -> Iterable[Identifier]:
    for segment, field, type_code in ((pv1, 19, "VN"), (pid, 18, "AN"), (pv1, 50, "VN")):
        found = source.identifier(segment, field, type_code) if segment is not None else None
        if found is not None:
            yield found


def _occurred(source: Source, message: Message, kind: FactKind) -> date | datetime | None:
    """EVN-6 of a discharge: when it happened, where PV1-45 does not say."""
    evn = message.first("EVN") if kind == "discharge" else None
    return source.when(evn, 6) if evn is not None else None


def _class(source: Source, pv1: Segment) -> VisitClass | None:
    code = pv1.text(2).strip()
    if not code:
        return None
    found = source.sender.maps.class_.get(code) or _CLASSES.get(tables.encounter_class(code.upper()) or "")
    if found is None:
        source.note(pv1, 2, "patient class is neither in the sender's map nor in table 0004 with a meaning here")
    return found


def _disposition(source: Source, pv1: Segment) -> str | None:
    sent = pv1.text(36).strip()
    if not sent:
        return None
    found = source.sender.maps.disposition.get(sent) or _ub04(sent) or _DISPOSITIONS.get(sent.lower())
    if found is None:
        source.note(pv1, 36, "disposition is neither in the sender's map nor a UB-04 discharge status known here")
    return found


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
    coding = _coded(source, dg1)
    if coding is None:
        return None
    rank = dg1.text(15).strip()
    dotted = tables.dotted(coding.code) if coding.system == tables.ICD10CM else coding.code
    return Diagnosis(
        system=coding.system,
        code=dotted if len(dotted) <= TOKEN_MAX else coding.code,
        display=coding.display or source.text(dg1, 4),
        rank=int(rank) if rank.isascii() and rank.isdigit() and len(rank) < 4 else None,
        recorded_at=source.when(dg1, 19) or source.when(dg1, 5),
    )


def _coded(source: Source, dg1: Segment) -> Triplet | None:
    """DG1-3: the ICD-10-CM triplet, else SNOMED CT, else the first; the old layout has its system in DG1-2."""
    codings = source.codings(dg1, 3)
    for system in (tables.ICD10CM, tables.SNOMED):
        for coding in codings:
            if coding.system == system:
                return coding
    if not codings:
        text = source.text(dg1, 4)
        return Triplet(None, text[:TOKEN_MAX], text) if text else None
    first = codings[0]
    if first.system is not None:
        return first
    method = source.system(source.token(dg1, 2))
    if method is None and _ICD10_SHAPE.fullmatch(first.code.upper()):
        source.note(dg1, 3, "no code system: read as ICD-10-CM because of its shape")
        method = tables.ICD10CM
    return first._replace(system=method)
