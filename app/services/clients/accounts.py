"""Who is calling: machine clients, how they prove who they are, and the bearer tokens that stand for them.

A token belongs to one client of one organisation; there is no other way to become an ``Actor``. What a caller can see
from its own request is told it plainly; whatever depends on who is registered, and with what, has one answer.
"""

from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from app.core import jws, log
from app.core.actor import Actor
from app.core.clock import iso, monotonic
from app.core.crypto import hash_secret, same_secret
from app.core.errors import BadRequest, NotFound, Unavailable
from app.core.ids import secret, uuid7
from app.core.settings import Settings
from app.services import scopes
from app.services.clients import assertions, client_keys
from app.services.clients.assertions import Claimed
from app.services.clients.client_keys import ClientKeys, NoKeys
from app.services.hub import Hub
from app.store.accounts import Client, Credential
from app.store.database import Gone
from app.store.store import Store

_LIFE: Final = 300
"""Seconds; SMART Backend Services 2.2 asks for no more than five minutes."""
_LIFE_ON_THE_MACHINE: Final = 12 * 3600
"""Seconds; for ``throughline token``, which only whoever holds the database can run."""
_MICROS: Final = 1_000_000
_REMEMBERED_LONGER: Final = 60 * _MICROS
"""Beyond its end and the skew: the clocks of two processes may differ a little too."""
_FRESH: Final = 1.0
"""Seconds that a token is answered from memory: a client that is switched off is out after that."""
_REMEMBERED: Final = 4096
_NOBODY: Final = hash_secret("")
"""Compared with where there is no client, so that the answer takes the same time."""
_UNPROVEN: Final = "The client is not known, or this is not its secret or its key."


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh bearer token."""

    token: str
    expires_in: int
    """Seconds."""
    scope: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A new machine client, or a known one with a new secret; the secret is shown this once."""

    client_id: str
    client_secret: str
    """Empty where the client proves itself by its key."""


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a client shall be known from now on: a set of public keys, or where one is, or else a new secret."""

    jwks: bytes | None = None
    jwks_url: str | None = None


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


def token_endpoint(settings: Settings) -> str:
    """URL of the token endpoint, which an assertion names as its audience."""
    return f"{settings.base_url.rstrip('/')}/oauth/token"


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
        sender=granted.sender,
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
        held = [one.value for one in client.credentials if one.kind == "secret"] if client else []
        matches = [same_secret(client_secret, stored) for stored in held or [_NOBODY]]
        if client is None or not held or not any(matches):
            raise TokenRefused("invalid_client", _UNPROVEN)
        return await _issue(hub, client, _granted(client, scope), _LIFE)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error


def claimed(hub: Hub, assertion: str) -> tuple[jws.Token, Claimed]:
    """What a client's assertion says, where nothing in it is wrong by itself; nobody has checked who made it.

    Raises TokenRefused (``invalid_client``) with all that is wrong.
    """
    try:
        token = jws.read(assertion)
    except jws.Malformed as error:
        raise TokenRefused("invalid_client", f"client_assertion is {error}.") from None
    verdict = assertions.judge(
        token.header, token.claims, audience=token_endpoint(hub.settings), now=hub.clock.now_us()
    )
    if verdict.claimed is None:
        raise TokenRefused("invalid_client", f"{'; '.join(reason.text for reason in verdict.reasons)}.")
    return token, verdict.claimed


async def exchange_assertion(hub: Hub, keys: ClientKeys, token: jws.Token, said: Claimed, scope: str | None) -> Issued:
    """A token for a client that proves itself by its key: what ``claimed`` returned, once.

    Raises as ``exchange`` does.
    """
    try:
        client = await hub.store.accounts.client(said.client)
        if client is None:
            raise TokenRefused("invalid_client", _UNPROVEN)
        reason = await _unproven(keys, client, token, said)
        if reason is not None:
            log.info("oauth.unproven", client=client.id, reason=reason)
            raise TokenRefused("invalid_client", _UNPROVEN)
        until = said.expires_at + assertions.SKEW * _MICROS + _REMEMBERED_LONGER
        if not await hub.store.accounts.use_assertion(client.id, said.jti, until):
            log.warning("oauth.replayed", client=client.id)
            raise TokenRefused("invalid_client", "This assertion was used before; jti is new in each.")
        return await _issue(hub, client, _granted(client, scope), _LIFE)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error


async def _unproven(keys: ClientKeys, client: Client, token: jws.Token, said: Claimed) -> str | None:
    """Why an assertion does not prove that ``client`` made it; None when it does."""
    try:
        registered = await keys.of(client, said.kid)
    except NoKeys as error:
        return error.reason
    verdict = assertions.fitting(said, registered, client_keys.urls_of(client.credentials))
    if verdict.key is None:
        return verdict.codes[0]
    return None if jws.verifies(token, verdict.key) else "signature"


async def issue(hub: Hub, client_id: str) -> Issued:
    """A token without a secret, for whoever holds the database. Raises NotFound."""
    client = await hub.store.accounts.client(client_id)
    if client is None:
        raise NotFound("No active client has this id.")
    return await _issue(hub, client, client.scope, _LIFE_ON_THE_MACHINE)


async def add_client(
    hub: Hub,
    organization: str,
    scope: str,
    *,
    proof: Proof = Proof(),
    sender: str | None = None,
    require_if_match: bool = False,
) -> Registered:
    """Register a machine client.

    Args:
        hub: the hub.
        organization: FHIR id of the organisation that it acts for (``Organization/<id>`` is read too).
        scope: SMART system scopes and ``ingest``, separated by spaces.
        proof: by what it is known.
        sender: the one interface of the organisation that it may send as.
        require_if_match: whether its updates must name the version that they change.

    Raises:
        NotFound: nobody with this id takes part, or the organisation has no such sender.
        BadRequest: no scope, or one that this server doesn't know; a key set that can't be used.
    """
    owner = organization.removeprefix("Organization/")
    directory = await hub.registry.current()
    if owner not in directory.names:
        raise NotFound("No registered organization has this id.", path="organization")
    if sender is not None and (sender not in directory.senders or directory.senders[sender].organization != owner):
        raise NotFound("The organization has no sender with this id.", path="sender")
    asked = list(dict.fromkeys(scope.split()))
    if not asked:
        raise BadRequest("At least one scope is needed.", path="scope")
    faults = [f"{one}: {fault}" for one in asked if (fault := scopes.fault_of(one))]
    if faults:
        raise BadRequest("; ".join(faults), path="scope")
    credential, shown = _credential(hub, proof)
    made = Registered(uuid7(), shown)
    await hub.store.accounts.add_client(
        Client(
            id=made.client_id,
            organization=owner,
            scope=" ".join(asked),
            require_if_match=require_if_match,
            active=True,
            sender=sender,
            credentials=(credential,),
        )
    )
    return made


async def rotate(hub: Hub, client_id: str, proof: Proof, *, keep_seconds: int = 0) -> Registered:
    """Give a client something new to prove itself by.

    Args:
        hub: the hub.
        client_id: the client.
        proof: by what it is known from now on.
        keep_seconds: for how long what it had is taken too. 0: it ends now, and so do its tokens, as after a leak.

    Raises:
        NotFound: no active client has this id.
        BadRequest: a key set that can't be used.
    """
    if await hub.store.accounts.client(client_id) is None:
        raise NotFound("No active client has this id.", path="client")
    credential, shown = _credential(hub, proof)
    until = hub.clock.now_us() + keep_seconds * _MICROS
    await hub.store.accounts.replace_credentials(client_id, credential, until)
    if not keep_seconds:
        await hub.store.accounts.end_tokens(client_id)
    return Registered(client_id, shown)


async def revoke(hub: Hub, client_id: str) -> None:
    """Switch a client off for good. Its tokens are refused within a second. Raises NotFound."""
    if await hub.store.accounts.client(client_id) is None:
        raise NotFound("No active client has this id.", path="client")
    await hub.store.accounts.revoke_client(client_id)


async def listed(hub: Hub) -> list[dict[str, Any]]:
    """Every client that was ever registered, for the operator; nothing that could be used to log in."""
    return [_line(client) for client in await hub.store.accounts.clients()]


def _line(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.id,
        "organization": client.organization,
        "scope": client.scope,
        "sender": client.sender,
        "active": client.active,
        "require_if_match": client.require_if_match,
        "created_at": iso(client.created_at),
        "credentials": [
            {
                "kind": one.kind,
                "url": one.value if one.kind == "jwks-url" else None,
                "until": None if one.until is None else iso(one.until),
            }
            for one in client.credentials
        ],
    }


def _credential(hub: Hub, proof: Proof) -> tuple[Credential, str]:
    """What is kept, and the secret to show: empty where there is none."""
    if proof.jwks is not None:
        return Credential(uuid7(), "jwks", client_keys.checked_set(proof.jwks)), ""
    if proof.jwks_url is not None:
        return Credential(uuid7(), "jwks-url", client_keys.checked_url(proof.jwks_url, hub.settings)), ""
    shown = secret()
    return Credential(uuid7(), "secret", hash_secret(shown)), shown


def _granted(client: Client, scope: str | None) -> str:
    asked = list(dict.fromkeys(scope.split())) if scope else []
    faults = dict.fromkeys(fault for fault in map(scopes.fault_of, asked) if fault)
    if faults:
        raise TokenRefused("invalid_scope", f"{'; '.join(faults)}.")
    if scopes.granted(frozenset(client.scope.split()), frozenset(asked)) is None:
        raise TokenRefused("invalid_scope", "The client is not registered for every scope that was asked for.")
    return " ".join(asked) if asked else client.scope


async def _issue(hub: Hub, client: Client, scope: str, life: int) -> Issued:
    token = secret()
    await hub.store.accounts.add_token(token, client, scope, hub.clock.now_us() + life * _MICROS)
    return Issued(token, life, scope)
