"""The stop-watch of the tests: it lets a slow machine pass, and no work that grows with the square of its size.

The watch that it reads is moved by the work itself: how quick this machine is must not decide about the stop-watch.
"""

from collections.abc import Callable, Iterator
from time import thread_time

import pytest

from tests.unit import cpu_time


class Watch:
    """A processor's time that only the work moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def work(self, *seconds: float) -> Callable[[], None]:
        """Work that takes so long at its first try, its second, and so on; the last ever after."""
        tries: Iterator[float] = iter(seconds)

        def worked() -> None:
            self.now += next(tries, seconds[-1])

        return worked


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    found = Watch()
    monkeypatch.setattr(cpu_time, "thread_time", lambda: found.now)
    return found


@pytest.mark.parametrize(
    ("once", "fourfold", "verdict"),
    [
        pytest.param([0.5], [2.0], True, id="in proportion"),
        pytest.param([0.5], [8.0], False, id="in the square"),
        pytest.param([0.5], [8.0, 2.1], True, id="in proportion, but the machine was busy at the first try"),
        pytest.param([0.5], [8.0, 9.0, 8.0, 8.0, 8.0, 2.0], False, id="quick at a try too late"),
        pytest.param([0.001], [0.09], True, id="too little to be compared"),
        pytest.param([3.0], [12.0], False, id="in proportion, and longer than it may take at all"),
    ],
)
def test_only_what_grows_with_its_square_is_found(
    once: list[float], fourfold: list[float], *, verdict: bool, watch: Watch
) -> None:
    assert cpu_time.in_proportion(10, watch.work(*once), watch.work(*fourfold)) is verdict


def test_a_try_that_something_else_made_slow_does_not_count(watch: Watch) -> None:
    assert cpu_time.within(0.1, watch.work(0.2, 0.2, 0.05))


def test_work_that_is_slow_at_every_try_is_told(watch: Watch) -> None:
    assert not cpu_time.within(0.01, watch.work(0.02))


def test_it_is_the_time_of_this_thread_that_is_read() -> None:
    def spun() -> None:
        until = thread_time() + 0.01
        while thread_time() < until:
            pass

    assert cpu_time.seconds(spun) >= 0.01
