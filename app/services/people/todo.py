"""What a hospital's case manager has to do by phone: derived from what is asked, called, failed and disputed.

Nothing of it is kept: an answer, however it comes, takes the line away. It names no person.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from app.core.actor import Actor
from app.services.disclosures import note
from app.services.hub import Hub
from app.services.people import covers, talks
from app.services.referral import telling
from app.services.referral.parties import organization_of
from app.services.sheets import Sheet
from app.services.writing import Resource, decoded
from app.store.accounts import Directory
from app.store.jobs import Jobs
from app.store.queries import ColumnIn, ColumnMissing, IndexIn, Order, Query
from fhir_mappings.building import build_spoken
from fhir_mappings.building.answer_view import answer_by
from fhir_mappings.outreach import attempts_in, is_outreach

_SYSTEM: Final = Actor.system("todo")
_MANY: Final = 2000
_SOUGHT: Final = ("requested", "accepted", "in-progress", "on-hold")
_NO_SHOW: Final = "no-show"
_BY_HAND: Final = frozenset({"manual", "sms", "fax", "push"})
"""Ways that are a person's work, or become it when a machine fails."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One call to make."""

    due_by: str
    """UTC."""
    due_there: str
    """The same as people at the hospital say it."""
    overdue: bool
    hospital: str
    """Name."""
    partner: str
    """Name."""
    phone: str
    """Of the partner, as far as its profile says."""
    need: str
    priority: str
    why: list[str]
    """``manual``, ``sms-failed``, ``fax-failed``, ``push-failed``, ``answer-disputed``; ``no-show``: the person is to
    be reached by the contact plan, and the partner is where a place waits."""
    calls: int
    last_call: str
    """What came of the last one."""
    source: str
    """The hospital's Task."""
    task: str
    """The partner's."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What bears on all of them."""

    directory: Directory
    now: datetime
    sources: Mapping[str, Resource]
    said: Mapping[str, Sequence[Resource]]
    """By the reference of the hospital's ServiceRequest."""
    outcomes: Mapping[tuple[str, str], str]
    parked: Container[str]
    """Partners' Tasks that the partners' own servers don't take."""


async def listed(hub: Hub, actor: Actor, organization: str | None = None) -> list[Todo]:
    """What has to be done, the most urgent first; it is recorded that it was looked at.

    Args:
        hub: the hub.
        actor: the hub itself.
        organization: FHIR id or name of the hospital; None: of all.

    Raises NotFound where there is no such organisation.
    """
    directory = await hub.registry.current()
    wanted = None if organization is None else organization_of(directory, organization)
    children = await _children(hub, directory)
    known = await _known(hub, directory, children)
    lines = []
    for child in children:
        source = known.sources.get(_source_id(child))
        why = [] if source is None else [*_why(child, source, known)]
        if source is not None and why and wanted in {None, _id_of(source["requester"])}:
            lines.append(_line(child, source, why, known, await covers.need_of(hub, child)))
    lines += await _sought(hub, directory, wanted)
    await note(hub.store, actor, "todo", [line.source for line in lines])
    return sorted(lines, key=lambda line: (line.due_by, line.source, line.task))


async def _sought(hub: Hub, directory: Directory, wanted: str | None) -> list[Todo]:
    """One line for each person who did not come where a place waits, while somebody of the hospital looks for them."""
    hospitals = {sender.organization for sender in directory.senders.values()}
    owners = tuple(f"Organization/{one}" for one in sorted(hospitals) if wanted in {None, one})
    conditions = (ColumnIn("owner", owners), ColumnIn("status", _SOUGHT), ColumnMissing("part_of", missing=False))
    reader = hub.store.reader(_SYSTEM)
    rows = await reader.search(Query("Task", conditions, limit=_MANY)) if owners else []
    searches = [task for row in rows if is_outreach(task := decoded(row))]
    places = {row.id: decoded(row) for row in await reader.by_ids(sorted({_place_id(one) for one in searches}))}
    now = hub.clock.now()
    return [
        _search_line(one, places[_place_id(one)], directory, now, await covers.need_of(hub, one)) for one in searches
    ]


def _place_id(outreach: Resource) -> str:
    """The Task of the partner where the person did not come."""
    return str(outreach["basedOn"][0]["reference"]).rpartition("/")[2]


def _search_line(outreach: Resource, place: Resource, directory: Directory, now: datetime, need: str) -> Todo:
    due = datetime.fromisoformat(outreach["restriction"]["period"]["end"])
    tries = [*attempts_in(outreach)]
    return Todo(
        due_by=due.astimezone(UTC).isoformat(timespec="seconds"),
        due_there=covers.local_time(due, directory, _id_of(outreach["owner"])),
        overdue=due < now and not tries,
        hospital=directory.names.get(_id_of(outreach["owner"]), ""),
        partner=directory.names.get(_id_of(place["owner"]), ""),
        phone="",
        need=need,
        priority=outreach.get("priority", ""),
        why=[_NO_SHOW],
        calls=len(tries),
        last_call=tries[-1] if tries else "",
        source=_source_id(outreach),
        task=outreach["id"],
    )


async def _children(hub: Hub, directory: Directory) -> list[Resource]:
    """Tasks that nobody has answered of partners whom a person may have to call, and those that a dispute is about."""
    told = [one for one, profile in directory.partners.items() if not _BY_HAND.isdisjoint(profile.receives_by)]
    owners = tuple(f"Organization/{one}" for one in told)
    conditions = (
        ColumnIn("owner", owners),
        ColumnIn("status", ("requested",)),
        ColumnMissing("part_of", missing=False),
    )
    query = Query("Task", conditions, limit=_MANY)
    waiting = await hub.store.reader(_SYSTEM).search(query) if owners else []
    found = {row.id: decoded(row) for row in waiting} | await _disputed_tasks(hub, directory)
    return [*found.values()]


async def _disputed_tasks(hub: Hub, directory: Directory) -> dict[str, Resource]:
    """Tasks that a dispute is about, whatever has become of them; of very many disputes the newest."""
    hospitals = {f"Organization/{sender.organization}" for sender in directory.senders.values()}
    concerns = (IndexIn(talks.DISPUTES, tuple(sorted(hospitals))),)
    query = Query("Communication", concerns, order=(Order("last_updated", descending=True),), limit=_MANY)
    disputes = [decoded(row) for row in await hub.store.reader(_SYSTEM).search(query)] if hospitals else []
    about = {
        (one["about"][0]["reference"].rpartition("/")[2], build_spoken.side_of(one, "sender").organization)
        for one in disputes
    }
    found: dict[str, Resource] = {}
    for source, partner in sorted(about):
        children = await talks.children_of(hub, source)
        found |= {child["id"]: child for child in children if _id_of(child["owner"]) == partner}
    return found


async def _known(hub: Hub, directory: Directory, children: Sequence[Resource]) -> _Known:
    rows = await hub.store.reader(_SYSTEM).by_ids(sorted({_source_id(child) for child in children}))
    sources = {row.id: decoded(row) for row in rows}
    requests = sorted({one["focus"]["reference"] for one in sources.values()})
    said: dict[str, list[Resource]] = {one: [] for one in requests}
    for one in await talks.of_request(hub, *requests):
        for request in one.get("basedOn", ()):
            said.setdefault(request["reference"], []).append(one)
    outcomes = await Jobs(hub.store.database).outcomes(telling.KINDS, [child["id"] for child in children])
    parked = await hub.store.pushes(_SYSTEM).parked()
    return _Known(directory, hub.clock.now(), sources, said, outcomes, parked)


def _why(child: Resource, source: Resource, known: _Known) -> Iterator[str]:
    """Why somebody must call; nothing where nobody must."""
    partner = _id_of(child["owner"])
    profile = known.directory.partners.get(partner)
    if child["status"] == "requested":
        if profile is not None and profile.by_hand:
            yield "manual"
        for kind, code in ((telling.SMS, "sms-failed"), (telling.FAX, "fax-failed")):
            if known.outcomes.get((kind, child["id"]), "").startswith(telling.FAILED):
                yield code
        if child["id"] in known.parked:
            yield "push-failed"
    if _disputed(_said(source, partner, known)):
        yield "answer-disputed"


def _disputed(said: Sequence[Resource]) -> bool:
    """Whether a dispute came after which nobody has talked to them; what was told later may have been before."""
    since: datetime | None = None
    for one in sorted(said, key=lambda found: str(found["id"])):
        kind, at = build_spoken.category_of(one), talks.instant(one.get("sent", ""))
        if at is None:
            continue
        if kind == "dispute":
            since = at.replace(second=0, microsecond=0)
        elif since is not None and at >= since and (kind == "answer" or build_spoken.outcome_of(one) == "talked"):
            since = None
    return since is not None


def _said(source: Resource, partner: str, known: _Known) -> list[Resource]:
    """What was said with one partner, oldest first."""
    found = known.said.get(source["focus"]["reference"], ())
    return [one for one in found if partner in build_spoken.organizations_of(one)]


def _line(child: Resource, source: Resource, why: list[str], known: _Known, need: str) -> Todo:
    partner = _id_of(child["owner"])
    profile = known.directory.partners.get(partner)
    asked = talks.instant(child.get("authoredOn", "")) or known.now
    due = answer_by(child) or asked
    calls = [one for one in _said(source, partner, known) if build_spoken.category_of(one) == "call"]
    names = known.directory.names
    return Todo(
        due_by=due.astimezone(UTC).isoformat(timespec="seconds"),
        due_there=covers.local_time(due, known.directory, _id_of(source["requester"])),
        overdue=due < known.now,
        hospital=names.get(_id_of(source["requester"]), ""),
        partner=names.get(partner, ""),
        phone=(profile.phone or "") if profile else "",
        need=need,
        priority=child.get("priority", ""),
        why=why,
        calls=len(calls),
        last_call=(build_spoken.outcome_of(calls[-1]) or "") if calls else "",
        source=source["id"],
        task=child["id"],
    )


def _source_id(child: Resource) -> str:
    return str(child["partOf"][0]["reference"]).rpartition("/")[2]


def _id_of(pointer: Resource) -> str:
    return str(pointer.get("reference", "")).rpartition("/")[2]


def todo_sheet(found: Sequence[Todo]) -> Sheet:
    """One line for each."""
    columns = ("by", "", "call", "number", "for", "why", "calls", "last", "hospital", "task")
    rows: list[tuple[Any, ...]] = [
        (
            one.due_there,
            "late" if one.overdue else "",
            f"the person, not seen at {one.partner}" if one.why == [_NO_SHOW] else one.partner,
            "contact plan" if one.why == [_NO_SHOW] else one.phone,
            one.need,
            ", ".join(one.why),
            str(one.calls),
            one.last_call,
            one.hospital,
            one.task,
        )
        for one in found
    ]
    return Sheet("To be done by phone", (), columns, rows)
