"""Identifiers: random, time-ordered, never derived from a person's data."""

import os
import secrets
import time

_VARIANT = "89ab"


def uuid7() -> str:
    """A UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits."""
    time_part = f"{time.time_ns() // 1_000_000:012x}"
    random = os.urandom(10).hex()
    variant = _VARIANT[int(random[3], 16) & 3]
    return f"{time_part[:8]}-{time_part[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"


def secret() -> str:
    """256 random bits as URL-safe text: tokens and client secrets."""
    return secrets.token_urlsafe(32)
