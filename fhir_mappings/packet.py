"""All that a caller may see of a referral, as one FHIR document: a Bundle whose first entry is a Composition.

The caller decides what the members are; nothing is filtered or redacted here. Records under 42 CFR
Part 2 travel with the notice of section 2.32(a)(1); the consents stand in a section of their own (2.32(b)).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from fhir_mappings.labels import HTEST, PART2, RESTRICTED, Resource

PART2_NOTICE: Final = (
    "This record which has been disclosed to you is protected by Federal confidentiality rules (42 CFR part 2). "
    "These rules prohibit you from using or disclosing this record, or testimony that describes the information "
    "contained in this record, in any civil, criminal, administrative, or legislative proceedings by any Federal, "
    "State, or local authority, against the patient, unless authorized by the consent of the patient, except as "
    "provided at 42 CFR 2.12(c)(5) or as authorized by a court in accordance with 42 CFR 2.64 or 2.65. In addition, "
    "the Federal rules prohibit you from making any other use or disclosure of this record unless at least one of "
    "the following applies: (i) Further use or disclosure is expressly permitted by the written consent of the "
    "individual whose information is being disclosed in this record or as otherwise permitted by 42 CFR part 2. "
    "(ii) You are a covered entity or business associate and have received the record for treatment, payment, or "
    "health care operations, or (iii) You have received the record from a covered entity or business associate as "
    "permitted by 45 CFR part 164, subparts A and E. A general authorization for the release of medical or other "
    "information is NOT sufficient to meet the required elements of written consent to further use or redisclose "
    "the record (see 42 CFR 2.31)."
)
"""42 CFR 2.32(a)(1), the text in force since 2024-04-16 (89 FR 12472)."""

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


def packet(members: Sequence[Resource], *, base: str, document: str, task: str, author: str, now: datetime) -> Resource:
    """The document Bundle of one referral.

    Args:
        members: the resources that the caller may see, each once, with id and meta.
        base: the FHIR base of this server without a final slash; full URLs and so all references resolve to it.
        document: id of this document, also of its Composition.
        task: id of the Task that the packet is about.
        author: FHIR Organization id of the hub, which put the document together.
        now: the hub's clock.

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


def high_water_mark(members: Iterable[Resource]) -> list[Resource]:
    """The labels of the whole: the highest confidentiality and HTEST.

    What tells why (sensitivity, policy, refrain) stays on the members: the outside of a document must
    not reveal it (DS4P).
    """
    labels = {(one.get("system"), one.get("code")) for one in _labels(members)}
    return [mark for mark in (RESTRICTED, HTEST) if (mark["system"], mark["code"]) in labels]


def _labels(members: Iterable[Resource]) -> Iterable[Resource]:
    return (label for one in members for label in one.get("meta", {}).get("security", ()))


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
        "section": [*_notice(members), *_sections(members)],
    }


def _notice(members: Sequence[Resource]) -> list[Resource]:
    under_part2 = any(one.get("code") == PART2["code"] for one in _labels(members))
    return [{"title": "Notice", "text": narrative(PART2_NOTICE)}] if under_part2 else []


def narrative(text: str) -> Resource:
    """A Narrative of one paragraph."""
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(text)}</p></div>'}


def _sections(members: Sequence[Resource]) -> list[Resource]:
    named = [(title, [one for one in members if one["resourceType"] in types]) for title, types in _SECTIONS]
    other = [one for one in members if one["resourceType"] not in _NAMED]
    return [
        {"title": title, "entry": [{"reference": f"{one['resourceType']}/{one['id']}"} for one in found]}
        for title, found in [*named, ("Other", other)]
        if found
    ]
