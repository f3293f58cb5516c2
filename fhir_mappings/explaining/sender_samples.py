"""What sample messages of one interface tell about its sender file, beyond the counts of ``coverage_report``.

Numbers of visits are compared, never kept as they are: only their hashes stay until the last sample was read.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from fhir_mappings import triage
from fhir_mappings.dialects.base import Reading
from fhir_mappings.explaining import coverage_report, showing
from fhir_mappings.explaining.coverage_report import Judged, Tally
from fhir_mappings.hl7v2 import Message, Segment
from schemas.codes import tables
from schemas.discharge import Product
from schemas.facts import Facts
from schemas.sender import Sender

FUTURE: Final = timedelta(minutes=15)
"""A sender's clock may be off by this much."""
ACCOUNT_FIELDS: Final = (("PID", 18), ("PV1", 19), ("PV1", 50))
_DRUG_SEGMENTS: Final = frozenset({"RXE", "RXO", "RXD"})
_OFFSET = re.compile(r"\d{8,14}(?:\.\d+)?([+-])(\d\d)(\d\d)", re.ASCII)
_ORDER_WORDS = re.compile(
    r"(?:in|inp|inpt|inpatient|ip|out|outpt|outpatient|op|dc|dcrx|disch|discharge|dischg|home|take-?home|tta|tto|rx|amb)",
    re.ASCII | re.IGNORECASE,
)
_DAYS = re.compile(r"[1-9]\d?", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_FORMS: Final = {
    "film": ("film",),
    "tab": ("tablet",),
    "syringe": ("syringe", "injection"),
    "inj": ("syringe", "injection"),
    "conc": ("oral solution",),
    "soln": ("oral solution",),
    "solution": ("oral solution",),
    "spray": ("spray",),
    "patch": ("transdermal",),
}


class LocalDrug(NamedTuple):
    """A code of the hospital's own whose text reads like one of our drugs."""

    system: str
    code: str
    drug: str
    candidates: tuple[tuple[str, str], ...]
    """RxNorm code and name of what it could be, from the table here, the likeliest first."""


@dataclass(slots=True)
class Samples:
    """What was seen; each counts messages."""

    now: datetime
    tally: Tally = field(default_factory=Tally)
    headers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """MSH-3.1 and MSH-4.1."""
    processing: Counter[str] = field(default_factory=Counter)
    offsets: Counter[str] = field(default_factory=Counter)
    """Offset in MSH-7, where there is one."""
    other_offsets: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(offset in MSH-7, offset of the sender's zone then), where they differ."""
    future: int = 0
    without_visit: Counter[str] = field(default_factory=Counter)
    """Types of messages with PV1 and no number of the visit."""
    orders: int = 0
    without_order_class: int = 0
    order_words: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(field, word) where an order class could stand."""
    supplies: int = 0
    supplies_with_days: int = 0
    small_numbers: Counter[str] = field(default_factory=Counter)
    """Fields of Z-segments beside a supply or a prescription that hold a number up to 99."""
    drug_systems: Counter[str] = field(default_factory=Counter)
    """Names of code systems of drugs that are the sender's own."""
    local_drugs: Counter[LocalDrug] = field(default_factory=Counter)
    discharges: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    """Reason of the ledger to where it was met first."""
    _accounts: dict[str, dict[int, set[int]]] = field(default_factory=dict)
    _classes: dict[str, dict[int, set[str]]] = field(default_factory=dict)

    def add(self, judged: Judged) -> None:
        """Take in one message."""
        self.tally.add(judged)
        for reason in judged.reasons if judged.state == "rejected" else ():
            self.rejected.setdefault(reason, judged.place)
        message, reading = judged.message, judged.reading
        if message is None or reading is None:
            return
        self.headers[coverage_report.header_of(message)] += 1
        if coverage_report.UNKNOWN_SENDER in judged.reasons:
            return
        self.processing[message.processing_id.strip().upper() or "P"] += 1
        self._times(message, reading, judged.sender)
        self._visit(message, reading.facts)
        self._drugs(message, reading.facts, judged.sender)

    def recurring(self) -> Iterator[tuple[str, int, tuple[str, ...]]]:
        """Fields whose number was seen with several visits: field, how many numbers, patient classes of those."""
        for path, numbers in self._accounts.items():
            again = [number for number, visits in numbers.items() if len(visits) > 1]
            if again:
                classes = sorted(set().union(*(self._classes[path][number] for number in again)))
                yield path, len(again), tuple(classes)

    def _times(self, message: Message, reading: Reading, sender: Sender) -> None:
        if reading.facts.at > self.now + FUTURE:
            self.future += 1
        sent = _OFFSET.fullmatch(message.header.text(7).strip())
        if sent is None:
            return
        said = f"{sent[1]}{sent[2]}{sent[3]}"
        self.offsets[said] += 1
        expected = _offset(reading.facts.at, sender.zone(reading.facts.facility))
        if expected != said:
            self.other_offsets[said, expected] += 1

    def _visit(self, message: Message, facts: Facts) -> None:
        self.discharges += facts.visit_status_ended is True
        pv1 = message.first("PV1")
        if pv1 is None or facts.kind in {"person", "merge", "other"}:
            return
        if facts.visit is None or not facts.visit.identifiers:
            self.without_visit[coverage_report.shown_type(facts.trigger)] += 1
        self._numbers(message, pv1)

    def _numbers(self, message: Message, pv1: Segment) -> None:
        numbers = {f"{name}-{number}": _field(message, name, number) for name, number in ACCOUNT_FIELDS}
        admitted = pv1.text(44).strip()[:8]
        for path, value in numbers.items():
            others = [number for key, number in numbers.items() if number and key != path]
            other = others[0] if others else admitted
            if value and other:
                self._accounts.setdefault(path, {}).setdefault(hash(value), set()).add(hash(other))
                word = showing.code(pv1.text(2).strip())
                self._classes.setdefault(path, {}).setdefault(hash(value), set()).update([word] if word else [])

    def _drugs(self, message: Message, facts: Facts, sender: Sender) -> None:
        for product in coverage_report.products(facts):
            self._product(product, sender)
        takes_home = bool(facts.supplies) or any(order.discharge for order in facts.orders)
        if takes_home:
            self.supplies += 1
            days = [one.days or one.doses for one in facts.supplies]
            days += [order.days for order in facts.orders if order.discharge]
            self.supplies_with_days += any(days)
        if message.has(_DRUG_SEGMENTS):
            self.orders += 1
            self.without_order_class += not any(True for _ in coverage_report.order_classes(message, sender))
            self.order_words.update(set(_order_words(message)))
            self.small_numbers.update(set(_small_numbers(message)))

    def _product(self, product: Product, sender: Sender) -> None:
        known = triage.classify(product)
        codings = (product, *product.alternates)
        public = any(tables.system_of(coding.system) == tables.RXNORM for coding in codings)
        for coding in codings:
            name = showing.local_system(coding.system)
            if name is None or showing.code(name) is None:
                continue
            self.drug_systems[name] += 1
            text = " ".join(other.display or "" for other in codings)
            mapped = coding.code in sender.maps.local_drugs
            if not public and not mapped and known is not None and text.strip() and showing.code(coding.code):
                found = LocalDrug(name, coding.code, known.drug, tuple(candidates(known.drug, text)))
                self.local_drugs[found] += 1


def candidates(drug: str, text: str) -> list[tuple[str, str]]:
    """What of the RxNorm table a drug's text could mean: the same drug, form and strengths; three at most."""
    numbers = set(_NUMBER.findall(text))
    forms = [form for word, forms in _FORMS.items() if word in text.lower() for form in forms]
    scored = []
    for row in tables.drugs().values():
        if not row.drug.startswith(drug) or "[" in row.display:
            continue
        strengths = set(_NUMBER.findall(row.display))
        score = 2 * len(numbers & strengths) - len(strengths - numbers)
        score += 2 * any(form in row.display.lower() for form in forms)
        scored.append((-score, row.code, row.display))
    return [(code, display) for score, code, display in sorted(scored)[:3] if score < 0]


def _offset(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%z")


def _field(message: Message, name: str, number: int) -> str:
    segment = message.first(name)
    return segment.text(number).strip() if segment is not None else ""


def _order_words(message: Message) -> Iterator[tuple[str, str]]:
    for segment in message.segments:
        for number in {"ORC": (16, 29)}.get(segment.name, range(1, len(segment) + 1) if segment.name[0] == "Z" else ()):
            value = segment.text(number).strip()
            if _ORDER_WORDS.fullmatch(value) or (segment.name == "ORC" and number == 29 and value in ("I", "O")):
                yield f"{segment.name}-{number}", value


def _small_numbers(message: Message) -> Iterator[str]:
    for segment in message.segments:
        if segment.name.startswith("Z"):
            # Field 1 of most segments is their number in the message.
            for number in range(2, len(segment) + 1):
                if _DAYS.fullmatch(segment.text(number).strip()):
                    yield f"{segment.name}-{number}"
