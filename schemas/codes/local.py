"""The code systems of our own: what no published system has a code for.

Each code stands here with its display and its definition, so that a FHIR CodeSystem can be served
from this table and nowhere else has a spelling of its own. Published systems are preferred where
they fit (FHIR, v3, LOINC, SNOMED CT, RxNorm): see the CSV tables beside this file.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

BASE: Final = "https://throughline.org/fhir"
BUSINESS_STATUS: Final = f"{BASE}/CodeSystem/business-status"
STATUS_REASON: Final = f"{BASE}/CodeSystem/status-reason"
NEED: Final = f"{BASE}/CodeSystem/need"
FLAG: Final = f"{BASE}/CodeSystem/flag"
FACT: Final = f"{BASE}/CodeSystem/fact"
FALLBACK: Final = f"{BASE}/CodeSystem/fallback"
OFFER: Final = f"{BASE}/CodeSystem/offer"
CLOCK: Final = f"{BASE}/CodeSystem/coverage-clock"
REPORT: Final = f"{BASE}/CodeSystem/report"
INTAKE_ITEM: Final = f"{BASE}/CodeSystem/intake-item"
TASK_CODE: Final = f"{BASE}/CodeSystem/task-code"
ITEM_STATE: Final = f"{BASE}/CodeSystem/intake-item-state"
SPOKEN: Final = f"{BASE}/CodeSystem/spoken"
OUTCOME: Final = f"{BASE}/CodeSystem/outcome"
PROGRESS: Final = f"{BASE}/CodeSystem/progress"
RETENTION: Final = f"{BASE}/CodeSystem/retention"


class Meaning(NamedTuple):
    """What one code says: ``display`` for a screen, ``definition`` for the one who maps it."""

    display: str
    definition: str


_BUSINESS_STATUS: Final[Mapping[str, Meaning]] = {
    "needs-a-person": Meaning(
        "Needs a person",
        "Nobody is asked any more and nobody has accepted: a human decides what happens next.",
    ),
    "consent-needed": Meaning(
        "Consent needed",
        "The referral is ready, but no consent permits a disclosure to the chosen partner.",
    ),
    "consent-withdrawn": Meaning(
        "Consent withdrawn",
        "The consent, or what else permitted it, was taken back or has ended: nothing more is shown; what was relied "
        "on before stays as it was.",
    ),
    "appointment-awaited": Meaning(
        "Appointment awaited", "A ride is asked for when it is known to which appointment; none is known."
    ),
    "closed": Meaning(
        "Closed", "The referral is over; no consent covers the way back, so what came of it is not told."
    ),
    "fallback-chosen": Meaning(
        "Fallback chosen",
        "A person of the hospital chose how the next dose is given while no partner can; see the note.",
    ),
    "route-needed": Meaning(
        "Route needed", "No single partner follows from the sender's routes and the partners' profiles."
    ),
    "no-show": Meaning(
        "Did not come", "The person did not come where a place waits: the place is kept, and somebody looks for them."
    ),
    "readmitted": Meaning(
        "In the hospital again", "The person is in the hospital again, in another visit: it gives the doses meanwhile."
    ),
    "discharge-cancelled": Meaning(
        "Discharge cancelled",
        "The hospital took the discharge back after a partner had accepted: the person is still in the hospital.",
    ),
    "visit-cancelled": Meaning(
        "Visit cancelled",
        "The hospital took the whole visit back after a partner had accepted.",
    ),
    "admitted": Meaning(
        "Admitted",
        "The emergency visit went on as an admission after a partner had accepted: the person is still there.",
    ),
    "withdrawn": Meaning(
        "Withdrawn",
        "The hospital took its request back after a partner had accepted.",
    ),
}

_STATUS_REASON: Final[Mapping[str, Meaning]] = {
    "not-selected": Meaning("Not selected", "This request is no longer needed."),
    "no-answer": Meaning("No answer", "No answer came in the time that was asked for; the request is withdrawn."),
    "discharge-cancelled": Meaning("Discharge cancelled", "The hospital took the discharge back (HL7 A13)."),
    "visit-cancelled": Meaning("Visit cancelled", "The hospital took the whole visit back (HL7 A11)."),
    "admitted": Meaning("Admitted", "The emergency visit went on as an admission."),
    "order-withdrawn": Meaning("Order withdrawn", "The medication order was withdrawn before any dose was given."),
    "appointment-cancelled": Meaning(
        "Appointment cancelled", "The appointment that the ride was for does not take place, or is known no more."
    ),
    "died": Meaning("Died", "The person died; nobody outside the hospital is notified."),
    "withdrawn": Meaning("Withdrawn", "The request was withdrawn by the side that made it."),
    "no-capacity": Meaning("No capacity", "The organisation has no free place."),
    "no-intake-slot-before-gap": Meaning(
        "No intake before the gap", "The next intake is later than the moment until which the person is covered."
    ),
    "moud-policy": Meaning("Medication policy", "The organisation's policy on this medication does not allow it."),
    "dose-over-cap": Meaning("Dose over cap", "The dose is above the organisation's limit."),
    "benzodiazepine": Meaning("Benzodiazepine", "Use of benzodiazepines is outside the organisation's policy."),
    "alcohol-risk": Meaning("Alcohol risk", "Risk of alcohol withdrawal is outside the organisation's scope."),
    "stimulant-use": Meaning("Stimulant use", "Use of stimulants is outside the organisation's policy."),
    "insurance": Meaning("Insurance", "The person's insurance is not accepted."),
    "no-photo-id": Meaning("No photo ID", "The organisation requires a photo identification."),
    "residency": Meaning("Residency", "The person lives outside the area that is served."),
    "age": Meaning("Age", "The person is outside the age range that is served."),
    "gender-service": Meaning("Gender-specific service", "The place is for another gender."),
    "pregnancy-not-supported": Meaning("Pregnancy not supported", "The organisation can't care for pregnant persons."),
    "medical-acuity": Meaning("Medical acuity", "Medical needs are above what the organisation can meet."),
    "psychiatric-acuity": Meaning("Psychiatric acuity", "Psychiatric needs are above what the organisation can meet."),
    "legal-exclusion": Meaning("Legal exclusion", "A legal condition excludes the person."),
    "incomplete-information": Meaning("Incomplete information", "Facts that the organisation needs are missing."),
    "consent-missing": Meaning("Consent missing", "A consent that the organisation needs is missing."),
    "already-enrolled-elsewhere": Meaning("Enrolled elsewhere", "The person is enrolled in another program."),
    "patient-declined": Meaning("Patient declined", "The person does not want this service."),
    "patient-unreachable": Meaning("Patient unreachable", "The person could not be reached."),
    "no-show": Meaning("Did not come", "The person did not come."),
    "duplicate": Meaning("Duplicate", "The same request was already received."),
    "wrong-service": Meaning("Wrong service", "The organisation does not offer what is asked for."),
    "other": Meaning("Other", "Another reason, given as text."),
}

_NEED: Final[Mapping[str, Meaning]] = {
    "moud-continuation": Meaning(
        "Continue medication for opioid use disorder", "The next dose and all that follow are given without a gap."
    ),
    "peer-support": Meaning("Peer support", "A person with lived experience of recovery goes along."),
    "recovery-housing": Meaning("Recovery housing", "A safe place to live that supports recovery."),
    "mental-health": Meaning("Mental health care", "Assessment or treatment of a mental health condition."),
    "primary-care": Meaning("Primary care", "A primary care clinician who takes over."),
    "hcv-hiv": Meaning("Hepatitis C and HIV care", "Testing, treatment or prevention of hepatitis C or HIV."),
    "harm-reduction": Meaning("Harm reduction", "Safer-use supplies, drug checking and counselling."),
    "naloxone": Meaning("Naloxone", "Naloxone to carry, and the skill to use it."),
    "transport": Meaning("Transport", "A way to get to the next dose or appointment."),
    "identification": Meaning("Identification document", "Help to obtain an identification document."),
    "phone": Meaning("Phone", "A phone on which the person can be reached."),
    "guest-order": Meaning(
        "Order for guest dosing", "The order by which another clinic doses somebody who is enrolled here, for a time."
    ),
}

_FALLBACK: Final[Mapping[str, Meaning]] = {
    "own-bridge-clinic": Meaning("Own bridge clinic", "The hospital's own clinic gives the next dose."),
    "return-for-dosing": Meaning(
        "Return for dosing", "The person comes back and is given the dose at the hospital (21 CFR 1306.07(b))."
    ),
    "guest-dosing": Meaning("Guest dosing", "A program gives doses for a time to somebody who is not enrolled there."),
    "telehealth-buprenorphine": Meaning("Buprenorphine by telehealth", "A clinician prescribes it after a call."),
    "injection-before-leaving": Meaning(
        "Injection before leaving", "A long-acting injection is given before the person leaves."
    ),
}

_FLAG: Final[Mapping[str, Meaning]] = {
    "pregnant": Meaning("Pregnant", "The person is pregnant; raises the priority."),
    "aadvice": Meaning("Left against advice", "The person left against medical advice; the priority is stat."),
    "overdose-this-visit": Meaning(
        "Overdose this visit", "An opioid overdose led to this visit or happened in it; raises the priority."
    ),
    "no-phone": Meaning("No phone", "No phone number is known; raises the priority."),
    "no-slot-before-gap": Meaning(
        "No open hour before the gap",
        "The partner has no dosing or intake hour before the cover ends; raises the priority.",
    ),
    "lapsed": Meaning("Lapsed", "The cover has ended and no later dose is known."),
    "reassess-tolerance": Meaning(
        "Re-assess tolerance",
        "More than 72 hours since the cover ended: the dose must be re-assessed, not resumed.",
    ),
    "implausible-last-dose": Meaning(
        "Implausible last dose",
        "The last dose is more than 15 minutes in the future, or, of a daily medication, more than 45 days ago.",
    ),
    "methadone-rx-at-discharge": Meaning(
        "Methadone prescription at discharge",
        "Methadone for opioid use disorder can't be prescribed (21 CFR 1306.07(a)); it counts as no supply.",
    ),
    "methadone-over-three-days": Meaning(
        "More than three days of methadone",
        "More than a three-day supply was dispensed (21 CFR 1306.07(b)); three days are counted.",
    ),
    "conflicting-last-dose": Meaning(
        "Conflicting last dose",
        "Two sources tell different times of the last dose: the cover ends by the earlier one until a person decides.",
    ),
    "dose-after-discharge": Meaning(
        "Dose after discharge",
        "A dose is charted more than an hour after the discharge: the cover ends by the dose before it.",
    ),
    "interleaved-products": Meaning(
        "Interleaved products",
        "Doses of two products are charted in turn: the cover ends by the product that ends first.",
    ),
    "supply-contradicted": Meaning(
        "Supply contradicted", "A supply was handed over and is said not to be in hand: it counts as none."
    ),
    "homeless": Meaning("Homeless", "The person has no home."),
    "snf": Meaning("To a skilled nursing facility", "The person goes to a skilled nursing facility."),
    "custody": Meaning("To custody", "The person is discharged to court or law enforcement: a human decides."),
    "died": Meaning("Died", "The person died: nothing is sent."),
}

_FACT: Final[Mapping[str, Meaning]] = {
    "homeless": Meaning("Homeless", "Whether the person has no home."),
    "interpreter-needed": Meaning("Interpreter needed", "Whether the person needs an interpreter."),
    "photo-id": Meaning("Photo identification", "Whether the person has a photo identification."),
    "naloxone-given": Meaning("Naloxone given", "Whether naloxone was handed over."),
    "supplies-given": Meaning("Supplies given", "Which supplies were handed over."),
    "pregnant": Meaning("Pregnant", "Whether the person is pregnant."),
    "overdose-this-visit": Meaning("Overdose this visit", "Whether an opioid overdose belongs to this visit."),
    "benzodiazepines": Meaning("Benzodiazepines", "Whether the person uses benzodiazepines."),
    "alcohol": Meaning("Alcohol", "Whether the person drinks alcohol at risk."),
    "stimulants": Meaning("Stimulants", "Whether the person uses stimulants."),
    "qtc": Meaning("QTc interval", "The corrected QT interval, in milliseconds."),
    "urine-drug-screen": Meaning("Urine drug screen", "The result of a urine drug screen."),
    "wounds-or-picc": Meaning("Wounds or PICC line", "Whether the person has wounds or a PICC line to care for."),
    "psychiatric-acuity": Meaning("Psychiatric acuity", "How acute psychiatric needs are, as told."),
    "mobility": Meaning("Mobility", "How the person moves, as told."),
    "destination": Meaning("Destination", "Where the person goes, as told."),
    "current-otp": Meaning("Current OTP", "The opioid treatment program where the person is enrolled."),
    "continuation": Meaning("Kind of continuation", "Whether the person is new to the program or returns to it."),
    "next-appointment": Meaning("Next appointment", "The next appointment that was booked."),
    "contact": Meaning("Contact", "How the person can be reached, and what may be said there."),
}

_OFFER: Final[Mapping[str, Meaning]] = {
    "product": Meaning("Product class", "Which medication it is about; never the strength."),
    "methadone": Meaning("Methadone", "Any product of methadone."),
    "buprenorphine": Meaning("Buprenorphine", "Any product of buprenorphine, with naloxone or without."),
    "naltrexone": Meaning("Naltrexone", "Any product of naltrexone."),
    "no-product": Meaning("No product known", "No medication for opioid use disorder is known."),
    "due": Meaning(
        "Due",
        "How soon it is needed, counted from when this version was written: of medication, when a dose without a known "
        "source falls due; of a ride, the appointment.",
    ),
    "lapsed": Meaning("Lapsed", "It was due already."),
    "within-24-hours": Meaning("Within 24 hours", "At most 24 hours later."),
    "24-to-72-hours": Meaning("From 24 to 72 hours", "More than 24 hours and at most 72 hours later."),
    "later": Meaning("Later", "More than 72 hours later."),
    "not-known": Meaning("Not known", "No dose or supply is known well enough to tell."),
    "under-18": Meaning("Aged under 18", "Not yet 18 years old."),
    "18-to-24": Meaning("Aged 18 to 24", "From 18 to 24 years old."),
    "25-to-44": Meaning("Aged 25 to 44", "From 25 to 44 years old."),
    "45-to-64": Meaning("Aged 45 to 64", "From 45 to 64 years old."),
    "65-and-over": Meaning("Aged 65 and over", "65 years old or older."),
    "45-and-over": Meaning("Aged 45 and over", "45 years old or older: said where less would be rare."),
    "policies": Meaning(
        "Conflict with policies", "Whether a policy that the partner itself attested speaks against it."
    ),
    "conflict": Meaning("Conflict", "At least one policy of the partner speaks against it."),
    "no-conflict": Meaning("No conflict", "No policy of the partner speaks against it."),
    "conflict-unknown": Meaning("Conflict unknown", "The partner has not attested what would tell."),
    "packet": Meaning("Packet", "Whether the packet holds what the partner asks for."),
    "complete": Meaning("Complete", "All that is asked for is there."),
    "incomplete": Meaning("Incomplete", "Something that is asked for is not there yet."),
}

_CLOCK: Final[Mapping[str, Meaning]] = {
    "none": Meaning("No gap", "Every dose that falls due within 24 hours has a source, as far as is known."),
    "possible": Meaning(
        "Possible gap",
        "A dose that falls due within 24 hours, or has fallen due, has a source only if something unverified is true.",
    ),
    "confirmed": Meaning(
        "Confirmed gap", "A dose that falls due within 24 hours, or has fallen due, has no source whatever is true."
    ),
    "confirm-pick-up": Meaning("Confirm pick-up", "The hospital is asked whether the prescription was filled."),
    "confirm-last-dose": Meaning(
        "Confirm last dose", "The hospital is asked when the last dose was given: it is not known, or told in two ways."
    ),
    "name-who-doses": Meaning(
        "Name who doses",
        "Somebody else must dose, or the partner is holding: the hospital is asked who gives the next doses.",
    ),
    "pick-up": Meaning("Pick-up", "Type of an output: the hospital's answer whether the prescription was filled."),
    "picked-up": Meaning("Picked up", "The prescription was filled."),
    "not-picked-up": Meaning("Not picked up", "The prescription was not filled."),
    "doses-meanwhile": Meaning(
        "Doses meanwhile", "Type of an output: who gives the doses while the person is elsewhere or the partner holds."
    ),
}

_REPORT: Final[Mapping[str, Meaning]] = {
    "last-dose-acknowledged": Meaning(
        "Last dose acknowledged",
        "The partner has received and verified the last dose: the MedicationAdministration, or when it did.",
    ),
    "waived-item": Meaning("Waived item", "The partner goes without this item of its intake checklist."),
    "appointment": Meaning(
        "Appointment",
        "When the partner expects the person: an Appointment or a time. The one that was said last counts.",
    ),
}
"""Types of Task.output by which a partner says something before the referral is over."""

_INTAKE_ITEM: Final[Mapping[str, Meaning]] = {
    "consent-forms": Meaning("Consent forms", "The written consents that the intake needs."),
    "photo-id": Meaning("Photo ID", "A photo identification, or a letter of the hospital with a photo."),
    "insurance": Meaning("Insurance", "Whose insurance pays, with the number of the member."),
    "diagnosis": Meaning("Diagnosis", "The diagnosis for which the person is treated."),
    "last-dose": Meaning("Last dose", "The last dose: amount, day and hour."),
    "verified-last-dose": Meaning("Verified last dose", "The last dose, with who verified it."),
    "order": Meaning("Order", "The order of the medication, with its schedule."),
    "ecg": Meaning("ECG", "An electrocardiogram with the QTc interval."),
    "urine-drug-screen": Meaning("Urine drug screen", "The result of a urine drug screen."),
    "labs": Meaning("Laboratory results", "The laboratory results that the intake needs."),
    "tb-test": Meaning("Tuberculosis test", "A test for tuberculosis."),
    "admission-exam": Meaning("Admission examination", "The medical examination that an admission needs."),
    "forms": Meaning("Forms of the partner", "Forms of the partner's own, filled in."),
    "home-order": Meaning(
        "Home program's order", "The order of the program where the person is enrolled, by which a guest is dosed."
    ),
}

_ITEM_STATE: Final[Mapping[str, Meaning]] = {
    "done": Meaning("Done", "It is there: the visit tells it."),
    "confirmed": Meaning("Confirmed", "The hospital says that it is there."),
    "waived": Meaning("Waived", "The partner goes without it."),
    "missing": Meaning("Missing", "It is needed and not there."),
    "wanted": Meaning("Wanted", "It is not there; the partner would like it and takes the person without."),
}

_TASK_CODE: Final[Mapping[str, Meaning]] = {
    "intake-checklist": Meaning(
        "Intake checklist", "The hospital works off what a partner needs before the person comes; it alone sees this."
    ),
    "outreach": Meaning(
        "Outreach", "Somebody of the hospital looks for a person who did not come; the hospital alone sees this."
    ),
}

_SPOKEN: Final[Mapping[str, Meaning]] = {
    "recorded-by-phone": Meaning(
        "Recorded by phone, to be confirmed", "The owner said it by phone; somebody else recorded it for the owner."
    ),
    "recorded-by-fax": Meaning(
        "Recorded from a fax, to be confirmed", "The owner said it by fax; somebody else recorded it for the owner."
    ),
    "recorded-in-person": Meaning(
        "Recorded in person, to be confirmed",
        "The owner said it to somebody who was there and recorded it for the owner.",
    ),
    "answer-disputed": Meaning(
        "Answer disputed", "The owner says that it never gave the answer that was recorded for it: a human decides."
    ),
    "time-changed": Meaning(
        "Time changed, to be confirmed",
        "What the owner accepted is at another time since; the owner has not said whether that is good.",
    ),
    "call": Meaning("Call", "An attempt to reach an organisation by phone."),
    "answer": Meaning("Spoken answer", "What an organisation said of a request, as it was recorded."),
    "dispute": Meaning("Dispute", "What an organisation says of an answer that was recorded for it."),
    "talked": Meaning("Talked", "Somebody answered and was talked to."),
    "left-message": Meaning("Left a message", "Nobody answered; a message that names no person was left."),
    "no-answer": Meaning("No answer", "Nobody answered."),
    "busy": Meaning("Busy", "The line was busy."),
    "wrong-number": Meaning("Wrong number", "The number is somebody else's, or not in service."),
}

_OUTCOME: Final[Mapping[str, Meaning]] = {
    "outcome": Meaning("Outcome", "Type of a Task.output whose value is one of the other codes of this system."),
    "first-dose-given": Meaning(
        "First dose given", "The person came and was given the first dose, or was prescribed and has filled it."
    ),
    "arrived": Meaning("Arrived", "The person came; of a dose nothing is said."),
    "service-given": Meaning("Service given", "The person was given what was asked for, where it is no medication."),
    "no-show": Meaning("No show", "The person did not come."),
    "not-reached": Meaning("Not reached", "The person could not be reached."),
    "declined-by-person": Meaning("Declined by the person", "The person does not want the service any more."),
    "reached": Meaning("Reached", "The person was reached and says that they will come."),
}

_PROGRESS: Final[Mapping[str, Meaning]] = {
    "asked": Meaning("A partner is asked", "A partner is asked again, after nobody was."),
    "accepted": Meaning("Accepted", "A partner has a place for the person."),
    "needs-a-person": Meaning("Needs a person", "Whoever was asked has declined: a human decides what happens next."),
    "consent-needed": Meaning("Consent needed", "No consent permits that the chosen partner is told."),
    "route-needed": Meaning("Route needed", "No single partner follows from the routes and the partners' profiles."),
    "in-progress": Meaning("In progress", "The partner works on it."),
    "arrived": Meaning("Arrived", "The person came to the partner; of a dose nothing is said."),
    "on-hold": Meaning("On hold", "The partner has paused; its reason says why."),
    "first-dose-given": Meaning("Seen, first dose given", "The partner has seen the person and given the first dose."),
    "completed": Meaning("Completed", "The partner has completed it; its outputs say with what."),
    "not-seen": Meaning("Not seen", "It ended without word that the person was seen; the last covered day is said."),
    "closed": Meaning("Closed", "It is over; no consent covers the way back, so what came of it is not told."),
    "consent-withdrawn": Meaning(
        "Consent withdrawn",
        "The consent, or what else permitted it, was taken back or has ended: nothing more is told.",
    ),
}

_RETENTION: Final[Mapping[str, Meaning]] = {
    "arrival": Meaning(
        "Arrival", "Type of an output: what became of a person who was to come, where it is no outcome."
    ),
    "first-dose": Meaning(
        "First dose", "Type of an output: what became of a person who was to be given the first dose, likewise."
    ),
    "day-7": Meaning("Day 7", "Type of an output: 7 days after the first dose, or the arrival where nobody doses."),
    "day-30": Meaning("Day 30", "Type of an output: 30 days after it."),
    "day-90": Meaning("Day 90", "Type of an output: 90 days after it."),
    "day-180": Meaning("Day 180", "Type of an output: 180 days after it."),
    "in-care": Meaning("Still in care", "The person is still in care with this partner."),
    "left": Meaning("Left", "The person has left the care of this partner."),
    "transferred": Meaning("Transferred", "Somebody else has taken over the care."),
    "died": Meaning("Died", "The person has died."),
    "custody": Meaning("In custody", "The person is in jail or prison."),
    "not-known": Meaning("Not known", "The partner does not know what became of the person."),
}

CODES: Final[Mapping[str, Mapping[str, Meaning]]] = MappingProxyType(
    {
        BUSINESS_STATUS: MappingProxyType(_BUSINESS_STATUS),
        STATUS_REASON: MappingProxyType(_STATUS_REASON),
        NEED: MappingProxyType(_NEED),
        FALLBACK: MappingProxyType(_FALLBACK),
        FLAG: MappingProxyType(_FLAG),
        FACT: MappingProxyType(_FACT),
        OFFER: MappingProxyType(_OFFER),
        CLOCK: MappingProxyType(_CLOCK),
        REPORT: MappingProxyType(_REPORT),
        INTAKE_ITEM: MappingProxyType(_INTAKE_ITEM),
        TASK_CODE: MappingProxyType(_TASK_CODE),
        ITEM_STATE: MappingProxyType(_ITEM_STATE),
        SPOKEN: MappingProxyType(_SPOKEN),
        OUTCOME: MappingProxyType(_OUTCOME),
        PROGRESS: MappingProxyType(_PROGRESS),
        RETENTION: MappingProxyType(_RETENTION),
    }
)
"""Code system URL to its codes. The URL is the canonical of the CodeSystem."""


def coding(system: str, code: str) -> dict[str, str]:
    """A FHIR Coding with its display. A code that is not in the table is a KeyError: ours, not the caller's data."""
    return {"system": system, "code": code, "display": CODES[system][code].display}


def concept(system: str, code: str) -> dict[str, object]:
    """A FHIR CodeableConcept whose text is the display (Gravity demands ``statusReason.text``)."""
    found = coding(system, code)
    return {"coding": [found], "text": found["display"]}
