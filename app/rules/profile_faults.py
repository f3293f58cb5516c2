"""What a partner's profile says that can't be so, or that nobody could go by, though each word of it is one. Pure."""

import re
from collections.abc import Iterator
from typing import Final

from app.rules.verdict import Reason
from schemas.facets import Facet, Tri
from schemas.partner import PartnerProfile

_LIMITS: Final[dict[str, Tri]] = {"at_most": "no", "from_age": "no", "notice_hours": "yes", "next_day": "yes"}
"""Detail to the answer that it makes more exact."""
_LISTED: Final[dict[str, tuple[Tri, re.Pattern[str], str]]] = {
    "any-residency": ("no", re.compile(r"[A-Za-z]{2}"), "states as two letters, such as NY"),
    "languages": ("yes", re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*"), "BCP 47 tags, such as es"),
}
"""Facet to the answer that its list makes more exact, and how each of it is written."""


def faults(profile: PartnerProfile) -> Iterator[Reason]:
    """Each with its path in the profile."""
    hours = [name for name in ("intake_hours", "dosing_hours") if getattr(profile, name)]
    if hours and profile.zone is None:
        yield Reason("zone-missing", f"needed where there are {' and '.join(hours)}", "time_zone")
    capacity = profile.capacity
    if capacity is not None and capacity.expires is not None and capacity.expires <= capacity.as_of:
        yield Reason("ends-before-it-begins", "later than as_of", "capacity.expires")
    for name, facet in profile.facets.items():
        for detail, text in _facet_faults(name, facet):
            yield Reason("contradictory", text, f"facets.{name}.{detail}")


def _facet_faults(name: str, facet: Facet) -> Iterator[tuple[str, str]]:
    if facet.attested_by is not None and not facet.attested_by.strip():
        yield "attested_by", "a name or an office"
    for detail, fitting in _LIMITS.items():
        if detail in facet.details and facet.value not in {fitting, "unknown"}:
            yield detail, f"contradicts {facet.value!r}: it goes with {fitting!r}"
    if not facet.listed or name not in _LISTED:
        return
    fitting, written, expected = _LISTED[name]
    if facet.value not in {fitting, "unknown"}:
        yield "listed", f"contradicts {facet.value!r}: it goes with {fitting!r}"
    if not all(written.fullmatch(one) for one in facet.listed):
        yield "listed", expected
