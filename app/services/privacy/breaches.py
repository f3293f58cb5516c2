"""What a client or a user was exposed to: whose records, which versions of them, and which elements.

42 CFR 2.16(b) has the breach rule of 45 CFR part 164 subpart D apply: who was affected and what was exposed. The same
rows answer it that serve the accounting: first disclosures, and the looks that came after them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import NotFound
from app.services.disclosures import note
from app.services.hub import Hub
from app.services.sheets import Sheet
from app.store.accounting import Access, Accounting, Given, Whose
from fhir_mappings.element_paths import element_paths
from schemas.served import from_body

_EVER: Final = 0


@dataclass(frozen=True, slots=True)
class Exposed:
    """One resource as far as it was shown."""

    resource: str
    """``Type/id``."""
    versions: tuple[int, ...]
    """0: its id alone."""
    levels: tuple[str, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Affected:
    """One Patient record that something was shown of."""

    patient: str
    resources: tuple[Exposed, ...]
    fields: tuple[str, ...]
    """Elements that held something in what was shown, at the level at which it was shown."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """All that a client or a user was exposed to."""

    subject: str
    since: str
    until: str
    affected: tuple[Affected, ...]
    unattributed: int
    """Looks of which it is not known what they repeated."""


class _Shown(NamedTuple):
    at: int
    version: int
    level: str
    decision: str | None


@dataclass(slots=True)
class _Sight:
    """One resource in the making."""

    patient: str | None = None
    shown: set[_Shown] = field(default_factory=set)
    times: list[int] = field(default_factory=list)


async def exposure(
    hub: Hub, actor: Actor, *, since: int, client: str | None = None, user: str | None = None
) -> Exposure:
    """What a client, or a user of any client, was shown from ``since`` (microseconds) on.

    Raises NotFound where no client has this id.
    """
    reader = hub.store.accounting(actor)
    if client is not None and await reader.client_organization(client) is None:
        raise NotFound("No client has this id.")
    await note(hub.store, actor, "accounting-breach", [])
    now = hub.clock.now_us()
    firsts = await reader.given_to(since=since, client=client, user=user)
    repeats = await reader.accesses(since=since, client=client, user=user)
    sights = await _sights(reader, firsts, repeats)
    whose = await reader.whose(sights)
    for resource, sight in sights.items():
        sight.patient = sight.patient or (whose[resource].patient if resource in whose else None)
    return Exposure(
        subject=client or user or "",
        since=iso(since),
        until=iso(now),
        affected=await _affected(reader, sights, whose),
        unattributed=sum(one.times for one in repeats if one.resources is None),
    )


async def _sights(reader: Accounting, firsts: Sequence[Given], repeats: Sequence[Access]) -> dict[str, _Sight]:
    """What was shown of each resource: first disclosures, and of repeats the version that was the last one given."""
    sights: dict[str, _Sight] = {}
    for given in firsts:
        for entry in given.entries:
            _add(sights, entry.id, given.at, {_Shown(given.at, entry.version, entry.level, entry.decision)})
    seen = {resource for access in repeats for resource in access.resources or ()}
    before = await _given_before(reader, {access.organization for access in repeats}, seen)
    own = await reader.versions(seen - {resource for _, resource in before})
    for access in repeats:
        for resource in access.resources or ():
            known = before.get((access.organization, resource))
            _add(sights, resource, access.at, _last(known or _of_own(own.get(resource, ())), access.at))
    decisions = await reader.decisions(
        {one.decision for sight in sights.values() for one in sight.shown if one.decision}
    )
    for sight in sights.values():
        sight.patient = next(
            (decisions[one.decision].patient for one in sight.shown if one.decision in decisions), None
        )
    return sights


def _add(sights: dict[str, _Sight], resource: str, at: int, shown: set[_Shown]) -> None:
    sight = sights.setdefault(resource, _Sight())
    sight.shown |= shown
    sight.times.append(at)


async def _given_before(
    reader: Accounting, organizations: Iterable[str], ids: set[str]
) -> dict[tuple[str, str], list[_Shown]]:
    """(organisation, resource) to all that was given of it, oldest first."""
    found: dict[tuple[str, str], list[_Shown]] = {}
    for organization in sorted({*organizations} - {""}):
        for given in await reader.given_to(since=_EVER, organization=organization):
            for entry in given.entries:
                if entry.id in ids:
                    shown = _Shown(given.at, entry.version, entry.level, entry.decision)
                    found.setdefault((organization, entry.id), []).append(shown)
    return found


def _of_own(versions: Iterable[tuple[int, int]]) -> list[_Shown]:
    """What was never disclosed is the reader's own: each version is seen whole from its instant on."""
    return [_Shown(last_updated, version, "full", None) for version, last_updated in versions]


def _last(known: Sequence[_Shown], at: int) -> set[_Shown]:
    return {*[one for one in known if one.at <= at][-1:]}


async def _affected(
    reader: Accounting, sights: Mapping[str, _Sight], whose: Mapping[str, Whose]
) -> tuple[Affected, ...]:
    asked = {(resource, one.version, one.level) for resource, sight in sights.items() for one in sight.shown}
    bodies = await reader.bodies(asked)
    by_patient: dict[str, list[str]] = {}
    for resource, sight in sights.items():
        if sight.patient is not None and resource in whose and sight.shown:
            by_patient.setdefault(sight.patient, []).append(resource)
    return tuple(
        Affected(
            patient,
            tuple(_exposed(resource, sights[resource], whose[resource].type) for resource in sorted(resources)),
            _fields(resources, sights, whose, bodies),
        )
        for patient, resources in sorted(by_patient.items())
    )


def _exposed(resource: str, sight: _Sight, kind: str) -> Exposed:
    versions = tuple(sorted({one.version for one in sight.shown}))
    levels = tuple(sorted({one.level for one in sight.shown}))
    return Exposed(f"{kind}/{resource}", versions, levels, iso(min(sight.times)), iso(max(sight.times)))


def _fields(
    resources: Iterable[str],
    sights: Mapping[str, _Sight],
    whose: Mapping[str, Whose],
    bodies: Mapping[tuple[str, int, str], bytes],
) -> tuple[str, ...]:
    found: set[str] = set()
    for resource in resources:
        kind = whose[resource].type
        for one in sights[resource].shown:
            content = bodies.get((resource, one.version, one.level))
            if content is None:
                found.add(f"{kind}.id")
            else:
                found.update(element_paths(orjson.loads(from_body(kind, resource, one.version, "", content))))
    return tuple(sorted(found))


# ---- as it is handed over


def as_json(found: Exposure) -> dict[str, Any]:
    """Every field."""
    return asdict(found)


def exposure_sheet(found: Exposure) -> Sheet:
    """One line for each Patient record that something was shown of."""
    columns = ("Patient record", "resources", "first", "last", "elements")
    rows = [
        (
            one.patient,
            ", ".join(f"{shown.resource} v{'+'.join(map(str, shown.versions))}" for shown in one.resources),
            min(shown.first for shown in one.resources),
            max(shown.last for shown in one.resources),
            ", ".join(one.fields),
        )
        for one in found.affected
    ]
    about = [
        ("shown to", found.subject),
        ("from", found.since),
        ("to", found.until),
        ("Patient records affected", str(len(found.affected))),
        ("looks that can't be attributed", str(found.unattributed)),
    ]
    return Sheet("What was exposed", about, columns, rows)
