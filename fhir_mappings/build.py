"""DischargeEvent -> the resources of a referral. Pure: ids and clock are arguments, same input, same bytes.

clinical(...)   Patient, Encounter, Condition, medication, Coverage, Consent ... of one visit
source(...)     the source ServiceRequest and Task of one need
child(...)      ServiceRequest and Task by which one partner is asked
provenance(...) where they come from
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from fhir_mappings.building import build_clinical, build_consents, build_medications, build_orders
from fhir_mappings.building.answer_view import AnswerView
from fhir_mappings.building.build_consents import consent_keys
from fhir_mappings.building.build_elements import Frame, frame, reference
from fhir_mappings.building.build_observations import observations
from fhir_mappings.building.build_orders import Status, Tied, child, provenance, renewed
from fhir_mappings.building.coverage_view import CoverageView
from fhir_mappings.labels import Ids, Labels, Parties, Resource
from schemas.discharge import DischargeEvent, Identifier, Need

__all__ = [
    "AnswerView",
    "CoverageView",
    "Ids",
    "Labels",
    "Parties",
    "Tied",
    "child",
    "clinical",
    "consent_keys",
    "hospital_organization",
    "hub_organization",
    "partner_organization",
    "provenance",
    "renewed",
    "source",
]

HUB_NAME: Final = "Throughline"


def clinical(event: DischargeEvent, *, parties: Parties, ids: Ids, labels: Labels) -> list[Resource]:
    """All that the event says of the person and the stay, as resources that refer to each other by id.

    Every resource is reachable from the referral: through ServiceRequest (reasonReference, encounter,
    insurance, supportingInfo), Task.input, or one step further (Encounter to clinician and unit).

    Args:
        event: the discharge.
        parties: hospital and hub.
        ids: (resource type, logical key) -> FHIR id.
        labels: whether the records count as Part 2 (unknown does), and whether the patient is a test.
    """
    base = frame(event, parties=parties, ids=ids, labels=labels)
    conditions = build_clinical.conditions(base)
    clinician = build_clinical.clinician(base)
    unit = build_clinical.location(base)
    attending = reference(clinician[0]) if clinician else None
    return [
        build_clinical.patient(base),
        build_clinical.encounter(
            base, diagnoses=conditions, attending=attending, unit=reference(unit) if unit else None
        ),
        *(condition for condition, _ in conditions),
        *build_medications.medications(base, attending or base.hospital),
        *build_clinical.coverages(base),
        *build_clinical.allergies(base),
        *observations(base),
        *build_consents.consents(base, part2=labels.part2),
        *([unit] if unit else []),
        *clinician,
    ]


def source(
    event: DischargeEvent,
    *,
    need: Need,
    resources: Sequence[Resource],
    parties: Parties,
    ids: Ids,
    labels: Labels,
    status: Status,
    now: datetime,
    group: str,
    coverage: CoverageView | None = None,
    tied: Tied | None = None,
    placer: Identifier | None = None,
) -> tuple[Resource, Resource]:
    """The source ServiceRequest and Task of one need; see ``build_orders.source`` for the arguments."""
    base: Frame = frame(event, parties=parties, ids=ids, labels=labels, need=need.kind)
    return build_orders.source(
        base,
        need=need,
        resources=resources,
        status=status,
        now=now,
        group=group,
        coverage=coverage,
        tied=tied,
        placer=placer,
    )


def hospital_organization(organization: str, name: str) -> Resource:
    """The Organization of a hospital."""
    return build_orders.organization(organization, name)


def partner_organization(organization: str, name: str, *, phone: str | None = None) -> Resource:
    """The Organization of a community partner."""
    return build_orders.organization(organization, name, phone=phone)


def hub_organization(organization: str, name: str = HUB_NAME) -> Resource:
    """The Organization of the hub itself, owner of every source Task."""
    return build_orders.organization(organization, name)
