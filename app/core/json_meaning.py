"""Whether two JSON values mean the same, and which list entries one has beyond the other.

Instants are compared by the moment, numbers by value, objects without regard to the order of their
members and lists without regard to the order of their entries. Everything else is compared exactly.
"""

import re
from collections.abc import Hashable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


def meaning(value: Any) -> Hashable:
    """A value that is equal for all JSON values of the same meaning."""
    if isinstance(value, dict):
        return frozenset((key, meaning(item)) for key, item in value.items())
    if isinstance(value, list):
        return ("list", _counted(value))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return ("literal", value)
    return Decimal(str(value))


def same(left: Any, right: Any) -> bool:
    """Equal by meaning."""
    return meaning(left) == meaning(right)


def beyond(longer: Sequence[Any], shorter: Sequence[Any]) -> list[Any] | None:
    """The entries that ``longer`` has beyond ``shorter``, in their order; None when it lacks one of them.

    Entries are counted: two equal entries beside one leave one.
    """
    more = added(longer, shorter)
    return more if len(longer) - len(more) == len(shorter) else None


def added(entries: Sequence[Any], held: Sequence[Any]) -> list[Any]:
    """Those of ``entries`` that ``held`` has not, in their order, counted as in ``beyond``."""
    left = dict(_counted(held))
    more = []
    for entry in entries:
        key = meaning(entry)
        if left.get(key):
            left[key] -= 1
        else:
            more.append(entry)
    return more


def _counted(values: Sequence[Any]) -> frozenset[tuple[Hashable, int]]:
    counts: dict[Hashable, int] = {}
    for value in values:
        key = meaning(value)
        counts[key] = counts.get(key, 0) + 1
    return frozenset(counts.items())


def _text(value: str) -> Hashable:
    found = _INSTANT.fullmatch(value) if value[:1].isdigit() else None
    if found is None:
        return value
    seconds, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(seconds + zone).timestamp()
    except ValueError:
        return value
    return ("instant", moment, (fraction or "").rstrip("0"))
