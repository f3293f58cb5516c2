"""What matching is fed with: the person as clauses may know them, and every partner as a candidate."""

from collections.abc import Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Final

from app.core.clock import micros
from app.rules import matching
from app.rules.drugs import Drug, drug_of
from app.rules.guests import GUEST
from app.rules.policies.base import Person
from app.services.referral.parties import party_of
from app.services.referral.partner_hours import dosing_calendar, intake_calendar
from app.services.referral.situation import Situation
from app.store.accounts import Directory
from app.store.changes import Question
from fhir_mappings import build
from fhir_mappings.building import build_elements, offer
from fhir_mappings.triage import Triage
from fhir_mappings.visits import visit
from schemas.discharge import MOUD, Coverage, DischargeEvent, Dose
from schemas.facets import Amount
from schemas.partner import PartnerProfile

_INSURANCE: Final = (
    ("medicaid", ("medicaid",)),
    ("medicare", ("medicare",)),
    ("uninsured", ("uninsured", "no insurance", "self-pay", "self pay")),
)
"""Words of a payer or type to the kind that a clause knows; shown only, so that a wrong guess does no harm."""


def ranked(
    situation: Situation, need: str, event: DischargeEvent, coverage: build.CoverageView | None
) -> matching.Ranking:
    """Every partner for one need of a visit, ranked.

    Args:
        situation: the visit as a decision sees it.
        need: kind of need.
        event: the visit as one event.
        coverage: the clock; None where it does not run.
    """
    wanted = wanted_of(situation, need, event, coverage)
    return matching.rank(wanted, candidates_for(situation, need), now=situation.now)


def candidates_for(situation: Situation, need: str) -> list[matching.Candidate]:
    """Every partner that is registered, but for who asks itself, as matching must know it."""
    link = situation.file.content.referral
    asked = {child.partner for one in (link.needs if link else ()) if one.need == need for child in one.children}
    directory = situation.directory
    guest = need == MOUD and situation.file.content.record.circumstances.continuation == GUEST
    return [
        _candidate(directory, organization, profile, situation.now, asked=organization in asked, guest=guest)
        for organization, profile in directory.partners.items()
        if organization != situation.file.organization
    ]


def wanted_of(
    situation: Situation, need: str, event: DischargeEvent, coverage: build.CoverageView | None
) -> matching.Wanted:
    """What is looked for, for one need of a visit."""
    covered = coverage.covered_until if coverage and need == MOUD else None
    stated = [one for one in event.needs if one.kind == need]
    guest = event.continuation == GUEST and need == MOUD
    leaves = event.visit.discharged_at or event.visit.expected_discharge_at
    return matching.Wanted(
        need=need,
        person=person_of(situation, event, covered),
        covered_until=covered,
        ready=leaves if isinstance(leaves, datetime) else None,
        guest_from=event.guest_dosing.first_day if event.guest_dosing and guest else None,
        choice=[name for one in stated for name in one.patient_choice],
        routes=situation.sender.routes,
        rotation=f"{situation.file.id}|{need}".encode(),
    )


def policies_of(
    situation: Situation, need: str, event: DischargeEvent, coverage: build.CoverageView | None, partner: str
) -> offer.Policies:
    """Whether what a partner attested speaks against the person, as an offer words it."""
    profile = situation.directory.partners.get(partner)
    if profile is None:
        return "conflict-unknown"
    one = _candidate(situation.directory, partner, profile, situation.now, asked=False)
    wanted = wanted_of(situation, need, event, coverage)
    return matching.assess(one, wanted, situation.now, chosen=False).policies


def person_of(situation: Situation, event: DischargeEvent, covered_until: datetime | None) -> Person:
    """The person as clauses may know them: of each field no more than ``policies.base.FACTS`` says."""
    zone = situation.sender.zone(situation.file.content.record.facility)
    clinical, patient, product = event.clinical, event.patient, situation.triage.product
    last = visit.last_dose(event)
    state = patient.address.state if patient.address else None
    return Person(
        product=_drug(situation.triage),
        product_class=product.clock_class if product else None,
        dose=_amount(last),
        dosed=True if last else _none_given(situation, event),
        interval_hours=_interval(situation.triage, event),
        runs_out_on=covered_until.astimezone(zone).weekday() if covered_until else None,
        continuation=event.continuation,
        benzodiazepines=_known(clinical.benzodiazepines),
        alcohol=_known(clinical.alcohol),
        stimulants=_known(clinical.stimulants),
        screened=True if isinstance(clinical.urine_drug_screen, list) and clinical.urine_drug_screen else None,
        heart_measured=True if isinstance(clinical.qtc_ms, int) else None,
        photo_id=_known(event.photo_id),
        insurance=_insurance(event.coverage),
        state=state.strip().upper() if state else None,
        pregnant=_known(clinical.pregnant),
        sex=patient.sex,
        age=_age(patient.birth_date, situation.now.astimezone(zone).date()),
        mobility=clinical.mobility,
        wounds_or_picc=_known(clinical.wounds_or_picc),
        psychiatric_acuity=clinical.psychiatric_acuity,
        language=build_elements.language_tag(patient.language) if patient.language else None,
        interpreter=patient.interpreter,
    )


def questions_of(ranking: matching.Ranking) -> list[tuple[str, str]]:
    """What nobody has said and would have mattered: (organisation, facet), each once; of the person nothing."""
    asked = {
        (one.candidate.organization, call.facet) for one in ranking.ranked for call in one.calls if not _said(one, call)
    }
    return sorted(asked)


def questions_for(situation: Situation, need: str, ranking: matching.Ranking) -> tuple[Question, ...]:
    """The same as rows to be written: one referral counts once for a partner and a facet, however often it is seen."""
    at = micros(situation.now)
    return tuple(
        Question(
            sha256(f"{situation.file.id}|{need}|{organization}|{facet}".encode()).hexdigest(), organization, facet, at
        )
        for organization, facet in questions_of(ranking)
    )


def _said(one: matching.Ranked, call: matching.Call) -> bool:
    """Whether it said something that a clause did not find enough, and that counts: asking again brings nothing."""
    return any(judged.finding.facet == call.facet and judged.said for judged in one.judged)


def _candidate(
    directory: Directory,
    organization: str,
    profile: PartnerProfile,
    now: datetime,
    *,
    asked: bool,
    guest: bool = False,
) -> matching.Candidate:
    """One partner; a guest has no intake, so the hours of dosing count, where they are known."""
    agreement = party_of(directory, organization, now.date()).agreement
    hours = (dosing_calendar(profile) if guest else None) or intake_calendar(profile)
    return matching.Candidate(organization, profile, hours, agreement=agreement, asked=asked)


def _drug(triage: Triage) -> Drug | None:
    return drug_of(triage.product.drug) if triage.product else None


def _known(value: object) -> bool | None:
    """``unknown`` and not said are the same to a clause."""
    return value if isinstance(value, bool) else None


def _amount(dose: Dose | None) -> Amount | None:
    if dose is None or not dose.amount or not dose.unit:
        return None
    return Amount(value=dose.amount, unit=dose.unit)


def _none_given(situation: Situation, event: DischargeEvent) -> bool | None:
    """Known only when the visit is over: until then a dose may still be charted."""
    over = situation.file.content.record.ended_at is not None and bool(event.medications)
    return False if over else None


def _interval(triage: Triage, event: DischargeEvent) -> float | None:
    product = triage.product
    found = (one for one in event.medications if product and one.product.code == product.product.code)
    schedule = next((one.schedule for one in found if one.schedule), None)
    return visit.interval_hours(schedule.interval) if schedule else None


def _insurance(coverage: Sequence[Coverage]) -> frozenset[str] | None:
    if not coverage:
        return None
    return frozenset(_kind(f"{one.type or ''} {one.payer}".casefold()) for one in coverage)


def _kind(text: str) -> str:
    return next((kind for kind, words in _INSURANCE if any(word in text for word in words)), "private-insurance")


def _age(born: date | None, today: date) -> int | None:
    return offer.years_old(born, today) if born is not None and born <= today else None
