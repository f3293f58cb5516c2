"""The review queue and the health of senders as a person reads them at a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from app.core.clock import iso
from app.services.intake.review_rows import Reason
from app.services.intake.reviews import DayCount, ReviewLine
from app.services.senders.sender_health import Health, Percentiles
from fhir_mappings.explaining.showing import aligned

_COUNTS: Final = ("day", "sender", "opened", "refer", "not ours", "later", "open", "suggests", "daily list")
_SENDERS: Final = (
    "sender",
    "last message",
    "this hour",
    "expected",
    "24 hours",
    "expected",
    "skew",
    "latency",
    "p95",
    "rejected",
    "unmapped",
    "review",
)
_MOST: Final = 10
"""Codes that are shown of each sender; JSON has all."""


# ---- reviews


def queue_text(lines: Sequence[ReviewLine]) -> str:
    """Each item with why it is here, what was read and what is missing; times to the minute."""
    if not lines:
        return "Nothing waits for a person."
    return "\n\n".join("\n".join(_item(line)) for line in lines)


def _item(line: ReviewLine) -> Iterator[str]:
    put_off = f"  put off until {_minute(line['later_until'])}" if line["later_until"] else ""
    yield f"{line['visit']}  {line['sender']}  since {_minute(line['since'])}{put_off}"
    yield from _block("why", [f"{code}: {text}" for code, text in _reasons(line)])
    yield from _block("read", list(_read(line["read"])))
    yield from _block("missing", line["missing"])
    yield from _block("suggests", [", ".join(line["suggested"])] if line["suggested"] else [])
    yield from _block("draft", [f"ServiceRequest/{line['referral']}"] if line["referral"] else [])
    given = line["answer"]
    yield from _block("answered", [f"{given['answer']}, {_minute(given['at'])}, {given['by']}"] if given else [])


def _reasons(line: ReviewLine) -> list[Reason]:
    return [(reason["code"], reason["text"]) for reason in line["reasons"]]


def _block(name: str, texts: Sequence[str]) -> Iterator[str]:
    for n, text in enumerate(texts):
        yield f"  {name if n == 0 else '':<9} {text}"


def _read(read: dict[str, Any] | None) -> Iterator[str]:
    if read is None:
        yield "nothing is kept of its visit"
        return
    for drug in read["drugs"]:
        yield f"{_named(drug)}: {', '.join(_stated(drug)) or 'nothing that stands'}"
    for diagnosis in read["diagnoses"]:
        yield _named(diagnosis)
    if read["ended_at"]:
        yield ", ".join(filter(None, (f"left {_minute(read['ended_at'])}", read["disposition"])))


def _named(one: dict[str, Any]) -> str:
    drug = f"{one['drug']}, by {one['known_by']} only" if one.get("drug") and one["display"] is None else None
    text = one["display"] or drug
    return f"{one['code']} {text}" if text else str(one["code"])


def _stated(drug: dict[str, Any]) -> Iterator[str]:
    if drug["ordered"]:
        yield "ordered"
    if drug["withdrawn"]:
        yield "order withdrawn"
    if drug["given"]:
        more = f" ({len(drug['given'])} doses)" if len(drug["given"]) > 1 else ""
        yield f"last given {_minute(drug['given'][-1])}{more}"
    if drug["not_given"]:
        yield f"not given {drug['not_given']}"
    if drug["supplied"]:
        yield "for the way home"


def _minute(instant: str) -> str:
    """``2026-06-05 14:10Z`` or, as stated, with its offset; a day alone stays one."""
    if len(instant) <= len("2026-06-05"):
        return instant
    offset = "Z" if instant.endswith(("Z", "+00:00")) else instant[-6:]
    return f"{instant[:10]} {instant[11:16]}{offset}"


def counts_text(counts: Sequence[DayCount]) -> str:
    """One line per day and sender, the newest day first."""
    rows = [
        [
            one.day.isoformat(),
            one.sender,
            *map(str, (one.opened, one.refer, one.not_ours, one.later, one.open, one.suggested, one.listed)),
        ]
        for one in counts
    ]
    return "\n".join(aligned([_COUNTS, *rows], indent=0)) if rows else "Nothing was in the queue."


# ---- senders


def health_text(found: Sequence[Health]) -> str:
    """A line per sender, and below what is wrong or left to do."""
    if not found:
        return "No sender is registered."
    named = [one for one in found if one.sender is not None]
    lines = aligned([_SENDERS, *map(_cells, named)], indent=0)
    for one in found:
        notes = list(_notes(one))
        if notes:
            lines += ["", one.sender or "messages of nobody", *(f"  {note}" for note in notes)]
    return "\n".join(lines)


def _cells(one: Health) -> list[str]:
    return [
        one.sender or "",
        _instant(one.last_message) if one.last_message is not None else "never",
        str(one.this_hour),
        _about(one.expected_this_hour),
        str(one.last_24h),
        _about(one.expected_24h),
        _seconds(one.skew_seconds, 50),
        _seconds(one.latency_seconds, 50),
        _seconds(one.latency_seconds, 95),
        str(sum(one.rejected.values())),
        str(len(one.unmapped)),
        str(one.review),
    ]


def _about(number: float | None) -> str:
    return "-" if number is None else f"{number:.0f}" if number >= 10 else f"{number:.1f}"


def _seconds(found: Percentiles | None, which: int) -> str:
    if found is None:
        return "-"
    seconds = found.p50 if which == 50 else found.p95
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= 2 * size or (abs(seconds) == size):
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds} s"


def _notes(one: Health) -> Iterator[str]:
    if one.silent_since is not None:
        missing = f": about {one.expected_since:.0f} messages should have come" if one.expected_since else ""
        yield f"SILENT since {_instant(one.silent_since)}{missing}"
    for unit in one.units:
        waiting, named = f"visits that wait: {unit.waiting}", f"messages that name it: {unit.messages}"
        yield f"to do: classify unit {unit.unit} ({waiting}, {named})"
    if one.rejected:
        yield "rejected: " + ", ".join(f"{reason} {number}" for reason, number in one.rejected.items())
    if one.unmapped:
        shown = ", ".join(f"{code.kind} {code.code} {code.messages}" for code in one.unmapped[:_MOST])
        more = f" and {len(one.unmapped) - _MOST} more" if len(one.unmapped) > _MOST else ""
        yield f"codes that are not mapped: {shown}{more}"
    if one.daily_list:
        yield f"lines of the daily list: {one.daily_list} (throughline review --daily-list)"


def _instant(micros: int) -> str:
    return _minute(iso(micros))
