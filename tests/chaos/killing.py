"""The parent of hub processes: gives orders, hears what was answered before the end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import IO

from app.services.intake import Intake
from tests.chaos import verdict
from tests.chaos.story import accept, send, started

ROOT = Path(__file__).parents[2]
MESSAGES = ("RDS", "A03")


@dataclass(slots=True)
class Life:
    """What one hub process did until its end."""

    points: list[str] = field(default_factory=list)
    killed_at: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    status: int = 0


class Zygote:
    """The process that hub processes come from."""

    def __init__(self, orders: IO[str], told: IO[str]) -> None:
        self._orders = orders
        self._told = told

    def live(self, **order: object) -> Life:
        """One hub process from its start to its end."""
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        life = Life()
        for line in self._told:
            word, _, rest = line.strip().partition(" ")
            match word:
                case "point":
                    life.points.append(rest)
                case "kill":
                    life.killed_at = rest
                case "ack":
                    what, _, answer = rest.partition(" ")
                    life.answers[what] = answer
                case _:
                    life.status = int(rest)
                    return life
        raise AssertionError("the hub process ended without a word")


@contextmanager
def zygote() -> Iterator[Zygote]:
    """Hub processes, for as long as it is open."""
    command = [sys.executable, "-m", "tests.chaos.hub_process"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Zygote(process.stdin, process.stdout)
        process.stdin.close()


async def recover(url: str, partner: str, number: int, life: Life) -> None:
    """Start anew after ``life`` ended, send everything again, and see that nothing is lost or doubled."""
    async with started(url) as hub:
        assert await verdict.faults(hub) == []
        durable = await verdict.kept(hub, number)
        acknowledged = {f"{kind}-{number}" for kind in MESSAGES if kind in life.answers}
        assert acknowledged <= set(durable)
        assert len(set(durable) - acknowledged) <= 1
        before = await verdict.copies(hub)
        intake = Intake(hub)
        assert [await send(hub, intake, kind, number) for kind in MESSAGES] == ["AA"] * len(MESSAGES)
        assert await verdict.copies(hub) - before == len(durable)
        assert await verdict.kept(hub, number) == {f"{kind}-{number}": 1 for kind in MESSAGES}
        child = await accept(hub, partner, number)
        assert (await accept(hub, partner, number)).version == child.version
        assert await verdict.statuses(hub, number) == [(False, "accepted"), (True, "accepted")]
        assert child.version in {version for _, version in await verdict.disclosed(hub, number)}
        assert await verdict.faults(hub) == []


async def kill_everywhere(url: str, partner: str, *, first: int = 1, step: int = 1) -> list[str]:
    """Kill a hub at every step of a supply, a discharge and an acceptance; the names of the steps, in order.

    Each time it is another visit in the same database, so that the earlier ones are seen to stay whole.
    """
    with zygote() as processes:
        kill_at = first
        while True:
            order = {"url": url, "kill_at": kill_at, "kinds": MESSAGES, "partner": partner, "number": kill_at}
            life = processes.live(**order)
            await recover(url, partner, kill_at, life)
            if life.killed_at is None:
                assert life.status == 0
                return life.points
            assert life.status == -SIGKILL
            kill_at += step
