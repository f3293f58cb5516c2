"""The directory of partners in FHIR, and what they say of themselves: written once, seen by everyone, never lost."""

import json
from typing import Any

import httpx
import pytest

from app.core.errors import BadRequest, NotFound
from app.services.partners import partner_setup, partners, registration
from fhir_mappings.building.build_directory import ids_of
from schemas.partner import PartnerProfile
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.hub_fixtures import PARTNER, World

SAID = {"attested_by": "intake desk", "attested_at": "2026-01-01T09:00:00-05:00", "expires": "2099-01-01"}
PROFILE = {
    **PARTNER,
    "phone": "555-0100",
    "intake_hours": [{"days": ["mon", "sat"], "opens": "06:00", "closes": "24:00"}],
    "closed_on": ["2026-12-24", "2026-12-25", "2027-01-01"],
    "receives_by": ["portal", "fax"],
    "fax": {"number": "+15550100199", "attested_by": "intake desk", "attested_at": "2026-01-01"},
    "address": {"lines": ["1 HTEST Wharf"], "city": "Springfield", "state": "NY", "postal_code": "12345"},
    "contact": {"name": "HTEST Jo Desk", "role": "Intake coordinator", "phone": "555-0111"},
    "facets": {
        "benzodiazepines": {"value": "no", "condition": "unless they are prescribed", **SAID},
        "languages": {"value": "yes", "listed": ["es"], **SAID},
        "any-dose": {"value": "no", "at_most": {"value": 120, "unit": "mg"}, **SAID},
    },
}
BASE = "https://throughline.org/fhir/StructureDefinition"


async def imported(world: World, *profiles: dict[str, Any]) -> str:
    return (await registration.import_partners(world.hub, json.dumps(profiles).encode()))[0].organization


def extensions(resource: Resource, name: str) -> list[Resource]:
    return [one for one in resource["extension"] if one["url"] == f"{BASE}/{name}"]


def parts(extension: Resource) -> dict[str, Any]:
    return {
        part["url"]: next(value for name, value in part.items() if name != "url") for part in extension["extension"]
    }


async def profile_of(world: World, organization: str) -> PartnerProfile:
    return (await world.hub.store.accounts.directory()).partners[organization]


async def test_what_a_partner_offers_is_read_by_everyone_who_takes_part(world: World, web: httpx.AsyncClient) -> None:
    harbor = await imported(world, PROFILE)
    ids = ids_of(harbor)
    north = await caller(world, web, world.north)
    service = await north.read(f"HealthcareService/{ids.service}")
    assert (service["providedBy"]["reference"], service["name"]) == (f"Organization/{harbor}", PARTNER["name"])
    assert extensions(service, "time-zone")[0]["valueCode"] == "America/New_York"
    assert [parts(one)["closes"] for one in extensions(service, "intake-window")] == ["23:59:59"]
    facets = {parts(one)["facet"]: parts(one) for one in extensions(service, "moud-policy")}
    assert facets["benzodiazepines"]["condition"] == "unless they are prescribed"
    assert facets["any-dose"]["detail"] == "at most 120 mg"
    assert [one["during"] for one in service["notAvailable"]] == [
        {"start": "2026-12-24", "end": "2026-12-25"},
        {"start": "2027-01-01", "end": "2027-01-01"},
    ]
    assert [one["coding"][0]["code"] for one in service["referralMethod"]] == ["elec", "fax"]
    assert service["communication"][0]["coding"][0]["code"] == "es"
    place = await north.read(f"Location/{ids.place}")
    assert place["address"]["city"] == "Springfield"
    found = await north.search(
        f"HealthcareService?organization=Organization/{harbor}&_include=HealthcareService:location"
    )
    assert {one["resourceType"] for one in found} == {"HealthcareService", "Location"}


async def test_a_contact_person_is_there_while_the_profile_names_one(world: World, web: httpx.AsyncClient) -> None:
    harbor, north = await imported(world, PROFILE), await caller(world, web, world.north)
    ids = ids_of(harbor)
    role = await north.read(f"PractitionerRole/{ids.role}")
    assert (role["telecom"][0]["value"], role["practitioner"]["display"]) == ("555-0111", "HTEST Jo Desk")
    await imported(world, {name: value for name, value in PROFILE.items() if name != "contact"})
    assert [(await north.get(f"{kind}")).status_code for kind in (f"PractitionerRole/{ids.role}",)] == [410]
    await imported(world, PROFILE)
    assert (await north.read(f"Practitioner/{ids.contact}"))["name"][0]["text"] == "HTEST Jo Desk"


async def test_importing_the_same_again_writes_no_version(world: World, web: httpx.AsyncClient) -> None:
    harbor, mercy = await imported(world, PROFILE), await caller(world, web, world.mercy)
    before = [await mercy.read(f"HealthcareService/{ids_of(harbor).service}") for _ in range(1)]
    await imported(world, PROFILE)
    after = await mercy.read(f"HealthcareService/{ids_of(harbor).service}")
    assert after["meta"] == before[0]["meta"]
    await imported(world, {**PROFILE, "phone": "555-0102"})
    assert (await mercy.read(f"HealthcareService/{ids_of(harbor).service}"))["meta"]["versionId"] == "3"


async def test_who_is_registered_later_sees_what_was_there_before(world: World, web: httpx.AsyncClient) -> None:
    harbor = await imported(world, PROFILE)
    late = await imported(world, {"name": "HTEST Late", "needs": ["peer-support"]})
    reader = await caller(world, web, late)
    names = {one["name"] for one in await reader.search("HealthcareService")}
    assert names == {PARTNER["name"], "HTEST Late"}
    assert (await reader.read(f"Location/{ids_of(harbor).place}"))["name"] == PARTNER["name"]


async def test_what_a_partner_writes_for_itself_stays_its_own(world: World, web: httpx.AsyncClient) -> None:
    harbor = await caller(world, web, world.harbor, "system/*.cruds")
    made = await harbor.post("HealthcareService", {"resourceType": "HealthcareService", "name": "HTEST own"})
    assert made.status_code == 201
    north = await caller(world, web, world.north)
    assert (await north.get(f"HealthcareService/{made.json()['id']}")).status_code == 404
    shown = await harbor.read(f"HealthcareService/{ids_of(world.harbor).service}")
    assert (await harbor.put(shown | {"name": "HTEST other"})).status_code in {403, 404, 405, 422}


@pytest.mark.parametrize(
    ("facets", "said"),
    [
        ({"astrology": {"value": "no", **SAID}}, "unknown clause 'astrology'"),
        ({"benzodiazepines": {"value": "maybe", **SAID}}, "facets.benzodiazepines.value"),
        ({"benzodiazepines": {"value": "no"}}, "attested_by, attested_at and expires"),
        ({"benzodiazepines": {"value": "no", **SAID, "from_age": 18}}, "from_age says nothing about this clause"),
        ({"benzodiazepines": {"value": "no", **SAID, "expires": "2025-01-01"}}, "a day after attested_at"),
        ({"benzodiazepines": {"value": "no", **SAID, "attested_at": "2098-01-01T09:00:00Z"}}, "nobody can have said"),
        ({"benzodiazepines": {"value": "no", **SAID, "attested_by": " "}}, r"facets\.benzodiazepines\.attested_by"),
        ({"every-age": {"value": "yes", **SAID, "from_age": 18}}, "from_age: contradicts 'yes'"),
        ({"any-dose": {"value": "yes", **SAID, "at_most": {"value": 9, "unit": "mg"}}}, "at_most: contradicts 'yes'"),
        ({"guest-dosing": {"value": "no", **SAID, "notice_hours": 24}}, "notice_hours: contradicts 'no'"),
        ({"any-residency": {"value": "yes", **SAID, "listed": ["NY"]}}, "listed: contradicts 'yes'"),
        ({"any-residency": {"value": "no", **SAID, "listed": ["New York"]}}, "listed: states as two letters"),
        ({"languages": {"value": "yes", **SAID, "listed": ["Spanish"]}}, "listed: BCP 47 tags"),
    ],
)
async def test_a_word_that_can_not_be_is_refused_by_name(world: World, facets: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        await imported(world, {**PROFILE, "facets": facets})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"time_zone": None}, r"0\.time_zone: needed where there are intake_hours"),
        ({"time_zone": "localtime"}, r"0\.time_zone"),
        ({"intake_hours": [{"days": ["mon"], "opens": "22:00", "closes": "02:00"}]}, "past midnight are two entries"),
        (
            {
                "capacity": {
                    "left": "1",
                    "as_of": "2026-01-02T09:00:00Z",
                    "source": "x",
                    "expires": "2026-01-02T09:00:00Z",
                }
            },
            r"capacity\.expires: later than as_of",
        ),
    ],
)
async def test_a_profile_that_nobody_could_go_by_is_refused_by_path(
    world: World, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        await imported(world, PROFILE | fields)


async def test_names_that_nothing_reads_are_told_and_products_are_read_in_any_case(world: World) -> None:
    slips = {"intakehours": [], "products": ["Methadone ", "Suboxone"]}
    (told,) = await registration.import_partners(world.hub, json.dumps([PROFILE | slips]).encode())
    assert told.unread == ["intakehours", "products: suboxone"]
    assert (await profile_of(world, told.organization)).products == ["methadone", "suboxone"]


async def test_what_was_attested_since_stays_when_an_older_file_is_imported(world: World) -> None:
    harbor = await imported(world, PROFILE)
    await partners.attest(world.hub, str(PARTNER["name"]), "pregnancy", {"value": "yes", "attested_by": "nurse"})
    await partners.set_capacity(world.hub, str(PARTNER["name"]), "1", source="its own word")
    await imported(world, PROFILE)
    kept = await profile_of(world, harbor)
    assert (kept.facets["pregnancy"].value, kept.capacity.left if kept.capacity else None) == ("yes", "1")
    newer = {**SAID, "attested_at": "2026-03-01T09:00:00-05:00"}
    await imported(world, {**PROFILE, "facets": {"benzodiazepines": {"value": "yes", **newer}}})
    kept = await profile_of(world, harbor)
    assert {name: facet.value for name, facet in kept.facets.items()} == {
        "benzodiazepines": "yes",
        "languages": "yes",
        "any-dose": "no",
        "pregnancy": "yes",
    }


async def test_a_word_is_seen_in_the_directory_with_who_said_it_and_its_end(
    world: World, web: httpx.AsyncClient
) -> None:
    await partners.attest(
        world.hub,
        str(PARTNER["name"]),
        "stimulants",
        {"value": "no", "attested_by": "intake desk", "expires": "2099-06-01", "condition": None},
    )
    await partners.set_capacity(world.hub, str(PARTNER["name"]), "0", source="its own word")
    service = await (await caller(world, web, world.mercy)).read(f"HealthcareService/{ids_of(world.harbor).service}")
    (policy,) = extensions(service, "moud-policy")
    assert (parts(policy)["value"], parts(policy)["attestedBy"], parts(policy)["expires"]) == (
        "no",
        "intake desk",
        "2099-06-01",
    )
    assert parts(extensions(service, "capacity")[0])["open"] == "0"


async def test_a_word_about_nobody_or_nothing_is_refused(world: World) -> None:
    with pytest.raises(NotFound):
        await partners.attest(world.hub, "HTEST Nobody", "pregnancy", {"value": "yes", "attested_by": "x"})
    with pytest.raises(BadRequest, match="unknown clause"):
        await partners.attest(world.hub, str(PARTNER["name"]), "astrology", {"value": "yes", "attested_by": "x"})
    with pytest.raises(BadRequest, match="left"):
        await partners.set_capacity(world.hub, str(PARTNER["name"]), "many", source="x")


async def test_eight_answers_make_a_partner_and_leave_the_rest_unknown(world: World) -> None:
    answers = {
        "name": "HTEST Cove",
        "by": "intake desk",
        "takes": "moud-continuation, methadone buprenorphine",
        "legal": "covered-entity part2-program",
        "intake": "America/New_York mon-fri 06:00-11:00, sat 06:00-09:00",
        "dosing": "mon-sat 05:30-11:30",
        "no_photo_id": "no",
        "benzodiazepines": "yes",
        "pregnancy": "",
        "reached": "portal 555-0100",
    }
    assert len(partner_setup.QUESTIONS) == 8
    made = await partner_setup.set_up(world.hub, partner_setup.answers_of(json.dumps(answers).encode()))
    profile = await profile_of(world, made.organization)
    assert (profile.needs, profile.products) == (["moud-continuation"], ["methadone", "buprenorphine"])
    assert (profile.covered_entity, profile.part2_program, profile.phone) == (True, True, "555-0100")
    assert [(hours.days, hours.opens) for hours in profile.intake_hours or ()] == [
        (["mon", "tue", "wed", "thu", "fri"], "06:00"),
        (["sat"], "06:00"),
    ]
    assert {name: facet.value for name, facet in profile.facets.items()} == {
        "no-photo-id-required": "no",
        "benzodiazepines": "yes",
    }
    later = {"pregnancy": "yes", "benzodiazepines": "unknown"}
    await partner_setup.set_up(world.hub, {"name": "HTEST Cove", "by": "nurse", **later})
    again = await profile_of(world, made.organization)
    assert (again.facets["pregnancy"].attested_by, again.products, again.phone) == (
        "nurse",
        ["methadone", "buprenorphine"],
        "555-0100",
    )
    assert again.facets["benzodiazepines"].value == "unknown"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"takes": "astrology"}, "takes: expected needs of"),
        ({"legal": "perhaps"}, "legal: expected covered-entity"),
        ({"intake": "America/New_York mon 6-11"}, "intake: expected hours such as"),
        ({"intake": "Mars/Olympus mon 06:00-11:00"}, "time_zone"),
        ({"dosing": "fri-mon 06:00-11:00"}, "dosing: expected days in the order"),
        ({"pregnancy": "perhaps"}, "pregnancy: expected yes, no or unknown"),
        ({"reached": "portal"}, "reached: expected ways of"),
        ({"reached": "protal 555-0100"}, "reached: expected ways of"),
        ({"dosing": "mon 06:00-11:00"}, "time_zone: needed"),
        ({"by": ""}, "by: a partner has a name"),
    ],
)
async def test_an_answer_that_can_not_be_read_is_named(world: World, answer: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        await partner_setup.set_up(world.hub, {"name": "HTEST Cove", "by": "desk", **answer})


def test_an_answers_file_is_one_object_of_known_keys() -> None:
    with pytest.raises(BadRequest, match="No question is called colour"):
        partner_setup.answers_of(b'{"colour": "blue"}')
    with pytest.raises(BadRequest, match="one JSON object of texts"):
        partner_setup.answers_of(b'["blue"]')


async def test_three_rejections_for_one_reason_are_a_question_and_no_change(
    world: World, web: httpx.AsyncClient
) -> None:
    harbor: Caller = await caller(world, web, world.harbor)
    reason = {"coding": [{"system": "https://throughline.org/fhir/CodeSystem/status-reason", "code": "stimulant-use"}]}
    for number in (1, 2, 3):
        await discharge(world, web, number)
        (task,) = await harbor.search("Task?status=requested")
        change = {"op": "add", "path": "/statusReason", "value": {**reason, "text": "Stimulant use"}}
        assert (await harbor.set_status(task, "rejected", change)).status_code == 200
        asked = await partners.ask(world.hub, str(PARTNER["name"]))
        assert asked is not None
        assert (asked.why == "rejections") == (number == 3)
        assert (asked.facet == "stimulants") == (number == 3)
    assert "stimulants" not in (await profile_of(world, world.harbor)).facets
    await partners.attest(world.hub, str(PARTNER["name"]), "stimulants", {"value": "yes", "attested_by": "desk"})
    following = await partners.ask(world.hub, str(PARTNER["name"]))
    assert following is None or following.facet != "stimulants"


async def test_a_partner_with_nothing_open_is_asked_nothing(world: World) -> None:
    await imported(world, {**PROFILE, "facets": {}})
    assert await partners.ask(world.hub, str(PARTNER["name"])) is None
    over = {**SAID, "expires": "2026-02-01"}
    await imported(world, {**PROFILE, "facets": {"stimulants": {"value": "no", **over}}})
    asked = await partners.ask(world.hub, str(PARTNER["name"]))
    assert asked is not None
    assert (asked.facet, asked.why) == ("stimulants", "lapsed")
