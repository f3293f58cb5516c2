"""A partner's own FHIR server on a real socket: small and right, or wrong in a way that a test chooses."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.listeners import HOST, Listener, request_from

Resource = dict[str, Any]
_ADDRESS = re.compile(r"^/fhir/([A-Za-z]+)/([\w-]+)$")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that no FHIR server should give."""

    status: int = 200
    content: bytes = b"{}"
    kind: str = "application/fhir+json"
    headers: tuple[tuple[str, str], ...] = ()
    hangs: bool = False


@dataclass
class FhirServer(Listener):
    """What is there, what came, and how it is answered."""

    transactions: bool = True
    held: dict[str, Resource] = field(default_factory=dict)
    """By ``Task/1``."""
    asked: list[Asked] = field(default_factory=list)
    wrong: Wrong | None = None
    """Instead of every answer."""
    cuts: int = 0
    """So many answers to what writes get lost, although it was written."""
    refuses: int | None = None
    """The status with which each transaction is refused that it says it takes."""
    _numbers: int = 0

    @property
    def base(self) -> str:
        return f"http://{HOST}:{self.port}/fhir"

    def of(self, kind: str) -> list[Resource]:
        return [one for name, one in self.held.items() if name.startswith(f"{kind}/")]

    @property
    def task(self) -> Resource:
        """The only Task that is no abort."""
        (one,) = [task for task in self.of("Task") if task["code"]["coding"][0]["code"] == "fulfill"]
        return one

    def says(self, **more: Any) -> None:
        """The partner changes its Task here."""
        self.put(f"Task/{self.task['id']}", {**self.task, **more})

    def wrote(self) -> list[Asked]:
        return [one for one in self.asked if one.method != "GET"]

    # ---- what it answers

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, path, headers, content = await request_from(reader)
        typed = "json" in headers.get("content-type", "")
        asked = Asked(method, path, headers, json.loads(content) if typed else content.decode())
        self.asked.append(asked)
        answer = self.wrong or self._answer(asked)
        if answer.hangs:
            await asyncio.sleep(3600)
        if method != "GET" and self.cuts:
            self.cuts -= 1
            return False
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        length = f"content-length: {len(answer.content)}\r\ncontent-type: {answer.kind}\r\n"
        writer.write(f"HTTP/1.1 {answer.status} X\r\n{length}{more}\r\n".encode() + answer.content)
        await writer.drain()
        return True

    # ---- FHIR

    def put(self, name: str, resource: Resource) -> Resource:
        version = int(self.held.get(name, {}).get("meta", {}).get("versionId", "0")) + 1
        meta = {**resource.get("meta", {}), "versionId": str(version)}
        self.held[name] = {**resource, "id": name.partition("/")[2], "meta": meta}
        return self.held[name]

    def make(self, resource: Resource) -> str:
        self._numbers += 1
        name = f"{resource['resourceType']}/{self._numbers}"
        self.put(name, resource)
        return name

    def find(self, kind: str, query: str) -> list[str]:
        (wanted,) = parse_qs(query)["identifier"]
        system, _, value = wanted.partition("|")
        found = []
        for name, one in self.held.items():
            numbers = one.get("identifier", [])
            numbers = numbers if isinstance(numbers, list) else [numbers]
            if name.startswith(f"{kind}/") and any((n.get("system"), n["value"]) == (system, value) for n in numbers):
                found.append(name)
        return found

    def _answer(self, asked: Asked) -> Wrong:
        parts = urlsplit(asked.path)
        if parts.path == "/fhir/metadata":
            can = [{"code": "transaction"}] if self.transactions else []
            return _said({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "interaction": can}]})
        if parts.path in {"/fhir", "/fhir/"} and asked.method == "POST":
            refused = self.refuses or (None if self.transactions else 404)
            return Wrong(refused) if refused else self._transaction(asked.body)
        address = _ADDRESS.match(parts.path)
        if address:
            return self._instance(asked, "/".join(address.groups()))
        kind = parts.path.removeprefix("/fhir/")
        if asked.method == "GET":
            entries = [{"resource": self.held[name]} for name in self.find(kind, parts.query)]
            return _said({"resourceType": "Bundle", "type": "searchset", "entry": entries})
        found = self.find(kind, asked.headers["if-none-exist"]) if "if-none-exist" in asked.headers else []
        name = found[0] if found else self.make(asked.body)
        return Wrong(200 if found else 201, b"", headers=(("location", f"{self.base}/{name}/_history/1"),))

    def _instance(self, asked: Asked, name: str) -> Wrong:
        held = self.held.get(name)
        if held is None:
            return Wrong(404)
        tag = f'W/"{held["meta"]["versionId"]}"'
        if asked.method == "GET":
            if asked.headers.get("if-none-match") == tag:
                return Wrong(304, b"")
            return _said(held, (("etag", tag),))
        if asked.headers.get("if-match", tag) != tag:
            return Wrong(412)
        return _said(self.put(name, asked.body))

    def _transaction(self, bundle: Resource) -> Wrong:
        places: dict[str, str] = {}
        made: list[tuple[str, Resource, int]] = []
        for entry in bundle["entry"]:
            request, resource = entry["request"], entry["resource"]
            kind, _, query = request["url"].partition("?")
            if "/" in kind:
                tag = f'W/"{self.held[kind]["meta"]["versionId"]}"'
                if request.get("ifMatch", tag) != tag:
                    return Wrong(412)
                found = [kind]
            else:
                found = self.find(kind, request.get("ifNoneExist") or query)
            if len(found) > 1:
                return Wrong(412)
            name = found[0] if found else self.make(resource)
            places[entry["fullUrl"]] = name
            made.append((name, resource, 200 if found else 201))
        for (name, resource, status), entry in zip(made, bundle["entry"], strict=True):
            if status == 201 or entry["request"]["method"] == "PUT":
                version = self.held[name]["meta"]["versionId"]
                text = json.dumps(resource)
                for url, place in places.items():
                    text = text.replace(f'"{url}"', f'"{place}"')
                self.held[name]["meta"]["versionId"] = str(int(version) - (status == 201))
                self.put(name, json.loads(text))
        entries = [{"response": {"status": str(status), "location": f"{name}/_history/1"}} for name, _, status in made]
        return _said({"resourceType": "Bundle", "type": "transaction-response", "entry": entries})


def _said(resource: Resource, headers: tuple[tuple[str, str], ...] = ()) -> Wrong:
    return Wrong(200, json.dumps(resource).encode(), headers=headers)


@asynccontextmanager
async def fhir_server(*, transactions: bool = True) -> AsyncIterator[FhirServer]:
    """One, as long as it runs."""
    server = FhirServer(transactions=transactions)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
