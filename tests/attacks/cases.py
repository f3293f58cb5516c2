"""The attack cases by number: where each is proven, or why it does not apply.

A proof is ``file::test`` below ``tests``.
"""

from typing import Final

from tests.attacks import cases_of_callers, cases_of_data

CASES: Final = (*cases_of_callers.CASES, *cases_of_data.CASES)
