"""What of a referral its hospital is told by HL7 v2, and when there is nothing to tell. Pure.

A source Task is told of as the hospital may read it: where no consent covers the way back, with the same veil
(``returning``). What the hospital did itself it is not told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from app.core.json_meaning import same
from app.rules import lifecycle, returning
from app.rules.codings import codes_in
from schemas.codes.local import BUSINESS_STATUS, OUTCOME, STATUS_REASON

Task = dict[str, Any]
Verbosity = Literal["all", "two"]

_BY_THE_HOSPITAL: Final = frozenset(
    {"discharge-cancelled", "visit-cancelled", "admitted", "order-withdrawn", "died", "withdrawn", "duplicate"}
)
"""Reasons of an end that the hospital brought about, or (death) knows before the hub."""
_WAITS_FOR: Final = ("needs-a-person", "consent-needed", "route-needed")
_NOT_SEEN: Final = frozenset({"no-show", "not-reached", "declined-by-person"})
_THE_TWO: Final = frozenset({"first-dose-given", "not-seen"})


@dataclass(frozen=True, slots=True)
class Progress:
    """How a referral stands, as its hospital may know it."""

    code: str
    """Of the local code system ``progress``."""
    final: bool
    """Nothing follows."""
    task: Task
    """The source Task, without what may not be told."""


def partner_of(source: Task, children: Sequence[Task]) -> Task | None:
    """The child whose life the source shows: who accepted; None where nobody has.

    Args:
        source: a version of the source Task, which may be an earlier one.
        children: as they stand now.
    """
    reason, over = source.get("statusReason"), source["status"] in {"cancelled", "on-hold"}
    asked = [child for child in children if _is_asked(source, child)]
    told_why = [child for child in asked if child.get("statusReason") == reason]
    # A pause is told of whoever has paused, or lost the place, whoever has accepted since.
    places = [(told_why, _PAUSED), (told_why, _LOST)] if source["status"] == "on-hold" else []
    for among, statuses in (*places, (asked, _TAKEN), (asked, _FAILED)):
        found = next((child for child in among if child["status"] in statuses), None)
        if found is not None:
            return found
    # It ended after an acceptance, by either side: the source has the reason of the child.
    return next((child for child in told_why if child["status"] == "cancelled" and over), None)


_PAUSED: Final = frozenset({"on-hold"})
_LOST: Final = frozenset({"failed", "cancelled"})
_TAKEN: Final = lifecycle.ENGAGED | {"completed"}
_FAILED: Final = frozenset({"failed"})


def _is_asked(source: Task, child: Task) -> bool:
    """Whether the child was there when the source was as it is here."""
    when, since = source.get("lastModified"), child.get("authoredOn")
    return when is None or since is None or datetime.fromisoformat(since) <= datetime.fromisoformat(when)


def as_it_stands(source: Task, partner: Task | None, children: Sequence[Task]) -> Task:
    """The source without what an earlier partner reported, whose place was lost: it says nothing of ``partner``."""
    earlier = [one for child in children if child is not partner for one in child.get("output", ())]
    if partner is None or not earlier or "output" not in source:
        return source
    own = partner.get("output", ())
    kept = [one for one in source["output"] if _is_among(one, own) or not _is_among(one, earlier)]
    return {**source, "output": kept}


def _is_among(output: Any, outputs: Sequence[Any]) -> bool:
    return any(same(output, one) for one in outputs)


def progress_of(source: Task, partner: Task | None, *, covered: bool) -> Progress | None:
    """How the referral stands; None where there is nothing that the hospital does not know.

    Args:
        source: a version of the source Task.
        partner: ``partner_of`` it, as it stands now.
        covered: whether the hospital may be told now what that partner reports.
    """
    said = codes_in(source.get("businessStatus"), BUSINESS_STATUS)
    if "consent-withdrawn" in said:
        return Progress("consent-withdrawn", final=False, task=returning.veiled(source))
    status = source["status"]
    if status == "requested":
        waits = next((code for code in _WAITS_FOR if code in said), None if said else "asked")
        # Anything else that it is marked with (a fallback that was chosen) is the hospital's own doing.
        return None if waits is None else Progress(waits, final=False, task=source)
    if status == "draft" or status not in _REPORTED or _ended_by_the_hospital(source, partner):
        return None
    final = status in lifecycle.TERMINAL
    if "closed" in said or not covered:
        return Progress("closed" if final else "accepted", final=final, task=returning.veiled(source))
    lost = status == "on-hold" and partner is not None and partner["status"] in {"failed", "cancelled"}
    return Progress(_reported(status, outcomes_of(source), lost=lost), final=final, task=source)


_REPORTED: Final = frozenset({"accepted", "in-progress", "on-hold", "completed", "failed", "cancelled"})


def _ended_by_the_hospital(source: Task, partner: Task | None) -> bool:
    """A failure is the partner's; what was cancelled is the partner's only where its own Task says why."""
    if source["status"] != "cancelled":
        return False
    known = not _BY_THE_HOSPITAL.isdisjoint(codes_in(source.get("statusReason"), STATUS_REASON))
    return known or partner is None or partner["status"] != "cancelled"


def _reported(status: str, outcomes: frozenset[str], *, lost: bool) -> str:
    if "first-dose-given" in outcomes:
        return "first-dose-given"
    if lost or status in {"failed", "cancelled"} or not _NOT_SEEN.isdisjoint(outcomes):
        return "arrived" if "arrived" in outcomes else "not-seen"
    return "arrived" if "arrived" in outcomes and status in {"in-progress", "completed"} else status


def outcomes_of(task: Task) -> frozenset[str]:
    """Codes of the local code system ``outcome`` in what was put out."""
    found: set[str] = set()
    for output in task.get("output", ()):
        found |= {*codes_in(output.get("type"), OUTCOME), *codes_in(output.get("valueCodeableConcept"), OUTCOME)}
    return frozenset(found - {"outcome"})


def is_news(progress: Progress, told: str | None, verbosity: Verbosity) -> bool:
    """Whether the hospital is told of it.

    Args:
        progress: how the referral stands.
        told: the code that it was last told of this referral; None: nothing yet.
        verbosity: what it wants to be told.
    """
    # Who wants two messages gets no third, whoever has the person after the first dose.
    enough = verbosity == "two" and (progress.code not in _THE_TWO or told == "first-dose-given")
    if progress.code == told or enough:
        return False
    # That a partner is asked is no news, unless nobody was.
    return progress.code != "asked" or told is not None
