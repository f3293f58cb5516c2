"""Who is asking. Nothing is read without one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A client of one organisation, or the hub itself acting for a stated purpose."""

    organization: str | None
    """FHIR id of the organisation; None only for the hub itself."""
    client: str
    scopes: frozenset[str] = frozenset()
    """Scopes as granted: ``system/Task.rus``, ``ingest``."""
    purpose: str = "TREAT"
    """v3-ActReason code, or the hub's own word for a system actor."""
    require_if_match: bool = False
    sender: str | None = None
    """The one interface that it may send messages as; None = every one of its organisation."""
    user: str | None = None
    """The person who uses the client, where it is one that persons use."""

    @classmethod
    def system(cls, purpose: str) -> "Actor":
        """The hub itself: sees every organisation's rows, for ``purpose`` only, and is logged."""
        return cls(organization=None, client="hub", purpose=purpose)

    @property
    def is_system(self) -> bool:
        """Whether this is the hub itself."""
        return self.organization is None
