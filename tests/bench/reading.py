"""What it costs to read one message, in one process: ``python -m tests.bench.reading`` prints microseconds as JSON.

Medians over fresh messages, so that nothing is in a cache but what a running hub has there too. ``reader and triage``
reads of a message what triage looks at, diagnoses and drugs, and judges it; ``full reading`` reads it whole.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from fhir_mappings import hl7v2, triage
from fhir_mappings.dialects import find
from fhir_mappings.dialects.adt_generic import drugs, stay
from fhir_mappings.dialects.adt_generic.dialect import UNTIMED
from fhir_mappings.dialects.adt_generic.fields import Source
from fhir_mappings.dialects.adt_generic.site import site_of
from fhir_mappings.hl7v2 import Message
from schemas.base import changed
from schemas.facts import Facts
from schemas.sender import Sender

SENDER: Final = Sender(id="bench", organization="HTEST", dialect="adt_generic", timezone="America/New_York")
MESSAGES: Final = 4000
NOTHING: Final = Facts(trigger="ADT^A01", kind="admit", at=UNTIMED)


def unrelated(number: int) -> bytes:
    """An ADT^A01 of twelve segments without any signal."""
    lines = (
        rf"MSH|^~\&|EPIC|MERCY|HUB|HUB|20260605101500-0400||ADT^A01^ADT_A01|HTEST{number}|P|2.5.1||||||UNICODE UTF-8",
        "EVN|A01|20260605101500-0400",
        (
            f"PID|1||HTEST{number:06d}^^^MERCY^MR||HTEST^Robin^Q||19800101|F|||"
            f"{number} Test St^^Testville^NY^10001||212-555-0101"
        ),
        "PD1|||HTEST Clinic",
        "NK1|1|HTEST^Kim|SPO|12 Test St^^Testville^NY^10001|212-555-0102",
        f"PV1|1|I|7E^0412^A^MERCY|1|||1999990017^HTESTDOC^ANNA|||MED|||||||||V{number:06d}^^^MERCY^VN"
        + "|" * 25
        + "20260605100000",
        "PV2|||^Chest pain||||||20260608",
        "DG1|1||I10^Essential hypertension^I10|||A",
        "DG1|2||E11.9^Type 2 diabetes^I10|||A",
        "AL1|1|DA|70618^Penicillin^RXNORM",
        "IN1|1|PPO|HT01|HTEST Payer|||||||||||||||||||||||||||||||||HT12345",
        "OBX|1|NM|8302-2^Body height^LN||170|cm|||||F",
    )
    return "\r".join(lines).encode() + b"\r"


def reader_and_triage(data: bytes) -> bool:
    """Whether a message carries a signal, from what triage looks at alone."""
    message = hl7v2.parse(data)
    source = Source(site_of(SENDER, message.separators), None)
    standing, _ = stay.diagnoses(source, message)
    found = drugs.drugs(source, message, UNTIMED)
    stated = {"diagnoses": standing, "orders": found.orders, "doses": found.doses, "supplies": found.supplies}
    return triage.message_signal(changed(NOTHING, stated))


def full_reading(data: bytes) -> bool:
    """Everything that a message says, and whether it carries a signal."""
    message: Message = hl7v2.parse(data)
    return triage.message_signal(find("adt_generic").read(message, SENDER).facts)


def median(work: Callable[[bytes], object], messages: Sequence[bytes]) -> float:
    """Microseconds."""
    taken = []
    for data in messages:
        start = time.perf_counter_ns()
        work(data)
        taken.append(time.perf_counter_ns() - start)
    return round(statistics.median(taken) / 1000, 1)


def measured(count: int = MESSAGES) -> dict[str, float]:
    """Each figure, over ``count`` messages."""
    messages = [unrelated(number) for number in range(count)]
    batch = b"BHS|^~\\&|HTEST\r" + b"".join(messages[:1000]) + b"BTS\r"
    work: dict[str, Callable[[bytes], object]] = {
        "parse": hl7v2.parse,
        "reader and triage": reader_and_triage,
        "full reading": full_reading,
    }
    warm = messages[: count // 10]
    for one in work.values():
        median(one, warm)
    figures = {name: median(one, messages) for name, one in work.items()}
    return figures | {"split a batch of 1000": median(lambda data: list(hl7v2.split(data)), [batch] * 5)}


if __name__ == "__main__":
    json.dump(measured(), sys.stdout, indent=1)
    sys.stdout.write("\n")
