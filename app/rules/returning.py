"""What the hospital sees of a partner's work where no consent covers the way back. Pure.

What a Part 2 program reports is a record of its own (42 CFR 2.12, 2.33): where nothing permits it, the hospital's
Task says that a place was accepted, and in the end that the referral is closed, whatever came of it.

That a partner accepts or declines a request is shown: it is the program's answer about a place, given before the
person has applied for or been given anything there (the definition of a patient in 42 CFR 2.11), and without it
nobody would know that another place must be found. From the person's arrival on, nothing is.
"""

from typing import Any, Final

from schemas.codes.local import BUSINESS_STATUS, concept

Task = dict[str, Any]

_SEEN_AS: Final = {
    "in-progress": "accepted",
    "on-hold": "accepted",
    "failed": "completed",
    "cancelled": "completed",
}
"""Statuses that would tell whether the person came, and what each is told as."""
_TOLD: Final = frozenset({"output", "statusReason", "businessStatus", "note", "executionPeriod"})
"""Elements in which a partner reports."""


def veiled(child: Task) -> Task:
    """The partner's Task as far as the hospital may know of it."""
    status = child["status"]
    shown = {name: value for name, value in child.items() if name not in _TOLD}
    return shown | {"status": _SEEN_AS.get(status, status)}


def closed(source: Task) -> Task:
    """The hospital's Task when the referral is over and nothing more may be told."""
    return source | {"businessStatus": concept(BUSINESS_STATUS, "closed")}
