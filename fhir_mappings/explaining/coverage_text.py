"""The counts of ``coverage_report`` as plain text, Markdown and JSON."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, product
from typing import Any, Final, NamedTuple

import orjson

from fhir_mappings.explaining import coverage_report as report
from fhir_mappings.explaining.coverage_report import Tally
from fhir_mappings.explaining.explain import FieldStatus
from fhir_mappings.explaining.showing import aligned

_SHOWN: Final = 40
"""Rows of a list of codes or tasks for people; JSON has all."""
_NAMES: Final[dict[FieldStatus, str]] = {"not-mapped": "not mapped", "z-segment": "Z-segment"}
_COLUMNS: Final[tuple[tuple[FieldStatus, ...], ...]] = (
    ("used",),
    ("unreadable",),
    ("ignored",),
    ("not-mapped", "z-segment"),
)
_STATES: Final = ("referral", "updated", "waiting", "review", "not-ours", "duplicate", "rejected", "not-kept")


class Table(NamedTuple):
    """One section: its name, the names of its columns, and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def as_text(tally: Tally) -> str:
    """For a terminal."""
    sections = []
    for table in [_messages(tally), _why(tally), _segments(tally), _fields(tally), *_tables(tally)]:
        rows = [table.columns, *table.rows] if table.rows else [("none",)]
        sections.append("\n".join([table.title, *aligned(_right(rows))]))
    return "\n\n".join(sections) + "\n"


def as_markdown(tally: Tally) -> str:
    """For a page; the fields of a segment are one row, each with the number of its messages."""
    sections = []
    for table in [_messages(tally), _why(tally), _fields_by_segment(tally), *_tables(tally)]:
        head = ["| " + " | ".join(cells) + " |" for cells in (table.columns, ("---",) * len(table.columns))]
        rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows]
        sections.append("\n".join([f"### {table.title.capitalize()}", "", *(head + rows if rows else ["None."])]))
    return "\n\n".join(sections) + "\n"


def as_json(tally: Tally) -> bytes:
    """For a program: everything, nothing cut."""
    fields = {
        path: {
            "messages": tally.fields[path],
            "uses": [
                {"status": status, "text": text, "messages": count}
                for (name, status, text), count in _most(tally.uses)
                if name == path
            ],
        }
        for path in report.ordered(tally.fields)
    }
    body: dict[str, Any] = {
        "files": tally.files,
        "messages": tally.total,
        "states": dict(sorted(report.states(tally).items())),
        "types": {kind: dict(sorted(states.items())) for kind, states in report.by_type(tally).items()},
        "reasons": [{"state": s, "reason": r, "messages": count} for (s, r), count in _most(tally.reasons)],
        "segments": dict(_most(tally.segments)),
        "fields": fields,
        "codes": [{**seen._asdict(), "messages": count} for seen, count in _most(tally.codes)],
        "character_sets": [
            {"declared": declared, "read_as": codec, "basis": basis, "messages": count}
            for (declared, codec, basis), count in _most(tally.charsets)
        ],
        "versions": dict(_most(tally.versions)),
        "to_do": [task._asdict() for task in report.to_do(tally)],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _tables(tally: Tally) -> Iterator[Table]:
    yield _notes(tally)
    for kind in report.CODE_KINDS:
        yield _codes(tally, kind)
    charsets = [(said, codec, basis, str(count)) for (said, codec, basis), count in _most(tally.charsets)]
    yield Table("character sets", ("MSH-18", "read as", "by", "messages"), charsets)
    yield Table("versions", ("MSH-12", "messages"), [(name, str(count)) for name, count in _most(tally.versions)])
    tasks = [(str(task.messages), task.what, task.how) for task in report.to_do(tally)]
    yield Table(
        "to do", ("messages", "what", "where"), _cut(tasks, lambda left: ("", f"and {left} more", "--format json"))
    )


def _messages(tally: Tally) -> Table:
    found = report.by_type(tally)
    states = report.states(tally)
    columns = [state for state in _STATES if states[state]] + sorted(set(states) - set(_STATES))
    rows = [(kind, *(_number(counts[s]) for s in columns), str(counts.total())) for kind, counts in found.items()]
    rows.append(("all", *(_number(states[state]) for state in columns), str(states.total())))
    return Table(f"messages ({tally.files} file{'' if tally.files == 1 else 's'})", ("type", *columns, "all"), rows)


def _why(tally: Tally) -> Table:
    rows = [(state, reason, str(count)) for (state, reason), count in _most(tally.reasons)]
    return Table("why", ("state", "reason", "messages"), rows)


def _segments(tally: Tally) -> Table:
    return Table("segments", ("segment", "messages"), [(name, str(count)) for name, count in _most(tally.segments)])


def _fields_by_segment(tally: Tally) -> Table:
    kinds = _ends(tally)
    rows = []
    for segment, group in groupby(report.ordered(tally.fields), key=lambda path: path.partition("-")[0]):
        paths = list(group)
        cells = []
        for statuses in _COLUMNS:
            counts = [(path, sum(kinds[path, status] for status in statuses)) for path in paths]
            told = [f"{path.partition('-')[2] or path} ({count})" for path, count in counts if count]
            cells.append(", ".join(told))
        rows.append((segment, str(tally.segments[segment] or tally.fields[segment]), *cells))
    return Table("fields", ("segment", "messages", "used", "unreadable", "ignored on purpose", "not mapped"), rows)


def _ends(tally: Tally) -> Counter[tuple[str, FieldStatus]]:
    """How many messages have a field that ended so."""
    found: Counter[tuple[str, FieldStatus]] = Counter()
    for (path, status, _), count in tally.uses.items():
        found[path, status] += count
    return Counter({(path, status): min(count, tally.fields[path]) for (path, status), count in found.items()})


def _fields(tally: Tally) -> Table:
    """Where a field is used in some messages and not in others it has a row for each; an unread segment has one row."""
    kinds = _ends(tally)
    texts: dict[tuple[str, FieldStatus], str] = {}
    for (path, status, text), _ in _most(tally.uses):
        texts.setdefault((path, status), text)
    rows = []
    for segment, paths in groupby(report.ordered(tally.fields), key=lambda path: path.partition("-")[0]):
        fields = list(paths)
        if len(fields) > 1 and not any(kinds[path, status] for path in fields for status in ("used", "unreadable")):
            what = f"{len(fields)} fields, of which nothing is read"
            rows.append((f"{segment}-*", "not mapped", str(tally.segments[segment]), what))
            continue
        for path, status in product(fields, report.STATUSES):
            if kinds[path, status]:
                text = "" if status in ("not-mapped", "z-segment") else texts[path, status]
                rows.append((path, _NAMES.get(status, status), str(kinds[path, status]), text))
    return Table("fields", ("field", "became", "messages", "what, or why not"), rows)


def _notes(tally: Tally) -> Table:
    rows = [(path, text, str(count)) for (path, status, text), count in _most(tally.uses) if status == "unreadable"]
    return Table("notes", ("field", "rule", "messages"), rows)


def _codes(tally: Tally, kind: report.CodeKind) -> Table:
    rows = [
        (seen.system, seen.code, str(count), seen.standing) for seen, count in _most(tally.codes) if seen.kind == kind
    ]
    title = {"class": "classes"}.get(kind, kind.removesuffix("is") + ("es" if kind.endswith("is") else "s"))
    title = {"order class": "order classes"}.get(kind, title)
    shown = _cut(rows, lambda left: ("", f"and {left} more", "", "--format json"))
    return Table(title, ("system", "code", "messages", "is"), shown)


def _cut(rows: Sequence[tuple[str, ...]], more: Callable[[int], tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    return rows if len(rows) <= _SHOWN else [*rows[:_SHOWN], more(len(rows) - _SHOWN)]


def _most(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _number(count: int) -> str:
    return str(count) if count else "."


def _right(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Cells of columns that hold numbers only, set to the right; the head of such a column too."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    for column in columns:
        if column[1:] and all(cell.isdigit() or cell in ("", ".") for cell in column[1:]):
            width = max(map(len, column))
            column[:] = [f"{cell:>{width}}" for cell in column]
    return [list(row) for row in zip(*columns, strict=True)]
