"""Claimants in a process of their own: each line (JSON) is a round in which all of them accept at the same moment.

``python -m tests.chaos.claimant_process URL`` prints ``ready``, then one line for each round: what each was answered.
"""

import asyncio
import json
import sys
from typing import Any

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.crypto import Keys
from app.core.errors import HubError
from app.services.hub import Hub, Registry
from app.store.store import connect
from tests.hub_fixtures import FAST, patched

ACCEPT = [{"op": "replace", "path": "/status", "value": "accepted"}]


async def claim(hub: Hub, organization: str, task: str) -> str:
    """The status that the claimant is shown after its acceptance, or the kind of refusal."""
    actor = Actor(organization, "HTEST", frozenset({"system/Task.rus"}))
    try:
        shown = await patched(hub, actor, task, ACCEPT)
    except HubError as error:
        return type(error).__name__
    return str(json.loads(shown.body)["status"])


async def work(url: str) -> None:
    store = connect(url, Clock())
    hub = Hub(FAST, store, Keys(b"HTEST" * 8), Clock(), Registry(store))
    loop = asyncio.get_running_loop()
    _say("ready")
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        claimants: list[list[str]] = json.loads(line)
        _say(await asyncio.gather(*(claim(hub, *one) for one in claimants)))
    await store.close()


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
