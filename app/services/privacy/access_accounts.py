"""Who looked at what: at the records of one organisation, or at those of one person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from app.core.actor import Actor
from app.core.clock import iso
from app.services.disclosures import note
from app.services.hub import Hub
from app.services.sheets import Sheet
from app.store.accounting import Access, Accounting, Given
from app.store.changes import Decision

Readers = Mapping[str, frozenset[str] | None]
"""Organisation to the ids of the records in question; None: all that it looked at."""


@dataclass(frozen=True, slots=True)
class Look:
    """A reader who was shown records, once or several times."""

    at: str
    """When; of several times, the second in which they were counted."""
    organization: str
    organization_name: str
    client: str
    user: str | None
    interaction: str
    """``first disclosure``, or the interaction of a repeat."""
    times: int
    resources: tuple[str, ...]
    """Those of the records that were shown, as ``Type/id``."""
    patients: tuple[str, ...]


class _Seen(NamedTuple):
    row: Given | Access
    interaction: str
    times: int
    shown: tuple[str, ...]


async def of_organization(hub: Hub, actor: Actor, organization: str, since: int) -> list[Look]:
    """Whoever looked at the records of an organisation, and whatever its own readers looked at.

    Oldest first, from ``since`` (microseconds) on. It is recorded that it was asked for.
    """
    await note(hub.store, actor, "accounting-accesses", [organization])
    reader = hub.store.accounting(actor)
    recipients = await _recipients(reader, await reader.decisions_by(organization))
    return await _looks(hub, reader, {**recipients, organization: None}, since)


async def of_patient(hub: Hub, actor: Actor, patient: str, since: int) -> list[Look]:
    """Whoever looked at the records of one Patient, the hospital's own readers included; as ``of_organization``."""
    await note(hub.store, actor, "accounting-accesses", [patient])
    reader = hub.store.accounting(actor)
    decisions = await reader.decisions_about([patient])
    recipients = await _recipients(reader, decisions)
    about = await reader.about([patient])
    owners = {one.discloser for one in decisions} | await reader.requesters(about)
    ids = frozenset(about.union(*recipients.values()))
    return await _looks(hub, reader, dict.fromkeys(owners | recipients.keys(), ids), since)


async def _recipients(reader: Accounting, decisions: Sequence[Decision]) -> dict[str, frozenset[str]]:
    """Who was given something under ``decisions``, and the ids of it."""
    ids = {one.id for one in decisions}
    found: dict[str, frozenset[str]] = {}
    for given in await reader.given_under(ids, 0):
        shown = frozenset(entry.id for entry in given.entries if entry.decision in ids)
        found[given.organization] = found.get(given.organization, frozenset()) | shown
    return found


async def _looks(hub: Hub, reader: Accounting, readers: Readers, since: int) -> list[Look]:
    seen = [one for organization, ids in readers.items() for one in await _seen(reader, organization, ids, since)]
    seen.sort(key=lambda one: (one.row.at, one.row.id))
    whose = await reader.whose(resource for one in seen for resource in one.shown)
    names = (await hub.registry.current()).names
    return [
        Look(
            at=iso(one.row.at),
            organization=one.row.organization,
            organization_name=names.get(one.row.organization, one.row.organization),
            client=one.row.client,
            user=one.row.user,
            interaction=one.interaction,
            times=one.times,
            resources=tuple(f"{whose[resource].type}/{resource}" for resource in one.shown if resource in whose),
            patients=tuple(sorted({whose[i].patient or "" for i in one.shown if i in whose} - {""})),
        )
        for one in seen
    ]


async def _seen(reader: Accounting, organization: str, ids: frozenset[str] | None, since: int) -> list[_Seen]:
    firsts = await reader.given_to(since=since, organization=organization)
    repeats = await reader.accesses(since=since, organization=organization)
    found = [_Seen(one, "first disclosure", 1, tuple(entry.id for entry in one.entries)) for one in firsts]
    found += [_Seen(one, one.interaction, one.times, one.resources or ()) for one in repeats]
    return list(_in_question(found, ids))


def _in_question(seen: Sequence[_Seen], ids: frozenset[str] | None) -> Iterator[_Seen]:
    for one in seen:
        shown = one.shown if ids is None else tuple(resource for resource in one.shown if resource in ids)
        if shown:
            yield one._replace(shown=shown)


# ---- as it is handed over


def as_json(found: Sequence[Look]) -> list[dict[str, Any]]:
    """Every field."""
    return [asdict(one) for one in found]


def access_sheet(found: Sequence[Look], of: str, since: int, now: int) -> Sheet:
    """One line for each look."""
    columns = ("when", "organization", "client", "user", "how", "times", "what", "Patient records")
    rows = [
        (
            one.at,
            one.organization_name,
            one.client,
            one.user or "",
            one.interaction,
            str(one.times),
            ", ".join(one.resources),
            ", ".join(one.patients),
        )
        for one in found
    ]
    about = [("records of", of), ("from", iso(since)[:10]), ("to", iso(now)[:10])]
    return Sheet("Who looked at what", about, columns, rows)
