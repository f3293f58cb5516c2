"""How a referral stands, in lines that a person reads: what of an answer to the hospital is text. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.codes.local import CODES, NEED, OUTCOME, PROGRESS

Resource = dict[str, Any]
_LONGEST: Final = 180
"""Characters of a line: some receivers take a text of less than 200 only."""
_WITH_REASON: Final = frozenset({"on-hold", "not-seen", "arrived"})
_WITH_COVER: Final = frozenset(
    {"asked", "accepted", "needs-a-person", "consent-needed", "route-needed", "on-hold", "not-seen"}
)
"""Where it matters until when the person is covered: no dose is known to have been given."""
_WITH_OUTPUTS: Final = frozenset({"arrived", "in-progress", "first-dose-given", "completed", "not-seen"})


@dataclass(frozen=True, slots=True)
class Telling:
    """What the lines are made from."""

    task: Resource
    """The source Task, without what may not be told."""
    need: str
    progress: str
    said_at: datetime
    zone: ZoneInfo
    """Of the hospital."""
    partner: str | None = None
    """Name of who accepted."""
    phone: str | None = None
    next_intake: datetime | None = None
    """When that partner next takes somebody in, by its own hours."""
    notice: Sequence[str] = ()
    """What must be said with it, by law."""


def lines(telling: Telling) -> list[str]:
    """One fact a line, or several lines where it is long; none has a line break in it."""
    return [line for fact in (*_facts(telling), *telling.notice) for line in _broken(fact)]


def _broken(fact: str) -> Iterator[str]:
    for part in fact.splitlines():
        yield from wrap(part, _LONGEST)


def _facts(telling: Telling) -> Iterator[str]:
    progress = telling.progress
    yield f"Referral: {CODES[NEED][telling.need].display}"
    yield f"Status: {CODES[PROGRESS][progress].display} ({_local(telling.said_at, telling.zone)})"
    if telling.partner is not None:
        yield f"Partner: {telling.partner}{f', telephone {telling.phone}' if telling.phone else ''}"
    if telling.next_intake is not None and progress == "accepted":
        yield f"Next intake: {_local(telling.next_intake, telling.zone)}, by the partner's hours"
    reason = telling.task.get("statusReason", {}).get("text")
    if reason and progress in _WITH_REASON:
        yield f"Reason: {reason}"
    if progress in _WITH_OUTPUTS:
        yield from (
            f"Reported{_of(output)}: {said}" for output in telling.task.get("output", ()) if (said := _said(output))
        )
    if progress in _WITH_COVER:
        yield _cover(telling.task, telling.zone)


def _of(output: Mapping[str, Any]) -> str:
    """What the value of an output is, in brackets; of an outcome that is plain."""
    kind = output.get("type", {})
    if any(one.get("system") == OUTCOME for one in kind.get("coding", ())):
        return ""
    words = _words(kind)
    return f" ({words})" if words else ""


def _said(output: Mapping[str, Any]) -> str | None:
    """The words of an output: its value where that is text or a code. A resource is read by FHIR."""
    for key in ("valueString", "valueMarkdown", "valueDateTime", "valueDate", "valueInstant"):
        if key in output:
            return str(output[key])
    return _words(output.get("valueCodeableConcept"))


def _words(concept: Mapping[str, Any] | None) -> str | None:
    if not concept:
        return None
    displays = [one.get("display") or one.get("code") for one in concept.get("coding", ())]
    found: str | None = concept.get("text") or next((one for one in displays if one), None)
    return found


def _cover(task: Resource, zone: ZoneInfo) -> str:
    """The last day on which nothing is missing: the one before the first dose without a source falls due."""
    end = task.get("restriction", {}).get("period", {}).get("end")
    if end is None:
        return "Last covered day: not known"
    until = datetime.fromisoformat(end).astimezone(zone)
    day = (until - timedelta(days=1)).date()
    return f"Last covered day: {day.isoformat()} (a dose without a known source falls due {_local(until, zone)})"


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
