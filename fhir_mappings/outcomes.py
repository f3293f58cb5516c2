r"""How a referral stands -> an HL7 v2 message to the hospital: MDM^T02, ORU^R01 or, to a REF^I12, RRI^I12.

Source: HL7 v2.5.1 chapters 3 (PID, PV1), 4 (ORC, OBR), 7 (ORU, OBX; tables 0085, 0123), 9 (MDM, TXA; tables 0270,
0271, 0273) and 11 (RRI, RF1, PRD; tables 0283, 0286). Pure: the time and the control id are arguments, so that the
same answer gives the same bytes. The person and the visit stand as the hospital's own message has them, in its wire
form (``Identity``); every text of ours is escaped, and a character that the hospital's set lacks becomes ``?``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from fhir_mappings.acks import is_before, timestamp
from fhir_mappings.hl7v2 import DEFAULT_SEPARATORS, Field, Message, Raw, Segment, Separators, write
from fhir_mappings.hl7v2_charsets import codec_of
from fhir_mappings.hl7v2_wire import ABSENT as _ABSENT
from fhir_mappings.hl7v2_wire import STANDARD_ENCODING, Repetition
from schemas.codes.local import CODES, NEED, PROGRESS
from schemas.sender import Answers

OWN_VERSION: Final = "2.5.1"
HUB: Final = "THROUGHLINE"
_LOCAL: Final = "L"
"""Table 0396: a code system of our own."""
_PID: Final = (3, 5, 7, 8, 18)
"""What of PID finds the person again: numbers, name, birth date, sex, account."""
_PV1: Final = (2, 19, 50)
_RF1: Final = range(2, 11)
_STATUS: Final[Mapping[str, tuple[str, str]]] = {
    "accepted": ("A", "Accepted"),
    "pending": ("P", "Pending"),
    "rejected": ("R", "Rejected"),
    "expired": ("E", "Expired"),
}
"""Table 0283."""
_RF1_STATUS: Final[Mapping[str, str]] = {
    "asked": "pending",
    "needs-a-person": "pending",
    "consent-needed": "pending",
    "route-needed": "pending",
    "consent-withdrawn": "pending",
    "not-seen": "expired",
}
"""Progress to referral status; everything else is a referral that was accepted."""


class Identity(NamedTuple):
    """Who it is about and how the hospital writes: taken from a message of its own."""

    separators: Separators
    encoding_characters: str
    charset: str
    """Python codec."""
    charset_name: str
    """MSH-18."""
    version: str
    processing_id: Field
    hospital: tuple[Field, Field]
    """MSH-3 and MSH-4 of its messages."""
    hub: tuple[Field, Field]
    """MSH-5 and MSH-6 of its messages."""
    pid: Mapping[int, Field]
    pv1: Mapping[int, Field]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer."""

    control_id: str
    """MSH-10."""
    at: datetime
    """When it was written: MSH-7; aware."""
    said_at: datetime
    """When the referral came to stand so; aware."""
    document: str
    """TXA-12, OBR-3, RF1-11: the same for all answers to one referral."""
    need: str
    """Code of the local code system ``need``."""
    progress: str
    """Code of the local code system ``progress``."""
    final: bool
    lines: Sequence[str]
    """What a person reads."""
    placer: Field = ""
    """The hospital's own number of the request, as EI; "" where it gave none."""
    restricted: bool = False
    """It tells of a record that a notice must go with."""
    request: Message | None = None
    """The REF^I12 that it answers."""
    partner: str | None = None


def identity_of(message: Message) -> Identity:
    """Person, visit and manner of writing of one of the hospital's messages."""
    msh = message.header
    plain = message.separators.component == _ABSENT
    return Identity(
        # What has no components can't say half of what must be said: then the standard delimiters are used.
        separators=DEFAULT_SEPARATORS if plain else message.separators,
        encoding_characters=STANDARD_ENCODING if plain else msh.raw(2),
        charset=message.charset,
        charset_name=msh.raw(18),
        version=message.version or OWN_VERSION,
        processing_id=_sent(msh, 11, plain=plain) or "P",
        hospital=(_sent(msh, 3, plain=plain), _sent(msh, 4, plain=plain)),
        hub=(_sent(msh, 5, plain=plain), _sent(msh, 6, plain=plain)),
        pid=_as_sent(message.first("PID"), _PID, plain=plain),
        pv1=_as_sent(message.first("PV1"), _PV1, plain=plain),
    )


def plain_identity(pid: Mapping[int, Field], pv1: Mapping[int, Field], facility: str) -> Identity:
    """The same where the hospital has sent no HL7 v2 message."""
    return Identity(
        separators=DEFAULT_SEPARATORS,
        encoding_characters=STANDARD_ENCODING,
        charset="utf-8",
        charset_name="UNICODE UTF-8",
        version=OWN_VERSION,
        processing_id="P",
        hospital=("", facility),
        hub=(HUB, HUB),
        pid=pid,
        pv1=pv1,
    )


def _as_sent(segment: Segment | None, fields: Sequence[int], *, plain: bool = False) -> Mapping[int, Field]:
    return {} if segment is None else {field: _sent(segment, field, plain=plain) for field in fields}


def _sent(segment: Segment, field: int, *, plain: bool) -> str:
    return segment.text(field) if plain else Raw(segment.raw(field))


def written(outcome: Outcome, identity: Identity, answers: Answers) -> bytes:
    """One answer in wire form, of the kind, version and character set that the hospital wants."""
    form = _Form(outcome, identity, answers)
    if outcome.request is not None:
        segments = form.rri(outcome.request)
    else:
        segments = form.mdm() if answers.message == "MDM^T02" else form.oru()
    return write(
        segments,
        separators=identity.separators,
        encoding_characters=identity.encoding_characters,
        charset=codec_of(answers.charset or "") or identity.charset,
    )


class _Form:
    """One answer being written."""

    def __init__(self, outcome: Outcome, identity: Identity, answers: Answers) -> None:
        self._outcome = outcome
        self._who = identity
        self._wants = answers
        self._version = answers.version or identity.version
        self._written_at = timestamp(outcome.at)
        self._said_at = timestamp(outcome.said_at)
        self._number: Repetition = (outcome.document, HUB)
        self._status = "F" if outcome.final else "P"

    # ---- messages

    def mdm(self) -> list[list[Field]]:
        """MDM^T02: a document that says how the referral stands, under the same number each time."""
        ordered = bool(self._outcome.placer) and not self._before(2, 5)
        evn: list[Field] = ["EVN", "T02" if self._before(2, 7) else "", self._written_at]
        return [
            self._msh("MDM", "T02"),
            evn,
            self._pid(),
            self._pv1(),
            *([self._orc(), self._obr()] if ordered else []),
            self._txa(),
            *self._texts(1),
        ]

    def oru(self) -> list[list[Field]]:
        """ORU^R01: a result of the hospital's own request, coded and as text."""
        return [self._msh("ORU", "R01"), self._pid(), self._pv1(), self._obr(), *self._results()]

    def rri(self, request: Message) -> list[list[Field]]:
        """RRI^I12: the answer to a referral that a clinician asked for by name."""
        return [
            self._msh("RRI", "I12"),
            self._rf1(request),
            *self._providers(request),
            self._pid(),
            self._obr(),
            *self._results(),
            self._pv1(),
        ]

    # ---- segments

    def _msh(self, code: str, trigger: str) -> list[Field]:
        wants, who = self._wants, self._who
        kind = (code, trigger) if self._before(2, 3, 1) else (code, trigger, f"{code}_{trigger}")
        return [
            "MSH",
            wants.own_application or who.hub[0] or HUB,
            wants.own_facility or who.hub[1] or HUB,
            wants.application or who.hospital[0],
            wants.facility or who.hospital[1],
            self._written_at,
            "",
            kind,
            self._outcome.control_id,
            who.processing_id,
            self._version,
            *[""] * 5,
            Raw(wants.charset or who.charset_name),
        ]

    def _pid(self) -> list[Field]:
        return _placed("PID", {1: "1", **self._who.pid})

    def _pv1(self) -> list[Field]:
        return _placed("PV1", {1: "1", **self._who.pv1, 2: self._who.pv1.get(2) or "N"})

    def _orc(self) -> list[Field]:
        return ["ORC", "SC", self._outcome.placer, self._number]

    def _obr(self) -> list[Field]:
        need = _coded(NEED, self._outcome.need)
        fields = {1: "1", 2: self._outcome.placer, 3: self._number, 4: need, 7: self._said_at, 22: self._written_at}
        return _placed("OBR", {**fields, 25: self._status})

    def _txa(self) -> list[Field]:
        outcome = self._outcome
        fields: dict[int, Field] = {
            1: "1",
            2: "PN",
            3: "TX",
            4: self._said_at,
            6: self._written_at,
            12: self._number,
            14: outcome.placer,
            15: self._number,
            17: "DO" if outcome.final else "IP",
            18: "R" if outcome.restricted else "U",
            19: "AV",
        }
        return _placed("TXA", fields)

    def _rf1(self, request: Message) -> list[Field]:
        rf1 = request.first("RF1")
        code, display = _STATUS[_RF1_STATUS.get(self._outcome.progress, "accepted")]
        fields = dict(_as_sent(rf1, _RF1))
        fields |= {1: (code, display, "HL70283"), 9: self._said_at, 11: self._number}
        return _placed("RF1", fields)

    def _providers(self, request: Message) -> list[list[Field]]:
        """Who asked, as sent; and who accepted."""
        asking = [prd for prd in request.all("PRD") if prd.text(1).strip() != "RT"]
        found = [_placed("PRD", {field: Raw(prd.raw(field)) for field in range(1, len(prd) + 1)}) for prd in asking]
        referred: Field = ("RT", "Referred to Provider", "HL70286")
        if self._outcome.partner is not None or not found:
            found.append(["PRD", referred, (self._outcome.partner or HUB,)])
        return found

    def _results(self) -> list[list[Field]]:
        coded = "CE" if self._before(2, 5) else "CWE"
        value = _coded(PROGRESS, self._outcome.progress)
        return [self._obx(1, coded, "1", value), *self._texts(2)]

    def _texts(self, first: int) -> list[list[Field]]:
        lines = enumerate(self._outcome.lines, 1)
        return [self._obx(first + n - 1, "TX", str(n), line) for n, line in lines]

    def _obx(self, number: int, kind: str, part: str, value: Field) -> list[Field]:
        what: Field = ("referral-text", "Referral, as text", _LOCAL)
        if kind != "TX":
            what = ("referral-progress", "Progress of the referral", _LOCAL)
        fields = {1: str(number), 2: kind, 3: what, 4: part, 5: value, 11: self._status, 14: self._said_at}
        return _placed("OBX", fields)

    def _before(self, *version: int) -> bool:
        return is_before(self._version, *version)


def _coded(system: str, code: str) -> Repetition:
    return code, CODES[system][code].display, _LOCAL


def _placed(name: str, fields: Mapping[int, Field]) -> list[Field]:
    """A segment with its fields where they stand."""
    return [name, *(fields.get(place, "") for place in range(1, max(fields) + 1))]
