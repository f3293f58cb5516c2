"""Which of the charted doses stand: what a source says anew replaces what it said before.

A dose is known by its time, so a source that corrects the time of a dose states a second one. Of the doses of one
source and drug within half an interval of each other only those of its newest statement stand: in the clock, in the
letter, and wherever else a dose is read. A charting system states each dose by itself: there a dose is gone where it
was taken back (RXA-21 ``D``), and replaces another only where it says so (``U``) and was not charted at its own time.
"""

from bisect import bisect, insort
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from re import compile as regex
from typing import Final

from fhir_mappings import triage
from fhir_mappings.visits.visit_step import OWN_DOSE
from schemas.base import changed
from schemas.dose_times import between
from schemas.facts import GivenDose, VisitRecord

_DURATION: Final = regex(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")


@lru_cache(maxsize=256)
def interval_hours(interval: str | None) -> float | None:
    """The hours of an ISO 8601 duration as ``schemas.discharge.Interval`` allows; None when there is none."""
    match = _DURATION.fullmatch(interval) if interval else None
    if match is None:
        return None
    weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
    return weeks * 168 + days * 24 + hours + minutes / 60 or None


def standing(record: VisitRecord) -> list[GivenDose]:
    """Every charted dose that holds now, held and refused ones too."""
    doses = [
        changed(dose, {"updates": False}) if dose.updates and f"{OWN_DOSE}{dose.key}" in record.stamps else dose
        for dose in record.doses.values()
        if not dose.deleted
    ]
    if all(_charts(dose) for dose in doses):
        return doses
    void = {id(dose) for alike in _alike(doses) for dose in _replaced(alike)}
    return [dose for dose in doses if id(dose) not in void]


def _charts(dose: GivenDose) -> bool:
    """Whether its source charts every dose by itself, and this is a further one."""
    return (dose.source is None or dose.source.startswith("hl7v2:")) and not dose.updates


def _alike(doses: Iterable[GivenDose]) -> Iterable[list[GivenDose]]:
    """Doses of one source and drug that were really given."""
    found: dict[tuple[str, str], list[GivenDose]] = {}
    for dose in doses:
        if dose.source is not None and triage.is_given(dose):
            drug = triage.classify(dose.product)
            found.setdefault((dose.source, drug.clock_class if drug else ""), []).append(dose)
    return found.values()


def _replaced(alike: list[GivenDose]) -> Iterator[GivenDose]:
    """Those that were said otherwise since: each is compared with its neighbours in time among what was said later."""
    later: list[GivenDose] = []
    for _, said in groupby(sorted(alike, key=_charted, reverse=True), key=_charted):
        together = [*said]
        for dose in together:
            place = bisect(later, _instant(dose), key=_instant)
            if any(_same(newer, dose) for newer in later[max(place - 1, 0) : place + 1]):
                yield dose
        for dose in together:
            if not _charts(dose):
                insort(later, dose, key=_instant)


def _same(newer: GivenDose, older: GivenDose) -> bool:
    """Whether both tell of one dose: within half an interval, or on the day that one of them names without a time."""
    if _day(newer.at) == _day(older.at) and not (isinstance(newer.at, datetime) and isinstance(older.at, datetime)):
        return True
    return abs(_instant(newer) - _instant(older)) < _half(newer)


def _half(dose: GivenDose) -> timedelta:
    drug = triage.classify(dose.product)
    hours = interval_hours(dose.interval)
    return between(drug.clock_class if drug else "", timedelta(hours=hours) if hours else None) / 2


def _charted(dose: GivenDose) -> datetime:
    return dose.charted_at


def _instant(dose: GivenDose) -> datetime:
    return triage.moment(dose, dose.charted_at)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at
