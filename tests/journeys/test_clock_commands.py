"""The coverage clock at a terminal: what it has shown, and the hospital's one answer."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.contract.clocks import FILM, prescribed
from tests.contract.http_messages import event
from tests.journeys.machine import Machine
from tests.journeys.test_cli import PARTNER, SENDER_FILE, fails


def test_an_operator_reads_the_clock_and_records_the_answer(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "sqlite:///./var/hub.db")
    machine.type("db", "upgrade")
    machine.type("partner", "import", machine.write("partners.json", json.dumps([PARTNER])))
    machine.type("sender", "add", "mercy-adt", "--file", machine.write("sender.json", json.dumps(SENDER_FILE)))
    now = datetime.now(UTC).replace(microsecond=0)
    last = (now - timedelta(hours=6)).isoformat()
    medication = {"product": FILM, "doses": [{"at": last, "amount": 8, "unit": "mg"}], "bridges": [prescribed(7)]}
    told = event(7, occurred_at=(now - timedelta(hours=1)).isoformat(), medications=[medication])
    told["visit"] |= {"discharged_at": (now - timedelta(hours=1)).isoformat()}
    machine.type("ingest", machine.write("event.json", json.dumps(told)), "--sender", "mercy-adt")
    (entry,) = machine.json("ledger", "--format", "json")
    referral = entry["referral"]

    shown = machine.type("clock", referral).stdout
    head, row = shown.splitlines()[:2]
    assert row.index("stat") == head.index("priority")
    assert row.index("possible") == head.index("gap")
    assert "?confirm-pick-up" in row
    assert "supply: prescribed, 7 days, filled: unknown" in shown
    assert " mg" not in shown
    assert "never a dosing recommendation" in shown

    answered = machine.json("pickup", referral, "yes", "--by", "R. Htest")
    assert (answered["why"], answered["outputs"]["gap"]) == (["supply"], "none")
    lines = machine.json("clock", referral, "--format", "json")
    assert [line["cause"].partition(":")[0] for line in lines] == ["message", "answer"]
    assert [line["outputs"]["priority"] for line in lines] == ["stat", "routine"]

    fails(machine.type("clock", "nobody", code=2), "No coverage clock", "throughline ledger")
    fails(machine.type("pickup", "nobody", "no", code=2), "No referral", "throughline ledger")


def test_without_a_prescription_there_is_nothing_to_pick_up(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "sqlite:///./var/hub.db")
    machine.type("db", "upgrade")
    methadone = PARTNER | {"products": []}
    machine.type("partner", "import", machine.write("partners.json", json.dumps([methadone])))
    machine.type("sender", "add", "mercy-adt", "--file", machine.write("sender.json", json.dumps(SENDER_FILE)))
    machine.type("ingest", machine.write("event.json", json.dumps(event())), "--sender", "mercy-adt")
    (entry,) = machine.json("ledger", "--format", "json")
    fails(machine.type("pickup", entry["referral"], "yes", code=2), "nothing to pick up", "throughline clock")
