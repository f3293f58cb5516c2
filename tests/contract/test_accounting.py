"""A privacy officer's questions: who received what, when, why, under which consent; who looked; what was exposed."""

import csv
import io
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.actor import Actor
from app.core.errors import BadRequest, NotFound, Unavailable
from app.services import sheets
from app.services.privacy import access_accounts, breaches, disclosure_accounts, person_search
from app.services.privacy.disclosure_accounts import Account
from app.services.privacy.person_search import Sought
from app.services.writing import change_of
from app.store import accesses
from app.store.changes import Changes, Revocation
from app.store.database import Gone
from tests.contract.disclosed import Person, person
from tests.hub_fixtures import World

OFFICER = Actor.system("accounting")


@pytest_asyncio.fixture
async def sam(world: World, web: httpx.AsyncClient) -> Person:
    made = await person(world, web)
    await made.write()
    return made


async def accounts(of: Person, since: int = 0) -> list[Account]:
    return await disclosure_accounts.accounts(of.world.hub, OFFICER, [of.id("patient")], since)


@pytest.mark.parametrize(
    "sought",
    [
        Sought(family="htest", given="sam-one"),
        Sought(identifier="urn:oid:1.2.3|HTEST-one"),
        Sought(identifier="HTEST-one"),
        Sought(birth_date="1991-04-02", given="Sam-one"),
    ],
)
async def test_a_person_is_found_by_what_is_known_of_them(
    sam: Person, world: World, web: httpx.AsyncClient, sought: Sought
) -> None:
    await (await person(world, web, "two")).write()
    (found,) = await person_search.find(sam.world.hub, OFFICER, sought)
    assert (found.patient, found.name, found.hospital) == (sam.id("patient"), "Sam-one Htest", "HTEST Mercy")


async def test_a_search_goes_on_where_pages_end(
    sam: Person, world: World, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await person(world, web, "two")).write()
    monkeypatch.setattr(person_search, "_SLICE", 1)
    assert len(await person_search.find(sam.world.hub, OFFICER, Sought(family="Htest"))) == 2


async def test_who_is_sought_must_be_said(sam: Person) -> None:
    with pytest.raises(BadRequest):
        await person_search.find(sam.world.hub, OFFICER, Sought())


async def test_an_account_says_who_received_what_when_why_and_under_which_consent(sam: Person) -> None:
    await sam.harbor.read("Task?_include=Task:focus&_include=Task:patient")
    await sam.harbor.read(f"Consent/{sam.id('consent')}")
    page, consent = await accounts(sam)
    assert page.what == {"Patient": 1, "ServiceRequest": 1, "Task": 1}
    assert page.brief == "full: 1 Patient, 1 ServiceRequest, 1 Task"
    assert (page.recipient_name, page.discloser_name) == ("HTEST Harbor OTP", "HTEST Mercy")
    assert (page.purpose, page.basis, page.direction) == ("TREAT", "consent", "to-recipient")
    assert page.consent == f"Consent/{sam.id('consent')}/_history/1"
    assert page.consent_scope == (
        "signed 2026-06-01, permits disclosure to HTEST Harbor OTP, for treatment, until 2027-06-01"
    )
    assert page.notice == "part2-2-32"
    assert consent.what == {"Consent": 1}
    assert page.at < consent.at


async def test_what_is_read_again_or_by_its_own_hospital_is_no_further_disclosure(sam: Person) -> None:
    for _ in range(2):
        await sam.harbor.read(f"Patient/{sam.id('patient')}")
        await sam.mercy.read(f"Patient/{sam.id('patient')}")
    assert [one.what for one in await accounts(sam)] == [{"Patient": 1}]


async def test_an_account_is_of_one_person_also_where_a_page_showed_several(
    sam: Person, world: World, web: httpx.AsyncClient
) -> None:
    other = await person(world, web, "two")
    await other.write()
    await sam.harbor.read("Task")
    assert [[(one.patient, one.what) for one in await accounts(of)] for of in (sam, other)] == [
        [(sam.id("patient"), {"Task": 1})],
        [(other.id("patient"), {"Task": 1})],
    ]


async def test_what_was_disclosed_before_the_time_that_is_asked_for_is_left_out(sam: Person) -> None:
    await sam.harbor.read("Task")
    assert await accounts(sam, sam.world.hub.clock.now_us()) == []


async def test_an_account_outlives_the_right_to_see(sam: Person) -> None:
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    gone = Revocation(sam.harbor.organization, sam.id("patient"))
    await sam.world.hub.store.commit(Changes(revocations=(gone,)))
    assert (await sam.harbor.get(f"Patient/{sam.id('patient')}")).status_code == 404
    assert len(await accounts(sam)) == 1


async def test_of_nobody_there_is_no_account(sam: Person) -> None:
    with pytest.raises(NotFound):
        await disclosure_accounts.accounts(sam.world.hub, OFFICER, ["nobody"], 0)


async def test_whoever_asks_for_an_account_is_on_record_before_the_answer(sam: Person) -> None:
    asked_by = Actor(None, "hub", purpose="accounting", user="HTEST-officer")
    await disclosure_accounts.accounts(sam.world.hub, asked_by, [sam.id("patient")], 0)
    rows = await sam.world.hub.store.database.fetch(
        "select organization, user_id, interaction, resource from access_log where client = 'hub'"
    )
    assert [tuple(row) for row in rows] == [("", "HTEST-officer", "accounting", sam.id("patient"))]


async def test_where_the_question_can_not_be_recorded_there_is_no_answer(
    sam: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise Gone

    monkeypatch.setattr(accesses, "write", away)
    with pytest.raises(Unavailable):
        await accounts(sam)


async def test_both_organisations_see_who_looked(sam: Person, app: FastAPI) -> None:
    for _ in range(3):
        await sam.harbor.read(f"Patient/{sam.id('patient')}")
    await sam.mercy.read(f"Task/{sam.id('task')}")
    await app.state.disclosures.flush()
    hub, patient = sam.world.hub, f"Patient/{sam.id('patient')}"
    reads = [("HTEST Harbor OTP", "first disclosure", 1, (patient,)), ("HTEST Harbor OTP", "read", 2, (patient,))]
    own = [("HTEST Mercy", "read", 1, (f"Task/{sam.id('task')}",))]
    for found, expected in (
        (await access_accounts.of_organization(hub, OFFICER, sam.mercy.organization, 0), reads + own),
        (await access_accounts.of_organization(hub, OFFICER, sam.harbor.organization, 0), reads),
        (await access_accounts.of_patient(hub, OFFICER, sam.id("patient"), 0), reads + own),
    ):
        told = [(one.organization_name, one.interaction, one.times, one.resources) for one in found]
        assert sorted(told) == expected
        assert {one.patients for one in found} == {(sam.id("patient"),)}


async def test_the_looks_of_a_recipient_at_others_records_are_not_told(
    sam: Person, world: World, web: httpx.AsyncClient, app: FastAPI
) -> None:
    other = await person(world, web, "two")
    await other.write(other.decision(discloser=world.north))
    for _ in range(2):
        await sam.harbor.read("Task?_sort=_id")
    await app.state.disclosures.flush()
    found = await access_accounts.of_organization(world.hub, OFFICER, world.north, 0)
    assert {one.resources for one in found} == {(f"Task/{other.id('task')}",)}


async def test_a_breach_names_records_versions_and_elements(sam: Person, world: World) -> None:
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    changed = change_of(sam.patient(gender="male"), 2)
    await world.hub.store.commit(Changes(resources=(changed,)))
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    client = (await world.hub.store.database.fetch("select client from disclosure"))[0][0]
    found = await breaches.exposure(world.hub, OFFICER, since=0, client=client)
    (one,) = found.affected
    (resource,) = one.resources
    assert (one.patient, resource.resource) == (sam.id("patient"), f"Patient/{sam.id('patient')}")
    assert (resource.versions, resource.levels) == ((1, 2), ("full",))
    assert {"Patient.name.family", "Patient.birthDate", "Patient.gender"} <= {*one.fields}
    assert not [path for path in one.fields if "telecom" in path]
    assert "Htest" not in str(breaches.as_json(found))


async def test_a_breach_counts_what_was_only_looked_at_again(sam: Person, world: World, app: FastAPI) -> None:
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    since = world.hub.clock.now_us()
    await sam.harbor.read(f"Patient/{sam.id('patient')}")
    await sam.mercy.read(f"Patient/{sam.id('patient')}")
    await app.state.disclosures.flush()
    clients = await world.hub.store.database.fetch("select distinct client from access_log")
    assert len(clients) == 2
    for (client,) in clients:
        (one,) = (await breaches.exposure(world.hub, OFFICER, since=since, client=client)).affected
        assert [shown.versions for shown in one.resources] == [(1,)]
        assert "Patient.birthDate" in one.fields


async def test_of_an_offer_no_more_was_exposed_than_the_offer(sam: Person, world: World) -> None:
    database = world.hub.store.database
    await database.execute("update visibility set level = 'offer'")
    offer = b'},"status":"requested"}'
    await database.execute(
        "insert into body (id, version, rendition, content) values ($1, 1, 'offer', $2)", sam.id("task"), offer
    )
    await sam.harbor.read(f"Task/{sam.id('task')}")
    client = (await database.fetch("select client from disclosure"))[0][0]
    (one,) = (await breaches.exposure(world.hub, OFFICER, since=0, client=client)).affected
    assert (one.resources[0].levels, one.fields) == (
        ("offer",),
        ("Task.id", "Task.meta.lastUpdated", "Task.meta.versionId", "Task.status"),
    )


async def test_a_client_that_there_is_not_was_exposed_to_nothing_that_could_be_told(world: World) -> None:
    with pytest.raises(NotFound):
        await breaches.exposure(world.hub, OFFICER, since=0, client="nobody")


# ---- what is handed over

NASTY = ("=1+1", "+1", "-1", "@x", "\tx", "\rx", 'a "quoted" word', "<script>alert(1)</script>", "José")


def sheet() -> sheets.Sheet:
    return sheets.Sheet("HTEST sheet", (("of", "<b>x</b>"),), ("one", "two"), [(cell, "x") for cell in NASTY])


def test_no_cell_of_a_spreadsheet_is_a_formula() -> None:
    text = sheets.written(sheet(), "csv")
    assert text.startswith("\ufeff")
    head, *rows, notice = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert head == ["one", "two"]
    assert [row[0] for row in rows] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "'\rx", *NASTY[6:]]
    assert notice == ["42 CFR part 2 prohibits unauthorized use or disclosure of these records."]
    assert '"a ""quoted"" word"' in text


def test_a_page_to_print_is_escaped_and_loads_nothing() -> None:
    text = sheets.written(sheet(), "html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>x</b>" not in text
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text
    assert "<title>HTEST sheet</title>" in text
    assert sheets.SHORT_NOTICE in text


def test_a_terminal_is_shown_nothing_that_it_obeys() -> None:
    text = sheets.written(sheets.Sheet("t", (), ("a",), [("\x1b[31mx\r",)]), "table")
    assert "\x1b" not in text
    assert "\r" not in text
    assert text.endswith(sheets.SHORT_NOTICE)
