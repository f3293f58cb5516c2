"""The OpenAPI document: it is whole, it says what the hub does, and its examples are what the hub does."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI
from starlette.routing import Match, Route

from app.core.settings import Settings
from app.entrypoints.ops.docs import with_named_types
from app.entrypoints.ops.examples import exchanges, resolved, weave
from app.main import ROUTES, create_app
from schemas.references import replaced
from schemas.resources import ALL
from tools.build_examples import DOORS, by_file, recorded
from tools.example_world import BASE, HOSPITAL, PARTNER, World, world

Json = dict[str, Any]
_PAGES: Final = {"/", "/openapi.json", "/docs", "/redoc"}
"""Routes that are documentation."""
_IDS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+Z-]+")
_KEY: Final = re.compile(r"[A-Za-z0-9._-]+")
_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
_SHARED: Final = {
    *("_id", "_lastUpdated", "_profile", "_count", "_sort", "_total", "_summary", "_elements"),
    *("_include:iterate", "_revinclude:iterate"),
}
_RARE: Final = {"409", "429"}
"""Answers that need two clients at the same instant, or a storm: described, not shown."""


@pytest.fixture(scope="session")
def document() -> Json:
    made: Json = json.loads(json.dumps(create_app(Settings(_env_file=None)).openapi()))
    return made


@pytest.fixture(scope="session")
def told() -> list[Json]:
    """The story of the examples, told now."""
    return asyncio.run(recorded())


@pytest.fixture(scope="session")
def valid(document: Json) -> Callable[[Json, Any], bool]:
    """Whether a value is as a schema of the document wants it."""
    made: dict[str, jsonschema_rs.Validator] = {}

    def check(schema: Json, value: Any) -> bool:
        key = json.dumps(schema, sort_keys=True)
        if key not in made:
            made[key] = jsonschema_rs.validator_for({**schema, "components": document["components"]})
        return bool(made[key].is_valid(value))

    return check


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def by_id(document: Json) -> dict[str, Json]:
    return {operation["operationId"]: operation for _, _, operation in operations(document)}


def nodes(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def without_examples(document: Json) -> Json:
    """The document's own words: an example may hold a name that means something here."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {key: plain(item) for key, item in value.items() if key != "examples"}

    bare: Json = plain(document)
    return bare


# ---- the document is whole


def test_the_document_is_openapi_3_1(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Throughline"
    OpenAPI.model_validate(document)


def test_every_reference_leads_somewhere(document: Json) -> None:
    found = [node for node in nodes(without_examples(document)) if isinstance(node.get("$ref"), str)]
    assert len(found) > 500
    for node in found:
        assert node["$ref"].startswith("#/components/")
        assert resolved(document, node)


def test_every_component_has_a_name_that_openapi_allows(document: Json) -> None:
    names = [name for kind in document["components"].values() for name in kind]
    assert [name for name in names if not _KEY.fullmatch(name)] == []


def test_every_schema_is_json_schema_2020_12(document: Json) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}), name


def test_every_operation_says_what_it_is_who_may_and_where_it_is_specified(document: Json) -> None:
    schemes = document["components"]["securitySchemes"].keys()
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        assert method in _METHODS
        assert operation["summary"], path
        assert operation["description"], path
        assert {*operation["tags"]} <= {tag["name"] for tag in document["tags"]}
        assert all(way.keys() <= schemes for way in operation["security"])
        if path.startswith("/fhir/"):
            assert "https://hl7.org/fhir/" in operation["description"], path


def test_scopes_are_named_where_they_are_needed(document: Json) -> None:
    known = document["components"]["securitySchemes"]["oauth"]["flows"]["clientCredentials"]["scopes"]
    found = by_id(document)
    assert found["patchTask"]["security"] == [{"oauth": ["system/Task.u"]}, {"bearer": ["system/Task.u"]}]
    assert found["ingestEvents"]["security"][0] == {"oauth": ["ingest"]}
    assert found["capabilities"]["security"] == []
    asked = {scope for one in found.values() for way in one["security"] for scope in way.get("oauth", ())}
    assert asked == known.keys()


def test_every_parameter_of_a_path_is_described(document: Json) -> None:
    for path, _, operation in operations(document):
        parameters = [resolved(document, one) for one in operation.get("parameters", ())]
        in_path = {one["name"] for one in parameters if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path)), path
        assert all(one["required"] for one in parameters if one["in"] == "path")
        keys = [(one["in"], one["name"]) for one in parameters]
        assert len(keys) == len(set(keys)), path
        assert all(one["description"] for one in parameters if one["in"] != "path"), path


def test_every_answer_is_described(document: Json) -> None:
    for path, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"[2345]\d\d", status), path
            assert resolved(document, answer)["description"], path


# ---- the document is about this server


def route_of(method: str, path: str) -> Route | None:
    filled = re.sub(r"{\w+}", "x", path)
    scope = {"type": "http", "method": method.upper(), "path": filled, "root_path": "", "headers": []}
    found = (route for route in ROUTES if isinstance(route, Route) and route.matches(scope)[0] is Match.FULL)
    return next(found, None)


def test_every_operation_is_served_by_a_route(document: Json) -> None:
    assert [(path, method) for path, method, _ in operations(document) if route_of(method, path) is None] == []


def test_every_route_stands_in_the_document(document: Json) -> None:
    found = [(route_of(method, path), method) for path, method, _ in operations(document)]
    served = {(route.path, method.upper()) for route, method in found if route is not None}
    routes = [route for route in ROUTES if isinstance(route, Route) and route.path not in _PAGES]
    wanted = {(route.path, method) for route in routes for method in (route.methods or ()) if method != "HEAD"}
    assert wanted == served


@pytest.mark.parametrize("name", [name for name in sorted(ALL) if "search-type" in ALL[name].interactions])
def test_a_search_names_the_parameters_that_its_type_declares(document: Json, name: str) -> None:
    parameters = [resolved(document, one) for one in document["paths"][f"/fhir/R4/{name}"]["get"]["parameters"]]
    in_query = {one["name"] for one in parameters if one["in"] == "query"}
    assert in_query - {"_include", "_revinclude"} == {param.name for param in ALL[name].search} | _SHARED
    assert ("_include" in in_query) is bool(ALL[name].references)
    form = by_id(document)[f"searchByPost{name}"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    properties = [resolved(document, part)["properties"] for part in form["schema"]["allOf"]]
    assert {key for part in properties for key in part} == in_query


def test_the_interactions_of_each_type_are_those_that_it_declares(document: Json) -> None:
    kinds = {"read": "read", "search": "search-type", "update": "update", "patch": "patch"}
    kinds |= {"history": "history-instance", "version": "vread", "create": "create", "delete": "delete"}
    for name, spec in ALL.items():
        said = {kinds[kind] for kind in kinds if f"{kind}{name}" in by_id(document)}
        assert said == spec.interactions, name


def test_preconditions_and_preferences_are_described(document: Json) -> None:
    found = by_id(document)

    def headers(operation: str) -> set[str]:
        parameters = [resolved(document, one) for one in found[operation]["parameters"]]
        return {one["name"] for one in parameters if one["in"] == "header"}

    assert headers("searchTask") == {"If-None-Match", "Prefer"}
    assert headers("readTask") == {"If-None-Match", "If-Modified-Since"}
    assert headers("updateTask") == headers("patchTask") == {"If-Match", "Prefer"}
    assert headers("createProcedure") == {"If-None-Exist", "Prefer"}


# ---- the examples


def test_the_examples_are_what_the_hub_answers_now(told: list[Json]) -> None:
    """If this fails, the hub answers otherwise than the document says: python -m tools.build_examples."""
    written = {
        path.relative_to(DOORS).with_suffix("").as_posix(): json.loads(path.read_bytes())
        for path in DOORS.glob("*/examples/*.json")
    }
    now = by_file(told)
    assert written.keys() == now.keys()
    for path, examples in now.items():
        for kept, answered in zip(written[path], examples, strict=True):
            assert kept == answered, f"{path}: {answered['operation']} {answered['name']}"


def test_every_operation_shows_a_request_and_an_answer(document: Json) -> None:
    for path, method, operation in operations(document):
        place = f"{method} {path}"
        body = operation.get("requestBody")
        if body is not None:
            assert all(content.get("examples") for content in body["content"].values()), place
        answers = {status: resolved(document, answer) for status, answer in operation["responses"].items()}
        shown = {
            status
            for status, answer in answers.items()
            for one in answer.get("content", {}).values()
            if one.get("examples")
        }
        told = {str(one["response"]["status"]) for one in exchanges() if one["operation"] == operation["operationId"]}
        assert any(status < "300" for status in shown | told), place
        wanted = {status for status, one in answers.items() if one.get("content")} - _RARE
        assert wanted <= shown, place


def test_every_kind_of_refusal_is_shown() -> None:
    shown = {exchange["response"]["status"] for exchange in exchanges()}
    assert {200, 201, 202, 304, 400, 401, 403, 404, 406, 412, 413, 415, 422, 503} <= shown


def test_every_example_answers_with_a_status_and_a_media_type_that_are_described(
    document: Json, told: list[Json], valid: Callable[[Json, Any], bool]
) -> None:
    found = by_id(document)
    for exchange in told:
        place = f"{exchange['operation']} {exchange['name']}"
        said = exchange["response"]
        answer = resolved(document, found[exchange["operation"]]["responses"][str(said["status"])])
        if "media" in said:
            schema = answer["content"][said["media"]]["schema"]
            assert valid(schema, said["body"]), place
        shown = set(said.get("headers", {})) & {"ETag", "Location"}
        assert shown <= answer.get("headers", {}).keys(), place


def test_every_request_that_is_shown_is_as_its_schema_wants_it(
    document: Json, valid: Callable[[Json, Any], bool]
) -> None:
    seen = 0
    for path, _, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for name, example in content["examples"].items():
                value = example["value"]
                as_sent = _typed(value) if "allOf" in content["schema"] else value
                assert valid(content["schema"], as_sent), f"{path} {name}"
                seen += 1
    assert seen >= 40


def _typed(form: Json) -> Json:
    """A form holds text only; a schema of it has numbers."""
    return {key: int(value) if value.isdecimal() else value for key, value in form.items()}


def test_a_wrong_body_is_told_from_a_right_one(valid: Callable[[Json, Any], bool]) -> None:
    schema = {"$ref": "#/components/schemas/Task"}
    task = next(one for one in exchanges() if one["operation"] == "readTask" and one["name"] == "found")
    assert valid(schema, task["response"]["body"])
    assert not valid(schema, {**task["response"]["body"], "status": 7})
    assert not valid(schema, {**task["response"]["body"], "surprise": True})
    assert not valid({"$ref": "#/components/schemas/Bundle"}, task["response"]["body"])
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Nothing"}}]}
    assert not valid({"$ref": "#/components/schemas/Bundle"}, bundle)


def test_an_example_of_an_unknown_operation_is_refused() -> None:
    with pytest.raises(KeyError):
        weave({"paths": {}}, [{"operation": "surprise"}])


def masked(value: Any) -> Any:
    """Without what is numbered: ids, instants and secrets."""
    text = re.sub(r"HTEST-secret-\d+", "secret", _IDS.sub("id", json.dumps(value)))
    return json.loads(re.sub(r"2026-06-05T18:2\d:\d\d\.\d{6}", "instant", text))


def test_the_page_about_the_api_shows_what_was_recorded() -> None:
    text = (DOORS.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    blocks = re.findall(r"<!-- example: (\w+) ([\w-]+) (request|response) -->\n```json\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == text.count("```json") > 4
    for operation, name, part, block in blocks:
        one = next(one for one in exchanges() if (one["operation"], one["name"]) == (operation, name))
        assert masked(json.loads(block)) == masked(one[part]["body"]), f"{operation} {name}"


def test_the_page_about_the_api_names_paths_that_exist(document: Json) -> None:
    text = (DOORS.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    known = {re.sub(r"\{\w+\}", "<>", path) for path in document["paths"]}
    named = {
        path.rstrip("/")
        for path in re.findall(
            r"(?<!hl7\.org)/(?:fhir/R4|oauth|ingest|health|schemas|metrics|\.well-known)[\w/.<>$-]*", text
        )
    }
    generic = {"/fhir/R4/<type>", "/fhir/R4/<type>/_search", "/fhir/R4/<type>/<id>"}
    plain = {re.sub(r"<\w+>", "<>", path) for path in named - generic - {"/schemas/discharge-event.json"}}
    assert plain <= known | {"/fhir/R4/Task"}


# ---- a developer follows the document


class Reader:
    """A client that knows nothing but the served document: it sends its examples, with the ids that it is given."""

    def __init__(self, hub: World, document: Json) -> None:
        self._hub = hub
        self._paths = {one["operationId"]: (method, path) for path, method, one in operations(document)}
        self._operations = by_id(document)
        self.ids: dict[str, str] = {}
        """Ids of the document to those of this hub."""
        self.instants: dict[str, str] = {}
        """What the clock of the hub wrote into a resource, likewise."""

    def body(self, operation: str, media: str, name: str) -> Any:
        return self._here(self._operations[operation]["requestBody"]["content"][media]["examples"][name]["value"])

    def answer(self, operation: str, status: str, name: str) -> Any:
        (content,) = self._operations[operation]["responses"][status]["content"].values()
        return content["examples"][name]["value"]

    def learn(self, said: Any, found: Any) -> None:
        """What stands in the place of each id of the document."""
        if isinstance(said, dict):
            for key in said.keys() & found.keys():
                self.learn(said[key], found[key])
        elif isinstance(said, list):
            for one, other in zip(said, found, strict=False):
                self.learn(one, other)
        elif isinstance(said, str) and isinstance(found, str):
            self.ids |= dict(zip(_IDS.findall(said), _IDS.findall(found), strict=True))
            if _INSTANT.fullmatch(said):
                self.instants[said] = found

    def _here(self, value: Any) -> Any:
        here = json.loads(_IDS.sub(lambda one: self.ids.get(one[0], one[0]), json.dumps(value)))
        return replaced(here, self.instants)

    async def send(self, who: str, operation: str, **request: Any) -> httpx.Response:
        method, path = self._paths[operation]
        headers = {"authorization": f"Bearer {self._hub.tokens[who]}", **request.get("headers", {})}
        transport = httpx.ASGITransport(self._hub.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as web:
            return await web.request(
                method,
                path.format_map(request.get("path", {})),
                params=request.get("query"),
                headers=headers,
                content=json.dumps(request["body"]) if "body" in request else None,
            )


_EVENT, _PATCH, _FHIR = "application/json", "application/json-patch+json", "application/fhir+json"


@pytest.mark.parametrize("way", ["patch", "put"])
async def test_the_document_alone_leads_from_discharge_to_completion(way: str) -> None:
    async with world() as hub:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(hub.app), base_url=BASE) as web:
            reader = Reader(hub, (await web.get("/openapi.json")).json())
        event = reader.body("ingestEvents", _EVENT, "discharge")
        entry = await reader.send(HOSPITAL, "ingestEvents", body=event, headers={"content-type": _EVENT})
        assert entry.status_code == 201
        poll = (await reader.send(PARTNER, "searchTask", query={"status": "requested"})).json()
        assert poll["total"] == 1
        task = poll["entry"][0]["resource"]
        reader.learn(reader.answer("readTask", "200", "found"), task)
        accepted = await _accepted(reader, task, way)
        assert (accepted.status_code, accepted.json()["status"]) == (200, "accepted")
        for name, status in (("begin", "in-progress"), ("complete", "completed")):
            body = reader.body("updateTask", _FHIR, name)
            body |= {"authoredOn": task["authoredOn"], "lastModified": task["lastModified"]}
            answer = await reader.send(
                PARTNER, "updateTask", path={"id": task["id"]}, body=body, headers={"content-type": _FHIR}
            )
            assert (answer.status_code, answer.json().get("status")) == (200, status), answer.text
        source = task["partOf"][0]["reference"].rpartition("/")[2]
        outcome = (await reader.send(HOSPITAL, "readTask", path={"id": source})).json()
        assert outcome["status"] == "completed"
        assert outcome["output"] == reader.answer("readTask", "200", "outcome")["output"]


async def _accepted(reader: Reader, task: Json, way: str) -> httpx.Response:
    path = {"id": task["id"]}
    if way == "patch":
        body = reader.body("patchTask", _PATCH, "accept")
        return await reader.send(PARTNER, "patchTask", path=path, body=body, headers={"content-type": _PATCH})
    body = {**task, "status": "accepted"}
    return await reader.send(PARTNER, "updateTask", path=path, body=body, headers={"content-type": _FHIR})


# ---- how it is served


async def test_the_document_is_made_when_asked_for_kept_and_not_sent_twice() -> None:
    app: FastAPI = create_app(Settings(_env_file=None))
    assert app.state.openapi == {}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as web:
        answer = await web.get("/openapi.json")
        made = app.state.openapi[False]
        again = await web.get("/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["openapi"].startswith("3.1.")
    assert (again.status_code, again.content) == (304, b"")
    assert app.state.openapi == {False: made}
    assert len(made) < 1_500_000


def test_in_the_document_of_redoc_fhir_types_are_names_with_a_link_and_all_else_is_the_same(document: Json) -> None:
    named = with_named_types(document)
    schemas = named["components"]["schemas"]
    assert schemas["Task"]["externalDocs"] == {"url": "https://hl7.org/fhir/R4/task.html"}
    assert schemas["DischargeEvent"] == document["components"]["schemas"]["DischargeEvent"]
    assert named["paths"] == document["paths"]
    assert set(re.findall(r"#/components/schemas/([\w.-]+)", json.dumps(named))) <= schemas.keys()
