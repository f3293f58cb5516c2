"""What decisions about a referral are fed with: the partners to choose from, and the coverage clock of the visit."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, cast

from app.rules import coverage, routing
from app.rules.hours import Calendar
from app.services.matching import policies_of
from app.services.situation import Situation
from app.services.writing import Resource
from fhir_mappings import build, offer, visit
from schemas.discharge import DischargeEvent, NeedKind
from schemas.partner import PartnerProfile

_PRODUCTS: Final = frozenset({"methadone", "buprenorphine", "naltrexone"})
_COMPLETE: Final = frozenset({"Condition", "Coverage", "MedicationAdministration", "MedicationRequest"})
"""What an intake asks for first: diagnosis, insurance, the last dose and the order."""


def intake_calendar(profile: PartnerProfile) -> Calendar | None:
    """When a person may come to a partner for an intake; None where hours or zone are not said."""
    if profile.zone is None or profile.intake_hours is None:
        return None
    return Calendar.of(profile.intake_hours, profile.zone, profile.closed_on)


def dosing_calendar(profile: PartnerProfile) -> Calendar | None:
    """When somebody who is enrolled is given a dose there; None where hours or zone are not said."""
    if profile.zone is None or profile.dosing_hours is None:
        return None
    return Calendar.of(profile.dosing_hours, profile.zone, profile.closed_on)


def coverage_of(situation: Situation, event: DischargeEvent, *, engaged: bool) -> build.CoverageView | None:
    """Until when the person is covered; None while they are in the bed and nobody has accepted, or without a drug."""
    if situation.triage.product is None or (situation.file.content.record.ended_at is None and not engaged):
        return None
    clock = coverage.compute(_clock_input(event, situation), now=situation.now)
    return build.CoverageView(
        covered_until=clock.covered_until,
        next_due=clock.next_due,
        confidence=clock.confidence,
        priority=clock.priority,
        flags=clock.flags,
    )


def _clock_input(event: DischargeEvent, situation: Situation) -> coverage.CoverageInput:
    record, product = situation.file.content.record, situation.triage.product
    last = visit.last_dose(record)
    medication = next((m for m in event.medications if product and m.product.code == product.product.code), None)
    hours = visit.interval_hours(medication.schedule.interval if medication and medication.schedule else None)
    clinical = event.clinical
    return coverage.CoverageInput(
        zone=situation.sender.zone(record.facility),
        product_class=product.clock_class if product else "",
        last_dose=last.at if last else None,
        interval=timedelta(hours=hours) if hours else None,
        bridges=[bridge for m in event.medications for bridge in m.bridges],
        disposition=record.visit.disposition,
        pregnant=clinical.pregnant is True,
        overdose_this_visit=clinical.overdose_this_visit is True,
        no_phone=not record.patient.phones,
        homeless=event.patient.homeless is True,
    )


def offer_facts(
    situation: Situation,
    event: DischargeEvent,
    need: str,
    clinical: Sequence[Resource],
    covered: build.CoverageView | None,
    *,
    partner: str | None = None,
) -> offer.OfferFacts:
    """What a partner may be told before anybody has consented; ``partner`` is the organisation whose policies count."""
    product = situation.triage.product
    drug = routing.drug_of(product.drug) if product else None
    zone = situation.sender.zone(situation.file.content.record.facility)
    types = {one["resourceType"] for one in clinical}
    return offer.facts_of(
        event,
        need=cast("NeedKind", need),
        product=cast("offer.Product", drug) if drug in _PRODUCTS else "no-product",
        due=covered.next_due if covered else None,
        now=situation.now.astimezone(zone),
        gendered=False,
        policies=policies_of(situation, need, event, covered, partner) if partner else "conflict-unknown",
        complete=types >= _COMPLETE,
    )
