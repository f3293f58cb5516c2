"""The public keys of clients: registered with them, or fetched from where they publish them.

A published set is kept as long as its Cache-Control allows and never longer than a few minutes, so a key that is taken
out of it is out soon. A token that names a key which isn't in the set has it fetched again, once a minute at most for
each client: whoever sends nonsense can't make the hub call others (CVE-2026-48524 was that in a library).
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.core import jws, log
from app.core.clock import monotonic
from app.core.errors import BadRequest, Issue
from app.core.http import Answer, Outbound, Unreachable
from app.core.jws import Key
from app.core.settings import Settings
from app.rules.subscribing import address_reasons
from app.services.subscriptions.subscriptions import outside_of
from app.store.accounts import Client, Credential

_LONGEST: Final = 300.0
"""Seconds that a published set is kept at most."""
_AGAIN: Final = 60.0
"""Seconds until a set is fetched again for a key that isn't in it."""
_AFTER_FAILURE: Final = 5.0
"""Seconds until a set that could not be had is asked for again."""
_PATIENCE: Final = 5.0
"""Seconds of one fetch."""
_KEPT: Final = 1000
_HEADERS: Final = (("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "throughline"))
_MAX_AGE: Final = re.compile(r"max-age=\"?(\d{1,9})")
_NOT_KEPT: Final = re.compile(r"\bno-(store|cache)\b")


class NoKeys(Exception):
    """The set of a client could not be had; ``reason`` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class _Set:
    """What is known of one published set. Times in monotonic seconds."""

    keys: tuple[Key, ...] = ()
    fetched: bool = False
    fresh_until: float = float("-inf")
    refetch_at: float = float("-inf")
    """When it may be fetched for a key that it doesn't have."""
    failed_until: float = float("-inf")
    reason: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def known(self, kid: str, now: float) -> tuple[Key, ...] | None:
        """The keys, where nothing has to be fetched to find ``kid``. Raises NoKeys soon after a failure."""
        has_it = any(key.kid == kid for key in self.keys)
        if (has_it and now < self.fresh_until) or (not has_it and now < self.refetch_at):
            return self.keys
        if now < self.failed_until:
            raise NoKeys(self.reason)
        return None


class ClientKeys:
    """The keys of every client, as one process knows them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: Outbound | None = None
        self._sets: OrderedDict[tuple[str, str], _Set] = OrderedDict()

    async def of(self, client: Client, kid: str) -> list[Key]:
        """The keys that an assertion of ``client`` may be signed with, for one that names ``kid``.

        Raises NoKeys where a published set can't be had or read.
        """
        keys: list[Key] = []
        fault: NoKeys | None = None
        for credential in client.credentials:
            try:
                keys += await self._of(client.id, credential, kid)
            except NoKeys as error:
                fault = error
        if fault is not None and all(key.kid != kid for key in keys):
            raise fault
        return keys

    async def _of(self, client: str, credential: Credential, kid: str) -> Sequence[Key]:
        if credential.kind == "jwks":
            return jws.keys_of(credential.value.encode())
        return await self._published(client, credential.value, kid) if credential.kind == "jwks-url" else ()

    async def close(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            await self._opened.close()

    def _outbound(self) -> Outbound:
        """Opened when first needed: most hubs fetch no set, and reading the trusted authorities takes a while."""
        if self._opened is None:
            outside = outside_of(self._settings)
            self._opened = Outbound(networks=outside.networks, loopback=outside.loopback)
        return self._opened

    async def _published(self, client: str, url: str, kid: str) -> tuple[Key, ...]:
        found = self._sets.setdefault((client, url), _Set())
        self._sets.move_to_end((client, url))
        while len(self._sets) > _KEPT:
            self._sets.popitem(last=False)
        async with found.turn:
            known = found.known(kid, monotonic())
            if known is not None:
                return known
            try:
                await self._fetch(found, url, client)
            finally:
                if found.fetched and all(key.kid != kid for key in found.keys):
                    found.refetch_at = monotonic() + _AGAIN
            return found.keys

    async def _fetch(self, found: _Set, url: str, client: str) -> None:
        try:
            answer = await self._outbound().get(url, headers=_HEADERS, limit=jws.MAX_SET, seconds=_PATIENCE)
            found.keys = _read(answer)
        except (Unreachable, jws.Malformed) as error:
            found.reason = error.reason if isinstance(error, Unreachable) else "not-a-key-set"
            found.failed_until = monotonic() + _AFTER_FAILURE
            log.warning("oauth.no-key-set", client=client, reason=found.reason)
            raise NoKeys(found.reason) from None
        found.fetched = True
        found.fresh_until = monotonic() + lifetime(answer.headers)


def lifetime(headers: Mapping[str, str]) -> float:
    """Seconds that an answer may be kept (RFC 9111 section 5.2.2): as it says, and never longer than a few minutes."""
    control = headers.get("cache-control", "").lower()
    if _NOT_KEPT.search(control):
        return 0.0
    stated = _MAX_AGE.search(control)
    if stated is None:
        return _LONGEST
    age = headers.get("age", "0")
    spent = float(age) if age.isdecimal() and len(age) < 10 else 0.0
    return min(_LONGEST, max(0.0, float(stated[1]) - spent))


def _read(answer: Answer) -> tuple[Key, ...]:
    if answer.status != 200:
        raise Unreachable(f"status-{answer.status}")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise Unreachable("compressed")
    return jws.keys_of(answer.content)


# ---- what is registered


def checked_set(data: bytes) -> str:
    """A key set as it is registered. Raises BadRequest where no assertion could be checked with it."""
    try:
        keys = jws.keys_of(data)
    except jws.Malformed as error:
        raise BadRequest(f"{error}.", path="jwks") from None
    if not keys:
        algorithms = " or ".join(jws.ALGORITHMS)
        raise BadRequest(
            f"The set has no key with kid for {algorithms} (RSA of 2048 bits or more, EC P-384).", path="jwks"
        )
    if len({(key.kid, key.algorithm) for key in keys}) < len(keys):
        raise BadRequest("Each key has a kid of its own.", path="jwks")
    return data.decode()


def checked_url(url: str, settings: Settings) -> str:
    """Where a client publishes its keys. Raises BadRequest for an address that the hub does not speak to."""
    outside = outside_of(settings)
    reasons = list(address_reasons(url, "jwks-url", loopback=outside.loopback, networks=outside.networks))
    if reasons:
        issues = tuple(Issue("value", reason.text, reason.path) for reason in reasons)
        raise BadRequest("; ".join(reason.text for reason in reasons), issues=issues)
    return url


def urls_of(credentials: tuple[Credential, ...]) -> frozenset[str]:
    """Where the published sets among ``credentials`` are."""
    return frozenset(credential.value for credential in credentials if credential.kind == "jwks-url")
