"""What every decision answers with: reasons that a program can count and a person can read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a decision.

    ``code`` is stable and may be counted; ``text`` is for people and names rules and expectations,
    never a value of a message or a resource; ``path`` is the element (FHIRPath) where there is one.
    """

    code: str
    text: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reasons, in the order in which they count."""

    reasons: tuple[Reason, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes alone."""
        return tuple(reason.code for reason in self.reasons)
