"""The command line as it is typed: real processes, a real key file, a real database."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.machine import ROOT, Machine, wait_for
from tests.postgres import FreshDatabase
from tests.scratch import spare_port

CORPUS = ROOT.parent / "shared" / "corpus" / "hl7v2"
BUNDLE = ROOT / "fhir_mappings" / "dialects" / "fhir_message" / "samples" / "discharge.json"
STATES = {"referral", "updated", "waiting", "review", "not-ours", "rejected", "duplicate"}
PARTNER = {
    "name": "HTEST Harbor OTP",
    "covered_entity": True,
    "part2_program": True,
    "needs": ["moud-continuation"],
    "products": ["buprenorphine"],
}
SENDER_FILE = {
    "id": "in-the-file",
    "organization": "HTEST Mercy",
    "dialect": "adt_generic",
    "timezone": "America/New_York",
    "match_msh": ["EPIC|MERCY"],
    "units": {"4W": "not-part2"},
    "routes": {"moud-continuation": "HTEST Harbor OTP"},
    "mode": "production",
}
EVENT: dict[str, Any] = {
    "schema_version": "1",
    "event_id": "htest-1",
    "kind": "discharge",
    "occurred_at": "2026-06-05T14:10:00-04:00",
    "patient": {"identifiers": [{"system": "urn:htest:mrn", "value": "HTEST0042"}], "name": {"family": "Htest"}},
    "visit": {"identifiers": [{"system": "urn:htest:visit", "value": "V-0042"}], "class": "IMP", "unit": "4W"},
}


def message(control_id: str, trigger: str, *segments: str, sending: str = "EPIC|MERCY") -> str:
    head = f"MSH|^~\\&|{sending}|TL|HUB|20260605141000||{trigger}|{control_id}|P|2.5.1"
    person = "PID|1||HTEST0001^^^MERCY^MR||HTESTFAMILY^SAM||19910402|M"
    visit = "PV1|1|I|4W^401^1||||||||||||||||V0001^^^MERCY^VN"
    return "\r".join((head, "EVN||20260605141000", person, visit, *segments)) + "\r"


ADMIT = message("A1", "ADT^A01")
ORDER = message(
    "A2", "RDE^O11", "ORC|NW|O1^EPIC", "RXE||1010604^buprenorphine-naloxone 8-2 film^RXNORM|8||mg", "RXR|SL"
)


@pytest.fixture
def fresh(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "sqlite:///./var/hub.db")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = Machine(tmp_path_factory.mktemp("prepared"), "sqlite:///./var/hub.db")
    one.type("db", "upgrade")
    one.type("partner", "import", one.write("partners.json", json.dumps([PARTNER])))
    one.type("sender", "add", "mercy-adt", "--file", one.write("sender.json", json.dumps(SENDER_FILE)))
    return one.folder


@pytest.fixture
def machine(fresh: Machine, prepared: Path) -> Machine:
    """With one hospital and one partner."""
    shutil.copytree(prepared, fresh.folder, dirs_exist_ok=True)
    return fresh


def fails(done: subprocess.CompletedProcess[str], about: str, hint: str) -> None:
    """One line says what, one what to try; nothing for a program to mistake for a result."""
    error, advice = done.stderr.strip().splitlines()[-2:]
    assert error.startswith("error: ")
    assert about in error
    assert advice.startswith("hint: ")
    assert hint in advice
    assert done.stdout == ""


def commands() -> Iterator[tuple[str, ...]]:
    yield from (("serve",), ("worker",), ("db", "upgrade"), ("db", "check"), ("sender", "add"), ("partner", "import"))
    yield from (("client", "add"), ("token",), ("ingest",), ("explain",), ("ledger",), ("ledger", "replay"))
    yield from (("coverage",), ("sender", "check"), ("bench",), ("demo",), ("client", "rotate"), ("client", "revoke"))


def test_the_help_lists_every_command_and_none_that_comes_later(fresh: Machine) -> None:
    listed = re.findall(r"^  (\w+) ", fresh.type("--help").stdout, re.MULTILINE)
    assert set(listed) >= {
        "serve",
        "worker",
        "token",
        "ingest",
        "explain",
        "coverage",
        "db",
        "sender",
        "partner",
        "client",
        "ledger",
    }
    assert not {"measure", "export"} & set(listed)


def test_the_help_loads_nothing_that_only_a_command_needs(fresh: Machine) -> None:
    loaded = "import sys, app.cli; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, env=fresh.environment, capture_output=True, text=True, check=True
    )
    assert not {"pydantic", "sqlalchemy", "fastapi", "orjson", "fhir_mappings", "schemas"} & set(done.stdout.split())


def test_every_command_shows_an_example(fresh: Machine) -> None:
    for words in commands():
        shown = " ".join(fresh.type(*words, "--help").stdout.split())
        assert f"Example: throughline {' '.join(words)}" in shown or f"$(throughline {words[0]}" in shown, words


def test_a_new_machine_is_told_to_upgrade_first(fresh: Machine) -> None:
    fails(fresh.type("ledger", code=1), "key file", "throughline db upgrade")
    fails(fresh.type("serve", code=1), "key file", "throughline db upgrade")
    fresh.type("db", "upgrade")
    fails(fresh.type("ledger", code=1, THROUGHLINE_DATABASE_URL="sqlite:///./other.db"), "schema", "db upgrade")


def test_the_database_is_upgraded_once_and_the_key_file_is_for_its_owner_only(fresh: Machine) -> None:
    first = fresh.json("db", "upgrade")
    keys = (fresh.folder / "var" / "keys").read_bytes()
    again = fresh.json("db", "upgrade")
    assert (first["keys"], again["keys"]) == ("created", "kept")
    assert first["organization"] == again["organization"]
    assert (fresh.folder / "var" / "keys").read_bytes() == keys
    assert (fresh.folder / "var" / "keys").stat().st_mode & 0o777 == 0o600
    assert "FAIL" not in fresh.type("db", "check").stdout


def test_the_same_name_is_the_same_organisation_and_the_command_line_wins(machine: Machine) -> None:
    one = machine.json("sender", "add", "mercy-adt", "--file", "sender.json")
    two = machine.json("sender", "add", "mercy-json", "--file", "sender.json", "--dialect", "event_json")
    other = machine.json("sender", "add", "north", "--file", "sender.json", "--organization", "HTEST North")
    assert (one["sender"], two["sender"]) == ("mercy-adt", "mercy-json")
    assert one["organization"] == two["organization"] != other["organization"]
    partners = machine.json("partner", "import", "partners.json")
    assert partners == machine.json("partner", "import", "partners.json")
    assert [one["name"] for one in partners] == ["HTEST Harbor OTP"]


def test_what_is_wrong_with_a_registration_is_said_in_one_line(machine: Machine) -> None:
    common = ("sender", "add", "x", "--organization", "HTEST X", "--dialect", "adt_generic", "--timezone")
    fails(machine.type(*common, "Mars/Olympus", code=2), "timezone", "--help")
    fails(machine.type(*common, "UTC", "--peer", "10.0.0.1/8", code=2), "peers", "--help")
    fails(machine.type("sender", "add", "x", code=2), "organization", "--help")
    fails(machine.type("partner", "import", machine.write("bad.json", "{"), code=2), "not JSON", "--help")
    fails(machine.type("partner", "import", "nowhere.json", code=2), "nowhere.json", "check the path")


def test_what_is_wrong_with_what_a_partner_said_is_told_as_people_write_it(machine: Machine) -> None:
    spoken = ("answer", "record", "x", "--answer", "accepted", "--said-by", "HTEST", "--number", "+1 555 0100")
    fails(machine.type(*spoken, "--at", "yesterday", code=2), "2026-06-05T16:40:00-04:00", "--help")
    machine.json("partner", "import", "partners.json")
    answer = ("retention", "answer", "HTEST Harbor OTP", "--list", "x", "--by", "HTEST")
    fails(machine.type(*answer, "--tell", "a=left@yesterday", code=2), "TASK=CODE@2026-06-08", "--help")
    fails(machine.type(*answer, "--rest-here", code=2), "No list of this id", "throughline retention list")
    fails(machine.type("retention", "list", "Nobody", code=2), "No organization", "who takes part")


def test_a_client_gets_a_secret_and_a_token_alone_on_the_last_line(machine: Machine) -> None:
    (partner,) = machine.json("partner", "import", "partners.json")
    register = ("client", "add", "--organization", partner["organization"], "--scope")
    made = machine.json(*register, "system/Task.rus", "--secret")
    assert set(made) == {"client_id", "client_secret"}
    done = machine.type("token", "--client", made["client_id"])
    assert re.fullmatch(r"[\w-]{43}\n", done.stdout)
    fails(machine.type("token", "--client", "nobody", code=2), "client", "check the id")
    fails(machine.type(*register, "Task.everything", "--secret", code=2), "scope", "--help")
    fails(machine.type(*register, "ingest", code=2), "identify", "--secret")
    fails(machine.type(*register, "ingest", "--jwks", "keys.json", code=2), "keys.json", "check the path")


def test_a_folder_is_taken_in_and_every_message_is_reported(machine: Machine) -> None:
    machine.write("in/1.hl7", ADMIT)
    machine.write("in/2/batch.txt", f"FHS|^~\\&\rBHS|^~\\&\r{ORDER}{ADMIT}BTS|2\rFTS|1\r")
    machine.write("in/3.ndjson", json.dumps(EVENT) + "\n" + json.dumps(EVENT | {"event_id": "htest-2"}) + "\n")
    machine.write("in/4.json", json.dumps(EVENT | {"event_id": "htest-3"}, indent=1))
    machine.write("in/5.fhir", '{"resourceType": "Bundle", "type": "message"}')
    machine.write("in/5.json", BUNDLE.read_text())
    machine.write("in/5.xml", "<Bundle/>")
    machine.write("in/6.hl7", message("A9", "ADT^A01", sending="OTHER|PLACE"))
    machine.write("in/.hidden", "not read")
    summary = machine.json("ingest", "in", "--report", "report.ndjson", code=3)
    report = [json.loads(line) for line in (machine.folder / "report.ndjson").read_text().splitlines()]
    assert [(Path(one["file"]).name, one["index"], one["ack"], one["state"]) for one in report] == [
        ("1.hl7", 1, "AA", "not-ours"),
        ("batch.txt", 1, "AA", "referral"),
        ("batch.txt", 2, "AA", "duplicate"),
        ("3.ndjson", 1, "AA", "not-ours"),
        ("3.ndjson", 2, "AA", "not-ours"),
        ("4.json", 1, "AA", "not-ours"),
        ("5.fhir", 1, "AE", "rejected"),
        ("5.json", 1, "AA", "referral"),
        ("5.xml", 1, None, "rejected"),
        ("6.hl7", 1, "AR", "rejected"),
    ]
    assert [one["reasons"][0]["code"] for one in report[-2:]] == ["unsupported-format", "unknown-sender"]
    assert set(report[1]) == {
        "file", "index", "ack", "state", "reasons", "control_id", "message_type", "referral",
    }  # fmt: skip
    assert (report[1]["control_id"], report[1]["message_type"]) == ("A2", "RDE^O11")
    assert summary["states"] == Counter(one["state"] for one in report)
    assert summary["messages"] == len(report)


def test_many_messages_of_one_visit_in_one_file_are_all_kept(machine: Machine) -> None:
    doses = "".join(ADMIT.replace("|A1|", f"|B{n}|").replace("ADT^A01", "ADT^A08") for n in range(40))
    summary = machine.json("ingest", machine.write("many.hl7", doses), "--sender", "mercy-adt")
    assert summary["messages"] == sum(summary["states"].values()) == 40
    assert "not-kept" not in summary["states"]


def test_a_dry_run_judges_and_keeps_nothing(machine: Machine) -> None:
    path = machine.write("order.hl7", ORDER)
    summary = machine.json("ingest", path, "--dry-run")
    assert (summary["states"], summary["dry_run"]) == ({"referral": 1}, True)
    assert machine.json("ledger", "--format", "json") == []


def test_usage_of_ingest_is_checked_before_anything_is_read(machine: Machine) -> None:
    path = machine.write("order.hl7", ORDER)
    fails(machine.type("ingest", path, "--sender", "nobody", code=2), "No sender", "--help")
    fails(machine.type("ingest", "nowhere", code=2), "nowhere", "path")
    fails(machine.type("ingest", code=2), "Missing argument", "throughline ingest --help")


def test_the_ledger_shows_where_messages_went_and_decides_one_again(machine: Machine) -> None:
    # One after the other: what is taken in together may be received in any order.
    machine.type("ingest", machine.write("admit.hl7", ADMIT))
    machine.type("ingest", machine.write("order.hl7", ORDER))
    entries = machine.json("ledger", "--format", "json")
    assert set(entries[0]) == {
        "id", "sender", "control_id", "message_type", "received_at", "state", "reasons", "visit", "referral",
    }  # fmt: skip
    assert [(one["control_id"], one["state"]) for one in entries] == [("A1", "not-ours"), ("A2", "referral")]
    assert machine.json("ledger", "--format", "json", "--state", "referral", "--since", "1h") == entries[1:]
    assert machine.json("ledger", "--format", "json", "--sender", "other") == []
    assert machine.json("ledger", "--format", "json", "--since", "2999-01-01") == []
    head, *rows = machine.type("ledger").stdout.splitlines()
    assert head.split()[:2] == ["received", "sender"]
    assert {row.rindex(one["id"]) for row, one in zip(rows, entries, strict=True)} == {head.rindex("id")}
    again = machine.json("ledger", "replay", entries[1]["id"])
    assert (again["id"], again["referral"]) == (entries[1]["id"], entries[1]["referral"])
    fails(machine.type("ledger", "replay", entries[0]["id"], code=2), "content not kept", "keeps its content")
    fails(machine.type("ledger", "replay", "nothing", code=2), "No ledger entry", "ledger")
    fails(machine.type("ledger", "--since", "yesterday", code=2), "--since is not a time: 2026", "--help")
    fails(machine.type("ledger", "--state", "lost", code=2), "--state", "--help")
    assert "FAIL" not in machine.type("db", "check").stdout


def test_explain_tells_field_by_field_without_a_database(fresh: Machine) -> None:
    path = fresh.write("order.hl7", ORDER)
    text = fresh.type("explain", path).stdout
    assert re.search(r"^verdict +referral", text, re.MULTILINE)
    assert re.search(r"^  MedicationRequest +1$", text, re.MULTILINE)
    assert "HTESTFAMILY" not in text
    body = fresh.json("explain", path, "--format", "json")
    assert body["verdict"]["outcome"] == "referral"
    assert [one["used"] for one in body["fields"] if one["path"] == "RXE-2"] == [True]
    assert "Task" in [resource["resourceType"] for resource in body["resources"]]
    assert body["gate"] == []


def test_explain_uses_the_registered_sender_and_takes_one_message_of_a_batch(machine: Machine) -> None:
    path = machine.write("batch.hl7", ADMIT + ORDER)
    assert machine.json("explain", path, "--format", "json")["verdict"]["outcome"] == "not-ours"
    body = machine.json("explain", path, "--format", "json", "--message", "2")
    assert (body["sender"], body["verdict"]["outcome"]) == ("mercy-adt", "referral")
    event = machine.write("event.json", json.dumps(EVENT))
    assert machine.json("explain", event, "--format", "json", "--sender", "mercy-adt")["message_type"] == "event"
    fails(machine.type("explain", path, "--message", "3", code=2), "2 messages", "--message 1 to 2")
    fails(machine.type("explain", machine.write("b.xml", "<Bundle/>"), code=2), "neither", "--help")
    bundle = machine.json("explain", BUNDLE, "--format", "json", "--sender", "mercy-adt")
    assert (bundle["dialect"], bundle["verdict"]["outcome"]) == ("fhir_message", "referral")


def test_explain_takes_a_sender_file_without_a_database(fresh: Machine) -> None:
    path = fresh.write("order.hl7", ORDER)
    file = fresh.write("sender.json", json.dumps(SENDER_FILE))
    text = fresh.type("explain", path, "--file", file).stdout
    assert text.startswith("sender      in-the-file (adt_generic)\n")
    assert "  unit 4W: not-part2\n" in text
    fails(fresh.type("explain", path, "--file", fresh.write("bad.json", "{"), code=2), "not JSON", "--help")
    wrong = fresh.write("wrong.json", '{"timezone": "Mars/Olympus"}')
    fails(fresh.type("explain", path, "--file", wrong, code=2), "timezone", "--help")
    assert not (fresh.folder / "var").exists()


def test_explain_against_shows_only_what_differs(machine: Machine) -> None:
    path = machine.write("order.hl7", ORDER)
    other = machine.write("other.json", json.dumps(SENDER_FILE | {"units": {}, "id": "other"}))
    text = machine.type("explain", path, "--sender", "mercy-adt", "--against", other).stdout
    assert text == (
        "-  mercy-adt (adt_generic)\n+  other (adt_generic)\n\n"
        "facts\n  - unit 4W: not-part2\n  + unit 4W: not classified, counts as Part 2\n"
    )
    text = machine.type("explain", path, "--file", other, "--against", "mercy-adt").stdout
    assert "  + unit 4W: not-part2\n" in text
    over = machine.write("over.json", '{"units": {"4W": "part2"}}')
    text = machine.type("explain", path, "--sender", "mercy-adt", "--file", over).stdout
    assert "sender      mercy-adt (adt_generic)\n" in text
    assert "  unit 4W: part2\n" in text
    body = machine.json("explain", path, "--against", "mercy-adt", "--format", "json")
    assert body["facts"] == []
    fails(machine.type("explain", path, "--against", "nobody", code=2), "sender", "--help")


def test_coverage_counts_as_a_dry_run_does(machine: Machine) -> None:
    machine.write("in/1.hl7", ADMIT)
    machine.write("in/2/batch.txt", f"FHS|^~\\&\rBHS|^~\\&\r{ORDER}{ADMIT}BTS|2\rFTS|1\r")
    machine.write("in/3.ndjson", json.dumps(EVENT) + "\n" + json.dumps(EVENT | {"event_id": "htest-2"}) + "\n")
    machine.write("in/5.fhir", '{"resourceType": "Bundle", "type": "message"}')
    machine.write("in/5.json", BUNDLE.read_text())
    machine.write("in/5.xml", "<Bundle/>")
    machine.write("in/6.hl7", message("A9", "ADT^A01", sending="OTHER|PLACE"))
    dry = machine.json("ingest", "in", "--dry-run", code=3)
    body = machine.json("coverage", "in", "--format", "json")
    assert body["states"] == dry["states"]
    assert body["messages"] == dry["messages"] == sum(map(sum, (one.values() for one in body["types"].values())))
    assert machine.json("coverage", "in", "--sender", "mercy-adt", "--format", "json")["states"] == dry["states"]
    text = machine.type("coverage", "in").stdout
    page = machine.type("coverage", "in", "--format", "markdown").stdout
    for shown in (text, page, json.dumps(body)):
        assert "HTEST" not in shown
    assert page.startswith("### Messages (7 files)\n\n| type | ")
    fails(machine.type("coverage", "nowhere", code=2), "nowhere", "check the id, name or path")
    fails(machine.type("coverage", "in", "--sender", "nobody", code=2), "sender", "--help")


def test_coverage_needs_no_database(fresh: Machine) -> None:
    fresh.write("in/1.hl7", ORDER)
    neutral = fresh.json("coverage", "in", "--format", "json")
    assert [one["what"] for one in neutral["to_do"]] == ["unit 4W (PV1-3)"]
    file = fresh.write("sender.json", json.dumps(SENDER_FILE))
    body = fresh.json("coverage", "in", "--file", file, "--format", "json")
    assert body["states"] == {"referral": 1}
    assert body["to_do"] == []
    assert not (fresh.folder / "var").exists()


def test_a_sender_file_is_checked_before_it_goes_live(machine: Machine) -> None:
    machine.write("in/1.hl7", ADMIT + ORDER)
    machine.write("ready.json", json.dumps(SENDER_FILE | {"id": "mercy-adt"}))
    done = machine.type("sender", "check", "--file", "ready.json", "in", code=3)
    assert "errors" not in done.stdout.split("found")[1].split("\n", 1)[1]
    assert "order-class" in done.stdout
    body = machine.json("sender", "check", "--file", "ready.json", "in", "--format", "json", code=3)
    assert {one["level"] for one in body["findings"]} == {"warning", "info"}
    machine.write("rival.json", json.dumps(SENDER_FILE))
    body = machine.json("sender", "check", "--file", "rival.json", "in", "--format", "json", code=2)
    assert {one["code"] for one in body["findings"] if one["level"] == "error"} == {"other-sender"}
    fails(machine.type("sender", "check", "in", code=2), "sender file", "--suggest")
    fails(machine.type("sender", "check", "in", "--file", machine.write("bad.json", "{"), code=2), "JSON", "--help")


def test_a_sealed_disclosure_that_was_touched_fails_the_check(machine: Machine) -> None:
    seals = machine.write("var/keys.seals", json.dumps({"segment": 1, "rows": 1, "root": "", "chain": ""}) + "\n")
    done = machine.type("db", "check", code=1)
    assert re.search(r"^FAIL  seals +segment 1: sealed outside the database", done.stdout, re.MULTILINE)
    seals.unlink()
    machine.type("db", "check")


def test_settings_that_do_not_fit_are_refused_before_anything_starts(machine: Machine) -> None:
    fails(machine.type("serve", "--host", "0.0.0.0", code=2, THROUGHLINE_AUTH="off"), "loopback", "127.0.0.1")
    fails(machine.type("serve", "--workers", "2", code=2), "one process", "postgresql://")
    fails(machine.type("worker", code=2), "SQLite", "--with-worker")
    fails(machine.type("ledger", code=2, THROUGHLINE_AUTH="maybe"), "THROUGHLINE_AUTH", "environment")
    fails(machine.type("ledger", code=2, THROUGHLINE_DATABASE_URL="mysql://x"), "DATABASE_URL", "DATABASE_URL")
    away = f"postgresql://u:p@127.0.0.1:{spare_port()}/x"
    fails(machine.type("ledger", code=1, THROUGHLINE_DATABASE_URL=away), "can't be reached", "DATABASE_URL")


def test_one_process_serves_and_commands_work_beside_it(machine: Machine) -> None:
    port = spare_port()
    serving = machine.start("serve", "--port", str(port), "--mllp-port", "0", "--no-worker")
    try:
        wait_for(f"http://127.0.0.1:{port}/health/ready", serving)
        fails(machine.type("serve", "--port", str(spare_port()), code=1), "Another process", "PostgreSQL")
        summary = machine.json("ingest", machine.write("order.hl7", ORDER))
        assert summary["states"] == {"referral": 1}
        assert "FAIL" not in machine.type("db", "check").stdout
    finally:
        serving.send_signal(signal.SIGTERM)
        _, errors = serving.communicate(timeout=30)
    assert "Traceback" not in errors


@pytest.mark.postgres
def test_the_worker_runs_beside_others_on_postgresql_until_it_is_told_to_stop(
    tmp_path: Path, fresh_database: FreshDatabase
) -> None:
    machine = Machine(tmp_path, fresh_database())
    fails(machine.type("ledger", code=1), "key file", "db upgrade")
    machine.type("db", "upgrade")
    machine.type("sender", "add", "mercy-adt", "--file", machine.write("sender.json", json.dumps(SENDER_FILE)))
    machine.type("ingest", machine.write("admit.hl7", ADMIT), machine.write("order.hl7", ORDER))
    assert "FAIL" not in machine.type("db", "check").stdout
    workers = [machine.start("worker", "--concurrency", "2") for _ in range(2)]
    for one in workers:
        with one:
            assert one.stderr is not None
            assert json.loads(one.stderr.readline())["event"] == "worker.started"
            one.send_signal(signal.SIGTERM)
            assert (one.wait(timeout=30), one.stderr.read()) == (0, "")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the public HL7 v2 corpus is not beside this checkout")
def test_every_message_of_the_public_corpus_ends_in_one_state(fresh: Machine) -> None:
    fresh.type("db", "upgrade")
    register = ("--organization", "HTEST Corpus", "--dialect", "adt_generic", "--timezone", "America/New_York")
    fresh.type("sender", "add", "all", *register)
    summary = fresh.json("ingest", CORPUS, "--report", "report.ndjson", code=3)
    report = [json.loads(line) for line in (fresh.folder / "report.ndjson").read_text().splitlines()]
    assert len(report) == summary["messages"] > 1000
    assert {one["state"] for one in report} <= STATES
    assert len({(one["file"], one["index"]) for one in report}) == len(report)
    foreign = sum(one["reasons"][0]["code"] == "unsupported-format" for one in report)
    assert len(fresh.json("ledger", "--format", "json")) == len(report) - foreign
    assert "FAIL" not in fresh.type("db", "check").stdout
