"""A visit as services work with it: its stub, opened, and how it is sealed again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import orjson

from app.core import json
from app.core.crypto import Keys, VisitKey, seal, unseal
from app.core.ids import uuid7
from app.store.changes import VisitChange
from app.store.lookups import StoredVisit
from schemas.facts import NOTHING_KNOWN, VisitRecord
from schemas.stub import VisitContent


@dataclass(slots=True)
class VisitFile:
    """One visit during a decision; ``version`` 0 is a visit that is not stored yet."""

    id: str
    organization: str
    version: int
    key: VisitKey
    wrapped: bytes
    content: VisitContent
    expires_at: int | None = None

    @classmethod
    def new(cls, keys: Keys, organization: str, sender: str) -> "VisitFile":
        """A visit that nobody has heard of."""
        visit = uuid7()
        key, wrapped = keys.new_visit_key(visit)
        return cls(visit, organization, 0, key, wrapped, VisitContent(sender=sender, record=NOTHING_KNOWN))

    @classmethod
    def opened(cls, keys: Keys, organization: str, stored: StoredVisit) -> "VisitFile | None":
        """A stored visit; None when its key was destroyed."""
        if stored.key is None or stored.content is None:
            return None
        key = keys.visit_key(stored.id, stored.key)
        content = VisitContent.model_validate_json(unseal(key, stored.content, stored.id))
        return cls(stored.id, organization, stored.version, key, stored.key, content, stored.expires_at)

    def change(
        self,
        numbers: Sequence[str],
        persons: Sequence[str],
        kept: tuple[Sequence[str], Sequence[str]] | None = None,
    ) -> VisitChange:
        """The next stored version, with whatever identifiers are new to it.

        Args:
            numbers: keyed hashes of visit identifiers.
            persons: keyed hashes of patient identifiers.
            kept: of both, the only ones that still find the visit; None: all that ever did.
        """
        content = self.content
        before = (content.numbers, content.persons)
        content.numbers = list(dict.fromkeys((*before[0], *numbers)))
        content.persons = list(dict.fromkeys((*before[1], *persons)))
        if kept is not None:
            content.numbers = [mac for mac in content.numbers if mac in kept[0]]
            content.persons = [mac for mac in content.persons if mac in kept[1]]
        return VisitChange(
            id=self.id,
            organization=self.organization,
            version=self.version + 1,
            key=self.wrapped,
            content=seal(self.key, _as_stored(self.content), self.id),
            expires_at=self.expires_at,
            numbers=_without(content.numbers, before[0]),
            persons=_without(content.persons, before[1]),
            lost_numbers=_without(before[0], content.numbers),
            lost_persons=_without(before[1], content.persons),
        )

    def absorb(self, other: "VisitFile") -> None:
        """Take over the identifiers of a visit that turned out to be this one."""
        self.content.numbers += [mac for mac in other.content.numbers if mac not in self.content.numbers]
        self.content.persons += [mac for mac in other.content.persons if mac not in self.content.persons]


def _without(macs: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    return tuple([mac for mac in macs if mac not in others])


def _as_stored(content: VisitContent) -> bytes:
    """Every field by its name, which shapes accept as well as the alias that pydantic's own, slower writer puts."""
    return orjson.dumps(content, default=vars)


def is_open_at(record: VisitRecord, at: datetime) -> bool:
    """Whether a fact of time ``at`` without visit identifier can belong to this visit: it was open then."""
    if record.cancelled or (record.ended_at is not None and record.ended_at < at):
        return False
    admitted = record.came_at or record.visit.admitted_at
    if isinstance(admitted, datetime):
        return admitted <= at
    return admitted is None or admitted <= at.date()


def reasons_json(reasons: Sequence[tuple[str, str]]) -> str:
    """Reasons as the ledger keeps them."""
    return _as_json(tuple(reasons))


@lru_cache(maxsize=1024)
def _as_json(reasons: tuple[tuple[str, str], ...]) -> str:
    return json.dumps([{"code": code, "text": text} for code, text in reasons]).decode()
