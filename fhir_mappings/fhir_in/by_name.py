"""What a hospital writes of a person whom the hub knows already, told as the transaction that intake reads.

Pure. The person and the visit are named by their numbers and by nothing else: all else that is known of them came from
messages with times of their own, which these must not override. Of a visit that was another organisation's nothing is
known under the name of who asks now: the person and the diagnoses are told along.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from fhir_mappings.labels import Resource

_REQUEST: Final = "urn:uuid:4e4fa7d2-6f3f-4b0e-9a7e-2f6c9c6f5a01"
_VISIT: Final = "urn:uuid:4e4fa7d2-6f3f-4b0e-9a7e-2f6c9c6f5a02"
_PERSON: Final = "urn:uuid:4e4fa7d2-6f3f-4b0e-9a7e-2f6c9c6f5a03"
CONSENT_ELEMENTS: Final[Mapping[str, str]] = {
    "1": "Consent.patient",
    "2": "Consent.organization",
    "3": "Consent.policy.uri",
    "4": "Consent.provision.actor",
    "5": "Consent.provision.purpose",
    "6": "Consent.policy.uri",
    "7": "Consent.provision.period.end",
    "8": "Consent.performer",
    "9": "Consent.dateTime",
    "10": "Consent.policy.uri",
}
"""The element of a Consent to fill where it lacks one of 42 CFR 2.31(a), by number."""
_HUB_ELEMENTS: Final = ("id", "meta", "text", "contained")
_OF_A_DIAGNOSIS: Final = ("resourceType", "clinicalStatus", "verificationStatus", "category", "code", "recordedDate")
_OUTPATIENT: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}


def referral(request: Resource, task: Resource, patient: Resource, encounter: Resource, now: datetime) -> Resource:
    """A source Task with its ServiceRequest.

    Args:
        request: the ServiceRequest that the Task's focus leads to.
        task: the Task as it was sent.
        patient: the person, as the hub has it.
        encounter: the visit, as the hub has it.
        now: when it was asked.
    """
    person = _named(patient)
    asked = {**_own(request), "subject": person, "encounter": {"reference": _VISIT}}
    wanted = {**_own(task), "focus": {"reference": _REQUEST}, "for": person, "encounter": {"reference": _VISIT}}
    return _transaction(now, (_VISIT, _visit(encounter, person)), (_REQUEST, asked), (None, wanted))


def onward(
    request: Resource,
    task: Resource,
    patient: Resource,
    encounter: Resource,
    *,
    known: Sequence[Resource],
    now: datetime,
) -> Resource:
    """A source Task with its ServiceRequest, of a person whom another organisation had sent to who asks now.

    Args:
        request: the ServiceRequest that the Task's focus leads to.
        task: the Task as it was sent.
        patient: the person, as who asks sees them.
        encounter: the visit from which the person was sent: its numbers name the time at who asks now, as outpatient.
        known: Conditions that who asks sees of the person.
        now: when it was asked.
    """
    person: Resource = {"reference": _PERSON}
    place = {"reference": _VISIT}
    asked = {**_own(request), "subject": person, "encounter": place}
    wanted = {**_own(task), "focus": {"reference": _REQUEST}, "for": person, "encounter": place}
    told: list[tuple[str | None, Resource]] = [
        (None, {**{name: one[name] for name in _OF_A_DIAGNOSIS if name in one}, "subject": person, "encounter": place})
        for one in known
    ]
    visit = _visit(encounter, person) | {"class": _OUTPATIENT}
    return _transaction(now, (_PERSON, _own(patient)), (_VISIT, visit), *told, (_REQUEST, asked), (None, wanted))


def consent(
    stated: Resource,
    patient: Resource,
    encounter: Resource | None,
    names: Mapping[str, str],
    now: datetime,
    *,
    document: Resource | None = None,
) -> Resource:
    """A consent for one visit, or for none that is known.

    Args:
        stated: the Consent as it is stored; its id is the number by which a later version is known.
        patient: the person, as the hub has it.
        encounter: the visit, as the hub has it.
        names: id to name of the organisations that the hub knows.
        now: when it was told.
        document: the DocumentReference of the signed form, where the Consent names one that is here.
    """
    person = _named(patient)
    number = {"value": f"Consent/{stated['id']}"}
    told = {**_own(stated), "patient": person, "identifier": [number]}
    if document is not None and (paper := document["content"][0]["attachment"]):
        told["sourceAttachment"] = paper
        del told["sourceReference"]
    for element in ("organization", "performer"):
        if element in told:
            told[element] = [_shown(one, names, patient, person) for one in told[element]]
    if "provision" in told:
        told["provision"] = _with_names(told["provision"], names, encounter)
    visits = [(_VISIT, _visit(encounter, person))] if encounter is not None else []
    return _transaction(now, *visits, (None, told))


def _own(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if name not in _HUB_ELEMENTS}


def _named(patient: Resource) -> Resource:
    """The person as a logical reference: the medical record number, else any number with its authority."""
    numbers = [one for one in patient.get("identifier", ()) if one.get("system") and one.get("value")]
    best = sorted(numbers, key=lambda one: not _is_record_number(one))
    return {"type": "Patient", "identifier": best[0] if best else {}}


def _is_record_number(identifier: Resource) -> bool:
    return any(coding.get("code") == "MR" for coding in identifier.get("type", {}).get("coding", ()))


def _visit(encounter: Resource, person: Resource) -> Resource:
    """No more than which visit it is: its numbers and its class, which FHIR demands."""
    return {
        "resourceType": "Encounter",
        "status": "unknown",
        "identifier": encounter.get("identifier", []),
        "class": encounter["class"],
        "subject": person,
    }


def _with_names(provision: Resource, names: Mapping[str, str], encounter: Resource | None) -> Resource:
    """Recipients by name, which is what a consent names on paper; data of this visit as that of the visit told here."""
    changed: Resource = {}
    if "actor" in provision:
        changed["actor"] = [{**one, "reference": _shown(one["reference"], names)} for one in provision["actor"]]
    if "data" in provision:
        changed["data"] = [{**one, "reference": _told(one["reference"], encounter)} for one in provision["data"]]
    if "provision" in provision:
        changed["provision"] = [_with_names(one, names, encounter) for one in provision["provision"]]
    return {**provision, **changed}


def _shown(
    reference: Resource, names: Mapping[str, str], patient: Resource | None = None, person: Resource | None = None
) -> Resource:
    """A reference to an organisation of this hub with its name; one to the patient as the person."""
    place = reference.get("reference", "")
    if patient is not None and person is not None and place == f"Patient/{patient['id']}":
        return person
    name = names.get(place.removeprefix("Organization/"))
    return {**reference, "display": name} if name is not None else reference


def _told(reference: Resource, encounter: Resource | None) -> Resource:
    here = encounter is not None and reference.get("reference") == f"Encounter/{encounter['id']}"
    return {**reference, "reference": _VISIT} if here else reference


def _transaction(now: datetime, *entries: tuple[str | None, Resource]) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": now.isoformat(),
        "entry": [
            {
                **({"fullUrl": url} if url else {}),
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for url, resource in entries
        ],
    }
