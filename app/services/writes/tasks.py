"""Changing a Task: what the partner answers, what the hospital takes back.

Fetch, decide (rules.lifecycle), write: the Task, the source that mirrors it, the siblings that lose,
and who stops seeing what, in one commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.core.actor import Actor
from app.core.errors import BadRequest, Conflict, Forbidden, HubError, Issue, Unprocessable
from app.core.json_meaning import added
from app.rules import labelling, lifecycle, no_show, spoken, steps
from app.rules.reporting import appointment_of
from app.rules.task_answers import answer_in
from app.services.answers.ways_back import way_back
from app.services.due_looks import follow_job
from app.services.hub import Hub
from app.services.interactions import Planned, Wanted, disclosing
from app.services.packets.packets import reachable_each
from app.services.referral import checklists
from app.services.writes import retention_rows
from app.services.writes.resource_plans import (
    check_precondition,
    check_references,
    current_row,
    known_to,
    outputs_of,
    unchanged,
    with_local_references,
)
from app.services.writes.resource_requests import conforming
from app.services.writing import Resource, change_of, decoded, last_modified, without_server_meta
from app.store.changes import OFFER_PATIENT, Changes, Grant, Job, ResourceChange, Revocation
from app.store.decisions import Standing
from app.store.queries import ColumnIn, IndexIn, Query, Row
from app.store.reader import Reader
from fhir_mappings.building.checklist import is_checklist
from fhir_mappings.building.offer import carried
from fhir_mappings.labels import Labels, security
from fhir_mappings.outreach import is_beside, is_outreach
from schemas.references import references

_SYSTEM: Final = Actor.system("task-update")
_LOST: Final = frozenset({"rejected", "cancelled", "entered-in-error"})
_STILL_SHOWN: Final = frozenset({"Task", "ServiceRequest", "Organization"})
"""What a partner that is no longer in it goes on seeing: what it was asked, and the directory."""
_OTHERS: Final = 50
"""How many Tasks of a person one partner may hold."""


@dataclass(frozen=True, slots=True)
class _Referral:
    """The Task and its family, as stored."""

    rows: Mapping[str, Row]
    source: Resource | None
    children: Sequence[Resource]
    checklists: Sequence[Resource]
    """The hospital's Tasks by which it works off what the partners need."""
    offers: Mapping[str, Resource] = field(default_factory=dict)
    """What of it partners see that may not see all of it, by id."""
    way_back: Standing | None = None
    """The decision that lets the hospital be told what the owner reports."""


async def plan(hub: Hub, actor: Actor, wanted: Wanted, new: Mapping[str, str] | None = None) -> Planned:
    """Change a Task as its owner or requester may: it, the source, the siblings, and who sees what.

    ``new`` are resources that are created together with the change, id to type: an output may name them.

    Raises NotFound (also for what is not visible), Forbidden (neither owner nor requester),
    PreconditionFailed (412), BadRequest (400: a reason or output is missing), Unprocessable (422: a
    forbidden transition or element), Conflict where somebody else was quicker, NotYet while somebody else is at the
    same referral.
    """
    row = await current_row(hub, actor, "Task", wanted.id)
    current = decoded(row)
    role = _role(actor, current)
    seen = await _seen(hub.store.reader(actor), wanted, row, current)
    after = await _said_once(hub, wanted, current, with_local_references(hub, wanted.edit(seen)))
    effect = lifecycle.effect_of(seen, after)
    mark = spoken.next_mark(current, effect, role=role, wanted=wanted.mark)
    achieved = lifecycle.already_achieved(current, effect, seen)
    if achieved and mark == spoken.mark_of(current):
        return unchanged(row)
    if achieved:
        after, effect = current, {}
    else:
        check_precondition(actor, wanted, row)
    verdict = lifecycle.judge_update(current, after, role=role)
    if verdict.kind == "no-change" and mark == spoken.mark_of(current):
        return unchanged(row)
    if verdict.kind == "refused" or verdict.merged is None:
        raise _refused(verdict)
    if row.level == "offer":
        # It saw the offer; what it changes is the same Task.
        current = decoded(await current_row(hub, _SYSTEM, "Task", wanted.id))
    whole = lifecycle.merge(current, effect) if row.level == "offer" else verdict.merged
    merged = conforming("Task", spoken.with_mark(whole, mark))
    await _check_outputs(hub, actor, current, merged, new)
    hub.turns.take(_source_of(current))
    family = await _family(hub.store.reader(_SYSTEM), current)
    if family.rows[row.id].version != row.version:
        raise Conflict("The Task changed while its family was read; what was decided is out of date.")
    back = await way_back(hub, current) if family.source is not None and "partOf" in current else None
    family = replace(family, way_back=back, offers=await _offers(hub, _source_of(current), family.children))
    changes = _changes(hub.clock.now().isoformat(timespec="milliseconds"), current, merged, family)
    changes = await _revocations(hub, changes, family)
    grants = await _reports(hub, actor, changes, family, new or {})
    jobs = _followed(current, merged, family, hub.clock.now_us())
    kept = await retention_rows.told(hub, actor, current, merged)
    changes = changes._replace(grants=grants, jobs=jobs, retention=kept)
    written = next(change for change in changes.resources if change.id == row.id)
    offered = "partOf" not in current and (current["status"], merged["status"]) == ("draft", "requested")
    request = current["focus"]["reference"].rpartition("/")[2] if offered else None
    content = written.content if written.offer is None else written.offer
    planned = Planned(200, "Task", row.id, written.version, content, changes, offered=request)
    return disclosing(actor, planned, row)


def _followed(current: Resource, merged: Resource, family: _Referral, now: int) -> tuple[Job, ...]:
    """Whoever was asked has answered: what that means for who is asked next, and for the clock, is looked at."""
    moved = current["status"] != merged["status"]
    said = added(merged.get("output", ()), current.get("output", ()))
    if "partOf" in current:
        marked = spoken.mark_of(current) != spoken.mark_of(merged)
        news = moved or marked or bool(said) or current.get("businessStatus") != merged.get("businessStatus")
    else:
        news = any(answer_in(entry) or appointment_of(entry) for entry in said)
    if family.source is None or not news:
        return ()
    request = family.source["focus"]["reference"].rpartition("/")[2]
    return (follow_job(request, f"{current['id']}:{family.rows[current['id']].version}", now),)


async def _said_once(hub: Hub, wanted: Wanted, current: Resource, after: Resource) -> Resource:
    """``after`` without a second no-show that is a retry of the first.

    It is one as long as the hospital still looks for the person, unless it is said of a version that has the first.
    """
    once = no_show.said_once(current, after)
    if once is after or not wanted.relative or wanted.version is not None:
        return after
    beside = Query("Task", (ColumnIn("part_of", (_source_of(current),)),), limit=500)
    tasks = map(decoded, await hub.store.reader(_SYSTEM).search(beside))
    here = f"Task/{current['id']}"
    searches = [task for task in tasks if is_outreach(task) and task["basedOn"][0]["reference"] == here]
    over = searches and all(task["status"] in lifecycle.TERMINAL for task in searches)
    return after if over else once


async def _check_outputs(
    hub: Hub, actor: Actor, before: Resource, after: Resource, new: Mapping[str, str] | None
) -> None:
    """Unprocessable where an output that was not there before leads nowhere."""
    fresh = added(after.get("output", ()), before.get("output", ()))
    if fresh:
        told = {"resourceType": "Task", "output": fresh}
        check_references(told, await known_to(hub, actor, references(told), new))


async def _reports(
    hub: Hub, actor: Actor, changes: Changes, family: _Referral, new: Mapping[str, str]
) -> tuple[Grant, ...]:
    """The hospital sees what a partner wrote and reported as output, once its own Task names it."""
    way_back = family.way_back
    if family.source is None or way_back is None:
        return ()
    source = next((change for change in changes.resources if change.id == family.source["id"]), None)
    if source is None:
        return ()
    held = family.rows[source.id]
    named = outputs_of([decoded(held._replace(version=source.version, content=source.content))])
    fresh = named - outputs_of([family.source])
    hospital = family.source.get("requester", {}).get("reference", "").rpartition("/")[2]
    own = await hub.store.authorship(actor).own(fresh - new.keys()) | (fresh & new.keys())
    cause = (source.id, source.version)
    seen = (*sorted(own), *((source.id,) if way_back.notice else ()))
    return tuple(_permitted(hospital, one, way_back, cause) for one in seen) if hospital else ()


def _permitted(hospital: str, resource: str, way_back: Standing, cause: tuple[str, int]) -> Grant:
    """What the hospital is told, under the decision that lets it; its own Task stays its own when that one ends."""
    until = way_back.until if resource != cause[0] else None
    return Grant(hospital, resource, decision=way_back.id or None, notice=way_back.notice, until=until, cause=cause)


async def _offers(hub: Hub, source: str, children: Sequence[Resource]) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    offered = Query(
        "Task", (ColumnIn("part_of", (source,)), IndexIn(OFFER_PATIENT, ("Patient/",), prefix=True)), limit=500
    )
    ids = {row.id for row in await hub.store.reader(_SYSTEM).search(offered)}
    for child in (child for child in children if child["id"] in ids):
        own = [child["id"], child["focus"]["reference"].rpartition("/")[2]]
        actor = Actor(_owner(child), "hub")
        seen = await hub.store.reader(actor).by_ids(own)
        found |= {row.id: decoded(row) for row in seen if row.level == "offer"}
    return found


async def _seen(reader: Reader, wanted: Wanted, row: Row, current: Resource) -> Resource:
    """The rendition that this client last saw: of the version that it names, else the current one."""
    if wanted.version is None or wanted.version == row.version:
        return current
    older = await reader.version("Task", wanted.id, wanted.version)
    return current if older is None else decoded(older)


def _role(actor: Actor, task: Resource) -> lifecycle.Role:
    if actor.is_system:
        return "hub"
    me = f"Organization/{actor.organization}"
    if task.get("owner", {}).get("reference") == me:
        return "owner"
    if task.get("requester", {}).get("reference") == me and "partOf" not in task:
        return "requester"
    raise Forbidden("Only the owner or the requester of a Task may change it.")


def _refused(verdict: lifecycle.UpdateVerdict) -> HubError:
    code = "business-rule" if verdict.http == 422 else "required"
    issues = tuple(Issue(code, reason.text, reason.path) for reason in verdict.reasons)
    kind = Unprocessable if verdict.http == 422 else BadRequest
    return kind("The change is not allowed.", issues=issues)


def _source_of(task: Resource) -> str:
    parents = [reference["reference"] for reference in task.get("partOf", [])]
    return parents[0] if parents else f"Task/{task['id']}"


async def _family(reader: Reader, task: Resource) -> _Referral:
    """Source, children and their requests; the Task itself is one of them."""
    source_reference = _source_of(task)
    source_rows = await reader.by_ids([source_reference.rpartition("/")[2]])
    child_rows = await reader.search(Query("Task", (ColumnIn("part_of", (source_reference,)),), limit=500))
    tasks = {row.id: decoded(row) for row in (*source_rows, *child_rows)}
    focused = [t["focus"]["reference"].rpartition("/")[2] for t in tasks.values() if "focus" in t]
    rows = {row.id: row for row in (*source_rows, *child_rows, *await reader.by_ids(focused))}
    source = tasks.get(source_reference.rpartition("/")[2])
    parts = [tasks[row.id] for row in child_rows]
    children = [task for task in parts if not is_beside(task)]
    return _Referral(rows, source, children, [task for task in parts if is_checklist(task)])


def _changes(now: str, current: Resource, merged: Resource, family: _Referral) -> Changes:
    step = _step(current, merged, family)
    # The hub's own consequence for this very Task (a late acceptance loses) wins over what was asked.
    become: dict[str, Resource] = {current["id"]: merged}
    requests: dict[str, str] = {}
    if step is not None:
        moved = (spoken.with_mark(child, None) for child in step.children)
        become |= {task["id"]: task for task in (*((step.source,) if step.source else ()), *moved)}
        requests = dict(step.requests)
    elif "focus" in merged:
        before, after = (lifecycle.REQUEST_STATUS[task["status"]] for task in (current, merged))
        requests = {} if before == after else {merged["focus"]["reference"]: after}
    covered = family.way_back is not None
    become = checklists.consequences(become, family.children, family.checklists, covered=covered)
    become |= _source_told(become, current, step, family)
    written = [_task_change(family, _as_told(task, family), now) for task in become.values()]
    for reference, status in requests.items():
        held = family.rows.get(reference.rpartition("/")[2])
        if held is not None:
            written.append(_written(family, without_server_meta(decoded(held)) | {"status": status}))
    source = family.source["id"] if family.source else current["id"]
    return Changes(scope=frozenset({source}), resources=tuple(written))


def _source_told(
    become: Mapping[str, Resource], current: Resource, step: steps.SourceStep | None, family: _Referral
) -> dict[str, Resource]:
    """The hospital's Task, where it has to say something else of how the answer of a partner came."""
    if family.source is None or "partOf" not in current or is_beside(current):
        return {}
    source = become.get(family.source["id"], family.source)
    follows = step is not None and "mirrors-child" in step.codes
    told = spoken.on_source(source, current, become[current["id"]], follows=follows)
    return {} if told is source else {told["id"]: told}


def _as_told(task: Resource, family: _Referral) -> Resource:
    """The hospital's Task with the labels of the record that it tells of, where a notice goes with that."""
    told = family.source is not None and task["id"] == family.source["id"] and task.get("output")
    if not told or family.way_back is None or family.way_back.notice is None:
        return task
    return labelling.labelled(task, security(Labels(part2=True, test=False)))


def _step(current: Resource, merged: Resource, family: _Referral) -> steps.SourceStep | None:
    if family.source is None or is_beside(current):
        return None
    if current["status"] == merged["status"]:
        reported = "partOf" in current and family.way_back is not None
        return steps.on_reported(family.source, merged) if reported else None
    if "partOf" in current:
        return steps.mirror(family.source, family.children, merged, covered=family.way_back is not None)
    if merged["status"] in _LOST:
        return steps.on_withdrawn(merged, family.children)
    return None


def _task_change(family: _Referral, task: Resource, now: str) -> ResourceChange:
    return _written(family, without_server_meta(task) | {"lastModified": last_modified(task, now)})


def _written(family: _Referral, plain: Resource) -> ResourceChange:
    """The next version, with its offer rendition where the partner that holds it sees no more than that."""
    before, seen = family.rows[plain["id"]], family.offers.get(plain["id"])
    offer = None if seen is None else carried(without_server_meta(seen), plain)
    return change_of(plain, before.version + 1, before=decoded(before), offer=offer)


async def _revocations(hub: Hub, changes: Changes, family: _Referral) -> Changes:
    """A partner whose Task was declined or taken back keeps that Task with its request, and loses all the rest."""
    lost: dict[str, Resource] = {}
    for change in (one for one in changes.resources if one.type == "Task"):
        task = decoded(family.rows[change.id]._replace(version=change.version, content=change.content))
        if "partOf" in task and not is_beside(task) and task["status"] in _LOST:
            lost[change.id] = task
    if not lost:
        return changes
    kept = await _still_shown(hub, list(lost.values()))
    packets = await reachable_each(hub.store.reader(_SYSTEM), [family.rows[name] for name in lost])
    found: list[Revocation] = []
    for name, task in lost.items():
        gone = (one for one in packets[name] if one.type not in _STILL_SHOWN and one.id not in kept[_owner(task)])
        found += [Revocation(_owner(task), one.id) for one in gone]
    return changes._replace(revocations=tuple(found))


async def _still_shown(hub: Hub, lost: Sequence[Resource]) -> dict[str, set[str]]:
    """What each partner sees for other Tasks of the same person, on which it goes on working."""
    owners = sorted({_owner(task) for task in lost})
    people = tuple(sorted({task["for"]["reference"] for task in lost if "for" in task}))
    named = tuple(f"Organization/{owner}" for owner in owners)
    conditions = (ColumnIn("owner", named), ColumnIn("patient", people))
    rows = await hub.store.reader(_SYSTEM).search(Query("Task", conditions, limit=_OTHERS * len(owners)))
    others: dict[str, list[Row]] = {owner: [] for owner in owners}
    ended = {task["id"] for task in lost}
    for row in rows:
        task = decoded(row)
        if row.id not in ended and task["status"] not in _LOST:
            others[_owner(task)].append(row)
    return {owner: await _seen_for(hub, owner, held) for owner, held in others.items()}


async def _seen_for(hub: Hub, partner: str, tasks: Sequence[Row]) -> set[str]:
    if not tasks:
        return set()
    actor = Actor(partner, "hub")
    packets = await reachable_each(hub.store.reader(actor), tasks)
    return {one.id for rows in packets.values() for one in rows}


def _owner(task: Resource) -> str:
    return str(task["owner"]["reference"]).rpartition("/")[2]
