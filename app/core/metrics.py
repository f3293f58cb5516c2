"""Counters and histograms of this process, as Prometheus text (exposition format 0.0.4).

A label is a route template, a status, a sender id or a state: nothing that could name a person.
Several serving processes are told apart by the label ``process``, since a scrape reaches one of them.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counter:
    """A number per combination of labels that only grows."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.values: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def add(self, *values: str) -> None:
        """Count one more."""
        self.values[values] += 1

    def lines(self, common: str) -> Iterator[str]:
        """Its samples, with the label text ``common`` in each."""
        yield from _head(self.name, self.text, "counter")
        for values, number in self.values.items():
            yield f"{self.name}{{{_labels(self.labels, values, common)}}} {number}"


class Histogram:
    """How long something took, in seconds, per combination of labels."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self.name = name
        self.text = text
        self.labels = labels
        self.buckets: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0] * (len(_SECONDS) + 1))
        self.sums: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def observe(self, seconds: float, *values: str) -> None:
        """Count one more that took ``seconds``."""
        self.buckets[values][bisect_left(_SECONDS, seconds)] += 1
        self.sums[values] += seconds

    def lines(self, common: str) -> Iterator[str]:
        """Its samples: a bucket holds all that took at most its bound."""
        yield from _head(self.name, self.text, "histogram")
        for values, counts in self.buckets.items():
            labels = _labels(self.labels, values, common)
            total = 0
            for bound, count in zip((*map(str, _SECONDS), "+Inf"), counts, strict=True):
                total += count
                yield f'{self.name}_bucket{{{labels},le="{bound}"}} {total}'
            yield f"{self.name}_sum{{{labels}}} {self.sums[values]:.6f}"
            yield f"{self.name}_count{{{labels}}} {total}"


MESSAGES: Final = Counter(
    "throughline_messages_total", "Messages that were accounted for, by ledger state.", ("sender", "state")
)
REQUESTS: Final = Counter("throughline_http_requests_total", "HTTP requests that were answered.", ("route", "status"))
SECONDS: Final = Histogram("throughline_http_seconds", "Time from request to the end of its answer.", ("route",))


def gauge(name: str, text: str, value: float) -> Iterator[str]:
    """A number as it is now."""
    yield from _head(name, text, "gauge")
    yield f"{name} {value:g}"


def rendered(process: int) -> Iterator[str]:
    """The lines of everything that this process counts."""
    common = f'process="{process}"'
    for one in (MESSAGES, REQUESTS, SECONDS):
        yield from one.lines(common)


def _head(name: str, text: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(names: tuple[str, ...], values: tuple[str, ...], common: str) -> str:
    return ",".join([*(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)), common])


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
