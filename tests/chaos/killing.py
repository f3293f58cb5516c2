"""The parent of hub processes: gives orders, hears what was answered before the end."""

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import SIGKILL
from typing import IO

from app.services.hub import Hub
from app.services.intake.intake import Intake
from tests.chaos import verdict
from tests.chaos.story import accept, send, started

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Story:
    """What happens: messages of these kinds, one after the other, for so many visits at the same time."""

    kinds: tuple[str, ...]
    width: int = 1
    accepts: bool = True
    """Whether the partner accepts before the hub ends; after the next start it does in any case."""


SHORT = Story(("RDS", "A03"))


@dataclass(slots=True)
class Life:
    """What one hub process did until its end."""

    points: list[str] = field(default_factory=list)
    killed_at: str | None = None
    answers: dict[str, str] = field(default_factory=dict)
    now: str = ""
    """What its clock was last set to."""
    status: int = 0


class Zygote:
    """The process that hub processes come from."""

    def __init__(self, orders: IO[str], told: IO[str]) -> None:
        self._orders = orders
        self._told = told

    def live(self, story: Story, **given: object) -> Life:
        """One hub process from its start to its end."""
        return self.run({"kinds": story.kinds, "accepts": story.accepts, "kill_at": 0, "kill_after": 0, **given})

    def run(self, order: Mapping[str, object]) -> Life:
        """One hub process that does what it is told (see ``hub_process``)."""
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
                case "at":
                    life.now = rest
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


async def recover(url: str, partner: str, story: Story, numbers: Sequence[int], life: Life) -> None:
    """Start anew after ``life`` ended, send everything again, and see that nothing is lost or doubled.

    What this leaves behind is looked at when the next life is over, and by ``sound`` after the last.
    """
    async with started(url) as hub:
        assert await verdict.faults(hub) == []
        found = [await _durable(hub, story, number, life) for number in numbers]
        before = await verdict.copies(hub)
        intake = Intake(hub)
        for kind in story.kinds:
            answers = await asyncio.gather(*(send(hub, intake, kind, number) for number in numbers))
            assert answers == ["AA"] * len(numbers)
        assert await verdict.copies(hub) - before == sum(found)
        for number in numbers:
            await _finished(hub, partner, story, number)


async def sound(url: str) -> bool:
    """Whether all is as it must be."""
    async with started(url) as hub:
        return await verdict.faults(hub) == []


async def _durable(hub: Hub, story: Story, number: int, life: Life) -> int:
    """How many messages of a visit were kept: all that were acknowledged, and at most the one after."""
    sent = {f"{kind}-{number}" for kind in story.kinds}
    durable = await verdict.kept(hub, number)
    assert {life.answers[name] for name in sent & set(life.answers)} <= {"AA"}
    assert sent & set(life.answers) <= set(durable)
    assert len(set(durable) - set(life.answers)) <= 1
    return len(durable)


async def _finished(hub: Hub, partner: str, story: Story, number: int) -> None:
    assert await verdict.kept(hub, number) == {f"{kind}-{number}": 1 for kind in story.kinds}
    child = await accept(hub, partner, number)
    assert (await accept(hub, partner, number)).version == child.version
    assert await verdict.statuses(hub, number) == [(False, "accepted"), (True, "accepted")]
    assert child.version in {version for _, version in await verdict.disclosed(hub, number)}


async def kill_everywhere(url: str, partner: str, story: Story) -> list[Life]:
    """Kill a hub at every step of ``story`` and of the acceptance; its lives, of which the last one is whole.

    Each time it is about other visits in the same database, so that the earlier ones are seen to stay whole.
    """
    lives = []
    with zygote() as processes:
        for kill_at in count(1):
            numbers = range(kill_at * story.width, (kill_at + 1) * story.width)
            life = processes.live(story, url=url, partner=partner, numbers=list(numbers), kill_at=kill_at)
            lives.append(life)
            await recover(url, partner, story, numbers, life)
            if life.killed_at is None:
                assert life.status == 0
                assert await sound(url)
                return lives
            assert life.status == -SIGKILL
    raise AssertionError("the loop above ends by itself")


async def kill_at_any_time(url: str, partner: str, story: Story, *, lives: int, seed: int) -> int:
    """Kill a hub after some milliseconds, again and again; how many of its ``lives`` were cut short."""
    dice = random.Random(seed)
    cut = 0
    with zygote() as processes:
        for life_number in range(1, lives + 1):
            numbers = range(life_number * story.width, (life_number + 1) * story.width)
            after = dice.uniform(0.02, 0.4)
            order = {"url": url, "partner": partner, "numbers": list(numbers), "kill_after": after}
            life = processes.live(story, **order)
            assert life.status in {0, -SIGKILL}
            cut += life.status != 0
            await recover(url, partner, story, numbers, life)
    assert await sound(url)
    return cut
