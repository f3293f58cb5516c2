"""What the hospital of the examples sends. Everybody in it is made up and says so (HTEST)."""

from typing import Any, Final

Json = dict[str, Any]
METHADONE: Final = {
    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "code": "991147",
    "display": "methadone hydrochloride 10 MG/ML Oral Concentrate",
}
DISCHARGE: Final[Json] = {
    "schema_version": "1",
    "event_id": "mercy-2026-000123",
    "kind": "discharge",
    "occurred_at": "2026-06-05T14:10:00-04:00",
    "patient": {
        "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": "HTEST0007", "type": "MR"}],
        "name": {"family": "HTEST", "given": ["Sam"]},
        "birth_date": "1991-04-02",
        "sex": "male",
        "phones": ["+1-555-0107"],
        "language": "es",
        "interpreter": True,
    },
    "contacts": [{"what": "sister", "phone": "+1-555-0108", "permission": True, "safe_to_leave_message": False}],
    "visit": {
        "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "HTEST-V0007"}],
        "class": "IMP",
        "unit": "4W",
        "admitted_at": "2026-06-01T09:00:00-04:00",
        "discharged_at": "2026-06-05T14:00:00-04:00",
        "disposition": "home",
        "attending": {
            "identifier": {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1999990017"},
            "name": {"family": "HTESTDOC", "given": ["Anna"]},
            "phone": "+1-555-0109",
        },
    },
    "diagnoses": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F11.20", "rank": 1}],
    "medications": [
        {
            "product": METHADONE,
            "schedule": {"interval": "PT24H"},
            "doses": [
                {"at": "2026-06-05T09:00:00-04:00", "amount": 80, "unit": "mg", "route": "oral", "observed": True}
            ],
            "bridges": [{"kind": "dispensed", "days": 2, "filled": "yes"}],
        }
    ],
    "naloxone_given": True,
    "allergies": [{"system": "http://snomed.info/sct", "code": "91936005", "display": "Allergy to penicillin"}],
    "clinical": {"pregnant": False, "qtc_ms": 440, "benzodiazepines": "unknown"},
    "photo_id": False,
    "coverage": [{"payer": "HTEST Health Plan", "member_id": "HTEST-W0007"}],
    "needs": [{"kind": "moud-continuation", "patient_choice": ["HTEST Harbor OTP"]}],
    "continuation": "new-intake",
    "consents": [
        {
            "identifier": "HTEST-C-1",
            "recipients": ["HTEST Harbor OTP"],
            "both_directions": True,
            "purposes": ["TREAT"],
            "signed_at": "2026-06-05T10:00:00-04:00",
            "form": "HTEST-ROI-2026",
        }
    ],
}


def smaller(number: int, **changes: Any) -> Json:
    """A discharge of somebody else, with the facts that no discharge can do without."""
    patient = {"identifiers": [{**DISCHARGE["patient"]["identifiers"][0], "value": f"HTEST{number:04d}"}]}
    visit = {
        **DISCHARGE["visit"],
        "identifiers": [{**DISCHARGE["visit"]["identifiers"][0], "value": f"V-{number:04d}"}],
    }
    del visit["attending"]
    kept = {name: DISCHARGE[name] for name in ("schema_version", "kind", "occurred_at", "diagnoses", "medications")}
    return {
        **kept,
        "event_id": f"mercy-2026-{number:06d}",
        "patient": {**patient, "name": {"family": "HTEST", "given": ["Robin"]}, "birth_date": "1980-01-01"},
        "visit": visit,
        "needs": [{"kind": "moud-continuation"}],
        **changes,
    }


_PID: Final = (
    "PID|1||HTEST0031^^^MERCY^MR||HTEST^Alex||19850312|F|||9 Test Rd^^Testham^NJ^07001||^PRN^PH^^1^555^5550131"
)
_PV1: Final = (
    "PV1|1|I|4W^12^A^MERCY||||1999990017^HTESTDOC^ANNA^^^^^^NPI||||||||||||HTEST-V0031^^^MERCY^VN|||||||||||||||||{}"
    "||||||||20260601091500|{}"
)


def _message(kind: str, control_id: str, *segments: str) -> str:
    head = rf"MSH|^~\&|EPIC|MERCY|THROUGHLINE|HUB|20260605140500-0400||{kind}|{control_id}|P|2.5.1"
    return "\r".join((head, *segments)) + "\r"


DISPENSE: Final = _message(
    "RDS^O13^RDS_O13",
    "HTEST-0031-1",
    _PID,
    _PV1.format("", ""),
    "ORC|RE|HTEST-P31^EPIC|HTEST-F31^RX||||||20260605130000",
    "RXE||1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM|1||FILM|FILM||||6|FILM",
    "TQ1|1|1|QDAY|||3^d|20260605130000",
    "RXD|1|1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM|20260605130000|6|FILM||HTEST-RX31",
    "RXR|SL^Sublingual",
)
"""Film for three days, handed out before the discharge."""
DISCHARGED: Final = _message(
    "ADT^A03^ADT_A03",
    "HTEST-0031-2",
    "EVN|A03|20260605140500",
    _PID,
    _PV1.format("01", "20260605140000"),
    "DG1|1||F11.20^Opioid dependence, uncomplicated^I10||20260601|F",
)
"""The same person leaves."""
ADMITTED: Final = _message(
    "ADT^A01^ADT_A01",
    "HTEST-0032-1",
    "EVN|A01|20260605140500",
    "PID|1||HTEST0032^^^MERCY^MR||HTEST^Kim||19700101|M",
    "PV1|1|I|2E^^^MERCY|||||||||||||||HTEST-V0032^^^MERCY^VN",
)
"""Nothing of this hub's concern."""
NOBODY: Final = _message("ADT^A03^ADT_A03", "HTEST-0033-1", "EVN|A03|20260605140500", "PV1|1|I|4W^^^MERCY")
"""Without PID-3 and without a visit: it can't be filed."""
BATCH: Final = "\r".join(
    (
        r"BHS|^~\&|EPIC|MERCY|THROUGHLINE|HUB|20260605140500-0400||||HTEST-B1",
        _message("ADT^A08^ADT_A01", "HTEST-0032-2", *ADMITTED.split("\r")[1:-1]).rstrip("\r"),
        "BTS|1",
        "",
    )
)
STRANGER: Final = ADMITTED.replace("|EPIC|MERCY|", "|OTHER|PLACE|").replace("HTEST-0032-1", "HTEST-0034-1")
"""From an application that is not registered."""
