"""A hub in a process of its own that is killed, for real, at the step it is told.

``python -m tests.chaos.hub_process`` reads one order per line (JSON) and runs each in a fresh child, because
starting Python anew for each step would take most of the time. The child prints a line for each step
(``point``), for each answer once it is formed (``ack``), and before it kills itself (``kill``); the parent then
prints ``end`` with the exit status (negative: the signal).
"""

import asyncio
import json
import os
import signal
import sys
import threading
from datetime import datetime
from typing import Any

from app.core.clock import Clock
from app.services.intake.intake import Intake
from fhir_mappings import dialects, gate
from tests.chaos.escalation import Escalation
from tests.chaos.story import accept, hub_over, send
from tests.chaos.taps import tapped

_SECONDS = 30
"""A child that takes longer hangs: SIGALRM ends it, which no test takes for a kill."""


def say(*words: object) -> None:
    """One line, out of the process before this returns."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Killer:
    """Counts steps and kills the process at number ``kill_at``."""

    def __init__(self, kill_at: int) -> None:
        self._left = kill_at

    def __call__(self, name: str) -> None:
        self._left -= 1
        if self._left == 0:
            say("kill", name)
            os.kill(os.getpid(), signal.SIGKILL)
        say("point", name)


async def work(order: dict[str, Any]) -> None:
    """Take in the messages of some visits, one kind after the other, then let the partner accept."""
    tap = Killer(order["kill_at"])
    if order["kill_after"]:
        clock = threading.Timer(order["kill_after"], os.kill, (os.getpid(), signal.SIGKILL))
        clock.daemon = True
        clock.start()
    store = tapped(order["url"], tap)
    hub = hub_over(store)
    intake = Intake(hub)

    async def one(kind: str, number: int) -> None:
        answer = await send(hub, intake, kind, number)
        tap("answer formed")
        say("ack", f"{kind}-{number}", answer)

    for kind in order["kinds"]:
        await asyncio.gather(*(one(kind, number) for number in order["numbers"]))
    for number in order["numbers"] if order["accepts"] else ():
        await accept(hub, order["partner"], number)
        tap("answer formed")
    await store.close()


async def live_through(order: dict[str, Any]) -> None:
    """What is left of an escalation, killed at a commit: time passes, and people act."""
    killer = Killer(order["kill_at"])

    def tap(name: str) -> None:
        if name in {"before commit", "after commit"}:
            killer(name)

    clock = Clock.starting_at(datetime.fromisoformat(order["now"]))
    store = tapped(order["url"], tap, clock)
    await Escalation(store, clock, say).go_on(order["acts"])
    await store.close()


def main() -> None:
    """Run orders until standard input ends."""
    # What every child would otherwise read and compile anew.
    gate.check({"resourceType": "Task"})
    dialects.names()
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            signal.alarm(_SECONDS)
            status = 1
            try:
                order = json.loads(line)
                asyncio.run(live_through(order) if "acts" in order else work(order))
                status = 0
            finally:
                os._exit(status)
        say("end", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
