"""The bytes that two synthetic events become, kept as files.

A wanted change of the output is taken over with ``UPDATE_GOLDEN=1 pytest tests/golden/test_build_golden.py``
and then read in the diff.
"""

import json
import os
import tarfile
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_mappings.build import hospital_organization, hub_organization, partner_organization, provenance
from fhir_mappings.gate import check
from schemas.served import from_body, to_body
from tests.unit.build_events import FOLDER, NOW, OPEN, PART2, PARTIES, asked, built, event, ids, referral

CASES = {"smallest": PART2, "full": OPEN}
US_CORE = Path(__file__).parents[2].parent / "shared" / "packages" / "hl7.fhir.us.core-700.tgz"


def everything(name: str) -> list[dict[str, Any]]:
    of, labels = event(name), CASES[name]
    needs = range(len(of.needs))
    sources = list(chain.from_iterable(referral(of, number, labels) for number in needs))
    origin = provenance(
        [f"{one['resourceType']}/{one['id']}" for one in sources],
        key="entry-1",
        message_hash="00" * 32,
        control_id=of.event_id,
        sender="northgate",
        recorded=NOW,
        occurred=of.occurred_at,
        parties=PARTIES,
        ids=ids,
        labels=labels,
    )
    organizations = [
        hospital_organization("hosp", "Northgate Hospital"),
        partner_organization("harbor", "Harbor OTP", phone="555-0100"),
        hub_organization("hub"),
    ]
    return [*built(of, labels), *sources, *asked(of, labels), origin, *organizations]


@pytest.mark.parametrize("name", CASES)
def test_the_event_becomes_exactly_these_resources(name: str) -> None:
    kept = FOLDER / f"{name}.expected.json"
    now = json.dumps(everything(name), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        kept.write_text(now)
    assert now == kept.read_text()


@pytest.mark.parametrize("name", CASES)
def test_the_gate_lets_every_resource_pass(name: str) -> None:
    problems = {f"{one['resourceType']}/{one['id']}": check(one) for one in everything(name)}
    assert {one: found for one, found in problems.items() if found} == {}


@pytest.mark.parametrize("name", CASES)
def test_the_reference_models_accept_every_resource(name: str) -> None:
    for one in everything(name):
        served = from_body(one["resourceType"], one["id"], 1, "2026-06-09T20:06:00.123456Z", to_body(one))
        get_fhir_model_class(one["resourceType"]).model_validate_json(served)


@pytest.mark.parametrize("name", CASES)
def test_no_two_resources_share_an_identity(name: str) -> None:
    identities = [(one["resourceType"], one["id"]) for one in everything(name)]
    assert len(set(identities)) == len(identities)


def snapshots() -> dict[str, dict[str, Any]]:
    """Canonical URL -> StructureDefinition of US Core 7.0.0."""
    if not US_CORE.exists():
        pytest.skip("needs the US Core 7.0.0 package beside the repository")
    found = {}
    with tarfile.open(US_CORE) as package:
        for member in package:
            if member.name.startswith("package/StructureDefinition-"):
                opened = package.extractfile(member)
                assert opened is not None
                definition = json.load(opened)
                found[definition["url"]] = definition
    return found


def values(element: Any, names: list[str]) -> list[Any]:
    """Every value at a path below an element; a list is looked into, a choice matches each of its types."""
    if isinstance(element, list):
        return [found for one in element for found in values(one, names)]
    if not names:
        return [element]
    stem = names[0].removesuffix("[x]")
    choice = names[0].endswith("[x]")
    keys = [key for key in element if key == stem or (choice and key.startswith(stem))]
    return [found for key in keys for found in values(element[key], names[1:])]


def unmet(resource: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    """The elements that a snapshot demands and the resource does not have, and patterns that it does not show."""
    missing = []
    for element in definition["snapshot"]["element"]:
        *parents, name = element["path"].split(".")[1:] or [""]
        if not name or element["min"] == 0 or (":" in element["id"] and "patternCodeableConcept" not in element):
            continue
        if "." in element["id"].partition(":")[2]:
            continue
        wanted = element.get("patternCodeableConcept", {"coding": [{}]})["coding"][0]
        for parent in values(resource, parents):
            found = values(parent, [name])
            codings = [coding for one in found if isinstance(one, dict) for coding in one.get("coding", ())]
            if not found or (wanted and not any(wanted.items() <= coding.items() for coding in codings)):
                missing.append(element["id"])
    return missing


def test_every_claimed_us_core_profile_has_the_elements_that_its_snapshot_demands() -> None:
    definitions = snapshots()
    claims = [
        (one, url)
        for one in chain(everything("smallest"), everything("full"))
        for url in one["meta"].get("profile", ())
        if "/us/core/" in url
    ]
    assert len({url for _, url in claims}) >= 12
    assert [(url, found) for one, url in claims if (found := unmet(one, definitions[url]))] == []


def test_the_check_of_the_snapshots_finds_what_is_missing() -> None:
    definitions = snapshots()
    patient, *_ = everything("smallest")
    definition = definitions[patient["meta"]["profile"][0]]
    assert unmet({**patient, "identifier": []}, definition) == ["Patient.identifier"]
    assert unmet({k: v for k, v in patient.items() if k != "gender"}, definition) == ["Patient.gender"]
    condition = next(one for one in everything("smallest") if one["resourceType"] == "Condition")
    wrong = {**condition, "category": [{"coding": [{"system": "urn:x", "code": "y"}]}]}
    assert unmet(wrong, definitions[condition["meta"]["profile"][0]]) == ["Condition.category:us-core"]
