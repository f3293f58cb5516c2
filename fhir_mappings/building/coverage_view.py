"""The coverage clock on a Task: the extension and the end of ``restriction.period``.

The extension's StructureDefinition stands in ``schemas/structures``; ``docs/coverage-clock.md`` says
what each part means.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from fhir_mappings.building.build_elements import EXTENSION, when
from fhir_mappings.labels import Resource

URL: Final = f"{EXTENSION}/coverage"


@dataclass(frozen=True, slots=True)
class CoverageView:
    """What a reader of the Task needs to know of the medication coverage clock.

    Attributes:
        covered_until: when the first dose without a known source falls due; of an injection the end of the tolerated
            delay.
        confidence: verified, reported, assumed, unknown.
        priority: FHIR request-priority.
        flags: codes of the flag code system.
        next_due: the next dose of the schedule (it differs for long-acting products).
        falls_due: when the first dose without a known source falls due: of an injection its own due time.
        earliest, latest: the window around ``next_due``.
        gap: none, possible, confirmed; None where the clock was not asked.
        possible_gap_at, confirmed_gap_at: from when there is one, if what is unverified is false, and whatever is true.
        hold_partner_until: until then a partner is not pressed.
        asks: what the hospital is asked, codes of the coverage-clock code system.
        hours_without: whole hours since the cover ended, at ``computed_at``.
        computed_at: when something of this changed last.
        returns_on, returns_to: the day from which the person's own program doses again, and its name; of a guest.
    """

    covered_until: datetime | None
    confidence: str
    priority: str | None = None
    flags: tuple[str, ...] = ()
    next_due: datetime | None = None
    falls_due: datetime | None = None
    earliest: datetime | None = None
    latest: datetime | None = None
    gap: str | None = None
    possible_gap_at: datetime | None = None
    confirmed_gap_at: datetime | None = None
    hold_partner_until: datetime | None = None
    asks: tuple[str, ...] = ()
    hours_without: int | None = None
    computed_at: datetime | None = None
    returns_on: date | None = None
    returns_to: str | None = None


def restriction(view: CoverageView | None) -> Resource | None:
    """Task.restriction: by when it is to be done."""
    if view is None or view.covered_until is None:
        return None
    return {"period": {"end": view.covered_until.isoformat()}}


def extension(view: CoverageView) -> Resource:
    """The extension, its parts in the order of its StructureDefinition."""
    return {"url": URL, "extension": [*_parts(view)]}


def _parts(view: CoverageView) -> Iterator[Resource]:
    instants = (
        ("coveredUntil", view.covered_until),
        ("nextDue", view.next_due),
        ("earliest", view.earliest),
        ("latest", view.latest),
        ("possibleGapAt", view.possible_gap_at),
        ("confirmedGapAt", view.confirmed_gap_at),
        ("holdPartnerUntil", view.hold_partner_until),
        ("computedAt", view.computed_at),
    )
    yield from ({"url": url, "valueDateTime": when(at)} for url, at in instants if at is not None)
    if view.returns_on is not None:
        yield {"url": "returnsOn", "valueDate": view.returns_on.isoformat()}
    if view.returns_to is not None:
        yield {"url": "returnsTo", "valueString": view.returns_to}
    yield {"url": "confidence", "valueCode": view.confidence}
    if view.gap is not None:
        yield {"url": "gap", "valueCode": view.gap}
    if view.hours_without is not None:
        yield {"url": "hoursWithoutMedication", "valueUnsignedInt": view.hours_without}
    yield from ({"url": "flag", "valueCode": flag} for flag in view.flags)
    yield from ({"url": "ask", "valueCode": ask} for ask in view.asks)
