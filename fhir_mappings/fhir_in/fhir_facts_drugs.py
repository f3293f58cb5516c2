"""Medication of a Bundle: orders, doses that were charted, supplies for the way home.

Only what was done counts: a dose is one of status ``completed`` or ``stopped``, a supply one of status ``completed``
that is not for the ward. ``entered-in-error`` takes back what was said under the same key. Quantities of tablets, films
and millilitres are never doses. Source: FHIR R4 11.1 to 11.3.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from fhir_mappings.fhir_in.fhir_bundle import Node
from fhir_mappings.fhir_in.fhir_values import DOSE_UNITS, Source, codes_of
from fhir_mappings.labels import Resource
from schemas.codes import local
from schemas.discharge import Product
from schemas.facts import GivenDose, Order, Supply

_WITHDRAWN: Final = frozenset({"cancelled", "stopped", "entered-in-error"})
_NO_ORDER: Final = frozenset({"proposal", "option"})
_TAKEN_HOME: Final = frozenset({"discharge", "outpatient"})
_WARD: Final = "inpatient"
_NOT_SUPPLIED: Final = frozenset({"preparation", "in-progress", "on-hold", "unknown"})
_TAKEN_BACK: Final = frozenset({"cancelled", "entered-in-error", "stopped", "declined"})
_DAYS: Final = {"d": 1, "day": 1, "days": 1, "wk": 7, "week": 7, "weeks": 7}
_DOSES: Final = dict.fromkeys(DOSE_UNITS, 1)
_DAYS_MAX: Final = 366
_DOSES_MAX: Final = 1464
_OBSERVED: Final = f"{local.BASE}/StructureDefinition/dose-observed"
_HOURS: Final = {"h": 1, "d": 24, "wk": 168}
_INTERVALS: Final = {
    **dict.fromkeys(("QD", "AM", "PM"), "PT24H"),
    "BID": "PT12H",
    "TID": "PT8H",
    "QID": "PT6H",
    "Q4H": "PT4H",
    "Q6H": "PT6H",
    "Q8H": "PT8H",
    "QOD": "PT48H",
    "WK": "P7D",
    "MO": "P28D",
}
"""Timing.code (FHIR R4, value set timing-abbreviation). A month of a long-acting product is 28 days."""
_GIVEN: Final[dict[str, Literal["complete", "partial", "not-given"]]] = {
    "completed": "complete",
    "stopped": "partial",
    "not-done": "not-given",
    "on-hold": "not-given",
}


class Drugs(NamedTuple):
    """What a Bundle says of medication."""

    orders: list[Order]
    doses: list[GivenDose]
    supplies: list[Supply]


def drugs(source: Source, nodes: list[Node], at: datetime) -> Drugs:
    """All of it; ``nodes`` are those of this person and visit.

    ``at`` is the time of the Bundle, when all of this was stated: a status has no time of its own.
    """
    keys = {node: _own_key(source, node) for node in nodes if node.type == "MedicationRequest"}
    found = Drugs([], [], [])
    for node in nodes:
        product = _product(source, node)
        if product is None:
            source.note(node.at("medication[x]"), "no drug is named")
        elif node.type == "MedicationRequest":
            found.orders.extend(_order(source, node, product, keys[node], at))
        elif node.type == "MedicationAdministration":
            found.doses.extend(_dose(source, node, product, keys, at))
        else:
            found.supplies.extend(_supply(source, node, product, keys, at))
    return found


def _product(source: Source, node: Node) -> Product | None:
    stated = node.resource
    if "medicationCodeableConcept" in stated:
        return source.product(stated["medicationCodeableConcept"], node.at("medicationCodeableConcept"))
    link = source.follow(node, stated.get("medicationReference"))
    if link.node is not None and link.node.type == "Medication":
        return source.product(link.node.resource.get("code"), link.node.at("code"))
    return source.product({"text": link.display} if link.display else None, node.at("medicationReference"))


def _own_key(source: Source, node: Node) -> str | None:
    """``authority|number`` of the resource, as the reader of HL7 v2 keys orders; else its place at the hospital."""
    stated = source.identifiers(node, None, lambda _: True)
    return f"{stated[0].system.removeprefix('urn:oid:')}|{stated[0].value}" if stated else None


# ---- orders


def _order(source: Source, node: Node, product: Product, key: str | None, at: datetime) -> Iterator[Order]:
    stated = node.resource
    status = node.status
    if status == "draft" or stated.get("intent") in _NO_ORDER or stated.get("doNotPerform") is True:
        source.note(node.path, "a draft, a proposal, or an order not to give: no evidence of treatment")
        return
    authored = source.when(stated.get("authoredOn"), node.at("authoredOn")) or at
    instruction: Resource = next(iter(stated.get("dosageInstruction", ())), {})
    timing: Resource = instruction.get("timing", {})
    supply: Resource = stated.get("dispenseRequest", {})
    amount, unit = source.amount(_dose_quantity(instruction), node.at("dosageInstruction.doseAndRate"))
    prescriber = source.clinician(node, stated.get("requester"), node.at("requester"))
    yield Order(
        key=key or f"{product.code}|{authored.isoformat()}",
        product=product,
        at=at,
        withdrawn=status in _WITHDRAWN,
        discharge=_is_prescription(stated),
        interval=interval(source, timing, node.at("dosageInstruction.timing")),
        amount=amount,
        unit=unit,
        route=_route(source, instruction, node.at("dosageInstruction.route")),
        prescriber=_spoken(prescriber),
        prescriber_id=prescriber.identifier.value if prescriber is not None and prescriber.identifier else None,
        days=source.count(supply.get("expectedSupplyDuration"), node.at("dispenseRequest"), _DAYS, _DAYS_MAX),
        doses=source.count(supply.get("quantity"), node.at("dispenseRequest"), _DOSES, _DOSES_MAX),
        start=source.when(supply.get("validityPeriod", {}).get("start"), node.at("dispenseRequest.validityPeriod"))
        or _from(source, timing, node.at("dosageInstruction.timing")),
        next_due_ordered=source.when(next(iter(timing.get("event", ())), None), node.at("dosageInstruction.timing")),
    )


def _is_prescription(stated: Resource) -> bool:
    """Whether it lets the person fetch the drug: no plan, and nothing that somebody only told of."""
    told = stated.get("reportedBoolean") is True or "reportedReference" in stated
    return not told and stated.get("intent") != "plan" and not _TAKEN_HOME.isdisjoint(codes_of(stated.get("category")))


def _spoken(prescriber: Any) -> str | None:
    if prescriber is None or prescriber.name is None:
        return None
    name = prescriber.name
    return name.text or " ".join([*name.given, *([name.family] if name.family else [])]) or None


def _dose_quantity(instruction: Resource) -> Resource | None:
    first: Resource = next(iter(instruction.get("doseAndRate", ())), {})
    return first.get("doseQuantity")


def _route(source: Source, dosage: Resource, path: str) -> str | None:
    concept = dosage.get("route")
    first = next(iter(source.codings(concept, path)), None)
    return (first.display or first.code) if first is not None else None


def _from(source: Source, timing: Resource, path: str) -> Any:
    return source.when(timing.get("repeat", {}).get("boundsPeriod", {}).get("start"), f"{path}.repeat.boundsPeriod")


def interval(source: Source, timing: Resource, path: str) -> str | None:
    """How often, as an ISO 8601 duration; None where it can't be told in whole hours."""
    repeat: Resource = timing.get("repeat", {})
    period, unit = repeat.get("period"), repeat.get("periodUnit")
    if period is None or unit is None:
        return _INTERVALS.get(next(iter(codes_of(timing.get("code")) & _INTERVALS.keys()), ""))
    times = repeat.get("frequency", 1)
    if unit == "mo" and times == 1:
        hours = float(period) * 28 * 24
    elif unit in _HOURS and times:
        hours = float(period) * _HOURS[unit] / times
    else:
        hours = 0.0
    if not 1 <= hours <= 9999 or hours != int(hours):
        source.note(path, "not an interval in whole hours")
        return None
    days, rest = divmod(int(hours), 24)
    return f"P{days}D" if days >= 7 and not rest else f"PT{int(hours)}H"


# ---- doses


def _dose(
    source: Source, node: Node, product: Product, keys: dict[Node, str | None], at: datetime
) -> Iterator[GivenDose]:
    stated = node.resource
    deleted = node.status == "entered-in-error"
    outcome = "complete" if deleted else _GIVEN.get(node.status)
    moment = stated.get("effectiveDateTime") or stated.get("effectivePeriod", {}).get("start")
    given = source.when(moment, node.at("effective[x]")) or (at if deleted else None)
    if outcome is None or given is None:
        source.note(node.path, "a dose needs a time, and a status that says whether it was given")
        return
    order = _order_of(source, node, stated.get("request"), keys)
    dosage: Resource = stated.get("dosage", {})
    amount, unit = source.amount(dosage.get("dose"), node.at("dosage.dose"))
    given_by, verified_by = _performers(source, node)
    yield GivenDose(
        key=_own_key(source, node) or f"{order or ''}|{product.code}|{given.isoformat()}",
        order=order,
        product=product,
        at=given,
        charted_at=at,
        amount=amount,
        unit=unit,
        route=_route(source, dosage, node.at("dosage.route")),
        observed=next((e.get("valueBoolean") for e in stated.get("extension", ()) if e["url"] == _OBSERVED), None),
        outcome=outcome,
        held=outcome == "not-given" or amount == 0,
        deleted=deleted,
        given_by=given_by,
        verified_by=verified_by,
    )


def _performers(source: Source, node: Node) -> tuple[str | None, str | None]:
    """Who gave it, and who verified it, by the function that is said (FHIR R4, med-admin-perform-function)."""
    found: dict[bool, str | None] = {}
    for index, performer in enumerate(node.resource.get("performer", ())):
        path = node.at(f"performer[{index}].actor")
        who = source.text(_spoken(source.clinician(node, performer["actor"], path)), path)
        found.setdefault("verifier" in codes_of(performer.get("function")), who)
    return found.get(False), found.get(True)


def _order_of(source: Source, node: Node, reference: Any, keys: dict[Node, str | None]) -> str | None:
    link = source.follow(node, reference)
    if link.node is not None and link.node in keys:
        return keys[link.node]
    if link.logical is None or link.logical.system is None:
        return None
    return f"{link.logical.system.removeprefix('urn:oid:')}|{link.logical.value}"


# ---- supplies


def _supply(
    source: Source, node: Node, product: Product, keys: dict[Node, str | None], at: datetime
) -> Iterator[Supply]:
    stated = node.resource
    if node.status in _NOT_SUPPLIED:
        source.note(node.at("status"), "not handed over yet: not counted as supply")
        return
    withdrawn = node.status in _TAKEN_BACK
    reference = next(iter(stated.get("authorizingPrescription", ())), None)
    days = source.count(stated.get("daysSupply"), node.at("daysSupply"), _DAYS, _DAYS_MAX)
    doses = source.count(stated.get("quantity"), node.at("quantity"), _DOSES, _DOSES_MAX)
    home = _for_home(source, node, reference)
    if not withdrawn and (home is False or (home is None and days is None and doses is None)):
        source.note(node.path, "for the ward, or without days of supply: not counted as supply")
        return
    handed = source.instant(stated.get("whenHandedOver"), node.at("whenHandedOver"))
    prepared = source.instant(stated.get("whenPrepared"), node.at("whenPrepared"))
    order = _order_of(source, node, reference, keys)
    instruction: Resource = next(iter(stated.get("dosageInstruction", ())), {})
    timing: Resource = instruction.get("timing", {})
    number = _own_key(source, node)
    yield Supply(
        key=f"{order or product.code}|{number.partition('|')[2] if number else (handed or prepared or at).isoformat()}",
        order=order,
        product=product,
        at=at,
        withdrawn=withdrawn,
        days=days,
        doses=doses,
        interval=interval(source, timing, node.at("dosageInstruction.timing")),
        start=_from(source, timing, node.at("dosageInstruction.timing")) or handed,
        filled="yes",
    )


def _for_home(source: Source, node: Node, reference: Any) -> bool | None:
    """Whether it is for the way home; None where neither the dispense nor its prescription says it."""
    own = codes_of(node.resource.get("category"))
    link = source.follow(node, reference)
    ordered = codes_of(link.node.resource.get("category")) if link.node is not None else set()
    for codes in (own, ordered):
        if _WARD in codes:
            return False
        if codes & {*_TAKEN_HOME, "community"}:
            return True
    return None
