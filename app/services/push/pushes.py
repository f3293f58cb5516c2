"""What partners' own FHIR servers are given, as an operator looks after it: what waits or is parked, again or not."""

from dataclasses import dataclass
from typing import Any, Final

from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import BadRequest, NotFound
from app.services.due_looks import follow_job
from app.services.hub import Hub
from app.services.push.remote_server import bound
from app.services.writing import Resource, decoded
from app.store.changes import Changes
from app.store.pushes import Push, State
from schemas.pushed import Pushed

_SYSTEM: Final = Actor.system("pushes")
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """One partner's Task, as it is shown; nothing of a person."""

    task: str
    """The partner's Task at the hub."""
    partner: str
    """Name."""
    state: State
    reason: str | None
    place: str | None
    """The Task at the partner's server."""
    status: str | None
    """Its status there, as it was read last."""
    attempts: int
    since: str
    failing_since: str | None
    next_look: str | None


async def listed(hub: Hub, state: State | None = None) -> list[Listed]:
    """What is not over, or what is in ``state``, oldest first; at most a thousand."""
    names = (await hub.registry.current()).names
    return [
        _shown(one, names.get(one.organization, "")) for one in await hub.store.pushes(_SYSTEM).listed(state, _MOST)
    ]


def _shown(one: Push, name: str) -> Listed:
    known = Pushed.model_validate_json(one.known or "{}")
    return Listed(
        task=one.task,
        partner=name,
        state=one.state,
        reason=one.reason,
        place=known.task,
        status=known.status,
        attempts=one.attempts,
        since=iso(one.at),
        failing_since=None if one.failing_since is None else iso(one.failing_since),
        next_look=iso(one.due_at) if one.due_at and one.state == "waiting" else None,
    )


async def counts(hub: Hub) -> dict[str, int]:
    """State -> how many Tasks are pushed that are not over."""
    return await hub.store.pushes(_SYSTEM).counts()


async def retry(hub: Hub, task: str) -> dict[str, Any]:
    """Go on with what is parked, and with what waits for its next attempt at once. Raises NotFound."""
    if not await hub.store.pushes(_SYSTEM).again(task):
        raise NotFound("Nothing of this Task is pushed any more.")
    await look_at(hub, task)
    return {"task": task, "state": "waiting"}


async def drop(hub: Hub, task: str) -> dict[str, Any]:
    """Never push this Task any more. Raises NotFound, also while it is being pushed."""
    if not await hub.store.pushes(_SYSTEM).drop(task, hub.clock.now_us()):
        raise NotFound("Nothing of this Task waits, or it is being pushed at this moment.")
    await look_at(hub, task)
    return {"task": task, "state": "ended"}


async def look_at(hub: Hub, task: str) -> None:
    """Have the visit of a partner's Task looked at: what a person must see to may have changed."""
    reader = hub.store.reader(_SYSTEM)
    child = await reader.read("Task", task)
    source = None if child is None else await reader.read("Task", _id(decoded(child)["partOf"][0]))
    if source is not None:
        now = hub.clock.now_us()
        await hub.store.commit(Changes(jobs=(follow_job(_id(decoded(source)["focus"]), f"push:{task}:{now}", now),)))


def _id(link: Resource) -> str:
    return str(link["reference"]).rpartition("/")[2]


async def keep_credential(hub: Hub, name: str, secret: bytes) -> dict[str, Any]:
    """Keep, sealed, what the hub shows to a partner's own server: a token, a secret, or a private key as a JWK.

    Raises NotFound where no partner with such a server has this name, and BadRequest where nothing is given.
    """
    directory = await hub.store.accounts.directory()
    found = next((o for o, p in directory.partners.items() if p.name == name and p.server is not None), None)
    if found is None:
        raise NotFound("No partner with a FHIR server of its own has this name.")
    if not secret.strip():
        raise BadRequest("The file is empty.")
    await hub.store.accounts.save_server_credential(found, hub.keys.seal_raw(bound(found), secret.strip()))
    return {"name": name, "credential": "kept"}
