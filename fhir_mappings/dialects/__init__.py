"""The source formats that the hub reads, found by listing this folder (see README.md)."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from fhir_mappings.dialects.base import Dialect


@cache
def names() -> tuple[str, ...]:
    """Every dialect, by name of its folder."""
    return tuple(sorted(module.name for module in iter_modules(__path__) if module.ispkg))


@cache
def find(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        LookupError: No folder has that name.
    """
    if name not in names():
        raise LookupError(f"no dialect of that name; there are: {', '.join(names())}")
    dialect: Dialect = import_module(f"{__name__}.{name}.dialect").DIALECT
    return dialect
