"""Figures of all rounds, their medians, and how they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from app.services.bench.bench_machine import Memory

_COLUMNS = {
    "per_second": "per second",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "app_us": "app us",
    "db_us": "db us",
    "others": "others",
}
_RATIOS = {"rate": "ratio", "cpu": "by cpu", "goal": "goal"}


@dataclass(slots=True)
class Report:
    """What was measured: per name one set of figures for each round."""

    machine: dict[str, Any] = field(default_factory=dict)
    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    ratios: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, name: str, figures: Mapping[str, float]) -> None:
        """The figures of one more round."""
        self.rounds.setdefault(name, []).append(dict(figures))

    def compare(self, name: str, ceiling: str, *, goal: float) -> None:
        """The ratio of the median rates, and of the CPU that both sides took in all."""
        if name not in self.rounds or ceiling not in self.rounds:
            return
        own, best = self.median(name), self.median(ceiling)
        self.ratios[name] = {
            "rate": own["per_second"] / best["per_second"],
            "cpu": best["cpu_us"] / own["cpu_us"] if own.get("cpu_us") else 0.0,
            "goal": goal,
        }

    def failures(self, names: Sequence[str]) -> None:
        """An answer that was not the one asked for makes the figures of its run worthless."""
        for name in names:
            failed = sum(one.get("failed", 0.0) for one in self.rounds.get(name, ()))
            if failed:
                self.faults.append(f"{name}: {failed:.0f} answers were not what was asked for")

    def resident(self, after: str, processes: Sequence[Memory]) -> None:
        """What the largest process of the hub holds, after the load named by ``after``."""
        largest = max(processes, key=lambda one: one.resident)
        megabytes = f"{largest.resident / 1e6:.0f}, {largest.proportional / 1e6:.0f}"
        self.notes[f"MB resident, proportional after {after}"] = f"{megabytes} (the largest of {len(processes)})"

    def median(self, name: str) -> dict[str, float]:
        """The median of each figure over the rounds."""
        found = self.rounds[name]
        return {key: median(one[key] for one in found) for key in found[0]}

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "machine": self.machine,
            "median": {name: _rounded(self.median(name)) for name in self.rounds},
            "ratio": {name: _rounded(values) for name, values in self.ratios.items()},
            "notes": self.notes,
            "faults": self.faults,
            "rounds": {name: [_rounded(one) for one in found] for name, found in self.rounds.items()},
        }

    def table(self) -> str:
        """The medians, for people."""
        rows = [["", *_COLUMNS.values(), *_RATIOS.values()]]
        for name in self.rounds:
            found, ratio = self.median(name), self.ratios.get(name, {})
            shares = [f"{ratio[key]:.2f}" if key in ratio else "" for key in _RATIOS]
            rows.append([name, *(_shown(found, key) for key in _COLUMNS), *shares])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
        notes = [f"{name}: {value}" for name, value in self.notes.items()]
        return "\n".join([*lines, "", *notes, *(f"FAULT {fault}" for fault in self.faults), ""])


def _rounded(found: Mapping[str, float]) -> dict[str, float]:
    return {key: float(f"{value:.4g}") if abs(value) < 1000 else round(value) for key, value in found.items()}


def _shown(found: Mapping[str, float], key: str) -> str:
    if key not in found:
        return ""
    digits = 1 if key.endswith("_ms") else 2 if key == "others" else 0
    return f"{found[key]:,.{digits}f}"
