"""What a unit of a scenario writes, taken from the database, and the ceiling of writing it."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import asyncpg

from app.services.bench import bench_load
from app.services.bench.bench_load import Check, Job, Target
from tests.bench import ceilings
from tests.bench.report import Report
from tests.bench.world import Meter, World

Stage = Callable[[int], bytes]
"""The request that does the n-th unit's part of one transaction of the ceiling."""
_CALIBRATION = 4


async def sampled(made: World, target: Target, run: str, stages: Sequence[Stage], check: Check) -> ceilings.Sample:
    """What ``ceilings.BATCH`` units write; ``run`` stands in every identifier that they make."""
    connection = await asyncpg.connect(made.url)
    try:
        known = await ceilings.tables(connection)
        states = [await ceilings.snapshot(connection, known)]
        for stage in stages:
            load = await bench_load.closed(
                target, islice(_jobs(stage), ceilings.BATCH), check, connections=16, seconds=20
            )
            if load.failed or len(load.jobs) != ceilings.BATCH:
                raise SystemExit("What the benchmark sends is not accepted; nothing can be measured.")
            states.append(await ceilings.snapshot(connection, known))
    finally:
        await connection.close()
    return ceilings.sample(known, states, run)


def _jobs(stage: Stage) -> Iterator[Job]:
    return ((stage(number),) for number in range(ceilings.BATCH))


@dataclass(slots=True)
class Batched:
    """The ceiling of one scenario; ``unit`` is what is counted (referral, transaction)."""

    made: World
    report: Report
    unit: str
    file: Path = field(init=False)
    batches: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.file = self.made.home / f"{self.unit}.sample"

    @property
    def name(self) -> str:
        """Its row in the report."""
        return f"{self.unit}s: batched ceiling"

    def keep(self, found: ceilings.Sample) -> None:
        """Measure this from now on."""
        self.file.write_bytes(pickle.dumps(found))
        self.report.notes[f"rows per {self.unit}"] = {name: round(rows, 2) for name, rows in found.rows().items()}
        self.report.notes[f"kilobytes of parameters per {self.unit}"] = round(found.size() / 1000, 1)

    def measure(self, meter: Meter, seconds: float) -> None:
        """One round of about ``seconds``."""
        if not self.batches:
            first = ceilings.measure(self.made.empty, self.file, _CALIBRATION, lambda go: go())
            self.batches = max(_CALIBRATION, int(_CALIBRATION * seconds / first.seconds))
        used: list[tuple[float, float]] = []

        def around(go: Callable[[], None]) -> None:
            meter.start()
            go()
            used.append(meter.stop())

        found = ceilings.measure(self.made.empty, self.file, self.batches, around)
        writers, database = found.cpu_seconds / found.units * 1e6, used[0][1] / found.units * 1e6
        both = {"app_us": writers, "db_us": database, "cpu_us": writers + database, "others": meter.others}
        self.report.add(self.name, {"per_second": found.rate, **both})
