"""Agreements on file. Rows are added, never changed: what was on file when something was disclosed stays known."""

from app.core.clock import Clock
from app.core.ids import uuid7
from app.store.database import Database
from schemas.agreement import Agreement


class Agreements:
    """Reads and writes what organisations have signed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def file(self, organization: str, agreement: Agreement) -> str:
        """Put an agreement on file; its id."""
        made = uuid7()
        await self._database.execute(
            "insert into agreement (id, organization, kind, reference, signed_on, signer, document_hash, ends_on, "
            "filed_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            made,
            organization,
            agreement.kind,
            agreement.reference,
            agreement.signed_on.isoformat(),
            agreement.signer,
            agreement.document_hash,
            agreement.ends_on.isoformat() if agreement.ends_on else None,
            self._clock.now_us(),
        )
        return made

    async def on_file(self) -> dict[str, tuple[Agreement, ...]]:
        """All of them, by organisation, oldest first."""
        rows = await self._database.fetch(
            "select organization, kind, reference, signed_on, signer, document_hash, ends_on from agreement order by id"
        )
        found: dict[str, tuple[Agreement, ...]] = {}
        for organization, kind, reference, signed_on, signer, document_hash, ends_on in rows:
            held = Agreement(
                kind=kind,
                reference=reference,
                signed_on=signed_on,
                signer=signer,
                document_hash=document_hash,
                ends_on=ends_on,
            )
            found[organization] = (*found.get(organization, ()), held)
        return found
