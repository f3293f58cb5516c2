"""Who takes part in a referral, and the security labels that its resources carry.

Labels are data for machines that must decide (42 CFR Part 2, DS4P); they never redact anything here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

Resource = dict[str, Any]
"""A FHIR resource or element as a plain dict."""

Ids = Callable[[str, str], str]
"""(resource type, logical key) -> FHIR id. The key is stable within a visit, e.g. ("Condition", "F11.20")."""

ACT_CODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ACT_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PART2: Final[Resource] = {"system": ACT_CODE, "code": "42CFRPart2", "display": "42 CFR Part2"}
HTEST: Final[Resource] = {"system": ACT_REASON, "code": "HTEST"}
RESTRICTED: Final[Resource] = {"system": CONFIDENTIALITY, "code": "R"}

# DS4P: the restricted label says on which ground it stands.
_RESTRICTED_BY_PART2: Final[Resource] = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-sec-label-basis",
            "valueCoding": PART2,
        }
    ],
    "system": CONFIDENTIALITY,
    "code": "R",
}
_SENSITIVE: Final[list[Resource]] = [
    {"system": ACT_CODE, "code": "OPIOIDUD"},
    {"system": ACT_CODE, "code": "ETH"},
]
_HIPAA_ONLY: Final[list[Resource]] = [RESTRICTED, *_SENSITIVE]
_UNDER_PART2: Final[list[Resource]] = [
    _RESTRICTED_BY_PART2,
    PART2,
    *_SENSITIVE,
    {"system": ACT_CODE, "code": "NORDSCLCD"},
    {"system": ACT_CODE, "code": "PERSISTLABEL"},
]


@dataclass(frozen=True, slots=True)
class Parties:
    """The two organisations that every referral has: FHIR Organization ids and their names."""

    hospital: str
    hub: str
    hospital_name: str
    hub_name: str


@dataclass(frozen=True, slots=True)
class Labels:
    """What the labels of one visit depend on: a Part 2 record (or not known), a test patient."""

    part2: bool
    test: bool


_SECURITY: Final[dict[Labels, list[Resource]]] = {
    Labels(part2=False, test=False): _HIPAA_ONLY,
    Labels(part2=False, test=True): [*_HIPAA_ONLY, HTEST],
    Labels(part2=True, test=False): _UNDER_PART2,
    Labels(part2=True, test=True): [*_UNDER_PART2, HTEST],
}
_SENSITIVE_NEEDS: Final[dict[str, Resource]] = {
    "hcv-hiv": {"system": ACT_CODE, "code": "HIV"},
    "mental-health": {"system": ACT_CODE, "code": "MH"},
}
"""What the need alone reveals. R4's v3-ActCode has no code for hepatitis C; its need shares the one for HIV."""
_BY_NEED: Final = {
    (labels, need): [*common, label] for labels, common in _SECURITY.items() for need, label in _SENSITIVE_NEEDS.items()
}


def security(labels: Labels, *, need: str | None = None) -> list[Resource]:
    """meta.security of every resource of a visit (shared, never to be changed).

    Data on opioid use disorder is R, OPIOIDUD and ETH even outside Part 2; a Part 2 record adds the
    law as ground, the ban on redisclosure and the duty to keep the labels. Only codes that R4's
    v3-ActCode has. Resources that look innocent (Encounter, Location, Coverage) reveal as much and are
    labelled the same.

    Args:
        labels: of the visit.
        need: kind of the need, of a resource that is about that need alone (its ServiceRequests and Tasks): it may
            add a label. What several needs share is labelled without.
    """
    return _SECURITY[labels] if need is None else _BY_NEED.get((labels, need), _SECURITY[labels])


# ---- the outside of a Bundle

_MARKS: Final = (RESTRICTED, HTEST)
_NEARBY: Final = 512
"""Bytes within which the rest of a coding stands, before and after its system."""


def high_water_mark(members: Iterable[Resource]) -> list[Resource]:
    """The labels of a whole: the highest confidentiality and HTEST.

    What tells why (sensitivity, policy, refrain) stays on the members: the outside of a Bundle must not reveal it
    (DS4P).
    """
    labels = (label for one in members for label in one.get("meta", {}).get("security", ()))
    found = {(one.get("system"), one.get("code")) for one in labels}
    return [mark for mark in _MARKS if (mark["system"], mark["code"]) in found]


def mark_of(content: bytes) -> list[Resource]:
    """``high_water_mark`` of resources that are at hand as JSON without spaces, found without reading it.

    Quotes inside a text are escaped, so what is found is a coding. One that is no label (the purpose of a Consent)
    marks the whole as well: rather a mark too many.
    """
    return [mark for mark in _MARKS if _holds(content, mark)]


def _holds(content: bytes, label: Resource) -> bool:
    system = f'"system":"{label["system"]}"'.encode()
    code = f'"code":"{label["code"]}"'.encode()
    place = content.find(system)
    while place >= 0:
        before = content[max(0, place - _NEARBY) : place]
        after = content[place + len(system) : place + len(system) + _NEARBY]
        own = before[max(before.rfind(b"{"), before.rfind(b"}")) + 1 :] + after[: _end(after)]
        if code in own:
            return True
        place = content.find(system, place + len(system))
    return False


def _end(after: bytes) -> int:
    """Where the members of a coding end, or something inside it begins."""
    ends = [place for place in (after.find(b"{"), after.find(b"}")) if place >= 0]
    return min(ends, default=len(after))
