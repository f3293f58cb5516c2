"""docs/senders.md is true: an engineer who pastes its commands sees what it shows, and its tables are the schema's."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services.senders import sender_checking
from fhir_mappings.explaining import sender_check, sender_samples
from schemas.sender import Sender, SenderMaps
from tests.journeys.test_readme import Reader

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "senders.md").read_text(encoding="utf-8")
SAMPLES = sorted((DOCS / "examples" / "new-hospital").glob("*.hl7"))
FENCE = re.compile(r"^```(console)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, list[str]]]:
    """Each console block, with the lines that the guide shows after it."""
    block: str | None = None
    shown: list[str] = []
    for match in FENCE.finditer(GUIDE):
        if match[1]:
            if block is not None:
                yield block, shown
            block, shown = match[2], []
        else:
            shown += [line for line in match[2].splitlines() if line.strip() not in ("", "...")]
    assert block is not None
    yield block, shown


def rows(heading: str) -> dict[str, list[str]]:
    """First cell, without its ticks, to the rest of the row."""
    table = GUIDE.split(heading)[1].partition("\n\n")[2].partition("\n\n")[0]
    lines = [re.split(r"(?<!\\)\|", line.strip("|")) for line in table.splitlines()[2:]]
    return {cells[0].strip(" `"): [cell.strip().replace("\\|", "|") for cell in cells[1:]] for cells in lines}


FILE_KEYS = rows("## The sender file\n\n")
MAP_KEYS = rows("In `maps`;")


def known(model: type[Sender | SenderMaps]) -> dict[str, str]:
    """Key to its default, as JSON."""
    empty = model.model_validate(
        {"id": "x", "organization": "x", "dialect": "adt_generic", "timezone": "UTC"} if model is Sender else {}
    )
    values = json.loads(empty.model_dump_json(by_alias=True))
    fields = model.model_fields.items()
    defaults = {
        field.alias or name: "none" if field.is_required() else json.dumps(values[field.alias or name])
        for name, field in fields
    }
    return defaults | ({"maps": "{}"} if model is Sender else {})


def test_there_are_ten_samples_of_invented_people() -> None:
    assert len(SAMPLES) == 10
    for sample in SAMPLES:
        data = sample.read_text(encoding="utf-8")
        assert re.search(r"^PID\|1\|\|HTEST\d+\^.*\|HTEST[A-Z]+\^", data.replace("\r", "\n"), re.MULTILINE)


@pytest.mark.parametrize(("model", "told"), [(Sender, FILE_KEYS), (SenderMaps, MAP_KEYS)], ids=["file", "maps"])
def test_every_key_stands_in_the_guide_with_its_default(
    model: type[Sender | SenderMaps], told: dict[str, list[str]]
) -> None:
    assert {key: cells[0].strip("`") for key, cells in told.items()} == known(model)


def test_every_example_in_the_tables_is_a_valid_file() -> None:
    common = {"id": "x", "organization": "x", "dialect": "adt_generic", "timezone": "UTC"}
    for key, cells in FILE_KEYS.items():
        if key != "maps":
            Sender.model_validate(common | {key: json.loads(cells[2].strip("`"))})
    maps = {key: json.loads(cells[2].strip("`")) for key, cells in MAP_KEYS.items()}
    assert sender_check.of_file({"maps": maps}) == []
    Sender.model_validate(common | {"maps": maps})


def test_every_key_of_the_schema_is_described_in_it() -> None:
    schema = Sender.model_json_schema(by_alias=True)
    shapes = [schema, *(schema["$defs"][name] for name in ("SenderMaps", "OrderClassMap", "ConsentMap"))]
    bare = [key for shape in shapes for key, value in shape["properties"].items() if not value.get("description")]
    assert bare == []


def test_every_finding_stands_in_the_guide() -> None:
    listed = {word for row in GUIDE.splitlines() if row.startswith("| ") for word in re.findall(r"`([a-z-]+)`", row)}
    modules = (sender_check, sender_samples, sender_checking)
    sources = [Path(module.__file__ or "").read_text("utf-8") for module in modules]
    codes = {code for text in sources for code in re.findall(r'Finding\(\s*(?:"\w+"|level), "([a-z-]+)"', text)}
    codes |= {code for code, _, _ in sender_check._CODES.values()}
    assert len(codes) > 15
    assert codes <= listed


def test_the_commands_of_the_guide_show_what_it_says_when_pasted_in_order(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES[0].parent, tmp_path / "samples")
    reader = Reader(tmp_path)
    missing: list[Any] = []
    for block, shown in steps():
        printed = reader.paste(block)
        missing += [(block.splitlines()[-1], line) for line in shown if line not in printed]
    assert missing == []
    assert (tmp_path / "coverage.md").read_text("utf-8").startswith("### Messages (10 files)")
    report = [json.loads(line) for line in (tmp_path / "rehearsal.ndjson").read_text("utf-8").splitlines()]
    assert len(report) == 10
