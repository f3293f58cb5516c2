"""Why the hub differs from what somebody else expects, by rule: no message is named, so a new difference stands out.

``ours``        the hub is at fault or coarser; the reason says in what
``convention``  both are allowed; the reason says why the hub does it so
``theirs``      the expectation is what no specification says
"""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from tests.agreement.compare import Beyond, Difference

Side = Literal["ours", "convention", "theirs"]
Cause = Literal["not needed", "gap", "convention"]

_SYSTEM: Final = ("Patient.identifier.system", "Encounter.identifier.system", "Practitioner.identifier.system")
_SYSTEM_OF_TYPE: Final = ("CX.system", "XCN.system")


class Explanation(NamedTuple):
    """One rule for differences of some fields."""

    name: str
    side: Side
    fields: tuple[str, ...]
    reason: str
    holds: Callable[[Difference], bool]


class Silence(NamedTuple):
    """Why the hub does not state what others state in these fields."""

    cause: Cause
    fields: tuple[str, ...]
    reason: str
    holds: Callable[[Beyond], bool] = lambda _: True


def _only(difference: Difference) -> str:
    return next(iter(difference.theirs)) if len(difference.theirs) == 1 else ""


def _bare(system: str) -> str:
    return system.removeprefix("name:").removeprefix("urn:oid:").removeprefix("urn:uuid:")


def _same_authority(difference: Difference, *, namespace: str, universal: str) -> bool:
    """Whether the message says ``namespace&universal``: two parts of one HD."""
    spaced = re.escape(namespace).replace("\\-", "[ -]")
    pattern = rf"{spaced}&{re.escape(universal)}(?:&|\b)"
    return re.search(pattern, difference.said, re.IGNORECASE) is not None


def _by_type(difference: Difference) -> bool:
    named = re.escape(_bare(difference.ours.value))
    return re.search(rf"{named}&[^&^|~\r]*&{re.escape(_bare(_only(difference)))}\b", difference.said) is not None


def _by_namespace(difference: Difference) -> bool:
    theirs = _only(difference)
    oid = difference.ours.value.startswith("urn:")
    return oid and _same_authority(difference, namespace=_bare(theirs), universal=_bare(difference.ours.value))


def _no_universal_id(difference: Difference) -> bool:
    theirs = _only(difference)
    shape = r"[0-2](\.\d+)+" if theirs.startswith("urn:oid:") else r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    return theirs.startswith(("urn:oid:", "urn:uuid:")) and re.fullmatch(shape, _bare(theirs)) is None


def _field(said: str, segment: str, number: int) -> str:
    """A field of the first segment of that name, as sent; not of MSH."""
    for line in said.split("\r"):
        fields = line.split("|")
        if fields[0] == segment:
            return fields[number] if number < len(fields) else ""
    return ""


def _in_segment(difference: Difference, segment: str) -> bool:
    return re.search(rf"(?:^|\r){segment}\|[^\r]*{re.escape(difference.ours.value)}", difference.said) is not None


def _about_the_person(said: str) -> bool:
    return re.match(r"MSH(\|[^|]*){7}\|ADT\^A(28|31)\b", said) is not None


EXPLANATIONS: Final = (
    Explanation(
        "relationship in the sender's words",
        "convention",
        ("Patient.contact.relationship",),
        "Of a contact's relationship (NK1-3) the hub shows the sender's text, else the code: `contacts[].what` of an "
        "event is one word. Microsoft writes what the code means.",
        lambda one: re.search(rf"\rNK1\|[^\r]*\^{re.escape(one.ours.value)}[\^|]", one.said, re.IGNORECASE) is not None,
    ),
    Explanation(
        "text telephone",
        "convention",
        ("Patient.telecom",),
        "A number of a text telephone (XTN-3 TDD, TTY) is a telephone number that is called, possibly through a relay: "
        "the hub lists it; HL7 v2-to-FHIR makes it a contact point of system `other`.",
        lambda one: re.search(rf"{one.ours.value}\^\^T(?:DD|TY)\b", one.said) is not None,
    ),
    Explanation(
        "ICD-9 is ICD-9-CM",
        "convention",
        ("Condition.code.system",),
        "`I9` of an American hospital means ICD-9-CM; the expectation names ICD-9 of WHO.",
        lambda one: one.ours.value.endswith("icd-9-cm") and _only(one).endswith("/icd-9"),
    ),
    Explanation(
        "language as BCP 47 writes it",
        "convention",
        ("Patient.communication.language",),
        "A code of the table is written as the tag it is (`EN` is `en`); the expectation keeps it as sent.",
        lambda one: one.ours.value in {value.casefold() for value in one.theirs},
    ),
    Explanation(
        "other code systems by name",
        "convention",
        ("AllergyIntolerance.code.system",),
        "A code system that no decision of the hub needs (ICDO) keeps the name that the sender gave it, as a system of "
        "that hospital.",
        lambda one: one.ours.value == "name:ICDO",
    ),
    Explanation(
        "ICD-10 is ICD-10-CM",
        "convention",
        ("Condition.code.system",),
        "`I10` of an American hospital means ICD-10-CM; the expectation names ICD-10 of WHO.",
        lambda one: one.ours.value.endswith("icd-10-cm") and _only(one).endswith("/icd-10"),
    ),
    Explanation(
        "authority by the type of its id",
        "theirs",
        _SYSTEM,
        "Microsoft names an authority by HD-3 (`HCD`, the type of the universal id) where that is not ISO; the hub by "
        "its namespace (HD-1).",
        _by_type,
    ),
    Explanation(
        "authority by its namespace",
        "convention",
        (*_SYSTEM, *_SYSTEM_OF_TYPE),
        "ReportStream names an authority by its namespace even where its OID was sent; the hub by the OID.",
        _by_namespace,
    ),
    Explanation(
        "no OID and no UUID",
        "theirs",
        (*_SYSTEM, *_SYSTEM_OF_TYPE),
        "HD-3 says ISO or UUID but HD-2 is neither: `urn:oid:` or `urn:uuid:` before it would be no valid URI. The hub "
        "uses the name.",
        _no_universal_id,
    ),
    Explanation(
        "type of a number as sent",
        "convention",
        ("Encounter.identifier.type",),
        "The type of a visit or account number is CX-5, else VN of PV1-19 and PV1-50, AN of PID-18; Microsoft writes "
        "VN for each, whatever was sent.",
        lambda one: one.theirs == {"VN"} and (one.ours.value == "AN" or f"^{one.ours.value}" in one.said),
    ),
    Explanation(
        "type of an order number",
        "convention",
        ("CX.type",),
        "ReportStream types a number by the field that it stands in (OBR-53: PLAC), the hub by CX-5.",
        lambda one: one.theirs == {"PLAC"},
    ),
    Explanation(
        "member number",
        "convention",
        ("Coverage.subscriberId",),
        "Both IN1-36 and IN1-49 were sent: the hub takes IN1-36, by HL7 v2 the policy number of the insured, and "
        "IN1-49, by HL7 v2 the care institution's own number of the insured, only without it. HL7 v2-to-FHIR and "
        "Microsoft take IN1-49. A partner who bills needs the insurer's.",
        lambda one: _in_segment(one, "IN1"),
    ),
    Explanation(
        "no stay in a message about the person",
        "convention",
        ("Encounter.status",),
        "A28 and A31 tell who somebody is, whatever the visit: the hub reads no stay from their PV1.",
        lambda one: _about_the_person(one.said),
    ),
    Explanation(
        "status of a pre-admitted stay",
        "convention",
        ("Encounter.status",),
        "Microsoft makes the status of class P `planned` whatever the message reports; the hub goes by what was "
        "reported: an A01 is an admission.",
        lambda one: "planned" in one.theirs and _field(one.said, "PV1", 2) == "P",
    ),
    Explanation(
        "status by the discharge time",
        "convention",
        ("Encounter.status",),
        "PV1-45 is valued: finished, as HL7 v2-to-FHIR has it; Microsoft goes by the trigger alone.",
        lambda one: one.ours.value == "finished" and _field(one.said, "PV1", 45) != "",
    ),
)


def explanation_of(difference: Difference) -> Explanation | None:
    """The first rule that holds for a difference; None = nobody has explained it."""
    fitting = (one for one in EXPLANATIONS if difference.ours.field in one.fields and one.holds(difference))
    return next(fitting, None)


SILENCES: Final = (
    Silence(
        "convention",
        (
            "Encounter.class",
            "Encounter.hospitalization.destination",
            "Encounter.hospitalization.dischargeDisposition",
            "Encounter.identifier",
            "Encounter.identifier.system",
            "Encounter.identifier.type",
            "Encounter.location",
            "Encounter.period.end",
            "Encounter.period.start",
            "Practitioner.identifier",
            "Practitioner.identifier.system",
            "Practitioner.identifier.type",
            "Practitioner.name.family",
            "Practitioner.name.given",
        ),
        "A28 and A31 tell who somebody is, whatever the visit: the hub reads no stay from their PV1.",
        lambda one: _about_the_person(one.said),
    ),
    Silence(
        "gap",
        ("Patient.birthDate", "DTM"),
        "A date that is known to the month or year only (1970, 197010) is not kept.",
        lambda one: re.fullmatch(r"\d{4}(-\d\d)?", one.theirs.value) is not None,
    ),
    Silence(
        "gap",
        ("Encounter.hospitalization.dischargeDisposition",),
        "Words of the hospital's own in PV1-36 need an entry in the sender's map; without it the message is noted.",
    ),
    Silence(
        "convention",
        ("CWE.text", "Medication.code.text"),
        "Of a code with a text the original text (CWE-9) is not read beside it; of drugs only codes are compared.",
        lambda one: one.theirs.value in one.said and "^" * 6 in one.said,
    ),
    Silence(
        "not needed",
        ("Patient.identifier", "Patient.identifier.system", "Patient.identifier.type"),
        "A referral needs the medical record number: no social security, licence, Medicare, Medicaid or military "
        "number (PID-19, PID-20, IN2), none of guarantors (GT1), newborns' mothers or disabled persons (DB1), none of "
        "the old fields PID-2 and PID-4 beside PID-3.",
    ),
    Silence(
        "not needed",
        ("Patient.contact.name", "Patient.contact.relationship", "Patient.contact.telecom"),
        "Contacts are the people of NK1, each with one name, one number to call and the first word for the "
        "relationship; not guarantors (GT1), insured persons (IN1) or contact persons of an employer (NK1-30).",
    ),
    Silence(
        "not needed",
        ("Encounter.location", "PL"),
        "The unit (PL-1) decides; not room, bed, building, the codes of these, nor the prior, pending and temporary "
        "places of PV1-6, 11, 42 and 43.",
    ),
    Silence(
        "not needed",
        ("Coverage.class", "Coverage.type"),
        "The plan's name and type as one word each; no group, and no insurance whose payer is not named.",
    ),
    Silence(
        "not needed",
        ("Condition.code", "Condition.code.system", "Condition.code.text", "Condition.onsetDateTime"),
        "Diagnoses are DG1, with one text; not the cause of death (PDA), and of the dates the recorded one.",
    ),
    Silence(
        "not needed",
        ("Medication.code", "Medication.code.system"),
        "One product per order, the encoded one (RXE), else the requested (RXO), dispensed (RXD) or given one (RXA) "
        "that has a code of RxNorm or an NDC. Components (RXC) are not needed.",
    ),
    Silence(
        "not needed",
        (
            "MedicationRequest.authoredOn",
            "MedicationRequest.dose",
            "MedicationRequest.dose.unit",
            "MedicationRequest.route",
        ),
        "Dose and route of the encoded product (RXE) only; the order by its placer number, not also by the "
        "prescription number (RXE-15).",
    ),
    Silence(
        "not needed",
        (
            "Patient.address.line",
            "Patient.address.city",
            "Patient.address.state",
            "Patient.address.postalCode",
            "Patient.address.country",
            "XAD.line",
            "XAD.city",
            "XAD.state",
            "XAD.postalCode",
            "XAD.country",
        ),
        "One address, where the person lives; no bad address (XAD-7 BA), none of a guarantor (GT1).",
    ),
    Silence(
        "not needed",
        (
            "Practitioner.identifier.type",
            "XCN.type",
            "XCN.name.family",
            "XCN.name.given",
            "Encounter.identifier",
            "Encounter.identifier.type",
            "Encounter.identifier.system",
        ),
        "One attending clinician, whose number is known by its authority; no alternate visit numbers (PV1-50 of "
        "later versions, PV1-5).",
    ),
    Silence(
        "convention",
        ("Practitioner.identifier.system",),
        "A number with the authority `NPI` that has no check digit of an NPI has no system: it would name somebody "
        "else (us-core-17).",
    ),
    Silence(
        "not needed",
        ("Patient.telecom", "XTN.value"),
        "Numbers of the person (PID-13, PID-14); none of a guarantor (GT1) or a contact (NK1).",
    ),
    Silence(
        "convention",
        ("Encounter.hospitalization.destination",),
        "A cancelled discharge (A13) states no destination.",
    ),
    Silence(
        "convention",
        ("Provenance.occurredDateTime",),
        "Microsoft and ReportStream add when the message was sent and converted; the time of the fact is one.",
    ),
    Silence(
        "convention",
        ("Patient.communication.language",),
        "One code for the language; Microsoft lists every code and word of the field.",
    ),
    Silence(
        "convention",
        ("Encounter.class", "Encounter.status"),
        "A pre-admission (PV1-2 P) is no stay from which anybody leaves: its class stays unknown.",
    ),
    Silence(
        "convention",
        ("Encounter.period.end",),
        "Microsoft writes the expected end (PV2-9) as the end; the hub as planned end.",
    ),
    Silence(
        "convention",
        ("CWE", "CWE.system", "CWE.text"),
        "Extensions that ReportStream makes of other fields; and the first coded triplet stands for all.",
    ),
)
"""In the order in which they are tried."""


def silence_of(beyond: Beyond) -> Silence | None:
    """The first reason that holds; None = nobody has given one."""
    return next((one for one in SILENCES if beyond.theirs.field in one.fields and one.holds(beyond)), None)
