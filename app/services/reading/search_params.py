"""Search parameters of a request to a query of the store (FHIR R4 3.1.1, https://hl7.org/fhir/R4/search.html).

Only what a ResourceSpec declares is searched; anything else is refused by name, or left out and said
so under ``Prefer: handling=lenient``. Nothing is silently widened.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

from app.core.errors import NotSupported
from app.services.reading.search_asked import MAX_COUNT, Asked, Clause, Include, malformed, refused
from app.services.reading.search_dates import date
from app.services.reading.search_values import Wanted, coded, split
from app.services.reading.subset_params import subset_of
from app.store.queries import ColumnMissing, Order
from schemas.resources import ALL
from schemas.resources.base import ResourceSpec, SearchParam

Pairs = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def parse(resource_type: str, pairs: Pairs, *, lenient: bool) -> Asked:
    """The request's parameters; what can't be asked is refused by name.

    A poller asks the same again and again, so the answer is kept; it holds no data and is not changed.

    Raises:
        NotSupported: a parameter or modifier that this server does not know, unless ``lenient``.
        BadRequest: a value that can't be read.
    """
    spec = ALL[resource_type]
    asked = Asked(resource_type)
    for name, value in pairs:
        try:
            _parameter(asked, spec, name, value)
        except NotSupported:
            if not lenient:
                raise
            asked.ignored.append(name)
            continue
        asked.used.append((name, value))
    asked.subset = subset_of(resource_type, asked.used)
    _check_together(asked)
    if asked.used:
        asked.link = f"?{urlencode(asked.used)}"
    return asked


def _parameter(asked: Asked, spec: ResourceSpec, name: str, value: str) -> None:
    handler = _HANDLERS.get(name)
    if handler is not None:
        handler(asked, value)
    else:
        _resource_parameter(asked, spec, name, value)


def _check_together(asked: Asked) -> None:
    if asked.includes and asked.subset is not None and asked.subset.mode == "text":
        raise malformed("_summary", "text can't be combined with _include or _revinclude.")


# ---- parameters about the result


def _count(asked: Asked, value: str) -> None:
    if not value.isascii() or not value.isdecimal() or len(value) > 6:
        raise malformed("_count", "a whole number from 0 on is expected.")
    asked.count = min(int(value), MAX_COUNT)
    if asked.count == 0:
        asked.count_only = True


def _sort(asked: Asked, value: str) -> None:
    sorts = ALL[asked.type].sorts
    keys: dict[str, Order] = {}
    for rule in value.split(","):
        name = rule.removeprefix("-")
        if name not in sorts:
            raise refused("_sort", f"these can be sorted by, with - from the last: {', '.join(sorted(sorts))}.")
        keys.setdefault(sorts[name], Order(sorts[name], rule.startswith("-")))
    # Whatever comes behind a key that no two resources share is never asked.
    named = [*keys]
    unique = [place for place, column in enumerate(named) if column in {"id", "last_updated"}]
    asked.order = tuple(keys.values())[: unique[0] + 1] if unique else (*keys.values(), Order("id"))


def _total(asked: Asked, value: str) -> None:
    if value not in {"none", "estimate", "accurate"}:
        raise malformed("_total", "none, estimate or accurate is expected.")
    asked.total = value != "none"


def _summary(asked: Asked, value: str) -> None:
    asked.count_only = asked.count_only or value == "count"


def _unread(_asked: Asked, _value: str) -> None:
    """Read elsewhere, or a wish that nothing has to follow."""


def _include(name: str) -> Callable[[Asked, str], None]:
    _, *iterate = name.split(":")

    def read(asked: Asked, value: str) -> None:
        include = _referring(name, value)
        if not iterate and include.source != asked.type:
            raise refused(name, f"it starts with {asked.type}, or is an {name}:iterate.")
        asked.includes.append(include)

    return read


def _revinclude(name: str) -> Callable[[Asked, str], None]:
    _, *iterate = name.split(":")

    def read(asked: Asked, value: str) -> None:
        include = _referring(name, value)
        reaches = ALL[include.source].revincludes.get(include.name)
        if reaches is None or not (iterate or not reaches or asked.type in reaches):
            raise refused(name, f"not one that leads from {asked.type}; see the CapabilityStatement.")
        asked.includes.append(include)

    return read


def _referring(name: str, value: str) -> Include:
    """``Task:focus`` or ``Task:focus:ServiceRequest``."""
    source, _, rest = value.partition(":")
    param_name, _, target = rest.partition(":")
    spec = ALL.get(source)
    if spec is None or f"{source}:{param_name}" not in spec.references:
        raise refused(name, "Type:parameter is expected, as the CapabilityStatement lists them.")
    param = spec.params[param_name]
    if target and target not in (param.targets or ALL):
        raise refused(name, "the type behind the last colon is none that this reference points to.")
    base, _, iterate = name.partition(":")
    return Include(source, param, target or None, iterate=bool(iterate), reverse=base == "_revinclude")


_HANDLERS: Final[dict[str, Callable[[Asked, str], None]]] = {
    "_count": _count,
    "_sort": _sort,
    "_include": _include("_include"),
    "_include:iterate": _include("_include:iterate"),
    "_revinclude": _revinclude("_revinclude"),
    "_revinclude:iterate": _revinclude("_revinclude:iterate"),
    "_total": _total,
    "_summary": _summary,
    "_elements": _unread,
    "_format": _unread,
    "_pretty": _unread,
}


# ---- parameters about the resource


def _resource_parameter(asked: Asked, spec: ResourceSpec, name: str, value: str) -> None:
    base, _, modifier = name.partition(":")
    param = spec.params.get(base)
    if param is None:
        raise refused(name, f"not a search parameter of {spec.type} on this server.")
    if name.endswith(":"):
        raise refused(name, "a modifier is expected behind the colon.")
    values = split(value)
    if not all(values):
        raise malformed(name, "a value is expected, and one between commas.")
    if modifier == "missing":
        asked.demand(_missing(param, name, value))
    elif param.kind == "date":
        date(asked, param, name, values)
    else:
        coded(asked, spec, Wanted(param, name, modifier, values))


def _missing(param: SearchParam, name: str, value: str) -> Clause:
    if value not in {"true", "false"}:
        raise malformed(name, "true or false is expected.")
    missing = value == "true"
    if param.column is not None:
        return ColumnMissing(param.column, missing)
    return lambda resource: (not param.extract(resource)) == missing
