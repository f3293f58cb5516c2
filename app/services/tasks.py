"""Changing a Task: what the partner answers, what the hospital takes back.

Fetch, decide (rules.lifecycle), write: the Task, the source that mirrors it, the siblings that lose,
and who stops seeing what, in one commit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.core import json_patch
from app.core.actor import Actor
from app.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HubError,
    Issue,
    PreconditionFailed,
    Unavailable,
    Unprocessable,
)
from app.rules import lifecycle
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.intake import Intake
from app.services.reads import not_found, reachable
from app.services.scopes import require
from app.services.writing import Rendition, Resource, change_of, decoded, last_modified, without_server_meta
from app.store.changes import Changes, ResourceChange, Revocation
from app.store.database import Gone
from app.store.reader import ColumnIn, Query, Reader, Row
from fhir_mappings import gate

_TRIES: Final = 5
_SYSTEM: Final = Actor.system("task-update")
_LOST: Final = frozenset({"rejected", "cancelled", "entered-in-error"})
_STILL_SHOWN: Final = frozenset({"Task", "ServiceRequest", "Organization"})
"""What a partner that is no longer in it goes on seeing: what it was asked, and the directory."""
Edit = Callable[[Resource], Resource]
"""The Task that a client last saw to the Task that it wants."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request to change a Task."""

    task: str
    edit: Edit
    if_match: int | None
    """Version of the If-Match header."""
    said_version: int | None = None
    """meta.versionId of a PUT body."""


@dataclass(frozen=True, slots=True)
class _Referral:
    """The Task and its family, as stored."""

    rows: Mapping[str, Row]
    source: Resource | None
    children: Sequence[Resource]
    still_shown: bool
    """The owner works on another Task of the same person, so it keeps sight of the packet."""


def put(body: Resource, task_id: str, if_match: int | None) -> Wanted:
    """A PUT: the body is the whole Task (https://hl7.org/fhir/R4/http.html#update)."""
    if not isinstance(body, dict) or body.get("resourceType") != "Task":
        raise BadRequest("A Task is expected.", path="Task.resourceType")
    if body.get("id") != task_id:
        raise BadRequest("The id in the body must be the id in the URL.", path="Task.id")
    problems = gate.check(body)
    if problems:
        raise BadRequest(
            "The Task does not conform.",
            issues=tuple(Issue(p.code, f"{p.rule}: {p.expected}", p.path) for p in problems),
        )
    said = body.get("meta", {}).get("versionId", "")
    return Wanted(task_id, lambda _: body, if_match, int(said) if said.isdecimal() and len(said) < 9 else None)


def patch(operations: object, task_id: str, if_match: int | None) -> Wanted:
    """A JSON Patch (RFC 6902; https://hl7.org/fhir/R4/http.html#patch)."""
    if not isinstance(operations, list):
        raise BadRequest("A JSON Patch is a list of operations.")

    def edit(seen: Resource) -> Resource:
        try:
            patched: Resource = json_patch.apply_patch(seen, operations)
        except json_patch.PatchConflict as error:
            raise Unprocessable(error.rule, path=error.path) from error
        except json_patch.PatchError as error:
            raise BadRequest(error.rule, path=error.path) from error
        return patched

    return Wanted(task_id, edit, if_match)


async def update(hub: Hub, intake: Intake, disclosures: Disclosures, actor: Actor, wanted: Wanted) -> Rendition:
    """Change a Task as its owner or requester may; the Task as it is stored afterwards.

    When the hospital requests a draft early, the partner is asked at once, if route and consent permit.

    Raises NotFound (also for what is not visible), Forbidden (neither owner nor requester),
    PreconditionFailed (412), BadRequest (400: a reason or output is missing), Unprocessable (422: a
    forbidden transition or element), Conflict.
    """
    require(actor, "Task", "u")
    for _ in range(_TRIES):
        try:
            row, offered = await _attempt(hub, actor, wanted)
        except Conflict:
            continue
        if offered is not None:
            await intake.settle_again(offered)
            row = await hub.store.reader(actor).read("Task", wanted.task) or row
        await disclosures.record(actor, [row], "update")
        return Rendition.of(row)
    raise Conflict("Others keep changing this Task; read it again.")


async def _attempt(hub: Hub, actor: Actor, wanted: Wanted) -> tuple[Row, str | None]:
    """The Task as it then is, and the id of a source ServiceRequest that was requested by hand."""
    reader = hub.store.reader(actor)
    try:
        row = await reader.read("Task", wanted.task)
        if row is None:
            not_found()
        current = decoded(row)
        role = _role(actor, current)
        seen = await _seen(reader, wanted, row, current)
        after = wanted.edit(seen)
        effect = lifecycle.effect_of(seen, after)
        if lifecycle.already_achieved(current, effect, seen):
            return row, None
        _precondition(actor, wanted, row)
        verdict = lifecycle.judge_update(current, after, role=role)
        if verdict.kind == "no-change":
            return row, None
        if verdict.kind == "refused" or verdict.merged is None:
            raise _refused(verdict)
        family = await _family(hub.store.reader(_SYSTEM), current)
        if family.rows[row.id].version != row.version:
            raise Conflict("The Task changed while its family was read; what was decided is out of date.")
        changes = _changes(hub.clock.now().isoformat(timespec="milliseconds"), current, verdict.merged, family)
        kept = current["id"] if family.still_shown else None
        changes = await _revocations(hub.store.reader(_SYSTEM), changes, family, kept)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    committed = await hub.store.commit(changes)
    written = next(change for change in changes.resources if change.id == row.id)
    offered = "partOf" not in current and (current["status"], verdict.merged["status"]) == ("draft", "requested")
    after_write = row._replace(version=written.version, last_updated=committed.stamps[row.id], content=written.content)
    return after_write, current["focus"]["reference"].rpartition("/")[2] if offered else None


async def _seen(reader: Reader, wanted: Wanted, row: Row, current: Resource) -> Resource:
    """The rendition that this client last saw: of the version that it names, else the current one."""
    version = wanted.if_match or wanted.said_version
    if version is None or version == row.version:
        return current
    older = await reader.version("Task", wanted.task, version)
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


def _precondition(actor: Actor, wanted: Wanted, row: Row) -> None:
    named = wanted.if_match if wanted.if_match is not None else wanted.said_version
    if wanted.if_match is None and actor.require_if_match:
        raise BadRequest("This client must send If-Match.", path="http.If-Match")
    if named is not None and named != row.version:
        raise PreconditionFailed("The Task has changed since that version; read it again.")


def _refused(verdict: lifecycle.UpdateVerdict) -> HubError:
    code = "business-rule" if verdict.http == 422 else "required"
    issues = tuple(Issue(code, reason.text, reason.path) for reason in verdict.reasons)
    kind = Unprocessable if verdict.http == 422 else BadRequest
    return kind("The change is not allowed.", issues=issues)


async def _family(reader: Reader, task: Resource) -> _Referral:
    """Source, children and their requests; the Task itself is one of them."""
    parents = [reference["reference"] for reference in task.get("partOf", [])]
    source_reference = parents[0] if parents else f"Task/{task['id']}"
    source_rows = await reader.by_ids([source_reference.rpartition("/")[2]])
    child_rows = await reader.search(Query("Task", (ColumnIn("part_of", (source_reference,)),), limit=500))
    tasks = {row.id: decoded(row) for row in (*source_rows, *child_rows)}
    requests = await reader.by_ids([t["focus"]["reference"].rpartition("/")[2] for t in tasks.values()])
    rows = {row.id: row for row in (*source_rows, *child_rows, *requests)}
    source = tasks.get(source_reference.rpartition("/")[2])
    return _Referral(rows, source, [tasks[row.id] for row in child_rows], await _still_shown(reader, task))


async def _still_shown(reader: Reader, task: Resource) -> bool:
    owner, patient = task.get("owner", {}).get("reference"), task.get("for", {}).get("reference")
    if not owner or not patient:
        return False
    conditions = (ColumnIn("owner", (owner,)), ColumnIn("patient", (patient,)))
    rows = await reader.search(Query("Task", conditions, limit=50))
    return any(row.id != task["id"] and decoded(row)["status"] not in _LOST for row in rows)


def _changes(now: str, current: Resource, merged: Resource, family: _Referral) -> Changes:
    step = _step(current, merged, family)
    # The hub's own consequence for this very Task (a late acceptance loses) wins over what was asked.
    become: dict[str, Resource] = {current["id"]: merged}
    requests: dict[str, str] = {}
    if step is not None:
        become |= {task["id"]: task for task in (*((step.source,) if step.source else ()), *step.children)}
        requests = dict(step.requests)
    elif lifecycle.REQUEST_STATUS[current["status"]] != lifecycle.REQUEST_STATUS[merged["status"]]:
        requests = {merged["focus"]["reference"]: lifecycle.REQUEST_STATUS[merged["status"]]}
    written = [_task_change(family.rows, task, now) for task in become.values()]
    for reference, status in requests.items():
        held = family.rows.get(reference.rpartition("/")[2])
        if held is not None:
            before = decoded(held)
            written.append(change_of(without_server_meta(before) | {"status": status}, held.version + 1, before=before))
    source = family.source["id"] if family.source else current["id"]
    return Changes(scope=frozenset({source}), resources=tuple(written))


def _step(current: Resource, merged: Resource, family: _Referral) -> lifecycle.SourceStep | None:
    if current["status"] == merged["status"] or family.source is None:
        return None
    if "partOf" in current:
        return lifecycle.mirror(family.source, family.children, merged)
    if merged["status"] in _LOST:
        return lifecycle.on_withdrawn(merged, family.children)
    return None


def _task_change(rows: Mapping[str, Row], task: Resource, now: str) -> ResourceChange:
    plain = without_server_meta(task) | {"lastModified": last_modified(task, now)}
    before = rows[task["id"]]
    return change_of(plain, before.version + 1, before=decoded(before))


async def _revocations(reader: Reader, changes: Changes, family: _Referral, kept: str | None) -> Changes:
    """A partner whose Task was declined or taken back keeps that Task with its request, and loses all the rest."""
    found: list[Revocation] = []
    for change in changes.resources:
        row = family.rows[change.id]
        task = decoded(row._replace(version=change.version, content=change.content))
        if row.type != "Task" or "partOf" not in task or task["status"] not in _LOST or row.id == kept:
            continue
        partner = task["owner"]["reference"].rpartition("/")[2]
        packet = await reachable(reader, row)
        found += [Revocation(partner, one.id) for one in packet if one.type not in _STILL_SHOWN]
    return changes._replace(revocations=tuple(found))
