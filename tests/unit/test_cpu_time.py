"""The stop-watch of the tests: it lets a slow machine pass, and no work that grows with the square of its size."""

import functools
import time
from collections.abc import Callable

import pytest

from tests.unit import cpu_time


def in_the_square(size: int) -> None:
    text = b"x" * size
    while text:
        text = text[1:]


def in_proportion(size: int) -> None:
    for byte in bytes(size):
        assert byte == 0


@pytest.mark.parametrize(("work", "size", "verdict"), [(in_proportion, 200_000, True), (in_the_square, 20_000, False)])
def test_only_what_grows_with_its_square_is_found(
    work: Callable[[int], None], size: int, *, verdict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_time, "_UNSEEN", 0.01)
    once, fourfold = [functools.partial(work, number) for number in (size, size * 4)]
    assert cpu_time.in_proportion(5, once, fourfold) is verdict


def test_a_try_that_something_else_made_slow_does_not_count() -> None:
    slow = iter([True, True, False])

    def work() -> None:
        until = time.thread_time() + (0.2 if next(slow) else 0)
        while time.thread_time() < until:
            pass

    assert cpu_time.within(0.1, work)


def test_work_that_is_slow_at_every_try_is_told() -> None:
    def work() -> None:
        until = time.thread_time() + 0.02
        while time.thread_time() < until:
            pass

    assert not cpu_time.within(0.01, work)
