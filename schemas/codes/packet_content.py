"""What the packet of each need holds: read from ``packet_content.json``, each need with its reason and its source.

``resources`` are types, or a type with a kind: ``MedicationRequest/plan`` (its intent), ``Observation/mobility`` (a
code of ``local.FACT``). A type alone means every kind. What is not named does not go.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple


class PacketContent(NamedTuple):
    """What may go to who takes one kind of need."""

    resources: frozenset[str]
    elements: frozenset[str]
    """Elements of the child ServiceRequest and Task that may stand, of those that tell of the visit."""
    offer: frozenset[str]
    """Which of ``product`` and ``due`` (codes of ``local.OFFER``) an offer tells."""
    reason: str
    source: str


@cache
def packet_contents() -> Mapping[str, PacketContent]:
    """The content of a packet by kind of need."""
    text = (files("schemas") / "codes" / "packet_content.json").read_text(encoding="utf-8")
    return MappingProxyType(
        {
            need: PacketContent(
                frozenset(row["resources"]),
                frozenset(row["elements"]),
                frozenset(row["offer"]),
                row["reason"],
                row["source"],
            )
            for need, row in json.loads(text).items()
        }
    )
