"""A person at the command line, beside a hub that serves: what waits, one word, and what becomes of it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services.intake.sender_counts import _SECONDS as FLUSH_SECONDS
from tests.journeys.running_hub import SEVERAL_SECONDS, Caller, RunningHub, ack_code, command, running
from tests.journeys.stay import HARBOR, MERCY, PEERS, Stay
from tests.postgres import FreshDatabase

OVERDOSE = "DG1|1||T40.411A^Poisoning by fentanyl, accidental^I10|||F"
PARTNERS = [HARBOR, {**PEERS, "needs": ["peer-support", "naloxone"]}]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    if request.param == "postgresql":
        fresh_database: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh_database()
    with running(monkeypatch, tmp_path, url, senders=[MERCY], partners=PARTNERS) as running_hub:
        yield running_hub


@pytest.fixture
def hospital(hub: RunningHub) -> Caller:
    return hub.caller("mercy")


def send(hub: RunningHub, hospital: Caller, *messages: bytes) -> None:
    for message in messages:
        assert ack_code(hub.post_hl7(hospital, message)) == "AA"


def review() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = command("review", "--format", "json")
    return found


def of_mercy() -> dict[str, Any]:
    (found,) = command("health", "--sender", "mercy", "--format", "json")
    one: dict[str, Any] = found
    return one


def eventually(ask: Any, within: float = SEVERAL_SECONDS) -> None:
    until = time.monotonic() + within
    while not ask():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.1)


def sources(hospital: Caller) -> list[tuple[str, str]]:
    tasks = [task for task in hospital.search("Task") if "partOf" not in task]
    return sorted((task["status"], hospital.fhir(task["focus"]["reference"])["code"]["text"]) for task in tasks)


def test_an_overdose_without_medication_becomes_what_the_row_suggests(hub: RunningHub, hospital: Caller) -> None:
    one = Stay(1, diagnosis=OVERDOSE)
    send(hub, hospital, one.quiet_admit())
    assert review() == []
    send(hub, hospital, one.discharge(diagnosis=OVERDOSE))
    (line,) = review()
    assert line["suggested"] == ["peer-support", "naloxone"]
    assert [reason["code"] for reason in line["reasons"]] == ["overdose-no-moud"]
    text = str(command("review"))
    assert "T40.411A Poisoning by fentanyl" in text
    assert "HTEST" not in text
    assert one.family not in text
    answered = command("review", "answer", line["visit"], "refer", "--by", "htest")
    assert (answered["state"], answered["answer"]["by"]) == ("closed", "htest")
    assert review() == []
    assert sources(hospital) == [("requested", "Naloxone"), ("requested", "Peer support")]
    peers = hub.caller("HTEST Peers")
    assert len(peers.search("Task?status=requested")) == 2


def test_not_ours_settles_the_visit_and_later_puts_it_off(hub: RunningHub, hospital: Caller) -> None:
    for number in (1, 2):
        one = Stay(number)
        send(hub, hospital, one.admit(), one.discharge())
    first, second = review()
    command("review", "answer", first["visit"], "later", "--days", "3")
    assert [line["visit"] for line in review()] == [second["visit"], first["visit"]]
    assert "put off until" in str(command("review"))
    command("review", "answer", second["visit"], "not-ours")
    states = {entry["state"] for entry in hub.ledger() if entry["visit"] == second["visit"]}
    assert states == {"not-ours"}
    assert [line["visit"] for line in review()] == [first["visit"]]
    command("review", "answer", second["visit"], "later", code=1)
    (day,) = command("review", "counts", "--format", "json")
    assert (day["opened"], day["later"], day["not_ours"], day["open"]) == (2, 1, 1, 1)


def test_a_unit_that_nobody_classified_is_a_to_do_until_it_is(
    hub: RunningHub, hospital: Caller, tmp_path: Path
) -> None:
    one = Stay(1, unit="9X")
    send(hub, hospital, one.admit(), one.order(), one.discharge())
    (line,) = review()
    assert "unit 9X is not classified" in line["missing"]
    assert sources(hospital)[0][0] == "draft"
    eventually(lambda: of_mercy()["units"] == [{"unit": "9X", "waiting": 1, "messages": 3}], FLUSH_SECONDS + 10)
    file = tmp_path / "mercy.json"
    file.write_text(file.read_text().replace('"4W": "not-part2"', '"4W": "not-part2", "9X": "not-part2"'))
    command("sender", "add", "mercy", "--file", str(file))
    eventually(lambda: not review())
    assert sources(hospital)[0][0] == "requested"
    assert of_mercy()["units"] == []


def test_health_tells_what_came_and_what_was_not_understood(hub: RunningHub, hospital: Caller) -> None:
    one = Stay(1)
    send(hub, hospital, one.admit(), one.admit())
    hub.post_hl7(hospital, one.admit().replace(b"|P|2.5.1", b"|X|2.5.1"))
    eventually(lambda: of_mercy()["last_24h"] == 3, FLUSH_SECONDS + 10)
    found = of_mercy()
    assert found["rejected"] == {"processing-id": 1}
    assert found["latency_seconds"]["messages"] == 2
    assert "mercy" in str(command("health"))
    figures = hub.web.get("/metrics").text
    assert 'throughline_sender_silent{sender="mercy"} 0' in figures
