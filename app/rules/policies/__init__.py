"""The clauses. A kind of policy is one module here; it is found by listing the folder."""

from importlib import import_module
from pkgutil import iter_modules

from app.rules.policies.base import Clause


def _listed() -> dict[str, Clause]:
    found = (getattr(import_module(f"{__name__}.{one.name}"), "CLAUSE", None) for one in iter_modules(__path__))
    return {clause.name: clause for clause in found if isinstance(clause, Clause)}


ALL: dict[str, Clause] = _listed()
"""Name to clause, in the order of the names."""
