"""How what a partner says of whether a person is in care is written: in the commit of the Task that says it."""

from typing import Final

from app.store.statements import Statement

_COLUMNS: Final = (
    ("id", "text"),
    ("task", "text"),
    ("organization", "text"),
    ("point", "text"),
    ("answer", "text"),
    ("day", "text"),
    ("attested_by", "text"),
    ("at", "big"),
    ("list", "text"),
    ("week", "text"),
)
RETENTION: Final = Statement(
    name="retention_answer",
    columns=_COLUMNS,
    template="insert into retention_answer ({names}) select {names} from {rows}",
    sqlite=(
        "insert into retention_answer (id, task, organization, point, answer, day, attested_by, at, list, week) "
        "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
    ),
)
