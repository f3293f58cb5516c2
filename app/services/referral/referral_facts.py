"""What decisions about a referral are fed with: the partners to choose from, and what an offer tells."""

from collections.abc import Sequence
from typing import Final, cast

from app.rules.drugs import drug_of
from app.services.referral.matching import policies_of
from app.services.referral.situation import Situation
from app.services.writing import Resource
from fhir_mappings import build
from fhir_mappings.building import offer
from schemas.discharge import MOUD, DischargeEvent, NeedKind

_PRODUCTS: Final = frozenset({"methadone", "buprenorphine", "naltrexone"})
_COMPLETE: Final = frozenset({"Condition", "Coverage", "MedicationAdministration", "MedicationRequest"})
"""What an intake asks for first: diagnosis, insurance, the last dose and the order."""


def offer_facts(
    situation: Situation,
    event: DischargeEvent,
    need: str,
    clinical: Sequence[Resource],
    covered: build.CoverageView | None,
    *,
    partner: str | None = None,
    tied: build.Tied | None = None,
) -> offer.OfferFacts:
    """What a partner may be told before anybody has consented.

    ``partner`` is the organisation whose policies count, ``tied`` what a need runs by that is not the medication.
    """
    due = covered.falls_due if covered else None
    if need != MOUD:
        due = tied.by if tied else None
    product = situation.triage.product
    drug = drug_of(product.drug) if product else None
    zone = situation.sender.zone(situation.file.content.record.facility)
    types = {one["resourceType"] for one in clinical}
    return offer.facts_of(
        event,
        need=cast("NeedKind", need),
        product=cast("offer.Product", drug) if drug in _PRODUCTS else "no-product",
        due=due,
        now=situation.now.astimezone(zone),
        gendered=False,
        policies=policies_of(situation, need, event, covered, partner) if partner else "conflict-unknown",
        complete=types >= _COMPLETE,
    )
