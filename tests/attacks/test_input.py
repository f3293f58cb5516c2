"""Attack cases 55 to 63: what a partner writes is data, and never an instruction to the hub or to who reads it."""

import asyncio
import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.attacks.test_tenancy import procedure
from tests.contract.fhir_callers import FHIR, Caller, Resource
from tests.contract.neighbours import UNKNOWN, Neighbours
from tests.receivers import receiving

SCRIPT = "<script>alert(1)</script>"
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'


@pytest_asyncio.fixture
async def person(stranger: Caller) -> str:
    (only,) = await stranger.search("Patient")
    return f"Patient/{only['id']}"


async def test_55_no_text_reaches_a_header(all_of_them: Neighbours, stranger: Caller, person: str) -> None:
    odd = ["\u202eeno", "a\u200bb", "a\r\nset-cookie: x=1", "e\u0301", "\u212bngstrom"]
    for text in odd:
        made = await stranger.post("Procedure", procedure(person, code={"text": text}))
        assert made.status_code in {201, 400}
        assert "set-cookie" not in made.headers
        if made.status_code == 201:
            assert made.json()["code"]["text"] == text, "kept as it was sent"
        for header in ("x-request-id", "x-correlation-id", "prefer", "if-none-match"):
            answer = await stranger.get(
                "Task", **{header: text.encode("ascii", "replace").decode().replace("\r\n", " ")}
            )
            assert "set-cookie" not in answer.headers
    assert all_of_them.peers.organization


async def test_57_a_document_type_is_never_read(stranger: Caller) -> None:
    async with receiving() as outside:
        laughing = f'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "{outside.url}">]><Task>&x;</Task>'
        for kind in ("application/fhir+xml", "application/xml", "text/xml", "application/fhir+json"):
            sent = stranger.headers | {"content-type": kind}
            for method, path in (
                ("POST", "Procedure"),
                ("PUT", f"Task/{UNKNOWN}"),
                ("POST", ""),
                ("POST", "Task/_search"),
            ):
                url = f"{FHIR}/{path}" if path else FHIR
                answer = await stranger.web.request(method, url, content=laughing, headers=sent)
                assert answer.status_code in {400, 404, 405, 415}, (kind, path, answer.text)
        for wanted in ("xml", "application/fhir+xml", "html", "ttl", "../json"):
            assert (await stranger.get(f"Task?_format={wanted}")).status_code == 406
        assert outside.came == []


async def test_58_what_is_attached_is_kept_as_it_is_and_never_opened(stranger: Caller, person: str) -> None:
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": person},
        "content": [{"attachment": {"contentType": "text/html", "data": "PHNjcmlwdD4="}}],
    }
    made = await stranger.post("DocumentReference", document)
    assert made.status_code == 201, made.text
    read = await stranger.get(f"DocumentReference/{made.json()['id']}")
    assert read.json()["content"] == document["content"]
    assert read.headers["content-type"].startswith("application/fhir+json")
    assert read.headers["x-content-type-options"] == "nosniff"
    assert (await stranger.get(f"Binary/{made.json()['id']}")).status_code == 404


@pytest.mark.parametrize("name", ["name:contains", "family:contains", "given", "identifier", "_id", "birthdate"])
async def test_60_a_value_is_a_value_however_long_and_odd(name: str, stranger: Caller) -> None:
    for value in ("%25", "_", "\\", "'", '"', "';drop table resource;--", "(a+)+$" * 50, "x" * 10_000, "\\%", "$1"):
        answer = await stranger.web.get(f"{FHIR}/Patient", params={name: value}, headers=stranger.headers)
        assert answer.status_code in {200, 400, 414}, (value[:20], answer.text[:200])
        if answer.status_code == 200:
            assert answer.json()["total"] == 0, value[:20]
    assert len(await stranger.search("Patient")) == 1


async def test_61_an_address_in_a_resource_is_never_visited(stranger: Caller, person: str) -> None:
    async with receiving() as outside:
        for link in (
            outside.url,
            f"{outside.url}/Patient/1",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "//x/Patient/1",
        ):
            made = procedure(person, performer=[{"actor": {"reference": link}}], instantiatesUri=[outside.url])
            answer = await stranger.post("Procedure", made)
            assert answer.status_code in {201, 400, 422}, answer.text
            await stranger.get(f"Procedure?subject={link}")
            await stranger.get("Procedure?_include=Procedure:performer")
        await asyncio.sleep(0.1)
        assert outside.came == []


async def test_61_what_refers_to_itself_ends(stranger: Caller, person: str) -> None:
    round_and_round = [
        {
            "resourceType": "Observation",
            "id": f"o{n}",
            "status": "final",
            "code": {"text": "x"},
            "derivedFrom": [_to(n)],
        }
        for n in range(2)
    ]
    made = procedure(person, contained=round_and_round, reasonReference=[{"reference": "#o0"}])
    answer = await stranger.post("Procedure", made)
    assert answer.status_code in {201, 400, 422}
    many = [{"resourceType": "Observation", "id": f"o{n}", "status": "final"} for n in range(10_000)]
    assert (await stranger.post("Procedure", procedure(person, contained=many))).status_code in {400, 413, 422}
    own = (await stranger.post("Procedure", procedure(person))).json()
    looped = await stranger.put(own | {"partOf": [{"reference": f"Procedure/{own['id']}"}]})
    assert looped.status_code in {200, 400, 422}
    found = await stranger.get("Procedure?_include=Procedure:part-of&_include:iterate=Procedure:part-of")
    assert found.status_code == 200
    assert len({one["fullUrl"] for one in found.json()["entry"]}) == len(found.json()["entry"])


def _to(number: int) -> Resource:
    return {"reference": f"#o{1 - number}"}


async def test_62_what_nobody_may_set_is_refused_by_name(stranger: Caller, person: str) -> None:
    strange = [{"url": "https://evil.example.org/negates-everything", "valueBoolean": True}]
    refused = await stranger.post("Procedure", procedure(person, modifierExtension=strange))
    assert refused.status_code in {400, 422}
    assert any("modifierExtension" in path for path in refused.json()["issue"][0]["expression"])
    assert (await stranger.post("Procedure", procedure(person, isAdmin=True))).status_code == 400
    (task,) = await stranger.search("Task")
    for change in (
        {"path": "/priority", "value": "stat"},
        {"path": "/intent", "value": "proposal"},
        {"path": "/authoredOn", "value": "2020-01-01T00:00:00Z"},
        {"path": "/modifierExtension", "value": strange},
        {"path": "/meta/versionId", "value": "99"},
        {"path": "/meta/tag", "value": [{"code": "x"}]},
        {"path": "/status", "value": "completed"},
    ):
        answer = await stranger.patch(f"Task/{task['id']}", {"op": "add", **change})
        assert answer.status_code in {200, 400, 422}, change
        assert await stranger.read(f"Task/{task['id']}") == task, change


@pytest.mark.parametrize(
    "inner",
    [
        SCRIPT,
        '<p onclick="alert(1)">x</p>',
        '<a href="javascript:alert(1)">x</a>',
        '<svg onload="alert(1)"/>',
        '<p style="background:url(https://evil.example.org)">x</p>',
        '<img src="https://evil.example.org/x.png"/>',
        '<img src="data:image/svg+xml;base64,PHN2Zy8+"/>',
        '<a href="java&#115;cript:alert(1)">x</a>',
        '<a href=" data:text/html,x">x</a>',
        "<!--[if IE]><script>alert(1)</script><![endif]-->",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?xml-stylesheet href='x'?>",
        '<form action="https://evil.example.org"><input/></form>',
        "<iframe/>",
        "<math><mi>x</mi></math>",
        "<p/onclick=alert(1)>x</p>",
        "<p>a</p><script",
    ],
)
async def test_63_active_content_in_a_narrative_is_not_served(inner: str, stranger: Caller, person: str) -> None:
    told = procedure(person, text={"status": "additional", "div": XHTML.format(inner)})
    made = await stranger.post("Procedure", told)
    assert made.status_code == 400
    assert made.json()["issue"][0]["expression"] == ["Procedure.text.div"]
    assert "evil" not in made.text


async def test_63_formatting_is_taken_as_it_is(stranger: Caller, person: str) -> None:
    inner = '<p style="color: red">a <b>b</b><br/> &lt;script&gt; <a href="https://example.org/">c</a></p>'
    told = {"status": "additional", "div": XHTML.format(inner)}
    made = await stranger.post("Procedure", procedure(person, text=told))
    assert (made.status_code, made.json()["text"]) == (201, told)


async def test_63_text_elsewhere_comes_back_as_json_that_nobody_renders(stranger: Caller, person: str) -> None:
    made = await stranger.post("Procedure", procedure(person, note=[{"text": SCRIPT}]))
    assert made.status_code == 201
    answer: httpx.Response = await stranger.get(f"Procedure/{made.json()['id']}", accept="text/html, */*")
    assert answer.headers["content-type"].startswith("application/fhir+json")
    headers: dict[str, Any] = {name: answer.headers[name] for name in ("x-content-type-options", "x-frame-options")}
    assert headers == {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}
    assert json.loads(answer.content)["note"] == [{"text": SCRIPT}]
