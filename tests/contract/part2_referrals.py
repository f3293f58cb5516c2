"""A referral that an addiction unit makes and a consent sends: its records are under 42 CFR Part 2."""

import httpx

from app.services.partners import registration
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.contract.test_fhir_by_name import consent
from tests.hub_fixtures import World

ALL = "system/*.cruds"
SENDER = {"id": "mercy-adt", "organization": "HTEST Mercy", "match_msh": ["EPIC|MERCY"], "part2": "all"}
LABELS = ["R", "42CFRPart2", "OPIOIDUD", "ETH", "NORDSCLCD", "PERSISTLABEL"]


async def part2_referral(world: World, web: httpx.AsyncClient) -> Caller:
    """The partner that it is sent to."""
    await registration.add_sender(world.hub, {**SENDER, "dialect": "adt_generic", "timezone": "America/New_York"})
    await discharge(world, web, 1)
    hospital = await caller(world, web, world.mercy, ALL)
    (person,) = await hospital.search("Patient")
    await hospital.post("Consent", consent(f"Patient/{person['id']}", world.harbor))
    return await caller(world, web, world.harbor, ALL)


def codes(resource: Resource) -> list[str]:
    """The codes of its labels."""
    return [one["code"] for one in resource.get("meta", {}).get("security", ())]
