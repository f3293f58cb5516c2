"""What a shell reads to be the demo's: its settings, and its clock where that is moved."""

import subprocess
from datetime import UTC, datetime, timedelta

from app.services.demo.demo_guide import exported


def read(text: str, name: str) -> str:
    """The value of a variable after a shell has read ``text``."""
    script = f'{text}printf %s "${{{name}:-}}"'
    return subprocess.run(["/bin/sh", "-euc", script], capture_output=True, text=True, check=True, env={}).stdout


def test_commands_beside_a_demo_of_another_evening_go_by_its_clock() -> None:
    text = exported({"THROUGHLINE_DATABASE_URL": "sqlite:////tmp/a b"}, -86_400)
    before = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    shown = datetime.fromisoformat(read(text, "THROUGHLINE_FAKE_CLOCK"))
    assert before <= shown <= datetime.now(UTC) - timedelta(days=1)
    assert read(text, "THROUGHLINE_DATABASE_URL") == "sqlite:////tmp/a b"


def test_a_demo_of_today_moves_no_clock() -> None:
    assert "FAKE_CLOCK" not in exported({"THROUGHLINE_AUTH": "required"}, 0)
