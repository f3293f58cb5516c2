"""What the status of a Task at a partner's own server means for the hub's Task. Pure; each row names its source.

A server is read now and then, so what lies between two readings is taken as it must have been: whoever is in progress
has accepted. What can't have come about by any edge that the owner may take is never guessed: a person must look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from app.rules import lifecycle
from app.rules.codings import codes_in
from app.rules.verdict import Reason, Verdict
from schemas.codes.local import BUSINESS_STATUS
from schemas.partner_server import BSER_BUSINESS_STATUS, Vocabulary

Task = dict[str, Any]
_GRAVITY: Final = "Gravity SDOH Clinical Care 3.0.0, referral state diagram"
_R4: Final = "FHIR R4 task-status; Gravity leaves it out: the request is there, and nobody has answered"


class Meaning(NamedTuple):
    """What one status there is here, and who says so."""

    ours: str
    source: str


STATUSES: Final[Mapping[Vocabulary, Mapping[str, Meaning]]] = {
    "gravity": {
        "requested": Meaning("requested", _GRAVITY),
        "received": Meaning("requested", _R4),
        "accepted": Meaning("accepted", _GRAVITY),
        "rejected": Meaning("rejected", _GRAVITY),
        "in-progress": Meaning("in-progress", _GRAVITY),
        "on-hold": Meaning("on-hold", _GRAVITY),
        "completed": Meaning("completed", _GRAVITY),
        "failed": Meaning("failed", _GRAVITY),
        "cancelled": Meaning("cancelled", _GRAVITY),
    },
    "bser": {
        "requested": Meaning("requested", "BSeR 2.0.0-ballot, its example of a referral Task"),
        "received": Meaning("requested", "BSeR 2.0.0-ballot, transition 01"),
        "accepted": Meaning("accepted", "BSeR 2.0.0-ballot, transition 02"),
        "rejected": Meaning("rejected", "BSeR 2.0.0-ballot, transitions 03, 05, 10, 17, 25, 33"),
        "in-progress": Meaning(
            "in-progress", "BSeR 2.0.0-ballot, transitions 06, 08, 11 to 13, 15, 18, 19, 21, 26, 27"
        ),
        "completed": Meaning("completed", "BSeR 2.0.0-ballot, transitions 09, 16, 24, 30"),
        "cancelled": Meaning("cancelled", "BSeR 2.0.0-ballot, transition 23"),
    },
}
"""Status there to the hub's. What is not here is nothing that the owner of a referral says."""

_OTHERWISE: Final[Mapping[tuple[str, str], str]] = {
    # A target that takes nothing on has declined: only the requester withdraws what nobody has accepted.
    ("requested", "cancelled"): "rejected",
    # Declined after it was accepted (BSeR): Gravity has no such edge, and says failed.
    **{(status, "rejected"): "failed" for status in lifecycle.ENGAGED},
}


@dataclass(frozen=True, slots=True)
class Reading(Verdict):
    """What follows from a status; with reasons nothing does, and a person must look."""

    steps: tuple[str, ...] = ()
    """Statuses that the hub's Task takes, one after the other."""


def reading(vocabulary: Vocabulary, ours: str, theirs: object, *, old: bool = False) -> Reading:
    """What becomes of the hub's Task.

    Args:
        vocabulary: whose codes the server speaks.
        ours: status of the hub's Task.
        theirs: status of the Task there.
        old: the status there is what it was when it was read last, or the hub's own question (``asked_back``).
    """
    meaning = STATUSES[vocabulary].get(theirs) if isinstance(theirs, str) else None
    if meaning is None:
        return Reading((Reason("status-unknown", "the status there is none that the owner of a referral sets"),))
    wanted = _OTHERWISE.get((ours, meaning.ours), meaning.ours)
    if wanted == ours or old or (ours == "cancelled" and wanted not in lifecycle.TERMINAL):
        return Reading(())
    if wanted == "requested":
        # Nobody has answered there, and somebody has at the hub: by phone, or by the hub's own Task.
        return Reading(())
    if ours == "cancelled" and wanted in {"rejected", "failed"}:
        # It was taken back, and is over there as well.
        return Reading(())
    steps = _way(ours, wanted)
    if not steps:
        return Reading((Reason("status-impossible", f"nothing leads from {ours} to {wanted}"),))
    return Reading((), steps)


def _way(start: str, end: str) -> tuple[str, ...]:
    """The shortest way that the owner may take; none where there is none."""
    ways: list[tuple[str, ...]] = [()]
    seen = {start}
    for way in ways:
        for status in lifecycle.allowed_from(way[-1] if way else start, "owner"):
            if status == end:
                return (*way, status)
            if status not in seen and status not in lifecycle.TERMINAL:
                seen.add(status)
                ways.append((*way, status))
    return ()


def asked_back(vocabulary: Vocabulary, task: Task) -> bool:
    """Whether the Task there still says no more than that its cancellation was asked for (BSeR 5.2)."""
    asked = "5.2" in codes_in(task.get("businessStatus"), BSER_BUSINESS_STATUS)
    return vocabulary == "bser" and task.get("status") == "in-progress" and asked


def own_business_status(task: Task) -> dict[str, Any] | None:
    """What the Task there says of its business status beyond what the hub itself said; None where it says nothing."""
    said = task.get("businessStatus")
    if not isinstance(said, dict):
        return None
    others = [one for one in said.get("coding", ()) if one.get("system") != BUSINESS_STATUS]
    created = any(one.get("system") == BSER_BUSINESS_STATUS and one.get("code") in {"2.0", "5.2"} for one in others)
    if created or (said.get("coding") and not others):
        return None
    return {**said, **({"coding": others} if others else {})}
