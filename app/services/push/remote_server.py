"""A partner's own FHIR server: one question, one answer that can be relied on, or why there is none."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, urlencode

from app.channels.base import Channel, Parcel, Receipt
from app.core import json, jws
from app.core.errors import BadRequest
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.writing import Resource
from fhir_mappings.push_bundle import located
from schemas.partner_server import PartnerServer

SECONDS: Final = 30.0
_FHIR: Final = "application/fhir+json"
_FORM: Final = "application/x-www-form-urlencoded"
_MINUTE: Final = 60
_MICRO: Final = 1_000_000
Headers = tuple[tuple[str, str], ...]


class NotDone(Exception):
    """It did not arrive, was not taken, or what was answered can't be read; ``reason`` is a code."""

    def __init__(self, reason: str, *, refused: bool, receipt: Receipt | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused
        self.headers: Mapping[str, str] = receipt.answer.headers if receipt is not None and receipt.answer else {}
        """Of what was answered, where anything was."""


class SignIns:
    """What the hub shows to the servers; a token is kept for as long as it is good."""

    def __init__(self, hub: Hub, channel: Channel) -> None:
        self._hub = hub
        self._channel = channel
        self._tokens: dict[str, tuple[str, int]] = {}

    async def headers(self, organization: str, server: PartnerServer) -> Headers:
        """Of one request. Raises NotDone."""
        if server.sign_in == "none":
            return ()
        token, until = self._tokens.get(organization, ("", 0))
        if until <= self._hub.clock.now_us():
            secret = await self._secret(organization)
            token, until = secret, self._hub.clock.now_us() + _MINUTE * _MICRO
            if server.sign_in != "bearer":
                token, until = await self._asked(server, secret)
            self._tokens[organization] = token, until
        return (("authorization", f"Bearer {token}"),)

    def forget(self, organization: str) -> None:
        """It was not taken: the next request shows a new one."""
        self._tokens.pop(organization, None)

    async def _secret(self, organization: str) -> str:
        sealed = await self._hub.store.accounts.server_credential(organization)
        if sealed is None:
            raise NotDone("no-credential", refused=True)
        return self._hub.keys.open_raw(bound(organization), sealed).decode()

    async def _asked(self, server: PartnerServer, secret: str) -> tuple[str, int]:
        url, now = server.token_url or "", self._hub.clock.now_us()
        fields = {"grant_type": "client_credentials", "scope": server.scope}
        headers: Headers = ()
        if server.sign_in == "client-secret":
            pair = f"{quote_plus(server.client_id or '')}:{quote_plus(secret)}".encode()
            headers = (("authorization", f"Basic {b64encode(pair).decode()}"),)
        else:
            fields |= _assertion(server, secret, now)
        parcel = Parcel(url, urlencode(fields).encode(), _FORM, headers, seconds=SECONDS)
        receipt = await self._channel.deliver(parcel)
        answer = _content(receipt) if receipt.arrived else {}
        token, lasts = answer.get("access_token"), answer.get("expires_in", 5 * _MINUTE)
        if not isinstance(token, str) or not isinstance(lasts, int):
            raise NotDone("no-token", refused=receipt.refused or receipt.arrived, receipt=receipt)
        return token, now + max(lasts - _MINUTE, 0) * _MICRO


def bound(organization: str) -> str:
    """What a kept credential is sealed to."""
    return f"server:{organization}"


def _assertion(server: PartnerServer, secret: str, now: int) -> dict[str, str]:
    """Who the hub is (SMART Backend Services: at most five minutes, RS384 or ES384)."""
    claims = {
        "iss": server.client_id,
        "sub": server.client_id,
        "aud": server.token_url,
        "jti": uuid7(),
        "exp": now // _MICRO + 4 * _MINUTE,
    }
    try:
        assertion = jws.signed(claims, secret.encode())
    except jws.Malformed:
        raise NotDone("no-credential", refused=True) from None
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion_type": kind, "client_assertion": assertion}


class RemoteServer:
    """Speaks to one server on behalf of one lane."""

    def __init__(
        self, channel: Channel, sign_ins: SignIns, organization: str, server: PartnerServer, also: Headers = ()
    ) -> None:
        self._channel = channel
        self._sign_ins = sign_ins
        self._organization = organization
        self.server = server
        self._also = also

    async def read(self, place: str, tag: str | None = None) -> tuple[Resource | None, str | None]:
        """A resource and its ETag; None where it is still the one of ``tag``. Raises NotDone."""
        headers = (("if-none-match", tag),) if tag else ()
        receipt = await self._ask("GET", place, headers=headers)
        if receipt.answer is not None and receipt.answer.status == 304:
            return None, tag
        found = _content(receipt)
        if found.get("resourceType") != place.partition("/")[0]:
            raise NotDone("not-what-was-asked", refused=True)
        return found, _tag(receipt, found)

    async def find(self, kind: str, query: str) -> str | None:
        """``Task/17``: the one resource that a search finds; None where none is. Raises NotDone, also for several."""
        bundle = _content(await self._ask("GET", f"{kind}?{query}"))
        if bundle.get("resourceType") != "Bundle":
            raise NotDone("not-what-was-asked", refused=True)
        found = [one.get("resource", {}) for one in bundle.get("entry", ())]
        ids = [one["id"] for one in found if one.get("resourceType") == kind and "id" in one]
        if len(ids) > 1:
            raise NotDone("found-twice", refused=True)
        return f"{kind}/{ids[0]}" if ids else None

    async def transaction(self, bundle: Resource) -> Resource:
        """The answer to a transaction. Raises NotDone."""
        return _content(await self._ask("POST", "", json.dumps(bundle)))

    async def create(self, resource: Resource, query: str) -> str:
        """Where a resource is now that was made unless ``query`` finds it. Raises NotDone."""
        kind = resource["resourceType"]
        found = await self.find(kind, query)
        if found is not None:
            return found
        receipt = await self._ask("POST", kind, json.dumps(resource), (("if-none-exist", query),))
        headers: Mapping[str, str] = receipt.answer.headers if receipt.answer is not None else {}
        place = located(headers.get("location"), kind)
        made = place or _numbered(_content(receipt), kind) or await self.find(kind, query)
        if made is None:
            raise NotDone("not-what-was-asked", refused=True)
        return made

    async def update(self, place: str, resource: Resource, tag: str | None = None) -> None:
        """Another version, of the one of ``tag``. Raises NotDone."""
        whole = {**resource, "id": place.partition("/")[2]}
        await self._ask("PUT", place, json.dumps(whole), (("if-match", tag),) if tag else ())

    async def takes_transactions(self) -> bool:
        """Whether its CapabilityStatement says so. Raises NotDone where nobody answers."""
        try:
            stated = _content(await self._ask("GET", "metadata"))
        except NotDone as error:
            if error.refused:
                return False
            raise
        declared = [one for rest in stated.get("rest", ()) for one in rest.get("interaction", ())]
        return any(one.get("code") == "transaction" for one in declared)

    async def _ask(self, method: str, path: str, content: bytes = b"", headers: Headers = ()) -> Receipt:
        shown = await self._sign_ins.headers(self._organization, self.server)
        url = f"{self.server.root}/{path}" if path else self.server.root
        told = (*headers, *shown, *(self._also if content else ()))
        receipt = await self._channel.deliver(Parcel(url, content, _FHIR, told, seconds=SECONDS, method=method))
        if receipt.arrived:
            return receipt
        if receipt.reason in {"status-401", "status-403"}:
            self._sign_ins.forget(self._organization)
        raise NotDone(receipt.reason, refused=receipt.refused, receipt=receipt)


def _content(receipt: Receipt) -> dict[str, Any]:
    """The object that was answered; an empty answer is an empty one. Raises NotDone."""
    content = receipt.answer.content if receipt.answer is not None else b""
    if not content:
        return {}
    try:
        found = json.loads(content)
    except BadRequest:
        found = None
    if not isinstance(found, dict):
        raise NotDone("not-json", refused=True)
    return found


def _tag(receipt: Receipt, found: Resource) -> str | None:
    headers: Mapping[str, str] = receipt.answer.headers if receipt.answer is not None else {}
    version = found.get("meta", {}).get("versionId")
    return headers.get("etag") or (f'W/"{version}"' if version else None)


def _numbered(found: Resource, kind: str) -> str | None:
    number = found.get("id")
    return f"{kind}/{quote(number, safe='')}" if isinstance(number, str) and found.get("resourceType") == kind else None
