"""docs/push.md is true: its profile, commands, list and table of statuses."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from app.rules.remote_status import STATUSES
from app.services.push.pushes import Listed
from schemas.partner import PartnerProfile
from schemas.partner_server import PartnerServer
from tests.journeys.machine import Machine

PAGE: Final = (Path(__file__).parents[2] / "docs" / "push.md").read_text("utf-8")
BLOCKS: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for said, text in BLOCKS.findall(PAGE) if said == language]


def rows(after: str) -> list[list[str]]:
    """The rows of the table whose head begins with ``after``."""
    lines = PAGE.partition(f"| {after} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def words(cell: str) -> list[str]:
    return re.findall(r"`([\w-]+)`", cell)


def test_its_profile_is_taken_and_its_secret_is_kept(tmp_path: Path) -> None:
    machine = Machine(tmp_path, f"sqlite:///{tmp_path}/hub.db")
    machine.type("db", "upgrade")
    told = machine.write("partners.json", blocks("json")[0])
    assert [one["name"] for one in machine.json("partner", "import", told)] == ["HTEST Harbor OTP"]
    machine.write("harbor-key.json", "HTEST-secret")
    said = re.search(r"throughline (partner credential) '([^']+)' --file (\S+)", PAGE)
    assert said
    kept = machine.json(*said[1].split(), said[2], "--file", said[3])
    assert kept == {"name": "HTEST Harbor OTP", "credential": "kept"}
    assert machine.json("push", "list") == []
    failed = machine.type("push", "retry", "0197a2c4-7d1e-7c3b-9a51-0c2f5a1b7e60", code=2)
    assert "throughline push list" in failed.stderr
    failed = machine.type("partner", "credential", "Nobody", "--file", "harbor-key.json", code=2)
    assert "docs/push.md" in failed.stderr


def test_the_list_that_it_shows_has_the_fields_of_the_list() -> None:
    (shown,) = json.loads(blocks("json")[1])
    assert list(shown) == [*Listed.__dataclass_fields__]


def test_every_key_of_a_server_is_explained() -> None:
    explained = [name for row in rows("Key") for name in words(row[0])]
    assert sorted(explained) == sorted(PartnerServer.model_fields)


def test_the_table_of_statuses_is_the_hubs() -> None:
    named = {name for row in rows("There")[:-1] for name in words(row[0])}
    assert named == set(STATUSES["gravity"])
    for names, _, bser in rows("There")[:-1]:
        assert ("a person must look" not in bser) == set(words(names)).issubset(STATUSES["bser"]), names


@pytest.mark.parametrize(
    "server",
    [
        {"base": "http://fhir.harbor.example.org/r4"},
        {"base": "https://fhir.harbor.example.org/r4?key=1"},
        {"base": "ftp://fhir.harbor.example.org"},
        {"base": "https://fhir.example.org", "sign_in": "private-key-jwt"},
        {"base": "https://fhir.example.org", "vocabulary": "HTEST"},
        {"base": "https://fhir.example.org", "secret": "HTEST"},
        {},
    ],
)
def test_a_server_that_can_not_be_is_refused(server: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="server"):
        PartnerProfile.model_validate({"name": "HTEST Harbor OTP", "receives_by": ["push"], "server": server})


def test_push_without_a_server_is_a_persons_work() -> None:
    assert PartnerProfile.model_validate({"name": "HTEST Harbor OTP", "receives_by": ["push"]}).by_hand
