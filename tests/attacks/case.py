"""One attack case."""

from typing import NamedTuple


class Case(NamedTuple):
    """One attack and the answer that is expected."""

    number: int
    sentence: str
    proofs: tuple[str, ...] = ()
    reason: str = ""
    """Why all or a part of it does not apply."""
