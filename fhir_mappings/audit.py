"""Rows of the accounting to AuditEvents, after IHE BALP 1.1 (https://profiles.ihe.net/ITI/BALP).

A profile is claimed only where all that it asks for is known. What address a client came from is not kept, so its
network is there without a value.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from fhir_mappings.labels import PART2, RESTRICTED, Resource

BALP: Final = "https://profiles.ihe.net/ITI/BALP"
_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_REST: Final = "http://hl7.org/fhir/restful-interaction"
_SOURCE: Final = {"system": _DCM, "code": "110153", "display": "Source Role ID"}
_DESTINATION: Final = {"system": _DCM, "code": "110152", "display": "Destination Role ID"}
_RECIPIENT: Final = {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
_UNKNOWN: Final = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
_SUBTYPES: Final = {
    "read": "read",
    "vread": "vread",
    "search": "search-type",
    "history": "history-instance",
    "update": "update",
    "record-answer": "operation",
    "record-call": "operation",
    "confirm-answer": "operation",
    "correct-answer": "operation",
    "still-here": "operation",
}
"""The hub's word for an interaction to FHIR's; what is in none of FHIR's has no subtype."""


class Hub(NamedTuple):
    """The hub as it stands in an event."""

    organization: str
    base: str
    """Address of its FHIR API."""


class Event(NamedTuple):
    """What every event has."""

    id: str
    at: str
    """When, a FHIR instant."""
    hub: Hub


class Viewer(NamedTuple):
    """Who was shown something."""

    organization: str
    client: str
    user: str | None


class Why(NamedTuple):
    """The decision that permits or refuses."""

    patient: str
    discloser: str
    recipient: str
    purpose: str
    consent: str | None
    """``Consent/id/_history/version``."""
    part2: bool


def disclosure_event(event: Event, reader: Viewer, why: Why, what: Sequence[str]) -> Resource:
    """A disclosure as its source tells it (IHE.BasicAudit.PrivacyDisclosure.Source): ``what`` are references."""
    hub = event.hub
    source = _agent(_SOURCE, {"reference": f"Organization/{hub.organization}"}, network=_address(hub))
    if why.consent is not None:
        source["policy"] = [f"{hub.base}/{why.consent}"]
    custodian = {"system": "http://snomed.info/sct", "code": "159541003"}
    return {
        **_head(event, part2=why.part2, profile="IHE.BasicAudit.PrivacyDisclosure.Source"),
        "type": {"system": _DCM, "code": "110106", "display": "Export"},
        "subtype": [{"system": "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle", "code": "disclose"}],
        "action": "R",
        "recorded": event.at,
        "outcome": "0",
        "purposeOfEvent": _purpose(why.purpose),
        "agent": [
            source,
            _client(reader, requestor=reader.user is None),
            _agent(custodian, {"reference": f"Organization/{why.discloser}"}),
            *_user(reader),
        ],
        "source": _observer(hub),
        "entity": [_patient(why.patient), *(_data(one) for one in what)],
    }


def access_event(event: Event, reader: Viewer, interaction: str, what: Sequence[str], times: int = 1) -> Resource:
    """A look at what had been disclosed before, or is the reader's own; a reading of one resource claims BALP's Read.

    A person is named only where the Patient itself was read: of anything else the reader need not know whose it is.
    """
    hub = event.hub
    subtype = _SUBTYPES.get(interaction)
    single = what[0] if len(what) == 1 and subtype in {"read", "vread"} else None
    patient = single if single is not None and single.startswith("Patient/") else None
    profile = None if single is None else "IHE.BasicAudit.PatientRead" if patient else "IHE.BasicAudit.Read"
    rest = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
    made: Resource = {
        **_head(event, part2=False, profile=profile),
        "type": {**rest, "display": "Restful Operation"},
        "subtype": [{"system": _REST, "code": subtype, "display": subtype}] if subtype else [],
        "action": "E" if subtype in {"search-type", "operation"} else "R",
        "recorded": event.at,
        "outcome": "0",
        "agent": [
            _client(reader, requestor=reader.user is None),
            _agent(_SOURCE, {"reference": f"Organization/{hub.organization}"}, network=_address(hub)),
            *_user(reader),
        ],
        "source": _observer(hub),
        "entity": [*([_patient(patient.partition("/")[2].partition("/")[0])] if patient else []), *map(_data, what)],
    }
    if times > 1:
        for entity in made["entity"]:
            entity["detail"] = [{"type": "times", "valueString": str(times)}]
    return {name: value for name, value in made.items() if value != []}


def decision_event(event: Event, why: Why, *, permitted: bool, reasons: str, emergency: bool = False) -> Resource:
    """A decision about who may see what (IHE.BasicAudit.AuthZconsent where it stands on a consent).

    The profile has no refusal for want of a consent, since it demands one: such an event claims none.
    """
    hub = event.hub
    subtypes = [{"system": f"{BALP}/CodeSystem/AuthZsubType", "code": "AuthZ-Consent" if why.consent else "AuthZ-Role"}]
    if emergency:
        subtypes.append({"system": _DCM, "code": "110127", "display": "Emergency Override Started"})
    organization = {"reference": f"Organization/{why.recipient}"}
    provider = {"system": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "code": "PROV"}
    authorizer = {"system": "http://terminology.hl7.org/CodeSystem/extra-security-role-type", "code": "authserver"}
    application = {"system": _DCM, "code": "110150", "display": "Application"}
    observer = {"reference": f"Organization/{hub.organization}"}
    profile = "IHE.BasicAudit.AuthZconsent" if why.consent else None
    made: Resource = {
        **_head(event, part2=why.part2, profile=profile),
        "type": {"system": _DCM, "code": "110113", "display": "Security Alert"},
        "subtype": subtypes,
        "action": "E",
        "recorded": event.at,
        "outcome": "0" if permitted else "8",
        "purposeOfEvent": _purpose(why.purpose),
        "agent": [
            _agent(application, observer, network=_address(hub)),
            _agent(_RECIPIENT, organization, requestor=True),
            _agent(provider, organization),
            _agent(authorizer, observer),
        ],
        "source": _observer(hub),
        "entity": [_patient(why.patient)],
    }
    if why.consent is not None:
        consent = {"system": "http://hl7.org/fhir/resource-types", "code": "Consent", "display": "Consent"}
        made["entity"].append({"what": {"reference": why.consent}, "type": consent})
    if reasons:
        made["outcomeDesc"] = reasons
    return made


def _head(event: Event, *, part2: bool, profile: str | None) -> Resource:
    meta: Resource = {"versionId": "1", "lastUpdated": event.at}
    if profile is not None:
        meta["profile"] = [f"{BALP}/StructureDefinition/{profile}"]
    meta["security"] = [RESTRICTED, PART2] if part2 else [RESTRICTED]
    return {"resourceType": "AuditEvent", "id": event.id, "meta": meta}


def _agent(kind: Resource, who: Resource, *, requestor: bool = False, network: Resource | None = None) -> Resource:
    agent = {"type": {"coding": [kind]}, "who": who, "requestor": requestor}
    return agent if network is None else {**agent, "network": network}


def _client(reader: Viewer, *, requestor: bool) -> Resource:
    who: Resource = {"identifier": {"value": reader.client}}
    if reader.organization:
        who = {"reference": f"Organization/{reader.organization}", **who}
    return _agent(_DESTINATION, who, requestor=requestor, network={"extension": [_UNKNOWN]})


def _user(reader: Viewer) -> list[Resource]:
    if reader.user is None:
        return []
    return [_agent(_RECIPIENT, {"identifier": {"value": reader.user}}, requestor=True)]


def _address(hub: Hub) -> Resource:
    return {"address": hub.base, "type": "5"}


def _observer(hub: Hub) -> Resource:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/security-source-type", "code": "4"}
    return {"observer": {"reference": f"Organization/{hub.organization}"}, "type": [kind]}


def _purpose(code: str) -> list[Resource]:
    return [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}]}]


def _patient(patient: str) -> Resource:
    return {
        "what": {"reference": f"Patient/{patient}"},
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1", "display": "Person"},
        "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1", "display": "Patient"},
    }


def _data(reference: str) -> Resource:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "2"}
    role = {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "4"}
    return {
        "what": {"reference": reference},
        "type": {**kind, "display": "System Object"},
        "role": {**role, "display": "Domain Resource"},
    }
