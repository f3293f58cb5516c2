"""One merge under way: which of two values of a field was stated later."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from schemas.base import M, Model
from schemas.facts import Facts, VisitRecord

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICRO: Final = timedelta(microseconds=1)
RANK_BITS: Final = 4
OWN_DOSE: Final = "own-dose:"
"""How the mark of a dose begins that was charted at the time at which it was stated anew."""


@dataclass(slots=True)
class Step:
    """One merge under way: what was known, what is stated now, and what changes."""

    old: VisitRecord
    facts: Facts
    stamps: dict[str, int]
    stamp: int
    """Event time of the facts in microseconds and, below it, the rank of their kind."""
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def instant(self) -> int:
        return self.stamp >> RANK_BITS

    def wins(self, key: str, known: object, value: object, stamp: int | None = None) -> bool:
        """Whether a value that is stated now replaces the known one; remembers its stamp if so."""
        stamp = self.stamp if stamp is None else stamp
        before = self.stamps.get(key)
        if before is not None and (stamp < before or (stamp == before and not _greater(value, known))):
            return False
        self.stamps[key] = stamp
        return True

    def reach(self, key: str, stamp: int) -> None:
        """Move a mark forward in time, never back."""
        known = self.stamps.get(key)
        if known is None or stamp > known:
            self.stamps[key] = stamp


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - _EPOCH) // MICRO


def later(known: datetime | None, at: datetime) -> datetime:
    return at if known is None or at > known else known


def _greater(value: object, known: object) -> bool:
    """The settled order of two values of the same instant; it says nothing but which one both orders keep."""
    return value != known and canonical(value) > canonical(known)


def canonical(value: object) -> str:
    """A text by which two values of the same instant are put in an order, which says nothing else."""
    if isinstance(value, Model):
        return value.model_dump_json()
    if isinstance(value, list):
        return "\n".join(canonical(item) for item in value)
    return value.isoformat() if isinstance(value, date) else repr(value)


def newer(step: Step, old: M, new: M, prefix: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that ``new`` states later than ``old``, by name. ``unknown`` never replaces what is known."""
    known = vars(old)
    change: dict[str, Any] = {}
    for name, value in vars(new).items():
        # The type comes first: to compare a model with anything is slow.
        if value is None or (isinstance(value, list) and not value) or name in without:
            continue
        stamp = -1 if isinstance(value, str) and value == "unknown" else None
        if step.wins(prefix + name, known[name], value, stamp):
            change[name] = value
    return change
