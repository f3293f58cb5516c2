"""What the demo's hospitals send: HL7 v2.5.1 messages and discharge events about people who don't exist.

Everyone's family name and record number begin with HTEST. Times are arguments; nothing here reads the clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("America/New_York")
"""Both hospitals are here."""
_RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
_ICD10: Final = "http://hl7.org/fhir/sid/icd-10-cm"


class Site(NamedTuple):
    """One hospital interface: what stands in MSH-3 and MSH-4, and who assigns its numbers."""

    application: str
    facility: str
    records: str
    """OID of the medical record numbers."""
    visits: str
    """OID of the visit numbers."""
    prefix: str
    """How its control ids begin."""


class Drug(NamedTuple):
    """A product of the RxNorm table in ``schemas/codes``, and how the demo gives it."""

    code: str
    text: str
    amount: int
    form: str
    route: str
    often: str = "QDAY"


DRUGS: Final[dict[str, Drug]] = {
    "film": Drug("1010604", "buprenorphine 8 MG / naloxone 2 MG Sublingual Film", 16, "FILM", "SL^Sublingual"),
    "tablet": Drug("351265", "buprenorphine 8 MG Sublingual Tablet", 16, "TAB", "SL^Sublingual"),
    "sublocade": Drug(
        "1996192", "1.5 ML buprenorphine 200 MG/ML Prefilled Syringe", 300, "SYR", "SC^Subcutaneous", "ONCE"
    ),
    "brixadi-weekly": Drug(
        "2639031", "0.48 ML buprenorphine 50 MG/ML Prefilled Syringe", 24, "SYR", "SC^Subcutaneous", "ONCE"
    ),
    "brixadi-monthly": Drug(
        "2639041", "0.27 ML buprenorphine 356 MG/ML Prefilled Syringe", 96, "SYR", "SC^Subcutaneous", "ONCE"
    ),
    "methadone": Drug("991147", "methadone hydrochloride 10 MG/ML Oral Solution", 80, "SOLN", "PO^Oral"),
    "methadone-tablet": Drug("864706", "methadone hydrochloride 10 MG Oral Tablet", 40, "TAB", "PO^Oral"),
    "naltrexone": Drug("637213", "naltrexone 380 MG Injection", 380, "VIAL", "IM^Intramuscular", "ONCE"),
    "butrans": Drug("904870", "168 HR buprenorphine 0.01 MG/HR Transdermal System", 1, "PATCH", "TD^Transdermal"),
    "naloxone": Drug("1725059", "0.1 ML naloxone 40 MG/ML Nasal Spray", 4, "SPRAY", "NS^Nasal", "ONCE"),
}


class Person(NamedTuple):
    """Somebody who doesn't exist."""

    number: int
    family: str
    given: str
    born: str
    sex: str
    phone: bool = True
    homeless: bool = False

    @property
    def record(self) -> str:
        """Medical record number."""
        return f"HTEST{self.number:05d}"

    @property
    def visit(self) -> str:
        """Visit number."""
        return f"HTEST-V{self.number:05d}"


@dataclass(slots=True)
class Chart:
    """One stay, and the messages about it; each has a control id of its own."""

    site: Site
    person: Person
    unit: str
    admitted: datetime
    patient_class: str = "I"
    pregnant: bool = False
    sent: int = 0

    def admit(self, diagnosis: str | None = None) -> bytes:
        """ADT^A01."""
        evn = f"EVN|A01|{_ts(self.admitted)}"
        return self._message("ADT^A01^ADT_A01", self.admitted, evn, self._pid(), self._pv1(), *_dg1(diagnosis))

    def change(self, at: datetime) -> bytes:
        """ADT^A08."""
        return self._message("ADT^A08^ADT_A01", at, f"EVN|A08|{_ts(at)}", self._pid(), self._pv1())

    def order(self, drug: Drug, at: datetime, control: str = "NW") -> bytes:
        """RDE^O11; ``control`` is ORC-1."""
        return self._message(
            "RDE^O11^RDE_O11",
            at,
            self._pid(),
            self._pv1(),
            f"ORC|{control}|{self._order(1)}||||||||||||||||||||||||||||I",
            f"RXE||{_coded(drug)}|{drug.amount}||mg^milligram^UCUM|{drug.form}",
            f"TQ1|1|1|{drug.often}||||{_ts(at)}",
            f"RXR|{drug.route}",
        )

    def dose(self, drug: Drug, at: datetime, outcome: str = "CP") -> bytes:
        """RAS^O17; ``outcome`` is RXA-20."""
        given = f"{_coded(drug)}|{drug.amount}|mg^milligram^UCUM|{drug.form}"
        return self._message(
            "RAS^O17^RAS_O17",
            at + timedelta(minutes=5),
            self._pid(),
            self._pv1(),
            f"ORC|RE|{self._order(1)}",
            f"RXA|0|1|{_ts(at)}|{_ts(at)}|{given}||7^HTESTNURSE^IVY||||||||||{outcome}|A",
            f"RXR|{drug.route}",
        )

    def supply(self, drug: Drug, at: datetime, days: int) -> bytes:
        """RDS^O13: ``days`` of supply handed over for the way home."""
        return self._message(
            "RDS^O13^RDS_O13",
            at + timedelta(minutes=5),
            self._pid(),
            self._pv1(),
            f"ORC|RE|{self._order(2)}||||||||||||||||||||||||||||O",
            f"RXE||{_coded(drug)}|1||{drug.form}|{drug.form}",
            f"TQ1|1|1|{drug.often}|||{days}^d|{_ts(at)}",
            f"RXD|1|{_coded(drug)}|{_ts(at)}|{2 * days}|{drug.form}||HTESTRX{self.person.number:05d}",
            f"RXR|{drug.route}",
        )

    def discharge(
        self, at: datetime, disposition: str = "01", diagnosis: str | None = None, *, consent: bool = False
    ) -> bytes:
        """ADT^A03; ``disposition`` is a UB-04 status, ``consent`` a form that was signed the day before."""
        evn = f"EVN|A03|{_ts(at)}||||{_ts(at)}"
        con = [f"CON|1|ROI||HTEST-C{self.person.number:05d}|||||||A||{_ts(at - timedelta(days=1))}"] if consent else []
        segments = (evn, self._pid(), self._pv1(disposition, at), *_dg1(diagnosis, "F"), *con)
        return self._message("ADT^A03^ADT_A03", at, *segments)

    def cancel_discharge(self, at: datetime) -> bytes:
        """ADT^A13."""
        return self._message("ADT^A13^ADT_A01", at, f"EVN|A13|{_ts(at)}", self._pid(), self._pv1())

    def cancel_visit(self, at: datetime) -> bytes:
        """ADT^A11."""
        return self._message("ADT^A11^ADT_A09", at, f"EVN|A11|{_ts(at)}", self._pid(), self._pv1())

    def _message(self, kind: str, at: datetime, *segments: str) -> bytes:
        self.sent += 1
        site = self.site
        control = f"{site.prefix}{self.person.number:05d}{self.sent:02d}"
        header = rf"MSH|^~\&|{site.application}|{site.facility}|THROUGHLINE|HUB|{_ts(at)}||{kind}|{control}|P|2.5.1"
        return "".join(f"{segment}\r" for segment in (header, *segments)).encode()

    def _pid(self) -> str:
        who = self.person
        address = "HOMELESS^^Testville^NY" if who.homeless else "12 Test St^^Testville^NY^10001^USA^H"
        phone = f"^PRN^PH^^1^212^55501{who.number % 100:02d}" if who.phone else ""
        record = f"{who.record}^^^{self.site.facility}&{self.site.records}&ISO^MR"
        return f"PID|1||{record}||{who.family}^{who.given}^^^^^L||{who.born}|{who.sex}|||{address}||{phone}"

    def _pv1(self, disposition: str = "", left: datetime | None = None) -> str:
        fields = [""] * 46
        fields[0:4] = ["PV1", "1", self.patient_class, f"{self.unit}^0412^A^{self.site.facility}"]
        fields[7] = "1999990017^HTESTDOC^ANNA^^^^^^NPI"
        fields[15] = "B6" if self.pregnant else ""
        fields[19] = f"{self.person.visit}^^^{self.site.facility}&{self.site.visits}&ISO^VN"
        fields[36] = disposition
        fields[44] = _ts(self.admitted)
        fields[45] = _ts(left) if left else ""
        return "|".join(fields).rstrip("|")

    def _order(self, number: int) -> str:
        return f"{self.person.number:05d}{number:02d}^{self.site.prefix}PLC"


def _ts(at: datetime) -> str:
    return at.astimezone(ZONE).strftime("%Y%m%d%H%M%S%z")


def _coded(drug: Drug) -> str:
    return f"{drug.code}^{drug.text}^RXNORM"


def _dg1(diagnosis: str | None, kind: str = "A") -> list[str]:
    return [f"DG1|1||{diagnosis}^^I10|||{kind}|||||||||1"] if diagnosis else []


def event(site: Site, person: Person, drug: Drug, at: datetime, **more: Any) -> dict[str, Any]:
    """A discharge event of somebody who left at ``at``, with a dose that morning and two days in hand."""
    when = at.astimezone(ZONE)
    dosed = {"at": (when - timedelta(hours=5)).isoformat(), "amount": drug.amount, "unit": "mg", "observed": True}
    return {
        "schema_version": "1",
        "event_id": f"{site.prefix}-event-{person.number:05d}",
        "kind": "discharge",
        "occurred_at": when.isoformat(),
        "patient": {
            "identifiers": [{"system": f"urn:oid:{site.records}", "value": person.record}],
            "name": {"family": person.family, "given": [person.given]},
            "birth_date": f"{person.born[:4]}-{person.born[4:6]}-{person.born[6:]}",
            "sex": "female" if person.sex == "F" else "male",
            "phones": [f"+1-212-555-01{person.number % 100:02d}"],
        },
        "visit": {
            "identifiers": [{"system": f"urn:oid:{site.visits}", "value": person.visit}],
            "class": "IMP",
            "unit": "4W",
            "admitted_at": (when - timedelta(days=4)).isoformat(),
            "discharged_at": when.isoformat(),
            "disposition": "home",
        },
        "diagnoses": [{"system": _ICD10, "code": "F11.20"}],
        "medications": [
            {
                "product": {"system": _RXNORM, "code": drug.code, "display": drug.text},
                "schedule": {"interval": "PT24H"},
                "doses": [dosed],
                "bridges": [{"kind": "dispensed", "days": 2}],
            }
        ],
        "needs": [{"kind": "moud-continuation"}],
        **more,
    }
