"""``$packet`` for people: the same packet as a page and as a print, under the same decision and on the same record."""

import json

import httpx
import pytest

from app.core.errors import BadRequest
from fhir_mappings.pages.letter import NO_DOSE, TITLE, UNVERIFIED
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.contract.http_messages import METHADONE, event
from tests.contract.part2_referrals import part2_referral
from tests.contract.test_consent_life import IDENTIFYING, Scene, consent, offered, scene
from tests.hub_fixtures import World
from tests.unit.letters import NOTICE, html_texts, pdf_pages, squeezed

__all__ = ["scene"]

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
JSON, HTML, PDF = "application/fhir+json; charset=utf-8", "text/html; charset=utf-8", "application/pdf"


async def got(partner: Caller, task: Resource, accept: str, query: str = "") -> httpx.Response:
    return await partner.get(f"Task/{task['id']}/$packet{query}", accept=accept)


async def texts(partner: Caller, task: Resource) -> tuple[str, str]:
    """Page and print, as they are read."""
    page, printed = await got(partner, task, "text/html"), await got(partner, task, "application/pdf")
    assert (page.status_code, printed.status_code) == (200, 200), page.text
    return "\n".join(html_texts(page.content)), "\n".join(pdf_pages(printed.content))


# ---- which form


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/fhir+json", JSON),
        ("application/json", "application/json; charset=utf-8"),
        (BROWSER, HTML),
        ("text/*", HTML),
        ("application/pdf", PDF),
        ("application/pdf;q=0.4, text/html;q=0.5", HTML),
        ("application/fhir+json;q=0, application/json;q=0, */*", HTML),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_accept_header_chooses(harbor: Caller, task: Resource, accept: str, media: str) -> None:
    answer = await got(harbor, task, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_query_goes_before_the_header(harbor: Caller, task: Resource) -> None:
    for stated, media in (("html", HTML), ("pdf", PDF), ("application/pdf", PDF), ("json", JSON), ("text/html", HTML)):
        answer = await got(harbor, task, "image/png", f"?_format={stated}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, media), stated


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_is_not_written_here_is_406_and_named(harbor: Caller, task: Resource) -> None:
    for accept, query in (("image/png", ""), ("text/html;q=0", ""), ("*/*", "?_format=xml"), ("*/*", "?_format=docx")):
        answer = await got(harbor, task, accept, query)
        assert answer.status_code == 406, (accept, query)
        said = answer.json()["issue"][0]["diagnostics"]
        assert all(one in said for one in ("application/fhir+json", "text/html", "application/pdf"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_in_a_batch_a_packet_is_json(harbor: Caller, task: Resource) -> None:
    entries = [
        {"request": {"method": "GET", "url": f"Task/{task['id']}/$packet{query}"}}
        for query in ("", "?_format=json", "?_format=pdf", "?_format=html")
    ]
    answer = await harbor.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries}, accept="*/*")
    statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
    assert statuses == ["200", "200", "406", "406"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_pages_are_kept_nowhere_and_fetch_nothing(world: World, web: httpx.AsyncClient) -> None:
    partner = await part2_referral(world, web)
    (task,) = await partner.search("Task")
    for accept, kind in (("text/html", "html"), ("application/pdf", "pdf")):
        headers = (await got(partner, task, accept)).headers
        assert headers["cache-control"] == "private, no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert headers["content-disposition"] == f'inline; filename="packet.{kind}"'
        assert headers.get_list("x-part2-notice") == [NOTICE.short]
        assert headers["x-frame-options"] == "DENY"


# ---- what stands there


async def test_page_and_print_have_the_letter_the_notice_and_whom_to_call(world: World, web: httpx.AsyncClient) -> None:
    partner = await part2_referral(world, web)
    (task,) = await partner.search("Task")
    for text in await texts(partner, task):
        flat = squeezed(text)
        for said in ("Sam Htest", TITLE, "80 mg", UNVERIFIED, NOTICE.text, "Call to verify the last dose"):
            assert squeezed(said) in flat, said


async def test_a_hospital_reads_the_letter_of_its_own_source(world: World, web: httpx.AsyncClient) -> None:
    await discharge(world, web, 1)
    hospital = await caller(world, web, world.mercy, "system/*.rs")
    (source,) = await hospital.search("Task")
    page, printed = await texts(hospital, source)
    assert TITLE in page
    assert TITLE in printed


async def test_what_is_told_later_stands_in_the_next_page(world: World, web: httpx.AsyncClient) -> None:
    await discharge(world, web, 1, medications=[{"product": METHADONE}])
    harbor = await caller(world, web, world.harbor)
    (task,) = await harbor.search("Task")
    page, _ = await texts(harbor, task)
    assert NO_DOSE in page
    verified = {"at": "2026-06-05T09:00:00-04:00", "amount": 85, "unit": "mg", "verified_by": "HTEST Pharmacist"}
    await discharge(world, web, 1, event_id="HTEST-late", medications=[{"product": METHADONE, "doses": [verified]}])
    page, printed = await texts(harbor, task)
    for text in (page, printed):
        assert NO_DOSE not in text
        assert UNVERIFIED not in text
        assert squeezed("HTEST Pharmacist") in squeezed(text)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "\u202eHtest\u202c",
        "x" * 4096,
        '"><img src=x onerror=y>',
        "#panic() \\ $x$",
        "王小明",
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_name_can_do_nothing_to_a_page(world: World, web: httpx.AsyncClient, name: str) -> None:
    person = event(1)["patient"] | {"name": {"family": name, "given": ["Htest"]}}
    await discharge(world, web, 1, patient=person)
    harbor = await caller(world, web, world.harbor)
    (task,) = await harbor.search("Task")
    page = await got(harbor, task, "text/html")
    body = page.text.partition("<body>")[2]
    assert [one for one in ("<script", "<img", "\u202e", "\u202c") if one in body] == []
    _, printed = await texts(harbor, task)
    assert "Htest" in printed


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_name_of_ten_thousand_letters_is_no_name(world: World, web: httpx.AsyncClient) -> None:
    person = event(1)["patient"] | {"name": {"family": "x" * 10_000}}
    headers = await world.bearer(world.mercy, "ingest")
    answer = await web.post("/ingest/events?sender=mercy-adt", json=event(1, patient=person), headers=headers)
    assert answer.status_code == BadRequest.status


# ---- who may see it, and what is recorded


async def test_who_may_see_the_offer_gets_a_page_of_the_offer(scene: Scene) -> None:
    task = await offered(scene)
    for text in await texts(scene.partner, task):
        assert "Offer of a referral" in text
        assert "Methadone" in text
        assert [one for one in (*IDENTIFYING, TITLE, "Apr 1991", "80 mg") if one in text] == []
    await scene.tell(consent())
    for text in await texts(scene.partner, await scene.child()):
        assert TITLE in text
        assert "Sam Htest" in text
    await scene.tell(consent(status="inactive", signed_at="2026-06-06T10:00:00-04:00"))
    for text in await texts(scene.partner, task):
        assert [one for one in (*IDENTIFYING, TITLE) if one in text] == []


async def test_nobody_else_gets_a_page(world: World, web: httpx.AsyncClient, harbor: Caller, task: Resource) -> None:
    del harbor
    stranger = await caller(world, web, world.north, "system/*.rs")
    for accept in ("text/html", "application/pdf"):
        answer = await got(stranger, task, accept)
        unknown = await got(stranger, {"id": "unknown"}, accept)
        assert (answer.status_code, answer.content) == (404, unknown.content)
        assert answer.json()["resourceType"] == "OperationOutcome"
        bare = await web.get(f"/fhir/R4/Task/{task['id']}/$packet", headers={"accept": accept})
        assert bare.status_code == 401


@pytest.mark.parametrize("accept", ["application/fhir+json", "text/html", "application/pdf"])
async def test_each_form_is_the_same_disclosure(world: World, harbor: Caller, task: Resource, accept: str) -> None:
    before = await disclosed(world)
    assert (await got(harbor, task, accept)).status_code == 200
    after = await disclosed(world)
    document = (await got(harbor, task, "application/fhir+json")).json()
    assert {one["resource"]["id"] for one in document["entry"][1:]} <= after
    assert after > before
    assert await disclosed(world) == after, "the second form is no new disclosure"


async def disclosed(world: World) -> set[str]:
    """Ids of all that was ever shown to the partner."""
    text = "select entries from disclosure where organization = $1"
    rows = await world.hub.store.database.fetch(text, world.harbor)
    return {entry[0] for row in rows for entry in json.loads(row[0])}


# ---- what became of doses


def _charted(*doses: Resource) -> list[Resource]:
    return [{"product": METHADONE, "schedule": {"interval": "PT24H"}, "doses": list(doses)}]


def _given(at: str, amount: int, **more: object) -> Resource:
    return {"at": f"2026-06-{at}:00-04:00", "amount": amount, "unit": "mg", **more}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_dose_that_was_corrected_stands_in_no_letter(world: World, web: httpx.AsyncClient) -> None:
    await discharge(world, web, 3, medications=_charted(_given("05T09:15", 81)))
    then = {"kind": "update", "event_id": "HTEST-3-then", "occurred_at": "2026-06-05T15:00:00-04:00"}
    await discharge(world, web, 3, medications=_charted(_given("05T08:00", 72)), **then)
    partner = await caller(world, web, world.harbor)
    (task,) = await partner.search("Task")
    for text in await texts(partner, task):
        assert "72 mg" in text
        assert "81 mg" not in text
        assert "09:15" not in text
    doses = await partner.search("MedicationAdministration")
    assert [one["effectiveDateTime"] for one in doses] == ["2026-06-05T08:00:00-04:00"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_dose_that_was_held_stands_in_the_letter_as_held(world: World, web: httpx.AsyncClient) -> None:
    charted = _charted(_given("04T09:15", 81), _given("05T09:15", 81, held=True))
    await discharge(world, web, 3, medications=charted)
    partner = await caller(world, web, world.harbor)
    (task,) = await partner.search("Task")
    for text in await texts(partner, task):
        assert "HELD OR REFUSED" in text
        assert "none among the doses above" not in text.partition("Sedation")[0].partition("Doses held")[2]
        missing = text.partition("No entry was sent for")[2].partition("Whether")[0]
        assert "3 Jun" in missing
        assert "5 Jun" not in missing
    doses = await partner.search("MedicationAdministration")
    assert sorted(one["status"] for one in doses) == ["completed", "not-done"]
    (last,) = [
        one["valueReference"]["reference"].rpartition("/")[2]
        for one in task["input"]
        if "MedicationAdministration" in one.get("valueReference", {}).get("reference", "")
    ]
    assert [one["status"] for one in doses if one["id"] == last] == ["completed"]
