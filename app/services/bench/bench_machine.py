"""What processes cost: CPU seconds and memory of a process and all that it started, from /proc (Linux)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one process, in bytes."""

    pid: int
    resident: int
    proportional: int
    """Shared pages count by the number of those who share them (PSS); 0 where it can't be read."""


def available() -> bool:
    """Whether this machine tells."""
    return (_PROC / "self" / "stat").exists()


def tree(pid: int) -> list[int]:
    """``pid`` and all its descendants that run now."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (found := _stat(int(entry.name))):
            children.setdefault(int(found[1]), []).append(int(entry.name))
    members = [pid]
    for member in members:
        members.extend(children.get(member, ()))
    return members


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far, ended members included."""
    return sum(cpu_by_process(pid).values())


def cpu_by_process(pid: int) -> dict[int, float]:
    """The same, for each member of the tree that runs now."""
    # utime, stime, and those of children that have ended and were waited for: fields 14 to 17 of proc(5).
    return {member: sum(map(int, found[11:15])) / _TICKS for member in tree(pid) if (found := _stat(member))}


def all_cpu_seconds() -> float:
    """Of the whole machine since it started: busy, or taken by its host."""
    user, nice, system, _idle, _waiting, *rest = map(int, _read(_PROC / "stat").partition("\n")[0].split()[1:])
    interrupts, soft_interrupts, stolen = rest[:3]
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS


def memory(pid: int) -> list[Memory]:
    """Of each member of the tree."""
    return [found for member in tree(pid) if (found := _memory(member))]


def processor() -> str:
    """Model and count of the processors."""
    lines = _read(_PROC / "cpuinfo").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else f"{os.cpu_count() or 1} x unknown"


def _memory(pid: int) -> Memory | None:
    resident = _kilobytes(_read(_PROC / str(pid) / "status"), "VmRSS:")
    proportional = _kilobytes(_read(_PROC / str(pid) / "smaps_rollup"), "Pss:")
    return Memory(pid, resident * 1024, proportional * 1024) if resident else None


def _kilobytes(text: str, name: str) -> int:
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith(name)), 0)


def _stat(pid: int) -> Sequence[str]:
    """The fields after the name, which may hold anything; the first is the state, the second the parent."""
    return _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
