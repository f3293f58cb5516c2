"""What a drug product is to triage: its class, its clock, and how it is known.

The RxNorm table decides; an NDC or a text gives a hint. A code of which nothing can be told is none of our
drugs, but it is kept with its visit: beside evidence of opioid use disorder a human must look at it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from re import Pattern
from re import compile as regex
from typing import Final, Literal

from schemas.codes import tables
from schemas.discharge import Coding, Dose, Product
from schemas.facts import GivenDose

TriageClass = Literal["daily", "lai", "needs-dx", "hint", "doubtful", "not-oud", "rescue", "unknown"]
"""``unknown``: a code that is in no table and came without text."""
KnownBy = Literal["rxnorm", "ndc", "text"]


@dataclass(frozen=True, slots=True)
class Drug:
    """What a product is. ``clock_class`` is that of ``rxnorm.csv``; ``by`` says how it is known."""

    drug: str
    triage_class: TriageClass
    clock_class: str
    by: KnownBy


_NAMES: Final = (
    (regex(r"\b(?:butrans|belbuca|buprenex|simbadol|zorbium)"), "not-oud"),
    (regex(r"\b(?:brixadi|sublocade|suboxone|subutex|zubsolv|bunavail|probuphine|bupreno)"), "buprenorphine"),
    (regex(r"\b(?:methadon|methados|dolophine|diskets)"), "methadone"),
    (regex(r"\b(?:naltrex|vivitrol|revia\b)"), "naltrexone"),
    (regex(r"\b(?:naloxone|narcan|kloxxado|zimhi|rextovy|evzio)"), "rescue"),
)
_DOUBTFUL: Final = {
    "buprenorphine": regex(r"transdermal|\bpatch|\bmcg|microgram|0\.3 ?mg/ml|veterinar|^(?!.*nalox).*buccal"),
    "methadone": regex(r"\bpain\b|analges"),
    "naltrexone": regex(r"contrave|bupropion"),
}
_CLOCKS: Final[dict[str, tuple[tuple[Pattern[str], str], ...]]] = {
    "buprenorphine": (
        (regex(r"probuphine|implant"), "implant"),
        (regex(r"sublocade"), "bup-lai-monthly-sublocade"),
        (
            regex(r"^(?=.*(?:brixadi|inject|syringe|extended|depot))(?=.*(?:monthly|\b356\b))"),
            "bup-lai-monthly-brixadi",
        ),
        (regex(r"^(?=.*(?:inject|syringe|extended|depot))(?=.*\b[13]00 ?mg)"), "bup-lai-monthly-sublocade"),
        # Weekly or monthly unknown counts as weekly: the earlier next dose is the safe one.
        (regex(r"brixadi|inject|syringe|extended|depot"), "bup-lai-weekly-brixadi"),
        (regex(""), "bup-daily"),
    ),
    "methadone": ((regex(""), "methadone-daily"),),
    "naltrexone": (
        (regex(r"vivitrol|\bxr\b|\ber\b|extended|inject|depot|microsph|\b380\b"), "xr-ntx"),
        (regex(""), "ntx-oral-daily"),
    ),
}
_UNKNOWN: Final = Drug("", "unknown", "none", "text")


def classify(product: Product) -> Drug | None:
    """What a product is, or None where it is none of our drugs.

    RxNorm decides, whichever of the codes carries it; else an NDC or the text gives a hint.
    """
    drug = look_up(product)
    return None if drug is _UNKNOWN else drug


def is_kept(product: Product) -> bool:
    """Whether the visit must remember a product: one of our drugs, or a code of which nothing can be told."""
    return look_up(product) is not None


def look_up(product: Product) -> Drug | None:
    """Like ``classify``, with a code of which nothing can be told as a drug of class ``unknown``."""
    return _look_up(_key(product), tuple([_key(other) for other in product.alternates]))


def _key(coding: Coding) -> tuple[str | None, str, str | None]:
    return coding.system, coding.code, coding.display


@lru_cache(maxsize=4096)
def _look_up(
    first: tuple[str | None, str, str | None], others: tuple[tuple[str | None, str, str | None], ...]
) -> Drug | None:
    codings = (first, *others)
    for system, code, _ in codings:
        row = tables.drug(system, code)
        if row is not None:
            return Drug(row.drug, _table_class(row.triage_class), row.clock_class, "rxnorm")
    parts = (part for _, code, display in codings for part in (display, code) if part)
    text = " ".join(" ".join(parts).lower().split())
    by_text = _by_text(text)
    for system, code, _ in codings:
        hint = tables.ndc_hint(system, code)
        if hint is not None:
            clock = by_text.clock_class if by_text is not None and by_text.drug == hint.drug else hint.clock_class
            return Drug(hint.drug, "hint", clock, "ndc")
    return by_text or (_UNKNOWN if _tells_nothing(codings) else None)


def _tells_nothing(codings: Iterable[tuple[str | None, str, str | None]]) -> bool:
    """No text, and no RxNorm code: that table is curated, so what it leaves out is another drug."""
    return not any(display or tables.system_of(system) == tables.RXNORM for system, _, display in codings)


def _table_class(name: str) -> TriageClass:
    known: dict[str, TriageClass] = {
        "daily": "daily",
        "lai": "lai",
        "needs-dx": "needs-dx",
        "not-oud": "not-oud",
        "rescue": "rescue",
    }
    return known[name]


def _by_text(text: str) -> Drug | None:
    name = next((name for pattern, name in _NAMES if pattern.search(text)), None)
    if name is None:
        return None
    if name == "not-oud":
        return Drug("buprenorphine", "not-oud", "none", "text")
    if name == "rescue":
        return Drug("naloxone", "rescue", "none", "text")
    clock = next(clock for pattern, clock in _CLOCKS[name] if pattern.search(text))
    return Drug(name, "doubtful" if _DOUBTFUL[name].search(text) else "hint", clock, "text")


def is_given(dose: Dose) -> bool:
    """Whether a dose really went into the person: not held, refused, taken back or of amount zero."""
    if dose.held or dose.amount == 0:
        return False
    return not isinstance(dose, GivenDose) or (not dose.deleted and dose.outcome in ("complete", "partial"))


def moment(dose: Dose, fallback: datetime) -> datetime:
    """The instant of a dose. A day without time is its first moment, in the zone of ``fallback``."""
    if isinstance(dose.at, datetime):
        return dose.at
    return datetime.combine(dose.at, time.min, tzinfo=fallback.tzinfo)
