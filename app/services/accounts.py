"""Who is calling: machine clients, their secrets, and the bearer tokens that stand for them.

A token belongs to one client of one organisation; there is no other way to become an ``Actor``.
"""

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from app.core.actor import Actor
from app.core.clock import monotonic
from app.core.crypto import hash_secret, same_secret
from app.core.errors import BadRequest, NotFound, Unavailable
from app.core.ids import secret, uuid7
from app.services import scopes
from app.services.hub import Hub
from app.store.accounts import Client
from app.store.database import Gone
from app.store.store import Store

_LIFE: Final = 300
"""Seconds; SMART Backend Services 2.2 asks for no more than five minutes."""
_LIFE_ON_THE_MACHINE: Final = 12 * 3600
"""Seconds; for ``throughline token``, which only whoever holds the database can run."""
_MICROS: Final = 1_000_000
_FRESH: Final = 1.0
"""Seconds that a token is answered from memory: a client that is switched off is out after that."""
_REMEMBERED: Final = 4096
_NOBODY: Final = hash_secret("")
"""Compared with where there is no client, so that the answer takes the same time."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh bearer token."""

    token: str
    expires_in: int
    """Seconds."""
    scope: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new machine client; the secret is shown this once."""

    client_id: str
    client_secret: str


class TokenRefused(Exception):
    """No token is given; ``error`` is the OAuth code (RFC 6749 section 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class _Remembered:
    actor: Actor
    until: float
    """Monotonic seconds."""
    expires_at: int


_memory: WeakKeyDictionary[Store, dict[str, _Remembered]] = WeakKeyDictionary()
"""Tokens seen within the last second, per store."""


async def authenticate(hub: Hub, token: str) -> Actor | None:
    """Who a bearer token stands for; None when it is unknown or expired, or its client is switched off.

    Raises Unavailable when the database can't be asked.
    """
    known = _memory.setdefault(hub.store, {})
    found = known.get(token)
    if found is not None and found.until > monotonic() and found.expires_at > hub.clock.now_us():
        return found.actor
    try:
        granted = await hub.store.accounts.granted(token)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    if granted is None:
        known.pop(token, None)
        return None
    actor = Actor(
        organization=granted.organization,
        client=granted.client,
        scopes=frozenset(granted.scope.split()),
        require_if_match=granted.require_if_match,
    )
    if len(known) >= _REMEMBERED:
        known.clear()
    known[token] = _Remembered(actor, monotonic() + _FRESH, granted.expires_at)
    return actor


async def exchange(hub: Hub, client_id: str, client_secret: str, scope: str | None) -> Issued:
    """A token for a client that proves itself by its secret (RFC 6749 section 4.4).

    Without ``scope`` it carries all that the client is registered for. Raises TokenRefused
    (``invalid_client``, ``invalid_scope``), or Unavailable when the database can't be asked.
    """
    try:
        client = await hub.store.accounts.client(client_id)
        stored = client.secret_hash if client is not None else None
        matches = same_secret(client_secret, stored or _NOBODY)
        if client is None or stored is None or not matches:
            raise TokenRefused("invalid_client", "The client is not known, or this is not its secret.")
        return await _issue(hub, client, _granted(client, scope), _LIFE)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error


async def issue(hub: Hub, client_id: str) -> Issued:
    """A token without a secret, for whoever holds the database. Raises NotFound."""
    client = await hub.store.accounts.client(client_id)
    if client is None:
        raise NotFound("No active client has this id.")
    return await _issue(hub, client, client.scope, _LIFE_ON_THE_MACHINE)


async def add_client(hub: Hub, organization: str, scope: str, *, require_if_match: bool = False) -> Registered:
    """Register a machine client with a secret.

    Args:
        hub: the hub.
        organization: FHIR id of the organisation that it acts for (``Organization/<id>`` is read too).
        scope: SMART system scopes and ``ingest``, separated by spaces.
        require_if_match: whether its updates must name the version that they change.

    Raises:
        NotFound: nobody with this id takes part.
        BadRequest: no scope, or one that this server doesn't know.
    """
    owner = organization.removeprefix("Organization/")
    if owner not in (await hub.registry.current()).names:
        raise NotFound("No registered organization has this id.", path="organization")
    asked = list(dict.fromkeys(scope.split()))
    if not asked:
        raise BadRequest("At least one scope is needed.", path="scope")
    wrong = scopes.invalid(asked)
    if wrong:
        raise BadRequest(f"Not a scope of this server: {' '.join(wrong)}", path="scope")
    made = Registered(uuid7(), secret())
    await hub.store.accounts.add_client(
        Client(
            id=made.client_id,
            organization=owner,
            scope=" ".join(asked),
            secret_hash=hash_secret(made.client_secret),
            require_if_match=require_if_match,
            active=True,
        )
    )
    return made


def _granted(client: Client, scope: str | None) -> str:
    asked = list(dict.fromkeys(scope.split())) if scope else []
    given = scopes.granted(frozenset(client.scope.split()), frozenset(asked))
    if given is None:
        raise TokenRefused("invalid_scope", "The client is not registered for every scope that was asked for.")
    return " ".join(asked) if asked else client.scope


async def _issue(hub: Hub, client: Client, scope: str, life: int) -> Issued:
    token = secret()
    await hub.store.accounts.add_token(token, client, scope, hub.clock.now_us() + life * _MICROS)
    return Issued(token, life, scope)
