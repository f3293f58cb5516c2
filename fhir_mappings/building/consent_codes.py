"""The codes and extensions by which a Consent says what ConsentGiven holds, for who reads one and who builds one."""

from typing import Final

from schemas.codes import local

SCOPE: Final = "http://terminology.hl7.org/CodeSystem/consentscope"
PRIVACY: Final = "patient-privacy"
PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
RECIPIENT: Final = "IRCP"
ACTION: Final = "http://terminology.hl7.org/CodeSystem/consentaction"

_EXTENSION: Final = f"{local.BASE}/StructureDefinition"
INFORMATION: Final = f"{_EXTENSION}/consent-information"
"""On ``provision``, valueString: what may be disclosed in words (2.31(a)(3)); IHE PCF leaves it no element."""
LACKS: Final = f"{_EXTENSION}/consent-lacks"
"""On Consent, valueString: the number of an element of 42 CFR 2.31(a) that the signed form is known to want."""
DOCUMENT_SHA256: Final = f"{_EXTENSION}/document-sha256"
"""On ``sourceAttachment``, valueString: SHA-256 of the signed document; Attachment.hash is SHA-1 in R4."""
