import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from app.core.errors import NotAcceptable, TooLarge, UnsupportedMedia
from app.core.metrics import REQUESTS
from app.core.settings import Settings
from app.entrypoints import base
from app.main import attach, create_app
from app.services.hub import Hub, Registry
from app.store.database import Gone
from app.store.store import Store
from tests.hub_fixtures import World

FHIR = "application/fhir+json; charset=utf-8"


def issue(response: httpx.Response) -> dict[str, object]:
    assert response.headers["content-type"] == FHIR
    body = response.json()
    assert body["resourceType"] == "OperationOutcome"
    found: dict[str, object] = body["issue"][0]
    return found


async def test_a_path_that_is_not_there_is_told_as_an_outcome(web: httpx.AsyncClient) -> None:
    response = await web.get("/nowhere")
    assert response.status_code == 404
    assert issue(response)["code"] == "not-found"


async def test_a_method_that_a_path_does_not_take_is_told_with_those_that_it_takes(web: httpx.AsyncClient) -> None:
    response = await web.get("/ingest/hl7v2")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert issue(response)["code"] == "not-supported"


async def test_a_path_with_several_routes_names_the_methods_of_all(web: httpx.AsyncClient) -> None:
    response = await web.post("/fhir/R4/Task/x")
    assert response.status_code == 405
    assert {"GET", "PUT", "PATCH", "DELETE"} <= set(response.headers["allow"].split(", "))


async def test_without_a_token_nothing_is_read(web: httpx.AsyncClient, world: World) -> None:
    for headers in (
        {},
        {"authorization": "Bearer HTEST"},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer"},
    ):
        response = await web.post("/ingest/events", headers=headers, content=b"{}")
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert issue(response)["code"] == "login"
        assert b"HTEST" not in response.content
    assert world.hub.store is not None


async def test_a_token_without_the_scope_is_not_enough(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.harbor, "system/Task.rus")
    response = await web.post("/ingest/events", headers=headers, content=b"{}")
    assert response.status_code == 403
    assert issue(response)["code"] == "forbidden"


async def test_every_answer_has_a_request_id_and_must_not_be_sniffed(web: httpx.AsyncClient) -> None:
    first, second = [await web.get("/health/live") for _ in range(2)]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-content-type-options"] == "nosniff"


async def test_ids_of_the_client_come_back_unless_they_could_be_something_else(web: httpx.AsyncClient) -> None:
    sent = {"x-request-id": "abc-1", "x-correlation-id": "flow.7"}
    response = await web.get("/health/live", headers=sent)
    assert (response.headers["x-request-id"], response.headers["x-correlation-id"]) == ("abc-1", "flow.7")
    response = await web.get("/health/live", headers={"x-request-id": "<b>", "x-correlation-id": "a" * 65})
    assert response.headers["x-request-id"] != "<b>"
    assert "x-correlation-id" not in response.headers


async def test_fhir_answers_are_private_even_when_they_are_errors(web: httpx.AsyncClient) -> None:
    response = await web.get("/fhir/R4/Task/nothing")
    assert response.headers["cache-control"] == "private, no-cache"


async def test_what_is_not_known_and_what_is_no_path_look_alike(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.harbor, "system/*.rs")
    answers = [
        await web.get(path, headers=headers)
        for path in ("/fhir/R4/Task/00000000-0000-7000-8000-000000000000", "/fhir/R4/Task/x", "/nowhere/at/all")
    ]
    assert {(a.status_code, a.content) for a in answers} == {(404, answers[0].content)}


async def test_with_auth_off_the_hub_itself_is_calling(store: Store, world: World) -> None:
    hub = Hub(
        Settings(_env_file=None, auth="off", mllp_port=0, worker=False), store, world.hub.keys, world.hub.clock,
        Registry(store),
    )  # fmt: skip
    app = create_app(hub.settings)
    attach(app, hub)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as web:
        response = await web.post("/ingest/events?sender=mercy-adt", json={})
    assert response.status_code == 400


# ---- the guard alone


class Leaky(Exception):
    """A failure whose text holds what must not be told."""


async def fails(_request: Request) -> Response:
    raise Leaky("HTEST0007 is on methadone")


async def away(_request: Request) -> Response:
    raise Gone


async def breaks_off(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise Leaky("HTEST0007")


def guarded(*routes: Route) -> httpx.AsyncClient:
    guard = base.Guard(Router(list(routes)), outages=(Gone,))
    return httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://hub.test")


async def test_a_fault_of_ours_is_told_without_its_text(capfd: pytest.CaptureFixture[str]) -> None:
    async with guarded(Route("/x", fails)) as web:
        response = await web.get("/x")
    assert response.status_code == 500
    assert issue(response)["code"] == "exception"
    assert b"HTEST" not in response.content
    assert "HTEST" not in "".join(capfd.readouterr())


async def test_a_database_that_is_away_means_come_back_later() -> None:
    async with guarded(Route("/x", away)) as web:
        response = await web.get("/x")
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert issue(response)["code"] == "transient"


async def test_an_answer_that_breaks_off_is_not_finished_and_not_raised() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope: Scope = {"type": "http", "path": "/x", "headers": []}
    await base.Guard(breaks_off)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_request_is_counted_by_its_template_never_by_its_path() -> None:
    async def hello(_request: Request) -> Response:
        return Response()

    before = REQUESTS.values["/count/{id}", "200"]
    async with guarded(Route("/count/{id}", hello)) as web:
        await web.get("/count/HTEST")
    assert REQUESTS.values["/count/{id}", "200"] == before + 1
    assert not any("HTEST" in label for values in REQUESTS.values for label in values)


# ---- bodies


def asking(headers: dict[str, str], *parts: bytes, query: str = "") -> Request:
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return waiting.pop(0)

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "query_string": query.encode()}, receive)


async def test_a_body_comes_in_parts_up_to_its_limit() -> None:
    assert await base.read_body(asking({}, b"ab", b"cd"), 4) == b"abcd"
    with pytest.raises(TooLarge):
        await base.read_body(asking({}, b"ab", b"cde"), 4)


async def test_a_body_that_says_it_is_too_long_is_not_read() -> None:
    with pytest.raises(TooLarge):
        await base.read_body(asking({"Content-Length": "5"}), 4)


async def test_a_client_that_goes_away_in_the_middle_is_noticed(app: FastAPI) -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def reads(request: Request) -> Response:
        return Response(await base.read_body(request, 10))

    scope: Scope = {"type": "http", "path": "/x", "method": "POST", "headers": [], "query_string": b"", "app": app}
    await asyncio.wait_for(base.Guard(Router([Route("/x", reads, methods=["POST"])]))(scope, receive, send), 5)
    assert sent == []


@pytest.mark.parametrize(
    ("headers", "fits"),
    [
        ({"content-type": "application/json"}, True),
        ({"content-type": "Application/JSON; charset=UTF-8"}, True),
        ({"content-type": "application/json;charset=latin1"}, False),
        ({"content-type": "application/xml"}, False),
        ({}, False),
        ({"content-type": "application/json", "content-encoding": "gzip"}, False),
        ({"content-type": "application/json", "content-encoding": "identity"}, True),
    ],
)
def test_a_body_has_one_of_the_media_types_that_are_read(headers: dict[str, str], fits: bool) -> None:  # noqa: FBT001
    request = asking(headers)
    if fits:
        assert base.media_type(request, frozenset({"application/json"})) == "application/json"
    else:
        with pytest.raises(UnsupportedMedia):
            base.media_type(request, frozenset({"application/json"}))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/fhir+json"),
        ("*/*", "application/fhir+json"),
        ("application/json", "application/json"),
        ("application/json;q=0.5, application/fhir+json", "application/fhir+json"),
        ("application/fhir+json;q=0.2, application/json;q=0.4", "application/json"),
        ("application/xml, application/*;q=0.1", "application/fhir+json"),
        ("application/fhir+json;q=0, */*", "application/json"),
        ("application/fhir+xml", None),
        ("text/html", None),
        ("*/*;q=0", None),
        ("application/json;q=high", None),
    ],
)
def test_the_accept_header_chooses_among_what_is_offered(accept: str, expected: str | None) -> None:
    assert base.negotiate(accept, ("application/fhir+json", "application/json")) == expected


@pytest.mark.parametrize("asked", ["json", "application/fhir+json", "application%2Ffhir%2Bjson", "JSON"])
def test_format_goes_before_the_accept_header(asked: str) -> None:
    assert base.fhir_type(asking({"accept": "text/html"}, query=f"_format={asked}")) == FHIR


@pytest.mark.parametrize("query", ["_format=xml", "_format=", "_format=application/fhir%2Bxml"])
def test_a_format_that_is_not_written_here_is_refused(query: str) -> None:
    with pytest.raises(NotAcceptable):
        base.fhir_type(asking({}, query=query))
