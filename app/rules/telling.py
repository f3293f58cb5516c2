"""How often a machine tries to tell a partner before a person must. Pure."""

from typing import Final

_WAITS: Final = (30, 60, 120, 240, 480)
"""Seconds between attempts: after a quarter of an hour a person does it, since the medication does not wait."""


def wait_after(attempts: int) -> int | None:
    """Seconds until the next attempt, after so many; None: no more, a person must do it."""
    return _WAITS[attempts - 1] if 0 < attempts <= len(_WAITS) else None
