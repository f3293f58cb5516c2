"""How many requests a client, an organisation and an address may send, so that a storm of one starves no other.

Token buckets in the memory of each process: a bucket holds what may be sent at once and fills by its rate. What is
counted is requests; failed logins are counted always, requests of known clients where the operator set a rate, since
only the operator knows what the hub can carry.
"""

import ipaddress
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from app.core.actor import Actor
from app.core.clock import monotonic
from app.core.errors import TooManyRequests
from app.core.settings import Settings

_KEPT: Final = 10_000
"""Buckets of one kind; beyond that the one that was used longest ago is forgotten, as if it were full."""
_BURST: Final = 2.0
"""Seconds of its rate that a client may send at once."""
_FAILURES_OF_CLIENT: Final = (1.0, 100.0)
"""Failed logins with one client id: per second, and at once. No secret of ours can be guessed; trying costs."""
_FAILURES_OF_ADDRESS: Final = (10.0, 1000.0)
"""Failed logins from one address: per second, and at once. Many clients may be behind one."""
_UNKNOWN_TOKENS: Final = (10.0, 1000.0)
"""Bearer tokens from one address that nobody has: per second, and at once. None can be guessed; asking costs."""
_PERSONS_NOT_FOUND: Final = (1 / 60, 20.0)
"""Persons of whom an organisation said that they are there, and of whom no referral is known: per second, and at once.
Somebody who tries names or codes is stopped; somebody who mistypes is not."""
_REQUESTS: Final = "More requests than this client or its organization may send; wait as Retry-After says."
_PERSONS: Final = "Too many persons of whom no referral is known; wait as Retry-After says, or call the hospital."
_LOGINS: Final = "Too many failed logins; wait as Retry-After says."


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float
    """Monotonic seconds when it was last looked at."""


class Buckets:
    """One bucket per key.

    Args:
        rate: what comes in per second.
        size: what a bucket holds at most.
    """

    def __init__(self, rate: float, size: float) -> None:
        self._rate = rate
        self._size = size
        self._known: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Seconds until ``key`` may take one; 0 = it may now."""
        found = self._known.get(key)
        if found is None:
            return 0.0
        missing = 1.0 - self._filled(found, now)
        return max(0.0, missing / self._rate)

    def take(self, key: str, now: float) -> None:
        """Take one, down to nothing."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = _Bucket(self._size, now)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        found.left = max(0.0, self._filled(found, now) - 1.0)
        found.at = now
        self._known.move_to_end(key)

    def give_back(self, key: str, now: float) -> None:
        """Put one back that was taken for nothing."""
        found = self._known.get(key)
        if found is not None:
            found.left = min(self._size, self._filled(found, now) + 1.0)
            found.at = now

    def _filled(self, bucket: _Bucket, now: float) -> float:
        return min(self._size, bucket.left + (now - bucket.at) * self._rate)


class Limits:
    """What this process lets through."""

    def __init__(self, settings: Settings) -> None:
        self._clients = _buckets(settings.rate_per_client)
        self._organizations = _buckets(settings.rate_per_organization)
        self._failures = Buckets(*_FAILURES_OF_CLIENT)
        self._failures_there = Buckets(*_FAILURES_OF_CLIENT)
        self._addresses = Buckets(*_FAILURES_OF_ADDRESS)
        self._tokens = Buckets(*_UNKNOWN_TOKENS)
        self._not_found = Buckets(*_PERSONS_NOT_FOUND)
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def request(self, actor: Actor) -> None:
        """Count a request of a known client. Raises TooManyRequests, and then it isn't counted."""
        if actor.organization is None or (self._clients is None and self._organizations is None):
            return
        now = monotonic()
        asked = [(self._clients, actor.client), (self._organizations, actor.organization)]
        limited = [(buckets, key) for buckets, key in asked if buckets is not None]
        _refuse(_REQUESTS, max(buckets.wait(key, now) for buckets, key in limited))
        for buckets, key in limited:
            buckets.take(key, now)

    def login(self, client: str, address: str) -> None:
        """Raises TooManyRequests where too many logins failed, before anything is looked at.

        Where a client has logged in before, only what failed with its id from there holds it back: others can lock
        it out neither from elsewhere nor as its neighbours.
        """
        now, place = monotonic(), place_of(address)
        wait = self._failures_there.wait(f"{client} {place}", now)
        if (client, place) not in self._proven:
            wait = max(wait, self._failures.wait(client, now), self._addresses.wait(place, now))
        _refuse(_LOGINS, wait)
        if self._clients is not None:
            _refuse(_REQUESTS, self._clients.wait(client, now))

    def failed(self, client: str, address: str) -> None:
        """Count a login that failed."""
        now, place = monotonic(), place_of(address)
        self._failures_there.take(f"{client} {place}", now)
        self._failures.take(client, now)
        self._addresses.take(place, now)

    def proved(self, client: str, address: str) -> None:
        """A login that did not fail; it is a request of the client like any other."""
        if self._clients is not None:
            self._clients.take(client, monotonic())
        self._proven[client, place_of(address)] = None
        while len(self._proven) > _KEPT:
            self._proven.popitem(last=False)

    def seeking(self, organization: str) -> None:
        """Count a person whom an organisation names, before anything is looked at: many at once are many too.

        Raises TooManyRequests where it has named too many who are not known.
        """
        now = monotonic()
        _refuse(_PERSONS, self._not_found.wait(organization, now))
        self._not_found.take(organization, now)

    def found(self, organization: str) -> None:
        """The person is known: it does not count."""
        self._not_found.give_back(organization, monotonic())

    def unknown_token(self, address: str) -> None:
        """Count a bearer token that is not known. Raises TooManyRequests where there were too many.

        Only asked when the token was looked up: whoever has a good one is never held back by a neighbour.
        """
        now, place = monotonic(), place_of(address)
        wait = self._tokens.wait(place, now)
        self._tokens.take(place, now)
        _refuse(_LOGINS, wait)


def place_of(address: str) -> str:
    """What counts as one address: with IPv6 the /64 network, which one caller has whole (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


def _buckets(rate: float | None) -> Buckets | None:
    return None if rate is None else Buckets(rate, max(1.0, rate * _BURST))


def _refuse(text: str, wait: float) -> None:
    if wait > 0:
        raise TooManyRequests(text, seconds=max(1, math.ceil(wait)))
