"""A hospital asks by name with single requests: ServiceRequest and Task, and the consent that was missing."""

from typing import Any

import httpx
import pytest_asyncio

from app.services.partners import registration
from schemas.codes import local
from tests.contract.fhir_callers import Caller, Resource, caller, discharge, peers
from tests.hub_fixtures import World

ALL = "system/*.cruds"


@pytest_asyncio.fixture
async def hospital(world: World, web: httpx.AsyncClient) -> Caller:
    await discharge(world, web, 1)
    return await caller(world, web, world.mercy, ALL)


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.harbor, ALL)


async def only(who: Caller, query: str) -> Resource:
    (found,) = await who.search(query)
    return found


def request(person: str, need: str, **more: Any) -> Resource:
    return {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"coding": [{"system": local.NEED, "code": need}]},
        "subject": {"reference": person},
        "authoredOn": "2026-06-05T14:00:00-04:00",
        **more,
    }


def wanted(order: Resource, organization: str, **more: Any) -> Resource:
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": f"ServiceRequest/{order['id']}"},
        "for": order["subject"],
        "authoredOn": "2026-06-05T14:00:00-04:00",
        "requester": {"reference": f"Organization/{organization}"},
        **more,
    }


async def asked(hospital: Caller, need: str) -> httpx.Response:
    person = await only(hospital, "Patient")
    order = await hospital.post("ServiceRequest", request(f"Patient/{person['id']}", need))
    assert order.status_code == 201, order.text
    return await hospital.post("Task", wanted(order.json(), hospital.organization))


async def test_a_need_that_is_asked_for_by_name_reaches_its_partner(
    hospital: Caller, world: World, web: httpx.AsyncClient
) -> None:
    helpers = await peers(world, web)
    answer = await asked(hospital, "peer-support")
    source = answer.json()
    assert (answer.status_code, source["status"]) == (201, "requested")
    assert answer.headers["location"].split("/")[-3] == source["id"]
    assert await hospital.read(f"Task/{source['id']}") == source
    child = await only(helpers, "Task")
    assert child["partOf"] == [{"reference": f"Task/{source['id']}"}]
    sources = [task for task in await hospital.search("Task") if "partOf" not in task]
    assert len(sources) == 2
    assert len({task["groupIdentifier"]["value"] for task in sources}) == 1


async def test_asking_twice_asks_once(hospital: Caller, world: World, web: httpx.AsyncClient) -> None:
    helpers = await peers(world, web)
    first, second = await asked(hospital, "peer-support"), await asked(hospital, "peer-support")
    assert first.json()["id"] == second.json()["id"]
    await only(helpers, "Task")


async def test_a_task_that_leads_nowhere_is_refused_by_element(hospital: Caller, harbor: Caller) -> None:
    person = await only(hospital, "Patient")
    order = (await hospital.post("ServiceRequest", request(f"Patient/{person['id']}", "peer-support"))).json()
    for change, path in [
        ({"focus": {"reference": "ServiceRequest/nobody-has-it"}}, "Task.focus"),
        ({"for": {"reference": "Patient/nobody-has-it"}}, "Task.for"),
        ({"encounter": {"reference": "Encounter/nobody-has-it"}}, "Task.encounter"),
    ]:
        answer = await hospital.post("Task", wanted(order, hospital.organization, **change))
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, [path])
    partner = await harbor.post("Task", wanted(order, harbor.organization))
    assert partner.status_code == 403


async def test_a_consent_that_arrives_sends_the_referral_that_waited_for_it(
    world: World, web: httpx.AsyncClient, harbor: Caller
) -> None:
    part2 = {"id": "mercy-adt", "organization": "HTEST Mercy", "match_msh": ["EPIC|MERCY"], "part2": "all"}
    await registration.add_sender(world.hub, {**part2, "dialect": "adt_generic", "timezone": "America/New_York"})
    await discharge(world, web, 1)
    hospital = await caller(world, web, world.mercy, ALL)
    assert await harbor.search("Task") == []
    person = await only(hospital, "Patient")
    made = await hospital.post("Consent", consent(f"Patient/{person['id']}", world.harbor))
    assert made.status_code == 201, made.text
    assert (await hospital.read(f"Consent/{made.json()['id']}"))["provision"] == made.json()["provision"]
    child = await only(harbor, "Task")
    assert child["status"] == "requested"


async def test_a_consent_whose_limits_can_not_be_read_is_refused(hospital: Caller, world: World) -> None:
    person = await only(hospital, "Patient")
    stated = consent(f"Patient/{person['id']}", world.harbor)
    stated["provision"]["provision"] = [{"type": "deny"}]
    answer = await hospital.post("Consent", stated)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (
        400,
        ["Consent.provision.provision[0].actor"],
    )
    assert [one for one in await hospital.search("Consent") if one.get("dateTime") == stated["dateTime"]] == []


async def test_a_consent_that_lacks_elements_is_refused_with_the_list_of_what_is_missing(
    hospital: Caller, world: World
) -> None:
    person = await only(hospital, "Patient")
    bare = consent(f"Patient/{person['id']}", world.harbor)
    for element in ("organization", "policy", "performer", "dateTime"):
        del bare[element]
    bare["provision"] = {"type": "permit"}
    answer = await hospital.post("Consent", bare)
    assert answer.status_code == 422
    said = {one["expression"][0]: one["diagnostics"].partition(":")[0] for one in answer.json()["issue"]}
    assert said == {
        "Consent.organization": "42 CFR 2.31(a)(2)",
        "Consent.provision.actor": "42 CFR 2.31(a)(4)",
        "Consent.provision.purpose": "42 CFR 2.31(a)(5)",
        "Consent.policy.uri": "42 CFR 2.31(a)(10)",
        "Consent.provision.period.end": "42 CFR 2.31(a)(7)",
        "Consent.performer": "42 CFR 2.31(a)(8)",
        "Consent.dateTime": "42 CFR 2.31(a)(9)",
    }
    assert len(answer.json()["issue"]) == 9


async def test_a_whole_consent_can_be_taken_back_but_not_emptied(hospital: Caller, world: World) -> None:
    person = await only(hospital, "Patient")
    made = (await hospital.post("Consent", consent(f"Patient/{person['id']}", world.harbor))).json()
    del made["organization"]
    emptied = await hospital.put(made)
    assert (emptied.status_code, emptied.json()["issue"][0]["expression"]) == (422, ["Consent.organization"])
    ended = await hospital.put(made | {"status": "inactive"})
    assert (ended.status_code, ended.json()["status"]) == (200, "inactive")


async def test_a_consent_for_data_of_this_visit_is_whole_and_one_for_less_is_not(
    hospital: Caller, world: World
) -> None:
    person, stay = await only(hospital, "Patient"), await only(hospital, "Encounter")
    for reference, status in ((f"Encounter/{stay['id']}", 201), (f"Patient/{person['id']}", 422)):
        stated = consent(f"Patient/{person['id']}", world.harbor)
        stated["provision"]["data"] = [{"meaning": "related", "reference": {"reference": reference}}]
        assert (await hospital.post("Consent", stated)).status_code == status


async def test_a_signed_document_that_the_hospital_keeps_here_is_the_form(hospital: Caller, world: World) -> None:
    person = await only(hospital, "Patient")
    document = await hospital.post("DocumentReference", signed(f"Patient/{person['id']}"))
    assert document.status_code == 201, document.text
    stated = consent(f"Patient/{person['id']}", world.harbor)
    del stated["policy"]
    assert (await hospital.post("Consent", stated)).status_code == 422
    stated["sourceReference"] = {"reference": f"DocumentReference/{document.json()['id']}"}
    assert (await hospital.post("Consent", stated)).status_code == 201


def signed(person: str) -> Resource:
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "64292-6"}]},
        "subject": {"reference": person},
        "content": [{"attachment": {"contentType": "application/pdf", "data": "SFRFU1Q="}}],
    }


def consent(person: str, recipient: str) -> Resource:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]
        },
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IDSCL"}]}],
        "patient": {"reference": person},
        "dateTime": "2026-06-04T10:00:00-04:00",
        "organization": [{"display": "HTEST Mercy"}],
        "performer": [{"reference": person}],
        "policy": [{"uri": "https://mercy.example/forms/part2/3"}],
        "policyRule": {"text": "HTEST 42 CFR Part 2"},
        "provision": {
            "type": "permit",
            "actor": [
                {
                    "role": {
                        "coding": [
                            {"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}
                        ]
                    },
                    "reference": {"reference": f"Organization/{recipient}"},
                }
            ],
            "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}],
        },
    }
