"""What is asked of stored resources, and what comes back: plain values, no SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from schemas.served import NOTHING

Operator = Literal["eq", "gt", "ge", "lt", "le", "ne"]
Key = str | int | None
"""A value that is sorted by."""


class Row(NamedTuple):
    """One version of one resource, as the actor may see it."""

    id: str
    type: str
    version: int
    last_updated: int
    content: bytes
    level: str
    disclosed: int
    """Highest version that this organisation was already given at this level."""
    until: int | None = None
    """When it ceases to be visible (microseconds); None: no end."""
    decision: str | None = None
    """The decision that permits it; None for the directory and the organisation's own."""
    notice: str | None = None
    """The notice that must travel with it: the id of a policy pack."""
    key: tuple[Key, ...] = ()
    """Its values in the order of the search that found it."""

    @property
    def deleted(self) -> bool:
        """Whether this version says that the resource is no more."""
        return self.content == NOTHING


class Fresh(NamedTuple):
    """One version that an organisation is given for the first time, and the decision that permits it."""

    id: str
    version: int
    level: str
    decision: str | None = None


_PLAIN = len(Row._fields) - 1
"""Fields of a row without its key."""


def row_of(record: Sequence[Any]) -> Row:
    """A row as statements give it: its fields in their order, then the values of its key."""
    return Row._make((*record[:_PLAIN], tuple(record[_PLAIN:])))


class Shown(NamedTuple):
    """SQL expressions of what an actor's visibility says of a resource."""

    level: str
    disclosed: str
    until: str
    decision: str
    notice: str


@dataclass(frozen=True, slots=True)
class ColumnIn:
    """A typed column is one of ``values`` (or none of them)."""

    column: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class ColumnIs:
    """A typed number compares with ``value`` (microseconds)."""

    column: str
    operator: Operator
    value: int


@dataclass(frozen=True, slots=True)
class NewSince:
    """Changed, or become visible to who asks, after ``value`` (``gt``) or from it on (``ge``), in microseconds."""

    operator: Literal["gt", "ge"]
    value: int


@dataclass(frozen=True, slots=True)
class ColumnMissing:
    """A typed column is empty (or not)."""

    column: str
    missing: bool


@dataclass(frozen=True, slots=True)
class IndexIn:
    """The generic index holds one of ``values`` (exact, or as a prefix) for parameter ``name``."""

    name: str
    values: tuple[str, ...]
    prefix: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IdIn:
    """The id is one of ``ids``."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnStarts:
    """A typed text column starts with one of ``values``."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of ``options`` holds."""

    options: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Each of ``parts`` holds."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """``option`` does not hold; also where what it asks for is not there at all."""

    option: "Condition"


class Order(NamedTuple):
    """One key of a sort; what lacks it comes last either way."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Beyond:
    """Stands after the place ``values`` in the order ``order``, whose last key no two resources share."""

    order: tuple[Order, ...]
    values: tuple[Key, ...]


Condition = (
    ColumnIn | ColumnIs | ColumnMissing | ColumnStarts | IndexIn | IdIn | NewSince | AnyOf | AllOf | Not | Beyond
)
OLDEST_FIRST = (Order("last_updated"),)
"""By lastUpdated, which no two resources share."""


class Query(NamedTuple):
    """A search for one type. The last key of ``order`` is one that no two resources share: last_updated or id."""

    type: str
    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = OLDEST_FIRST
    limit: int = 50


class Follow(NamedTuple):
    """A reference of the matches that leads to what is included."""

    column: str
    target: str | None = None
    """The type that it must point to; None: any."""
    further: str | None = None
    """The parameter of the generic index that holds further values; None: the column holds the only one."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search."""

    stamp: int
    """Whatever this organisation sees later has a greater lastUpdated (microseconds).

    It is of the newest change of what the organisation sees: that of all changes would tell of others. For the hub
    itself it is of all.
    """
    changed: int
    """A number that grows with every change of what the organisation may see."""
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class WrittenPage:
    """One page of a search, written as entries of a searchset Bundle."""

    stamp: int
    changed: int
    count: int
    more: bool
    last: tuple[Key, ...]
    """Where the last match stands in the order of the search."""
    entries: bytes
    """``{"fullUrl":…,"resource":…,"search":{"mode":"match"}},…``, then what is included."""
    fresh: tuple[Fresh, ...]
    """What is in it that this organisation has not been given yet."""
    notices: tuple[str, ...]
    """Of all that is in it, each once."""
    shown: tuple[str, ...]
    """Ids of all that is in it."""
    until: int | None = None
    """When the first of what is in it, or of what tells of a further page, ceases to be visible; None: never."""


class Counted(NamedTuple):
    """How many there are, and when the first of them ceases to be visible (None: never)."""

    number: int
    until: int | None


class Versions(NamedTuple):
    """A part of a resource's history, newest first, of ``number`` versions in all."""

    rows: list[Row]
    number: int


def fresh_of(rows: Iterable[Row]) -> tuple[Fresh, ...]:
    """Those that have not been given yet."""
    return tuple(Fresh(row.id, row.version, row.level, row.decision) for row in rows if row.disclosed < row.version)


def notices_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """The notices that must travel with ``rows``, each once."""
    return tuple(sorted({row.notice for row in rows if row.notice is not None}))


def first_end(rows: Iterable[Row]) -> int | None:
    """When the first of ``rows`` ceases to be visible; None: never."""
    return earliest(row.until for row in rows)


def earliest(ends: Iterable[int | None]) -> int | None:
    """The first of some ends, of which None is none."""
    return min((end for end in ends if end is not None), default=None)
