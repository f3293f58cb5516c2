"""Structured log lines that cannot carry a person's data.

A line has a constant event name and fields from a closed list: ids of ours, counts, durations,
codes, class names. There is no way to log a message, a resource or an exception's text.
"""

import json
import logging
import sys

FIELDS = frozenset(
    {
        "address", "batch", "client", "code", "connections", "count", "database", "error", "interaction", "job",
        "kind", "ledger", "location", "milliseconds", "organization", "outcome", "port", "process", "reason",
        "resource_type", "rows", "segment", "sender", "signal", "size", "state", "status", "version",
    }
)  # fmt: skip

_logger = logging.getLogger("throughline")


def configure(level: str) -> None:
    """Lines go to stderr as JSON, one object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _logger.handlers[:] = [handler]
    _logger.setLevel(level)
    _logger.propagate = False


def info(event: str, **fields: str | float | None) -> None:
    """Something happened that an operator may want to see."""
    _write(logging.INFO, event, fields)


def warning(event: str, **fields: str | float | None) -> None:
    """Something that an operator should look at."""
    _write(logging.WARNING, event, fields)


def error(event: str, fault: BaseException | None = None, **fields: str | float | None) -> None:
    """Something failed. Of ``fault`` only the class and the place are written, never its text."""
    if fault is not None:
        fields["error"] = type(fault).__name__
        trace = fault.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            fields["location"] = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    _write(logging.ERROR, event, fields)


def _write(level: int, event: str, fields: dict[str, str | float | None]) -> None:
    if _logger.isEnabledFor(level):
        known = {name: value for name, value in fields.items() if name in FIELDS}
        _logger.log(level, json.dumps({"event": event, "level": logging.getLevelName(level), **known}))
