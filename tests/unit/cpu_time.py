"""How much time a piece of work takes, told so that a busy machine doesn't change the answer.

Other programs can make work slower, never quicker: of several tries the quickest counts, and the first that is quick
enough ends the measuring. What takes too long by its nature does so at every try.
"""

import gc
from collections.abc import Callable
from time import thread_time
from typing import Final

_TRIES: Final = 5
_LINEAR: Final = 12
"""How many times as long four times the work may take; in the square of its size it takes sixteen times as long."""
_UNSEEN: Final = 0.1
"""Seconds that are too few to be compared."""


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this thread. What the collector of cycles costs depends on the tests before."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = thread_time()
        work()
        return thread_time() - start
    finally:
        if collecting:
            gc.enable()


def within(bound: float, work: Callable[[], object]) -> bool:
    """Whether the work takes fewer CPU seconds than ``bound``."""
    return any(seconds(work) < bound for _ in range(_TRIES))


def in_proportion(bound: float, once: Callable[[], object], fourfold: Callable[[], object]) -> bool:
    """Whether four times as much takes some four times as long, not sixteen times, and fewer seconds than ``bound``."""
    one = four = float("inf")
    for _ in range(_TRIES):
        one, four = min(one, seconds(once)), min(four, seconds(fourfold))
        if four < min(bound, _LINEAR * one + _UNSEEN):
            return True
    return False
