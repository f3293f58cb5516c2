"""Observations of a Bundle that a partner's policy asks for, and the facts that have no resource of their own.

Read are LOINC 82810-3 (pregnancy status, US Core), the urine drug screens of ``loinc_uds.csv``, the results that the
sender's file names, and the codes of this hub (``schemas.codes.local``), as they stand in what it serves.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from fhir_mappings.fhir_in.fhir_bundle import Node
from fhir_mappings.fhir_in.fhir_values import Source, Triplet
from fhir_mappings.labels import Resource
from schemas.codes import local, tables
from schemas.discharge import Appointment, Continuation, DrugScreen, Otp

_PREGNANT: Final = "77386006"
_SCREENS_MAX: Final = 100
_STANDING: Final = frozenset({"final", "amended", "corrected", "preliminary"})
_WORDS: Final[dict[str, bool]] = {
    "pregnant": True,
    "positive": True,
    "yes": True,
    "not pregnant": False,
    "negative": False,
    "no": False,
}
_YES_NO: Final = frozenset({"overdose-this-visit", "benzodiazepines", "alcohol", "stimulants", "wounds-or-picc"})
_TOLD: Final = frozenset({"psychiatric-acuity", "mobility"})
_CONTINUATIONS: Final[dict[str, Continuation]] = {
    "new-intake": "new-intake",
    "return-to-current-otp": "return-to-current-otp",
    "guest-dosing": "guest-dosing",
    "notice-only": "notice-only",
}

YesNo = bool | Literal["unknown"]


class Observed:
    """What the observations say, gathered: fields of Circumstances, of Clinical, and whether there is a home."""

    def __init__(self) -> None:
        self.circumstances: dict[str, Any] = {}
        self.clinical: dict[str, Any] = {}
        self.homeless: bool | None = None


def observed(source: Source, nodes: list[Node]) -> Observed:
    """All that is understood of the observations that stand."""
    found = Observed()
    for node in nodes:
        if node.status not in _STANDING:
            source.note(node.at("status"), "an observation that does not stand is left out")
            continue
        codings = source.codings(node.resource["code"], node.at("code"))
        meaning, code = _meaning(source, codings)
        if meaning is None or code is None:
            source.note(node.at("code"), "not an observation that a referral needs")
        elif meaning in _OTHERS:
            _OTHERS[meaning](source, node, found, code)
        elif meaning in _YES_NO:
            _put(found.clinical, meaning, _yes_no(source, node))
        elif meaning in _TOLD:
            _put(found.clinical, meaning, _unknown(node) or source.text(_value_text(node), node.at("value[x]")))
    return found


def _meaning(source: Source, codings: list[Triplet]) -> tuple[str | None, Triplet | None]:
    for coding in codings:
        if coding.system == local.FACT:
            own = next((one for one in codings if one.system != local.FACT), coding)
            return coding.code, own
        mapped = source.sender.maps.results.get(coding.code) or tables.result_meaning(coding.system, coding.code)
        if mapped is not None:
            return "pregnant" if mapped == "pregnancy" else mapped, coding
    return None, None


def _put(fields: dict[str, Any], meaning: str, value: object) -> None:
    if value is not None:
        fields[meaning.replace("-", "_")] = value


def _unknown(node: Node) -> Literal["unknown"] | None:
    return "unknown" if "dataAbsentReason" in node.resource else None


def _yes_no(source: Source, node: Node) -> YesNo | None:
    stated = node.resource
    if "valueBoolean" in stated:
        return bool(stated["valueBoolean"])
    if _unknown(node):
        return "unknown"
    concept: Resource = stated.get("valueCodeableConcept", {})
    codings = source.codings(concept, node.at("valueCodeableConcept"))
    if any((one.system, one.code) == (tables.SNOMED, _PREGNANT) for one in codings):
        return True
    words = [_value_text(node), concept.get("text"), *(one.display for one in codings)]
    found = next((_WORDS[word] for text in words if text and (word := text.strip().casefold()) in _WORDS), None)
    if found is None:
        source.note(node.at("value[x]"), "neither yes nor no")
    return found


def _value_text(node: Node) -> str | None:
    """A value as words: a string, else what a CodeableConcept or quantity says."""
    stated = node.resource
    if "valueString" in stated:
        return str(stated["valueString"])
    concept: Resource = stated.get("valueCodeableConcept", {})
    if concept:
        first: Resource = next(iter(concept.get("coding", ())), {})
        return concept.get("text") or first.get("display") or first.get("code")
    quantity: Resource = stated.get("valueQuantity", {})
    if "value" in quantity:
        return " ".join(str(part) for part in (quantity["value"], quantity.get("unit")) if part is not None)
    return None


def _pregnant(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    """Of two tests the positive one holds."""
    if found.clinical.get("pregnant") is not True:
        _put(found.clinical, "pregnant", _yes_no(source, node))


def _homeless(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    value = _yes_no(source, node)
    found.homeless = value if isinstance(value, bool) else found.homeless


def _circumstance(meaning: str) -> "Callable[[Source, Node, Observed, Triplet], None]":
    def read(source: Source, node: Node, found: Observed, _: Triplet) -> None:
        _put(found.circumstances, meaning, _yes_no(source, node))

    return read


def _supply(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    text = source.text(_value_text(node), node.at("value[x]"))
    if text is not None:
        found.circumstances.setdefault("supplies_given", []).append(text)


def _qtc(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    quantity: Resource | None = node.resource.get("valueQuantity")
    milliseconds = source.count(quantity, node.at("valueQuantity"), {"ms": 1}, 1999)
    _put(found.clinical, "qtc_ms", _unknown(node) or milliseconds)


def _drug_screen(source: Source, node: Node, found: Observed, code: Triplet) -> None:
    if code.system == local.FACT and _unknown(node):
        found.clinical.setdefault("urine_drug_screen", "unknown")
        return
    path = node.at("value[x]")
    screen = DrugScreen(
        code=code.code,
        system=code.system,
        display=code.display,
        result=source.text(_value_text(node), path),
        at=source.when(node.resource.get("effectiveDateTime"), node.at("effectiveDateTime")),
    )
    known = found.clinical.get("urine_drug_screen")
    found.clinical["urine_drug_screen"] = [*(known if isinstance(known, list) else ()), screen][:_SCREENS_MAX]


def _otp(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    name = source.text(_value_text(node), node.at("value[x]"))
    if name is None:
        return
    parts = _components(node)
    found.circumstances["current_otp"] = Otp(
        name=name,
        phone=source.token(parts.get("Phone", {}).get("valueString"), node.at("component")),
        contacted_at=source.when(parts.get("Contacted at", {}).get("valueDateTime"), node.at("component")),
        dose_confirmed=parts.get("Dose confirmed", {}).get("valueBoolean"),
    )


def _appointment(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    at = source.when(node.resource.get("valueDateTime"), node.at("valueDateTime"))
    if at is None:
        return
    parts = _components(node)
    found.circumstances["next_appointment"] = Appointment(
        at=at,
        where=source.text(parts.get("Where", {}).get("valueString"), node.at("component")),
        phone=source.token(parts.get("Phone", {}).get("valueString"), node.at("component")),
    )


def _components(node: Node) -> dict[str, Resource]:
    """Components by the text of their code, as this hub writes them."""
    return {one["code"].get("text", ""): one for one in node.resource.get("component", ())}


def _continuation(source: Source, node: Node, found: Observed, _: Triplet) -> None:
    kind = _CONTINUATIONS.get(_value_text(node) or "")
    if kind is None:
        source.note(node.at("value[x]"), f"one of: {', '.join(_CONTINUATIONS)}")
    _put(found.circumstances, "continuation", kind)


_OTHERS: Final[dict[str, Callable[[Source, Node, Observed, Triplet], None]]] = {
    "pregnant": _pregnant,
    "homeless": _homeless,
    "photo-id": _circumstance("photo-id"),
    "naloxone-given": _circumstance("naloxone-given"),
    "supplies-given": _supply,
    "qtc": _qtc,
    "urine-drug-screen": _drug_screen,
    "current-otp": _otp,
    "next-appointment": _appointment,
    "continuation": _continuation,
}
