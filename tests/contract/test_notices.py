"""A record under 42 CFR Part 2 leaves with its notice on every way; nothing else does."""

from dataclasses import replace

import httpx
import pytest_asyncio

from app.services.hub import Hub
from fhir_mappings import gate
from schemas.packs.base import notice
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.contract.notified import notifying, subscriber
from tests.contract.part2_referrals import ALL, codes, part2_referral
from tests.contract.subscribers import body, subscribe
from tests.hub_fixtures import World
from tests.receivers import receiving

HEADER = "x-part2-notice"
WORDS = notice("part2-2-32")


@pytest_asyncio.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    return await part2_referral(world, web)


@pytest_asyncio.fixture
async def task(partner: Caller) -> Resource:
    (only,) = await partner.search("Task")
    return only


def outcomes(bundle: Resource) -> list[Resource]:
    return [one["resource"] for one in bundle.get("entry", ()) if one["search"]["mode"] == "outcome"]


def accompanied(answer: httpx.Response) -> bool:
    """Whether the short form goes with an answer, exactly once."""
    values = answer.headers.get_list(HEADER)
    assert values in ([], [WORDS.short])
    return bool(values)


# ---- searches


async def test_a_page_says_the_whole_notice_once_and_marks_itself(partner: Caller) -> None:
    for query in ("Task?_include=Task:focus", "Task?_count=1&_total=accurate", "Task?_summary=true", "Patient"):
        answer = await partner.get(query)
        bundle = answer.json()
        assert accompanied(answer), query
        (outcome,) = outcomes(bundle)
        assert [one["details"]["text"] for one in outcome["issue"]] == [WORDS.text, WORDS.scope]
        assert bundle["entry"][-1]["resource"] == outcome
        assert codes(bundle) == ["R"], "how secret, and not why"
        assert bundle["total"] == 1, "what is said of the search is no match"
        assert gate.check(outcome) == []


async def test_a_page_without_such_a_record_says_nothing(partner: Caller) -> None:
    for query in ("Task?_summary=count", "Task?status=completed", "Organization", "Task?_count=0"):
        answer = await partner.get(query)
        assert (accompanied(answer), outcomes(answer.json()), codes(answer.json())) == (False, [], []), query


async def test_what_was_left_out_and_the_notice_stand_in_one_outcome(partner: Caller) -> None:
    (outcome,) = outcomes((await partner.get("Task?unheard=x", prefer="handling=lenient")).json())
    assert [one["code"] for one in outcome["issue"]] == ["not-supported", "informational", "informational"]


async def test_a_page_that_is_asked_again_is_accompanied_again(partner: Caller) -> None:
    first = await partner.get("Task?_count=20")
    again = await partner.get("Task?_count=20")
    assert accompanied(again)
    assert [outcomes(one.json()) for one in (first, again)] == [outcomes(first.json())] * 2
    held = await partner.get("Task?_count=20", if_none_match=first.headers["etag"])
    assert (held.status_code, accompanied(held)) == (304, False)


async def test_a_record_that_is_not_under_part_2_marks_the_page_and_has_no_notice(harbor: Caller) -> None:
    for path in ("Task", f"Task/{(await harbor.search('Task'))[0]['id']}/_history"):
        answer = await harbor.get(path)
        assert (accompanied(answer), codes(answer.json())) == (False, ["R"])
        assert "OperationOutcome" not in answer.text


async def test_who_holds_the_record_itself_is_told_nothing_of_it(
    partner: Caller, world: World, web: httpx.AsyncClient
) -> None:
    hospital = await caller(world, web, world.mercy, ALL)
    assert partner.organization != hospital.organization
    answer = await hospital.get("Patient")
    assert (accompanied(answer), codes(answer.json())) == (False, ["R"])


# ---- one resource


async def test_each_way_to_one_record_has_the_notice_and_what_shows_none_has_not(
    partner: Caller, task: Resource
) -> None:
    path = f"Task/{task['id']}"
    for shown in (path, f"{path}?_elements=status", f"{path}/_history", f"{path}/_history/1", f"{path}/$packet"):
        assert accompanied(await partner.get(shown)), shown
    assert codes(await partner.read(f"{path}/_history")) == ["R"]
    tag = f'W/"{task["meta"]["versionId"]}"'
    for unseen in (await partner.get(path, if_none_match=tag), await partner.get("Task/unknown")):
        assert unseen.status_code in {304, 404}
        assert not accompanied(unseen)


async def test_a_write_is_accompanied_where_its_answer_holds_the_record(partner: Caller, task: Resource) -> None:
    assert not accompanied(await partner.set_status(task, "accepted", prefer="return=minimal"))
    assert not accompanied(await partner.set_status(task, "accepted", prefer="return=OperationOutcome"))
    assert accompanied(await partner.set_status(task, "accepted"))
    assert accompanied(await partner.set_status(task, "in-progress"))


async def test_a_batch_and_a_transaction_are_accompanied_as_a_whole(partner: Caller, task: Resource) -> None:
    reads: Resource = {"request": {"method": "GET", "url": f"Task/{task['id']}"}}
    absent: Resource = {"request": {"method": "GET", "url": "Task/unknown"}}
    for kind in ("batch", "transaction"):
        answer = await partner.post("", {"resourceType": "Bundle", "type": kind, "entry": [absent, reads]})
        assert accompanied(answer), kind
        assert codes(answer.json()) == ["R"]
        none = await partner.post("", {"resourceType": "Bundle", "type": kind, "entry": [absent]})
        assert (accompanied(none), codes(none.json())) == (False, [])
    change = {**reads["request"], "method": "PUT"}
    entry = {"resource": task | {"status": "accepted"}, "request": change}
    accepts: Resource = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    told = await partner.post("", accepts, prefer="return=representation")
    assert (told.status_code, accompanied(told)) == (200, True)
    assert not accompanied(await partner.post("", accepts))


async def test_a_packet_has_the_notice_and_the_consent_that_its_request_names(partner: Caller, task: Resource) -> None:
    document = await partner.read(f"Task/{task['id']}/$packet")
    held = {f"{one['resource']['resourceType']}/{one['resource']['id']}": one for one in document["entry"]}
    request = held[task["focus"]["reference"]]["resource"]
    (consented,) = [name for name in held if name.startswith("Consent/")]
    assert {"reference": consented} in request["supportingInfo"], "where the notice says that it stands"
    notice_section, *others = document["entry"][0]["resource"]["section"]
    assert WORDS.text in notice_section["text"]["div"]
    assert "as HIPAA permits, except for civil" in notice_section["text"]["div"]
    assert {"title": "Consent", "entry": [{"reference": consented}]} in others


# ---- notifications


async def test_a_notification_is_accompanied_where_it_carries_the_record(hub: Hub, partner: Caller) -> None:
    here = replace(hub, settings=hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"}))
    (held,) = await partner.search("Task")
    async with receiving() as whole, receiving() as bare, notifying(here):
        actor = await subscriber(World(hub, "", "", partner.organization))
        await subscribe(here, actor, body(whole.url, content="full-resource"))
        await subscribe(here, actor, body(bare.url, content="id-only"))
        await whole.of_type("handshake")
        await bare.of_type("handshake")
        await partner.set_status(held, "accepted")
        (told,), (named,) = await whole.of_type("event-notification"), await bare.of_type("event-notification")
    assert (told.headers.get(HEADER), codes(told.bundle)) == (WORDS.short, ["R"])
    assert gate.check(told.bundle) == []
    assert (named.headers.get(HEADER), codes(named.bundle)) == (None, [])


async def test_events_that_are_asked_for_are_accompanied_as_they_are_when_sent(hub: Hub, partner: Caller) -> None:
    (held,) = await partner.search("Task")
    actor = await subscriber(World(hub, "", "", partner.organization))
    made = await subscribe(hub, actor, body(content="full-resource"))
    await partner.set_status(held, "accepted")
    answer = await partner.get(f"Subscription/{made}/$events")
    assert (accompanied(answer), codes(answer.json())) == (True, ["R"])
    assert not accompanied(await partner.get(f"Subscription/{made}/$events?content=id-only"))
