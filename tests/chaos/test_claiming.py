"""Exactly one acceptance wins of 64, round after round; THROUGHLINE_CLAIM_ROUNDS says how many rounds."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.chaos.claims import claims
from tests.chaos.prepared import BOTH

ROUNDS = int(os.environ.get("THROUGHLINE_CLAIM_ROUNDS", "200"))
CLAIMANTS = 64
REFERRALS = 8
"""Rounds of one copy of the database."""


@BOTH
def test_exactly_one_of_all_wins_each_time(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    began = time.monotonic()

    def progress(done: int) -> None:
        if done % 10 == 0 or done == ROUNDS:
            sys.stderr.write(f"\r{kind}: {done} of {ROUNDS} rounds, {time.monotonic() - began:.0f} s")
            sys.stderr.flush()

    told = claims(kind, request, tmp_path, claimants=CLAIMANTS, referrals=REFERRALS, rounds=ROUNDS, progress=progress)
    assert told == ROUNDS
