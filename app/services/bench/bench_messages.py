"""Messages for the benchmark: everybody in them is made up, and family name and MRN say so.

They have the length and the fields that interface engines send. Every message has a patient and, but for the two of
one referral, a visit of its own, so that nothing is found in a cache of the last one.
"""

from collections.abc import Iterator
from itertools import count
from typing import Final

from app.services.bench.bench_load import Job, request

MATCH_MSH: Final = "HTBENCH|HTEST"
"""How the sender of these messages is registered."""

_HEADER: Final = r"MSH|^~\&|HTBENCH|HTEST|HUB|HUB|20260608142000-0400||%s|%s-%s|%s|2.5.1||||||UNICODE UTF-8"
_PERSON: Final = (
    "PID|1||HTEST%s^^^HTMRN&2.16.840.1.113883.3.9999.71&ISO^MR||HTESTALDER^José^^^^^L||19910402|M|||"
    "12 Test St^^Testville^NY^10001^USA^H||^PRN^PH^^1^212^5550101||ENG^English^HL70296"
)
_VISIT: Final = (
    "PV1|1|I|4W^0412^A^HTEST|1|||1999990017^HTESTDOC^ANNA^^^^^^NPI|||MED|||||||||"
    "V%s^^^HTCSN&2.16.840.1.113883.3.9999.72&ISO^VN"
)
_ADMITTED: Final = "|" * 25 + "20260606100000"
_LEFT: Final = "|" * 17 + "01" + "|" * 8 + "20260606100000|20260608141000"
_FILM: Final = "1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM^HT10441^bup-nal 8-2 mg SL film^HTRX"
_DISPENSE: Final = (
    _HEADER,
    _PERSON,
    _VISIT + _ADMITTED,
    "ORC|RE|P%s^HTPLC|F%s^HTPHARM||||||20260608134000|||1999990017^HTESTDOC^ANNA" + "|" * 17 + "O^Outpatient^HL70482",
    f"RXE||{_FILM}|1||FILM^film^HTUNIT|FILM||||6|FILM",
    "TQ1|1|1|QDAY|||3^d|20260608133500",
    "RXR|SL^Sublingual",
    f"RXD|1|{_FILM}|20260608133500|6|FILM||RX%s||||||BEDSIDE",
    "RXR|SL^Sublingual",
)
_DISCHARGE: Final = (
    _HEADER,
    "EVN|A03|20260608142000||||20260608141000",
    _PERSON,
    _VISIT + _LEFT,
    "DG1|1||F11.20^Opioid dependence, uncomplicated^I10|||F|||||||||1",
)
_OTHERS: Final = (
    ("ADT^A01^ADT_A01", "EVN|A01|20260606100500||||20260606100000", _ADMITTED),
    ("ADT^A08^ADT_A01", "EVN|A08|20260607101500||||20260607101000", _ADMITTED),
    ("ADT^A03^ADT_A03", "EVN|A03|20260608142000||||20260608141000", _LEFT),
)
_OTHER_DIAGNOSES: Final = (
    "DG1|1||I50.23^Acute on chronic systolic heart failure^I10|||A|||||||||1",
    "DG1|2||E11.9^Type 2 diabetes mellitus without complications^I10|||A|||||||||2",
    "AL1|1|DA|7980^penicillin^RXNORM|SV|HIVES",
    "IN1|1|MCD^Medicaid HMO|77|HTEST Health Plan|||||||||||HM",
)


def _message(*segments: str) -> bytes:
    return "\r".join((*segments, "")).encode()


def dispense(run: str, number: int) -> bytes:
    """RDS^O13: three days of buprenorphine film handed over at the bedside of visit ``number``."""
    key = f"{run}-{number}"
    header, person, visit, order, *rest = _DISPENSE
    filled = [line % key if "RX%s" in line else line for line in rest]
    return _message(header % ("RDS^O13^RDS_O13", "D", key, "P"), person % key, visit % key, order % (key, key), *filled)


def discharge(run: str, number: int) -> bytes:
    """ADT^A03: the end of visit ``number``, with the diagnosis."""
    key = f"{run}-{number}"
    header, event, person, visit, diagnosis = _DISCHARGE
    return _message(header % ("ADT^A03^ADT_A03", "A", key, "P"), event, person % key, visit % key, diagnosis)


def unrelated(run: str, number: int, processing: str = "P") -> bytes:
    """ADT^A01, A08 and A03 in turn, each about somebody else and none with a signal.

    ``processing`` is MSH-11: T makes it a test message, of which a hub in production keeps a ledger row only.
    """
    key = f"{run}-U{number}"
    kind, event, times = _OTHERS[number % 3]
    header = _HEADER % (kind, "U", key, processing)
    return _message(header, event, _PERSON % key, _VISIT % key + times, *_OTHER_DIAGNOSES)


def referrals(run: str, token: str) -> Iterator[Job]:
    """Jobs that each open one referral: the dispense, then the discharge of the same new visit."""
    return ((posted(dispense(run, n), token), posted(discharge(run, n), token)) for n in count())


def stream(run: str, token: str, processing: str = "P") -> Iterator[Job]:
    """Jobs of one unrelated message each."""
    return ((posted(unrelated(run, n, processing), token),) for n in count())


def posted(message: bytes, token: str) -> bytes:
    """The message as a request."""
    return request("POST", "/ingest/hl7v2", token=token, body=message, headers=[("Content-Type", "application/hl7-v2")])


def accepted(status: int, body: bytes) -> bool:
    """Whether an answer is a positive acknowledgement."""
    return status == 200 and b"MSA|AA" in body
