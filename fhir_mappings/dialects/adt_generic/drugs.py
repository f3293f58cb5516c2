"""Orders, doses and supplies: the groups that an ORC opens.

Source: HL7 v2.5.1 chapter 4 (ORC, TQ1, RXO, RXE, RXR, RXA, RXD) and 4A. A group with RXA tells doses, one with
RXD tells a supply, any other tells an order, and so does one whose dose or supply can't be told: an order is evidence
of treatment, never something in hand.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple

from fhir_mappings.dialects.adt_generic import site as sites
from fhir_mappings.dialects.adt_generic.fields import Source, instant
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.adt_generic.site import Path
from fhir_mappings.dialects.adt_generic.timing import days, interval
from fhir_mappings.hl7v2 import Message, Segment
from schemas.base import changed
from schemas.codes import tables
from schemas.discharge import Coding, Product
from schemas.facts import GivenDose, Order, Supply

DRUG_SEGMENTS: Final = frozenset({"RXE", "RXO", "RXA", "RXD"})
_WITHDRAWN: Final = frozenset({"CA", "DC", "OC", "OD"})
_OUTCOMES: Final[dict[str, Literal["complete", "partial", "refused", "not-given"]]] = {
    "CP": "complete",
    "PA": "partial",
    "RE": "refused",
    "NA": "not-given",
}
"""Table 0322."""
_PRODUCTS: Final = (("RXE", 2), ("RXO", 1), ("RXD", 2), ("RXA", 5))
"""Where an order names its product. A dispense to the ward and a dose without time are still evidence of an order."""
_AMOUNTS: Final = {"RXE": (3, 5), "RXO": (2, 4)}
"""Ordered amount and its unit."""
_DEFAULT_CLASSES: Final = {"I": "inpatient", "O": "discharge"}
"""Table 0482 in ORC-29."""
_DEFAULT_CLASS_PATH: Final = Path("ORC", 29, 1)
_DOSE_UNITS: Final = frozenset({"DOSE", "DOSES", "{DOSE}"})
_SHARED_SYSTEMS: Final = frozenset({tables.RXNORM, tables.NDC})
"""What more than one hospital knows a product by."""

OrderClass = Literal["inpatient", "discharge"] | None


class Drugs(NamedTuple):
    """What a message says of medication."""

    orders: list[Order]
    doses: list[GivenDose]
    supplies: list[Supply]


class _Group:
    """One order with everything that follows it until the next, and the event time of its message."""

    __slots__ = ("_named", "at")

    def __init__(self, named: dict[str, list[Segment]], at: datetime) -> None:
        self._named = named
        self.at = at

    def first(self, name: str) -> Segment | None:
        """The first segment of that name in this group."""
        named = self._named.get(name)
        return named[0] if named else None

    def all(self, name: str) -> Sequence[Segment]:
        """Every segment of that name in this group."""
        return self._named.get(name, ())

    def after(self, segment: Segment, name: str) -> Segment | None:
        """The next segment of that name, else the first of the group."""
        for other in self.all(name):
            if other.index > segment.index:
                return other
        return self.first(name)


class _Timing(NamedTuple):
    """How often, for how long and from when; whichever of TQ1, ORC-7, RXE-1 and the sender's own field says it."""

    interval: str | None
    days: int | None
    start: date | datetime | None


def drugs(source: Source, message: Message, at: datetime) -> Drugs:
    """All orders, doses and supplies of a message; ``at`` is its event time."""
    found = Drugs([], [], [])
    if not message.has(DRUG_SEGMENTS):
        return found
    for group in _groups(message, at):
        key = _order_key(source, group)
        timing = _timing(source, group)
        doses = list(_doses(source, group, key, timing))
        supplies = list(_supplies(source, group, key, timing))
        found.doses.extend(doses)
        found.supplies.extend(supplies)
        if not doses and not supplies:
            order = _order(source, group, key, timing)
            if order is not None:
                found.orders.append(order)
    return found


def _groups(message: Message, at: datetime) -> Iterator[_Group]:
    """Cut at each ORC; without ORC each RXE, RXO, RXA or RXD that would come twice opens one."""
    named: dict[str, list[Segment]] = {}
    for segment in message.segments:
        name = segment.name
        again = name in DRUG_SEGMENTS and name in named and "ORC" not in named
        if name == "ORC" or again:
            if not DRUG_SEGMENTS.isdisjoint(named):
                yield _Group(named, at)
            named = {}
        named.setdefault(name, []).append(segment)
    if not DRUG_SEGMENTS.isdisjoint(named):
        yield _Group(named, at)


def _order_key(source: Source, group: _Group) -> str | None:
    """``authority|number`` of the placer (ORC-2), else of the filler (ORC-3)."""
    orc = group.first("ORC")
    if orc is None:
        return None
    for field in (2, 3):
        number = source.token(orc, field)
        if number is not None:
            authority = source.token(orc, field, 2) or source.token(orc, field, 3) or ""
            return f"{authority}|{number}"
    return None


def _order(source: Source, group: _Group, key: str | None, timing: _Timing) -> Order | None:
    named = _ordered(source, group)
    if named is None:
        return None
    drug, sent = named
    orc = group.first("ORC")
    stated = instant(source.when(orc, 9), source.zone) if orc is not None else None
    amount, unit = _AMOUNTS.get(drug.name, (0, 0))
    return Order(
        key=key or f"{sent.code}|{(stated or group.at).isoformat()}",
        product=_known(source, group, drug, sent),
        at=stated or group.at,
        withdrawn=_withdrawn(group),
        discharge=_order_class(source, group) == "discharge",
        interval=timing.interval,
        amount=source.number(drug, amount) if amount else None,
        unit=source.unit(drug, unit) if unit else None,
        route=_route(source, group, drug),
        prescriber=source.clinician_name(orc, 12) if orc is not None else None,
        prescriber_id=source.token(orc, 12) if orc is not None else None,
        days=timing.days,
        start=timing.start,
    )


def _ordered(source: Source, group: _Group) -> tuple[Segment, Product] | None:
    for name, field in _PRODUCTS:
        segment = group.first(name)
        product = source.product(segment, field) if segment is not None else None
        if segment is not None and product is not None:
            return segment, product
    return None


def _known(source: Source, group: _Group, sent_in: Segment, sent: Product) -> Product:
    """The product as sent; where only its own hospital knows the code, as another segment of the same order names it.

    The codes as sent stay as alternates. Keys are made of what was sent: they don't depend on what else was.
    """
    if _is_shared(sent):
        return sent
    for name, field in _PRODUCTS:
        other = group.first(name) if name != sent_in.name else None
        product = sites.drug(source.site, other.raw(field)).product if other is not None else None
        if product is not None and _is_shared(product):
            own = [made(Coding, system=sent.system, code=sent.code, display=sent.display), *sent.alternates]
            more = [coding for coding in own if coding not in product.alternates]
            return changed(product, {"alternates": product.alternates + more})
    return sent


def _is_shared(product: Product) -> bool:
    return any(coding.system in _SHARED_SYSTEMS for coding in (product, *product.alternates))


def _doses(source: Source, group: _Group, key: str | None, timing: _Timing) -> Iterator[GivenDose]:
    for rxa in group.all("RXA"):
        product = source.product(rxa, 5)
        start = source.when(rxa, 3)
        if product is None or start is None:
            source.note(rxa, 5 if product is None else 3, "a dose needs a product and a time")
            continue
        outcome = _outcome(source, rxa)
        amount, action = source.number(rxa, 6), rxa.text(21).strip().upper()
        yield GivenDose(
            key=f"{key or ''}|{product.code}|{rxa.text(3).strip()}",
            order=key,
            product=_known(source, group, rxa, product),
            at=start,
            charted_at=group.at,
            amount=amount,
            unit=source.unit(rxa, 7),
            route=_route(source, group, rxa),
            outcome=outcome,
            held=outcome in ("refused", "not-given") or amount == 0,
            deleted=action == "D",
            updates=action == "U",
            given_by=source.clinician_name(rxa, 10),
            interval=timing.interval,
        )


def _outcome(source: Source, rxa: Segment) -> Literal["complete", "partial", "refused", "not-given"]:
    """RXA-20; without it a refusal reason (RXA-18) is a refusal and anything else was given."""
    status = rxa.text(20).strip().upper()
    if not status:
        return "refused" if rxa.text(18) or rxa.text(18, 2) else "complete"
    outcome = _OUTCOMES.get(status)
    if outcome is None:
        # Evidence of treatment, but not a dose that anybody may count on.
        source.note(rxa, 20, "not in table 0322 (CP PA RE NA): read as partial")
        return "partial"
    return outcome


def _supplies(source: Source, group: _Group, key: str | None, timing: _Timing) -> Iterator[Supply]:
    """What was handed over for the way home; a dispense to the ward, or one that was withdrawn, is none."""
    dispensed = group.all("RXD")
    order_class = _order_class(source, group) if dispensed else None
    for rxd in dispensed:
        doses = _dispensed_doses(source, rxd)
        if order_class is None and timing.days is None and doses is None:
            source.note(rxd, 2, "neither a discharge order nor days of supply: not counted as supply")
            continue
        if order_class == "inpatient" or _withdrawn(group):
            source.note(rxd, 2, "dispensed to the ward or withdrawn: not counted as supply")
            continue
        product = source.product(rxd, 2)
        if product is None:
            source.note(rxd, 2, "a supply needs a product")
            continue
        handed = instant(source.when(rxd, 3), source.zone)
        number = source.token(rxd, 7) or source.token(rxd, 1) or ""
        yield Supply(
            key=f"{key or product.code}|{number}",
            order=key,
            product=_known(source, group, rxd, product),
            at=handed or group.at,
            days=timing.days,
            doses=doses,
            interval=timing.interval,
            start=timing.start or handed,
            filled="yes",
        )


def _dispensed_doses(source: Source, rxd: Segment) -> int | None:
    """RXD-4 where RXD-5 says that it counts doses. Films, tablets and millilitres are quantities, never doses."""
    if (source.unit(rxd, 5) or "").upper() not in _DOSE_UNITS:
        return None
    number = source.number(rxd, 4)
    return int(number) if number is not None and number == int(number) and 0 < number <= 1464 else None


def _withdrawn(group: _Group) -> bool:
    orc = group.first("ORC")
    return orc is not None and orc.text(1).strip().upper() in _WITHDRAWN


def _order_class(source: Source, group: _Group) -> OrderClass:
    """Inpatient, or for the way home; None where neither the field nor the sender's map says it."""
    mapped = source.sender.maps.order_class
    path = (source.path(mapped.field) if mapped is not None else None) or _DEFAULT_CLASS_PATH
    words = (mapped.model_extra if mapped is not None else None) or _DEFAULT_CLASSES
    segment = group.first(path.segment)
    value = segment.text(path.field, path.component).strip() if segment is not None else ""
    word = words.get(value)
    if word in ("inpatient", "discharge"):
        return "discharge" if word == "discharge" else "inpatient"
    if value and segment is not None:
        source.note(segment, path.field, "order class is not in the sender's map")
        source.unknown("order-class", segment, path.field, value)
    return None


def _route(source: Source, group: _Group, drug: Segment) -> str | None:
    rxr = group.after(drug, "RXR")
    return (source.token(rxr, 1, 2) or source.token(rxr, 1)) if rxr is not None else None


def _timing(source: Source, group: _Group) -> _Timing:
    orc, rxe = group.first("ORC"), group.first("RXE")
    asked = group.first("TQ1")
    # What stands after RXE is the timing of the product as encoded; before it, as RXO asked for it.
    tq1s = [tq1 for tq1 in (group.after(rxe, "TQ1") if rxe is not None else None, asked) if tq1 is not None]
    pattern, duration_in, start_in = (_stating(tq1s, field) for field in (3, 6, 7))
    every = _repeats(pattern) if pattern is not None else None
    duration = days(duration_in.text(6), duration_in.text(6, 2)) if duration_in is not None else None
    start = source.when(start_in, 7) if start_in is not None else None
    for segment, field in ((orc, 7), (rxe, 1)):  # TQ, the layout before v2.5
        if segment is not None and segment.raw(field):
            every = every or interval(segment.text(field, 2))
            duration = duration or days(segment.text(field, 3), "")
            start = start or source.when(segment, field, 4)
    return _Timing(every, duration or _declared_days(source, group), start)


def _stating(tq1s: Sequence[Segment], field: int) -> Segment | None:
    return next((tq1 for tq1 in tq1s if tq1.raw(field)), None)


def _repeats(tq1: Segment) -> str | None:
    """TQ1-3 (RPT): the pattern (1, a code and its text), else the period (5) in its unit (6)."""
    count = tq1.text(3, 5).strip()
    period = f"Q{count}{tq1.text(3, 6)}" if count.isdigit() else ""
    return interval(tq1.text(3)) or interval(tq1.text(3, 1, 2)) or interval(period)


def _declared_days(source: Source, group: _Group) -> int | None:
    """The field where the sender's file says that days stand (``ZOC-3``)."""
    path = source.path(source.sender.maps.days_supply)
    segment = group.first(path.segment) if path is not None else None
    return days(segment.text(path.field, path.component), "D") if path is not None and segment is not None else None
