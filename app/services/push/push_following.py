"""What a partner's own server says of its Task becomes what the hub's Task says: as if the partner had said it here.

The same rule decides as for a partner that changes its Task at the hub, and a Provenance says where it was read. What
was put out there is kept here as the partner's own, so that the hospital can read it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import Conflict, HubError, PreconditionFailed
from app.core.ids import uuid7
from app.core.json_meaning import added, same
from app.rules import labelling, lifecycle, remote_status
from app.services.answers.ways_back import way_back
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.interactions import Planned, Wanted
from app.services.push.remote_server import NotDone, RemoteServer
from app.services.writes import resource_plans
from app.services.writes.resource_plans import known_to
from app.services.writes.resource_requests import conforming
from app.services.writes.resource_writes import ResourceWrites
from app.services.writing import Resource, decoded
from fhir_mappings.building.build_orders import fetched
from fhir_mappings.labels import Labels, security
from schemas.references import local, references, replaced

_SYSTEM: Final = Actor.system("push")
_KEPT: Final = frozenset(
    {"Procedure", "Observation", "QuestionnaireResponse", "Appointment", "Communication", "DocumentReference"}
)
"""What a partner may put out here; anything else is referred to where it is."""
_NO_REASON: Final = "The partner's system gives no reason."
_NO_OUTPUT: Final = "The partner's system says completed, and reports nothing more."
_PASSED_ON: Final = "Passed on to "


@dataclass(frozen=True, slots=True)
class There:
    """A Task as it was read at its partner's server."""

    actor: Actor
    """The partner, as which the hub says here what is said there."""
    remote: RemoteServer
    task: Resource
    before: str | None
    """Its status when it was read last."""
    place: str
    """``Task/17``."""
    members: Mapping[str, str]
    """Resource of the hub to the one there."""


@dataclass(slots=True)
class _Outputs:
    """What is put out there and not here yet."""

    entries: list[Resource] = field(default_factory=list)
    copies: dict[str, Resource] = field(default_factory=dict)
    """Id here to what becomes the partner's own resource here."""


class Following:
    """Carries back what partners' servers say."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._writes = ResourceWrites(hub, Intake(hub), disclosures, Feed(hub.store))

    async def take(self, child: Resource, there: There) -> str | None:
        """Have the hub's Task say what the one there says; a code where that can't be, and a person must look.

        Raises NotDone where something that was put out can't be read now, and where the hub's Task was changed by
        somebody else while the one there was read.
        """
        server = there.remote.server
        vocabulary = server.vocabulary
        theirs = there.task.get("status")
        old = theirs == there.before or remote_status.asked_back(vocabulary, there.task)
        found = remote_status.reading(vocabulary, child["status"], theirs, old=old)
        if found.reasons:
            return found.reasons[0].code
        if child["status"] in lifecycle.TERMINAL:
            return None
        outputs = await self._outputs(child, there)
        end = found.steps[-1] if found.steps else child["status"]
        version = int(child["meta"]["versionId"])
        try:
            for status in found.steps[:-1]:
                version = await self._changed(child["id"], version, {"status": status}, there)
            effect = _effect(child, there.task, end, outputs)
            if any(value is not None and not same(value, child.get(name)) for name, value in effect.items()):
                await self._changed(child["id"], version, effect, there, outputs)
            if server.coordinates:
                await self._told_of_whom(child, there)
        except (PreconditionFailed, Conflict):
            raise NotDone("changed-meanwhile", refused=False) from None
        except HubError as error:
            return f"not-taken-{error.status}"
        return None

    async def _changed(
        self, task: str, version: int, effect: Resource, there: There, outputs: _Outputs | None = None
    ) -> int:
        """One step from ``version``, with what is put out by it and where it was read, in one commit; the next one."""
        actor, copies = there.actor, outputs.copies if outputs else {}

        def edit(seen: Resource) -> Resource:
            return {**seen, **{name: value for name, value in effect.items() if value is not None}}

        async def plan() -> Sequence[Planned]:
            new = {one: copy["resourceType"] for one, copy in copies.items()}
            links = [link for copy in copies.values() for link in references(copy)]
            known = await known_to(self._hub, actor, links, new)
            made = [await self._writes.plan_create(actor, copy, one, known) for one, copy in copies.items()]
            moved = await self._writes.plan_update(actor, Wanted("Task", task, edit, version), new)
            return [moved, *made, *await self._origin(moved, there)]

        return (await self._writes.carry_out(actor, plan, "this Task"))[0].version

    async def _origin(self, moved: Planned, there: There) -> list[Planned]:
        """Where a new version comes from, for whoever asks later."""
        if moved.changes is None:
            return []
        hub = (await self._hub.registry.current()).hub
        system, _, value = f"{there.remote.server.root}/{there.place}".rpartition("/")
        read = fetched(
            f"Task/{moved.id}/_history/{moved.version}",
            recorded=self._hub.clock.now().isoformat(),
            author=there.actor.organization or "",
            hub=hub,
            origin=(system, value),
        )
        new = {moved.id: "Task"}
        known = await known_to(self._hub, there.actor, references(read), new)
        return [resource_plans.plan_create(there.actor, uuid7(), read, known)]

    # ---- what is put out

    async def _outputs(self, child: Resource, there: There) -> _Outputs:
        known = {place: name for name, place in there.members.items()} | await self._copied(child, there)
        found, told = _Outputs(), list[Resource]()
        for entry in there.task.get("output", ()):
            for link in references(entry):
                place = link.removeprefix(f"{there.remote.server.root}/")
                known[link] = known.get(place) or await self._copy(place, known, there.remote, found)
            told.append(replaced(entry, {link: known[link] for link in references(entry)}))
        found.entries += added(told, child.get("output", ()))
        return found

    async def _copied(self, child: Resource, there: There) -> dict[str, str]:
        """What was put out there before to the copy of it here, or to where it is where there is none."""
        said = [link for entry in child.get("output", ()) for link in references(entry)]
        ids = sorted(one[1] for one in map(local, said) if one is not None)
        rows = await self._hub.store.reader(there.actor).by_ids(ids)
        sources = {link: link for link in said}
        sources |= {f"{row.type}/{row.id}": str(decoded(row).get("meta", {}).get("source", "")) for row in rows}
        root = f"{there.remote.server.root}/"
        return {source.removeprefix(root): name for name, source in sources.items() if source.startswith(root)}

    async def _copy(self, place: str, known: Mapping[str, str], remote: RemoteServer, found: _Outputs) -> str:
        """A reference to what was put out: to the partner's own copy of it here, or to where it is.

        What can't be had (gone, too large, no FHIR) holds up no answer. Raises NotDone where it may be had later.
        """
        elsewhere = f"{remote.server.root}/{place}" if local(place) is not None else place
        kind = place.partition("/")[0]
        if kind not in _KEPT or local(place) is None:
            return elsewhere
        try:
            resource, _ = await remote.read(place)
        except NotDone as error:
            if not error.refused or error.reason == "status-401":
                raise
            return elsewhere
        copy = _as_own(resource or {}, elsewhere, known, remote.server.root)
        try:
            conforming(kind, copy)
        except HubError:
            return elsewhere
        new = uuid7()
        found.copies[new] = copy
        return f"{kind}/{new}"

    # ---- a coordinating organisation

    async def _told_of_whom(self, child: Resource, there: There) -> None:
        """The hospital's own Task says whom a coordinating organisation has passed it on to, and how it goes there."""
        standing = await way_back(self._hub, child)
        source = await self._hub.store.reader(_SYSTEM).read("Task", child["partOf"][0]["reference"].rpartition("/")[2])
        if standing is None or source is None or decoded(source)["status"] not in lifecycle.ENGAGED | {"completed"}:
            return
        text = await self._passed_on(there)
        business = remote_status.own_business_status(there.task)
        now = iso(self._hub.clock.now_us())

        def edit(seen: Resource) -> Resource:
            notes = seen.get("note", [])
            fresh = text is not None and not any(one.get("text") == text for one in notes)
            told = {**seen, **({"businessStatus": business} if business else {})}
            told |= {"note": [*notes, {"time": now, "text": text}]} if fresh else {}
            return told if standing.notice is None else labelling.labelled(told, security(_RECORD))

        async def plan() -> Sequence[Planned]:
            return [await self._writes.plan_update(_SYSTEM, Wanted("Task", source.id, edit, None))]

        await self._writes.carry_out(_SYSTEM, plan, "this Task")

    async def _passed_on(self, there: There) -> str | None:
        """Whom the request there names as performer besides the coordinating organisation itself."""
        focus = str(there.task.get("focus", {}).get("reference", "")).removeprefix(f"{there.remote.server.root}/")
        if local(focus) is None:
            return None
        request, _ = await there.remote.read(focus)
        own = (await self._hub.registry.current()).names.get(there.actor.organization or "")
        named = [str(one["display"]) for one in (request or {}).get("performer", ()) if one.get("display")]
        others = [one for one in named if one != own]
        return f"{_PASSED_ON}{', '.join(others)}." if others else None


_RECORD: Final = Labels(part2=True, test=False)


def _effect(child: Resource, there: Resource, status: str, outputs: _Outputs) -> Resource:
    """What becomes of the Task here; an element that is None stays."""
    entries = outputs.entries
    if status == "completed" and not entries and not child.get("output"):
        entries = [{"type": {"text": "report"}, "valueString": _NO_OUTPUT}]
    notes = [one for one in map(_note, there.get("note", ())) if one and not _is_known(one, child)]
    return {
        "status": status,
        "statusReason": _reason(there) if status in lifecycle.NEEDS_REASON else None,
        "businessStatus": remote_status.own_business_status(there),
        "output": [*child.get("output", ()), *entries] if entries else None,
        "note": [*child.get("note", ()), *notes] if notes else None,
    }


def _reason(there: Resource) -> Resource:
    """Why, in words: as said there, else as its code reads, else that nothing is said."""
    said = there.get("statusReason")
    found: Resource = said if isinstance(said, dict) else {}
    display = next((one["display"] for one in found.get("coding", ()) if one.get("display")), None)
    text = found.get("text")
    said = text.strip() if isinstance(text, str) else text
    return {**found, "text": said or display or _NO_REASON}


def _note(said: Any) -> Resource | None:
    """A note without who wrote it there, where that is a reference; None for what the hub itself wrote."""
    if not isinstance(said, dict):
        raise TypeError("a note is an object")
    if not said.get("text") or said.get("authorString") == "Throughline":
        return None
    return {name: value for name, value in said.items() if name != "authorReference"}


def _is_known(note: Resource, child: Resource) -> bool:
    return any(same(note.get("text"), held.get("text")) for held in child.get("note", ()))


def _as_own(resource: Resource, source: str, known: Mapping[str, str], root: str) -> Resource:
    """What was read there as the partner's own resource here; ``meta.source`` says where it was read."""
    labels = resource.get("meta", {}).get("security")
    meta = {"source": source, **({"security": labels} if labels else {})}
    body = {name: value for name, value in resource.items() if name not in {"id", "meta", "text"}}
    places = {link: known.get(link, f"{root}/{link}") for link in references(body) if local(link) is not None}
    linked: Resource = replaced(body, places)
    return {**linked, "meta": meta}
