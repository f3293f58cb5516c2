"""The last-dose record: what a packet says of the doses given, the supply in hand and the cover, for who doses next.

Copied, never computed: no amount is added, divided or changed here. What nobody said is None. The set is that of
21 CFR 1304.24 and of published last-dose letters (PMC10873107).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from fhir_mappings.building.build_medications import CALL_BACK, GIVEN_BY, VERIFIED_BY
from fhir_mappings.labels import Resource
from fhir_mappings.pages.opened import Opened, codes_of, component, extension_of, value_of
from fhir_mappings.pages.readable import concept, quantity, text
from schemas.codes import local
from schemas.codes.tables import DrugRow, drug

_ACKNOWLEDGED: Final = "last-dose-acknowledged"
OVERDUE: Final = timedelta(hours=72)
"""Beyond it a dose is assessed anew and not resumed."""
_WINDOW: Final = timedelta(days=7)
_FOR_OUD: Final = frozenset({"daily", "lai", "needs-dx"})
_FORMS: Final = {
    "oral-concentrate-10mg/mL": "oral concentrate, 10 mg/mL",
    "tablet-for-suspension-40mg": "dispersible tablet, 40 mg",
    "sl-film": "sublingual film",
    "sl-tablet": "sublingual tablet",
    "sublingual-tablet": "sublingual tablet",
    "buccal-film": "buccal film",
    "lai-weekly": "injection, long-acting, weekly product",
    "lai-monthly": "injection, long-acting, monthly product",
    "xr-injection": "injection, extended release",
    "injection-immediate": "injection, short-acting",
}
"""Forms of ``rxnorm.csv`` in words; others are words already."""


@dataclass(frozen=True, slots=True)
class GivenDose:
    """One entry of the dosing record, as charted."""

    at: str
    """FHIR date or dateTime."""
    given: bool
    """False where it was held or refused, or where nothing was taken."""
    product: str
    amount: str | None = None
    route: str | None = None
    observed: bool | None = None
    given_by: str | None = None
    verified_by: str | None = None
    call_back: str | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """What the person has in hand, or was prescribed, for the days after."""

    kind: str
    product: str
    amount: str | None
    first: str | None
    """First day that it is for, FHIR date or dateTime."""
    last: date | None
    """Last day, where first day and number of days are both known."""
    filled: str | None


@dataclass(frozen=True, slots=True)
class LastDose:
    """The whole record of one medication: that of the last dose given, else that which was ordered."""

    product: str | None
    form: str | None
    last: GivenDose | None
    history: tuple[GivenDose, ...]
    """The last seven days, and always the last dose given, newest first."""
    without_entry: tuple[date, ...]
    """Days of the visit, of these seven, for which nothing was sent; only of what is taken daily."""
    change: tuple[GivenDose, GivenDose] | None
    """The two doses between which the amount was changed last; not of split doses, which may differ by design."""
    split: bool
    """Whether it is taken more than once a day."""
    every: str | None
    note: str | None
    """What was noted of the medication: the number of the last dose of a long-acting product among it."""
    next_ordered: str | None
    supplies: tuple[Supply, ...]
    others: tuple[str, ...]
    """Further products that were given or ordered."""
    covered_until: str | None
    flags: tuple[str, ...]
    overdue: bool
    acknowledged: str | None
    """That, or when, the partner stated that it received and verified the last dose."""

    @property
    def verified(self) -> bool:
        """Whether somebody is named who verified the last dose."""
        return self.last is not None and self.last.verified_by is not None


def last_dose(packet: Opened) -> LastDose | None:
    """The record; None where the reader is shown the offer only, or is not one who doses."""
    if not packet.tells_doses:
        return None
    charted = _newest_first([(one, _dose(one)) for one in packet.of("MedicationAdministration")])
    family = _family_of(packet, charted)
    history = tuple(dose for resource, dose in charted if _family(resource) == family)
    last = next((one for one in history if one.given), None)
    plan = next((one for one in packet.of("MedicationRequest") if _planned(one) and _family(one) == family), {})
    source = next((one for one, dose in charted if dose is last), plan)
    until = packet.task.get("restriction", {}).get("period", {}).get("end")
    flags = _flags(packet.task)
    repeat = _timing(plan).get("repeat", {})
    return LastDose(
        product=_product(source) if source else None,
        form=_form(source) if source else None,
        last=last,
        history=history,
        without_entry=tuple(_without_entry(packet, history)) if _daily(repeat) else (),
        change=None if _split(repeat) else _change(history),
        split=_split(repeat),
        every=_every(plan),
        note="; ".join(text(one["text"]) for one in plan.get("note", ())) or None,
        next_ordered=next(iter(_timing(plan).get("event", ())), None),
        supplies=_in_order(_supplies(packet), None if last is None or _split(repeat) else _day(last.at)),
        others=tuple(_others(packet, family)),
        covered_until=packet.local(until) if until else None,
        flags=flags,
        overdue="reassess-tolerance" in flags or _overdue(until, packet.made),
        acknowledged=_acknowledged(packet.task),
    )


# ---- which medication


def _row(resource: Resource) -> DrugRow | None:
    codings = resource.get("medicationCodeableConcept", {}).get("coding", ())
    rows = (drug(one.get("system"), one["code"]) for one in codings if "code" in one)
    return next((row for row in rows if row is not None), None)


def _family(resource: Resource) -> str:
    """The drug whatever its product: tablets after concentrate go on with the same history."""
    row = _row(resource)
    return row.drug.partition("-")[0] if row else _product(resource).casefold()


def _family_of(packet: Opened, charted: list[tuple[Resource, GivenDose]]) -> str | None:
    """The medication that it is about: one for opioid use disorder before others, then the one given last."""
    told = [*(one for one, dose in charted if dose.given), *(one for one, _ in charted)]
    told += packet.of("MedicationRequest")
    return _family(max(told, key=_for_oud)) if told else None


def _for_oud(resource: Resource) -> int:
    row = _row(resource)
    return 1 if row is None else 2 if row.triage_class in _FOR_OUD else 0


def _product(resource: Resource) -> str:
    return concept(resource.get("medicationCodeableConcept", {})) or "a medication without a name"


def _form(resource: Resource) -> str | None:
    row = _row(resource)
    return None if row is None else _FORMS.get(row.form, row.form.replace("-", " "))


def _others(packet: Opened, family: str | None) -> Iterator[str]:
    products = (*packet.of("MedicationAdministration"), *packet.of("MedicationRequest"))
    yield from dict.fromkeys(_product(one) for one in products if _family(one) != family)


# ---- doses


def _dose(resource: Resource) -> GivenDose:
    dosage = resource.get("dosage", {})
    observed = extension_of(resource, "dose-observed")
    return GivenDose(
        at=resource.get("effectiveDateTime") or resource.get("effectivePeriod", {}).get("start", ""),
        given=resource["status"] == "completed",
        product=_product(resource),
        amount=quantity(dosage.get("dose")),
        route=concept(dosage["route"]) if "route" in dosage else None,
        observed=None if observed is None else observed["valueBoolean"],
        given_by=_performer(resource, GIVEN_BY),
        verified_by=_performer(resource, VERIFIED_BY),
        call_back=_call_back(resource),
    )


def _performer(resource: Resource, function: str) -> str | None:
    performers = resource.get("performer", ())
    found = (one["actor"] for one in performers if one.get("function", {}).get("text") == function)
    return next((said for actor in found if (said := text(actor))), None)


def _call_back(resource: Resource) -> str | None:
    notes = (one["text"] for one in resource.get("note", ()))
    return next((text(one.removeprefix(CALL_BACK)) for one in notes if one.startswith(CALL_BACK)), None)


def _newest_first(charted: list[tuple[Resource, GivenDose]]) -> list[tuple[Resource, GivenDose]]:
    """In the order of time; a day counts from its midnight, and what has no time stands last."""
    instants = (at for _, dose in charted if (at := _at(dose.at, None)) is not None)
    zone = next((at.tzinfo for at in instants if at.tzinfo is not None), UTC)
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(charted, key=lambda one: _at(one[1].at, zone) or never, reverse=True)


def _at(text: str, zone: tzinfo | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _change(history: tuple[GivenDose, ...]) -> tuple[GivenDose, GivenDose] | None:
    given = [one for one in history if one.given and one.amount is not None]
    pairs = zip(given[1:], given, strict=False)
    return next(((before, after) for before, after in pairs if before.amount != after.amount), None)


def _without_entry(packet: Opened, history: tuple[GivenDose, ...]) -> Iterator[date]:
    period = packet.first("Encounter").get("period", {})
    entries = {one.at[:10] for one in history}
    if not entries or "start" not in period:
        return
    last = _day(period["end"] if "end" in period else max(entries))
    first = _day(period["start"])
    if first is None or last is None:
        return
    for number in range(min(_WINDOW.days - 1, (last - first).days), -1, -1):
        one = last - timedelta(days=number)
        if one.isoformat() not in entries:
            yield one


def _day(text: str) -> date | None:
    at = _at(text[:10], UTC)
    return at.date() if at else None


# ---- schedule, supply and cover


def _planned(request: Resource) -> bool:
    return request.get("intent") == "plan"


def _timing(plan: Resource) -> Resource:
    instructions = plan.get("dosageInstruction", ())
    found: Resource = next((one["timing"] for one in instructions if "timing" in one), {})
    return found


def _hours(repeat: Resource) -> float | None:
    """Length of the period in hours."""
    lengths = {"min": 1 / 60, "h": 1.0, "d": 24.0, "wk": 168.0}
    unit = lengths.get(repeat.get("periodUnit", ""))
    return repeat["period"] * unit / repeat.get("frequency", 1) if unit and "period" in repeat else None


def _daily(repeat: Resource) -> bool:
    hours = _hours(repeat)
    return hours is not None and hours <= 24


def _split(repeat: Resource) -> bool:
    hours = _hours(repeat)
    return hours is not None and hours < 24


def _every(plan: Resource) -> str | None:
    instructions = plan.get("dosageInstruction", ())
    return next((text(one["text"]) for one in instructions if one.get("text")), None)


def _supplies(packet: Opened) -> Iterator[Supply]:
    for one in packet.of("MedicationDispense"):
        bounds = _timing(one).get("repeat", {}).get("boundsPeriod", {})
        kind = concept(one.get("category", {})) or "Dispensed"
        yield _supply(one, kind, days=one.get("daysSupply"), doses=one.get("quantity"), first=bounds.get("start"))
    for one in packet.of("MedicationRequest"):
        if not _planned(one):
            ordered = one.get("dispenseRequest", {})
            start = ordered.get("validityPeriod", {}).get("start")
            days, doses = ordered.get("expectedSupplyDuration"), ordered.get("quantity")
            yield _supply(one, "Prescribed", days=days, doses=doses, first=start)
    for one in packet.of("Observation"):
        if one["code"].get("text") == "Own supply in hand":
            in_hand, filled = value_of(one), component(one, "Filled")
            yield Supply("Own supply", component(one, "Product") or "", in_hand, None, None, filled)


def _in_order(supplies: Iterator[Supply], dosed_on: date | None) -> tuple[Supply, ...]:
    """Supplies by their first day. One that was handed over before the last dose begins on the day after that dose.

    The clock counts so: who was dosed on a day takes nothing home for it.
    """
    found = sorted((_after(one, dosed_on) for one in supplies), key=lambda one: (one.first is None, one.first or ""))
    return tuple(found)


def _after(supply: Supply, dosed_on: date | None) -> Supply:
    begins = _day(supply.first) if supply.first else None
    if begins is None or dosed_on is None or begins > dosed_on:
        return supply
    first = dosed_on + timedelta(days=1)
    last = supply.last + (first - begins) if supply.last else None
    return replace(supply, first=first.isoformat(), last=last)


def _supply(
    resource: Resource, kind: str, *, days: Resource | None, doses: Resource | None, first: str | None
) -> Supply:
    amounts = [said for one in (doses, days) if (said := quantity(one))]
    filled = extension_of(resource, "supply-filled")
    return Supply(
        kind=kind,
        product=_product(resource),
        amount=", ".join(amounts) or None,
        first=first,
        last=_last_day(first, days),
        filled=None if filled is None else filled["valueCode"],
    )


def _last_day(first: str | None, days: Resource | None) -> date | None:
    start = _day(first) if first else None
    if start is None or days is None or days.get("code") != "d" or not 1 <= days["value"] <= 366:
        return None
    return start + timedelta(days=int(days["value"]) - 1)


def _flags(task: Resource) -> tuple[str, ...]:
    told = extension_of(task, "coverage") or {}
    return tuple(one["valueCode"] for one in told.get("extension", ()) if one["url"] == "flag")


def _overdue(until: str | None, made: str) -> bool:
    end, now = _at(until, UTC) if until else None, _at(made, UTC)
    return end is not None and now is not None and now - end > OVERDUE


def _acknowledged(task: Resource) -> str | None:
    reports = (one for one in task.get("output", ()) if _ACKNOWLEDGED in codes_of([one["type"]], local.REPORT))
    found = next(reports, None)
    return None if found is None else text(found.get("valueDateTime", True))
