"""Messages as a hospital sends them; everybody in them is made up and says so."""

from typing import Any

METHADONE = {
    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "code": "991147",
    "display": "methadone hydrochloride 10 MG/ML Oral Concentrate",
}


def event(number: int = 7, **changes: Any) -> dict[str, Any]:
    """The smallest useful discharge."""
    return {
        "schema_version": "1",
        "event_id": f"HTEST-2026-{number:06d}",
        "kind": "discharge",
        "occurred_at": "2026-06-05T14:10:00-04:00",
        "patient": {
            "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": f"HTEST{number:04d}"}],
            "name": {"family": "Htest", "given": ["Sam"]},
            "birth_date": "1991-04-02",
            "sex": "male",
            "phones": ["+1-555-0107"],
        },
        "visit": {
            "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": f"HTEST-V{number:04d}"}],
            "class": "IMP",
            "unit": "4W",
            "admitted_at": "2026-06-01T09:00:00-04:00",
            "discharged_at": "2026-06-05T14:00:00-04:00",
            "disposition": "home",
        },
        "diagnoses": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F11.20"}],
        "medications": [
            {
                "product": METHADONE,
                "schedule": {"interval": "PT24H"},
                "doses": [
                    {
                        "at": "2026-06-05T09:00:00-04:00",
                        "amount": 80,
                        "unit": "mg",
                        "route": "oral",
                        "observed": True,
                    }
                ],
                "bridges": [{"kind": "dispensed", "days": 2}],
            }
        ],
        "needs": [{"kind": "moud-continuation"}],
        **changes,
    }


def unrelated(number: int = 8) -> dict[str, Any]:
    """A discharge that has nothing to do with opioids."""
    return event(number, diagnoses=[], medications=[], needs=[])


def adt(number: int = 1, *, application: str = "EPIC", facility: str = "MERCY", control_id: str | None = None) -> bytes:
    """An admission without any signal."""
    own = f"HTEST-{number}" if control_id is None else control_id
    segments = (
        rf"MSH|^~\&|{application}|{facility}|HUB|HUB|20260605101500-0400||ADT^A01^ADT_A01|{own}|P|2.5.1",
        "EVN|A01|20260605101500-0400",
        f"PID|1||HTEST{number:04d}^^^MERCY^MR||HTEST^Robin||19800101|F",
        f"PV1|1|I|4W^^^MERCY|||||||||||||||VN|HTEST-V{number:04d}^^^MERCY^VN" + "|" * 25 + "20260605101500-0400",
    )
    return "\r".join(segments).encode() + b"\r"
