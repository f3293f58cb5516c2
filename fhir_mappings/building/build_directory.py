"""A partner of the directory as FHIR has it: what it offers, where, and whom to ask for by name.

HealthcareService (https://hl7.org/fhir/R4/healthcareservice.html) knows neither a time zone, nor hours of intake, nor
free places, nor what somebody attested: extensions of ours say it, each with a StructureDefinition (``definitions``).
Times are local to the zone that the extension names. Nothing here tells of a person who is referred. What nobody has
said is left out; what has lapsed is still here, with its end.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from fhir_mappings.building import build_elements as elements
from fhir_mappings.building.build_clinical import LOCATION, PRACTITIONER_ROLE
from fhir_mappings.building.build_elements import EXTENSION, extension, organization_reference, phones, present
from schemas.codes import local
from schemas.facets import FACETS, Capacity, Facet
from schemas.hours import OpenHours
from schemas.partner import PartnerProfile

Resource = dict[str, Any]
_REFERRAL_METHOD: Final = "http://terminology.hl7.org/CodeSystem/service-referral-method"
_METHODS: Final = {
    "poll": "elec",
    "subscribe": "elec",
    "push": "elec",
    "portal": "elec",
    "email": "semail",
    "manual": "phone",
    "sms": "phone",
    "fax": "fax",
}
_CATEGORY: Final = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "sdoh"}
_LAST: Final = "23:59:59"
"""The end of a day, which a FHIR time can't write as 24:00."""
_DAY: Final = timedelta(days=1)


class Ids(NamedTuple):
    """Ids of a partner's resources: that of its Organization, and what hangs on it."""

    organization: str
    service: str
    place: str
    contact: str
    role: str


def ids_of(organization: str) -> Ids:
    """They follow from the organisation's, so that each is found again and written once."""
    return Ids(organization, *(f"{organization}-{kind}" for kind in ("service", "place", "contact", "contact-role")))


def typed_ids(organization: str) -> list[tuple[str, str]]:
    """The same with the type of each."""
    types = ("Organization", "HealthcareService", "Location", "Practitioner", "PractitionerRole")
    return [*zip(types, ids_of(organization), strict=True)]


def directory(organization: str, name: str, profile: PartnerProfile) -> list[Resource]:
    """HealthcareService and Location; Practitioner and PractitionerRole where the profile names a contact person.

    Args:
        organization: FHIR id.
        name: of the organisation.
        profile: what it says of itself.
    """
    ids = ids_of(organization)
    owner = organization_reference(organization, name)
    people = _contact(ids, owner, profile) if profile.contact else []
    return [_service(ids, owner, profile), _location(ids, owner, profile), *people]


def _service(ids: Ids, owner: Resource, profile: PartnerProfile) -> Resource:
    return {
        "resourceType": "HealthcareService",
        "id": ids.service,
        **present(
            {
                "extension": [*_extensions(profile)],
                "active": profile.active,
                "providedBy": owner,
                "category": [{"coding": [_CATEGORY]}],
                "type": [local.concept(local.NEED, need) for need in profile.needs],
                "location": [{"reference": f"Location/{ids.place}"}],
                "name": profile.name,
                "telecom": phones(profile.phone),
                "program": [{"text": text} for text in _programs(profile)],
                "communication": [elements.language(one) for one in _languages(profile)],
                "referralMethod": [*_methods(profile)],
                "appointmentRequired": _appointment(profile),
                "availableTime": [*_available(profile)],
                "notAvailable": [*_closed(profile.closed_on)],
            }
        ),
    }


def _location(ids: Ids, owner: Resource, profile: PartnerProfile) -> Resource:
    return {
        "resourceType": "Location",
        "id": ids.place,
        "meta": {"profile": [LOCATION]},
        **present(
            {
                "status": "active" if profile.active else "inactive",
                "name": profile.name,
                "mode": "instance",
                "telecom": phones(profile.phone),
                "address": elements.address(profile.address),
                "managingOrganization": owner,
            }
        ),
    }


def _contact(ids: Ids, owner: Resource, profile: PartnerProfile) -> list[Resource]:
    contact = profile.contact
    if contact is None:
        return []
    person = {"resourceType": "Practitioner", "id": ids.contact, "active": True, "name": [{"text": contact.name}]}
    role = {
        "resourceType": "PractitionerRole",
        "id": ids.role,
        "meta": {"profile": [PRACTITIONER_ROLE]},
        **present(
            {
                "active": profile.active,
                "practitioner": {"reference": f"Practitioner/{ids.contact}", "display": contact.name},
                "organization": owner,
                "code": [{"text": contact.role}] if contact.role else None,
                "location": [{"reference": f"Location/{ids.place}"}],
                "healthcareService": [{"reference": f"HealthcareService/{ids.service}"}],
                "telecom": phones(contact.phone),
            }
        ),
    }
    return [person, role]


# ---- what R4 has no element for


def _extensions(profile: PartnerProfile) -> Iterator[Resource]:
    if profile.time_zone:
        yield extension("time-zone", "valueCode", profile.time_zone)
    yield from (_window(hours) for hours in profile.intake_hours or ())
    if profile.response_minutes:
        yield extension("response-time", "valueDuration", elements.count(profile.response_minutes, "minute", "min"))
    if profile.capacity is not None:
        yield _capacity(profile.capacity)
    yield from (_policy(name, facet) for name, facet in sorted(profile.facets.items()))


def _complex(name: str, *parts: Resource) -> Resource:
    return {"url": f"{EXTENSION}/{name}", "extension": [*parts]}


def _part(name: str, kind: str, value: Any) -> Resource:
    return {"url": name, kind: value}


def _window(hours: OpenHours) -> Resource:
    days = [_part("day", "valueCode", day) for day in hours.days]
    times = (_part("opens", "valueTime", _time(hours.opens)), _part("closes", "valueTime", _time(hours.closes)))
    return _complex("intake-window", *days, *times)


def _capacity(capacity: Capacity) -> Resource:
    return _complex(
        "capacity",
        _part("open", "valueCode", capacity.left),
        _part("asOf", "valueDateTime", capacity.as_of.isoformat()),
        _part("expires", "valueDateTime", capacity.until.isoformat()),
        _part("source", "valueString", capacity.source),
    )


def _policy(name: str, facet: Facet) -> Resource:
    stated = (
        _part("facet", "valueCode", name),
        _part("question", "valueString", FACETS[name].question),
        _part("value", "valueCode", facet.value),
        *([_part("condition", "valueString", facet.condition)] if facet.condition else []),
        *([_part("attestedBy", "valueString", facet.attested_by)] if facet.attested_by else []),
        *([_part("attestedAt", "valueDateTime", facet.attested_at.isoformat())] if facet.attested_at else []),
        *([_part("expires", "valueDate", facet.expires.isoformat())] if facet.expires else []),
        *([_part("detail", "valueString", text) for text in _details(facet)]),
    )
    return _complex("moud-policy", *stated)


def _details(facet: Facet) -> Iterator[str]:
    if facet.at_most:
        yield f"at most {elements.number(facet.at_most.value)} {facet.at_most.unit}"
    if facet.from_age is not None:
        yield f"from {facet.from_age} years"
    if facet.listed:
        yield ", ".join(facet.listed)
    if facet.notice_hours is not None:
        yield f"{facet.notice_hours} hours of notice"
    if facet.next_day:
        yield f"next on {facet.next_day.isoformat()}"
    if facet.rems_certified is not None:
        yield "certified under the REMS" if facet.rems_certified else "not certified under the REMS"


# ---- what it has


def _programs(profile: PartnerProfile) -> Iterator[str]:
    onsite = profile.facets.get("methadone-onsite")
    if "methadone" in profile.products or (onsite is not None and onsite.value == "yes"):
        yield "Opioid treatment program (42 CFR Part 8)"
    if profile.part2_program:
        yield "Substance use disorder program (42 CFR Part 2)"


def _languages(profile: PartnerProfile) -> Sequence[str]:
    spoken = profile.facets.get("languages")
    return spoken.listed if spoken is not None and spoken.value == "yes" else ()


def _methods(profile: PartnerProfile) -> Iterator[Resource]:
    for code in dict.fromkeys(_METHODS[way] for way in profile.receives_by):
        yield {"coding": [{"system": _REFERRAL_METHOD, "code": code}]}


def _appointment(profile: PartnerProfile) -> bool | None:
    """Whether one is needed; nothing where it has not said that people may walk in."""
    walk_in = profile.facets.get("walk-in")
    return None if walk_in is None or walk_in.value == "unknown" else walk_in.value == "no"


def _available(profile: PartnerProfile) -> Iterator[Resource]:
    """When somebody who is enrolled is given a dose; where that is not said, when people may come for an intake."""
    for hours in profile.dosing_hours or profile.intake_hours or ():
        if (hours.opens, hours.closes) == ("00:00", "24:00"):
            yield {"daysOfWeek": [*hours.days], "allDay": True}
            continue
        times = {"availableStartTime": _time(hours.opens), "availableEndTime": _time(hours.closes)}
        yield {"daysOfWeek": [*hours.days], **times}


def _time(at: str) -> str:
    return _LAST if at == "24:00" else f"{at}:00"


def _closed(days: Iterable[date]) -> Iterator[Resource]:
    for first, last in _runs(days):
        yield {"description": "closed", "during": {"start": first.isoformat(), "end": last.isoformat()}}


def _runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """Days that follow each other, as first and last."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and found[-1][1] + _DAY == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
