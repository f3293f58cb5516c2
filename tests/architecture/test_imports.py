"""The import contracts of pyproject.toml hold, and each of them notices when it is broken."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

LINTER = Path(sysconfig.get_path("scripts")) / "lint-imports"

SKELETON = (
    "app/main.py",
    "app/cli.py",
    "app/commands/base.py",
    "app/entrypoints/base.py",
    "app/entrypoints/fhir/__init__.py",
    "app/entrypoints/ingest/__init__.py",
    "app/services/intake/intake.py",
    "app/services/reading/reads.py",
    "app/rules/consent.py",
    "app/rules/policies/base.py",
    "app/rules/policies/one.py",
    "app/rules/policies/two.py",
    "app/store/store.py",
    "app/channels/sms.py",
    "app/channels/fax.py",
    "app/core/clock.py",
    "fhir_mappings/gate.py",
    "fhir_mappings/building/offer.py",
    "fhir_mappings/pages/letter.py",
    "fhir_mappings/dialects/base.py",
    "fhir_mappings/dialects/one/__init__.py",
    "fhir_mappings/dialects/two/__init__.py",
    "schemas/discharge.py",
    "schemas/resources/base.py",
    "schemas/resources/task.py",
    "schemas/resources/coverage.py",
)

PLANTED = {
    "house": ("schemas/discharge.py", "import fhir_mappings.gate"),
    "floors": ("app/store/store.py", "import app.rules.consent"),
    "rooms-of-services": ("app/services/reading/reads.py", "import app.services.intake.intake"),
    "rooms-of-mappings": ("fhir_mappings/building/offer.py", "import fhir_mappings.pages.letter"),
    "doors": ("app/entrypoints/base.py", "import app.store.store"),
    "facts-only": ("app/rules/consent.py", "import fhir_mappings.gate"),
    "cellar": ("app/core/clock.py", "import schemas.discharge"),
    "open-entrypoints": ("app/entrypoints/fhir/__init__.py", "def late():\n    import app.entrypoints.ingest"),
    "open-dialects": ("fhir_mappings/dialects/one/__init__.py", "import fhir_mappings.dialects.two"),
    "open-resources": ("schemas/resources/task.py", "import schemas.resources.coverage"),
    "open-channels": ("app/channels/sms.py", "import app.channels.fax"),
    "open-policies": ("app/rules/policies/one.py", "import app.rules.policies.two"),
    "circles": ("schemas/resources/base.py", "import schemas.discharge\n"),
    "fence-database": ("app/services/intake/intake.py", "import sqlite3"),
    "fence-http-client": ("app/services/intake/intake.py", "import httpx"),
    "fence-web": ("app/services/intake/intake.py", "import starlette.requests"),
    "fence-schema": ("app/services/intake/intake.py", "import jsonschema_rs"),
    "fence-pdf": ("app/services/intake/intake.py", "import typst"),
    "fence-jwt": ("app/services/intake/intake.py", "import jwt"),
}
BEHIND = {"circles": ("schemas/discharge.py", "import schemas.resources.base\n")}
"""What a plant needs elsewhere to be one."""


def contracts() -> dict[str, str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}


def lint(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(LINTER), "--no-cache", "--no-logo", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def plant(folder: Path, path: str, source: str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for parent in file.relative_to(folder).parents[:-1]:
        (folder / parent / "__init__.py").touch()
    file.write_text((file.read_text() if file.exists() else "") + source)


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for path in SKELETON:
        plant(tmp_path, path, "")
    return tmp_path


def test_every_import_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


def test_an_innocent_skeleton_keeps_every_contract(skeleton: Path) -> None:
    done = lint(skeleton)
    assert done.returncode == 0, done.stdout


def test_each_contract_has_a_planted_violation_that_breaks_it(skeleton: Path) -> None:
    assert set(PLANTED) == set(contracts())
    for path, source in [*PLANTED.values(), *BEHIND.values()]:
        plant(skeleton, path, source + "\n")
    output = " ".join(lint(skeleton).stdout.split())
    kept = [contract for contract, name in contracts().items() if f"{name} BROKEN" not in output]
    assert kept == [], output


def test_the_places_that_a_fence_leaves_open_are_open(skeleton: Path) -> None:
    for path, source in {
        "app/store/store.py": "import asyncpg\nimport sqlite3\nimport app.core.clock\n",
        "app/core/http.py": "import httpx\n",
        "app/channels/sms.py": "import httpx\nimport fhir_mappings.gate\n",
        "app/main.py": "import fastapi\nimport app.entrypoints.fhir\nimport app.store.store\n",
        "app/entrypoints/fhir/__init__.py": "import starlette\nimport app.services\nimport app.entrypoints.base\n",
        "app/services/intake/one.py": "import app.store.store\nimport app.rules.consent\nimport fhir_mappings.gate\n",
        "fhir_mappings/gate.py": "import jsonschema_rs\nimport schemas.discharge\n",
        "fhir_mappings/dialects/one/__init__.py": "import fhir_mappings.dialects.base\n",
    }.items():
        plant(skeleton, path, source)
    done = lint(skeleton)
    assert done.returncode == 0, done.stdout
