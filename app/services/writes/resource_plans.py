"""Plans to create, change and delete a resource that its author writes: fetch, decide (rules.authoring), write.

Task has rules of its own (``services.tasks``), and so have the types in ``services.resource_writers``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, Deleted, Forbidden, InUse, Issue, PreconditionFailed, Unprocessable
from app.rules import authoring, labelling
from app.rules.verdict import Verdict
from app.services.hub import Hub
from app.services.interactions import Planned, Wanted
from app.services.reading.reads import not_found
from app.services.writes.resource_requests import conforming
from app.services.writing import Resource, change_of, decoded, without_server_meta
from app.store.accounts import Directory
from app.store.changes import OWN, Author, Changes, Grant, ResourceChange
from app.store.queries import IndexIn, Query, Row
from fhir_mappings.labels import Labels, security
from fhir_mappings.subsets import is_subset
from schemas.references import local, references, replaced, walk
from schemas.resources import ALL
from schemas.served import NOTHING

_SYSTEM: Final = Actor.system("resource-writing")
_NO_VERSION: Final = frozenset({"versionId", "lastUpdated"})


Prepare = Callable[[Resource, Resource], tuple[Resource, Changes]]
"""A resource before and after a change to what of the latter is kept, and what is written with it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the references of some resources lead to."""

    rows: Mapping[str, Row]
    """Resources that the caller may see, by id."""
    new: Mapping[str, str] = field(default_factory=dict)
    """Id to type of those that are created together with them."""
    labels: Sequence[Resource] = ()
    """The security labels that what refers to them has at least, each once."""

    lost: frozenset[str] = frozenset()
    """References, of those that were looked up, that lead nowhere, as far as the caller may know."""


async def known_to(hub: Hub, actor: Actor, links: Iterable[str], new: Mapping[str, str] | None = None) -> Known:
    """What references lead to, as far as the actor may see it; ``new`` is created together with what holds them."""
    asked = {link: local(link) for link in links}
    beside = new or {}
    ids = {found[1] for found in asked.values() if found is not None} - beside.keys()
    rows = {row.id: row for row in await hub.store.reader(actor).by_ids(sorted(ids))}
    lost = frozenset(link for link, found in asked.items() if not _leads(link, found, rows, beside))
    labels = _labels_of(rows.values())
    labels = labelling.united(labels, _of_program(await hub.registry.current(), actor, labels))
    return Known(rows, beside, labels, lost)


def _leads(link: str, found: tuple[str, str] | None, rows: Mapping[str, Row], new: Mapping[str, str]) -> bool:
    """Whether a reference of ours leads to a resource of its type; one to elsewhere is never followed."""
    if found is None:
        return ":" in link and not link.startswith("urn:uuid:")
    kind, name = found
    return (rows[name].type if name in rows else new.get(name)) == kind


def _labels_of(rows: Iterable[Row]) -> list[Resource]:
    return labelling.united(*(labelling.held(decoded(row)) for row in rows if b'"security"' in row.content))


def _of_program(directory: Directory, actor: Actor, labels: Sequence[Resource]) -> list[Resource]:
    """What a Part 2 program writes of a person is a record under 42 CFR Part 2, whoever told it of the person."""
    partner = directory.partners.get(actor.organization or "")
    return security(Labels(part2=True, test=False)) if labels and partner and partner.part2_program else []


def with_local_references(hub: Hub, resource: Resource) -> Resource:
    """``resource`` with references to this server made relative."""
    base = f"{hub.settings.fhir_base}/"
    here = {one: one[len(base) :] for one in references(resource) if one.startswith(base) and local(one[len(base) :])}
    whole: Resource = replaced(resource, here) if here else resource
    return whole


def check_references(resource: Resource, known: Known) -> None:
    """Unprocessable where a reference leads nowhere; what the caller may not see is not there."""
    if not known.lost:
        return
    text = "a resource of this server that the caller may see, or an absolute URL"
    paths = (path for path, reference in walk(resource, resource["resourceType"]) if reference in known.lost)
    issues = tuple(Issue("not-found", text, path) for path in paths)
    if issues:
        raise Unprocessable("A reference leads nowhere.", issues=issues)


# ---- create


def plan_create(
    actor: Actor,
    resource_id: str,
    resource: Resource,
    known: Known,
    prepare: Callable[[Resource], tuple[Resource, Changes]] = lambda new: (new, Changes()),
) -> Planned:
    """A conforming resource as a new one of the caller's organisation, which alone sees it.

    ``prepare`` is what its type adds. Raises Unprocessable, see ``check_references``.
    """
    check_references(resource, known)
    new = without_server_meta({**resource, "id": resource_id})
    kept, extra = prepare(labelling.labelled(new, known.labels))
    change = change_of(kept, 1)
    author = (actor.organization,) if actor.organization else ()
    changes = extra._replace(
        resources=(change,),
        grants=tuple(Grant(one, change.id, disclosed=OWN) for one in author),
        authors=tuple(Author(change.id, one) for one in author),
    )
    return Planned(201, change.type, change.id, 1, change.content, changes)


# ---- update and patch


async def plan_update(
    hub: Hub,
    actor: Actor,
    wanted: Wanted,
    new: Mapping[str, str] | None = None,
    prepare: Prepare = lambda _, after: (after, Changes()),
) -> Planned:
    """A new version of a resource of the caller's own; ``prepare`` is what its type adds to it.

    Raises NotFound, Deleted, Forbidden, PreconditionFailed, BadRequest and Unprocessable.
    """
    row = await current_row(hub, actor, wanted.type, wanted.id)
    before = decoded(row)
    after = with_local_references(hub, conforming(wanted.type, wanted.edit(before)))
    if after.get("id") != wanted.id:
        raise BadRequest("The id of a resource does not change.", path=f"{wanted.type}.id")
    if _said(after) == _said(before):
        return unchanged(row)
    if is_subset(after):
        text = "This is a part of a resource (_summary, _elements); read the whole, and change that."
        raise Unprocessable(text, path=f"{wanted.type}.meta.tag")
    check_precondition(actor, wanted, row)
    author = await _is_author(hub, actor, row)
    refuse(authoring.judge_change(before, after, author=author), wanted.type)
    known = await known_to(hub, actor, references(after), new)
    check_references(after, known)
    resource, extra = prepare(
        before, labelling.labelled(without_server_meta(after), labelling.held(before), known.labels)
    )
    change = change_of(resource, row.version + 1, before=before)
    changes = extra._replace(scope=extra.scope | {row.id}, resources=(change,))
    return Planned(200, row.type, row.id, change.version, change.content, changes, notice=row.notice)


async def _is_author(hub: Hub, actor: Actor, row: Row) -> bool:
    """Whether the caller's organisation wrote it; on a hub without authentication everybody did."""
    return actor.is_system or row.id in await hub.store.authorship(actor).own([row.id])


def unchanged(row: Row) -> Planned:
    """Nothing is written: the resource is as it is wanted."""
    return Planned(200, row.type, row.id, row.version, row.content, row=row, notice=row.notice)


def _said(resource: Resource) -> bytes:
    """What two versions are compared by; their order counts, since an author may mean it."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in _NO_VERSION}
    return json.canonical({**resource, "meta": meta})


async def current_row(hub: Hub, actor: Actor, resource_type: str, resource_id: str) -> Row:
    """The current version that the caller may see. Raises NotFound, Deleted."""
    row = await hub.store.reader(actor).read(resource_type, resource_id)
    if row is None:
        not_found()
    if row.deleted:
        raise Deleted("It was deleted; its history is there.")
    return row


def check_precondition(actor: Actor, wanted: Wanted, row: Row) -> None:
    """Raises BadRequest where this client must send If-Match, PreconditionFailed where it names another version."""
    if wanted.if_match is None and actor.require_if_match:
        raise BadRequest("This client must send If-Match.", path="http.If-Match")
    if wanted.version is not None and wanted.version != row.version:
        raise PreconditionFailed(f"The {row.type} has changed since that version; read it again.")


def refuse(verdict: Verdict, resource_type: str) -> None:
    """Forbidden to whom it does not belong, Unprocessable for every other reason."""
    if not verdict.reasons:
        return
    if "not-the-author" in verdict.codes:
        raise Forbidden(f"Not allowed: {verdict.reasons[0].text}.")
    paths = (f"{resource_type}.{one.path}" if one.path else resource_type for one in verdict.reasons)
    issues = tuple(
        Issue("business-rule", reason.text, path) for reason, path in zip(verdict.reasons, paths, strict=True)
    )
    raise Unprocessable("The change is not allowed.", issues=issues)


# ---- delete


async def plan_delete(
    hub: Hub,
    actor: Actor,
    resource_type: str,
    resource_id: str,
    if_match: int | None,
    *,
    prepare: Callable[[Resource], Changes] = lambda _: Changes(),
) -> Planned:
    """A version that says that the resource is deleted; nothing is written where it is so already.

    Raises NotFound, Forbidden, PreconditionFailed, and InUse where a Task names it as its output.
    """
    row = await hub.store.reader(actor).read(resource_type, resource_id)
    if row is None:
        not_found()
    if row.deleted:
        return Planned(204, resource_type, resource_id, row.version, NOTHING, row=row)
    if if_match is not None and if_match != row.version:
        raise PreconditionFailed(f"The {resource_type} has changed since that version; read it again.")
    author = await _is_author(hub, actor, row)
    verdict = authoring.judge_deletion(author=author, reported=await _reported(hub, actor, row))
    if "reported" in verdict.codes:
        raise InUse(f"Not deleted: {verdict.reasons[0].text}.")
    refuse(verdict, resource_type)
    change = ResourceChange(row.id, row.type, row.version + 1, NOTHING, deleted=True)
    extra = prepare(decoded(row))
    changes = extra._replace(scope=extra.scope | {row.id}, resources=(change,))
    return Planned(204, row.type, row.id, change.version, NOTHING, changes)


async def _reported(hub: Hub, actor: Actor, row: Row) -> bool:
    """Whether some Task that the author may see names it as output."""
    reports = Query("Task", (IndexIn("output", (f"{row.type}/{row.id}",)),), limit=1)
    return bool(await hub.store.reader(actor).search(reports))


def outputs_of(tasks: Sequence[Resource]) -> set[str]:
    """Ids of the resources that Tasks name as outputs."""
    extract = ALL["Task"].params["output"].extract
    found = (local(str(reference)) for task in tasks for reference in extract(task))
    return {one[1] for one in found if one is not None}
