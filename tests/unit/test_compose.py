"""docker-compose.yml, read by a parser: who runs, who waits for whom, what is durable, and no secret in it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
HUB = ("migrate", "serve", "worker")


def test_postgresql_the_hub_and_its_worker_are_there() -> None:
    assert set(SERVICES) == {"postgres", "migrate", "serve", "worker"}


@pytest.mark.parametrize("name", ["postgres", "serve", "worker"])
def test_whoever_stays_up_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check["retries"] > 1
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_the_health_check_is_a_program_that_compiles(name: str) -> None:
    _, program, option, source = SERVICES[name]["healthcheck"]["test"]
    assert (program, option) == ("python", "-c")
    compile(source, name, "exec")


def test_a_commit_means_on_disk() -> None:
    command = SERVICES["postgres"]["command"]
    assert {"synchronous_commit=on", "fsync=on", "full_page_writes=on"} <= set(command)


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_the_schema_is_there_before_anybody_uses_it(name: str) -> None:
    waits = {other: rule["condition"] for other, rule in SERVICES[name]["depends_on"].items()}
    assert waits == {"postgres": "service_healthy", "migrate": "service_completed_successfully"}


def test_the_commands_are_those_of_the_command_line() -> None:
    assert [SERVICES[name]["command"][0] for name in HUB] == ["db", "serve", "worker"]
    assert "--no-worker" in SERVICES["serve"]["command"]


@pytest.mark.parametrize("name", HUB)
def test_all_processes_share_database_and_keys_and_ask_for_a_token(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert environment["THROUGHLINE_DATABASE_URL"].startswith("postgresql://throughline:${POSTGRES_PASSWORD:?")
    assert environment["THROUGHLINE_AUTH"] == "required"
    (volume,) = SERVICES[name]["volumes"]
    assert environment["THROUGHLINE_KEY_FILE"].startswith(volume.partition(":")[2])


def test_no_password_has_a_default() -> None:
    settings = [f"{key}={value}" for service in SERVICES.values() for key, value in service["environment"].items()]
    secrets = [setting for setting in settings if re.search("PASSWORD|SECRET|TOKEN", setting)]
    assert secrets
    assert [setting for setting in secrets if not re.search(r"\$\{POSTGRES_PASSWORD:\?[^}]+\}", setting)] == []


def test_ports_are_published_on_this_machine_only_unless_somebody_says_otherwise() -> None:
    assert SERVICES["serve"]["ports"]
    assert all(port.startswith("${THROUGHLINE_BIND:-127.0.0.1}:") for port in SERVICES["serve"]["ports"])
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["serve"]


def test_every_volume_that_is_mounted_is_declared() -> None:
    mounted = {volume.partition(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert mounted == set(COMPOSE["volumes"])


def test_the_image_runs_as_nobody_special_from_the_lock_file() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER throughline" in lines
    assert any("--requirement requirements.lock" in line for line in lines)
    copied = {line.split()[1] for line in lines if line.startswith("COPY") and not line.startswith("COPY pyproject")}
    assert all((ROOT / path).exists() for path in copied)
