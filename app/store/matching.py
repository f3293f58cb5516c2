"""Conditions and orders of a query as SQL, its values as parameters."""

from collections.abc import Sequence
from typing import Any, Final

from app.store.changes import OFFER_PATIENT
from app.store.database import Database
from app.store.queries import (
    AllOf,
    AnyOf,
    Beyond,
    ColumnIn,
    ColumnIs,
    ColumnMissing,
    ColumnStarts,
    Condition,
    IdIn,
    IndexIn,
    Key,
    NewSince,
    Not,
    Order,
    Query,
)
from app.store.statements import RESOURCE_COLUMNS

_OPERATORS: Final = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "ne": "<>"}
_COLUMNS: Final = frozenset((*RESOURCE_COLUMNS, "last_updated", "id"))
_ALWAYS: Final = frozenset({"last_updated", "id"})
"""Columns that are never empty."""
_NUMBERS: Final = frozenset({"last_updated", "authored_on"})
_WHOLE_ONLY: Final = frozenset({"requester", "patient", "priority", "part_of", "group_identifier", "authored_on"})
"""Columns that an offer does not show, or shows otherwise: who may see the offer only can't ask for them."""
_SHOWN_ELSEWHERE: Final = frozenset({"code"})
"""Parameters that an offer shows in a column alone; what the index holds of them besides is of the whole."""
_IS_WHOLE: Final = "v.level = 'full'"
_SELECTIVE: Final = frozenset({"id", "owner", "requester", "patient", "focus", "part_of", "group_identifier"})


def is_selective(condition: Condition) -> bool:
    """Whether few resources meet it, and an index finds them."""
    match condition:
        case IdIn():
            return True
        case ColumnIn(column, _, negated):
            return column in _SELECTIVE and not negated
        case IndexIn(_, _, _, negated):
            return not negated
        case AllOf(parts):
            return any(is_selective(part) for part in parts)
    return False


def known(column: str) -> str:
    """``column``, which is one that is searched by; ValueError otherwise."""
    if column not in _COLUMNS:
        raise ValueError("not a typed column")
    return column


class Sql:
    """The parameters of one statement, and the text that names them; ``r`` is the resource."""

    def __init__(self, database: Database, *, granted: bool) -> None:
        """``granted``: whether what is seen was granted, by rows ``v`` of ``visibility``."""
        self.args: list[Any] = []
        self._database = database
        self._granted = granted

    def bind(self, value: Any) -> str:
        """The name of a new parameter."""
        self.args.append(value)
        return f"${len(self.args)}"

    def where(self, query: Query) -> str:
        """Everything that a match of ``query`` meets, visibility excepted."""
        # The type is written out so that the planner sees that a partial index covers the query.
        if not query.type.isalpha():
            raise ValueError("a resource type is a word")
        parts = [f"r.type = '{query.type}'", "not r.deleted"]
        parts += [self._condition(query.type, condition) for condition in query.conditions]
        if self._granted:
            # Asked one by one and only of offers: an "exists" could be planned as a look at every body there is.
            parts.append(
                f"({_IS_WHOLE} or (select count(*) from body o where o.id = r.id and o.version = r.version "
                "and o.rendition = v.level) = 1)"
            )
        return " where " + " and ".join(parts)

    def is_one_of(self, expression: str, values: Sequence[str]) -> str:
        """Membership."""
        if len(values) == 1:
            return f"{expression} = {self.bind(values[0])}"
        return self._database.any_of(expression, self.bind(self._database.array(values)))

    @property
    def whole(self) -> str:
        """Whether the whole is seen of ``r``, and not its offer."""
        return _IS_WHOLE if self._granted else "true"

    def seen(self, column: str) -> str:
        """What is seen of a typed column of ``r``."""
        if not self._granted or known(column) not in _WHOLE_ONLY:
            return f"r.{known(column)}"
        offered = "end"
        if column == "patient":
            offered = f"else (select i.value from search_index i where i.id = r.id and i.name = '{OFFER_PATIENT}') end"
        return f"case when {_IS_WHOLE} then r.{column} {offered}"

    def _condition(self, resource_type: str, condition: Condition, *, inside_not: bool = False) -> str:
        match condition:
            case AnyOf(options):
                return self._joined(" or ", resource_type, options, inside_not=inside_not)
            case AllOf(parts):
                return self._joined(" and ", resource_type, parts, inside_not=inside_not)
            case Not(option):
                return f"({self._condition(resource_type, option, inside_not=not inside_not)}) is not true"
            case IndexIn(name):
                test = self._indexed(resource_type, condition)
                return self._of_the_whole(test, inside_not=inside_not and name not in _SHOWN_ELSEWHERE)
            case Beyond(order, values):
                return self._beyond(order, values)
            case NewSince(operator, value):
                return self._new_since(_OPERATORS[operator], self.bind(value))
            case IdIn(ids):
                return self.is_one_of("r.id", ids)
            case _:
                test = self._column(condition)
                hidden = condition.column in _WHOLE_ONLY
                return self._of_the_whole(test, inside_not=inside_not) if hidden else test

    def _joined(self, word: str, resource_type: str, parts: Sequence[Condition], *, inside_not: bool) -> str:
        return f"({word.join(self._condition(resource_type, part, inside_not=inside_not) for part in parts)})"

    def _of_the_whole(self, test: str, *, inside_not: bool) -> str:
        """``test``, so that no offer is found by it: where it is negated every offer meets it."""
        if not self._granted:
            return test
        return f"(not {_IS_WHOLE} or {test})" if inside_not else f"({_IS_WHOLE} and {test})"

    def _column(self, condition: ColumnIn | ColumnIs | ColumnStarts | ColumnMissing) -> str:
        match condition:
            case ColumnIn(column, values, negated):
                test = self.is_one_of(f"r.{known(column)}", values)
                return f"(r.{column} is null or not {test})" if negated else test
            case ColumnIs(column, operator, value):
                return f"r.{known(column)} {_OPERATORS[operator]} {self.bind(value)}"
            case ColumnStarts(column, values):
                return self._starts(f"r.{known(column)}", values)
            case ColumnMissing(column, missing):
                return f"r.{known(column)} is {'' if missing else 'not '}null"

    def _new_since(self, operator: str, value: str) -> str:
        changed = f"r.last_updated {operator} {value}"
        if not self._granted:
            return changed
        return (
            f"({changed} or exists (select 1 from change g where g.id = v.cause and g.version = v.cause_version "
            f"and g.last_updated {operator} {value}))"
        )

    def _starts(self, expression: str, values: Sequence[str]) -> str:
        tests = [
            f"({expression} >= {self.bind(value)} and {expression} < {self.bind(value + chr(0x10FFFF))})"
            for value in values
        ]
        return "(" + " or ".join(tests) + ")"

    def _indexed(self, resource_type: str, condition: IndexIn) -> str:
        name = self.bind(condition.name)
        if condition.prefix:
            test = self._starts("i.value", condition.values)
        else:
            test = self.is_one_of("i.value", condition.values)
        return (
            f"r.id {'not ' if condition.negated else ''}in (select i.id from search_index i "
            f"where i.type = '{resource_type}' and i.name = {name} and {test})"
        )

    def _beyond(self, order: tuple[Order, ...], values: tuple[Key, ...]) -> str:
        one, value = order[0], values[0]
        column = self.seen(one.column)
        further = self._beyond(order[1:], values[1:]) if len(order) > 1 else "false"
        if value is None:
            return f"({column} is null and {further})"
        # PostgreSQL has to be told what a parameter is that stands in two places.
        bound = f"cast({self.bind(value)} as {'bigint' if one.column in _NUMBERS else 'text'})"
        past = f"{column} {'<' if one.descending else '>'} {bound}"
        if len(order) == 1:
            return past
        after = past if one.column in _ALWAYS else f"{past} or {column} is null"
        return f"({after} or ({column} = {bound} and {further}))"


def order_by(order: tuple[Order, ...], names: Sequence[str]) -> str:
    """The order clause over ``names``, one for each key."""
    keys = [f"{name} {_direction(one)}" for one, name in zip(order, names, strict=True)]
    return f"order by {', '.join(keys)}"


def _direction(one: Order) -> str:
    way = "desc" if one.descending else "asc"
    # An index gives the order of a column that is never empty, but not where it is asked for the place of the empty.
    return way if one.column in _ALWAYS else f"{way} nulls last"
