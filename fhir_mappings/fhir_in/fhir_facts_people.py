"""Who a Bundle is about and who stands beside: Patient, RelatedPerson, Coverage, AllergyIntolerance."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from fhir_mappings.fhir_in.fhir_bundle import Node, refuse
from fhir_mappings.fhir_in.fhir_values import Source, code_of, codes_of, needed
from fhir_mappings.labels import Resource
from schemas.discharge import Coding, Contact, Coverage, Identifier, Patient

_INTERPRETER: Final = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
_HOMELESS: Final = frozenset({"HOMELESS", "UNDOMICILED", "NO FIXED ADDRESS", "NO FIXED ABODE"})
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_PLAN: Final = "http://terminology.hl7.org/CodeSystem/coverage-class"


def patient(source: Source, node: Node) -> Patient:
    """The person: identifiers, name, birth date, gender, telecom, address, language, interpreter."""
    stated = node.resource
    if stated.get("active") is False:
        refuse(node.at("active"), "this record of the person is not in use: send the one that replaces it")
    address = source.address(stated.get("address", ()), node.at("address"))
    said = [line.upper() for line in address.lines] if address is not None else []
    return Patient(
        identifiers=source.identifiers(node, None, needed)[:64],
        name=source.name(stated.get("name", ()), node.at("name")),
        birth_date=_birth_date(source, node),
        sex=stated.get("gender"),
        phones=source.phones(stated.get("telecom", ()), node.at("telecom")),
        address=address,
        language=_language(source, node),
        interpreter=_interpreter(stated),
        homeless=True if not _HOMELESS.isdisjoint(said) else None,
    )


def replaced(source: Source, node: Node) -> list[Identifier]:
    """Numbers that no longer stand for the person: of the records that this one replaces (Patient.link)."""
    links = (one for one in node.resource.get("link", ()) if one.get("type") == "replaces")
    others = (source.follow(node, one["other"]).logical for one in links)
    found = (source.identifier(one, node.at("link.other"), None) for one in others if one is not None)
    return [one for one in found if one is not None][:64]


def _birth_date(source: Source, node: Node) -> date | None:
    born = source.when(node.resource.get("birthDate"), node.at("birthDate"))
    return born.date() if isinstance(born, datetime) else born


def _language(source: Source, node: Node) -> str | None:
    spoken: list[Resource] = node.resource.get("communication", [])
    first = next((one for one in spoken if one.get("preferred") is True), spoken[0] if spoken else None)
    if first is None:
        return None
    path = node.at("communication.language")
    coded = next((coding.get("code") for coding in first["language"].get("coding", ()) if coding.get("code")), None)
    return source.token(coded, path) or source.token(source.spoken(first["language"], path), path)


def _interpreter(stated: Resource) -> bool | None:
    return next((one.get("valueBoolean") for one in stated.get("extension", ()) if one["url"] == _INTERPRETER), None)


def contacts(source: Source, person: Node | None) -> list[Contact]:
    """People beside the person: Patient.contact, then RelatedPerson. Whether they may be told anything is not said."""
    found = list(_contacts(source, person)) if person is not None else []
    for node in source.graph.of_type("RelatedPerson"):
        if node.resource.get("active") is False:
            source.note(node.at("active"), "a record that is not in use is left out")
            continue
        stated = node.resource
        concepts = stated.get("relationship", ())
        found += _contact(source, concepts, stated.get("name", ()), stated.get("telecom", ()), node.path)
    return found[:64]


def _contacts(source: Source, person: Node) -> Iterator[Contact]:
    for index, stated in enumerate(person.resource.get("contact", ())):
        names = [stated["name"]] if "name" in stated else []
        path = person.at(f"contact[{index}]")
        yield from _contact(source, stated.get("relationship", ()), names, stated.get("telecom", ()), path)


def _contact(source: Source, concepts: Any, names: Any, points: Any, path: str) -> Iterator[Contact]:
    name = source.name(names, f"{path}.name")
    numbers = source.phones(points, f"{path}.telecom")
    if name is None and not numbers:
        return
    relation = source.token(source.spoken(next(iter(concepts), None), f"{path}.relationship"), f"{path}.relationship")
    parts = [*name.given, *([name.family] if name.family else [])] if name is not None else []
    spoken = " ".join(parts) or (name.text if name is not None else None)
    yield Contact(what=relation or "contact", name=spoken, phone=numbers[0] if numbers else None)


def coverage(source: Source) -> list[Coverage]:
    """Insurance that is active: who pays, member number, plan, type."""
    return [one for node in source.graph.of_type("Coverage") if (one := _coverage(source, node)) is not None][:32]


def _coverage(source: Source, node: Node) -> Coverage | None:
    stated = node.resource
    if node.status != "active":
        source.note(node.at("status"), "insurance that is not active is left out")
        return None
    payers = (
        source.organization_name(node, one, node.at(f"payor[{index}]")) for index, one in enumerate(stated["payor"])
    )
    payer = next((one for one in payers if one is not None), None)
    if payer is None:
        source.note(node.at("payor"), "no payer is named, so the insurance is left out")
        return None
    plan: Resource = next((one for one in stated.get("class", ()) if code_of(one["type"], _PLAN) == "plan"), {})
    return Coverage(
        payer=payer,
        member_id=source.token(stated.get("subscriberId"), node.at("subscriberId")) or _member(source, node),
        plan=source.text(plan.get("name") or plan.get("value"), node.at("class")),
        type=source.token(source.spoken(stated.get("type"), node.at("type")), node.at("type")),
    )


def _member(source: Source, node: Node) -> str | None:
    """The identifier of type MB (v2-0203), as US Core Coverage has it."""
    stated = node.resource.get("identifier", ())
    number = next((one.get("value") for one in stated if "MB" in codes_of(one.get("type"))), None)
    return source.token(number, node.at("identifier"))


def allergies(source: Source) -> list[Coding]:
    """Allergies that stand."""
    found = []
    for node in source.graph.of_type("AllergyIntolerance"):
        verified = code_of(node.resource.get("verificationStatus"), _VERIFICATION)
        clinical = code_of(node.resource.get("clinicalStatus"), _CLINICAL)
        if verified in {"refuted", "entered-in-error"} or clinical in {"inactive", "resolved"}:
            source.note(node.path, "an allergy that does not stand is left out")
            continue
        codings = source.codings(node.resource.get("code"), node.at("code"))
        found += [codings[0].coding()] if codings else []
    return found[:200]
