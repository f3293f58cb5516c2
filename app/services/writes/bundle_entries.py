"""The entries of a batch or transaction, read as requests (https://hl7.org/fhir/R4/http.html#transaction)."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, cast

from app.core import json
from app.core.errors import BadRequest, HubError, Issue, NotFound, NotSupported, TooLarge, Unprocessable
from app.services.writes.resource_requests import version_of_tag
from app.services.writing import Resource

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
MAX_ENTRIES: Final = 1000
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_NAME: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9\-.$_]{1,64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a Bundle."""

    index: int
    method: Method
    path: tuple[str, ...]
    """Below the base address: ``("Task", "1", "_history", "2")``."""
    query: str
    resource: Resource | None
    full_url: str | None
    if_match: int | None
    if_none_exist: str | None
    if_none_match: str | None

    @property
    def place(self) -> str:
        """Where it stands, for an error."""
        return place(self.index)

    @property
    def type(self) -> str:
        """The type that it is about."""
        return self.path[0] if self.path else ""

    @property
    def id(self) -> str | None:
        """The id that its address names."""
        return self.path[1] if len(self.path) > 1 else None

    @property
    def interaction(self) -> str:
        """The FHIR interaction of one that writes."""
        return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(self.method, "read")


def place(index: int) -> str:
    """The path of an entry."""
    return f"Bundle.entry[{index}]"


def entries_of(bundle: Resource) -> list[Entry]:
    """The requests of a Bundle, in order. Raises BadRequest at the path of what can't be read."""
    stated = bundle.get("entry", [])
    if not isinstance(stated, list) or not all(isinstance(one, dict) for one in stated):
        raise BadRequest("A list of entries is expected.", path="Bundle.entry")
    if len(stated) > MAX_ENTRIES:
        raise TooLarge(f"At most {MAX_ENTRIES} entries at once.", path="Bundle.entry")
    entries = [_entry(index, one) for index, one in enumerate(stated)]
    _refuse_twice(entries)
    return entries


def _refuse_twice(entries: Sequence[Entry]) -> None:
    """BadRequest where two entries have one fullUrl: a reference to it would lead to both."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        if entry.full_url is None or entry.method not in _WITH_BODY:
            continue
        other = seen.setdefault(entry.full_url, entry)
        if other is not entry:
            both = tuple(
                Issue("duplicate", "one fullUrl for one entry", f"{one.place}.fullUrl") for one in (other, entry)
            )
            raise BadRequest("Two entries have the same fullUrl.", issues=both)


def _entry(index: int, stated: dict[str, Any]) -> Entry:
    at = place(index)
    request = stated.get("request")
    if not isinstance(request, dict):
        raise BadRequest("Each entry says what is asked: request.method and request.url.", path=f"{at}.request")
    method, url = request.get("method"), request.get("url")
    if method not in _METHODS:
        raise BadRequest(f"One of {', '.join(sorted(_METHODS))} is expected.", path=f"{at}.request.method")
    if not isinstance(url, str):
        raise BadRequest("An address below the base of this server is expected.", path=f"{at}.request.url")
    path, query = _address(url, f"{at}.request.url")
    resource = stated.get("resource")
    if (method in _WITH_BODY) != isinstance(resource, dict) and not _is_search(method, path):
        raise BadRequest("POST, PUT and PATCH have a resource, the others have none.", path=f"{at}.resource")
    full_url = stated.get("fullUrl")
    return Entry(
        index=index,
        method=cast("Method", method),
        path=path,
        query=query,
        resource=resource,
        full_url=full_url if isinstance(full_url, str) else None,
        if_match=_version(request.get("ifMatch"), f"{at}.request.ifMatch"),
        if_none_exist=_text(request.get("ifNoneExist"), f"{at}.request.ifNoneExist"),
        if_none_match=_text(request.get("ifNoneMatch"), f"{at}.request.ifNoneMatch"),
    )


def _is_search(method: str, path: tuple[str, ...]) -> bool:
    return method == "POST" and path[1:2] == ("_search",)


@lru_cache(maxsize=1024)
def _address(url: str, at: str) -> tuple[tuple[str, ...], str]:
    below = url.removeprefix("/")
    path, _, query = below.partition("?")
    steps = tuple(path.split("/"))
    if not steps[0] or not all(_NAME.fullmatch(step) for step in steps):
        raise BadRequest("An address below the base of this server is expected.", path=at)
    return steps, query


def _text(value: Any, at: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise BadRequest("A text is expected.", path=at)


def _version(value: Any, at: str) -> int | None:
    if value is None:
        return None
    version = version_of_tag(value)
    if version is None:
        raise BadRequest('The ETag of one version is expected: W/"3".', path=at)
    return version


def operations_of(entry: Entry) -> object:
    """The JSON Patch of an entry: a Binary of that type. Raises NotSupported for any other form."""
    binary = entry.resource or {}
    if binary.get("resourceType") != "Binary" or binary.get("contentType") != "application/json-patch+json":
        raise NotSupported(
            "In a Bundle a patch is a Binary of the type application/json-patch+json.", path=f"{entry.place}.resource"
        )
    try:
        return json.loads(b64decode(binary.get("data", ""), validate=True))
    except (NotBase64, TypeError, ValueError):
        raise BadRequest("Binary.data is base64.", path=f"{entry.place}.resource.data") from None


def named(entry: Entry, error: HubError) -> HubError:
    """``error`` with the place of its entry; what is not there is told like every other fault of an entry."""
    kind: Callable[..., HubError] = type(error)
    if isinstance(error, NotFound):
        missing = Issue("not-found", "Not known, or not visible to the caller.", f"{entry.place}.request.url")
        return Unprocessable(missing.text, issues=(missing,))
    issues = tuple(Issue(one.code, one.text, _below(entry, one.path)) for one in error.issues)
    return kind(error.message, issues=issues)


def _below(entry: Entry, path: str | None) -> str:
    """A path of the entry's resource or request, as a path of the Bundle."""
    if path is None:
        return entry.place
    if path.startswith("Bundle."):
        return path
    root, _, rest = path.partition(".")
    if root == "http":
        return f"{entry.place}.request"
    return f"{entry.place}.resource.{rest}" if rest else f"{entry.place}.resource"
