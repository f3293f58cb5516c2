"""Single FHIR elements of a hospital's resource: texts, times, identifiers, names, codes.

What can't be used is noted by place and rule and left out, never guessed, as the reader of HL7 v2 does it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from fhir_mappings.fhir_in.fhir_bundle import Graph, Link, Logical, Node, place_of
from fhir_mappings.labels import Resource
from schemas.codes import tables
from schemas.discharge import Address, Clinician, Coding, Identifier, Name, Product
from schemas.sender import Sender

NPI: Final = "http://hl7.org/fhir/sid/us-npi"
V2_0203: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
TOKEN_MAX: Final = 256
TEXT_MAX: Final = 4096
DOSE_UNITS: Final = frozenset({"{dose}", "dose", "doses"})

_DATE_ONLY: Final = len("2026-06-05")
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,31}", re.ASCII)
_YEARS: Final = range(1850, 2200)
_SSN: Final = "http://hl7.org/fhir/sid/us-ssn"
_NOT_NEEDED: Final = frozenset({"SS", "SR", "DL", "PPN"})
"""v2-0203 types that no referral needs (45 CFR 164.502(b)): social security, registry, licence, passport numbers."""
_NAME_USES: Final = ("official", "usual", None, "temp")
_NOT_LIVED_AT: Final = frozenset({"old", "billing"})
_PHONES: Final = frozenset({"phone", "sms"})


UnknownKind = Literal["drug", "class", "disposition", "result", "need"]


class Unread(NamedTuple):
    """Something that was not taken: the element, and the rule."""

    path: str
    rule: str


class Unknown(NamedTuple):
    """A code of the hospital's own that neither its file nor a table knows."""

    kind: UnknownKind
    path: str
    code: str


class Triplet(NamedTuple):
    """A Coding as long as it isn't settled what becomes of it."""

    system: str | None
    code: str
    display: str | None

    def coding(self) -> Coding:
        """The same as it is kept."""
        return Coding(system=self.system, code=self.code, display=self.display)


class Source:
    """One Bundle being read for one sender, and what was noted on the way."""

    __slots__ = ("graph", "notes", "organization", "sender", "unknown")

    def __init__(self, graph: Graph, sender: Sender) -> None:
        self.graph = graph
        self.sender = sender
        self.organization = quote(sender.organization, safe="")
        self.notes: list[Unread] = []
        self.unknown: list[Unknown] = []

    def note(self, path: str, rule: str) -> None:
        """Say that an element was not taken, and by which rule."""
        self.notes.append(Unread(path, rule))

    def miss(self, kind: UnknownKind, path: str, code: str) -> None:
        """Say that a code is not known here; only what has the shape of a code is repeated."""
        if _CODE.fullmatch(code):
            self.unknown.append(Unknown(kind, path, code))

    def follow(self, holder: Node, reference: Mapping[str, Any] | None) -> Link:
        """What a reference leads to."""
        return self.graph.follow(holder, reference)

    # ---- texts and numbers

    def text(self, value: object, path: str, limit: int = TEXT_MAX) -> str | None:
        """A text without control characters; what is too long is noted, never cut."""
        if not isinstance(value, str):
            return None
        plain = (value if value.isprintable() else _printable(value)).strip()
        if len(plain) > limit:
            self.note(path, f"longer than {limit} characters")
            return None
        return plain or None

    def token(self, value: object, path: str) -> str | None:
        """A short text such as a code or a number."""
        return self.text(value, path, TOKEN_MAX)

    def amount(self, quantity: Mapping[str, Any] | None, path: str) -> tuple[float | None, str | None]:
        """A quantity as stated, with its unit; one with a comparator or below zero is none."""
        if quantity is None or "value" not in quantity:
            return None, None
        number = float(quantity["value"])
        if "comparator" in quantity or not 0 <= number < 1e9:
            self.note(path, "not an amount of at least zero")
            return None, None
        return number, self.token(quantity.get("unit") or quantity.get("code"), path)

    def count(self, quantity: Mapping[str, Any] | None, path: str, units: Mapping[str, int], most: int) -> int | None:
        """A whole number of what ``units`` counts (unit to how many it stands for); None for another unit."""
        if quantity is None or "value" not in quantity or "comparator" in quantity:
            return None
        words = (quantity.get("code"), quantity.get("unit"))
        each = next((units[word.lower()] for word in words if word and word.lower() in units), None)
        if each is None:
            return None
        number = float(quantity["value"]) * each
        if number != int(number) or not 0 < number <= most:
            self.note(path, f"not a whole number from 1 to {most}")
            return None
        return int(number)

    # ---- times

    def when(self, value: object, path: str) -> date | datetime | None:
        """A moment, or a day where only the day is known; a bare year or month is noted and left out."""
        if not isinstance(value, str):
            return None
        try:
            read = date.fromisoformat(value) if len(value) == _DATE_ONLY else datetime.fromisoformat(value)
        except ValueError:
            read = None
        if read is None or read.year not in _YEARS or (isinstance(read, datetime) and read.tzinfo is None):
            self.note(path, "not a day or a moment that can be used")
            return None
        return read

    def instant(self, value: object, path: str) -> datetime | None:
        """A moment; a day without time is its first moment in the sender's zone."""
        read = self.when(value, path)
        if read is None or isinstance(read, datetime):
            return read
        local = datetime(read.year, read.month, read.day, tzinfo=self.sender.zone())
        return datetime.fromisoformat(local.isoformat())

    # ---- codes

    def codings(self, concept: Mapping[str, Any] | None, path: str) -> list[Triplet]:
        """Each code of a CodeableConcept; its text stands for itself where there is no code."""
        if concept is None:
            return []
        text = self.text(concept.get("text"), f"{path}.text")
        found = []
        for index, coding in enumerate(concept.get("coding", ())):
            place = f"{path}.coding[{index}]"
            code = self.token(coding.get("code"), place)
            display = self.text(coding.get("display"), place) or text
            if code is None and display is None:
                continue
            system = self.token(coding.get("system"), place)
            found.append(Triplet(tables.system_of(system) or system, code or (display or "")[:TOKEN_MAX], display))
        if not found and text is not None:
            found.append(Triplet(None, text[:TOKEN_MAX], text))
        return found

    def spoken(self, concept: Mapping[str, Any] | None, path: str) -> str | None:
        """What a person would read of a CodeableConcept: its text, else a display, else a code."""
        if concept is None:
            return None
        text = self.text(concept.get("text"), f"{path}.text")
        if text is not None:
            return text
        first = next(iter(self.codings(concept, path)), None)
        return None if first is None else first.display or first.code

    def product(self, concept: Mapping[str, Any] | None, path: str) -> Product | None:
        """A drug: its RxNorm code where one was sent or the sender maps the local code, every other as alternate."""
        codings = [self._drug_system(coding) for coding in self.codings(concept, path)]
        if not codings:
            return None
        chosen = next((coding for coding in codings if coding.system == tables.RXNORM), None) or self._mapped(codings)
        if chosen is None:
            chosen = codings[0]
            if not any(coding.system == tables.NDC for coding in codings):
                self.miss("drug", path, chosen.code)
        alternates = [coding.coding() for coding in codings if coding is not chosen]
        return Product(system=chosen.system, code=chosen.code, display=chosen.display, alternates=alternates)

    def _drug_system(self, coding: Triplet) -> Triplet:
        mapped = self.sender.maps.drug_systems.get(coding.system or "")
        known = tables.system_of(mapped) if mapped in ("rxnorm", "ndc") else None
        return coding._replace(system=known) if known is not None else coding

    def _mapped(self, codings: Iterable[Triplet]) -> Triplet | None:
        local = self.sender.maps.local_drugs
        for coding in codings:
            drug = local.get(coding.code) if coding.system not in (tables.NDC, tables.RXNORM) else None
            if drug is not None:
                return Triplet(tables.system_of(drug.system) or drug.system, drug.code, drug.display)
        return None

    # ---- identifiers

    def identifiers(self, node: Node, type_code: str | None, wanted: Callable[[str | None], bool]) -> list[Identifier]:
        """The identifiers of a resource whose v2-0203 type is ``wanted``, then its place on the hospital's server."""
        found = []
        for index, stated in enumerate(node.resource.get("identifier", ())):
            path = node.at(f"identifier[{index}]")
            kind = code_of(stated.get("type"), V2_0203)
            if stated.get("use") == "old" or stated.get("system") == _SSN or not wanted(kind):
                continue
            found.append(
                self.identifier(Logical(stated.get("system"), stated.get("value") or ""), path, kind or type_code)
            )
        place = self._place(node)
        if place is not None:
            found.append(self.identifier(place, f"{node.path}.id", type_code))
        return list(_distinct(found).values())

    def identifier(self, logical: Logical, path: str, type_code: str | None) -> Identifier | None:
        """One identifier; a system that was not sent is the hospital itself."""
        value = self.token(logical.value, path)
        stated = self.sender.maps.authorities.get(logical.system or "", logical.system)
        system = self.token(stated, path) if stated else self._authority(path)
        if value is None or system is None:
            return None
        return Identifier(system=system, value=value, type=self.token(type_code, path))

    def _authority(self, path: str) -> str:
        """Identifiers without a system are told apart by the element that holds them."""
        element = re.sub(r"Bundle\.entry\[\d+\]\.resource\.|\[\d+\]", "", path)
        return f"urn:throughline:authority:{self.organization}:{element}"

    def _place(self, node: Node) -> Logical | None:
        """Where the resource is kept at the hospital: a RESTful fullUrl, or the id that a PUT names."""
        place = place_of(node.url)
        if place is not None or node.request is None or node.request.get("method") != "PUT":
            return place
        own = node.resource.get("id")
        return Logical(f"urn:throughline:source:{self.organization}:{node.type}", own) if own else None

    # ---- people

    def name(self, names: Iterable[Mapping[str, Any]], path: str) -> Name | None:
        """The official name, else the usual one, else the first that is in use."""
        stated = list(names)
        for use in _NAME_USES:
            for index, one in enumerate(stated):
                if one.get("use") == use:
                    return self._name(one, f"{path}[{index}]")
        return None

    def _name(self, stated: Mapping[str, Any], path: str) -> Name | None:
        family = self.token(stated.get("family"), f"{path}.family")
        given = [part for one in stated.get("given", ()) if (part := self.token(one, f"{path}.given")) is not None]
        text = self.text(stated.get("text"), f"{path}.text") if family is None and not given else None
        return Name(family=family, given=given, text=text) if family or given or text else None

    def phones(self, points: Iterable[Mapping[str, Any]], path: str) -> list[str]:
        """Phone numbers that are in use, in the order in which they are preferred."""
        used = [one for one in points if one.get("system") in _PHONES and one.get("use") != "old"]
        used.sort(key=lambda one: one.get("rank", TOKEN_MAX))
        return list(dict.fromkeys(number for one in used if (number := self.token(one.get("value"), path)) is not None))

    def address(self, stated: Iterable[Mapping[str, Any]], path: str) -> Address | None:
        """The first address that is lived at."""
        for index, one in enumerate(stated):
            if one.get("use") in _NOT_LIVED_AT:
                continue
            place = f"{path}[{index}]"
            lines = [line for part in one.get("line", ()) if (line := self.text(part, f"{place}.line")) is not None]
            text = self.text(one.get("text"), f"{place}.text")
            parts = {name: self.text(one.get(name), f"{place}.{name}") for name in _ADDRESS}
            if lines or text or any(parts.values()):
                return Address(
                    lines=lines or ([text] if text and not parts["city"] else []),
                    city=parts["city"],
                    state=parts["state"],
                    postal_code=parts["postalCode"],
                    country=parts["country"],
                )
        return None

    def clinician(self, holder: Node, reference: Mapping[str, Any] | None, path: str) -> Clinician | None:
        """A Practitioner, or the one of a PractitionerRole: the NPI, the name and a phone."""
        link = self.follow(holder, reference)
        role, phones = link.node, []
        if role is not None and role.type == "PractitionerRole":
            phones = self.phones(role.resource.get("telecom", ()), role.at("telecom"))
            link = self.follow(role, role.resource.get("practitioner"))
        person = link.node
        if person is None or person.type != "Practitioner":
            return self._named(link, reference, path)
        name = self.name(person.resource.get("name", ()), person.at("name"))
        phones += self.phones(person.resource.get("telecom", ()), person.at("telecom"))
        return Clinician(identifier=self._number(person), name=name, phone=phones[0] if phones else None)

    def _named(self, link: Link, reference: Mapping[str, Any] | None, path: str) -> Clinician | None:
        display = self.text(link.display or (reference or {}).get("display"), f"{path}.display")
        number = link.logical if link.logical is not None and link.logical.system == NPI else None
        identifier = self.identifier(number, path, "NPI") if number is not None else None
        if display is None and identifier is None:
            return None
        return Clinician(identifier=identifier, name=Name(text=display) if display else None)

    def _number(self, person: Node) -> Identifier | None:
        stated = person.resource.get("identifier", ())
        numbers = [one for one in stated if one.get("value")]
        chosen = next((one for one in numbers if one.get("system") == NPI), numbers[0] if numbers else None)
        if chosen is None:
            return None
        kind = "NPI" if chosen.get("system") == NPI else code_of(chosen.get("type"), V2_0203)
        return self.identifier(Logical(chosen.get("system"), chosen["value"]), person.at("identifier"), kind)

    def organization_name(self, holder: Node, reference: Mapping[str, Any] | None, path: str) -> str | None:
        """The name of an organisation: its resource's, else the display."""
        link = self.follow(holder, reference)
        if link.node is not None:
            named = self.text(link.node.resource.get("name"), link.node.at("name"))
            if named is not None:
                return named
        return self.text((reference or {}).get("display"), f"{path}.display")


_ADDRESS: Final = ("city", "state", "postalCode", "country")


def _distinct(found: Iterable[Identifier | None]) -> dict[str, Identifier]:
    return {f"{one.system}|{one.value}": one for one in found if one is not None}


def _printable(value: str) -> str:
    return "".join([char if char.isprintable() or char == "\n" else " " if char.isspace() else "" for char in value])


def code_of(concept: Mapping[str, Any] | None, system: str) -> str | None:
    """The code of one system in a CodeableConcept."""
    for coding in (concept or {}).get("coding", ()):
        if coding.get("system") == system and coding.get("code"):
            code: str = coding["code"]
            return code
    return None


def codes_of(concepts: Resource | Iterable[Resource] | None) -> set[str]:
    """The bare codes of one or more CodeableConcepts, whatever their systems."""
    if concepts is None:
        return set()
    several = [concepts] if isinstance(concepts, dict) else concepts
    return {coding["code"] for concept in several for coding in concept.get("coding", ()) if coding.get("code")}


def needed(type_code: str | None) -> bool:
    """Whether an identifier of this v2-0203 type may leave with a referral."""
    return type_code not in _NOT_NEEDED
