"""Gates on the maxima of the code; the medians are printed, not gated."""

import ast
import tomllib
from collections.abc import Callable

from tests.architecture import structure
from tests.architecture.sources import ALL, PRODUCT, ROOT, functions, modules

LONGEST_FUNCTION = 80
LONGEST_MODULE = 500
MOST_BRANCHES = 10


def all_functions() -> list[structure.Measured]:
    return [measured for path, tree in modules(*ALL) for measured in structure.measure(path, tree)]


def test_no_function_is_longer_than_eighty_lines() -> None:
    assert [(f.place, f.lines) for f in all_functions() if f.lines > LONGEST_FUNCTION] == []


def test_no_module_is_longer_than_five_hundred_lines() -> None:
    lengths = {path: structure.module_lines(path) for path, _ in modules(*ALL)}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_function_has_more_than_ten_independent_paths() -> None:
    assert [(f.place, f.complexity) for f in all_functions() if f.complexity > MOST_BRANCHES] == []


def test_every_function_states_what_it_returns() -> None:
    assert [f.place for f in all_functions() if not f.typed] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert structure.circle(dict(modules(*PRODUCT))) == []


def test_the_linters_ask_for_the_same_bounds() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tools["ruff"]["lint"]["select"] == ["ALL"]
    assert tools["ruff"]["lint"]["mccabe"]["max-complexity"] == MOST_BRANCHES
    assert "C901" not in tools["ruff"]["lint"]["ignore"]
    assert tools["mypy"]["strict"] is True
    assert tools["pytest"]["ini_options"]["filterwarnings"] == ["error"]


def test_the_medians_are_reported(record_property: Callable[[str, object], None]) -> None:
    measured = [found for path, tree in modules(*PRODUCT) for found in structure.measure(path, tree)]
    assert measured
    record_property("structure", structure.figures("function", [found.lines for found in measured]))
    lengths = [structure.module_lines(path) for path, _ in modules(*PRODUCT)]
    record_property("structure", structure.figures("module", [lines for lines in lengths if lines]))


SOURCE = """
async def f(a):
    if a:
        for b in a:
            pass
    try:
        return [c for c in a if c and b]
    except ValueError:
        def inner() -> int:
            return 1 if a else 2
"""


def test_length_branches_and_missing_return_type_are_measured() -> None:
    outer, inner = structure.measure("x.py", ast.parse(SOURCE))
    assert (outer.lines, outer.complexity, outer.typed) == (9, 4, False)
    assert (inner.lines, inner.complexity, inner.typed) == (2, 1, True)
    assert [function.name for function in functions(ast.parse(SOURCE))] == ["f", "inner"]


def test_a_circle_through_three_modules_is_found() -> None:
    sources = {
        "app/a.py": "from app import b",
        "app/b.py": "import app.c",
        "app/c.py": "def late():\n    from app.a import f",
        "app/d.py": "from app.a import g",
    }
    trees = {path: ast.parse(source) for path, source in sources.items()}
    assert set(structure.circle(trees)) == {"app.a", "app.b", "app.c"}
    del trees["app/c.py"]
    assert structure.circle(trees) == []


def test_the_figures_are_a_sentence() -> None:
    assert structure.figures("function", [1, 2, 3]) == "function 2 median, 3 p95, 3 max lines, 3 in all"
