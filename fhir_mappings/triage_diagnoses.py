"""What diagnoses and circumstances say to triage: evidence of opioid use disorder, an overdose, or something weaker."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from re import compile as regex
from typing import Final, Literal

from schemas.codes import tables
from schemas.discharge import Circumstances, Diagnosis

Evidence = Literal["oud-diagnosis", "remission", "current-otp"]

_OUD_ROLES: Final = ("oud-", "opioid-use-unspecified", "withdrawal")
_OUD_TEXT: Final = regex(
    r"(?:opioid|opiate|heroin|fentanyl).*(?:use disorder|dependen|abuse|addict|withdrawal)|\boud\b"
)


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """What the diagnoses and circumstances say."""

    evidence: tuple[Evidence, ...]
    overdose: bool
    weak: tuple[str, ...]
    """Reason codes of what is neither evidence nor nothing."""

    @property
    def oud(self) -> bool:
        """Whether there is evidence of opioid use disorder."""
        return bool(self.evidence)

    @property
    def f11(self) -> bool:
        """Whether there is an F11 diagnosis or anything like one."""
        return "oud-diagnosis" in self.evidence or "remission" in self.evidence or bool(self.weak)


_NOTHING_DIAGNOSED: Final = Diagnosed((), overdose=False, weak=())


def diagnosed(diagnoses: Iterable[Diagnosis], circumstances: Circumstances | None) -> Diagnosed:
    """All that the diagnoses and circumstances of a visit, or of one message, say together."""
    found = {_role(diagnosis) for diagnosis in diagnoses}
    if circumstances is not None:
        if circumstances.current_otp is not None:
            found.add("current-otp")
        if circumstances.clinical.overdose_this_visit is True:
            found.add("overdose")
    found.discard(None)
    if not found:
        return _NOTHING_DIAGNOSED
    kinds: tuple[Evidence, ...] = ("oud-diagnosis", "remission", "current-otp")
    weak = ("f11-not-billable", "f11-system-unknown", "diagnosis-text-only", "opioid-intoxication")
    return Diagnosed(
        tuple(kind for kind in kinds if kind in found),
        "overdose" in found,
        tuple(code for code in weak if code in found),
    )


def _role(diagnosis: Diagnosis) -> str | None:
    return _role_of(diagnosis.system, diagnosis.code, diagnosis.display)


@lru_cache(maxsize=4096)
def _role_of(system: str | None, code: str, display: str | None) -> str | None:
    row = tables.diagnosis(system, code)
    if row is not None:
        return _role_in_triage(row)
    known = tables.system_of(system)
    if tables.dotted(code).startswith("F11") and known in (None, tables.ICD10CM):
        return "f11-system-unknown" if system and known is None else "f11-not-billable"
    if known == tables.ICD10CM:
        return None
    return "diagnosis-text-only" if display and _OUD_TEXT.search(display[:512].lower()) else None


def _role_in_triage(row: tables.DiagnosisRow) -> str | None:
    role = row.role
    if row.code.startswith("F11") and not row.billable:
        return "f11-not-billable"
    if role.endswith("-remission"):
        return "remission"
    if role.startswith(_OUD_ROLES):
        return "oud-diagnosis"
    if role == "intoxication":
        return "opioid-intoxication"
    return "overdose" if is_overdose(row) else None


def is_overdose(row: tables.DiagnosisRow) -> bool:
    """A current opioid overdose: poisoning (6th character 1-4) at the initial encounter (7th A), or the SNOMED role.

    Adverse effects, underdosing, sequelae and later encounters are none; T40.5 (cocaine) is not in the table.
    """
    if row.role == "overdose-poisoning":
        return True
    return row.role.startswith("poisoning-") and row.billable and row.code.endswith("A")


def current_overdose(diagnoses: Iterable[Diagnosis]) -> bool:
    """Whether a diagnosis says that an opioid overdose belongs to this visit."""
    return any(_role(diagnosis) == "overdose" for diagnosis in diagnoses)


def speaks(diagnosis: Diagnosis) -> bool:
    """Whether a diagnosis has part in the verdict, be it as evidence or as something weaker."""
    return _role(diagnosis) is not None
