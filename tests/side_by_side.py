"""Which tests run side by side, and which with nothing beside them.

``make test`` starts as many workers of pytest-xdist as there are processors, four at most. A worker takes files of
tests, each whole, so that what a file shares is made once, in the order of the rings, which has the many short files
at its end; and each has a PostgreSQL cluster of its own. Tests that look at time, or measure, are marked ``alone``: one
worker runs them at the end, when the others are gone. Who only kills, at a step that it names, needs no quiet.
Without workers (``pytest tests/unit``) the order is that of the files, and nothing is beside anything.
"""

import os
import random
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

Worker = Any
"""xdist has no types."""
ALONE: Final = "alone"
RINGS: Final = frozenset({"bench", "browser"})
"""Folders of tests whose every test is meant by the mark."""


class QuietEnd(LoadFileScheduling):  # type: ignore[misc]
    """Hands out files, and what is alone when one worker is left."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return ALONE if nodeid.endswith(f"@{ALONE}") else scope

    def _assign_work_unit(self, node: Worker) -> None:
        if ALONE in self.workqueue:
            self.workqueue.move_to_end(ALONE)
        others = [other for other in self.nodes if other is not node]
        if next(iter(self.workqueue)) != ALONE or not others:
            super()._assign_work_unit(node)
        elif not all(other.shutting_down for other in others):
            node.shutdown()
        # Else it waits with its last test in hand: the others finish theirs, and then it gets the rest.

    def remove_node(self, node: Worker) -> str | None:
        """xdist calls it when a worker has ended; it names the test that a crash ended."""
        crashed: str | None = super().remove_node(node)
        if self.workqueue:
            for left in self.nodes:
                self._reschedule(left)
        return crashed


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Give the workers one order of sets between them: they must find the same tests, in the same order."""
    os.environ.setdefault("PYTHONHASHSEED", str(random.randrange(1, 1 << 32)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> QuietEnd | None:
    """Ours in place of the one that knows files only."""
    return QuietEnd(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A worker tells the scheduler in a test's name that it is alone; nothing else of it goes over.

    xdist 3.8 would do it for its own mark ``xdist_group``, but for a pytest before 9.2 only.
    """
    for item in items if hasattr(config, "workerinput") else ():
        ring = item.nodeid.removeprefix("tests/").partition("/")[0]
        if ring in RINGS or item.get_closest_marker(ALONE):
            item._id = item.id.parse(f"{item.nodeid}@{ALONE}")
