"""kill -9 at commits of an escalation: nobody is asked twice, nobody is forgotten. ``make chaos`` has all of them."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.chaos.escalating import escalations
from tests.chaos.escalation import DAWN, HARBOR
from tests.chaos.prepared import BOTH

FEW = 5


def spread(boundaries: int) -> Iterable[int]:
    """Some of them, from the first to the last."""
    return range(1, boundaries + 1, max(1, (boundaries - 1) // (FEW - 1)))


@BOTH
def test_a_hub_killed_at_a_commit_of_an_escalation_ends_where_an_undisturbed_one_does(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    came, killed = escalations(kind, request, tmp_path, spread)
    assert len(killed) >= FEW
    assert [stand[0] for stand in came.tasks[HARBOR]] == ["requested", "requested", "cancelled"]
    assert [stand[3] for stand in came.tasks[HARBOR]] == [False, True, True]
    assert [stand[0] for stand in came.tasks[DAWN]][-3:] == ["accepted", "in-progress", "completed"]
    assert [stand[0] for stand in came.tasks[""]][-1] == "completed"
    assert {"needs-a-person", "fallback-chosen"} <= {stand[1] for stand in came.tasks[""]}
    assert came.waiting == []
    assert came.told[-1] == "Seen, first dose given"
