"""What ``make bench`` runs: the hub on PostgreSQL against ceilings measured in the same run.

    python -m tests.bench.run                               everything, about nine minutes
    python -m tests.bench.run --quick                       everything, under two minutes, noisier
    python -m tests.bench.run --only ingest --seconds 5     referrals and unrelated messages
    python -m tests.bench.run --only referrals,latency      one or several of SCENARIOS

A table on stderr, JSON on stdout (or ``--json FILE``). Rounds of the hub and of its ceilings alternate; figures are
medians over the rounds. docs/benchmarks.md says what each figure means.
"""

import argparse
import json
import platform
import sys
from pathlib import Path
from statistics import median
from typing import Any

from app.services.bench import bench_machine
from tests.bench import ingest, notifying, reads, transactions
from tests.bench.report import Report
from tests.bench.world import SERVER_OPTIONS, World, serving, sync_micros, world

SCENARIOS = ("referrals", "adt", "latency", "transactions", "notifications", "reads", "process")
_INGEST = ("referrals", "adt")


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 when an answer was not what it had to be."""
    asked = _parsed(arguments)
    report = Report()
    with world() as made:
        report.machine = _machine(made.server.home)
        if "process" in asked.only:
            starts(made, report, asked.rounds)
        if asked.only & {"referrals", "adt", "latency"}:
            ingest.measure(made, report, asked.only, seconds=asked.seconds, rounds=asked.rounds)
        if "transactions" in asked.only:
            transactions.measure(made, report, seconds=asked.seconds, rounds=asked.rounds)
        if "notifications" in asked.only:
            notifying.measure(made, report, seconds=asked.seconds, rounds=asked.rounds)
        if "reads" in asked.only:
            reads.measure(made, report, seconds=asked.seconds / 2, rounds=asked.rounds)
    sys.stderr.write(report.table())
    text = json.dumps(report.as_json(), indent=2) + "\n"
    if asked.json:
        asked.json.write_text(text)
    else:
        sys.stdout.write(text)
    return 1 if report.faults else 0


def starts(made: World, report: Report, rounds: int) -> None:
    """From the command to the first answer of /health/ready, and what a process that did nothing yet holds."""
    seconds = []
    for _ in range(rounds):
        with serving(made, workers=1) as hub:
            seconds.append(hub.ready_seconds)
            processes = bench_machine.memory(hub.pid)
    report.notes["seconds until ready"] = f"{median(seconds):.2f}"
    report.resident("start", processes)


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description="Measure the hub against its ceilings.")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"ingest, {', '.join(SCENARIOS)}")
    parser.add_argument("--seconds", type=float, help="of each measured part")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--json", type=Path, help="write the JSON here instead of on stdout")
    asked = parser.parse_args(arguments)
    names = [name for one in asked.only.split(",") for name in (_INGEST if one == "ingest" else (one,))]
    if not set(names) <= set(SCENARIOS):
        parser.error(f"--only takes {', '.join(SCENARIOS)}")
    asked.only = frozenset(names)
    asked.seconds = asked.seconds or (3.0 if asked.quick else 8.0)
    asked.rounds = asked.rounds or (2 if asked.quick else 3)
    return asked


def _machine(home: Path) -> dict[str, Any]:
    return {
        "processor": bench_machine.processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "postgresql": SERVER_OPTIONS,
        "fdatasync_microseconds": sync_micros(home.parent),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
