"""Results that partners' policies ask for: OBX of a urine drug screen, a pregnancy test or the QTc.

Source: HL7 v2.5.1 chapter 7 (OBX), table 0085 (result status; A, B and V since v2.8). LOINC: the urine drug screens
of ``loinc_uds.csv`` and 82810-3 (pregnancy status); by what else a site measures these, its ``maps.results`` says.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from fhir_mappings.dialects.adt_generic import site as sites
from fhir_mappings.dialects.adt_generic.fields import Source
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.adt_generic.site import Site, Triplet
from fhir_mappings.hl7v2 import Message, Segment
from schemas.codes import tables
from schemas.discharge import DrugScreen
from schemas.sender import ResultMeaning

_COUNTS: Final = frozenset({"F", "C", "P", "A", "B", "V", "U", ""})
"""Table 0085: final, corrected, preliminary, amended, appended, verified, changed to final. Deleted (D), wrong (W), not
obtained (X), not asked (N), pending (I), without result (O), partial (S) and not verified (R) are no result."""
_PREGNANT: Final = {
    **dict.fromkeys(("POS", "POSITIVE", "PREGNANT", "77386006"), True),
    **dict.fromkeys(("NEG", "NEGATIVE", "NOT PREGNANT"), False),
}
"""What can't be taken for anything else; 77386006 is SNOMED CT for pregnant."""
_MILLISECONDS: Final = frozenset({"", "MS", "MSEC", "MSECS", "MILLISECOND", "MILLISECONDS"})
_MOST: Final = 100
"""Drug screens of one message that are kept."""


class Measured(NamedTuple):
    """What an OBX-3 says: what was measured, and the code that says so."""

    meaning: ResultMeaning
    coding: Triplet


class Results(NamedTuple):
    """What the results of a message say; None and empty = nothing."""

    screens: list[DrugScreen]
    pregnant: bool | None
    qtc_ms: int | None


NO_RESULTS: Final = Results([], None, None)


def results(source: Source, message: Message) -> Results:
    """The results that count. Of two pregnancy tests the positive one holds, of two QTc the last."""
    found = [
        (obx, measured)
        for obx in message.all("OBX")
        if (measured := _measured(source.site, obx.raw(3))) is not None and _counts(source, obx)
    ]
    if not found:
        return NO_RESULTS
    screens = [
        screen
        for obx, measured in found
        if measured.meaning == "urine-drug-screen"
        and (screen := _screen(source, message, obx, measured.coding)) is not None
    ]
    tests = [_pregnant(source, obx) for obx, measured in found if measured.meaning == "pregnancy"]
    times = [_qtc(source, obx) for obx, measured in found if measured.meaning == "qtc"]
    return Results(screens[:_MOST], _any(tests), next((time for time in reversed(times) if time is not None), None))


@lru_cache(maxsize=8192)
def _measured(site: Site, raw: str) -> Measured | None:
    if not raw:
        return None
    local = site.sender.maps.results
    for coding in sites.codings(site, raw).triplets:
        meaning = local.get(coding.code) or tables.result_meaning(coding.system, coding.code)
        if meaning is not None:
            return Measured(meaning, coding)
    return None


def _counts(source: Source, obx: Segment) -> bool:
    counts = obx.text(11).strip().upper() in _COUNTS
    if not counts:
        source.note(obx, 11, "the status says that it is no result (table 0085)")
    return counts


def _screen(source: Source, message: Message, obx: Segment, coding: Triplet) -> DrugScreen | None:
    """The result as sent, with unit and flag; what it means is for its reader."""
    said = _said(source, obx)
    if said is None:
        return None
    return made(
        DrugScreen,
        code=coding.code if coding.coded else None,
        system=coding.system,
        display=coding.display,
        result=said,
        at=_taken(source, message, obx),
    )


def _said(source: Source, obx: Segment) -> str | None:
    value = _value(source, obx)
    if value is None:
        return None
    unit, flag = source.token(obx, 6), source.token(obx, 8)
    whole = " ".join([value, *([unit] if unit else []), *([f"({flag})"] if flag else [])])
    return whole if len(whole) <= sites.TEXT_MAX else value


def _value(source: Source, obx: Segment) -> str | None:
    """OBX-5 as text: of a coded one its words, of a structured number all of its parts."""
    kind = obx.text(2).strip().upper()
    if kind in ("CE", "CWE", "CNE", "CF"):
        return source.text(obx, 5, 2) or source.text(obx, 5)
    if kind == "SN":
        parts = [part for number in (1, 2, 3, 4) if (part := source.token(obx, 5, number)) is not None]
        return "".join(parts) or None
    return source.text(obx, 5)


def _taken(source: Source, message: Message, obx: Segment) -> date | datetime | None:
    """OBX-14, else OBR-7 of the request that it stands under."""
    if obx.raw(14):
        return source.when(obx, 14)
    above = [obr for obr in message.all("OBR") if obr.index < obx.index]
    return source.when(above[-1], 7) if above else None


def _pregnant(source: Source, obx: Segment) -> bool | None:
    for word in _words(source, obx):
        known = _PREGNANT.get(word.upper())
        if known is not None:
            return known
    source.note(obx, 5, "neither positive nor negative in so many words: no pregnancy status")
    return None


def _words(source: Source, obx: Segment) -> Iterator[str]:
    for component in (1, 2, 4, 5):
        word = source.token(obx, 5, component)
        if word is not None:
            yield word


def _qtc(source: Source, obx: Segment) -> int | None:
    unit = obx.text(6).strip().upper()
    milliseconds = source.number(obx, 5) if unit in _MILLISECONDS else None
    if milliseconds is None or not 1 <= milliseconds < 1999:
        source.note(obx, 5, "not a time in milliseconds")
        return None
    return round(milliseconds)


def _any(tests: Iterable[bool | None]) -> bool | None:
    known = [test for test in tests if test is not None]
    return any(known) if known else None
