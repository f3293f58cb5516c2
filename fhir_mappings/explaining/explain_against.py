"""What differs when one message is read by two settings: two sender files, or two registered interfaces."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from fhir_mappings import triage
from fhir_mappings.explaining.explain import Explanation, FieldUse

Side = tuple[Literal["-", "+"], str]
"""A line that only the first (-) or only the second (+) setting has."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Only what differs; false where nothing does."""

    sender: str
    against: str
    fields: tuple[tuple[FieldUse | None, FieldUse | None], ...]
    problems: tuple[Side, ...]
    facts: tuple[Side, ...]
    unmapped: tuple[Side, ...]
    verdicts: tuple[Side, ...]
    times: tuple[Side, ...]
    """How far the time of the fact moves; the times themselves are not shown."""

    def __bool__(self) -> bool:
        return any((self.fields, self.problems, self.facts, self.unmapped, self.verdicts, self.times))


def difference(one: Explanation, other: Explanation) -> Difference:
    """What the second reading of a message has otherwise than the first."""
    return Difference(
        sender=f"{one.sender} ({one.dialect})",
        against=f"{other.sender} ({other.dialect})",
        fields=tuple(_fields(one.fields, other.fields)),
        problems=_sides(one.problems, other.problems),
        facts=_sides(one.facts, other.facts),
        unmapped=_sides(_unmapped(one), _unmapped(other)),
        verdicts=_sides(_verdict(one.verdict), _verdict(other.verdict)),
        times=_moved(one, other),
    )


def _fields(
    ours: tuple[FieldUse, ...], theirs: tuple[FieldUse, ...]
) -> Iterator[tuple[FieldUse | None, FieldUse | None]]:
    first = {(use.segment, use.path): use for use in ours}
    second = {(use.segment, use.path): use for use in theirs}
    told: set[tuple[str, object, object]] = set()
    for place in dict.fromkeys([*first, *second]):
        before, after = first.get(place), second.get(place)
        kind = (place[1], _kind(before), _kind(after))
        if before != after and kind not in told:  # many segments of one name differ alike
            told.add(kind)
            yield before, after


def _kind(use: FieldUse | None) -> object:
    return None if use is None else (use.status, use.target, use.reason, use.idle)


def _sides(ours: Iterable[str], theirs: Iterable[str]) -> tuple[Side, ...]:
    first, second = Counter(ours), Counter(theirs)
    gone: list[Side] = [("-", line) for line in (first - second).elements()]
    come: list[Side] = [("+", line) for line in (second - first).elements()]
    return (*gone, *come)


def _unmapped(explanation: Explanation) -> Iterator[str]:
    return (f"{one.path}  {one.kind}  {one.code}" for one in explanation.unmapped)


def _verdict(verdict: triage.Triage | None) -> Iterator[str]:
    if verdict is not None:
        waits = ", waits while the visit is open" if verdict.pending else ""
        yield f"{verdict.outcome}{waits}: {', '.join(reason.code for reason in verdict.reasons)}"


def _moved(one: Explanation, other: Explanation) -> tuple[Side, ...]:
    if one.at is None or other.at is None or one.at == other.at:
        return ()
    moved = other.at - one.at
    hours = abs(moved) / timedelta(hours=1)
    return (("+", f"what happened is {hours:g} h {'later' if moved > timedelta() else 'earlier'} (time zone)"),)
