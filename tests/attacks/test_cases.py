"""Every attack case has its place: a test that proves it, or the reason why there is nothing to prove.

docs/security.md lists them: ``UPDATE_GOLDEN=1 pytest tests/attacks/test_cases.py`` writes the list anew.
"""

import ast
import os
from functools import cache
from pathlib import Path

import pytest

from tests.attacks.case import Case
from tests.attacks.cases import CASES

TESTS = Path(__file__).parents[1]
BEGIN, END = "<!-- attacks -->\n", "<!-- end of attacks -->\n"


@cache
def named_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_number_stands_there_once() -> None:
    assert [case.number for case in CASES] == [*range(1, 73)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_a_case_is_proven_or_says_why_not(case: Case) -> None:
    assert case.sentence.endswith(".")
    assert case.proofs or case.reason
    for proof in case.proofs:
        file, _, name = proof.partition("::")
        assert (TESTS / file).is_file(), proof
        assert name in named_in(TESTS / file), proof


def test_every_attack_that_is_made_stands_in_the_list() -> None:
    made = {
        f"attacks/{file.name}::{name}"
        for file in (TESTS / "attacks").glob("test_*.py")
        if file.name != Path(__file__).name
        for name in named_in(file)
    }
    assert made <= {proof for case in CASES for proof in case.proofs}


def rows() -> str:
    """The cases as a table of docs/security.md."""
    lines = ["| | answer | proven by |", "|---:|---|---|"]
    for case in CASES:
        files = dict.fromkeys(proof.partition("::")[0] for proof in case.proofs)
        told = ", ".join(f"`{file}`" for file in files)
        lines.append(f"| {case.number} | {case.sentence} | {'; '.join(one for one in (told, case.reason) if one)} |")
    return "\n".join(lines) + "\n"


def test_the_page_on_security_lists_them_all() -> None:
    page = TESTS.parent / "docs" / "security.md"
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    told, end, after = rest.partition(END)
    assert begin
    if os.environ.get("UPDATE_GOLDEN"):
        page.write_text(f"{before}{BEGIN}{rows()}{END}{after}", encoding="utf-8")
        told = rows()
    assert end
    assert told == rows()
