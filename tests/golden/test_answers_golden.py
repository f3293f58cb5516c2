"""Answers to hospitals, byte by byte as they are expected: ``tests/golden/answers`` (CR written as line ends).

``THROUGHLINE_GOLDEN=write`` writes them anew; the difference is then read by a person.
"""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from fhir_mappings.hl7v2 import Message, parse
from fhir_mappings.outcome_identity import pid_of, placer_of, pv1_of
from fhir_mappings.outcome_text import Telling, lines
from fhir_mappings.outcomes import Outcome, identity_of, plain_identity, written
from schemas.packs.base import notice
from schemas.sender import Answers

FOLDER: Final = Path(__file__).parent / "answers"
ZONE: Final = ZoneInfo("America/New_York")
SAID: Final = datetime.fromisoformat("2026-06-09T10:29:00-04:00")
WRITTEN: Final = datetime.fromisoformat("2026-06-09T10:30:00-04:00")
TASK: Final[dict[str, Any]] = {
    "resourceType": "Task",
    "id": "0197a2c4-7d1e-7c3b-9a51-0c2f5a1b7e60",
    "restriction": {"period": {"end": "2026-06-11T13:15:00+00:00"}},
    "output": [{"type": {"text": "service"}, "valueCodeableConcept": {"text": "HTEST film | 8 mg ^ given"}}],
    "statusReason": {"text": "HTEST did not\ncome"},
}
DISCHARGE: Final = (
    "MSH|^~\\&|EPIC|MERCY|THROUGHLINE|HUB|20260608142000-0400||ADT^A03^ADT_A03|HTEST1|P|2.5.1||||||UNICODE UTF-8",
    "EVN|A03|20260608142000",
    (
        "PID|1||HTEST00001^^^HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR~HTESTE1^^^HTESTEPI^PI||HTESTALDER^José||19910402|M"
        "|||12 Test St^^Testville^NY|||||||HTESTACC1^^^HTESTACC^AN"
    ),
    "PV1|1|I|4W^0412^A^MERCY|1" + "|" * 15 + "V00001^^^HTESTCSN^VN",
)
REFERRAL: Final = (
    "MSH$*~%&$CLINIC*1.2.3*ISO$MERCY$THROUGHLINE$HUB$20260608120000-0400$$REF*I12*REF_I12$HTEST2$P$2.4",
    "RF1$P*Pending*HL70283$S*Stat*HL70280$SUD*Substance use$$OUT$R-77*CLINIC$20260608$$$MOUD*Medication",
    "PRD$RP*Referring Provider*HL70286$HTESTDOC*Ada*****MD$$$555-0199$$1234*NPI",
    "PRD$RT*Referred to Provider*HL70286$Harbor OTP",
    "PID$1$$HTEST00002***HTESTMRN*MR$$HTESTBIRCH*Sam$$19800101$F",
    "PV1$1$O$CLINIC" + "$" * 16 + "V00002***HTESTCSN*VN",
)


def message(*segments: str, charset: str = "utf-8") -> Message:
    return parse("".join(f"{one}\r" for one in segments).encode(charset))


def outcome(progress: str, *, final: bool = False, **changed: Any) -> Outcome:
    task = TASK | {"output": TASK["output"] if final else []}
    telling = Telling(task, "moud-continuation", progress, SAID, ZONE, "HTEST Harbor OTP", "555-0100")
    if changed.pop("part2", False):
        telling = replace(telling, notice=[notice("part2-2-32").text])
        changed["restricted"] = True
    made = Outcome(
        "0A1B2C3D4E5F60718293", WRITTEN, SAID, TASK["id"], "moud-continuation", progress, final, lines(telling)
    )
    return replace(made, partner="HTEST Harbor OTP", **changed)


def answers(**wanted: Any) -> Answers:
    return Answers.model_validate({"to": "mllps://engine.example.org:2575", **wanted})


OTHER: Final = {
    "identifier": [
        {"system": "urn:throughline:authority:org:LK%20MRN", "value": "HTEST3", "type": {"coding": [{"code": "MR"}]}}
    ],
    "name": [{"family": "Htest", "given": ["Sam", "Q"]}],
    "birthDate": "1991-04-02",
    "gender": "female",
}
ENCOUNTER: Final = {"class": {"code": "EMER"}, "identifier": [{"system": "urn:oid:1.2.3", "value": "V3"}]}
ORDER: Final = {
    "identifier": [
        {"system": "https://lake.example.org/orders", "value": "P|3", "type": {"coding": [{"code": "PLAC"}]}}
    ]
}
CASES: Final[dict[str, tuple[Outcome, Any, Answers]]] = {
    "mdm-accepted": (outcome("accepted"), identity_of(message(*DISCHARGE)), answers()),
    "mdm-first-dose": (
        outcome("first-dose-given", final=True, part2=True, placer=("P1", "HTESTPLC")),
        identity_of(message(*DISCHARGE)),
        answers(application="CHART", facility="EAST", own_application="TL", own_facility="COUNTY"),
    ),
    "mdm-not-seen-2-3": (
        outcome("not-seen", final=True),
        identity_of(message(*DISCHARGE)),
        answers(version="2.3", charset="ASCII"),
    ),
    "oru-first-dose": (
        outcome("first-dose-given", final=True, placer=("P1", "HTESTPLC")),
        identity_of(message(*DISCHARGE)),
        answers(message="ORU^R01"),
    ),
    "oru-on-hold-2-4": (
        outcome("on-hold"),
        identity_of(message(*DISCHARGE)),
        answers(message="ORU^R01", version="2.4", charset="8859/1"),
    ),
    "rri-accepted": (
        outcome("accepted", request=message(*REFERRAL)),
        identity_of(message(*REFERRAL)),
        answers(),
    ),
    "rri-needs-a-person": (
        replace(outcome("needs-a-person", request=message(*REFERRAL)), partner=None),
        identity_of(message(*REFERRAL)),
        answers(message="ORU^R01"),
    ),
    "mdm-of-an-event": (
        outcome("closed", final=True, placer=placer_of(ORDER, {"LKORD": "https://lake.example.org/orders"})),
        plain_identity(pid_of(OTHER, {}), pv1_of(ENCOUNTER, {"LKVN": "urn:oid:1.2.3"}), "HTEST Lakeside"),
        answers(),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_written_to_the_byte_as_expected(name: str) -> None:
    content = written(*CASES[name])
    file = FOLDER / f"{name}.hl7"
    if os.environ.get("THROUGHLINE_GOLDEN") == "write":
        file.write_bytes(content.replace(b"\r", b"\n"))
    assert content.replace(b"\r", b"\n") == file.read_bytes()
    assert content == written(*CASES[name])


def test_every_golden_answer_is_a_case() -> None:
    assert {file.stem for file in FOLDER.glob("*.hl7")} == set(CASES)


def test_what_is_sent_back_is_read_back_as_it_was_meant() -> None:
    """Delimiters and line ends of a text forge no field and no segment."""
    for name, (told, who, wants) in CASES.items():
        read = parse(written(told, who, wants))
        texts = [one.text(5) for one in read.all("OBX") if one.text(2) == "TX"]
        wanted = [*told.lines]
        if "2-3" in name:
            wanted = [line.encode("ascii", "replace").decode() for line in wanted]
        assert texts == wanted, name
        assert read.control_id == told.control_id
        assert read.first("PID") is not None


def test_a_sender_without_components_gets_the_standard_delimiters() -> None:
    plain = message("MSH|||EPIC|MERCY|TL|HUB|20260608||ADT|1|P|2.3", "PID|1||HTEST9||HTEST", "PV1|1|I")
    read = parse(written(outcome("accepted"), identity_of(plain), answers()))
    assert read.type == "MDM^T02"
    pid = read.first("PID")
    assert pid is not None
    assert pid.text(3) == "HTEST9"
