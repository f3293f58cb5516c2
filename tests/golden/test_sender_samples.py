"""Sender files and coverage over the messages beside this checkout: three hospitals, and the public corpus."""

import json
from pathlib import Path

import pytest

from app.core.clock import Clock
from app.services.intake import ingest_files
from app.services.senders import coverage_reports, sender_checking, sender_files
from app.services.senders.dry_runs import DryRun
from app.services.senders.sender_checking import Checked
from fhir_mappings.explaining import coverage_text
from fhir_mappings.explaining.coverage_report import states

SHARED = Path(__file__).parents[2].parent / "shared"
VISITS = SHARED / "visits"
CORPUS = SHARED / "corpus" / "hl7v2"
HOSPITALS = ("northgate", "redrock", "stclare")

needs_visits = pytest.mark.skipif(not VISITS.is_dir(), reason="the shared example visits are not here")
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus of HL7 v2 messages is not here")


def samples_of(hospital: str) -> list[Path]:
    """Messages with its name in MSH-4."""
    named = f"|{hospital.upper()}|".encode()
    return [path for path in sorted(VISITS.rglob("*.hl7")) if named in path.read_bytes()[:80]]


def file_of(hospital: str) -> bytes:
    return (VISITS / "senders" / hospital / "sender.json").read_bytes()


def check(hospital: str) -> Checked:
    fields = sender_files.fields_of(file_of(hospital))
    return sender_checking.checked(fields, samples_of(hospital), None, lambda _: None, Clock())


@needs_visits
@pytest.mark.parametrize("hospital", HOSPITALS)
def test_a_sender_file_of_another_hand_fits_its_samples(hospital: str) -> None:
    found = check(hospital)
    errors = {one.code for one in found.findings if one.level == "error"}
    # One of St Clare's samples has no number of a person or visit, so that it is answered AE.
    assert errors == ({"rejected"} if hospital == "stclare" else set())
    warned = {one.code for one in found.findings if one.level == "warning"}
    assert warned <= {"local-drug", "test-message", "unreadable", "visit-number", "unit", "recurring-account"}
    unread = {one.text.split(" ")[0] for one in found.findings if one.code == "not-read"}
    assert "maps.hl7_version" in unread
    assert found.messages == len(samples_of(hospital))


@needs_visits
@pytest.mark.parametrize("hospital", HOSPITALS)
def test_a_file_suggested_from_the_samples_names_what_the_hospital_named(hospital: str) -> None:
    made = json.loads(sender_checking.suggestion(samples_of(hospital), lambda _: None, Clock()))
    real = json.loads(file_of(hospital))
    assert set(real["match_msh"]) <= set(made["match_msh"])
    assert set(made["units"]) <= set(real["units"])
    assert made["maps"]["order_class"]["field"] == real["maps"]["order_class"]["field"].removesuffix(".1")
    assert set(made["maps"].get("drug_systems", {})) <= set(real["maps"]["drug_systems"])


@needs_corpus
def test_every_message_of_the_corpus_is_in_one_line_of_the_sum() -> None:
    files = ingest_files.find([CORPUS])
    run = DryRun.of_file(sender_files.neutral(), Clock())
    tally = coverage_reports.covered(run, files, lambda _: None)
    pieces = sum(1 for path in files for _ in ingest_files.pieces(path))
    assert tally.total == pieces == sum(states(tally).values())
    body = json.loads(coverage_text.as_json(tally))
    assert sum(sum(kinds.values()) for kinds in body["types"].values()) == pieces
    for path, told in body["fields"].items():
        ends = [use["messages"] for use in told["uses"]]
        assert max(ends) <= told["messages"] <= sum(ends), path
