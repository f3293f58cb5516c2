"""FHIR datatypes from the event's own, and the frame that all resources of one visit share.

Nothing is invented: what the event doesn't know is absent, or says so with a data-absent-reason where
a profile demands the element. Constants are shared between resources and never changed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final, TypeVar

import langcodes
from langcodes.tag_parser import LanguageTagError

from fhir_mappings.labels import ACT_REASON, Ids, Labels, Parties, Resource, security
from schemas.codes import local
from schemas.discharge import Address, Coding, DischargeEvent, Identifier, Name

US_CORE: Final = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
NPI: Final = "http://hl7.org/fhir/sid/us-npi"
V2_0203: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
EXTENSION: Final = f"{local.BASE}/StructureDefinition"
UNKNOWN_CODING: Final[Resource] = {
    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    "code": "unknown",
    "display": "Unknown",
}
UNKNOWN: Final[Resource] = {"coding": [UNKNOWN_CODING]}
ABSENT: Final[list[Resource]] = [
    {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
]
_UCUM_OF_UNIT: Final = {"mg": "mg", "mcg": "ug", "ug": "ug", "g": "g", "ml": "mL"}
_TABLE_0203: Final = (
    "ACSN AM AMA AN ANC AND ANON ANT APRN ASID BA BC BCT BR BRN BSNR CC CONM CY CZ DDS DEA DFN DI DL DN DO DP "
    "DPM DR DS EI EN ESN FI FILL GI GL GN HC IND JHN LACSN LANR LI LN LR MA MB MC MCD MCN MCR MCT MD MI MR MRT "
    "MS NBSNR NCT NE NH NI NII NIIP NNxxx NP NPI OD PA PC PCN PE PEN PI PLAC PN PNT PPIN PPN PRC PRN PT QA RI "
    "RN RPH RR RRI RRP SID SL SN SP SR SS TAX TN TPR U UPIN USID VN VP VS WC WCN WP XX"
)
_IDENTIFIER_TYPES: Final = frozenset(_TABLE_0203.split())
"""v2-0203: HL7 v2.8.2 table 0203, with PLAC and FILL as FHIR R4 has them."""
_ALPHA_2: Final = 2
# Beyond this a float has no exact whole number to write.
_EXACT: Final = 2**53

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Frame:
    """What every resource of one visit needs: the event, the parties, ids, labels and common references."""

    event: DischargeEvent
    parties: Parties
    ids: Ids
    security: list[Resource]
    patient: Resource
    encounter: Resource
    hospital: Resource

    def new(self, resource_type: str, key: str, *profiles: str) -> Resource:
        """The start of a resource: type, id, labels and the profiles that it really conforms to."""
        meta: Resource = {"profile": list(profiles)} if profiles else {}
        meta["security"] = self.security
        return {"resourceType": resource_type, "id": self.ids(resource_type, key), "meta": meta}


def frame(event: DischargeEvent, *, parties: Parties, ids: Ids, labels: Labels, need: str | None = None) -> Frame:
    """The frame of one visit, or of one need of it; Patient and Encounter have the empty logical key."""
    return Frame(
        event=event,
        parties=parties,
        ids=ids,
        security=security(labels, need=need),
        patient={"reference": "Patient/" + ids("Patient", "")},
        encounter={"reference": "Encounter/" + ids("Encounter", "")},
        hospital=organization_reference(parties.hospital, parties.hospital_name),
    )


def organization_reference(organization: str, name: str) -> Resource:
    """A reference to an organisation with the name that a reader sees."""
    return {"reference": "Organization/" + organization, "display": name}


def reference(resource: Resource) -> Resource:
    """A literal reference to a resource of this visit."""
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def present(elements: Resource) -> Resource:
    """The elements that have a value; FHIR knows neither null nor empty lists. False and 0 are values."""
    return {name: value for name, value in elements.items() if value or value == 0}


def when(value: date | None) -> str | None:
    """A FHIR dateTime: an instant with offset, or a day where only the day is known."""
    return None if value is None else value.isoformat()


def period(start: date | None, end: date | None) -> Resource | None:
    """A FHIR Period, or None where neither end is known."""
    return present({"start": when(start), "end": when(end)}) or None


def number(value: float) -> float | int:
    """80.0 as 80: the shape holds a float, the sender wrote a whole number."""
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def quantity(value: float, unit: str | None) -> Resource:
    """An amount as stated, with its UCUM code where the unit is one of the common ones."""
    code = _UCUM_OF_UNIT.get(unit.lower()) if unit else None
    coded = {"system": UCUM, "code": code} if code else {}
    return present({"value": number(value), "unit": unit, **coded})


def count(value: int, unit: str, code: str) -> Resource:
    """A counted quantity: days (``d``), doses (``{dose}``), milliseconds (``ms``)."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code}


def _tidy(text: str) -> str:
    """A code in FHIR's syntax: no white space around it, single spaces inside."""
    return " ".join(text.split())


def _uri(text: str) -> str:
    """A URI holds no white space; an authority's name that came as one keeps its words apart."""
    return "%20".join(text.split())


def coding(value: Coding) -> Resource:
    """A Coding as received."""
    system = _uri(value.system) if value.system else None
    return present({"system": system, "code": _tidy(value.code), "display": value.display})


def concept(value: Coding, alternates: Iterable[Coding] = ()) -> Resource:
    """A CodeableConcept: the code, further codes for the same thing, and the sender's text.

    Where a sender had words only, they stand in the place of the code; as FHIR they are text.
    """
    codings = [coding(one) for one in (value, *alternates) if one.system or one.code != one.display]
    return present({"coding": codings, "text": value.display})


def identifier(value: Identifier) -> Resource:
    """An Identifier with its type: v2-0203 where it is one of those codes, else a text of the hospital's own."""
    kind = {"type": _identifier_type(_tidy(value.type))} if value.type else {}
    return {**kind, "system": _uri(value.system), "value": value.value}


def _identifier_type(code: str) -> Resource:
    return {"coding": [{"system": V2_0203, "code": code}]} if code in _IDENTIFIER_TYPES else {"text": code}


def act_reason(code: str) -> Resource:
    """A purpose of use (v3-ActReason)."""
    return {"system": ACT_REASON, "code": _tidy(code)}


def human_name(value: Name | None) -> Resource:
    """A HumanName; without family and given it says that they are unknown (us-core-6)."""
    if value is None:
        return {"extension": ABSENT}
    name = present({"text": value.text, "family": value.family, "given": value.given})
    return name if value.family or value.given else {"extension": ABSENT, **name}


def name_text(value: Name | None) -> str | None:
    """A name in one line, for a display."""
    if value is None:
        return None
    return value.text or " ".join([*value.given, *([value.family] if value.family else [])]) or None


def address(value: Address | None) -> Resource | None:
    """An Address as sent, or None where nothing of it is known."""
    if value is None:
        return None
    return present(
        {
            "line": value.lines,
            "city": value.city,
            "state": value.state,
            "postalCode": value.postal_code,
            "country": value.country,
        }
    )


def phones(*numbers: str | None) -> list[Resource]:
    """ContactPoints of the phone numbers that are known."""
    return [{"system": "phone", "value": one} for one in numbers if one]


def language(value: str) -> Resource:
    """A language: BCP 47 where the text is a tag or an ISO 639-2 code (``spa`` is ``es``), else the text alone."""
    tag = language_tag(value)
    return {"coding": [{"system": "urn:ietf:bcp:47", "code": tag}]} if tag else {"text": value}


@lru_cache(maxsize=512)
def language_tag(text: str) -> str | None:
    """The tag in its shortest form; None where it is none that is registered.

    Three capitals without a code of two letters are None too: more often a word of the hospital's own (``UNK``,
    ``ASL``) than the small language of that code, which is written ``hmn``.
    """
    try:
        tag = langcodes.standardize_tag(text)
    except LanguageTagError:
        return None
    subtag = tag.partition("-")[0]
    own_word = len(subtag) > _ALPHA_2 and not text.startswith(subtag)
    return None if own_word or not langcodes.tag_is_valid(tag) else tag


def extension(name: str, kind: str, value: Any) -> Resource:
    """One extension of ours; ``kind`` is the value[x] element, e.g. ``valueBoolean``."""
    return {"url": f"{EXTENSION}/{name}", kind: value}


def keyed(items: Iterable[Item], key_of: Callable[[Item], str]) -> Iterator[tuple[str, Item]]:
    """Each item with a logical key that is unique in the list: a repeated one gets ``#2``, ``#3``."""
    seen: dict[str, int] = {}
    for item in items:
        key = key_of(item)
        times = seen[key] = seen.get(key, 0) + 1
        yield (key if times == 1 else f"{key}#{times}"), item
