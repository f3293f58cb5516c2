"""General designations of recipients as consent forms word them: ``classes.csv`` of each policy pack.

A wording stands in a table only where its source gives it. What is in none is a name, and a name that no organisation
bears permits nothing. Which organisations a class holds, and for what, is said in the pack itself.
"""

import csv
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


def _key(wording: str) -> str:
    return " ".join(wording.split()).rstrip(".").casefold()


def _classes() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(_HERE.glob("*/classes.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            found |= {_key(row["wording"]): row["class"] for row in csv.DictReader(lines)}
    return found


_CLASSES: Final = _classes()


def class_of(wording: str) -> str | None:
    """The class that a wording designates, whatever its capitals, spaces and last full stop; None for a name.

    A wording that strings several classes together counts as its first one: no other is read out of it.
    """
    return _CLASSES.get(_key(wording))
