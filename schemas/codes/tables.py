"""The code systems that decide: looked up by system and code, read once from the CSV files beside this module.

A table holds only codes that were read in the source named in its row. A code that is not in a table
is *not known here*; it is never taken for its neighbours by prefix (``T40.5`` is cocaine).
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
NDC: Final = "http://hl7.org/fhir/sid/ndc"
ICD10CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD9CM: Final = "http://hl7.org/fhir/sid/icd-9-cm"
SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"
DISCHARGE_DISPOSITION: Final = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

_PREGNANCY_STATUS: Final = "82810-3"
"""LOINC, of US Core 7.0.0 (Observation Pregnancy Status)."""
_NAMES: Final = {
    RXNORM: (RXNORM, "urn:oid:2.16.840.1.113883.6.88", "2.16.840.1.113883.6.88", "rxnorm", "rxn"),
    NDC: (NDC, "urn:oid:2.16.840.1.113883.6.69", "2.16.840.1.113883.6.69", "ndc"),
    ICD10CM: (
        ICD10CM,
        "urn:oid:2.16.840.1.113883.6.90",
        "2.16.840.1.113883.6.90",
        "http://hl7.org/fhir/sid/icd-10",
        "i10",
        "i10c",
        "icd10",
        "icd-10",
        "icd10cm",
        "icd-10-cm",
    ),
    ICD9CM: (ICD9CM, "i9", "i9cdx", "icd-9"),
    SNOMED: (SNOMED, "urn:oid:2.16.840.1.113883.6.96", "2.16.840.1.113883.6.96", "sct", "snm", "snomed", "snomedct"),
    LOINC: (LOINC, "urn:oid:2.16.840.1.113883.6.1", "2.16.840.1.113883.6.1", "ln", "loinc"),
}
_SYSTEMS: Final = {name: system for system, names in _NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class DrugRow:
    """One RxNorm product; ``triage_class`` is daily, lai, needs-dx, not-oud or rescue."""

    code: str
    display: str
    drug: str
    form: str
    triage_class: str
    clock_class: str


@dataclass(frozen=True, slots=True)
class DiagnosisRow:
    """One ICD-10-CM or SNOMED CT code with its part in triage; ``billable`` is False for category headers."""

    system: str
    code: str
    display: str
    role: str
    billable: bool


@dataclass(frozen=True, slots=True)
class NdcHint:
    """An NDC seen on a label. NDCs are reused and re-mapped each month: a hint, never a decision."""

    code: str
    drug: str
    clock_class: str


@dataclass(frozen=True, slots=True)
class DispositionRow:
    """A UB-04 patient discharge status, in our own words.

    ``disposition`` is what the hub calls it: a FHIR discharge-disposition, ``custody`` or ``not-a-discharge``.
    """

    code: str
    display: str
    disposition: str


def _rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def drugs() -> dict[str, DrugRow]:
    """RxNorm code to product."""
    return {
        row["code"]: DrugRow(
            row["code"], row["display"], row["drug"], row["form"], row["triage_class"], row["clock_class"]
        )
        for row in _rows("rxnorm.csv")
    }


@cache
def icd10cm() -> dict[str, DiagnosisRow]:
    """ICD-10-CM code, with its dot, to its role."""
    return {
        row["code"]: DiagnosisRow(ICD10CM, row["code"], row["display"], row["role"], row["billable"] == "yes")
        for row in _rows("icd10cm.csv")
    }


@cache
def snomed() -> dict[str, DiagnosisRow]:
    """SNOMED CT code to its role."""
    return {
        row["code"]: DiagnosisRow(SNOMED, row["code"], row["display"], row["role"], billable=True)
        for row in _rows("snomed.csv")
    }


@cache
def urine_drug_screens() -> frozenset[str]:
    """LOINC codes of drugs measured in urine. Cutoffs, methods and lists of what was tested for are not among them."""
    return frozenset(row["code"] for row in _rows("loinc_uds.csv"))


def result_meaning(system: str | None, code: str) -> Literal["pregnancy", "urine-drug-screen"] | None:
    """What an observation with a LOINC code measures that a referral needs; None where it is nothing of this."""
    if system != LOINC:
        return None
    if code == _PREGNANCY_STATUS:
        return "pregnancy"
    return "urine-drug-screen" if code in urine_drug_screens() else None


@cache
def ub04() -> dict[str, DispositionRow]:
    """UB-04 patient discharge status (two digits) to disposition; only codes that were read in a source."""
    return {
        row["code"]: DispositionRow(row["code"], row["display"], row["hub_disposition"])
        for row in _rows("ub04_discharge_status.csv")
    }


@cache
def _displays(name: str) -> dict[str, str]:
    return {row["code"]: row["display"] for row in _rows(name)}


@cache
def _ndc_hints() -> dict[str, NdcHint]:
    return {
        ndc11(row["code"]) or row["code"]: NdcHint(row["code"], row["drug"], row["clock_class"])
        for row in _rows("ndc_hints.csv")
    }


@cache
def _classes() -> dict[str, str]:
    mapped = {
        row["code"]: row["v3_actcode_proposed_map"].split(" ", 1)[0] for row in _rows("hl7v2_0004_patient_class.csv")
    }
    return {code: act for code, act in mapped.items() if act in ("IMP", "EMER", "OBSENC", "AMB")}


def system_of(name: str | None) -> str | None:
    """The canonical URI of a code system that is known here, whatever its HL7 v2 name or OID; else None."""
    return None if name is None else _SYSTEMS.get(name) or _SYSTEMS.get(name.strip().lower())


def dotted(code: str) -> str:
    """An ICD-10-CM code with its dot: HL7 v2 senders often leave it out (``F1120``)."""
    code = code.strip().upper()
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 and "." not in code else code


def ndc11(code: str) -> str | None:
    """An NDC as 11 digits (5-4-2), or None where its segments can't be told; nothing is stripped."""
    parts = code.strip().split("-")
    if len(parts) == 1:
        return parts[0] if len(parts[0]) == 11 and parts[0].isdigit() else None
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    if any(len(part) > width for part, width in zip(parts, (5, 4, 2), strict=True)):
        return None
    return f"{parts[0]:0>5}{parts[1]:0>4}{parts[2]:0>2}"


def drug(system: str | None, code: str) -> DrugRow | None:
    """The product behind an RxNorm code; None for another system or a code that is not in the table."""
    return drugs().get(code.strip()) if system_of(system) == RXNORM else None


def ndc_hint(system: str | None, code: str) -> NdcHint | None:
    """What an NDC hints at."""
    if system_of(system) != NDC:
        return None
    return _ndc_hints().get(ndc11(code) or code)


def diagnosis(system: str | None, code: str) -> DiagnosisRow | None:
    """The role of a diagnosis code. Without a system, a code that reads as ICD-10-CM is taken as such."""
    canonical = system_of(system)
    if canonical == ICD10CM or not system:
        return icd10cm().get(dotted(code))
    return snomed().get(code.strip()) if canonical == SNOMED else None


def disposition_display(code: str) -> str | None:
    """Display of a FHIR discharge-disposition code."""
    return _displays("fhir_discharge_disposition.csv").get(code)


def act_display(code: str) -> str | None:
    """Display of a v3-ActCode: encounter classes and security labels."""
    return _displays("v3_actcode.csv").get(code)


def encounter_class(code: str) -> str | None:
    """v3-ActCode for an HL7 table 0004 patient class. A site that tells observation apart maps it itself."""
    return _classes().get(code)
