"""What is known of one referral at a partner's own server."""

from pydantic import Field

from schemas.base import Model


class Pushed(Model):
    """How far a partner's Task was pushed. It names resources there by reference, and nothing of a person."""

    begun: bool = False
    """A request that may have made something there has left."""
    task: str | None = None
    """The Task there: ``Task/17``."""
    tag: str | None = None
    """ETag of the version of it that was read last."""
    given: str = ""
    """Digest of what was given last."""
    members: dict[str, str] = Field(default_factory=dict)
    """Resource of the hub to the one there: ``Patient/01a0`` to ``Patient/5``."""
    status: str | None = None
    """Status of the Task there, as it was read last."""
    taken_back: bool = False
    """It was told that the request is taken back."""
    abort: str | None = None
    """The Cancellation Request Task there."""
