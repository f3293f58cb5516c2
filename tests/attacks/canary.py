"""A person whose every detail is unmistakable, told to the hub in every way; and where those details turn up."""

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from tests.contract.http_messages import event
from tests.fhir_bundles import encounter, message, patient, transaction

Resource = dict[str, Any]
DETAILS: Final = (
    "zqfamily",
    "zqgiven",
    "zqmrn4417",
    "zqvisit9902",
    "zqstreet",
    "zqdoctor",
    "zqkin",
    "zqmember83",
    "zqrecipient",
    "zqjunk",
    "19370411",
    "1937-04-11",
    "9175550148",
    "917-555-0148",
    "5550148",
)
"""Name, numbers, address, clinician, kin, insurance, whom a consent names, what was refused, birth, telephone."""
_SEEN: Final = re.compile("|".join(map(re.escape, DETAILS)), re.IGNORECASE)
PERSON: Final = {
    "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": "ZQMRN4417"}],
    "name": {"family": "Zqfamily", "given": ["Zqgiven"]},
    "birth_date": "1937-04-11",
    "sex": "female",
    "phones": ["+1-917-555-0148"],
    "address": {"lines": ["7 Zqstreet"], "city": "Testville", "state": "NY"},
}
CONSENT: Final = {
    "status": "active",
    "recipients": ["HTEST Harbor OTP", "Zqrecipient"],
    "purposes": ["TREAT"],
    "signed_at": "2026-06-01",
}
_PID: Final = (
    "PID|1||ZQMRN4417^^^HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR||ZQFAMILY^Zqgiven||19370411|F|||7 Zqstreet^^"
    "Testville^NY^10001^USA^H||^PRN^PH^^1^917^5550148"
)
_FILM: Final = "1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM"


def seen(text: str | bytes) -> list[str]:
    """The details that stand in a text, in whatever case, each once."""
    readable = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return sorted({found.lower() for found in _SEEN.findall(readable)})


def hl7(number: int, kind: str, *segments: str, sender: str = "EPIC|MERCY", end: str = "") -> bytes:
    """A message about the person."""
    code, _, trigger = kind.partition("^")
    at = f"2026060{number % 8 + 1}120000"
    lines = [
        rf"MSH|^~\&|{sender}|HUB|HUB|{at}-0400||{code}^{trigger}|HTEST-C{number}|P|2.5.1||||||UNICODE UTF-8",
        f"EVN|{trigger}|{at}",
        _PID,
        "PV1|1|I|4W^0412^A^MERCY|1|||1234567893^Zqdoctor^Ann" + "|" * 12 + f"ZQVISIT9902^^^HTESTCSN^VN{end}",
        "NK1|1|Zqkin^Mary|SPO||(917)555-0148",
        "IN1|1|P1|C1|Medicaid||||||||||||||||||||||||||||||||ZQMEMBER83",
        *segments,
    ]
    return "".join(f"{line}\r" for line in lines).encode()


def stay() -> list[bytes]:
    """Admitted, ordered, discharged."""
    orc, rxe = "ORC|NW|P1^HTESTPLC|F1^HTESTRX" + "|" * 26 + "I", f"RXE||{_FILM}|8||mg|FILM"
    left = "|" * 17 + "01" + "|" * 8 + "20260601100000|20260606141000"
    oud = "DG1|1||F11.20^Opioid dependence, uncomplicated^I10|||F"
    return [
        hl7(1, "ADT^A01", oud),
        hl7(2, "RDE^O11", orc, "TQ1|1||Q24H", rxe, "RXR|SL"),
        hl7(6, "ADT^A03", oud, end=left),
    ]


def bad_hl7() -> list[bytes]:
    """What can't be filed, or can't be read."""
    whole = hl7(20, "ADT^A03")
    return [
        hl7(21, "ADT^A01", sender="ZQJUNK|ZQFAMILY"),
        whole.replace(b"|HTEST-C20|", b"||"),
        whole.replace(b"PID|1||ZQMRN4417^^^HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR", b"PID|1||").replace(
            b"ZQVISIT9902", b""
        ),
        whole.replace(b"^~\\&", b"^^^^"),
        whole.replace(b"|2.5.1", b"|ZQJUNK"),
        whole.replace(b"19370411", b"Zqjunk"),
        b"MSH|^~\\&|ZQFAMILY",
        b"Zqfamily Zqgiven",
        b"\xff\xfe" + whole,
    ]


def told(number: int, **changes: Any) -> Resource:
    """The person as an event."""
    made = event(number, patient=PERSON, consents=[CONSENT], event_id=f"HTEST-C{number}")
    made["visit"]["identifiers"] = [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "ZQVISIT9902"}]
    made["visit"]["attending"] = {"name": {"family": "Zqdoctor"}}
    made["contacts"] = [{"what": "sister", "name": "Zqkin", "phone": "917-555-0148"}]
    made["coverage"] = [{"payer": "Medicaid", "member_id": "ZQMEMBER83"}]
    return made | changes


def bad_events() -> list[bytes]:
    """What is refused, in each place where it can be."""
    whole = json.dumps(told(30))
    return [
        whole[:-20].encode(),
        whole.replace('"1937-04-11"', '"Zqjunk"').encode(),
        whole.replace('"female"', '"zqjunk"').encode(),
        json.dumps(told(31, needs=[{"kind": "Zqjunk"}])).encode(),
        json.dumps({**told(32), "colour": "Zqfamily"}).encode(),
        json.dumps(told(33, occurred_at="Zqjunk")).encode(),
        json.dumps({"a": "Zqfamily"}).encode() * 2,
        whole.replace('"event_id": "HTEST-C30"', '"event_id": "HTEST-C29"').encode(),
        whole.encode("utf-16"),
        b'{"x": "Zqfamily\\ud800"}',
    ]


def _patient() -> Resource:
    numbers = [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": "ZQMRN4417"}]
    named = [{"family": "Zqfamily", "given": ["Zqgiven"]}]
    return patient(identifier=numbers, name=named, birthDate="1937-04-11", address=[{"line": ["7 Zqstreet"]}])


def _encounter() -> Resource:
    return encounter(identifier=[{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "ZQVISIT9902"}])


def bundles() -> list[tuple[str, Resource]]:
    """A notification and a transaction, each right and each wrong."""
    wrong = _patient() | {"gender": "zqjunk", "birthDate": "Zqjunk"}
    right: dict[str, Any] = {"p": _patient(), "e": _encounter()}
    return [
        ("/$process-message", message(1, **right)),
        ("", transaction(2, **right)),
        ("/$process-message", message(3, **right | {"p": wrong})),
        ("", transaction(4, **right | {"p": wrong})),
        ("", transaction(5, **right) | {"type": "zqjunk"}),
        ("/$process-message", message(6, event="zqjunk", **right)),
    ]


def _talk(partner: str, *more: Resource) -> Resource:
    parts = [
        {"name": "partner", "valueReference": {"reference": partner}},
        {"name": "number", "valueString": "+1 917-555-0148"},
        {"name": "at", "valueDateTime": datetime.now(UTC).isoformat(timespec="seconds")},
        {"name": "recorded-by", "valueString": "Zqdoctor"},
        {"name": "note", "valueString": "Zqfamily lives in 7 Zqstreet"},
    ]
    return {"resourceType": "Parameters", "parameter": [*parts, *more]}


def call(partner: str) -> Resource:
    """A call that is told with more than is needed."""
    return _talk(partner, {"name": "outcome", "valueCode": "talked"}, {"name": "talked-to", "valueString": "Zqkin"})


def answer(partner: str) -> Resource:
    """An answer likewise."""
    return _talk(partner, {"name": "answer", "valueCode": "accepted"}, {"name": "said-by", "valueString": "Zqkin"})


def wrong(right: Resource) -> list[Resource]:
    """What is refused of such a call or answer, with the person in the place that is wrong."""
    made = []
    for name, value in (
        ("number", {"valueString": "zqfamily"}),
        ("at", {"valueDateTime": "1937-04-11"}),
        ("partner", {"valueReference": {"reference": "Organization/zqfamily"}}),
        ("recorded-by", {"valueString": "Zqfamily" * 100}),
        ("zqjunk", {"valueString": "Zqfamily"}),
    ):
        kept = [one for one in right["parameter"] if one["name"] != name]
        made.append({**right, "parameter": [*kept, {"name": name, **value}]})
    return made
