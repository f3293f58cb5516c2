"""kill -9 before and after every commit of an escalation: whatever was cut short, what comes of it is the same."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.chaos.escalating import escalations
from tests.chaos.prepared import BOTH


def everywhere(boundaries: int) -> Iterable[int]:
    """Each of them."""
    return range(1, boundaries + 1)


@BOTH
def test_a_hub_killed_at_any_commit_of_an_escalation_ends_where_an_undisturbed_one_does(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    _, killed = escalations(kind, request, tmp_path, everywhere)
    assert killed.count("before commit") == killed.count("after commit") == len(killed) // 2
    assert len(killed) > 60
