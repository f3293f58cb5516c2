"""The last-dose letter: one page that who gives the next dose can act on, or must not act on.

What nobody said is "not stated", and a dose that nobody verified is called so where it can't be overlooked.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

from fhir_mappings.pages.last_dose import GivenDose, LastDose, Supply, last_dose
from fhir_mappings.pages.opened import Opened, component, value_of
from fhir_mappings.pages.paper import Block, Lines, Pairs, Sheet, Table, short
from fhir_mappings.pages.readable import NOT_STATED, concept, day, moment, name_of, phone_of, text
from schemas.codes import local

TITLE: Final = "Last-dose letter"
SAFETY: Final = (
    "Scheduling support, never a dosing recommendation: amounts are copied as they were charted, none was computed."
)
NO_DOSE: Final = "LAST DOSE NOT STATED: no dose that was given is known here. Ask before any dose is given."
UNVERIFIED: Final = "UNVERIFIED: nobody is named who verified this last dose. Call back before any dose is given."
OVERDUE: Final = "OVERDUE: the cover ended more than 72 hours ago. The dose must be re-assessed, do not resume."
DOUBTED: Final = "IN DOUBT: what is told of the last dose contradicts itself, or can't be. Call back before any dose."
MADE_UP: Final = "TEST RECORD: this person is made up."
_DOUBTS: Final = frozenset(
    {"conflicting-last-dose", "dose-after-discharge", "implausible-last-dose", "interleaved-products"}
)
"""Flags of the clock by which the last dose may be another."""
_DOSES: Final = 14
"""Two a day for seven days: the page is one."""
_SUPPLIES: Final = 4
_DAYS: Final = 7
_CELL: Final = 90
_NAME: Final = 160
_LOST_SIGHT: Final = "in the packet"


def letter(packet: Opened) -> Sheet | None:
    """The letter of a packet; None where the reader may not see the doses or has no use for them."""
    told = last_dose(packet)
    if told is None:
        return None
    blocks: tuple[Block, ...] = (
        *_warnings(packet, told),
        Pairs(_rows(_person(packet))),
        Pairs(_rows(_dose(told))),
        *_history(told),
        *_supplies(told),
        Pairs(_rows(_cover(packet, told))),
        Pairs(_rows(_safety(packet, told))),
        Pairs(_rows(_people(packet))),
        Lines((SAFETY,)),
    )
    return Sheet(TITLE, blocks, alone=True)


def _rows(pairs: Iterator[tuple[str, str | None]]) -> tuple[tuple[str, str], ...]:
    return tuple((what, short(which or NOT_STATED, _NAME if what == "Name" else _CELL)) for what, which in pairs)


def _warnings(packet: Opened, told: LastDose) -> Iterator[Lines]:
    said = [MADE_UP] if packet.test else []
    if told.last is None:
        said.append(NO_DOSE)
    elif not told.verified:
        said.append(UNVERIFIED)
    if not _DOUBTS.isdisjoint(told.flags):
        said.append(DOUBTED)
    if told.overdue:
        said.append(OVERDUE)
    if said:
        yield Lines(tuple(said), strong=True)


def _person(packet: Opened) -> Iterator[tuple[str, str | None]]:
    born = packet.patient.get("birthDate")
    yield "Name", name_of(packet.patient)
    yield "Date of birth", moment(born, of_day="") if born else None
    yield "Has a photo ID", packet.fact("photo-id")
    yield "Letter made", moment(packet.local(packet.made))


def _dose(told: LastDose) -> Iterator[tuple[str, str | None]]:
    last = told.last
    yield "Drug", told.product
    yield "Formulation", told.form
    yield "Last dose", None if last is None else last.amount
    yield "Given at", None if last is None else moment(last.at)
    yield "Observed", None if last is None else _yes(last.observed)
    yield "Route", None if last is None else last.route
    yield "Given by (name, credential)", None if last is None else last.given_by
    verified = None if last is None else last.verified_by or "NOT VERIFIED"
    yield "Verified by", verified
    yield "Call back to verify", None if last is None else last.call_back
    yield "Schedule", told.every
    yield "Last change", _changed(told)
    yield "Note", told.note
    yield "Acknowledged by the partner", told.acknowledged
    yield "Next dose ordered for", moment(told.next_ordered) if told.next_ordered else None


def _yes(value: bool | None) -> str | None:  # noqa: FBT001 - the value is what is told
    return None if value is None else "yes" if value else "no"


def _changed(told: LastDose) -> str | None:
    if told.split:
        return "split doses: compare the doses below"
    if told.change is None:
        return "none among the doses below" if len([one for one in told.history if one.given]) > 1 else None
    before, after = told.change
    return f"{before.amount} to {after.amount}, {moment(after.at, of_day='')}"


def _history(told: LastDose) -> Iterator[Block]:
    if told.history:
        rows = tuple(tuple(short(cell, _CELL) for cell in _entry(one)) for one in told.history[:_DOSES])
        caption = "Doses of the last seven days, as charted"
        if len(told.history) > _DOSES:
            caption += f" ({len(told.history) - _DOSES} earlier ones {_LOST_SIGHT})"
        yield Table(caption, ("When", "Dose", "Amount", "Observed", "Given by", "Verified by"), rows)
    if told.without_entry:
        days = ", ".join(day(one) for one in told.without_entry[-_DAYS:])
        yield Lines((f"No entry was sent for: {days}. Whether a dose was given, held or missed is not stated.",))


def _entry(dose: GivenDose) -> Iterator[str]:
    yield moment(dose.at)
    yield "given" if dose.given else "HELD OR REFUSED"
    yield dose.amount or NOT_STATED
    yield _yes(dose.observed) or NOT_STATED
    yield dose.given_by or NOT_STATED
    yield dose.verified_by or ("NOT VERIFIED" if dose.given else NOT_STATED)


def _supplies(told: LastDose) -> Iterator[Block]:
    if not told.supplies:
        yield Lines(("Supply for the days after the discharge: not stated.",))
        return
    caption = "Supply for the days after the discharge"
    if len(told.supplies) > _SUPPLIES:
        caption += f" ({len(told.supplies) - _SUPPLIES} more {_LOST_SIGHT})"
    rows = tuple(tuple(short(cell, _CELL) for cell in _supply(one)) for one in told.supplies[:_SUPPLIES])
    yield Table(caption, ("Kind", "Product", "How much", "Days that it covers", "Filled"), rows)


def _supply(supply: Supply) -> Iterator[str]:
    yield supply.kind
    yield supply.product or NOT_STATED
    yield supply.amount or NOT_STATED
    yield _covers(supply.first, supply.last)
    yield supply.filled or NOT_STATED


def _covers(first: str | None, last: date | None) -> str:
    if first is None:
        return NOT_STATED
    return f"{moment(first, of_day='')} to {day(last) if last else 'a day that is not stated'}"


def _cover(packet: Opened, told: LastDose) -> Iterator[tuple[str, str | None]]:
    flags = local.CODES[local.FLAG]
    yield "Covered until", moment(told.covered_until) if told.covered_until else None
    yield "Handed over besides, locked box", "; ".join(map(value_of, packet.observations("supplies-given"))) or None
    yield "Flags", ", ".join(flags[one].display if one in flags else text(one) for one in told.flags) or "none"
    yield "Other medication in the packet", ", ".join(told.others) or "none"
    yield "Consent (42 CFR Part 2)", _consent(packet)
    otp = next(iter(packet.observations("current-otp")), None)
    yield "Enrolled at (current OTP)", None if otp is None else value_of(otp)
    yield "Its phone", None if otp is None else component(otp, "Phone")
    yield "It was called", None if otp is None else component(otp, "Contacted at")
    yield "It confirmed the dose", None if otp is None else component(otp, "Dose confirmed")


def _consent(packet: Opened) -> str:
    active = [one for one in packet.of("Consent") if one.get("status") == "active"]
    if not active:
        return "none goes along; the notice says on which ground this is disclosed"
    signed, ends = active[0].get("dateTime"), active[0].get("provision", {}).get("period", {}).get("end")
    return (
        f"signed {moment(signed, of_day='') if signed else NOT_STATED}, "
        f"ends {moment(ends, of_day='') if ends else NOT_STATED}"
    )


def _safety(packet: Opened, told: LastDose) -> Iterator[tuple[str, str | None]]:
    held = [moment(one.at, of_day="") for one in told.history if not one.given]
    qtc = next(iter(packet.observations("qtc")), None)
    measured = qtc.get("effectiveDateTime") if qtc else None
    yield "QTc", packet.fact("qtc")
    yield "ECG of", moment(measured, of_day="") if measured else None
    yield "Doses held or refused", "; ".join(held) or "none among the doses above"
    yield "Sedation", None
    yield "Naloxone given", packet.fact("naloxone-given")
    yield "Pregnant", packet.fact("pregnant")
    yield "Benzodiazepines", packet.fact("benzodiazepines")
    yield "Alcohol", packet.fact("alcohol")
    yield "Stimulants", packet.fact("stimulants")
    yield "Urine drug screen", "; ".join(_screen(one) for one in packet.observations("urine-drug-screen")) or None


def _screen(observation: dict[str, object]) -> str:
    at = observation.get("effectiveDateTime")
    when = moment(str(at), of_day="") if at else "day not stated"
    return f"{when}: {concept(observation['code'])} {value_of(observation)}"  # type: ignore[arg-type]


def _people(packet: Opened) -> Iterator[tuple[str, str | None]]:
    role = packet.first("PractitionerRole")
    orders = [one for one in packet.of("MedicationRequest") if one.get("intent") == "order"]
    signed = any("PractitionerRole/" in one.get("requester", {}).get("reference", "") for one in orders)
    yield "Prescriber" if signed else "Attending clinician", text(role.get("practitioner")) or None
    yield "Call-back number", phone_of(role)
    yield "Answered day and night", None
    yield "Hospital", text(packet.task.get("requester")) or None
