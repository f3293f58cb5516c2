"""Which visits a message is about, and which of them turn out to be one. Pure.

Two candidates or none are never guessed about: the message waits, and then a human decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.rules import lifecycle
from app.services.intake.intake_reading import Part
from app.services.referral.situation import Stored
from app.services.referral.visit_file import VisitFile, is_open_at
from fhir_mappings.visits import visit_join
from schemas.base import changed
from schemas.facts import FactKind, Facts, VisitRecord

_OPENING: Final = frozenset[FactKind]({"admit", "pre-admit", "transfer", "class-change", "discharge"})
"""Kinds of message that open a visit of their own when none is known."""
_OF_PERSONS: Final = frozenset[FactKind]({"person", "merge", "unlink"})
"""Kinds that are about a person, in every visit that is known, and never open one."""
_RENUMBERING: Final = frozenset[FactKind]({"merge", "move", "class-change"})
"""Kinds that may say of two numbers that they are one visit."""
_JOINING: Final = frozenset[FactKind]({"admit", "class-change", "discharge"})
"""Kinds after which an emergency visit and a stay may turn out to be one."""
_LEAVING: Final = _JOINING | {"cancel-visit"}
"""Kinds of which the person's earlier visits may have to know: they come to the hospital, or are not there any more."""
_STATUS_RANK: Final = {"draft": 1, "requested": 2, **dict.fromkeys(lifecycle.ENGAGED, 3), "completed": 3}


class Targets(NamedTuple):
    """The visits that take the facts of a message. ``one``: their numbers stand for a single visit."""

    files: tuple[VisitFile, ...]
    one: bool = False


class NoVisit(NamedTuple):
    """Why no visit can be told."""

    code: str
    text: str


class Joined(NamedTuple):
    """A visit and those that went into it."""

    file: VisitFile
    absorbed: tuple[VisitFile, ...] = ()
    numbers: tuple[str, ...] = ()
    """Keyed hashes of the visit identifiers that the message gives it."""
    persons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidates:
    """Visits that a message may be about."""

    by_number: Sequence[VisitFile]
    by_person: Sequence[VisitFile]
    """Without those of ``by_number``."""

    def of(self, part: Part) -> "Candidates":
        """Those of one person or pair of numbers among them."""
        return Candidates(
            [file for file in self.by_number if not set(part.numbers).isdisjoint(file.content.numbers)],
            [file for file in self.by_person if not set(part.persons).isdisjoint(file.content.persons)],
        )

    def also(self, begun: Sequence[VisitFile]) -> "Candidates":
        """With visits that an earlier part of the same message has numbered."""
        return Candidates([*self.by_number, *(file for file in begun if file not in self.by_number)], self.by_person)


def of_the_person_alone(facts: Facts) -> Facts:
    """The facts without what they say of one visit, for the other visits of the person."""
    return changed(facts, {"visit": None, "merged_visits": [], "facility": None, "visit_status_ended": None})


def needs_the_person(facts: Facts, numbers: Sequence[str]) -> bool:
    """Whether the visits of the person must be known, because the number of the visit does not settle everything."""
    if not numbers or facts.kind in _OF_PERSONS or facts.kind in _LEAVING:
        return True
    return facts.kind == "update" and facts.visit is not None and facts.visit.discharged_at is not None


def find(part: Part, candidates: Candidates, kept: timedelta) -> Targets | NoVisit | None:
    """The visits that a message is about; None = one that nobody has heard of.

    Args:
        part: what it says of one person.
        candidates: the visits that it may be about.
        kept: so long after its end a visit still takes what is said of its person.
    """
    facts, by_number = part.facts, candidates.by_number
    if facts.handled and facts.kind in _OF_PERSONS:
        return _of_the_person(part, candidates, kept)
    if len(by_number) == 1:
        return Targets((by_number[0],))
    if len(by_number) > 1:
        if facts.handled and facts.kind in _RENUMBERING:
            return Targets(tuple(by_number), one=True)
        return NoVisit("visit-ambiguous", "Its identifiers belong to more than one visit.")
    return _open_then(part, candidates.by_person)


def _open_then(part: Part, of_the_person: Sequence[VisitFile]) -> Targets | NoVisit | None:
    facts = part.facts
    open_then = [file for file in of_the_person if is_open_at(file.content.record, facts.at)]
    if part.numbers:
        # "Outpatient becomes inpatient" under a new number: the visit that was open goes on.
        goes_on = facts.handled and facts.kind == "class-change" and len(open_then) == 1
        return Targets((open_then[0],)) if goes_on else None
    if len(open_then) == 1:
        return Targets((open_then[0],))
    if open_then:
        return NoVisit("visit-ambiguous", "More than one visit of this person was open then.")
    if facts.handled and facts.kind in _OPENING:
        return None
    return NoVisit("visit-unknown", "No visit of this person is known to have been open then.")


def _of_the_person(part: Part, candidates: Candidates, kept: timedelta) -> Targets | NoVisit:
    facts = part.facts
    if facts.merged_visits and candidates.by_number:
        return Targets(tuple(candidates.by_number), one=True)
    files = [*candidates.by_number, *candidates.by_person]
    if facts.kind == "person":
        files = [file for file in files if not _over(file.content.record, facts.at - kept)]
    return Targets(tuple(files)) if files else NoVisit("visit-unknown", "No visit of this person is known.")


def _over(record: VisitRecord, since: datetime) -> bool:
    return record.cancelled or (record.ended_at is not None and record.ended_at < since)


def joined(file: VisitFile, others: Iterable[VisitFile], rows: Mapping[str, Stored], within: timedelta) -> Joined:
    """The visit, with the one among ``others`` that it continues or that continues it; never one of two."""
    record = file.content.record
    before = [one for one in others if visit_join.continues(one.content.record, record, within)]
    after = [one for one in others if visit_join.continues(record, one.content.record, within)]
    if len(before) + len(after) != 1:
        return Joined(file)
    first, second = (before[0], file) if before else (file, after[0])
    together = visit_join.follow(first.content.record, second.content.record)
    kept, absorbed = sorted((first, second), key=lambda one: _weight(one, rows), reverse=True)
    kept.content.record = together
    return Joined(kept, (absorbed,))


def fused(files: Sequence[VisitFile], rows: Mapping[str, Stored], within: timedelta) -> Joined:
    """Visits whose numbers stand for one."""
    kept, *absorbed = sorted(files, key=lambda one: _weight(one, rows), reverse=True)
    for other in absorbed:
        kept.content.record = visit_join.fuse(kept.content.record, other.content.record, within)
    return Joined(kept, tuple(absorbed))


def _weight(file: VisitFile, rows: Mapping[str, Stored]) -> tuple[int, bool]:
    """Which of two visits goes on: the one with the referral that got furthest, then the one that is stored."""
    link = file.content.referral
    statuses = [str(rows[need.task].resource["status"]) for need in link.needs if need.task in rows] if link else []
    return max((_STATUS_RANK.get(status, 0) for status in statuses), default=0), file.version > 0
