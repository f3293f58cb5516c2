"""docs/answers.md is true: its tables are the schema's and the codes', its examples are taken."""

import json
import re
from dataclasses import fields
from pathlib import Path

from app.services.answers.answers import Listed
from schemas.codes.local import CODES, OUTCOME, PROGRESS
from schemas.sender import Answers, Sender
from tests.contract.answered import reported
from tests.journeys.test_senders_guide import GUIDE as SENDERS

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
JSON = re.findall(r"^```json\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> dict[str, list[str]]:
    """First cell, without its ticks, to the rest of the row."""
    table = GUIDE.split(heading)[1].split("|---", 1)[1].partition("\n")[2].partition("\n\n")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {cells[0].strip("`"): cells[1:] for cells in lines}


def test_every_key_stands_in_the_table_with_its_default() -> None:
    defaults = json.loads(Answers(to="mllps://engine.example.org:6661").model_dump_json())
    wanted = {key: json.dumps(value) for key, value in defaults.items()} | {"to": "none"}
    assert {key: cells[0].strip("`") for key, cells in rows("## Turn it on").items()} == wanted


def test_the_example_of_the_sender_file_is_one() -> None:
    common = {"id": "x", "organization": "x", "dialect": "adt_generic", "timezone": "UTC"}
    assert Sender.model_validate({**common, **json.loads(JSON[0])}).answers is not None
    assert "(answers.md)" in SENDERS


def test_every_progress_and_every_outcome_stands_in_its_table() -> None:
    for heading, system in (("## What is told", PROGRESS), ("## For a partner: how to report it", OUTCOME)):
        wanted = {code: [meaning.definition] for code, meaning in CODES[system].items() if code != "outcome"}
        assert rows(heading) == wanted


def test_the_message_that_is_shown_is_the_golden_one() -> None:
    golden = (ROOT / "tests" / "golden" / "answers" / "mdm-accepted.hl7").read_text(encoding="utf-8")
    assert f"```\n{golden}```" in GUIDE


def test_what_is_listed_has_these_members() -> None:
    (shown,) = json.loads(JSON[1])
    assert list(shown) == [one.name for one in fields(Listed)]


def test_a_partner_that_copies_the_example_reports_an_outcome() -> None:
    status, output = json.loads(JSON[2])
    assert status["value"] == "completed"
    assert output == reported("first-dose-given")
