"""Rules of the profiles that the hub claims or checks, by type and canonical URL.

US Core 7.0.0: everything its snapshots demand beyond FHIR R4 (required elements, slices, fixed values, code lists that
stand in the package, invariants), must-support aside. OMB race and ethnicity codes are those of its pages. Gravity SDOH
Clinical Care 3.0.0: the referral Task and the ServiceRequest. A profile is judged where ``meta.profile`` names it
without version or in this one.
"""

import re
from collections.abc import Callable

from schemas.resources.base import Invariant, Resource, coded, has, has_choice

_VERSIONS = {"core": "7.0.0", "sdoh-clinicalcare": "3.0.0"}
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
DATA_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
NPI = "http://hl7.org/fhir/sid/us-npi"
UCUM = "http://unitsofmeasure.org"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
_COVERAGE_CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
_UNSAID = frozenset({"ASKU", "UNK"})
_RACES = _UNSAID | {"1002-5", "2028-9", "2054-5", "2076-8", "2106-3"}
_ETHNICITIES = _UNSAID | {"2135-2", "2186-5"}
_URL_TYPE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$")

Rules = tuple[Invariant, ...]


# ---- words that the rules are made of


def need(*paths: str) -> Rules:
    """Elements with a minimum of one; each is asked for where its parent stands. ``x[x]`` is a choice."""
    return tuple(_need(path) for path in paths)


def _need(path: str) -> Invariant:
    parent, _, name = path.rpartition(".")
    sidecar = f"_{name}"

    def holds(item: Resource) -> bool:
        return name in item or sidecar in item

    def holds_choice(item: Resource) -> bool:
        return has_choice(item, name.removesuffix("[x]"))

    text = "an element that the profile requires"
    if name.endswith("[x]"):
        return Invariant("required", text, parent, holds_choice, element=name, code="required")
    return Invariant("required", text, parent, holds, element=name, code="required", given=name)


def at_most(path: str, count: int, which: Callable[[Resource], bool] | None = None, what: str = "") -> Invariant:
    """No more than ``count`` items of a list, or of those items that ``which`` picks."""
    parent, _, name = path.rpartition(".")

    def holds(item: Resource) -> bool:
        items = item.get(name, ())
        return len(items) <= count or sum(which is None or which(each) for each in items if each is not None) <= count

    return Invariant("max", f"at most {count} {what or name}", parent, holds, element=name, code="structure")


def none_of(path: str) -> Invariant:
    """An element that the profile forbids."""
    parent, _, name = path.rpartition(".")
    text = "no such element in the profile"
    return Invariant("max", text, parent, lambda item: not has(item, name), element=name, code="structure")


def points_to(path: str, *types: str) -> Invariant:
    """A reference whose type shows points to one of the types."""
    text = "a reference to " + ", ".join(types)
    local = tuple(f"{name}/" for name in types)

    def holds(reference: Resource) -> bool:
        return reference.get("reference", "").startswith(local) or _may_be(reference, types)

    return Invariant("reference-target", text, path, holds, "reference", "value")


def bound(path: str, system: str, *codes: str) -> Invariant:
    """A concept whose binding is required: one of its codings is one of the codes."""
    text = f"a code of {system}: {', '.join(codes)}"
    return Invariant("code", text, path, lambda concept: coded(concept, system, *codes), code="code-invalid")


def type_of(reference: Resource) -> str | None:
    """The type that a Reference names: in its path, or in its ``type``; None where neither shows."""
    found = _URL_TYPE.search(reference.get("reference", ""))
    return found.group(1) if found else reference.get("type")


def _may_be(reference: Resource, types: tuple[str, ...]) -> bool:
    found = type_of(reference)
    return found is None or found in types


def _extension(item: Resource, url: str) -> list[Resource]:
    return [each for each in item.get("extension", ()) if each.get("url") == url]


def _has_url(url: str) -> Callable[[Resource], bool]:
    return lambda extension: extension.get("url") == url


# ---- US Core


def _named(name: Resource) -> bool:
    given = has(name, "family") or has(name, "given")
    return given is not bool(_extension(name, DATA_ABSENT))


def _omb_codes(extension: Resource) -> list[str | None]:
    return [part.get("valueCoding", {}).get("code") for part in _extension(extension, "ombCategory")]


def _race_alone(extension: Resource) -> bool:
    codes = _omb_codes(extension)
    return extension.get("url") != f"{US_CORE}race" or len(codes) == 1 or _UNSAID.isdisjoint(codes)


def _omb(tail: str, allowed: frozenset[str], most: int) -> Rules:
    """The parts of a race or ethnicity extension."""
    url = f"{US_CORE}{tail}"

    def described(extension: Resource) -> bool:
        texts = _extension(extension, "text")
        return extension.get("url") != url or (len(texts) == 1 and has(texts[0], "valueString"))

    def categorised(extension: Resource) -> bool:
        codes = _omb_codes(extension)
        return extension.get("url") != url or (len(codes) <= most and allowed.issuperset(codes))

    path = "Patient.extension"
    return (
        at_most(path, 1, _has_url(url), f"us-core-{tail}"),
        Invariant("required", "one part named text, a string", path, described, element="extension", code="required"),
        Invariant(
            "code",
            f"at most {most} ombCategory of: {', '.join(sorted(allowed))}",
            path,
            categorised,
            element="extension",
            code="code-invalid",
        ),
    )


def _npi_digits(identifier: Resource) -> bool:
    return identifier.get("system") != NPI or bool(re.fullmatch("[0-9]{10}", identifier.get("value", ""), re.ASCII))


def luhn(npi: str) -> bool:
    """Whether the check digit of a ten-digit NPI is right (prefix 80840 counts 24)."""
    total = 24
    for index, char in enumerate(npi):
        digit = int(char)
        total += digit if index % 2 else digit * 2 - (9 if digit > 4 else 0)
    return total % 10 == 0


def _npi_checked(identifier: Resource) -> bool:
    return identifier.get("system") != NPI or not _npi_digits(identifier) or luhn(identifier["value"])


def _shaped(system: str, pattern: str) -> Callable[[Resource], bool]:
    return lambda item: item.get("system") != system or bool(re.fullmatch(pattern, item.get("value", ""), re.ASCII))


def _npi(type_: str) -> Rules:
    path = f"{type_}.identifier"
    return (
        Invariant("us-core-16", "an NPI of ten digits", path, _npi_digits, element="value"),
        Invariant("us-core-17", "an NPI with a valid check digit", path, _npi_checked, element="value"),
    )


def _ordered_by_somebody(request: Resource) -> bool:
    orders = {"order", "original-order", "reflex-order", "filler-order", "instance-order"}
    return request.get("intent") not in orders or has(request, "requester")


def _member_known(coverage: Resource) -> bool:
    return has(coverage, "subscriberId") or any(_is_member_id(item) for item in coverage.get("identifier", ()))


def _is_member_id(identifier: Resource) -> bool:
    return coded(identifier.get("type"), _IDENTIFIER_TYPE, "MB")


def _is_diagnosis(concept: Resource) -> bool:
    return coded(concept, _CATEGORY, "encounter-diagnosis")


def _is_problem(concept: Resource) -> bool:
    return coded(concept, _CATEGORY, "problem-list-item") or coded(
        concept, "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "health-concern"
    )


def _on_behalf(agent: Resource) -> bool:
    return type_of(agent.get("who", {})) not in {"Practitioner", "Device"} or has(agent, "onBehalfOf")


def _to_the_day(observation: Resource) -> bool:
    return len(observation.get("effectiveDateTime", "YYYY-MM-DD")) >= len("YYYY-MM-DD")


def _has_result(observation: Resource) -> bool:
    if "component" in observation or "hasMember" in observation:
        return True
    return has(observation, "dataAbsentReason") or has_choice(observation, "value")


def _in_ucum(observation: Resource) -> bool:
    system = observation.get("valueQuantity", {}).get("system")
    return system is None or system == UCUM


def _any_has(path: str, which: Callable[[Resource], bool], text: str) -> Invariant:
    parent, _, name = path.rpartition(".")
    return Invariant(
        "slice", text, parent, lambda item: any(map(which, item.get(name, ()))), element=name, code="structure"
    )


def _class_is(kind: str) -> Callable[[Resource], bool]:
    return lambda item: coded(item.get("type"), _COVERAGE_CLASS, kind)


_OBSERVATION = (
    *need("Observation.category", "Observation.subject"),
    points_to("Observation.subject", "Patient", "Group", "Device", "Location"),
)


# ---- Gravity

_REFERRAL_STATUS = frozenset(
    {
        *("draft", "requested", "accepted", "rejected", "cancelled"),
        *("in-progress", "on-hold", "failed", "completed", "entered-in-error"),
    }
)


def _fulfills(task: Resource) -> bool:
    return "code" not in task or coded(task["code"], "http://hl7.org/fhir/CodeSystem/task-code", "fulfill")


_REFERRAL_TASK = (
    *need("Task.code", "Task.focus", "Task.for", "Task.authoredOn", "Task.requester", "Task.statusReason.text"),
    Invariant(
        "code",
        "one of: " + ", ".join(sorted(_REFERRAL_STATUS)),
        "Task",
        lambda task: task.get("status") in _REFERRAL_STATUS,
        element="status",
        code="code-invalid",
    ),
    Invariant("code", "the intent order", "Task", lambda task: task.get("intent") == "order", "intent", "code-invalid"),
    Invariant("code", "the task-code fulfill", "Task", _fulfills, element="code", code="code-invalid"),
    points_to("Task.focus", "ServiceRequest"),
    points_to("Task.for", "Patient", "Group", "RelatedPerson"),
    points_to("Task.requester", "PractitionerRole", "Organization"),
)

_RULES: dict[str, dict[str, Rules]] = {
    "Task": {f"{GRAVITY}SDOHCC-TaskForReferralManagement": _REFERRAL_TASK},
    "ServiceRequest": {
        f"{US_CORE}servicerequest": need("ServiceRequest.code"),
        f"{GRAVITY}SDOHCC-ServiceRequest": (
            *need("ServiceRequest.code"),
            points_to("ServiceRequest.subject", "Patient", "Group", "Location"),
            none_of("ServiceRequest.specimen"),
            none_of("ServiceRequest.bodySite"),
        ),
    },
    "Patient": {
        f"{US_CORE}patient": (
            *need("Patient.identifier", "Patient.identifier.system", "Patient.identifier.value"),
            *need("Patient.name", "Patient.gender", "Patient.telecom.system", "Patient.telecom.value"),
            Invariant("us-core-6", "family or given name, or else a data-absent-reason", "Patient.name", _named),
            *_omb("race", _RACES, 6),
            *_omb("ethnicity", _ETHNICITIES, 1),
            at_most("Patient.extension", 1, _has_url(f"{US_CORE}birthsex"), "us-core-birthsex"),
            at_most("Patient.extension", 1, _has_url(f"{US_CORE}sex"), "us-core-sex"),
            Invariant("us-core-23", "ASKU or UNK alone", "Patient.extension", _race_alone, element="extension"),
        )
    },
    "Encounter": {
        f"{US_CORE}encounter": need(
            "Encounter.type", "Encounter.subject", "Encounter.identifier.system", "Encounter.identifier.value"
        )
    },
    "Condition": {
        f"{US_CORE}condition-encounter-diagnosis": (
            *need("Condition.category", "Condition.code"),
            _any_has("Condition.category", _is_diagnosis, "the category encounter-diagnosis"),
            at_most("Condition.category", 1, _is_diagnosis, "category encounter-diagnosis"),
        ),
        f"{US_CORE}condition-problems-health-concerns": (
            *need("Condition.category", "Condition.code"),
            _any_has("Condition.category", _is_problem, "the category problem-list-item or health-concern"),
        ),
    },
    "MedicationRequest": {
        f"{US_CORE}medicationrequest": (
            Invariant("us-core-21", "a requester of an order", "MedicationRequest", _ordered_by_somebody, "requester"),
        )
    },
    "MedicationDispense": {
        f"{US_CORE}medicationdispense": (
            *need("MedicationDispense.subject"),
            Invariant(
                "us-core-20",
                "whenHandedOver where the status is completed",
                "MedicationDispense",
                lambda dispense: dispense.get("status") != "completed" or has(dispense, "whenHandedOver"),
                element="whenHandedOver",
            ),
        )
    },
    "Coverage": {
        f"{US_CORE}coverage": (
            *need("Coverage.relationship"),
            at_most("Coverage.payor", 1),
            at_most("Coverage.identifier", 1, _is_member_id, "identifier of type MB"),
            at_most("Coverage.class", 1, _class_is("group"), "class group"),
            at_most("Coverage.class", 1, _class_is("plan"), "class plan"),
            Invariant("us-core-15", "an identifier of type MB or a subscriberId", "Coverage", _member_known),
        )
    },
    "Organization": {
        f"{US_CORE}organization": (
            *need("Organization.active", "Organization.name"),
            at_most("Organization.address.line", 4),
            *_npi("Organization"),
            Invariant(
                "us-core-18",
                "a CLIA number: ten characters, D as third",
                "Organization.identifier",
                _shaped("urn:oid:2.16.840.1.113883.4.7", "[0-9]{2}D[0-9]{7}"),
                element="value",
            ),
            Invariant(
                "us-core-19",
                "an NAIC code of five digits",
                "Organization.identifier",
                _shaped("urn:oid:2.16.840.1.113883.6.300", "[0-9]{5}"),
                element="value",
            ),
        )
    },
    "Practitioner": {
        f"{US_CORE}practitioner": (
            *need("Practitioner.identifier", "Practitioner.identifier.system", "Practitioner.identifier.value"),
            *need("Practitioner.name", "Practitioner.name.family"),
            at_most("Practitioner.address.line", 4),
            *_npi("Practitioner"),
        )
    },
    "PractitionerRole": {
        f"{US_CORE}practitionerrole": (
            *need("PractitionerRole.telecom.system", "PractitionerRole.telecom.value"),
            Invariant(
                "us-core-13",
                "a practitioner, organization, healthcareService or location",
                "PractitionerRole",
                lambda role: any(
                    has(role, name) for name in ("practitioner", "organization", "healthcareService", "location")
                ),
            ),
            Invariant(
                "pd-1",
                "a telecom or an endpoint",
                "PractitionerRole",
                lambda role: has(role, "telecom") or has(role, "endpoint"),
                element="telecom",
            ),
        )
    },
    "Location": {f"{US_CORE}location": need("Location.name")},
    "AllergyIntolerance": {f"{US_CORE}allergyintolerance": need("AllergyIntolerance.code")},
    "Observation": {
        f"{US_CORE}simple-observation": _OBSERVATION,
        f"{US_CORE}observation-clinical-result": (
            *_OBSERVATION,
            Invariant("us-core-1", "a day at least", "Observation", _to_the_day, element="effectiveDateTime"),
            Invariant("us-core-2", "a value or a reason for its absence", "Observation", _has_result, "value[x]"),
            Invariant("us-core-3", "UCUM as system of a quantity", "Observation", _in_ucum, "valueQuantity"),
        ),
    },
    "Provenance": {
        f"{US_CORE}provenance": (
            Invariant(
                "provenance-1",
                "onBehalfOf where a practitioner or device acted",
                "Provenance.agent",
                _on_behalf,
                element="onBehalfOf",
            ),
            points_to("Provenance.agent.onBehalfOf", "Organization"),
        )
    },
}


def _versioned(url: str) -> str:
    guide = url.removeprefix("http://hl7.org/fhir/us/").partition("/")[0]
    return f"{url}|{_VERSIONS[guide]}"


PROFILES = {kind: {_versioned(url): rules for url, rules in profiles.items()} for kind, profiles in _RULES.items()}
"""FHIR type -> canonical URL with version -> rules beyond FHIR R4."""
