"""Every dialect: each file in ``samples/`` becomes exactly what the file of that name in ``expected/`` says.

A new dialect folder, or a new sample in one, is found by listing. Expected files are written by hand or copied from
the difference that a failing test prints, after somebody has read it.
"""

import json
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings import dialects
from fhir_mappings.hl7v2 import Unreadable, parse, split
from schemas.facts import Facts
from schemas.sender import Sender

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "hl7v2"
FOLDER = Path(dialects.__file__).parent
SAMPLES = sorted(path for path in FOLDER.glob("*/samples/*") if path.is_file())


def reading_of(sample: Path) -> dict[str, Any]:
    folder = sample.parent.parent
    sender = Sender.model_validate_json((folder / "sender.json").read_bytes())
    dialect = dialects.find(folder.name)
    data = sample.read_bytes()
    reading = dialect.read(parse(data) if dialect.source == "hl7v2" else data, sender)
    found: dict[str, Any] = {"facts": told(reading.facts), "notes": [list(note) for note in reading.notes]}
    if reading.more:
        found["more"] = [told(facts) for facts in reading.more]
    if reading.unmapped:
        found["unmapped"] = [list(code) for code in reading.unmapped]
    return found


def told(facts: Facts) -> dict[str, Any]:
    return facts.model_dump(mode="json", by_alias=True, exclude_defaults=True)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_sample_is_read_as_expected(sample: Path) -> None:
    expected = sample.parent.parent / "expected" / f"{sample.stem}.json"
    found = json.dumps(reading_of(sample), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    wanted = expected.read_text(encoding="utf-8") if expected.exists() else ""
    difference = "".join(unified_diff(wanted.splitlines(True), found.splitlines(True), expected.name, "found"))
    assert not difference, f"\n{difference}"


@pytest.mark.parametrize("name", dialects.names())
def test_a_dialect_is_named_like_its_folder_and_has_samples(name: str) -> None:
    assert dialects.find(name).name == name
    samples = {path.stem for path in SAMPLES if path.parent.parent.name == name}
    expected = {path.stem for path in (FOLDER / name / "expected").glob("*.json")}
    assert samples
    assert samples == expected


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: f"{path.parent.parent.name}/{path.stem}")
def test_a_sample_is_marked_as_synthetic(sample: Path) -> None:
    assert "HTEST" in sample.read_text(encoding="utf-8")


def test_an_unknown_dialect_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(LookupError, match="adt_generic, event_json"):
        dialects.find("no_such_dialect")


def test_every_readable_message_of_the_corpus_gives_facts() -> None:
    if not CORPUS.exists():
        pytest.skip("the public HL7 v2 corpus (../shared/corpus) is not on this machine")
    sender = Sender.model_validate_json((FOLDER / "adt_generic" / "sender.json").read_bytes())
    dialect = dialects.find("adt_generic")
    read = 0
    for path in sorted(CORPUS.rglob("*")):
        for data in split(path.read_bytes()) if path.is_file() else ():
            try:
                message = parse(data)
            except Unreadable:
                continue
            facts = dialect.read(message, sender).facts
            dialect.filing(message, facts)
            assert type(facts).model_validate_json(facts.model_dump_json()) == facts, path.name
            read += 1
    assert read > 1000
