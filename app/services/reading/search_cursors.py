"""Where a search goes on: sealed, and bound to the organisation and to what it searches.

A search by ascending lastUpdated simply goes on: what changes meanwhile moves to its end and is met again. In any
other order a match could change its place and never be met. So such a search keeps to what had not changed since its
first page, where every place is fixed, and at its end goes on with what has, by ascending lastUpdated.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from app.core.actor import Actor
from app.core.crypto import Keys, Unreadable
from app.core.errors import BadRequest, Issue
from app.services.reading.search_asked import Asked
from app.services.reading.search_params import Pairs
from app.store.queries import OLDEST_FIRST, Beyond, ColumnIs, Key, Order, Query

_FORMAT: Final = "2"
_HARMLESS: Final = frozenset({"_format", "_pretty"})
"""What a client may add to a cursor."""


@dataclass(frozen=True, slots=True)
class Position:
    """The place between two pages."""

    after: tuple[Key, ...]
    """The last match, as it stands in the order."""
    since: int
    """lastUpdated of the organisation's newest change at the first page (microseconds)."""
    changed: bool = False
    """Whether it stands among what has changed since."""


def query_of(asked: Asked, position: Position | None, limit: int) -> Query:
    """The search from ``position`` on."""
    order = order_of(asked, position)
    conditions = tuple(asked.conditions)
    if position is not None:
        conditions += (Beyond(order, position.after),)
        if not position.changed and order != OLDEST_FIRST:
            conditions += (ColumnIs("last_updated", "le", position.since),)
    return Query(asked.type, conditions, order, limit)


def order_of(asked: Asked, position: Position | None) -> tuple[Order, ...]:
    """In which order the page at ``position`` is."""
    return OLDEST_FIRST if position is not None and position.changed else asked.order


def seal(keys: Keys, actor: Actor, asked: Asked, position: Position) -> str:
    """``position`` as a cursor."""
    content = {"a": position.after, "s": position.since, "c": position.changed, "q": asked.used}
    return keys.seal_cursor(_scope(actor, asked.type), orjson.dumps(content))


def resumed(keys: Keys, actor: Actor, resource_type: str, pairs: Pairs) -> tuple[Position | None, Pairs]:
    """Position and parameters of a search: its own, or those of its cursor.

    Raises BadRequest where the cursor is not one that this organisation got for this search.
    """
    cursors = [value for name, value in pairs if name == "_cursor"]
    if not cursors:
        return None, pairs
    if len(cursors) > 1:
        raise _unusable()
    try:
        content: Any = orjson.loads(keys.open_cursor(_scope(actor, resource_type), cursors[0]))
    except Unreadable:
        raise _unusable() from None
    # The size of a page may change from page to page: some clients name one at each.
    sizes = tuple(pair for pair in pairs if pair[0] == "_count")
    query = tuple((name, value) for name, value in content["q"] if name != "_count" or not sizes) + sizes
    beside = {pair for pair in pairs if pair[0] != "_cursor" and pair[0] not in _HARMLESS}
    if not beside <= {*query}:
        raise _unusable()
    return Position(tuple(content["a"]), content["s"], content["c"]), query


def _scope(actor: Actor, resource_type: str) -> str:
    return f"{actor.organization or ''}|{resource_type}|{_FORMAT}"


def _unusable() -> BadRequest:
    text = "The cursor is not one of this search; follow a next link as it is, or start again without _cursor."
    return BadRequest(text, issues=(Issue("value", text, "http._cursor"),))
