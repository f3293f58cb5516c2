"""House rules that import-linter and ruff can't express: each reads one syntax tree and yields what it finds.

A finding is (line, sentence). A rule gets the path from the root, since most rules have an exception.
"""

import ast
import re
from collections.abc import Callable, Iterator

from app.core.log import FIELDS
from tests.architecture.sources import functions

Finding = tuple[int, str]
Rule = Callable[[str, ast.Module], Iterator[Finding]]

_SQL = re.compile(
    r"""\b(SELECT\b.+\bFROM|INSERT\s+(OR\s+\w+\s+)?INTO|DELETE\s+FROM|UPDATE\s+\S+\s+SET|(CREATE|ALTER|DROP)\s+(TABLE|INDEX))\b
    |^\s*((?i:insert\s+into|delete\s+from|update\s+\S+\s+set|pragma\s+\w+|begin\s+immediate)\b
         |(?i:select)\s[\w\s*,.()]+\s(?i:from)\s+\w+\s*($|;|(?i:where|order|limit|join|group)\b))""",
    re.VERBOSE | re.DOTALL,
)
_STATEMENT_CALLS = frozenset({"commit", "rollback", "execute", "executemany", "executescript", "fetchrow", "fetchval"})
_TIME_CALLS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
_TIMERS = _TIME_CALLS["time"]
_LOG_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_RANDOM_OR_OUTSIDE = frozenset({"random", "secrets", "socket", "subprocess", "asyncio", "threading", "os", "logging"})
_SHAPE_LIBRARIES = frozenset({"pydantic", "pydantic_core", "annotated_types", "orjson"})
_UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME)\b")


def imports_stand_at_the_top(path: str, tree: ast.Module) -> Iterator[Finding]:
    """No import inside a function, and no import for the type checker alone: both hide a circle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and _last_name(node) == "TYPE_CHECKING":
            yield node.lineno, "TYPE_CHECKING hides an import from the contracts"
    if path == "app/cli.py" or path.startswith("app/commands/"):  # commands import what they need, for start-up time
        return
    for function in functions(tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield node.lineno, f"import inside {function.name}"


def sql_stays_in_the_store(path: str, tree: ast.Module) -> Iterator[Finding]:
    """No statement text, and no call that runs or commits one, outside app/store."""
    if path.startswith("app/store/"):
        return
    documentation = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in documentation and _SQL.search(_text(node)):
            yield node.lineno, "SQL text outside app/store"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _runs_sql(node, node.func.attr):
            yield node.lineno, f".{node.func.attr}() outside app/store"


def time_is_read_in_one_place(path: str, tree: ast.Module) -> Iterator[Finding]:
    """No clock outside app/core/clock.py (and ids.py, whose ids are ordered by time)."""
    if path in {"app/core/clock.py", "app/core/ids.py"}:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            for alias in node.names:
                if alias.name in _TIMERS:
                    yield node.lineno, f"time.{alias.name} outside app/core/clock.py"
        if isinstance(node, ast.Attribute) and node.attr in _TIME_CALLS.get(_last_name(node.value), set()):
            yield node.lineno, f"{_last_name(node.value)}.{node.attr} outside app/core/clock.py"


def reads_name_their_actor(path: str, tree: ast.Module) -> Iterator[Finding]:
    """The store is read only through a Reader that is bound to an Actor; outside the store only ``reader(actor)``."""
    constants = {
        _last_name(target)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_actor(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _last_name(node.func)
        if name == "Reader" and not path.startswith("app/store/"):
            yield node.lineno, "a Reader is made by the store: store.reader(actor)"
        if name in {"Reader", "reader"} and not any(
            _is_actor(value) or _last_name(value) in constants for value in _arguments(node)
        ):
            yield node.lineno, f"{name}() without an actor"


def log_lines_carry_no_content(path: str, tree: ast.Module) -> Iterator[Finding]:
    """A log call has a constant event and fields of the closed list; nobody else uses ``logging``."""
    if path == "app/core/log.py":
        return
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "logging" for alias in node.names):
            yield node.lineno, "logging is used by app/core/log.py only"
        if isinstance(node, ast.ImportFrom):
            if node.module in {"logging", "app.core.log"}:
                yield node.lineno, "use the module: from app.core import log"
            names |= {
                alias.asname or alias.name for alias in node.names if (node.module, alias.name) == ("app.core", "log")
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _last_name(node.func.value) in names:
            yield from _log_call(node, node.func.attr)


def nothing_is_left_unfinished(_path: str, tree: ast.Module) -> Iterator[Finding]:
    """No stub: a body is more than ``...`` (protocols, overloads and abstract methods excepted)."""
    allowed = {
        function
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(_last_name(base) == "Protocol" for base in node.bases)
        for function in functions(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "NotImplemented" + "Error":
            yield node.lineno, "not implemented"
    for function in functions(tree):
        marks = {_last_name(mark) for mark in function.decorator_list}
        if function not in allowed and not marks & {"overload", "abstractmethod"} and _is_stub(function):
            yield function.lineno, f"{function.name} is a stub"


def shapes_need_little(path: str, tree: ast.Module) -> Iterator[Finding]:
    """schemas/ stands on the standard library, pydantic and orjson."""
    if not path.startswith("schemas/"):
        return
    for line, name in _imports(tree):
        if name not in _SHAPE_LIBRARIES | {"schemas"} and name in _THIRD_PARTIES:
            yield line, f"schemas/ must not need {name}"


def translators_and_rules_are_pure(path: str, tree: ast.Module) -> Iterator[Finding]:
    """fhir_mappings/ and app/rules/ get ids and time as arguments and reach for nothing outside."""
    if not path.startswith(("fhir_mappings/", "app/rules/", "schemas/")):
        return
    for line, name in _imports(tree):
        if name in _RANDOM_OR_OUTSIDE:
            yield line, f"{name} in a pure floor"


def public_verbs_say_what_they_mean(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Each public function and class of services and rules has a docstring."""
    if not path.startswith(("app/services/", "app/rules/")):
        return
    verbs = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    for node in verbs:
        if not node.name.startswith("_") and ast.get_docstring(node) is None:
            yield node.lineno, f"{node.name} has no docstring"


def words_of_the_glossary(banned: frozenset[str]) -> Rule:
    """No name may contain one of the words that the glossary replaces (``banned``, lower case)."""

    def rule(_path: str, tree: ast.Module) -> Iterator[Finding]:
        for line, name in _names(tree):
            for word in banned & set(_words(name)):
                yield line, f"{name}: the glossary has another word for {word}"

    return rule


def unfinished_text(source: str) -> Iterator[Finding]:
    """Marks of work put off, in code and comments."""
    for number, line in enumerate(source.splitlines(), 1):
        if _UNFINISHED.search(line):
            yield number, "work put off"


_THIRD_PARTIES = frozenset(
    {
        "alembic", "anyio", "app", "asyncpg", "cryptography", "fastapi", "fhir", "fhir_mappings", "httptools", "httpx",
        "jsonschema_rs", "pydantic", "pydantic_settings", "rich", "sqlalchemy", "starlette", "tests", "tools", "typer",
        "typst", "uvicorn", "uvloop", "yaml",
    }
)  # fmt: skip


def _log_call(node: ast.Call, level: str) -> Iterator[Finding]:
    if level not in _LOG_LEVELS:
        return
    event, *rest = [*node.args, None]
    if not (isinstance(event, ast.Constant) and isinstance(event.value, str)):
        yield node.lineno, "a log event is a constant text"
    elif "%" in event.value or "{" in event.value:
        yield node.lineno, "a log event has no place for values"
    positional = [value for value in rest if value is not None]
    if len(positional) > (1 if level == "error" else 0):
        yield node.lineno, "log fields are named"
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in FIELDS | {"fault"}:
            yield node.lineno, f"log field {keyword.arg or '**'} is not on the list of app/core/log.py"
        if isinstance(keyword.value, ast.JoinedStr | ast.BinOp):
            yield node.lineno, f"log field {keyword.arg} is composed text"


def _runs_sql(call: ast.Call, name: str) -> bool:
    """``connection.commit()`` does; ``store.commit(changes)`` hands in what the committer writes."""
    return name in _STATEMENT_CALLS and not (name == "commit" and len(call.args) == 1)


def _is_actor(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Attribute) and _last_name(value.func.value) == "Actor"
    return _last_name(value).lower().endswith("actor")


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return len(body) == 1 and isinstance(body[0], ast.Expr) and _is_ellipsis(body[0].value)


def _is_ellipsis(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is ...


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module.split(".")[0]


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id


def _words(name: str) -> list[str]:
    """``sendCBOTask`` and ``send_cbo_task`` are both send, cbo, task; plurals lose their s."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z]|\b|_|\d)|[A-Z]?[a-z]+", name)
    return [form for part in parts for form in (part.lower(), part.lower().removesuffix("s"))]


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.Constant | ast.JoinedStr) -> str:
    """The text of a string, with an ``x`` for each value that is filled in; empty for other constants."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "x" for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def _docstrings(tree: ast.Module) -> set[ast.AST]:
    """Bare strings: docstrings of modules, classes, functions and attributes."""
    return {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
