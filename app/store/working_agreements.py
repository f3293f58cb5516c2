"""What pairs of organisations have agreed, and their meetings. Rows are added, never changed."""

from typing import NamedTuple

from pydantic import ValidationError

from app.core import log
from app.core.clock import Clock
from app.core.ids import uuid7
from app.store.database import Database
from schemas.working_agreement import Meeting, WorkingAgreement

Pair = tuple[str, str]
"""FHIR ids of the hospital and the partner."""


class Kept(NamedTuple):
    """One version."""

    id: str
    version: int
    agreement: WorkingAgreement
    by: str
    at: int


class Met(NamedTuple):
    """One line of the log of meetings."""

    id: str
    meeting: Meeting
    by: str
    at: int


class WorkingAgreements:
    """Reads and writes them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def keep(self, pair: Pair, agreement: WorkingAgreement, by: str, version: int) -> bool:
        """Keep ``version``; False where there is one of this number already."""
        made = uuid7()
        await self._database.execute(
            "insert into working_agreement (id, hospital, partner, version, body, kept_by, at) "
            "values ($1, $2, $3, $4, $5, $6, $7) on conflict (hospital, partner, version) do nothing",
            made,
            *pair,
            version,
            agreement.model_dump_json(),
            by,
            self._clock.now_us(),
        )
        rows = await self._database.fetch("select 1 from working_agreement where id = $1", made)
        return bool(rows)

    async def versions(self, pair: Pair) -> list[Kept]:
        """All versions of one pair, the newest last."""
        rows = await self._database.fetch(
            "select id, version, body, kept_by, at from working_agreement "
            "where hospital = $1 and partner = $2 order by version",
            *pair,
        )
        return [Kept(id_, version, _read(body), by, at) for id_, version, body, by, at in rows]

    async def all(self) -> dict[Pair, tuple[WorkingAgreement, ...]]:
        """The versions of each pair, the newest last; one that this release can't read is left out, and said."""
        rows = await self._database.fetch("select hospital, partner, body from working_agreement order by version")
        found: dict[Pair, tuple[WorkingAgreement, ...]] = {}
        for hospital, partner, body in rows:
            try:
                found[hospital, partner] = (*found.get((hospital, partner), ()), _read(body))
            except ValidationError:
                log.warning("working-agreement.unreadable", organization=partner)
        return found

    async def add_meeting(self, pair: Pair, meeting: Meeting, by: str) -> str:
        """Add a line to the log of a pair; its id."""
        made = uuid7()
        await self._database.execute(
            "insert into agreement_meeting (id, hospital, partner, body, kept_by, at) values ($1, $2, $3, $4, $5, $6)",
            made,
            *pair,
            meeting.model_dump_json(),
            by,
            self._clock.now_us(),
        )
        return made

    async def meetings(self, pair: Pair) -> list[Met]:
        """The log of a pair, in the order in which it was written."""
        rows = await self._database.fetch(
            "select id, body, kept_by, at from agreement_meeting where hospital = $1 and partner = $2 order by id",
            *pair,
        )
        return [Met(id_, Meeting.model_validate_json(body), by, at) for id_, body, by, at in rows]


def _read(body: str) -> WorkingAgreement:
    return WorkingAgreement.model_validate_json(body)
