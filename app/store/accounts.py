"""Who takes part: organisations, hospital interfaces, partners, machine clients and their tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.core.clock import Clock
from app.core.crypto import hash_secret
from app.core.ids import uuid7
from app.store.database import Database
from schemas.agreement import Agreement
from schemas.partner import PartnerProfile
from schemas.sender import Sender

PartyKind = Literal["hub", "hospital", "partner"]


@dataclass(frozen=True, slots=True)
class Client:
    """A registered machine client."""

    id: str
    organization: str
    scope: str
    secret_hash: str | None
    require_if_match: bool
    active: bool


@dataclass(frozen=True, slots=True)
class Granted:
    """What a bearer token stands for."""

    client: str
    organization: str
    scope: str
    expires_at: int
    require_if_match: bool


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
    agreements_required: bool = False
    """Whether nothing goes from or to whoever has none in force."""


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
            "insert into sender (id, organization, body, updated_at) values ($1, $2, $3, $4) on conflict (id) "
            "do update set organization = excluded.organization, body = excluded.body, "
            "updated_at = excluded.updated_at",
            sender.id,
            sender.organization,
            sender.model_dump_json(by_alias=True),
            self._clock.now_us(),
        )

    async def save_partner(self, organization: str, profile: PartnerProfile) -> None:
        """Register or change a partner."""
        await self._database.execute(
            "insert into partner (organization, name, body, updated_at) values ($1, $2, $3, $4) "
            "on conflict (organization) do update set name = excluded.name, body = excluded.body, "
            "updated_at = excluded.updated_at",
            organization,
            profile.name,
            profile.model_dump_json(),
            self._clock.now_us(),
        )

    async def directory(self) -> Directory:
        """Everyone who takes part now."""
        parties = await self._database.fetch("select organization, name, kind from party")
        senders = await self._database.fetch("select body from sender")
        partners = await self._database.fetch("select organization, body from partner")
        return Directory(
            hub=next((row[0] for row in parties if row[2] == "hub"), ""),
            names={row[0]: row[1] for row in parties},
            senders={s.id: s for s in (Sender.model_validate_json(row[0]) for row in senders)},
            partners={row[0]: PartnerProfile.model_validate_json(row[1]) for row in partners},
        )

    async def registrations_stamp(self) -> tuple[int, int, int]:
        """Changes whenever a sender, a partner or an agreement does; cheap to ask."""
        rows = await self._database.fetch(
            "select (select coalesce(max(updated_at), 0) + count(*) from sender), "
            "(select coalesce(max(updated_at), 0) + count(*) from partner), (select count(*) from agreement)"
        )
        return int(rows[0][0]), int(rows[0][1]), int(rows[0][2])

    async def add_client(self, client: Client) -> None:
        """Register a machine client."""
        await self._database.execute(
            "insert into client (id, organization, scope, secret_hash, require_if_match, active, created_at) "
            "values ($1, $2, $3, $4, $5, $6, $7)",
            client.id,
            client.organization,
            client.scope,
            client.secret_hash,
            client.require_if_match,
            client.active,
            self._clock.now_us(),
        )

    async def client(self, client_id: str) -> Client | None:
        """An active client by its id."""
        rows = await self._database.fetch(
            "select id, organization, scope, secret_hash, require_if_match, active from client "
            "where id = $1 and active",
            client_id,
        )
        return Client(*rows[0]) if rows else None

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
            "select c.id, c.organization, t.scope, t.expires_at, c.require_if_match from token t "
            "join client c on c.id = t.client where t.hash = $1 and t.expires_at > $2 and c.active",
            hash_secret(token),
            self._clock.now_us(),
        )
        return Granted(*rows[0]) if rows else None

    async def log_accesses(self, rows: Sequence[tuple[str, str, str, int]]) -> None:
        """Keep counted accesses: (organisation, client, interaction, count)."""
        now = self._clock.now_us()
        for organization, client, interaction, count in rows:
            await self._database.execute(
                "insert into access_log (id, at, organization, client, interaction, count) "
                "values ($1, $2, $3, $4, $5, $6)",
                uuid7(),
                now,
                organization,
                client,
                interaction,
                count,
            )
