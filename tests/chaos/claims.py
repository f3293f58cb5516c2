"""Rounds of claims over either kind of database."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.claiming import Field, Progress, claimed, prepared
from tests.chaos.prepared import copies_of

PROCESSES = {"sqlite": 1, "postgresql": 4}
"""SQLite is for one process."""


def claims(
    kind: str,
    request: pytest.FixtureRequest,
    folder: Path,
    *,
    claimants: int,
    referrals: int,
    rounds: int,
    progress: Progress = lambda _: None,
) -> int:
    """Prepare ``referrals``, and run ``rounds`` over copies; how many went as they must."""
    fields: list[Field] = []

    def prepare(url: str) -> None:
        fields.append(asyncio.run(prepared(url, claimants=claimants, referrals=referrals)))

    copies = copies_of(kind, request, folder, prepare)
    number = PROCESSES[kind]
    return asyncio.run(claimed(fields[0], copies, processes=number, rounds=rounds, progress=progress))
