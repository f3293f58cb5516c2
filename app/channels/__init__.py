"""The ways out. A channel is one module here; it is found by listing the folder."""

from importlib import import_module
from pkgutil import iter_modules

from app.channels.base import ChannelKind


def _listed() -> dict[str, ChannelKind]:
    kinds = (getattr(import_module(f"{__name__}.{found.name}"), "CHANNEL", None) for found in iter_modules(__path__))
    return {kind.name: kind for kind in kinds if isinstance(kind, ChannelKind)}


ALL: dict[str, ChannelKind] = _listed()
"""Name as FHIR has it to the channel."""
