"""The coverage clock of one visit's referral: computed when the visit is looked at, kept when it changed.

``rules.coverage`` decides; here its inputs are gathered from the record of the visit, what it shows is compared with
what it showed last, and a change becomes an event (append-only, with its inputs sealed), a new ``computedAt`` on the
Tasks, and a job at the next moment at which time alone changes something. Without a change nothing is written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.core import json
from app.core.clock import micros
from app.core.crypto import Keys, seal
from app.core.ids import uuid7
from app.rules import coverage, coverage_changes, lifecycle
from app.rules.coverage_inputs import CoverageInput, Doubt
from app.rules.coverage_supply import contradicted
from app.rules.drugs import drug_of
from app.rules.hours import Calendar
from app.rules.last_dose import Charted, last_dose
from app.services.referral import guests
from app.services.referral.clock_answers import DUE
from app.services.referral.situation import Settlement, Situation
from app.services.referral.visit_file import VisitFile
from app.services.writing import Resource
from app.store.changes import Changes, CoverageEvent, Job
from fhir_mappings import build, triage
from fhir_mappings.visits import visit
from schemas.discharge import MOUD, DischargeEvent, Medication, Product
from schemas.facts import GivenDose, VisitRecord
from schemas.partner import PartnerProfile
from schemas.stub import ClockState, NeedLink, ReferralLink

TaskOf = Callable[[str], Resource]
_MINUTE: Final = timedelta(minutes=1)
_ELSEWHERE: Final = frozenset({"snf", "custody"})
_DOUBTS: Final[dict[str, str]] = {
    "conflicting-last-dose": "Two sources tell different times of the last dose: which one holds?",
    "dose-after-discharge": "A dose is charted after the person left: was it given, and to whom?",
    "interleaved-products": "Doses of two products are charted in turn: which one is continued?",
    "implausible-last-dose": "The last dose is told of a time at which it can't have been given: when was it?",
    "supply-contradicted": "A supply was handed over and is said not to be in hand: does the person have it?",
}
_OWNER_UNKNOWN: Final = (
    "dosing-owner-unknown",
    "The person is in a nursing facility or in custody, or the partner is holding: name who gives the next doses.",
)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock at one look."""

    view: build.CoverageView
    inputs: coverage_changes.Plain
    outputs: coverage_changes.Plain
    why: tuple[str, ...]
    """Which inputs changed; empty where nothing did."""
    recompute_at: datetime | None
    doubts: tuple[str, ...]
    """What a person must say: facts that contradict each other, or can't be."""
    owner_unknown: bool


def read(situation: Situation, event: DischargeEvent, link: ReferralLink, task_of: TaskOf) -> Clock | None:
    """Until when the person is covered; None while they are in the bed and nobody has accepted, or without a drug."""
    # After a discharge that was cancelled when a partner had accepted already, the clock runs on.
    engaged = any(task_of(need.task)["status"] in lifecycle.ENGAGED for need in link.needs)
    if situation.triage.product is None or (situation.file.content.record.ended_at is None and not engaged):
        return None
    need = _need(link)
    inputs = _inputs(situation, event, holding=need is not None and _held(need, task_of))
    before = link.clock
    plain = coverage_changes.inputs_of(inputs)
    anew = coverage_changes.verified_anew(before.inputs if before else None, plain)
    shown = coverage.compute(
        inputs,
        situation.now,
        open_between=_open_between(situation, need, task_of),
        floor=before.outputs["priority"] if before and not anew else None,
    )
    outputs = coverage_changes.outputs_of(shown)
    same = before is not None and before.inputs == plain and before.outputs == outputs
    why = () if same else coverage_changes.why(before.inputs if before else None, plain)
    told = _on_the_wall(shown, inputs.zone)
    view = replace(_view(told, before if same else None, situation.now), **guests.returns(event))
    doubts = tuple(code for code in shown.codes if code in _DOUBTS)
    return Clock(view, plain, outputs, why, shown.recompute_at, doubts, shown.dosing_owner_unknown)


def _held(need: NeedLink, task_of: TaskOf) -> bool:
    """Whether a partner has a place and does not dose yet; a place that is lost is sought anew."""
    return any(task_of(one)["status"] == "on-hold" for one in (child.task for child in need.children))


def _need(link: ReferralLink) -> NeedLink | None:
    return next((one for one in link.needs if one.need == MOUD), None)


_INSTANTS: Final = (
    "covered_until",
    "next_due",
    "falls_due",
    "earliest",
    "latest",
    "possible_gap_at",
    "confirmed_gap_at",
    "hold_partner_until",
)


def _on_the_wall(shown: coverage.Coverage, zone: ZoneInfo) -> coverage.Coverage:
    """The same instants with the offset of the place that dosed: letters and cards are read by people."""
    told = {name: at for name in _INSTANTS if (at := getattr(shown, name)) is not None}
    local = {name: at.astimezone(zone) for name, at in told.items()}
    # Local mean time, long ago, has seconds in its offset, which no FHIR dateTime has.
    return replace(shown, **{name: at for name, at in local.items() if not (at.utcoffset() or timedelta()) % _MINUTE})


def _view(shown: coverage.Coverage, before: ClockState | None, now: datetime) -> build.CoverageView:
    passed = shown.without_medication
    return build.CoverageView(
        covered_until=shown.covered_until,
        next_due=shown.next_due,
        falls_due=shown.falls_due,
        confidence=shown.confidence,
        priority=shown.priority,
        flags=shown.flags,
        earliest=shown.earliest,
        latest=shown.latest,
        gap=shown.gap,
        possible_gap_at=shown.possible_gap_at,
        confirmed_gap_at=shown.confirmed_gap_at,
        hold_partner_until=shown.hold_partner_until,
        asks=shown.asks,
        # What passes by the hour is told as of the last change, or every look would be a new version.
        hours_without=before.hours if before else passed // timedelta(hours=1) if passed is not None else None,
        computed_at=before.at if before else now,
    )


# ---- what it reads


def _inputs(situation: Situation, event: DischargeEvent, *, holding: bool) -> CoverageInput:
    record, product = situation.file.content.record, situation.triage.product
    wanted = product.clock_class if product else ""
    own = [one for one in event.medications if _class_of(one.product) in {wanted, ""}]
    zone = situation.sender.zone(record.facility)
    interval = _interval(own, product.product.code if product else "")
    found = last_dose(
        [*_charted(record, wanted)], product_class=wanted, zone=zone, interval=interval, left_at=_left_at(record)
    )
    doubts: list[Doubt] = [*found.doubts] if found else []
    if any(contradicted(bridge) for one in own for bridge in one.bridges):
        doubts.append("supply-contradicted")
    elsewhere = holding or (record.visit.disposition or "") in _ELSEWHERE
    plain = CoverageInput(
        zone=zone,
        product_class=wanted,
        last_dose=None,
        disposition=record.visit.disposition,
        pregnant=event.clinical.pregnant is True,
        overdose_this_visit=event.clinical.overdose_this_visit is True,
        no_phone=not record.patient.phones,
        homeless=event.patient.homeless is True,
        elsewhere=elsewhere,
        dosed_by=_dosed_by(record, event) if elsewhere else None,
        doubts=tuple(doubts),
    )
    readings = [
        replace(
            _course_of(plain, one.product_class, event),
            last_dose=one.at,
            verified=one.verified,
            earlier_doses=one.earlier,
        )
        for one in (found.readings if found else ())
    ]
    return replace(readings[0], others=tuple(readings[1:])) if readings else _course_of(plain, wanted, event)


def _course_of(plain: CoverageInput, product_class: str, event: DischargeEvent) -> CoverageInput:
    """The person as taking one product: its schedule, its supplies, what is ordered."""
    own = [one for one in event.medications if _class_of(one.product) in {product_class, ""}]
    supplies = [tuple(one.bridges) for one in own if one.bridges]
    return replace(
        plain,
        product_class=product_class,
        interval=_interval(own, ""),
        bridges=supplies[0] if supplies else (),
        beside=tuple(supplies[1:]),
        next_due_ordered=next((one.next_due_ordered for one in own if one.next_due_ordered), None),
        dose_number=next((one.dose_number for one in own if one.dose_number), None),
    )


def _class_of(product: Product) -> str:
    drug = triage.classify(product)
    return drug.clock_class if drug is not None else ""


def _interval(medications: Sequence[Medication], code: str) -> timedelta | None:
    """How often it is taken, by the schedule of the product that carries the referral first."""
    stated = sorted((one for one in medications if one.schedule), key=lambda one: one.product.code != code)
    hours = (visit.interval_hours(one.schedule.interval) for one in stated if one.schedule)
    found = next((one for one in hours if one), None)
    return timedelta(hours=found) if found else None


def _charted(record: VisitRecord, wanted: str) -> Iterator[Charted]:
    """Every dose that was given of a product for opioid use disorder.

    One from before the person came is told, not charted here: it is verified where somebody is named who verified it,
    or the program where the person is enrolled confirmed it.
    """
    otp = record.circumstances.current_otp
    confirmed = otp is not None and otp.dose_confirmed is True
    for dose in visit.moud_doses(record):
        yield Charted(
            at=dose.at,
            product_class=_class_of(dose.product) or wanted,
            stated_at=dose.charted_at,
            source=dose.source,
            verified=confirmed or dose.verified_by is not None or not _before_coming(record, dose),
        )


def _before_coming(record: VisitRecord, dose: GivenDose) -> bool:
    came = record.came_at or record.visit.admitted_at
    if isinstance(came, datetime) and isinstance(dose.at, datetime):
        return dose.at < came
    return came is not None and _day(dose.at) < _day(came)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _left_at(record: VisitRecord) -> datetime | None:
    said = record.visit.discharged_at
    return max(said, record.ended_at) if isinstance(said, datetime) and record.ended_at else record.ended_at


def _dosed_by(record: VisitRecord, event: DischargeEvent) -> str | None:
    """Who gives the doses meanwhile: what was answered, else the program where the person is enrolled."""
    if record.doses_meanwhile is not None:
        return record.doses_meanwhile.who
    return event.current_otp.name if event.current_otp is not None else None


# ---- the hours of whoever is to dose


def _open_between(situation: Situation, need: NeedLink | None, task_of: TaskOf) -> coverage.OpenBetween | None:
    """Whether the partner (without one, any candidate) has an open hour; None where somebody's hours are not known.

    Somebody whose hours are not known may be open, so nothing is raised for it.
    """
    partners = _partners(situation, need, task_of)
    calendars = [_calendar(one) for one in partners]
    known = [one for one in calendars if one is not None]
    if not known or len(known) < len(calendars):
        return None
    return lambda start, end: any(one.open_between(start, end) for one in known)


def _partners(situation: Situation, need: NeedLink | None, task_of: TaskOf) -> list[PartnerProfile]:
    """The partner that accepted; until one has, every candidate: who of them is asked tells nothing to the others."""
    known = situation.directory.partners
    for child in need.children if need else ():
        if task_of(child.task)["status"] in lifecycle.ENGAGED and child.partner in known:
            return [known[child.partner]]
    product = situation.triage.product
    drug = drug_of(product.drug) if product else None
    return [
        one for one in known.values() if one.active and MOUD in one.needs and (not one.products or drug in one.products)
    ]


def _calendar(partner: PartnerProfile) -> Calendar | None:
    hours = [*(partner.intake_hours or ()), *(partner.dosing_hours or ())]
    said = partner.intake_hours is not None or partner.dosing_hours is not None
    return Calendar.of(hours, partner.zone, partner.closed_on) if said and partner.zone is not None else None


# ---- what is kept


def keep(situation: Situation, result: Settlement, clock: Clock | None, task_of: TaskOf) -> None:
    """The event, the job and the questions to people that follow; a referral that is over keeps no clock."""
    link = situation.file.content.referral
    if link is None:
        return
    need = _need(link)
    if clock is None or need is None or _over(need, task_of):
        _stop(link, result)
        return
    if situation.file.content.record.answer != "refer":
        result.review += [(doubt, _DOUBTS[doubt]) for doubt in clock.doubts]
        result.attention += [_OWNER_UNKNOWN] if clock.owner_unknown else []
    before = link.clock
    job = _job(situation.file.id, clock.recompute_at)
    if before is not None and before.job is not None and before.job != (job.id if job else None):
        result.jobs_gone.append(before.job)
    if job is not None:
        result.jobs.append(job)
    at, hours = clock.view.computed_at, clock.view.hours_without
    link.clock = ClockState(
        at=at or situation.now, inputs=clock.inputs, outputs=clock.outputs, hours=hours, job=job.id if job else None
    )
    if clock.why:
        result.clock = _event(situation, need, clock)


def _over(need: NeedLink, task_of: TaskOf) -> bool:
    """Whether somebody gave the dose, or nobody is to give it any more."""
    tasks = [task_of(need.task), *(task_of(child.task) for child in need.children)]
    completed = any(task["status"] == "completed" for task in tasks)
    return tasks[0]["status"] in lifecycle.TERMINAL or completed or any(_first_dose(task) for task in tasks)


def _first_dose(task: Resource) -> bool:
    types = (entry.get("type", {}).get("coding", ()) for entry in task.get("output", ()))
    return any(coding.get("code") == "first-dose" for codings in types for coding in codings)


def _stop(link: ReferralLink, result: Settlement) -> None:
    if link.clock is not None and link.clock.job is not None:
        result.jobs_gone.append(link.clock.job)
        link.clock.job = None


def _job(visit_id: str, at: datetime | None) -> Job | None:
    """One job for each threshold: the same cause makes the same job once."""
    return Job(f"{DUE}:{visit_id}:{micros(at)}", DUE, visit_id, micros(at)) if at is not None else None


def _event(situation: Situation, need: NeedLink, clock: Clock) -> CoverageEvent:
    origin = situation.origin
    next_look = clock.recompute_at.isoformat() if clock.recompute_at else None
    return CoverageEvent(
        id=uuid7(),
        referral=need.service_request,
        visit=situation.file.id,
        at=micros(situation.now),
        cause=origin.cause or f"message:{origin.ledger}",
        why=json.dumps(list(clock.why)).decode(),
        digest="",
        inputs=json.canonical(clock.inputs),
        outputs=json.dumps({**clock.outputs, "recompute_at": next_look}).decode(),
    )


def written(settlement: Settlement, file: VisitFile, keys: Keys) -> Changes:
    """The event with its inputs sealed under the key of the visit, and the jobs that are void."""
    event = settlement.clock
    if event is None:
        return Changes(jobs_gone=tuple(settlement.jobs_gone))
    digest = keys.mac("coverage-inputs", event.inputs)
    sealed = event._replace(digest=digest, inputs=seal(file.key, event.inputs, event.id))
    return Changes(jobs_gone=tuple(settlement.jobs_gone), coverage_events=(sealed,))
