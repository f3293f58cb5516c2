"""What a hospital has at hand when nobody in the community can give the next dose in time."""

from typing import Literal

from pydantic import ConfigDict, Field

from schemas.base import Model
from schemas.discharge import Text, Token
from schemas.hours import OpenHours

FallbackKind = Literal[
    "own-bridge-clinic",
    "return-for-dosing",
    "guest-dosing",
    "telehealth-buprenorphine",
    "injection-before-leaving",
]
"""The hospital's own bridge clinic; a return to be given the dose there (21 CFR 1306.07(b)); a dose as a guest of a
program near by; buprenorphine by telehealth; a long-acting injection before the person leaves."""


class Fallback(Model):
    """One of them, as a person can use it at once."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    kind: FallbackKind
    """Which."""
    name: Text | None = None
    """Who does it."""
    phone: Token | None = None
    """Whom to call."""
    hours: list[OpenHours] = Field(default_factory=list, max_length=64)
    """When, in the sender's time zone; empty: not said."""
