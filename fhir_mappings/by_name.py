"""What a hospital writes of a person whom the hub knows already, told as the transaction that intake reads.

Pure. The person and the visit are named by their numbers and by nothing else: all else that is known of them came from
messages with times of their own, which these must not override.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from fhir_mappings.labels import Resource

_REQUEST: Final = "urn:uuid:4e4fa7d2-6f3f-4b0e-9a7e-2f6c9c6f5a01"
_VISIT: Final = "urn:uuid:4e4fa7d2-6f3f-4b0e-9a7e-2f6c9c6f5a02"
_HUB_ELEMENTS: Final = ("id", "meta", "text", "contained")


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


def consent(
    stated: Resource, patient: Resource, encounter: Resource, names: Mapping[str, str], now: datetime
) -> Resource:
    """A consent for one visit.

    Args:
        stated: the Consent as it is stored; its id is the number by which a later version is known.
        patient: the person, as the hub has it.
        encounter: the visit, as the hub has it.
        names: id to name of the organisations that the hub knows.
        now: when it was told.
    """
    person = _named(patient)
    number = {"value": f"Consent/{stated['id']}"}
    told = {**_own(stated), "patient": person, "identifier": [number]}
    told.pop("sourceReference", None)
    if "provision" in told:
        told["provision"] = _with_names(told["provision"], names)
    return _transaction(now, (_VISIT, _visit(encounter, person)), (None, told))


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


def _with_names(provision: Resource, names: Mapping[str, str]) -> Resource:
    """Recipients that are organisations of this hub by name, which is what a consent names on paper."""
    actors = [
        {**one, "reference": {"display": name}} if (name := _name_of(one, names)) else one
        for one in provision.get("actor", ())
    ]
    return {**provision, "actor": actors} if actors else provision


def _name_of(actor: Resource, names: Mapping[str, str]) -> str | None:
    return names.get(actor["reference"].get("reference", "").removeprefix("Organization/"))


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
