"""Who takes part: organisations, hospital interfaces, partners, machine clients and their tokens."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, Literal

from pydantic import ValidationError

from app.core import log
from app.core.clock import Clock
from app.core.crypto import hash_secret
from app.core.errors import Conflict
from app.core.ids import uuid7
from app.store.database import Database, Record
from schemas.agreement import Agreement
from schemas.base import M
from schemas.partner import PartnerProfile
from schemas.sender import Sender
from schemas.working_agreement import WorkingAgreement

_TRIES: Final = 5
PartyKind = Literal["hub", "hospital", "partner"]


CredentialKind = Literal["secret", "jwks", "jwks-url"]


@dataclass(frozen=True, slots=True)
class Credential:
    """By what a client is known."""

    id: str
    kind: CredentialKind
    value: str = field(repr=False)
    """Hash of the secret, JWK set as JSON, or URL of one."""
    until: int | None = None
    """Microseconds since the epoch from which on it is none any more; None = until it is replaced."""


@dataclass(frozen=True, slots=True)
class Client:
    """A registered machine client."""

    id: str
    organization: str
    scope: str
    require_if_match: bool
    active: bool
    sender: str | None = None
    """The one interface that it may send as; None = all of its organisation."""
    credentials: tuple[Credential, ...] = ()
    """Those that stand now, oldest first."""
    created_at: int = 0
    """Microseconds since the epoch; given by the store."""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a bearer token stands for."""

    client: str
    organization: str
    scope: str
    expires_at: int
    require_if_match: bool
    sender: str | None


@dataclass(frozen=True, slots=True)
class Directory:
    """Everyone who takes part, read together so that a decision sees one state."""

    hub: str
    names: dict[str, str]
    """Organisation id -> name."""
    senders: dict[str, Sender]
    partners: dict[str, PartnerProfile]
    """Organisation id -> profile."""
    agreements: Mapping[str, tuple[Agreement, ...]] = field(default_factory=dict)
    """Organisation id -> what it has signed."""
    agreed: Mapping[tuple[str, str], tuple[WorkingAgreement, ...]] = field(default_factory=dict)
    """(hospital, partner) -> the versions of what the two have agreed, the newest last."""
    agreements_required: bool = False
    """Whether nothing goes from or to whoever has none in force."""


_CLIENTS: Final = (
    "select c.id, c.organization, c.scope, c.require_if_match, c.active, c.sender, c.created_at, "
    "k.id, k.kind, k.value, k.until from client c "
    "left join credential k on k.client = c.id and (k.until is null or k.until > $1)"
)


def _clients_of(rows: Sequence[Record]) -> Iterator[Client]:
    """Clients of rows with one credential each; those of one client stand together."""
    for _, some in groupby(rows, lambda row: row[0]):
        (id_, organization, scope, require_if_match, active, sender, created_at, *_), *_ = together = list(some)
        credentials = tuple([Credential(*row[7:]) for row in together if row[7] is not None])
        yield Client(id_, organization, scope, bool(require_if_match), bool(active), sender, credentials, created_at)


class Accounts:
    """Reads and writes registrations. Each write is one short transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def organization(self, name: str, kind: PartyKind) -> str:
        """The id of the organisation called ``name``; the same name gives the same id."""
        await self._database.execute(
            "insert into party (organization, name, kind) values ($1, $2, $3) on conflict (name) do nothing",
            uuid7(),
            name,
            kind,
        )
        rows = await self._database.fetch("select organization from party where name = $1", name)
        return str(rows[0][0])

    async def save_sender(self, sender: Sender) -> None:
        """Register or change a hospital interface."""
        await self._database.execute(
            "insert into sender (id, organization, body, updated_at, answers) values ($1, $2, $3, $4, $5) "
            "on conflict (id) do update set organization = excluded.organization, body = excluded.body, "
            "updated_at = excluded.updated_at, answers = excluded.answers",
            sender.id,
            sender.organization,
            sender.model_dump_json(by_alias=True),
            self._clock.now_us(),
            sender.answers is not None,
        )

    async def save_partner(
        self, organization: str, changed: Callable[[PartnerProfile | None], PartnerProfile]
    ) -> PartnerProfile:
        """Register or change a partner; its profile as it is then.

        Args:
            organization: FHIR id.
            changed: from the profile as it stands (None: there is none) to the one to be; asked again where somebody
                else was quicker, so that no word of either is lost.

        Raises:
            Conflict: somebody else was quicker every time.
        """
        for _ in range(_TRIES):
            rows = await self._database.fetch("select body from partner where organization = $1", organization)
            before = PartnerProfile.model_validate_json(rows[0][0]) if rows else None
            profile = changed(before)
            pushes = profile.pushes_to is not None
            row = (organization, profile.name, profile.model_dump_json(), self._clock.now_us(), pushes)
            if rows:
                written = await self._database.execute(
                    "update partner set name = $2, body = $3, updated_at = $4, pushes = $5 "
                    "where organization = $1 and body = $6",
                    *row,
                    rows[0][0],
                )
            else:
                written = await self._database.execute(
                    "insert into partner (organization, name, body, updated_at, pushes) values ($1, $2, $3, $4, $5) "
                    "on conflict (organization) do nothing",
                    *row,
                )
            if written == 1:
                return profile
        raise Conflict("Somebody else keeps changing this partner; try again.")

    async def save_server_credential(self, organization: str, sealed: bytes | None) -> None:
        """Keep what the hub shows to a partner's own server, or nothing any more."""
        await self._database.execute("update partner set credential = $2 where organization = $1", organization, sealed)

    async def server_credential(self, organization: str) -> bytes | None:
        """It, sealed; None where none is kept."""
        rows = await self._database.fetch("select credential from partner where organization = $1", organization)
        return rows[0][0] if rows else None

    async def directory(self) -> Directory:
        """Everyone who takes part now."""
        parties = await self._database.fetch("select organization, name, kind from party")
        senders = await self._database.fetch("select id, body from sender")
        partners = await self._database.fetch("select organization, body from partner")
        return Directory(
            hub=next((row[0] for row in parties if row[2] == "hub"), ""),
            names={row[0]: row[1] for row in parties},
            senders=dict(_readable(Sender, senders)),
            partners=dict(_readable(PartnerProfile, partners)),
        )

    async def registrations_stamp(self) -> tuple[int, int, int]:
        """Changes whenever a sender, a partner or an agreement does; cheap to ask."""
        rows = await self._database.fetch(
            "select (select coalesce(max(updated_at), 0) + count(*) from sender), "
            "(select coalesce(max(updated_at), 0) + count(*) from partner), "
            "(select count(*) from agreement) + (select count(*) from working_agreement)"
        )
        return int(rows[0][0]), int(rows[0][1]), int(rows[0][2])

    async def add_client(self, client: Client) -> None:
        """Register a machine client."""
        for credential in client.credentials:
            await self._add_credential(client.id, credential)
        await self._database.execute(
            "insert into client (id, organization, scope, require_if_match, active, created_at, sender) "
            "values ($1, $2, $3, $4, $5, $6, $7)",
            client.id,
            client.organization,
            client.scope,
            client.require_if_match,
            client.active,
            self._clock.now_us(),
            client.sender,
        )

    async def client(self, client_id: str) -> Client | None:
        """An active client by its id, with the credentials that stand now."""
        rows = await self._database.fetch(
            f"{_CLIENTS} where c.id = $2 and c.active order by k.id", self._clock.now_us(), client_id
        )
        return next(_clients_of(rows), None)

    async def clients(self) -> list[Client]:
        """Every client that was ever registered, oldest first."""
        now = self._clock.now_us()
        return list(_clients_of(await self._database.fetch(f"{_CLIENTS} order by c.created_at, c.id, k.id", now)))

    async def replace_credentials(self, client: str, credential: Credential, others_until: int) -> None:
        """A new credential; the ones that stand end at ``others_until``, or when they would have ended anyway."""
        await self._add_credential(client, credential)
        await self._database.execute(
            "update credential set until = $1 where client = $2 and id <> $3 and (until is null or until > $1)",
            others_until,
            client,
            credential.id,
        )

    async def end_tokens(self, client: str) -> None:
        """Every token of a client is void."""
        await self._database.execute("delete from token where client = $1", client)

    async def revoke_client(self, client: str) -> None:
        """A client is switched off for good; what it had to prove itself by is forgotten."""
        await self._database.execute("update client set active = $1 where id = $2", False, client)
        await self.end_tokens(client)
        await self._database.execute("delete from credential where client = $1", client)

    async def use_assertion(self, client: str, jti: str, until: int) -> bool:
        """Whether the assertion is used for the first time, by any process; it is remembered ``until`` then."""
        await self._database.execute("delete from assertion where expires_at < $1", self._clock.now_us())
        written = await self._database.execute(
            "insert into assertion (client, jti, expires_at) values ($1, $2, $3) on conflict do nothing",
            client,
            hash_secret(jti),
            until,
        )
        return written == 1

    async def _add_credential(self, client: str, credential: Credential) -> None:
        await self._database.execute(
            "insert into credential (id, client, kind, value, until) values ($1, $2, $3, $4, $5)",
            credential.id,
            client,
            credential.kind,
            credential.value,
            credential.until,
        )

    async def add_token(self, token: str, client: Client, scope: str, expires_at: int) -> None:
        """Keep a token (its hash) and drop those that expired."""
        await self._database.execute("delete from token where expires_at < $1", self._clock.now_us())
        await self._database.execute(
            "insert into token (hash, client, scope, expires_at) values ($1, $2, $3, $4)",
            hash_secret(token),
            client.id,
            scope,
            expires_at,
        )

    async def granted(self, token: str) -> Granted | None:
        """What a bearer token stands for now; None when unknown, expired or its client is not active."""
        rows = await self._database.fetch(
            "select c.id, c.organization, t.scope, t.expires_at, c.require_if_match, c.sender from token t "
            "join client c on c.id = t.client where t.hash = $1 and t.expires_at > $2 and c.active",
            hash_secret(token),
            self._clock.now_us(),
        )
        return Granted(*rows[0]) if rows else None


def _readable(shape: type[M], rows: Sequence[Any]) -> Iterator[tuple[str, M]]:
    """What was registered, but for what can't be read here, such as a time zone that this machine does not know.

    One that can't be is as if it were not registered: its messages are refused by name, its visits wait. The others
    go on.
    """
    for name, body in rows:
        try:
            yield name, shape.model_validate_json(body)
        except ValidationError as error:
            fields = ",".join(sorted({str(one["loc"][0]) for one in error.errors(include_input=False) if one["loc"]}))
            sender, organization = (name, None) if shape is Sender else (None, name)
            log.error("registration.unreadable", reason=fields, sender=sender, organization=organization)
