"""What a test run may do without, and what it was told to have.

``THROUGHLINE_TEST_REQUIRE`` is a comma-separated list of programs (``postgres,chromium,node,java``). A missing one
skips the tests that need it, by name; a missing one on that list fails them instead, so that CI can't pass by skipping.
"""

import os
from typing import NoReturn

import pytest

VARIABLE = "THROUGHLINE_TEST_REQUIRE"


def required(name: str) -> bool:
    """Whether this run was told to have ``name``."""
    return name in os.environ.get(VARIABLE, "").replace(" ", "").split(",")


def missing(name: str, reason: str) -> NoReturn:
    """Skip the asking test for ``reason``, or fail it where ``name`` is required."""
    if required(name):
        pytest.fail(f"{reason}, but {VARIABLE} names {name}", pytrace=False)
    pytest.skip(reason)
