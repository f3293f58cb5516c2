"""Measures of the code: length, branching, return types, and circles between modules."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from statistics import median, quantiles

from tests.architecture.sources import ROOT, functions

_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Measured:
    """One function: where it is, lines from ``def`` to the last, branches, and whether it states what it returns."""

    place: str
    lines: int
    complexity: int
    typed: bool


def measure(path: str, tree: ast.Module) -> Iterator[Measured]:
    """Each function of a module, nested ones counted for themselves and in what surrounds them."""
    for function in functions(tree):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        place = f"{path}:{function.lineno} {function.name}"
        yield Measured(place, lines, complexity(function), function.returns is not None)


def complexity(function: Function) -> int:
    """Independent paths (McCabe): one, and one more for each branch; nested functions count for themselves."""
    found = 1
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        found += isinstance(node, _BRANCHES)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def module_lines(path: str) -> int:
    """Lines of a file, blank ones and comments too."""
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def circle(trees: dict[str, ast.Module]) -> list[str]:
    """The modules of one import circle, or nothing; ``trees`` by path from the root."""
    names = {_module(path): path for path in trees}
    graph = {name: set(_imported(trees[path], names)) - {name} for name, path in names.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def figures(kind: str, values: Iterable[int]) -> str:
    """``function 7 median, 31 p95, 78 max lines``: what is watched but not gated."""
    known = sorted(values) or [0]
    high = round(quantiles(known, n=20, method="inclusive")[-1]) if len(known) > 1 else known[0]
    return f"{kind} {median(known):g} median, {high} p95, {known[-1]} max lines, {len(known)} in all"


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imported(tree: ast.Module, known: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inner if name in known)
            if node.module in known and not all(name in known for name in inner):
                yield node.module
