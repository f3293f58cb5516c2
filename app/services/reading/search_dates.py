"""Date parameters of a search (FHIR R4 3.1.1.4.5 and 3.1.1.5.7, https://hl7.org/fhir/R4/search.html#prefix, #date)."""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from app.services.reading.search_asked import Asked, Clause, malformed, refused
from app.services.writing import Resource
from app.store.queries import AllOf, AnyOf, ColumnIs, Condition, NewSince, Not
from schemas.resources.base import SearchParam
from schemas.resources.times import OPEN_END, OPEN_START, date_range

Prefix = Literal["eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap"]
Range = tuple[int, int]
"""First instant and end (exclusive), in microseconds."""
_PREFIXES: Final[dict[str, Prefix]] = {
    "eq": "eq",
    "ne": "ne",
    "gt": "gt",
    "ge": "ge",
    "lt": "lt",
    "le": "le",
    "sa": "sa",
    "eb": "eb",
    "ap": "ap",
}
_GRANTED_AT_ONCE: Final = frozenset({"Task", "ServiceRequest", "AuditEvent"})
"""Types that are visible from their first version on to everybody who ever sees them."""
_NEAR: Final = 10
"""``ap`` reaches a tenth of the gap between now and the date further, as R4 recommends."""


class When(NamedTuple):
    """One value: a range of instants, and how a match relates to it."""

    prefix: Prefix
    start: int
    end: int
    exact: bool
    """Whether it was written as an instant: then it is compared as it was sent, not as the second that it is in."""


def date(asked: Asked, param: SearchParam, name: str, values: Sequence[str]) -> None:
    """Matches have a date that one of ``values`` describes."""
    if ":" in name:
        raise refused(name, "a date takes no modifier but :missing.")
    moments = [_read(name, value) for value in values]
    if param.name == "_lastUpdated" and asked.type not in _GRANTED_AT_ONCE:
        moments = [moment for moment in moments if not _since(asked, moment, alone=len(values) == 1)]
        if not moments:
            return
    if any(moment.prefix == "ap" for moment in moments):
        asked.late.append(lambda now: _clause(param, [_settled(moment, now) for moment in moments]))
    else:
        asked.demand(_clause(param, moments))


def _since(asked: Asked, moment: When, *, alone: bool) -> bool:
    """Whether this is the question of one who polls; what has become visible is news then, however old it is."""
    if not alone or moment.prefix not in {"gt", "ge"}:
        return False
    if moment.prefix == "gt" and moment.exact:
        asked.demand(NewSince("gt", moment.start))
    else:
        asked.demand(NewSince("ge", moment.start if moment.prefix == "ge" else moment.end))
    return True


def _read(name: str, value: str) -> When:
    text = value.replace(" ", "+")
    prefix = _PREFIXES.get(text[:2], "eq")
    text = text.removeprefix(prefix)
    found = date_range(text)
    if found is None:
        raise malformed(name, "a date or instant is expected, such as ge2026-06-05 or gt2026-06-05T14:00:00Z.")
    return When(prefix, *found, exact="T" in text)


def _settled(moment: When, now: int) -> When:
    """``ap`` as the wider range that it means at ``now``."""
    if moment.prefix != "ap":
        return moment
    gap = max(moment.start - now, now - moment.end, 0) // _NEAR
    return moment._replace(start=max(moment.start - gap, OPEN_START), end=min(moment.end + gap, OPEN_END))


def _clause(param: SearchParam, moments: Sequence[When]) -> Clause:
    column = param.column
    if column is not None:
        options = tuple(_COLUMN[moment.prefix](column, moment) for moment in moments)
        return options[0] if len(options) == 1 else AnyOf(options)

    def test(resource: Resource) -> bool:
        ranges = [value for value in param.extract(resource) if isinstance(value, tuple)]
        return any(_RANGE[moment.prefix](found, moment) for found in ranges for moment in moments)

    return test


# ---- a column holds the first instant


def _within(column: str, moment: When) -> Condition:
    return AllOf((ColumnIs(column, "ge", moment.start), ColumnIs(column, "lt", moment.end)))


def _without(column: str, moment: When) -> Condition:
    return Not(_within(column, moment))


def _after(column: str, moment: When) -> Condition:
    return ColumnIs(column, "gt", moment.start) if moment.exact else ColumnIs(column, "ge", moment.end)


def _from(column: str, moment: When) -> Condition:
    return ColumnIs(column, "ge", moment.start)


def _before(column: str, moment: When) -> Condition:
    return ColumnIs(column, "lt", moment.start)


def _until(column: str, moment: When) -> Condition:
    return ColumnIs(column, "le", moment.start) if moment.exact else ColumnIs(column, "lt", moment.end)


_COLUMN: Final[dict[Prefix, Callable[[str, When], Condition]]] = {
    "eq": _within,
    "ne": _without,
    "gt": _after,
    "ge": _from,
    "lt": _before,
    "le": _until,
    "sa": _after,
    "eb": _before,
    "ap": _within,
}


# ---- everything else is a range


def _inside(found: Range, moment: When) -> bool:
    return moment.start <= found[0] and found[1] <= moment.end


_RANGE: Final[dict[Prefix, Callable[[Range, When], bool]]] = {
    "eq": _inside,
    "ne": lambda found, moment: not _inside(found, moment),
    "gt": lambda found, moment: found[1] > moment.end,
    "ge": lambda found, moment: found[1] > moment.end or _inside(found, moment),
    "lt": lambda found, moment: found[0] < moment.start,
    "le": lambda found, moment: found[0] < moment.start or _inside(found, moment),
    "sa": lambda found, moment: found[0] >= moment.end,
    "eb": lambda found, moment: found[1] <= moment.start,
    "ap": lambda found, moment: found[0] < moment.end and found[1] > moment.start,
}
