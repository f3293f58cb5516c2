"""The commands about partners, typed by a person: the interview, one question, one answer, free places."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from tests.journeys.running_hub import command

ANSWERS = (
    "HTEST Cove",
    "moud-continuation methadone",
    "covered-entity",
    "America/New_York mon-fri 06:00-11:00",
    "",
    "no",
    "",
    "yes",
    "phone 555-0100",
    "intake desk",
)


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THROUGHLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'hub.db'}")
    monkeypatch.setenv("THROUGHLINE_KEY_FILE", str(tmp_path / "keys"))
    command("db", "upgrade")


def interview(*answers: str) -> Result:
    return CliRunner().invoke(app, ["partner", "setup"], input="".join(f"{answer}\n" for answer in answers))


def test_the_interview_asks_eight_questions_and_registers_a_partner() -> None:
    done = interview(*ANSWERS)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["name"] == "HTEST Cove"
    assert done.stderr.count("?") == 8 + len(["name", "by"])
    asked: dict[str, Any] = command("partner", "ask", "HTEST Cove") or {}
    assert asked == {}


def test_whoever_asks_is_told_how_the_answer_is_recorded() -> None:
    interview(*ANSWERS[:3], "", *ANSWERS[4:])
    asked = CliRunner().invoke(app, ["partner", "ask", "HTEST Cove"])
    assert (json.loads(asked.stdout)["facet"], "partner setup" in asked.stderr) == ("intake-hours", True)
    interview("HTEST Cove", "", "", "America/New_York mon 06:00-11:00", "", "", "", "", "", "intake desk")
    assert command("partner", "ask", "HTEST Cove") in ({}, None)


def test_a_name_in_another_spelling_is_no_second_partner() -> None:
    interview(*ANSWERS)
    assert interview("htest  cove", *ANSWERS[1:]).exit_code != 0


def test_an_answer_that_can_not_be_read_registers_nobody() -> None:
    done = interview(ANSWERS[0], "astrology", *ANSWERS[2:])
    assert done.exit_code != 0
    asked = CliRunner().invoke(app, ["partner", "ask", "HTEST Cove"])
    assert asked.exit_code != 0


def test_an_answer_is_kept_with_who_gave_it_and_until_when() -> None:
    interview(*ANSWERS)
    kept = command(
        "partner", "attest", "htest cove", "stimulants", "no", "--by", "medical director", "--expires", "2099-01-01"
    )
    assert (kept["stimulants"]["value"], kept["stimulants"]["attested_by"], kept["stimulants"]["expires"]) == (
        "no",
        "medical director",
        "2099-01-01",
    )
    assert command("partner", "attest", "HTEST Cove", "stimulants", "unknown", "--by", "x")["stimulants"]["value"] == (
        "unknown"
    )
    exactly = ("--detail", "at_most=120 mg")
    assert command("partner", "attest", "HTEST Cove", "any-dose", "no", "--by", "x", *exactly)["any-dose"][
        "at_most"
    ] == {
        "value": 120,
        "unit": "mg",
    }
    several = ("--detail", "listed=NY, NJ")
    listed = command("partner", "attest", "HTEST Cove", "any-residency", "no", "--by", "x", *several)
    assert listed["any-residency"]["listed"] == ["NY", "NJ"]
    told = command("partner", "capacity", "HTEST Cove", "0", "--by", "intake desk")
    assert (told["capacity"]["left"], told["capacity"]["source"]) == ("0", "intake desk")


@pytest.mark.parametrize(
    "words",
    [
        ("attest", "HTEST Nobody", "stimulants", "no", "--by", "x"),
        ("attest", "HTEST Cove", "horoscope", "no", "--by", "x"),
        ("attest", "HTEST Cove", "stimulants", "no", "--by", "x", "--expires", "2020-01-01"),
        ("attest", "HTEST Cove", "stimulants", "no", "--by", " "),
        ("attest", "HTEST Cove", "stimulants", "no", "--by", "x", "--detail", "from_age=18"),
        ("attest", "HTEST Cove", "every-age", "yes", "--by", "x", "--detail", "from_age=18"),
        ("attest", "HTEST Cove", "every-age", "no", "--by", "x", "--detail", "from_age=young"),
        ("attest", "HTEST Cove", "every-age", "no", "--by", "x", "--detail", "eighteen"),
        ("ask", "HTEST Nobody"),
        ("capacity", "HTEST Nobody", "0"),
    ],
)
def test_what_can_not_be_is_one_line_with_a_code(words: tuple[str, ...]) -> None:
    interview(*ANSWERS)
    assert CliRunner().invoke(app, ["partner", *words]).exit_code != 0


def test_a_referral_that_is_not_there_is_told_with_a_hint() -> None:
    done = CliRunner().invoke(app, ["match", "HTEST-none"])
    assert (done.exit_code, getattr(done.exception, "hint", "")) == (1, "throughline ledger shows referrals")
