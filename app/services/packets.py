"""All of one referral that a reader may see: what its Task leads to."""

from collections.abc import Iterable
from typing import Final

from app.services.writing import decoded
from app.store.queries import IndexIn, Query, Row
from app.store.reader import Reader
from schemas.references import local, references

_ROUNDS: Final = 4
"""How far references are followed."""


async def reachable(reader: Reader, task: Row) -> list[Row]:
    """The Task, its request, all that they lead to and where that comes from, as far as the reader may see it."""
    rows = {task.id: task}
    frontier = [task]
    for _ in range(_ROUNDS):
        links = (local(link) for row in frontier for link in references(decoded(row)))
        wanted = {link[1] for link in links if link is not None} - rows.keys()
        found = await reader.by_ids(sorted(wanted))
        frontier = [
            row for row in found if row.type != "Task" and (row.type != "ServiceRequest" or row.id == _focus(task))
        ]
        rows.update((row.id, row) for row in frontier)
        if not frontier:
            break
    origins = await reader.search(Query("Provenance", (IndexIn("target", _origins_of(rows.values())),), limit=200))
    rows.update((row.id, row) for row in origins)
    return list(rows.values())


def _origins_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Task and request, and the ones that they were made from: what is told of those holds for the copies too."""
    asked = [row for row in rows if row.type in {"Task", "ServiceRequest"}]
    above = [decoded(row).get("partOf" if row.type == "Task" else "basedOn", []) for row in asked]
    return (*(f"{row.type}/{row.id}" for row in asked), *(one["reference"] for found in above for one in found))


def _focus(task: Row) -> str:
    reference: str = decoded(task).get("focus", {}).get("reference", "")
    return reference.rpartition("/")[2]
