"""The single facts that resources state, in one notation, so that two builders of FHIR can be compared by them.

A fact is (field, of what, value): ``("Patient.identifier.system", "HTEST1", "urn:oid:1.2")``. Values lose only what
carries no meaning: white space around and between words, the punctuation of phone numbers, the zone of an instant,
and the URI that each builder puts before the name of an authority that has no URI of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from fhir_mappings.dialects.adt_generic.dialect import UNTIMED
from schemas.facts import GivenDose, Order, Supply
from tests.agreement.corpus import Resource
from tests.agreement.ours import Made

_ATTENDER: Final = "ATND"
_DRUG_TYPES: Final = ("MedicationRequest", "MedicationDispense", "MedicationAdministration")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d")
_NAMED: Final = re.compile(
    r"(?:urn:throughline:(?:authority|system):anyone:|http://example\.com/v2-to-fhir-converter/\w+/|(?!.*:))(.+)"
)
"""A system that is nothing but the sender's name of it, as the hub, Microsoft and ReportStream write that."""
_FIELD: Final = re.compile(r"name:[A-Z][A-Z0-9]{2}-\d+")
"""What the hub writes where no authority was sent."""
_UNKNOWN: Final = "UNK"


class Fact(NamedTuple):
    """One statement: the FHIR element, the thing it is said of (a code, a number; "" = the only one), the value."""

    field: str
    of: str
    value: str


class Bundle:
    """Resources by type, and by the references among them."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_type: dict[str, list[Resource]] = {}
        self._by_reference: dict[str, Resource] = {}
        for resource in resources:
            self._by_type.setdefault(resource["resourceType"], []).append(resource)
            self._by_reference[f"{resource['resourceType']}/{resource.get('id', '')}"] = resource

    def all(self, *types: str) -> Iterator[Resource]:
        """The resources of these types."""
        return (resource for name in types for resource in self._by_type.get(name, ()))

    def target(self, reference: Mapping[str, Any] | None) -> Resource:
        """What a reference leads to; empty where that is not in the bundle."""
        return self._by_reference.get((reference or {}).get("reference", ""), {})


def of_made(made: Made) -> frozenset[Fact]:
    """What the hub states: its resources, and of drugs the reading, because a referral keeps none but its own."""
    facts = made.facts
    drugs: list[Order | GivenDose | Supply] = [*facts.orders, *facts.doses, *facts.supplies]
    codings = [coding for drug in drugs for coding in (drug.product, *drug.product.alternates)]
    stated = [Fact("Medication.code", "", coding.code) for coding in codings]
    stated += [Fact("Medication.code.system", coding.code, coding.system) for coding in codings if coding.system]
    stated += [fact for order in facts.orders for fact in _ordered(order)]
    stated += [
        Fact("MedicationRequest.authoredOn", order.key.partition("|")[2], order.at.isoformat())
        for order in facts.orders
        if order.at != facts.at
    ]
    if facts.at != UNTIMED:
        stated.append(Fact("Provenance.occurredDateTime", "", facts.at.isoformat()))
    bundle = Bundle(made.resources)
    return tidied([*stated, *_person(bundle), *_stay(bundle), *_clinical(bundle), *_contacts(bundle, "Patient")])


def of_expected(resources: Iterable[Resource]) -> frozenset[Fact]:
    """What somebody else states."""
    bundle = Bundle(resources)
    return tidied(
        [
            *_person(bundle),
            *_stay(bundle),
            *_clinical(bundle),
            *_contacts(bundle, "Patient"),
            *_contacts(bundle, "RelatedPerson"),
            *_drugs(bundle),
            *_event_times(bundle),
        ]
    )


def _person(bundle: Bundle) -> Iterator[Fact]:
    for patient in bundle.all("Patient"):
        yield from name("Patient.name", "", patient)
        yield from identifiers("Patient.identifier", patient)
        yield from _given("Patient", patient, "birthDate", "gender")
        for address in patient.get("address", ()):
            yield from address_facts("Patient.address", address)
        yield from phones("Patient.telecom", "", patient)
        for spoken in patient.get("communication", ()):
            for code in _words(spoken.get("language")):
                yield Fact("Patient.communication.language", "", code)


def _stay(bundle: Bundle) -> Iterator[Fact]:
    for encounter in bundle.all("Encounter"):
        yield from _given("Encounter", encounter, "status")
        yield Fact("Encounter.class", "", encounter.get("class", {}).get("code", ""))
        yield from _given("Encounter.period", encounter.get("period", {}), "start", "end")
        yield from identifiers("Encounter.identifier", encounter)
        for at in encounter.get("location", ()):
            yield from _location(bundle, bundle.target(at["location"]))
        for one in encounter.get("participant", ()):
            if _ATTENDER in _codes(one.get("type")):
                yield from _practitioner(bundle, one.get("individual"))
        leaving = encounter.get("hospitalization", {})
        for code in _codes([leaving.get("dischargeDisposition")]):
            yield Fact("Encounter.hospitalization.dischargeDisposition", "", code)
        goes_to = leaving.get("destination", {})
        place = bundle.target(goes_to)
        for named in (goes_to.get("display", ""), place.get("name", ""), *_displays(place.get("type"))):
            yield Fact("Encounter.hospitalization.destination", "", named)
    for account in bundle.all("Account"):
        yield from identifiers("Encounter.identifier", account)


def _clinical(bundle: Bundle) -> Iterator[Fact]:
    for condition in bundle.all("Condition"):
        yield from codings("Condition.code", condition.get("code"))
        for code in _codes([condition.get("code")]):
            recorded = [condition.get("recordedDate")] + [
                extension.get("valueDateTime")
                for extension in condition.get("extension", ())
                if extension["url"].endswith("condition-assertedDate")
            ]
            for when in recorded:
                yield Fact("Condition.recordedDate", code, when or "")
            yield Fact("Condition.onsetDateTime", code, condition.get("onsetDateTime", ""))
    for allergy in bundle.all("AllergyIntolerance"):
        yield from codings("AllergyIntolerance.code", allergy.get("code"))
    for coverage in bundle.all("Coverage"):
        yield from _coverage(bundle, coverage)


def _coverage(bundle: Bundle, coverage: Resource) -> Iterator[Fact]:
    for payor in coverage.get("payor", ()):
        name = payor.get("display") or bundle.target(payor).get("name", "")
        yield Fact("Coverage.payor", "", name)
        yield Fact("Coverage.subscriberId", name, coverage.get("subscriberId", ""))
        for code in _words(coverage.get("type")):
            yield Fact("Coverage.type", name, code)
        for one in coverage.get("class", ()):
            for value in (one.get("value", ""), one.get("name", "")):
                yield Fact("Coverage.class", name, value)


def _ordered(order: Order) -> Iterator[Fact]:
    product = order.product.code
    yield Fact("MedicationRequest.dose", product, "" if order.amount is None else f"{order.amount:g}")
    yield Fact("MedicationRequest.dose.unit", product, order.unit or "")
    yield Fact("MedicationRequest.route", product, order.route or "")


def _drugs(bundle: Bundle) -> Iterator[Fact]:
    for drug in bundle.all(*_DRUG_TYPES):
        yield from codings("Medication.code", drug.get("medicationCodeableConcept"))
        yield from _dosage(bundle, drug)
        for number in drug.get("identifier", ()):
            yield Fact("MedicationRequest.authoredOn", number.get("value", ""), drug.get("authoredOn", ""))
    for medication in bundle.all("Medication"):
        yield from codings("Medication.code", medication.get("code"))


def _dosage(bundle: Bundle, drug: Resource) -> Iterator[Fact]:
    concept = drug.get("medicationCodeableConcept") or bundle.target(drug.get("medicationReference")).get("code")
    for product in _codes([concept]):
        for instruction in drug.get("dosageInstruction", ()):
            for word in _words(instruction.get("route")):
                yield Fact("MedicationRequest.route", product, word)
            for dose in instruction.get("doseAndRate", ()):
                quantity = dose.get("doseQuantity", {})
                yield Fact("MedicationRequest.dose", product, f"{quantity['value']:g}" if "value" in quantity else "")
                for element in ("unit", "code"):
                    yield Fact("MedicationRequest.dose.unit", product, quantity.get(element, ""))


def _event_times(bundle: Bundle) -> Iterator[Fact]:
    for provenance in bundle.all("Provenance"):
        # One of these tells when the converter ran.
        if "v2-FHIR transformation" not in str(provenance.get("activity")):
            for name in ("recorded", "occurredDateTime"):
                yield Fact("Provenance.occurredDateTime", "", provenance.get(name, ""))


def _contacts(bundle: Bundle, resource_type: str) -> Iterator[Fact]:
    """Patient.contact, which the sources write as RelatedPerson as well; told apart by family and given name."""
    for resource in bundle.all(resource_type):
        for contact in resource.get("contact", ()) if resource_type == "Patient" else (resource,):
            who = contact.get("name", [])
            names = [_spoken(one) for one in (who if isinstance(who, list) else [who])]
            for name in names or [""]:
                yield Fact("Patient.contact.name", "", name)
                yield from phones("Patient.contact.telecom", name, contact)
                for word in _related(contact):
                    yield Fact("Patient.contact.relationship", name, word)


def _related(contact: Resource) -> Iterator[str]:
    for concept in contact.get("relationship", ()):
        yield from _words(concept)


def _practitioner(bundle: Bundle, individual: Mapping[str, Any] | None) -> Iterator[Fact]:
    target = bundle.target(individual)
    person = bundle.target(target.get("practitioner")) if target.get("practitioner") else target
    yield from identifiers("Practitioner.identifier", person)
    numbers = [number.get("value", "") for number in person.get("identifier", ())]
    for number in numbers or [""]:
        yield from name("Practitioner.name", number, person)


def _location(bundle: Bundle, location: Resource) -> Iterator[Fact]:
    """The name of a place, and of those that it is part of: a unit is above its room and bed."""
    while location:
        yield Fact("Encounter.location", "", location.get("name", ""))
        for number in location.get("identifier", ()):
            yield Fact("Encounter.location", "", number.get("value", ""))
        location = bundle.target(location.get("partOf"))


def identifiers(field: str, resource: Resource) -> Iterator[Fact]:
    """Numbers, and of each its system and type."""
    for number in resource.get("identifier", ()):
        value = number.get("value", "")
        yield Fact(field, "", value)
        yield Fact(f"{field}.system", value, number.get("system", ""))
        for code in _codes([number.get("type")]):
            yield Fact(f"{field}.type", value, code)


def address_facts(field: str, address: Resource) -> Iterator[Fact]:
    """The parts of an address; its lines as one, because sources cut them differently."""
    yield Fact(f"{field}.line", "", " ".join(address.get("line", ())))
    yield from _given(field, address, "city", "state", "postalCode", "country")


def phones(field: str, of: str, resource: Resource) -> Iterator[Fact]:
    """Numbers to call, by their digits."""
    for point in resource.get("telecom", ()):
        if point.get("system") in (None, "phone"):
            yield Fact(field, of, re.sub(r"\D", "", point.get("value", "")))


def codings(field: str, concept: Resource | None) -> Iterator[Fact]:
    """The codes of a concept, and of each its system; words are words, as display or text."""
    for coding in (concept or {}).get("coding", ()):
        yield Fact(field, "", coding.get("code", ""))
        yield Fact(f"{field}.system", coding.get("code", ""), coding.get("system", ""))
        yield Fact(f"{field}.text", "", coding.get("display", ""))
    yield Fact(f"{field}.text", "", (concept or {}).get("text", ""))


def name(field: str, of: str, resource: Resource) -> Iterator[Fact]:
    """The legal name; where none is called that, the first."""
    names = resource.get("name", ())
    legal = sorted(names, key=lambda one: one.get("use", "") != "official")[:1]
    for one in legal:
        yield Fact(f"{field}.family", of, one.get("family", ""))
        yield Fact(f"{field}.given", of, " ".join(one.get("given", ())))


def _spoken(name: Resource) -> str:
    return name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")])


def _given(field: str, resource: Resource, *elements: str) -> Iterator[Fact]:
    for element in elements:
        yield Fact(f"{field}.{element}", "", resource.get(element, ""))


def _codes(concepts: Iterable[Resource | None] | None) -> list[str]:
    found = [coding.get("code", "") for concept in concepts or () for coding in (concept or {}).get("coding", ())]
    return [code for code in found if code]


def _displays(concepts: Iterable[Resource] | None) -> list[str]:
    return [coding.get("display", "") for concept in concepts or () for coding in concept.get("coding", ())]


def _words(concept: Resource | None) -> Iterator[str]:
    """Codes, displays and text of a concept: of a word that came without a system any may be what was sent."""
    for coding in (concept or {}).get("coding", ()):
        yield from (coding.get("code", ""), coding.get("display", ""))
    yield (concept or {}).get("text", "")


def tidied(facts: Iterable[Fact]) -> frozenset[Fact]:
    """Facts in the common notation, without the empty ones."""
    tidy = (Fact(fact.field, _tidy(fact.of), _value(fact)) for fact in facts)
    return frozenset(fact for fact in tidy if fact.value)


def _value(fact: Fact) -> str:
    value = _tidy(fact.value)
    if fact.field.endswith(".system"):
        named = _NAMED.fullmatch(value)
        value = f"name:{unquote(named[1]).replace(' ', '-')}" if named else value
        return "" if _FIELD.fullmatch(value) else value
    if fact.field == "Encounter.class" and value == _UNKNOWN:
        return ""
    if fact.field == "Patient.contact.relationship":
        return value.casefold()
    return _instant(value)


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _instant(value: str) -> str:
    """An instant in UTC; a day, and what is no time at all, as it is."""
    if not _TIME.match(value):
        return value
    try:
        return datetime.fromisoformat(value).astimezone(UTC).isoformat()
    except ValueError:
        return value
