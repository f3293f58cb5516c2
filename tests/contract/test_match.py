"""``$match``: ranked partners for the hospital that asks, with reasons; nothing at all for anybody else."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.errors import NotFound, Unprocessable
from app.services.partners import partners, registration
from app.services.referral import match_requests
from app.services.referral.match_requests import FACET, REASON
from app.services.sheets import written
from app.store.changes import Changes, Question
from fhir_mappings import gate
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.hub_fixtures import PARTNER, World

MATCH = "https://throughline.org/fhir/StructureDefinition/match"
SAID = {"attested_by": "intake desk", "attested_at": "2026-01-01T09:00:00-05:00", "expires": "2099-01-01"}
EVERY_DAY = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "00:00", "closes": "24:00"}]
STRICT = {
    **PARTNER,
    "name": "HTEST Strict Clinic",
    "facets": {"benzodiazepines": {"value": "no", **SAID}},
}
OPEN = {
    **PARTNER,
    "name": "HTEST Open Clinic",
    "intake_hours": EVERY_DAY,
    "facets": {"methadone-onsite": {"value": "yes", **SAID}, "benzodiazepines": {"value": "yes", **SAID}},
    "capacity": {"left": "2+", "as_of": "2026-06-05T09:00:00-04:00", "source": "its own word"},
}


@pytest_asyncio.fixture
async def referral(world: World, web: httpx.AsyncClient) -> str:
    entry = await discharge(world, web, 1, clinical={"benzodiazepines": True})
    await registration.import_partners(world.hub, json.dumps([STRICT, OPEN]).encode())
    source: str = entry["referral"]
    return source


@pytest_asyncio.fixture
async def mercy(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.mercy)


def told(entry: Resource) -> dict[str, list[Any]]:
    """The parts of the extension of one entry, by name."""
    (extension,) = entry["search"]["extension"]
    assert extension["url"] == MATCH
    found: dict[str, list[Any]] = {}
    for part in extension["extension"]:
        (value,) = (inner for name, inner in part.items() if name.startswith("value"))
        found.setdefault(part["url"], []).append(value)
    return found


async def test_the_hospital_sees_every_partner_ranked_with_its_reasons(mercy: Caller, referral: str) -> None:
    bundle = await mercy.read(f"ServiceRequest/{referral}/$match")
    assert gate.check(bundle) == []
    assert (bundle["type"], bundle["total"]) == ("searchset", 3)
    names = [entry["resource"]["name"] for entry in bundle["entry"]]
    assert names == ["HTEST Open Clinic", "HTEST Harbor OTP", "HTEST Strict Clinic"]
    assert {entry["resource"]["resourceType"] for entry in bundle["entry"]} == {"HealthcareService"}
    first, harbor, strict = (told(entry) for entry in bundle["entry"])
    assert (first["standing"], first["asked"], "call" in first, "nextIntake" in first) == (
        ["eligible"],
        [False],
        False,
        True,
    )
    assert harbor["asked"] == [True]
    assert [one["code"] for one in harbor["call"] if one["system"] == FACET] == [
        "intake-hours",
        "benzodiazepines",
        "methadone-onsite",
    ]
    assert (strict["standing"], strict["reason"][0]["code"], strict["reason"][0]["system"]) == (
        ["excluded"],
        "no:benzodiazepines",
        REASON,
    )
    assert strict["attestedAt"] == ["2026-01-01T09:00:00-05:00"]
    assert [entry["search"]["score"] for entry in bundle["entry"]] == [1, 0.6667, 0]


async def test_it_is_asked_by_post_too_and_cut_to_a_count(mercy: Caller, referral: str) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "count", "valueInteger": 1}]}
    posted = await mercy.post(f"ServiceRequest/{referral}/$match", body)
    assert [entry["resource"]["name"] for entry in posted.json()["entry"]] == ["HTEST Open Clinic"]
    got = await mercy.read(f"ServiceRequest/{referral}/$match?count=2")
    assert (len(got["entry"]), got["total"]) == (2, 3)


@pytest.mark.parametrize("query", ["?count=0", "?count=x", "?count=1&count=2", "?who=all"])
async def test_a_parameter_that_it_does_not_have_is_refused(mercy: Caller, referral: str, query: str) -> None:
    answer = await mercy.get(f"ServiceRequest/{referral}/$match{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient"},
        {"resourceType": "Parameters", "parameter": {}},
        {"resourceType": "Parameters", "parameter": [{"name": "who", "valueString": "all"}]},
        {"resourceType": "Parameters", "parameter": ["x"]},
    ],
)
async def test_a_body_that_is_no_parameters_is_refused(mercy: Caller, referral: str, body: Resource) -> None:
    assert (await mercy.post(f"ServiceRequest/{referral}/$match", body)).status_code == 400


async def test_for_everybody_else_there_is_no_such_request(
    world: World, web: httpx.AsyncClient, mercy: Caller, referral: str
) -> None:
    unknown = await mercy.get("ServiceRequest/HTEST-none/$match")
    north, harbor = await caller(world, web, world.north), await caller(world, web, world.harbor)
    (child,) = await harbor.search("ServiceRequest")
    answers = [
        await north.get(f"ServiceRequest/{referral}/$match"),
        await harbor.get(f"ServiceRequest/{referral}/$match"),
        await harbor.get(f"ServiceRequest/{child['id']}/$match"),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["issue"]) == (404, unknown.json()["issue"])
    narrow = await caller(world, web, world.mercy, "system/Task.rs")
    assert (await narrow.get(f"ServiceRequest/{referral}/$match")).status_code == 403


async def test_it_tells_no_partner_and_changes_nothing(
    world: World, web: httpx.AsyncClient, mercy: Caller, referral: str
) -> None:
    before = await mercy.read("Task?_sort=_id")
    await mercy.read(f"ServiceRequest/{referral}/$match")
    assert [entry["resource"] for entry in (await mercy.read("Task?_sort=_id"))["entry"]] == [
        entry["resource"] for entry in before["entry"]
    ]
    directory = await world.hub.registry.current()
    opened = next(one for one, profile in directory.partners.items() if profile.name == OPEN["name"])
    assert await (await caller(world, web, opened)).search("Task") == []


async def test_an_internal_tag_is_shown_to_nobody(world: World, web: httpx.AsyncClient, mercy: Caller) -> None:
    house = {
        "name": "HTEST House",
        "covered_entity": True,
        "needs": ["recovery-housing"],
        "facets": {"prescribed-elsewhere": {"value": "no", **SAID}},
    }
    await registration.import_partners(world.hub, json.dumps([house]).encode())
    entry = await discharge(world, web, 2, needs=[{"kind": "moud-continuation"}, {"kind": "recovery-housing"}])
    requests = [one for one in await mercy.search("ServiceRequest") if one["intent"] == "order"]
    (housing,) = (one["id"] for one in requests if one["id"] != entry["referral"])
    bundle = await mercy.read(f"ServiceRequest/{housing}/$match")
    assert [one["code"] for one in told(bundle["entry"][0])["reason"]] == ["no:prescribed-elsewhere"]
    assert "barrier" not in json.dumps(bundle)
    (found,) = (await match_requests.found(world.hub, housing)).ranking.ranked
    assert found.tags == ("possible-unlawful-barrier",)


async def test_what_was_not_said_is_asked_next_and_counts_once_for_a_referral(
    world: World, mercy: Caller, referral: str
) -> None:
    asked = await partners.ask(world.hub, "htest  harbor otp")
    assert asked is not None
    assert (asked.facet, asked.why, asked.times) == ("benzodiazepines", "unknown", 1)
    for _ in range(3):
        await mercy.read(f"ServiceRequest/{referral}/$match")
    assert await partners.ask(world.hub, "HTEST Harbor OTP") == asked
    await partners.attest(world.hub, "HTEST Harbor OTP", "benzodiazepines", {"value": "yes", "attested_by": "desk"})
    following = await partners.ask(world.hub, "HTEST Harbor OTP")
    assert following is not None
    assert following.facet == "intake-hours"


async def test_what_mattered_long_ago_is_forgotten(world: World, referral: str) -> None:
    assert referral
    old = Question("HTEST", world.harbor, "stimulants", 1)
    more = [old._replace(id=f"HTEST {number}") for number in range(3)]
    await world.hub.store.commit(Changes(questions=(old, *more)))
    asked = await partners.ask(world.hub, "HTEST Harbor OTP")
    assert asked is not None
    assert asked.facet == "benzodiazepines"


async def test_the_table_for_a_terminal_is_aligned_and_says_the_same(world: World, referral: str) -> None:
    matched = await match_requests.found(world.hub, referral)
    table = written(match_requests.sheet_of(matched), "table").splitlines()
    head = next(line for line in table if "next intake" in line)
    rows = table[table.index(head) + 1 : table.index(head) + 4]
    start = head.index("may be asked")
    assert [row[start:].split("  ")[0] for row in rows] == ["eligible", "eligible, asked", "excluded"]
    lines = match_requests.lines_of(matched)
    assert [line["partner"] for line in lines] == ["HTEST Open Clinic", "HTEST Harbor OTP", "HTEST Strict Clinic"]
    assert json.loads(json.dumps(lines)) == lines


async def test_a_request_that_nobody_made_or_that_is_over_is_told_apart_on_the_machine(
    world: World, web: httpx.AsyncClient, mercy: Caller, referral: str
) -> None:
    with pytest.raises(NotFound):
        await match_requests.found(world.hub, "HTEST-none")
    known = await mercy.read(f"ServiceRequest/{referral}")
    body = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "order",
        "code": known["code"],
        "subject": known["subject"],
        "requester": {"reference": f"Organization/{world.mercy}"},
    }
    made = await (await caller(world, web, world.mercy, "system/*.cruds")).post("ServiceRequest", body)
    assert made.status_code == 201, made.text
    assert (await mercy.get(f"ServiceRequest/{made.json()['id']}/$match")).status_code == 422
    with pytest.raises(Unprocessable):
        await match_requests.found(world.hub, made.json()["id"])
