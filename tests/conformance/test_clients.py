"""FHIR clients of others, as they are published, against a served hub; and the recipes of docs/clients/, as they stand.

Each program meets the same story and tells what it saw. What a client doesn't offer stands in docs/clients/README.md.
"""

import json
import re
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conformance.clients import served as programs
from tests.conformance.clients.served import BOTH, HERE, JAVA, NODE, REFERRALS, Served, last_line, on_database, serving

Program = Callable[[Path, Path, dict[str, str]], str]
DOCS: Final = Path(__file__).parents[2] / "docs" / "clients"
FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SEEN: Final[dict[str, Any]] = {
    "token": True,
    "metadata": "4.0.1",
    "create": "1",
    "read": "HTEST dosing",
    "vread": "1",
    "update": "2",
    "if-match": "conflict",
    "patch": "not-done",
    "paging": REFERRALS,
    "include": ["OperationOutcome", "ServiceRequest", "Task"],
    "batch": ["200", "201"],
    "transaction": True,
    "history": ["2", "1"],
    "conditional-create": True,
    "conditional-update": "2",
    "delete": "deleted",
    "error": ["Procedure.subject.reference"],
}
PROGRAMS: Final[dict[str, tuple[Program, str]]] = {
    "fhirpy": (programs.python, "with_fhirpy.py"),
    "fhirclient": (programs.python, "with_fhirclient.py"),
    "fhir-kit-client": (programs.node, "with_fhir_kit_client.mjs"),
    "Medplum": (programs.node, "with_medplum.mjs"),
}
RECIPES: Final[dict[str, tuple[Program, str, str]]] = {
    "curl": (programs.curl, "bash", "recipe.sh"),
    "fhirpy": (programs.python, "python", "recipe.py"),
    "fhirclient": (programs.python, "python", "recipe.py"),
    "fhir-kit-client": (programs.node, "js", "recipe.mjs"),
    "medplum": (programs.node, "js", "recipe.mjs"),
    "hapi": (programs.java, "java", "Partner.java"),
}


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> str:
    """All that a page shows in one language, in order."""
    return "\n".join(code for said, code in FENCE.findall(page(name)) if said == language)


def table(heading: str) -> list[list[str]]:
    """The rows of the table of the README that begins with ``heading``, that one included."""
    lines = page("README").split(f"| {heading} |")[1].partition("\n\n")[0].splitlines()
    rows = [f"| {heading} |{lines[0]}", *lines[2:]]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def offered(client: str) -> dict[str, Any]:
    """What the README says that a client does, and what it must have seen."""
    head, *rows = table("Interaction")
    column = head.index(client)
    assert {row[0] for row in rows} == SEEN.keys()
    assert {row[column] for row in rows} <= {"yes", "no"}
    return {row[0]: SEEN[row[0]] for row in rows if row[column] == "yes"}


@pytest.fixture(scope="module", params=BOTH)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from on_database(request, tmp_path_factory.mktemp("clients"))


on_sqlite = pytest.mark.parametrize("served", ["sqlite"], indirect=True)


@pytest.mark.parametrize("client", PROGRAMS)
def test_a_client_as_it_is_published_does_all_that_it_offers(client: str, served: Served, tmp_path: Path) -> None:
    run, file = PROGRAMS[client]
    source = tmp_path / file
    source.write_text((HERE / file).read_text(encoding="utf-8"), encoding="utf-8")
    assert last_line(run(source, tmp_path, served.environment)) == offered(client)


@on_sqlite
def test_hapis_client_does_all_that_it_offers(served: Served, tmp_path: Path) -> None:
    assert last_line(programs.java(HERE / "WithHapi.java", tmp_path, served.environment)) == offered("HAPI")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_takes_a_referral_and_goes_on_where_it_was(name: str, tmp_path: Path) -> None:
    run, language, file = RECIPES[name]
    source = tmp_path / file
    source.write_text(blocks(name, language), encoding="utf-8")
    with serving(tmp_path, f"sqlite:///{tmp_path / 'throughline.db'}") as hub:
        first = run(source, tmp_path, hub.environment)
        assert first.split() == [str(REFERRALS), "new", "or", "changed", "completed"]
        assert len(hub.reported()) == 1
        hub.discharge(REFERRALS)
        # What is new by then: that referral, and the Task that was completed.
        second = run(source, tmp_path, hub.environment)
        assert second.split() == ["2", "new", "or", "changed", "completed"]
        texts = [one["code"]["text"] for one in hub.reported()]
        assert texts == ["HTEST first dose given"] * 2


def test_the_versions_in_the_guide_are_those_that_run() -> None:
    packages = json.loads((NODE / "package.json").read_text("utf-8"))["dependencies"]
    pom = (JAVA / "pom.xml").read_text("utf-8")
    running = {
        "fhirpy": version("fhirpy"),
        "fhirclient": version("fhirclient"),
        "fhir-kit-client": packages["fhir-kit-client"],
        "@medplum/core": packages["@medplum/core"],
        "HAPI": pom.partition("<hapi.version>")[2].partition("<")[0],
    }
    told = {row[1].split(" ")[0]: row[2] for row in table("Page")[1:]}
    assert {name: told[name] for name in running} == running
    assert f"fhirpy=={running['fhirpy']}" in page("fhirpy")
    assert f"fhirclient=={running['fhirclient']}" in page("fhirclient")
    assert f"fhir-kit-client@{running['fhir-kit-client']}" in page("fhir-kit-client")
    assert f"@medplum/core@{running['@medplum/core']}" in page("medplum")
    assert page("hapi").count(f":{running['HAPI']}`") == 2
