"""The FHIR types of the hub. A type is one module here; it is found by listing the folder."""

from importlib import import_module
from pkgutil import iter_modules

from schemas.resources.base import ResourceSpec


def _listed() -> dict[str, ResourceSpec]:
    specs = (getattr(import_module(f"{__name__}.{found.name}"), "SPEC", None) for found in iter_modules(__path__))
    return {spec.type: spec for spec in specs if isinstance(spec, ResourceSpec)}


ALL: dict[str, ResourceSpec] = _listed()
"""FHIR type to its spec."""
