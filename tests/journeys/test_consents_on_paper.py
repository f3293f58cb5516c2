"""The commands for consents on paper, as they are typed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

VISIT = ["--sender", "mercy-adt", "--visit", "urn:htest:visit|HTEST-V1"]
PARTNER = {"name": "HTEST Harbor OTP", "covered_entity": True, "needs": ["moud-continuation"]}


def typed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    command = [str(Path(sys.executable).with_name("throughline")), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def answered(folder: Path, *words: str) -> Any:
    done = typed(folder, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_form_is_printed_comes_back_signed_and_is_taken_back(tmp_path: Path) -> None:
    typed(tmp_path, "db", "upgrade")
    (tmp_path / "partners.json").write_text(json.dumps([PARTNER]))
    answered(tmp_path, "partner", "import", "partners.json")
    hospital = ("--organization", "HTEST Mercy", "--dialect", "adt_generic", "--timezone", "America/New_York")
    answered(tmp_path, "sender", "add", "mercy-adt", *hospital)
    wanted = ("consent", "form", "--sender", "mercy-adt", "--patient-choice", "HTEST Harbor OTP")
    assert typed(tmp_path, *wanted, "--format", "html", "--out", "form.html").returncode == 0
    assert "HTEST Harbor OTP" in (tmp_path / "form.html").read_text()
    signed = answered(tmp_path, *wanted, "--format", "json")["consent"]
    (tmp_path / "unsigned.json").write_text(json.dumps(signed))
    (tmp_path / "signed.json").write_text(json.dumps(signed | {"signed_at": "2026-06-04"}))
    (tmp_path / "scan.pdf").write_bytes(b"HTEST")
    refused = typed(tmp_path, "consent", "record", "unsigned.json", *VISIT)
    assert (refused.returncode, "42 CFR 2.31(a)(9)" in refused.stderr) == (2, True)
    kept = answered(tmp_path, "consent", "record", "signed.json", *VISIT, "--document", "scan.pdf")
    ended = answered(tmp_path, "consent", "revoke", *VISIT, "--identifier", kept["identifier"])
    assert ended["visit"] == kept["visit"]
    unknown = typed(tmp_path, "consent", "revoke", *VISIT, "--identifier", "HTEST-C9")
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (2, False)
