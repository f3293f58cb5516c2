"""AuditEvents over HTTP: rendered from what is on record, shown to the two that it concerns, never written."""

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.services.privacy import audit_events
from app.store.changes import Changes
from fhir_mappings import gate
from tests.contract.disclosed import Person, person
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.contract.shelf import ids_of, next_of
from tests.hub_fixtures import World

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition"
SOURCE = f"{BALP}/IHE.BasicAudit.PrivacyDisclosure.Source"


@pytest_asyncio.fixture
async def sam(world: World, web: httpx.AsyncClient) -> Person:
    made = await person(world, web)
    await made.write()
    return made


async def events(of: Caller, query: str = "") -> list[Resource]:
    return await of.search(f"AuditEvent?{query}" if query else "AuditEvent")


def claims(found: list[Resource]) -> list[str]:
    return [(one["meta"].get("profile") or ["none"])[0].rpartition("/")[2] for one in found]


def whats(event: Resource) -> list[str]:
    return [one["what"]["reference"] for one in event["entity"]]


async def test_a_disclosure_is_told_to_its_source_and_to_its_recipient(sam: Person) -> None:
    await sam.harbor.read("Task?_include=Task:patient")
    decided, source = await events(sam.mercy)
    (recipient,) = await events(sam.harbor)
    assert source == recipient
    assert claims([decided, source]) == ["IHE.BasicAudit.AuthZconsent", "IHE.BasicAudit.PrivacyDisclosure.Source"]
    assert (source["type"]["code"], source["action"], source["outcome"]) == ("110106", "R", "0")
    assert whats(source) == [
        f"Patient/{sam.id('patient')}",
        f"Task/{sam.id('task')}/_history/1",
        f"Patient/{sam.id('patient')}/_history/1",
    ]
    sender, receiver, custodian = source["agent"]
    assert sender["who"] == source["source"]["observer"]
    assert sender["policy"] == [f"http://hub.test/fhir/R4/Consent/{sam.id('consent')}/_history/1"]
    assert receiver["who"]["reference"] == f"Organization/{sam.harbor.organization}"
    assert custodian["who"]["reference"] == f"Organization/{sam.mercy.organization}"
    assert source["purposeOfEvent"][0]["coding"][0]["code"] == "TREAT"
    assert {one["code"] for one in source["meta"]["security"]} == {"R", "42CFRPart2"}


async def test_an_event_is_read_by_its_id_and_never_changes(sam: Person) -> None:
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    for one in await events(sam.mercy):
        answer = await sam.mercy.get(f"AuditEvent/{one['id']}")
        assert answer.json() == one
        again = await sam.mercy.get(f"AuditEvent/{one['id']}", if_none_match=answer.headers["etag"])
        assert again.status_code == 304


async def test_the_notice_travels_with_events_about_records_that_have_one(sam: Person) -> None:
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    assert "x-part2-notice" in (await sam.mercy.get("AuditEvent")).headers
    for one in await events(sam.mercy):
        assert "x-part2-notice" in (await sam.mercy.get(f"AuditEvent/{one['id']}")).headers
    assert "x-part2-notice" not in (await sam.mercy.get("AuditEvent?outcome=8")).headers


async def test_a_third_organisation_sees_nothing_of_it(sam: Person, world: World, web: httpx.AsyncClient) -> None:
    other = await person(world, web, "two")
    await other.write()
    await sam.harbor.read("Task")
    north = await caller(world, web, world.north)
    assert await events(north) == []
    unknown = await north.get("AuditEvent/019e9903-7080-7000-8000-0000000fffff.0")
    for one in await events(sam.mercy):
        hidden = await north.get(f"AuditEvent/{one['id']}")
        assert (hidden.status_code, hidden.content) == (404, unknown.content)


async def test_a_page_over_two_hospitals_is_told_to_each_in_its_own_part(
    sam: Person, world: World, web: httpx.AsyncClient
) -> None:
    other = await person(world, web, "two")
    await other.write(other.decision(discloser=world.north))
    await sam.harbor.read("Task?_sort=_id")
    north = await caller(world, web, world.north)
    for hospital, of in ((sam.mercy, sam), (north, other)):
        (event,) = await events(hospital, "type=110106")
        assert whats(event) == [f"Patient/{of.id('patient')}", f"Task/{of.id('task')}/_history/1"]
        assert of.id("patient") in str(event)
    assert {one["id"].rpartition(".")[2] for one in await events(sam.harbor)} == {"0", "1"}


async def test_a_recipient_does_not_see_decisions_about_it(sam: Person, world: World) -> None:
    refused = sam.decision(
        id="refused",
        level="nothing",
        basis=None,
        consent=None,
        consent_version=None,
        reasons='[{"code":"no-consent","text":"no standing consent names the recipient"}]',
        cure='["a signed consent"]',
    )
    await world.hub.store.commit(Changes(decisions=(refused,)))
    assert await events(sam.harbor) == []
    found = await events(sam.mercy, "outcome=8")
    assert claims(found) == ["none"]
    assert found[0]["outcomeDesc"] == "no standing consent names the recipient; cure: a signed consent"
    assert (await sam.harbor.get("AuditEvent/refused")).status_code == 404


async def test_of_an_offer_its_recipient_is_not_told_whose_it_is(sam: Person, world: World) -> None:
    database = world.hub.store.database
    await database.execute("update visibility set level = 'offer' where organization = $1", world.harbor)
    await database.execute(
        "insert into body (id, version, rendition, content) select id, version, 'offer', content from body"
    )
    await sam.harbor.read(f"Task/{sam.id('task')}")
    (event,) = await events(sam.harbor)
    assert claims([event]) == ["none"]
    assert sam.id("patient") not in str(event)
    assert await events(sam.harbor, f"patient={sam.id('patient')}") == []
    assert whats((await events(sam.mercy, "type=110106"))[0])[0] == f"Patient/{sam.id('patient')}"


async def test_repeats_are_told_to_the_reader_and_reading_the_trail_adds_nothing_to_it(
    sam: Person, app: FastAPI
) -> None:
    for _ in range(3):
        await sam.harbor.read(f"Patient/{sam.id('patient')}")
    await sam.harbor.read("Task?_include=Task:focus")
    for _ in range(2):
        await app.state.disclosures.flush()
        first, *later = await events(sam.harbor)
    assert claims([first]) == ["IHE.BasicAudit.PrivacyDisclosure.Source"]
    assert sorted(claims(later)) == ["IHE.BasicAudit.PatientRead", "IHE.BasicAudit.PrivacyDisclosure.Source", "none"]
    (repeat,) = await events(sam.harbor, "subtype=read")
    assert repeat["entity"][0]["detail"] == [{"type": "times", "valueString": "2"}]
    assert [one["action"] for one in await events(sam.harbor, "subtype=search-type")] == ["E"]


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("patient={patient}", 2),
        ("patient=Patient/{patient}", 2),
        ("patient=nobody", 0),
        ("patient=Patient/{patient},Patient/nobody", 2),
        ("entity=Task/{task}", 1),
        ("agent=Organization/{harbor}", 2),
        ("agent=Organization/nobody", 0),
        ("type=http://dicom.nema.org/resources/ontology/DCM|110113", 1),
        ("action=E", 1),
        ("outcome:not=0", 0),
        ("date=ge2020-01-01&date=lt2100", 2),
        ("date=lt2020-01-01", 0),
        ("_lastUpdated=gt2020-01-01T00:00:00Z", 2),
        ("_id=decision-one", 1),
        ("_profile=" + SOURCE, 1),
        ("_count=1", 1),
        ("_summary=count", 0),
    ],
)
async def test_what_is_asked_for_is_found(sam: Person, query: str, number: int) -> None:
    await sam.harbor.read("Task")
    named = {"patient": sam.id("patient"), "task": sam.id("task"), "harbor": sam.harbor.organization}
    assert len(await events(sam.mercy, query.format(**named))) == number


async def test_what_is_asked_is_what_the_recorded_instant_answers(sam: Person) -> None:
    await sam.harbor.read("Task")
    first, second = [one["meta"]["lastUpdated"] for one in await events(sam.mercy)]
    for query in (f"_lastUpdated=gt{first}", f"date=gt{first}", f"date={second}", f"_lastUpdated=ge{second}"):
        assert [one["recorded"] for one in await events(sam.mercy, query)] == [second], query
    assert await events(sam.mercy, f"_lastUpdated=gt{second}") == []


@pytest.mark.parametrize("order", ["_lastUpdated", "-_lastUpdated"])
async def test_pages_bring_every_part_once(
    sam: Person, world: World, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    for key in ("two", "three", "four"):
        await (await person(world, web, key)).write()
    await sam.harbor.read("Task")
    monkeypatch.setattr(audit_events, "_SLICE", 2)
    whole = await sam.mercy.read(f"AuditEvent?_total=accurate&_sort={order}")
    assert whole["total"] == 8
    page = await sam.mercy.read(f"AuditEvent?_count=3&_total=accurate&_sort={order}")
    assert page["total"] == 8
    found = ids_of(page)
    while (url := next_of(page)) is not None:
        page = (await sam.mercy.web.get(url, headers=sam.mercy.headers)).json()
        found += ids_of(page)
    assert found == ids_of(whole)
    told = [entry["resource"]["recorded"] for entry in whole["entry"] if entry["search"]["mode"] == "match"]
    assert told == sorted(told, reverse=order[0] == "-")
    cursor = next_of(await sam.mercy.read("AuditEvent?_count=3"))
    assert cursor is not None
    assert (await sam.harbor.web.get(cursor, headers=sam.harbor.headers)).status_code == 400


async def test_a_search_by_post_is_the_same(sam: Person) -> None:
    await sam.harbor.read("Task")
    path = "/fhir/R4/AuditEvent/_search"
    answer = await sam.mercy.web.post(path, data={"patient": sam.id("patient")}, headers=sam.mercy.headers)
    assert len(ids_of(answer.json())) == 2


async def test_no_event_is_written_changed_or_deleted(sam: Person) -> None:
    await sam.harbor.read("Task")
    one = (await events(sam.mercy))[-1]
    for answer in (
        await sam.mercy.post("AuditEvent", {**one, "id": "new"}),
        await sam.mercy.put(one),
        await sam.mercy.patch(f"AuditEvent/{one['id']}", {"op": "remove", "path": "/outcome"}),
        await sam.mercy.delete(f"AuditEvent/{one['id']}"),
    ):
        assert answer.status_code == 405
    assert (await events(sam.mercy))[-1] == one


async def test_a_token_without_the_scope_is_refused(world: World, web: httpx.AsyncClient) -> None:
    other = await caller(world, web, world.mercy, "system/Task.rs")
    assert (await other.get("AuditEvent")).status_code == 403
    assert (await other.get("AuditEvent/x")).status_code == 403
    assert (await web.get("/fhir/R4/AuditEvent")).status_code == 401


async def test_every_event_passes_the_gate(sam: Person, app: FastAPI) -> None:
    for query in ("Task?_include=Task:focus&_include=Task:patient", f"Patient/{sam.id('patient')}", "Task"):
        await sam.harbor.read(query)
        await sam.mercy.read(query)
    emergency = sam.decision(id="emergency", basis="emergency-2-51", purpose="ETREAT", consent=None)
    await sam.world.hub.store.commit(Changes(decisions=(emergency,)))
    await app.state.disclosures.flush()
    found = [*await events(sam.harbor), *await events(sam.mercy)]
    assert {*claims(found)} == {
        "IHE.BasicAudit.PrivacyDisclosure.Source",
        "IHE.BasicAudit.PatientRead",
        "IHE.BasicAudit.AuthZconsent",
        "none",
    }
    for one in found:
        assert gate.check(one) == []
    (alert,) = await events(sam.mercy, "subtype=110127")
    assert alert["type"]["code"] == "110113"


async def test_too_many_events_to_look_through_are_refused_with_what_would_help(
    sam: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sam.harbor.read("Task")
    monkeypatch.setattr(audit_events, "_SLICE", 1)
    monkeypatch.setattr(audit_events, "_SCANNED", 2)
    answer = await sam.mercy.get("AuditEvent?outcome=12")
    assert answer.status_code == 400
    assert "patient or a date" in answer.text
