"""Who was given what, and who looked: the rows behind every account of disclosures. For the hub itself only."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson

from app.core.actor import Actor
from app.store.changes import Decision
from app.store.database import Database

_DECISION: Final = ", ".join(f"c.{name}" for name in Decision._fields)
_DISCLOSURE: Final = "d.id, d.at, d.organization, d.client, d.user_id, d.purpose, d.entries"
_ACCESS: Final = (
    "select a.id, a.at, a.organization, a.client, a.user_id, a.interaction, a.count, a.resource, a.page, p.resources "
    "from access_log a left join access_page p on p.id = a.page"
)
_IDS_AT_ONCE: Final = 500


class Entry(NamedTuple):
    """One resource of a disclosure. Version 0: its id alone was told."""

    id: str
    version: int
    level: str
    decision: str | None = None
    """None: the organisation's own, or nothing of a person."""


class Given(NamedTuple):
    """One response with what was given for the first time."""

    id: str
    at: int
    organization: str
    client: str
    user: str | None
    purpose: str
    entries: tuple[Entry, ...]


class Access(NamedTuple):
    """A reader who was shown something, ``count`` times until ``at``."""

    id: str
    at: int
    organization: str
    """Empty: the hub itself."""
    client: str
    user: str | None
    interaction: str
    times: int
    resources: tuple[str, ...] | None
    """Ids; None: which ones is not known."""


class Whose(NamedTuple):
    """Type of a resource, and the Patient that it is about."""

    type: str
    patient: str | None


class Accounting:
    """Reads the accounting."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("the accounting as a whole is read by the hub itself only")
        self.actor = actor
        self._database = database

    async def decisions_about(self, patients: Sequence[str]) -> list[Decision]:
        """What was decided about these Patients, oldest first."""
        return await self._decisions(self._database.any_of("c.patient", "$1"), patients)

    async def decisions_by(self, discloser: str) -> list[Decision]:
        """What was decided about the records of an organisation, oldest first."""
        return await self._decisions(self._database.any_of("c.discloser", "$1"), [discloser])

    async def decision_for(self, task: str, recipient: str) -> Decision | None:
        """The newest decision that brought a Task to its recipient."""
        rows = await self._database.fetch(
            f"select {_DECISION} from decision c where c.task = $1 and c.recipient = $2 order by c.at desc, c.id desc "
            "limit 1",
            task,
            recipient,
        )
        return Decision(*rows[0]) if rows else None

    async def decisions(self, ids: Iterable[str]) -> dict[str, Decision]:
        """Decisions by id."""
        known: dict[str, Decision] = {}
        for part in _parts(ids):
            found = await self._decisions(self._database.any_of("c.id", "$1"), part)
            known |= {one.id: one for one in found}
        return known

    async def _decisions(self, condition: str, values: Sequence[str]) -> list[Decision]:
        rows = await self._database.fetch(
            f"select {_DECISION} from decision c where {condition} order by c.at, c.id", self._database.array(values)
        )
        return [Decision(*row) for row in rows]

    async def given_under(self, decisions: Iterable[str], since: int) -> list[Given]:
        """Disclosures from ``since`` on that stand on one of these decisions, oldest first."""
        known: dict[str, Given] = {}
        for part in _parts(decisions):
            rows = await self._database.fetch(
                f"select {_DISCLOSURE} from disclosure d where d.at >= $2 and d.id in "
                f"(select l.disclosure from disclosure_decision l where {self._database.any_of('l.decision', '$1')})",
                self._database.array(part),
                since,
            )
            known |= {row[0]: _given(row) for row in rows}
        return sorted(known.values(), key=lambda given: (given.at, given.id))

    async def given(self, ids: Iterable[str]) -> dict[str, Given]:
        """Disclosures by id."""
        known: dict[str, Given] = {}
        for part in _parts(ids):
            rows = await self._database.fetch(
                f"select {_DISCLOSURE} from disclosure d where {self._database.any_of('d.id', '$1')}",
                self._database.array(part),
            )
            known |= {row[0]: _given(row) for row in rows}
        return known

    async def given_to(
        self, *, since: int, organization: str | None = None, client: str | None = None, user: str | None = None
    ) -> list[Given]:
        """Disclosures from ``since`` on to an organisation, a client or a user, oldest first."""
        condition, args = _of_reader("d", organization, client, user)
        rows = await self._database.fetch(
            f"select {_DISCLOSURE} from disclosure d where d.at >= $1{condition} order by d.at, d.id", since, *args
        )
        return [_given(row) for row in rows]

    async def accesses(
        self, *, since: int, organization: str | None = None, client: str | None = None, user: str | None = None
    ) -> list[Access]:
        """Accesses from ``since`` on of an organisation, a client or a user, oldest first."""
        condition, args = _of_reader("a", organization, client, user)
        rows = await self._database.fetch(f"{_ACCESS} where a.at >= $1{condition} order by a.at, a.id", since, *args)
        return [_access(row) for row in rows]

    async def accesses_by_id(self, ids: Iterable[str]) -> dict[str, Access]:
        """Accesses by id."""
        known: dict[str, Access] = {}
        for part in _parts(ids):
            condition = self._database.any_of("a.id", "$1")
            rows = await self._database.fetch(f"{_ACCESS} where {condition}", self._database.array(part))
            known |= {row[0]: _access(row) for row in rows}
        return known

    async def whose(self, ids: Iterable[str]) -> dict[str, Whose]:
        """Type and Patient of resources."""
        known: dict[str, Whose] = {}
        for part in _parts(ids):
            rows = await self._database.fetch(
                "select r.id, r.type, coalesce(r.patient, (select min(i.value) from search_index i "
                "where i.id = r.id and i.name = 'patient')) from resource r "
                f"where {self._database.any_of('r.id', '$1')}",
                self._database.array(part),
            )
            known |= {row[0]: Whose(row[1], row[0] if row[1] == "Patient" else _id(row[2])) for row in rows}
        return known

    async def about(self, patients: Sequence[str]) -> set[str]:
        """Ids of the resources that are about these Patients, themselves included."""
        references = self._database.array([f"Patient/{one}" for one in patients])
        rows = await self._database.fetch(
            f"select r.id from resource r where {self._database.any_of('r.patient', '$1')} union "
            "select i.id from search_index i where i.name = 'patient' "
            f"and {self._database.any_of('i.value', '$1')}",
            references,
        )
        return {row[0] for row in rows} | {*patients}

    async def requesters(self, ids: Iterable[str]) -> set[str]:
        """Organisations that asked for the ServiceRequests and Tasks among these resources."""
        found: set[str] = set()
        for part in _parts(ids):
            rows = await self._database.fetch(
                "select distinct r.requester from resource r "
                f"where r.requester is not null and {self._database.any_of('r.id', '$1')}",
                self._database.array(part),
            )
            found |= {_id(row[0]) or "" for row in rows}
        return found

    async def versions(self, ids: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
        """(version, lastUpdated) of each resource, oldest first."""
        known: dict[str, list[tuple[int, int]]] = {}
        for part in _parts(ids):
            rows = await self._database.fetch(
                "select c.id, c.version, c.last_updated from change c "
                f"where {self._database.any_of('c.id', '$1')} order by c.id, c.version",
                self._database.array(part),
            )
            for resource, version, last_updated in rows:
                known.setdefault(resource, []).append((version, last_updated))
        return known

    async def bodies(self, wanted: Iterable[tuple[str, int, str]]) -> dict[tuple[str, int, str], bytes]:
        """Stored bytes by (id, version, level)."""
        asked = {*wanted}
        known: dict[tuple[str, int, str], bytes] = {}
        for part in _parts({resource for resource, *_ in asked}):
            rows = await self._database.fetch(
                "select b.id, b.version, b.rendition, b.content from body b "
                f"where {self._database.any_of('b.id', '$1')}",
                self._database.array(part),
            )
            known |= {key: row[3] for row in rows if (key := (row[0], row[1], row[2])) in asked}
        return known

    async def client_organization(self, client: str) -> str | None:
        """The organisation of a client, also of one that is no longer active."""
        rows = await self._database.fetch("select organization from client where id = $1", client)
        return rows[0][0] if rows else None


def _parts(ids: Iterable[str]) -> list[list[str]]:
    known = sorted({*ids})
    return [known[start : start + _IDS_AT_ONCE] for start in range(0, len(known), _IDS_AT_ONCE)]


def _of_reader(table: str, organization: str | None, client: str | None, user: str | None) -> tuple[str, list[str]]:
    """Conditions behind a first parameter, and their values."""
    named = (("organization", organization), ("client", client), ("user_id", user))
    given = [(column, value) for column, value in named if value is not None]
    text = "".join(f" and {table}.{column} = ${place}" for place, (column, _) in enumerate(given, 2))
    return text, [value for _, value in given]


def _given(row: Sequence[Any]) -> Given:
    return Given._make((*row[:6], tuple(Entry(*entry) for entry in orjson.loads(row[6]))))


def _access(row: Sequence[Any]) -> Access:
    return Access._make((*row[:7], _shown(*row[7:])))


def _shown(resource: str | None, page: str | None, resources: str | None) -> tuple[str, ...] | None:
    if resource is not None:
        return (resource,)
    if page is None:
        return ()
    return None if resources is None else tuple(resources.split())


def _id(reference: str | None) -> str | None:
    return None if reference is None else reference.rpartition("/")[2]
