"""Requests as a client sends them, kept together with their answers."""

import json
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from tools.example_world import BASE, World

Json = dict[str, Any]
_SHOWN: Final = ("ETag", "Location", "Retry-After", "WWW-Authenticate", "Allow")
"""Headers of an answer that an example shows."""


class Unexpected(Exception):
    """An answer that the story does not foresee."""


@dataclass(slots=True)
class Recorder:
    """Sends requests to the hub and keeps each as one example of its operation."""

    world: World
    exchanges: list[Json] = field(default_factory=list)
    operations: dict[str, tuple[str, str]] = field(init=False)
    """operationId to method and path."""

    def __post_init__(self) -> None:
        self.operations = {
            operation["operationId"]: (method, path)
            for path, item in self.world.app.openapi()["paths"].items()
            for method, operation in item.items()
        }

    async def say(
        self,
        operation: str,
        summary: str,
        *,
        name: str,
        who: str | None = None,
        path: Json | None = None,
        query: Json | None = None,
        headers: Json | None = None,
        media: str | None = None,
        body: Any = None,
        status: int = 200,
    ) -> Any:
        """Send one request and keep it; the body of its answer, JSON where it is JSON.

        Args:
            operation: operationId of the OpenAPI document, which gives method and path.
            summary: what the example shows, for a reader.
            name: name of the example, once in its operation.
            who: client that sends it; None = without a token.
            path: values of the path's parameters.
            query: parameters; a list is a parameter that stands several times.
            headers: request headers.
            media: media type of the body.
            body: text as it is sent, or what is sent as JSON (as a form, where ``media`` is one).
            status: the status that the story needs.

        Raises:
            Unexpected: the answer has another status.
        """
        request = {"path": path, "query": query, "headers": headers, "media": media, "body": body}
        answer = await self._send(operation, who, request)
        if answer.status_code != status:
            raise Unexpected(f"{operation} {name}: {answer.status_code} instead of {status}: {answer.text}")
        said = _said(answer)
        if headers is not None and "Authorization" in headers:
            request["headers"] = {key: value for key, value in headers.items() if key != "Authorization"} or None
        self.exchanges.append(
            {
                "operation": operation,
                "name": name,
                "summary": summary,
                "as": who,
                "request": {key: value for key, value in request.items() if value is not None},
                "response": said,
            }
        )
        return said.get("body")

    async def _send(self, operation: str, who: str | None, request: Json) -> httpx.Response:
        method, template = self.operations[operation]
        url = template.format_map(request["path"] or {})
        if request["query"]:
            url = f"{url}?{urlencode(request['query'], doseq=True)}"
        headers = {**(request["headers"] or {})}
        if who is not None:
            headers["authorization"] = f"Bearer {self.world.tokens[who]}"
        if request["media"]:
            headers["content-type"] = request["media"]
        transport = httpx.ASGITransport(self.world.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as web:
            return await web.request(method, url, headers=headers, content=encoded(request["media"], request["body"]))


def encoded(media: str | None, body: Any) -> bytes | None:
    """The bytes of a request's body."""
    if body is None:
        return None
    if media == "application/x-www-form-urlencoded":
        return urlencode(body, doseq=True).encode()
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _said(answer: httpx.Response) -> Json:
    said: Json = {"status": answer.status_code}
    shown = {name: answer.headers[name] for name in _SHOWN if name in answer.headers}
    if shown:
        said["headers"] = shown
    if answer.content:
        media = answer.headers["content-type"].partition(";")[0]
        said["media"] = media
        said["body"] = answer.json() if media.endswith("json") and "ndjson" not in media else answer.text
    return said
