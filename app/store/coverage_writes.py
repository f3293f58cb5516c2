"""How the coverage clock is written: its events, and the one job by which it is looked at again."""

from typing import Final

from app.store.statements import Statement

_COLUMNS: Final = (
    ("id", "text"),
    ("referral", "text"),
    ("visit", "text"),
    ("at", "big"),
    ("cause", "text"),
    ("why", "text"),
    ("digest", "text"),
    ("inputs", "bytes"),
    ("outputs", "text"),
)
COVERAGE_EVENTS: Final = Statement(
    name="coverage_event",
    columns=_COLUMNS,
    template="insert into coverage_event ({names}) select {names} from {rows}",
    sqlite=(
        f"insert into coverage_event ({', '.join(name for name, _ in _COLUMNS)}) "
        f"values ({', '.join(f'?{n}' for n in range(1, len(_COLUMNS) + 1))})"
    ),
)
JOBS_GONE: Final = Statement(
    name="job",
    columns=(("id", "text"),),
    template="delete from job where id in (select id from {rows})",
    sqlite="delete from job where id = ?1",
)
"""A job that is being done loses its row too: it finishes all the same."""
