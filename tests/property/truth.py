"""What the writers have committed, and what somebody who asks must therefore hold."""

from dataclasses import dataclass, field
from typing import NamedTuple

from app.core.clock import monotonic


class Version(NamedTuple):
    """One commit that returned."""

    number: int
    at: float
    """When its writer knew of it, in seconds of the monotonic clock; it was there before."""


@dataclass(slots=True)
class Made:
    """One resource."""

    kind: str
    seen_by: frozenset[str]
    """Organisations, from its first version on."""
    by_store: bool = False
    """Only rows of the store are written of it, never by the rules of its type."""
    versions: list[Version] = field(default_factory=list)
    gone: bool = False
    """Deleted, or about to be."""

    @property
    def newest(self) -> int:
        return max((version.number for version in self.versions), default=0)


@dataclass(slots=True)
class Truth:
    """Every resource that the writers made, by id."""

    made: dict[str, Made] = field(default_factory=dict)

    def created(self, kind: str, name: str, *seen_by: str, by_store: bool = False) -> None:
        self.made[name] = Made(kind, frozenset(seen_by), by_store, [Version(1, monotonic())])

    def changed(self, name: str, number: int) -> None:
        self.made[name].versions.append(Version(number, monotonic()))

    def there(self, kind: str, organization: str | None = None) -> list[str]:
        """Ids of what is not deleted, of one organisation's sight or of all."""
        return [
            name
            for name, one in self.made.items()
            if one.kind == kind and not one.gone and (organization is None or organization in one.seen_by)
        ]

    def due(self, kind: str, organization: str, asked_at: float) -> dict[str, int]:
        """Id to the least version that an answer to a question of ``asked_at`` must have told by now."""
        found = {}
        for name in self.there(kind, organization):
            known = [version.number for version in self.made[name].versions if version.at < asked_at]
            if known:
                found[name] = max(known)
        return found

    def deleted(self, kind: str, organization: str) -> set[str]:
        """Ids of what was deleted, when all writers are done."""
        return {
            name for name, one in self.made.items() if one.kind == kind and one.gone and organization in one.seen_by
        }
