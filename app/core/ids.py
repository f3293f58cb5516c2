"""Identifiers: random, time-ordered, never derived from a person's data."""

import secrets
import time


def uuid7() -> str:
    """A UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def secret() -> str:
    """256 random bits as URL-safe text: tokens and client secrets."""
    return secrets.token_urlsafe(32)
