"""One synthetic stay as an engine would send it, message by message, in whatever order a test wants."""

from dataclasses import dataclass, field
from typing import Any

FILM = "1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM"
CHARSET = "||||||UNICODE UTF-8"
REST_OF_PID = "19910402|M|||12 Test St^^Testville^NY^10001^USA^H||^PRN^PH^^1^212^5550101"
OUD = "DG1|1||F11.20^Opioid dependence, uncomplicated^I10|||F"
HARBOR: dict[str, Any] = {
    "name": "HTEST Harbor OTP",
    "covered_entity": True,
    # No Part 2 program, so that what it reports needs no consent: the way back has tests of its own.
    "part2_program": False,
    "needs": ["moud-continuation"],
    "products": ["methadone", "buprenorphine"],
    "time_zone": "America/New_York",
    "phone": "555-0100",
}
PEERS: dict[str, Any] = {
    "name": "HTEST Peers",
    "covered_entity": True,
    "needs": ["peer-support"],
    "time_zone": "America/New_York",
}
MERCY: dict[str, Any] = {
    "id": "mercy",
    "organization": "HTEST Mercy",
    "dialect": "adt_generic",
    "timezone": "America/New_York",
    "match_msh": ["EPIC|MERCY"],
    "part2": "listed",
    "part2_units": ["ACS"],
    "units": {"4W": "not-part2"},
    "maps": {
        "drug_systems": {"RXNORM": "rxnorm"},
        "order_class": {"field": "ORC-29.1", "I": "inpatient", "O": "discharge"},
        "order_triggers": ["RDE^O11"],
        "dose_triggers": ["RAS^O17"],
        "dispense_triggers": ["RDS^O13"],
    },
}
NORTH: dict[str, Any] = {**MERCY, "id": "north", "organization": "HTEST North", "match_msh": ["CERN|NORTH"]}


@dataclass
class Stay:
    """A stay from 6 June 10:00 to 8 June 14:10 (New York)."""

    number: int
    unit: str = "4W"
    sender: str = "EPIC|MERCY"
    diagnosis: str = OUD
    family: str = "HTESTALDER"
    sent: int = field(default=0, init=False)

    @property
    def mrn(self) -> str:
        return f"HTEST{self.number:05d}"

    def _message(self, code: str, at: str, *segments: str, end: str = "") -> bytes:
        self.sent += 1
        kind, _, event = code.partition("^")
        control = f"HTEST{self.number:05d}-{self.sent:02d}"
        visit = f"V{self.number:05d}^^^HTESTCSN&2.16.840.1.113883.3.9999.12&ISO^VN"
        disposition = "|" * 17
        lines = [
            rf"MSH|^~\&|{self.sender}|THROUGHLINE|HUB|{at}-0400||{code}^{kind}_{event}|{control}|P|2.5.1" + CHARSET,
            *([f"EVN|{event}|{at}"] if kind == "ADT" else []),
            f"PID|1||{self.mrn}^^^HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR||{self.family}^José||{REST_OF_PID}",
            f"PV1|1|I|{self.unit}^0412^A^MERCY|1" + "|" * 15 + visit + (end or f"{disposition}||||||||20260606100000"),
            *segments,
        ]
        return "".join(f"{line}\r" for line in lines).encode()

    def _adt(self, event: str, at: str, *segments: str, end: str = "") -> bytes:
        return self._message(f"ADT^{event}", at, *segments, end=end)

    def admit(self) -> bytes:
        return self._adt("A01", "20260606101500", self.diagnosis)

    def quiet_admit(self) -> bytes:
        """An admission without any signal."""
        return self._adt("A01", "20260606101500")

    def order(self, control: str = "NW", at: str = "20260606120000") -> bytes:
        orc = f"ORC|{control}|P{self.number}^HTESTPLC|F{self.number}^HTESTRX||||||{at}"
        timing = "TQ1|1||Q24H"
        return self._message("RDE^O11", at, orc + "|" * 20 + "I", timing, f"RXE||{FILM}|8||mg|FILM", "RXR|SL")

    def dose(self, hour: str = "091500", action: str = "A", charted: str = "093000", day: str = "20260608") -> bytes:
        orc = f"ORC|RE|P{self.number}^HTESTPLC|F{self.number}^HTESTRX||||||{day}{charted}"
        rxa = f"RXA|0|1|{day}{hour}|{day}{hour}|{FILM}|8|mg|FILM||HTESTNURSE" + "|" * 10 + f"CP|{action}"
        return self._message("RAS^O17", f"{day}{charted}", orc, rxa, "RXR|SL")

    def supply(self, days: int = 3, at: str = "20260608133500") -> bytes:
        orc = f"ORC|RE|P{self.number}9^HTESTPLC|F{self.number}9^HTESTRX||||||{at}"
        rxd = f"RXD|1|{FILM}|{at}|{days}|FILM||RX{self.number}"
        return self._message("RDS^O13", at, orc + "|" * 20 + "O", f"TQ1|1||Q24H|||{days}^d", rxd, "RXR|SL")

    def discharge(self, at: str = "20260608142000", code: str = "01", diagnosis: str | None = None) -> bytes:
        left = "|" * 17 + code + "|" * 8 + "20260606100000|20260608141000"
        said = self.diagnosis if diagnosis is None else diagnosis
        return self._adt("A03", at, *([said] if said else []), end=left)

    def discharge_cancelled(self, at: str = "20260608143000") -> bytes:
        return self._adt("A13", at, self.diagnosis)

    def visit_cancelled(self, at: str = "20260608143000") -> bytes:
        return self._adt("A11", at)

    def whole(self) -> list[bytes]:
        """The ordinary course."""
        return [self.admit(), self.order(), self.dose(), self.supply(), self.discharge()]
