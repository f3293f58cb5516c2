"""The whole public corpus through intake: every message ends in one ledger state, and nothing fails on the way."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.actor import Actor
from app.services.hub import Hub
from app.services.intake import ingest_files
from app.services.partners import registration
from app.store.changes import LedgerState

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "hl7v2"
STATES = frozenset(LedgerState.__args__)  # type: ignore[attr-defined] # the names of a Literal
ANY_SENDER = {"id": "anyone", "organization": "HTEST Anyone", "dialect": "adt_generic", "timezone": "America/New_York"}

pytestmark = [
    pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus of HL7 v2 messages is not here"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


@pytest.fixture(autouse=True)
def nothing_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("WARNING"):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def pieces(files: list[Path]) -> int:
    """How many messages there are, by the cutter of files alone."""
    return sum(len(list(ingest_files.cut(str(path), path.read_bytes()))) for path in files)


async def test_every_message_of_the_corpus_ends_in_one_ledger_state(hub: Hub) -> None:
    await registration.found_hub(hub)
    await registration.add_sender(hub, ANY_SENDER)
    senders = ingest_files.chosen(await hub.registry.current(), "anyone")
    files = ingest_files.find([CORPUS])
    results = [result async for result in ingest_files.ingest(hub, files, senders)]
    assert len(results) == pieces(files)
    assert [(one.file, one.index) for one in results if one.state not in STATES] == []

    in_ledger = await hub.store.intake(Actor.system("test")).counts()
    unsupported = sum(1 for one in results if [r["code"] for r in one.reasons] == ["unsupported-format"])
    assert sum(in_ledger.values()) == len(results) - unsupported
    at_the_end = Counter(dict.fromkeys(STATES, 0))
    for (_, state), count in in_ledger.items():
        at_the_end[state] += count
    assert at_the_end["not-ours"] > at_the_end["rejected"], "most of the corpus is readable and nobody's concern"
    assert at_the_end["duplicate"] > 0
    refusals = Counter(reason["code"] for one in results if one.state == "rejected" for reason in one.reasons)
    assert set(refusals) <= {
        "unsupported-format",
        "not-hl7",
        "control-id-missing",
        "required-field-missing",
        "processing-id",
        "version",
        "unreadable",
        # FHIR that stands beside the messages and is neither a message nor a transaction that intake takes
        "not-conforming",
        "not-supported",
        "unknown-event",
        *(code for code in refusals if code.startswith(("bad-", "no-", "too-", "missing-"))),
    }, json.dumps(refusals)


async def test_a_second_run_over_some_of_it_finds_every_message_again(hub: Hub) -> None:
    await registration.found_hub(hub)
    await registration.add_sender(hub, ANY_SENDER)
    senders = ingest_files.chosen(await hub.registry.current(), "anyone")
    files = [path for path in ingest_files.find([CORPUS])[::40] if pieces([path]) < 50]
    first = [one async for one in ingest_files.ingest(hub, files, senders)]
    again = [one async for one in ingest_files.ingest(hub, files, senders)]
    kept = [(a.state, b.state) for a, b in zip(first, again, strict=True) if a.ack == "AA"]
    assert {after for _, after in kept} == {"duplicate"}
