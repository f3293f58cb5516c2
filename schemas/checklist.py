"""What the intake of a partner needs before a person comes, item by item, in the partner's own order."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from schemas.base import Model

ItemCode = Literal[
    "consent-forms",
    "photo-id",
    "insurance",
    "diagnosis",
    "last-dose",
    "verified-last-dose",
    "order",
    "ecg",
    "urine-drug-screen",
    "labs",
    "tb-test",
    "admission-exam",
    "forms",
    "home-order",
]
"""The codes of ``local.INTAKE_ITEM``."""


class ChecklistItem(Model):
    """One item."""

    code: ItemCode
    needed: Literal["required", "wanted"] = "required"
    """``wanted``: the partner would like it, and takes the person without."""
    note: Annotated[str, Field(max_length=500)] | None = None
    """What exactly, in the partner's words: which form, how old the test may be."""


def _each_once(items: Sequence[ChecklistItem]) -> Sequence[ChecklistItem]:
    if len({one.code for one in items}) < len(items):
        raise ValueError("each item once")
    return items


IntakeChecklist = Annotated[list[ChecklistItem], Field(max_length=32), AfterValidator(_each_once)]
