"""Parameters of the operations by which something that was said outside the hub is told to it.

What is wrong is said with the name of the parameter, and never with its value: it may name persons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from app.core.errors import BadRequest, Issue, Unprocessable
from app.rules import spoken
from app.rules.lifecycle import NEEDS_REASON
from app.rules.verdict import Reason
from app.services.writes.operation_parameters import instant_of
from app.services.writes.resource_requests import conforming
from app.services.writing import Resource
from schemas.codes.local import CODES, OUTCOME, STATUS_REASON, concept

_LONGEST: Final = {"valueString": 2000, "valueCode": 64}
_SHORT: Final = frozenset({"said-by", "recorded-by", "by", "number"})
_NAME: Final = 200
_TYPE: Final = "outcome"
"""Code of the type of an output that is one of the other codes of its system."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A partner's answer as it was spoken."""

    answer: str
    exchange: spoken.Exchange
    said_by: str
    partner: str | None = None
    """FHIR id of the organisation; None: the only one that is asked."""
    reason: Resource | None = None
    """statusReason."""
    output: Resource | None = None
    """Task.output."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """An attempt to reach a partner by phone."""

    exchange: spoken.Exchange
    outcome: spoken.Outcome
    partner: str
    talked_to: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a partner says of an answer that was recorded for it."""

    text: str
    """What is wrong about it."""
    by: str = ""
    """Who says so."""
    answer: str | None = None
    """What holds instead."""
    reason: Resource | None = None


_ANSWER: Final[Mapping[str, tuple[str, ...]]] = {
    "partner": ("valueReference",),
    "answer": ("valueCode",),
    "reason": ("valueCodeableConcept", "valueCode", "valueString"),
    "output": ("valueString", "valueCode"),
    "said-by": ("valueString",),
    "number": ("valueString",),
    "at": ("valueDateTime", "valueInstant"),
    "how": ("valueCode",),
    "recorded-by": ("valueString",),
    "note": ("valueString",),
}
_CALL: Final[Mapping[str, tuple[str, ...]]] = {
    name: _ANSWER[name] for name in ("partner", "number", "at", "recorded-by", "note")
} | {"outcome": ("valueCode",), "talked-to": ("valueString",)}
_CONFIRMATION: Final[Mapping[str, tuple[str, ...]]] = {"by": ("valueString",)}
_CORRECTION: Final[Mapping[str, tuple[str, ...]]] = {name: _ANSWER[name] for name in ("answer", "reason")} | {
    "by": ("valueString",),
    "text": ("valueString",),
}


def answer_of(body: object) -> Answer:
    """What ``$record-answer`` tells. Raises BadRequest with each parameter that is missing or wrong."""
    given = read(body, _ANSWER)
    required(given, ("answer", "said-by", "at", "recorded-by"))
    answer = _one_of(given, "answer", spoken.ANSWERS)
    how = cast("spoken.How", _one_of(given, "how", tuple(spoken.MARKS)) if "how" in given else "phone")
    if how != "in-person":
        required(given, ("number",))
    reason = _reason(given)
    if answer in NEEDS_REASON and reason is None:
        required(given, ("reason",))
    if answer == "completed":
        required(given, ("output",))
    return Answer(
        answer=answer,
        exchange=spoken.Exchange(_instant(given), how, given.get("number", ""), given["recorded-by"]),
        said_by=given["said-by"],
        partner=_organization(given) if "partner" in given else None,
        reason=reason,
        output=_output(given),
        note=given.get("note", ""),
    )


def call_of(body: object) -> Call:
    """What ``$record-call`` tells. Raises BadRequest likewise."""
    given = read(body, _CALL)
    required(given, ("partner", "number", "at", "outcome", "recorded-by"))
    return Call(
        exchange=spoken.Exchange(_instant(given), "phone", given["number"], given["recorded-by"]),
        outcome=cast("spoken.Outcome", _one_of(given, "outcome", spoken.OUTCOMES)),
        partner=_organization(given),
        talked_to=given.get("talked-to", ""),
        note=given.get("note", ""),
    )


def confirmation_of(body: object) -> str:
    """Who confirms, by ``$confirm-answer``; empty: the organisation."""
    return str(read(body, _CONFIRMATION).get("by", ""))


def correction_of(body: object) -> Correction:
    """What ``$correct-answer`` tells. Raises BadRequest likewise."""
    given = read(body, _CORRECTION)
    required(given, ("text",))
    answer = _one_of(given, "answer", spoken.ANSWERS) if "answer" in given else None
    return Correction(given["text"], given.get("by", ""), answer, _reason(given))


def refuse(reasons: Iterable[Reason]) -> None:
    """BadRequest where something is missing, Unprocessable where something can't be so."""
    found = tuple(reasons)
    issues = tuple(Issue(_code(one), one.text, path_of(one.path or "")) for one in found)
    if any(one.code == "required" for one in found):
        raise BadRequest("A parameter is missing or not as it must be.", issues=issues)
    if found:
        raise Unprocessable("It can't have been so.", issues=issues)


def _code(reason: Reason) -> str:
    return "required" if reason.code == "required" else "business-rule"


# ---- reading


def read(body: object, known: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Values of a Parameters resource by name; each parameter once, in one of its elements. Raises BadRequest."""
    given: dict[str, Any] = {}
    for one in conforming("Parameters", body).get("parameter", []):
        name = one["name"]
        element = next((e for e in known.get(name, ()) if e in one), None)
        if element is None or name in given:
            raise BadRequest(_expected(known), path="Parameters.parameter")
        given[name] = _trimmed(name, element, one[element])
    return {name: value for name, value in given.items() if value not in ("", None)}


def _expected(known: Mapping[str, tuple[str, ...]]) -> str:
    return f"Parameters are, each once: {', '.join(f'{name} ({elements[0]})' for name, elements in known.items())}."


def _trimmed(name: str, element: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    longest = _NAME if name in _SHORT else _LONGEST.get(element, _NAME)
    if len(text) > longest or not all(c.isprintable() or c in "\n\t" for c in text):
        raise BadRequest(f"At most {longest} printable characters.", path=path_of(name))
    return text


def path_of(name: str) -> str:
    """Where a parameter stands (FHIRPath)."""
    return f"Parameters.parameter.where(name='{name}')"


def required(given: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raises BadRequest with each of ``names`` that is missing."""
    missing = [name for name in names if name not in given]
    if missing:
        issues = tuple(Issue("required", f"{name} is needed", path_of(name)) for name in missing)
        raise BadRequest(f"Needed too: {', '.join(missing)}.", issues=issues)


def _one_of(given: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    if given[name] not in known:
        raise BadRequest(f"One of {', '.join(known)}.", path=path_of(name))
    return str(given[name])


def _instant(given: Mapping[str, Any]) -> datetime:
    at = instant_of(given["at"])
    if at is None:
        raise BadRequest("A date with its time and offset.", path=path_of("at"))
    return at


def _organization(given: Mapping[str, Any]) -> str:
    kind, _, name = given["partner"].get("reference", "").rpartition("/")
    if kind.rpartition("/")[2] != "Organization" or not name:
        raise BadRequest("A reference to an Organization.", path=path_of("partner"))
    return str(name)


def _output(given: Mapping[str, Any]) -> Resource | None:
    """What was done or seen: one of the codes that a partner would report itself, or words."""
    told = given.get("output")
    if told is None:
        return None
    if told in CODES[OUTCOME].keys() - {_TYPE}:
        return {"type": concept(OUTCOME, _TYPE), "valueCodeableConcept": concept(OUTCOME, told)}
    return {"type": {"text": "Spoken answer"}, "valueString": told}


def _reason(given: Mapping[str, Any]) -> Resource | None:
    reason = given.get("reason")
    if isinstance(reason, str):
        return concept(STATUS_REASON, reason) if reason in CODES[STATUS_REASON] else {"text": reason}
    if isinstance(reason, dict) and not str(reason.get("text", "")).strip():
        raise BadRequest("The reason needs a text.", path=path_of("reason"))
    return reason
