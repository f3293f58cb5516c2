"""Which elements FHIR R4 types have, which of them are mandatory, and which stand in a summary.

Read from ``r4/summary.json``, which ``tools.derive_summary`` writes.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

Summary = Mapping[str, "Summary | None"]
"""Element to what stands in the summary below it; None: all of it."""


class Shape(NamedTuple):
    """The elements of one type, by their names in JSON."""

    elements: frozenset[str]
    choices: Mapping[str, frozenset[str]]
    """``value`` to valueString, valueQuantity and so on."""
    mandatory: frozenset[str]
    summary: Summary

    def named(self, name: str) -> frozenset[str]:
        """The elements that an element's name in the specification stands for; none where there is none."""
        plain = name.removesuffix("[x]")
        return self.choices.get(plain, frozenset({plain} & self.elements))


@cache
def _shapes() -> Mapping[str, Shape]:
    text = (files("schemas") / "r4" / "summary.json").read_text(encoding="utf-8")
    return {
        name: Shape(
            frozenset(found["elements"]),
            {choice: frozenset(keys) for choice, keys in found["choices"].items()},
            frozenset(found["mandatory"]),
            found["summary"],
        )
        for name, found in json.loads(text).items()
    }


def shape_of(resource_type: str) -> Shape:
    """The shape of a type. Raises KeyError for one that this server does not know."""
    return _shapes()[resource_type]
