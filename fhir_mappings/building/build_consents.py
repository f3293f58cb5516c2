"""Written consents as FHIR: Consent, one for each that the hospital reports (42 CFR 2.31). Only what was given.

As IHE PCF Intermediate has it: who receives are actors of the role IRCP, the hospital among them where they may report
back, whom the person excluded stands in a nested denial, the form is ``policy.uri``. PCF itself is not claimed: it
forbids ``policyRule``, which says here under which law the consent stands. Nor is SDOHCC-Consent, which demands the
signed form itself: of the document no more than name and hash is kept.
"""

import re
from collections.abc import Sequence
from typing import Final

from fhir_mappings.building.build_elements import (
    LOINC,
    Frame,
    act_reason,
    keyed,
    organization_reference,
    period,
    present,
    when,
)
from fhir_mappings.building.consent_codes import (
    DOCUMENT_SHA256,
    INFORMATION,
    LACKS,
    PARTICIPATION,
    PRIVACY,
    RECIPIENT,
    SCOPE,
)
from fhir_mappings.labels import ACT_CODE, PART2, Resource
from schemas.discharge import ConsentGiven

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_RECEIVES: Final[Resource] = {
    "coding": [{"system": PARTICIPATION, "code": RECIPIENT, "display": "information recipient"}]
}
_SCOPE: Final[Resource] = {"coding": [{"system": SCOPE, "code": PRIVACY}]}
_DISCLOSURE: Final[list[Resource]] = [
    {"coding": [{"system": ACT_CODE, "code": "IDSCL", "display": "information disclosure"}]},
    {"coding": [{"system": LOINC, "code": "59284-0", "display": "Consent"}]},
]
_PART2_RULE: Final[Resource] = {"coding": [PART2]}
_HIPAA_RULE: Final[Resource] = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentpolicycodes", "code": "hipaa-auth"}]
}
_REPRESENTATIVE: Final[Resource] = {"type": "RelatedPerson", "display": "Personal representative"}
"""Who signed for the person, of whom no more is known."""


def consents(frame: Frame, *, part2: bool) -> list[Resource]:
    """Written consents as the hospital reports them; one that says that it is another person's is nobody's business."""
    given = frame.event.consents
    own = {(one.system, one.value) for one in frame.event.patient.identifiers}
    return [
        _consent(frame, key, consent, part2=part2)
        for key, consent in zip(consent_keys(given), given, strict=True)
        if not consent.patient or any((one.system, one.value) in own for one in consent.patient)
    ]


def consent_keys(given: Sequence[ConsentGiven]) -> list[str]:
    """The logical key of the Consent that each becomes."""
    stated = keyed(enumerate(given, start=1), lambda one: one[1].identifier or str(one[0]))
    return [key for key, _ in stated]


def _consent(frame: Frame, key: str, consent: ConsentGiven, *, part2: bool) -> Resource:
    form = consent.form if consent.form and _URI.fullmatch(consent.form) else None
    return {
        **frame.new("Consent", key),
        **present(
            {
                "extension": [_said(LACKS, number) for number in consent.lacks],
                "identifier": [{"value": consent.identifier}] if consent.identifier else None,
                "status": consent.status,
                "scope": _SCOPE,
                "category": _DISCLOSURE,
                "patient": frame.patient,
                "dateTime": when(consent.signed_at),
                "performer": _performers(frame, consent),
                "organization": [_party(frame, one) for one in consent.disclosers] or [frame.hospital],
                "sourceAttachment": _paper(consent),
                "policy": [{"uri": form}] if form else None,
                "policyRule": _PART2_RULE if part2 else _HIPAA_RULE,
                "provision": _provision(frame, consent),
            }
        ),
    }


def _provision(frame: Frame, consent: ConsentGiven) -> Resource:
    receiving = [_party(frame, one) for one in (*consent.recipients, *consent.classes)]
    excluded = [_actor(_party(frame, one)) for one in consent.not_recipients]
    return present(
        {
            "extension": [_said(INFORMATION, consent.information)] if consent.information else None,
            "type": "permit",
            "period": period(consent.signed_at, consent.expires_at),
            "actor": [_actor(one) for one in (*receiving, *([frame.hospital] if consent.both_directions else []))],
            "purpose": [act_reason(one) for one in consent.purposes or ["TREAT"]],
            "provision": [{"type": "deny", "actor": excluded}] if excluded else None,
        }
    )


def _party(frame: Frame, name: str) -> Resource:
    """An organisation as the form names it; of hospital and hub it is known which one that is."""
    parties = frame.parties
    if name == parties.hub_name:
        return organization_reference(parties.hub, name)
    return frame.hospital if name == parties.hospital_name else {"display": name}


def _actor(party: Resource) -> Resource:
    return {"role": _RECEIVES, "reference": party}


def _performers(frame: Frame, consent: ConsentGiven) -> list[Resource]:
    if consent.signed_by is None:
        return []
    return [frame.patient if consent.signed_by == "patient" else _REPRESENTATIVE]


def _paper(consent: ConsentGiven) -> Resource:
    """The signed form by its name, where that is no URI, and by its hash."""
    named = consent.form if consent.form and not _URI.fullmatch(consent.form) else None
    hashed = [_said(DOCUMENT_SHA256, consent.document_hash)] if consent.document_hash else None
    return present({"extension": hashed, "title": named})


def _said(url: str, text: str) -> Resource:
    return {"url": url, "valueString": text}
