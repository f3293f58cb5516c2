"""Mutated messages through everything that reads them. ``make fuzz`` runs it for ten minutes, the suite for one.

``THROUGHLINE_FUZZ_SECONDS`` says how long; ``THROUGHLINE_FUZZ_SEED`` repeats a run.
"""

import os
import random
import resource
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fuzz.mutations import mutated
from tests.fuzz.targets import FOLDER, TooSlow, read_all

SECONDS = float(os.environ.get("THROUGHLINE_FUZZ_SECONDS", "60"))
SEED = int(os.environ.get("THROUGHLINE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "hl7v2"
MOST_FAULTS = 10
SHRINKING = 5.0
LARGEST_SEED = 20_000
MEMORY_EVERY = 400
MEMORY_PER_BYTE = 150
MEMORY_ALWAYS = 8 * 1024 * 1024
MEMORY_GROWTH = 300 * 1024

Fault = tuple[str, str]
"""Class of the exception, and the place in the code."""


def seeds() -> list[bytes]:
    samples = sorted(FOLDER.glob("*/samples/*.hl7"))
    corpus = sorted(path for path in CORPUS.rglob("*") if path.is_file())[::4] if CORPUS.is_dir() else []
    found = [path.read_bytes() for path in [*samples * 10, *corpus] if path.stat().st_size <= LARGEST_SEED]
    assert found
    return found


def fault_of(work: Callable[[bytes], None], data: bytes) -> Fault | None:
    """How the work fails on ``data``; it is too slow when it is so three times: a busy machine slows a try down too."""
    try:
        for _ in range(2):
            with suppress(TooSlow):
                work(data)
                return None
        work(data)
    except Exception as error:  # noqa: BLE001 - any of them is a fault
        last = traceback.extract_tb(error.__traceback__)[-1]
        return type(error).__name__, f"{Path(last.filename).name}:{last.lineno} {str(error)[:200]!r}"
    return None


def smallest(work: Callable[[bytes], None], data: bytes, fault: Fault) -> bytes:
    """``data`` with as much left out as the same fault allows, and as the time does."""
    until = time.monotonic() + SHRINKING
    size = max(len(data) // 2, 1)
    while size and time.monotonic() < until:
        position = 0
        while position < len(data) and time.monotonic() < until:
            shorter = data[:position] + data[position + size :]
            found = fault_of(work, shorter)
            if found is not None and found[0] == fault[0] and place(found) == place(fault):
                data = shorter
            else:
                position += size
        size //= 2
    return data


def place(fault: Fault) -> str:
    return fault[1].partition(" ")[0]


def cases(rng: random.Random, known: list[bytes]) -> Iterator[bytes]:
    yield from dict.fromkeys(known)
    while True:
        yield mutated(rng, rng.choice(known), known)


def memory_of(work: Callable[[bytes], None], data: bytes) -> None:
    tracemalloc.start()
    try:
        work(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_ALWAYS + MEMORY_PER_BYTE * len(data), f"{len(data)} bytes took {peak} bytes of memory"


def test_no_message_breaks_what_reads_it(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    loud = request.config.getoption("capture") == "no"
    rng = random.Random(SEED)
    faults: dict[tuple[str, str], tuple[Fault, bytes]] = {}
    start = told = time.monotonic()
    before = 0
    count = 0
    for count, data in enumerate(cases(rng, seeds()), 1):
        fault = fault_of(read_all, data)
        if fault is None and count % MEMORY_EVERY == 0 and len(data) < LARGEST_SEED:
            memory_of(read_all, data)
        if fault is not None:
            faults.setdefault((fault[0], place(fault)), (fault, data))
        now = time.monotonic()
        if count == 2000:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if loud and now - told > 10:
            told = now
            sys.stdout.write(
                f"\n{now - start:4.0f} s  {count} messages  {count / (now - start):.0f}/s  {len(faults)} faults"
            )
            sys.stdout.flush()
        if now - start > SECONDS or len(faults) >= MOST_FAULTS:
            break
    rate = count / (time.monotonic() - start)
    record_property("executions", count)
    record_property("executions_per_second", round(rate))
    if loud:
        sys.stdout.write(f"\n{count} messages, {rate:.0f}/s, seed {SEED}\n")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before if before else 0
    assert not faults, report(faults, count)
    assert grown < MEMORY_GROWTH, f"resident memory grew by {grown} KiB in {count} messages, seed {SEED}"


def report(faults: dict[tuple[str, str], tuple[Fault, bytes]], count: int) -> str:
    lines = [f"{len(faults)} faults in {count} messages, THROUGHLINE_FUZZ_SEED={SEED}; the smallest message of each:"]
    for fault, data in faults.values():
        lines += [f"{fault[0]} at {fault[1]}", f"  {smallest(read_all, data, fault)!r}"]
    return "\n".join(lines)
