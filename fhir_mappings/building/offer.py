"""The offer: what a partner is shown of a referral while the packet may not be shown to it.

It tells the need, and what decides whether there is a place, each as one of a few codes: it can answer "is there room
for somebody like this?" and can't say who. ``OfferFacts`` can't hold more than that, and nothing of the full resources
is taken over but their ids, status, intent, owner and business status.

Left out on purpose: everything that is written by hand, every instant (the version's own lastUpdated stays, which is
the hub's), identifiers, the unit, parent and siblings. The requester is the hub: a small hospital, an age and a state
may be one person. The place is the state and no less: nothing that is told of a visit names a county, and 45 CFR
164.514(b)(2)(i)(B) counts whatever is smaller than a state as an identifier.

The priority follows the time band alone. That of the referral is raised for pregnancy, overdose and the like, and would
tell of them.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal, NamedTuple

from fhir_mappings.building import checklist
from fhir_mappings.building.answer_view import ANSWER
from fhir_mappings.building.build_elements import EXTENSION, organization_reference, present, reference
from fhir_mappings.building.build_orders import FULFILL, need_code
from fhir_mappings.labels import Ids, Labels, Parties, Resource, security
from fhir_mappings.subsets import SUBSETTED
from schemas.codes import local
from schemas.codes.packet_content import packet_contents
from schemas.discharge import DischargeEvent, NeedKind

Product = Literal["methadone", "buprenorphine", "naltrexone", "no-product"]
DueBand = Literal["lapsed", "within-24-hours", "24-to-72-hours", "later", "not-known"]
AgeBand = Literal["under-18", "18-to-24", "25-to-44", "45-to-64", "65-and-over", "45-and-over"]
Policies = Literal["conflict", "no-conflict", "conflict-unknown"]

LESS: Final[list[Resource]] = [SUBSETTED, {"system": SUBSETTED["system"], "code": "REDACTED"}]
"""Labels of what is less than the whole (v3-ObservationValue of FHIR R4, 2018-08-12): there is more, and that it is
left out is on purpose."""
_PRIORITIES: Final[dict[DueBand, str]] = {"lapsed": "stat", "within-24-hours": "stat", "24-to-72-hours": "asap"}
_AGES: Final[tuple[tuple[int, AgeBand], ...]] = (
    (18, "under-18"),
    (25, "18-to-24"),
    (45, "25-to-44"),
    (65, "45-to-64"),
)
_ANSWERS: Final = ("status", "statusReason", "businessStatus", "output", "note")
"""What changes after an offer was made, all of it the owner's own word or a code of ours."""
_DAY: Final = timedelta(days=1)
_STATE: Final = re.compile(r"[A-Z]{2}")
"""A state or territory as US Core binds it, by its form: two letters can't name anybody."""


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """All that an offer tells of the person and the referral; there is no place for anything exact."""

    need: NeedKind
    product: Product = "no-product"
    due: DueBand = "not-known"
    age: AgeBand | None = None
    gender: str | None = None
    """FHIR administrative-gender; only where the partner's place is for one gender."""
    state: str | None = None
    policies: Policies = "conflict-unknown"
    complete: bool = False
    """Whether the packet holds what the partner asks for."""


class Offer(NamedTuple):
    """The three resources of one offer: two renditions, and a Patient of its own."""

    request: Resource
    task: Resource
    patient: Resource


def facts_of(
    event: DischargeEvent,
    *,
    need: NeedKind,
    product: Product,
    due: datetime | None,
    now: datetime,
    gendered: bool,
    policies: Policies,
    complete: bool,
) -> OfferFacts:
    """What may be told of a visit, widened where it would be rare.

    Args:
        event: the visit as it is known now.
        need: the need that is offered.
        product: class of the medication.
        due: when the first dose without a known source falls due, where that is known.
        now: the hub's clock, in the hospital's zone: an age is counted by its day.
        gendered: whether the partner's place is for one gender only.
        policies: whether policies that the partner itself attested speak against it.
        complete: whether the packet holds what the partner asks for.
    """
    person = event.patient
    address = person.address
    state = (address.state or "").strip().upper() if address else ""
    return widened(
        OfferFacts(
            need=need,
            product=product,
            due=due_band(due, now),
            age=age_band(person.birth_date, now.date()),
            gender=(person.sex or "unknown") if gendered else None,
            state=state if _STATE.fullmatch(state) else None,
            policies=policies,
            complete=complete,
        )
    )


def due_band(due: datetime | None, now: datetime) -> DueBand:
    """How soon the next dose is due, in the steps at which priorities change."""
    if due is None:
        return "not-known"
    left = due - now
    if left <= timedelta():
        return "lapsed"
    if left <= _DAY:
        return "within-24-hours"
    return "24-to-72-hours" if left <= 3 * _DAY else "later"


def age_band(born: date | None, today: date) -> AgeBand | None:
    """The band of an age; None where no birth date is known, or it is to come."""
    if born is None or born > today:
        return None
    years = years_old(born, today)
    return next((band for end, band in _AGES if years < end), "65-and-over")


def years_old(born: date, today: date) -> int:
    """Completed years of life."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def widened(facts: OfferFacts) -> OfferFacts:
    """``facts`` without what is rare together. The rule is ours: there is no table of counts to go by.

    An age at either end of life, or a gender that few have, is not told together with a place. Of the old, the age
    gives way, which seldom decides whether there is room; of the others, the place.
    """
    if facts.age == "65-and-over" and (facts.state or facts.gender):
        facts = replace(facts, age="45-and-over")
    if facts.age == "under-18" or facts.gender not in {None, "male", "female"}:
        facts = replace(facts, state=None)
    return facts


def offer_of(
    request: Resource, task: Resource, *, facts: OfferFacts, parties: Parties, ids: Ids, labels: Labels
) -> Offer:
    """The offer rendition of a child, and the Patient that it is about.

    Args:
        request: the child ServiceRequest in full.
        task: the child Task in full.
        facts: what may be told, see ``facts_of``.
        parties: the hub, which stands for the hospital.
        ids: id of ("Patient", "offer|<Task id>"): one for each child, so that two offers can't be put together.
        labels: as of the visit.
    """
    patient = _patient(facts, ids("Patient", f"offer|{task['id']}"), labels)
    common = {
        "priority": _PRIORITIES.get(facts.due) if "due" in _told(facts) else None,
        "requester": organization_reference(parties.hub, parties.hub_name),
    }
    return Offer(
        _request(request, facts, {**common, "subject": reference(patient)}),
        _task(task, facts, {**common, "for": reference(patient)}),
        patient,
    )


def carried(offer: Resource, full: Resource) -> Resource:
    """An offer rendition with what has become of the referral since: its status, and the answers of its owner.

    Args:
        offer: the rendition of the version before.
        full: the ServiceRequest or Task in full, as it becomes.
    """
    kept = {name: value for name, value in offer.items() if name not in _ANSWERS}
    meta = {name: value for name, value in offer["meta"].items() if name != "tag"} | _tags(full)
    told: Resource = {**kept, "meta": meta, **{name: full[name] for name in _ANSWERS if name in full}}
    items = checklist.items_of(full) if full["resourceType"] == "Task" else ()
    return checklist.with_items(told, items) if items else told


def _tags(full: Resource) -> Resource:
    """How the answer came: the hub's own word."""
    ours = [tag for tag in full["meta"].get("tag", ()) if tag.get("system") == local.SPOKEN]
    return {"tag": ours} if ours else {}


def _told(facts: OfferFacts) -> frozenset[str]:
    """What of the medication the need is offered with."""
    return packet_contents()[facts.need].offer


def _request(full: Resource, facts: OfferFacts, common: Resource) -> Resource:
    own = local.coding(local.NEED, facts.need)
    return {
        **_head(full),
        **present(
            {
                "status": full["status"],
                "intent": full["intent"],
                "category": [{"coding": [own]}],
                "code": need_code(facts.need),
                **common,
            }
        ),
    }


def _task(full: Resource, facts: OfferFacts, common: Resource) -> Resource:
    return {
        **_head(full),
        **present(
            {
                "extension": [one for one in full.get("extension", ()) if one["url"] == ANSWER],
                "status": full["status"],
                "businessStatus": _business_status(full),
                "intent": full["intent"],
                "code": FULFILL,
                "focus": _bare(full["focus"]),
                **common,
                "owner": _bare(full["owner"]),
                "input": _inputs(facts, full),
            }
        ),
    }


def _head(full: Resource) -> Resource:
    """Type, id and every label of the full resource; it claims no profile, since what those demand is left out."""
    labels = [*full["meta"].get("security", ()), *LESS]
    return {"resourceType": full["resourceType"], "id": full["id"], "meta": {"security": labels, **_tags(full)}}


def _bare(pointer: Resource) -> Resource:
    return {"reference": pointer["reference"]}


def _business_status(task: Resource) -> Resource | None:
    """A code of ours, in our words; what an owner made of it may be anything."""
    for one in task.get("businessStatus", {}).get("coding", ()):
        if one.get("system") == local.BUSINESS_STATUS and one.get("code") in local.CODES[local.BUSINESS_STATUS]:
            return local.concept(local.BUSINESS_STATUS, one["code"])
    return None


def _inputs(facts: OfferFacts, full: Resource) -> list[Resource]:
    """What is told of the referral; where the partner said what its intake needs, how each item stands."""
    told, items = _told(facts), checklist.inputs(checklist.items_of(full))
    values = (
        ("product", facts.product if "product" in told else None),
        ("due", facts.due if "due" in told else None),
        ("policies", facts.policies),
        ("packet", None if items else "complete" if facts.complete else "incomplete"),
    )
    return [
        *(
            {"type": local.concept(local.OFFER, name), "valueCodeableConcept": local.concept(local.OFFER, code)}
            for name, code in values
            if code is not None
        ),
        *items,
    ]


def _patient(facts: OfferFacts, patient: str, labels: Labels) -> Resource:
    band = {"url": f"{EXTENSION}/age-band", "valueCoding": local.coding(local.OFFER, facts.age)} if facts.age else None
    return {
        "resourceType": "Patient",
        "id": patient,
        "meta": {"security": [*security(labels, need=facts.need), *LESS]},
        **present(
            {
                "extension": [band] if band else None,
                "gender": facts.gender,
                "address": [{"state": facts.state}] if facts.state else None,
            }
        ),
    }
