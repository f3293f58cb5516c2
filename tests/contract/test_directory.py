"""The directory: every organisation sees what every partner offers, whoever came first."""

import json

import httpx

from app.services import registration
from tests.contract.fhir_callers import PEERS, Resource, caller, peers
from tests.hub_fixtures import World


async def test_a_partner_is_found_by_what_it_offers(world: World, web: httpx.AsyncClient) -> None:
    late = await peers(world, web)
    early = await caller(world, web, world.mercy, "system/*.rs")
    for who in (early, late):
        found = await who.search(f"HealthcareService?organization=Organization/{world.harbor}")
        assert [(one["name"], one["type"][0]["coding"][0]["code"]) for one in found] == [
            ("HTEST Harbor OTP", "moud-continuation")
        ]
        assert len(await who.search("HealthcareService")) == 2
        assert len(await who.search("HealthcareService?service-type=peer-support")) == 1


async def test_importing_the_same_again_changes_nothing_and_something_else_makes_a_version(
    world: World, web: httpx.AsyncClient
) -> None:
    who = await peers(world, web)
    steps: list[tuple[Resource, str]] = [
        ({}, "1"),
        ({"needs": ["peer-support", "phone"]}, "2"),
        ({"active": False}, "3"),
    ]
    for changes, version in steps:
        await registration.import_partners(world.hub, json.dumps([PEERS | changes]).encode())
        (service,) = await who.search(f"HealthcareService?organization={who.organization}")
        assert service["meta"]["versionId"] == version
    assert (service["active"], len(service["type"])) == (False, 1)
