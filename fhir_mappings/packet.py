"""All that a caller may see of a referral, as one FHIR document: a Bundle whose first entry is a Composition.

The caller decides what the members are; nothing is filtered or redacted here. Records under 42 CFR
Part 2 travel with the notice of section 2.32(a)(1); the consents stand in a section of their own (2.32(b)), and where
none goes along, the notice says on which ground the records were disclosed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from fhir_mappings.labels import RESTRICTED, Resource, high_water_mark
from fhir_mappings.notices import Permit, scope
from schemas.packs.base import notice

IDENTIFIER: Final = "https://throughline.org/fhir/identifier/packet"
_REFERRAL_NOTE: Final[Resource] = {
    "coding": [{"system": "http://loinc.org", "code": "57133-1", "display": "Referral note"}]
}
# What a reader needs first stands first: what is asked, on which ground, who, the doses, then the rest.
_SECTIONS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("Referral", frozenset({"Task", "ServiceRequest"})),
    ("Consent", frozenset({"Consent"})),
    ("Person", frozenset({"Patient", "RelatedPerson"})),
    ("Medication", frozenset({"MedicationAdministration", "MedicationDispense", "MedicationRequest", "Medication"})),
    ("Stay and diagnoses", frozenset({"Encounter", "Condition", "Location"})),
    ("Circumstances", frozenset({"AllergyIntolerance", "Observation"})),
    ("Insurance", frozenset({"Coverage"})),
    ("People and organisations", frozenset({"Practitioner", "PractitionerRole", "Organization"})),
    ("Origin", frozenset({"Provenance"})),
)
_NAMED: Final = frozenset().union(*(types for _, types in _SECTIONS))


def packet(
    members: Sequence[Resource],
    *,
    base: str,
    document: str,
    task: str,
    author: str,
    now: datetime,
    notices: Sequence[str] = (),
    permits: Sequence[Permit] = (),
    left_out: Sequence[str] = (),
) -> Resource:
    """The document Bundle of one referral.

    Args:
        members: the resources that the caller may see, each once, with id and meta.
        base: the FHIR base of this server without a final slash; full URLs and so all references resolve to it.
        document: id of this document, also of its Composition.
        task: id of the Task that the packet is about.
        author: FHIR Organization id of the hub, which put the document together.
        now: the hub's clock.
        notices: ids of the notices that must travel with the members.
        permits: what the decisions permit that those members go under.
        left_out: types of which the referral has something that is not among the members, since the token of the
            reader does not cover them. A reader must not take a part for the whole.

    Raises:
        ValueError: the Task is not among the members, or a member stands there twice.
    """
    about = next((one for one in members if one["resourceType"] == "Task" and one["id"] == task), None)
    if about is None:
        raise ValueError("the Task that the packet is about must be one of its members")
    urls = [f"{base}/{one['resourceType']}/{one['id']}" for one in members]
    if len(set(urls)) != len(urls):
        raise ValueError("a resource stands in a packet once (bdl-7)")
    security = high_water_mark(members)
    composition = _composition(members, document=document, about=about, author=author, now=now, security=security)
    composition["section"] = [
        *_notice(members, notices, permits),
        *_left_out(left_out),
        *_sections(members),
    ]
    return {
        "resourceType": "Bundle",
        "id": document,
        **_meta(security),
        "identifier": {"system": IDENTIFIER, "value": document},
        "type": "document",
        "timestamp": now.isoformat(),
        "entry": [
            {"fullUrl": f"{base}/Composition/{document}", "resource": composition},
            *({"fullUrl": url, "resource": one} for url, one in zip(urls, members, strict=True)),
        ],
    }


def _meta(security: list[Resource]) -> Resource:
    return {"meta": {"security": security}} if security else {}


def _composition(
    members: Sequence[Resource], *, document: str, about: Resource, author: str, now: datetime, security: list[Resource]
) -> Resource:
    confidentiality = {"confidentiality": "R"} if RESTRICTED in security else {}
    subject = about["for"]["reference"]
    # What a Composition names stands in the document (R4 documents.html#content), so only a visible person is named.
    seen = {f"{one['resourceType']}/{one['id']}" for one in members}
    return {
        "resourceType": "Composition",
        "id": document,
        **_meta(security),
        "status": "final",
        "type": _REFERRAL_NOTE,
        **({"subject": {"reference": subject}} if subject in seen else {}),
        "date": now.isoformat(),
        "author": [{"reference": f"Organization/{author}"}],
        "title": "Referral packet",
        **confidentiality,
    }


def _notice(members: Sequence[Resource], notices: Sequence[str], permits: Sequence[Permit]) -> list[Resource]:
    if not notices:
        return []
    return [{"title": "Notice", "text": narrative(*said_with(members, notices, permits))}]


def _left_out(types: Sequence[str]) -> list[Resource]:
    if not types:
        return []
    text = f"This packet is not whole: the token does not cover {', '.join(types)}. The referral has some of each."
    return [{"title": "Left out", "text": narrative(text)}]


def said_with(members: Sequence[Resource], notices: Sequence[str], permits: Sequence[Permit]) -> list[str]:
    """What must be said with the members, in paragraphs; none where no notice travels."""
    if not notices:
        return []
    consent_goes = any(one["resourceType"] == "Consent" for one in members)
    return [*(notice(name).text for name in notices), *scope(permits, consent_goes=consent_goes)]


def narrative(*paragraphs: str) -> Resource:
    """A Narrative of plain paragraphs."""
    text = "".join(f"<p>{escape(one)}</p>" for one in paragraphs)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def _sections(members: Sequence[Resource]) -> list[Resource]:
    named = [(title, [one for one in members if one["resourceType"] in types]) for title, types in _SECTIONS]
    other = [one for one in members if one["resourceType"] not in _NAMED]
    return [
        {"title": title, "entry": [{"reference": f"{one['resourceType']}/{one['id']}"} for one in found]}
        for title, found in [*named, ("Other", other)]
        if found
    ]
