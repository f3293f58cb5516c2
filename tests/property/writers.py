"""Writers that make, change and delete resources at once, often the same ones."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from app.core.actor import Actor
from app.core.errors import Conflict, HubError
from app.core.ids import uuid7
from app.services.interactions import Wanted
from app.services.writing import change_of, decoded, without_server_meta
from app.store.changes import Changes, Grant, ResourceChange
from schemas.served import NOTHING
from tests.property.processes import SCOPE, Process
from tests.property.truth import Truth

Resource = dict[str, Any]
_STATUSES: Final = ("requested", "accepted", "in-progress", "on-hold", "completed")
_NEXT: Final = {"requested": "accepted", "accepted": "in-progress"}


class Writer:
    """One of those who write; what it does is a matter of ``random``."""

    def __init__(self, random: Random, process: Process, organizations: Sequence[str], truth: Truth) -> None:
        self._random = random
        self._process = process
        self._organizations = organizations
        self._truth = truth
        self._deeds = {
            self._make_task: 8,
            self._make_procedure: 5,
            self._revise_task: 6,
            self._advance_task: 4,
            self._revise_procedure: 3,
            self._delete_task: 2,
            self._delete_procedure: 1,
        }

    async def run(self, deeds: int) -> None:
        for _ in range(deeds):
            (deed,) = self._random.choices([*self._deeds], [*self._deeds.values()])
            await deed()
            await asyncio.sleep(self._random.random() * 0.02)

    # ---- Tasks: made as rows of the store; half of them are changed by the rules of the type, the others deleted,
    # ---- which those rules never do

    async def _make_task(self) -> None:
        seen_by = self._random.choice([self._organizations, *([one] for one in self._organizations)])
        request = _request(uuid7())
        task = _task(uuid7(), seen_by[0], request["id"])
        grants = tuple(Grant(one, made["id"]) for one in seen_by for made in (request, task))
        resources = (change_of(request, 1), change_of(task, 1))
        await self._process.hub.store.commit(Changes(resources=resources, grants=grants))
        self._truth.created("Task", task["id"], *seen_by, by_store=self._random.random() < 0.5)

    async def _revise_task(self) -> None:
        name = self._any("Task")
        if name is None:
            return
        row = await self._process.hub.store.reader(Actor.system("test")).read("Task", name)
        if row is None or row.deleted:
            return
        before = without_server_meta(decoded(row))
        after = {**before, "status": self._random.choice(_STATUSES), **_note(self._random)}
        await self._write(change_of(after, row.version + 1))

    async def _delete_task(self) -> None:
        name = self._any("Task", by_store=True)
        if name is None:
            return
        made = self._truth.made[name]
        made.gone = True
        gone = ResourceChange(name, "Task", made.newest + 1, NOTHING, columns=_seen_in_feeds(), deleted=True)
        made.gone = await self._write(gone)

    async def _write(self, change: ResourceChange) -> bool:
        """Whether nobody was quicker."""
        try:
            await self._process.hub.store.commit(Changes(resources=(change,)))
        except Conflict:
            return False
        self._truth.changed(change.id, change.version)
        return True

    async def _advance_task(self) -> None:
        name = self._any("Task", by_store=False)
        if name is not None:
            owner = self._random.choice([*self._truth.made[name].seen_by])
            await self._edit("Task", name, owner, lambda seen: {**seen, "status": _NEXT.get(seen["status"], "x")})

    # ---- what its author may do by itself

    async def _make_procedure(self) -> None:
        author = self._random.choice(self._organizations)
        body = {"resourceType": "Procedure", "status": "in-progress", "subject": {"display": "HTEST"}}
        done = await self._process.writes.create(_actor(author), "Procedure", body)
        self._truth.created("Procedure", done.id, author)

    async def _revise_procedure(self) -> None:
        name = self._any("Procedure")
        if name is not None:
            (author,) = self._truth.made[name].seen_by
            note = _note(self._random)
            await self._edit("Procedure", name, author, lambda seen: {**seen, **note})

    async def _delete_procedure(self) -> None:
        name = self._any("Procedure")
        if name is None:
            return
        made = self._truth.made[name]
        made.gone = True
        (author,) = made.seen_by
        try:
            await self._process.writes.delete(_actor(author), "Procedure", name, None)
        except HubError:
            made.gone = False

    async def _edit(self, kind: str, name: str, author: str, edit: Any) -> None:
        """A change by a client, which the rules may refuse."""
        try:
            done = await self._process.writes.update(_actor(author), Wanted(kind, name, edit, None))
        except HubError:
            return
        self._truth.changed(name, done.version)

    def _any(self, kind: str, *, by_store: bool | None = None) -> str | None:
        there = self._truth.there(kind)
        if by_store is not None:
            there = [name for name in there if self._truth.made[name].by_store is by_store]
        return self._random.choice(there) if there else None


def _actor(organization: str) -> Actor:
    return Actor(organization, "HTEST-writer", frozenset({SCOPE}))


def _task(name: str, owner: str, request: str) -> Resource:
    return {
        "resourceType": "Task",
        "id": name,
        "status": "requested",
        "intent": "order",
        "owner": {"reference": f"Organization/{owner}"},
        "focus": {"reference": f"ServiceRequest/{request}"},
    }


def _request(name: str) -> Resource:
    subject = {"display": "HTEST"}
    return {"resourceType": "ServiceRequest", "id": name, "status": "active", "intent": "order", "subject": subject}


def _note(random: Random) -> Resource:
    return {"note": [{"text": f"HTEST {random.random()}"}]}


def _seen_in_feeds() -> Mapping[str, str]:
    """A Task that was deleted keeps the columns that its subscribers' filters look at."""
    return {"status": "entered-in-error", "intent": "order"}
