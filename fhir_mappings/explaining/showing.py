"""What of a message may be shown to whoever maps an interface: codes, never a name, number or time of a person."""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote

from schemas.codes import tables
from schemas.discharge import Coding

TEXT_ONLY: Final = "(text only)"
"""Stands for a value that does not have the shape of a code: it is free text and is not shown."""
_CODE = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9 _.&/-]{0,64}", re.ASCII)
_URI = re.compile(r"(?:https?://|urn:oid:|urn:uuid:)[A-Za-z0-9._/:#-]{1,200}", re.ASCII)
_WORDS: Final = frozenset(
    {
        "a", "acute", "admit", "admitted", "advice", "against", "agency", "ama", "ambulatory", "and", "as",
        "at", "bay", "behavioral", "cardiac", "care", "center", "clin", "clinic", "clinical", "court",
        "custody", "day", "dc", "deceased", "department", "dept", "detox", "died", "discharge",
        "discharged", "east", "ed", "elsewhere", "emergency", "er", "expired", "facility", "federal",
        "floor", "general", "health", "hh", "home", "hosp", "hospice", "hospital", "icu", "in", "inpatient",
        "inpt", "intensive", "intermediate", "jail", "lab", "law", "left", "level", "long", "ltc", "main",
        "maternity", "med", "medical", "medsurg", "ms", "ne", "neuro", "newborn", "nh", "north", "nursery",
        "nursing", "nw", "ob", "observ", "observation", "of", "onc", "oncology", "op", "or", "ortho",
        "other", "out", "outpatient", "outpt", "pacu", "patient", "ped", "pediatric", "peds", "planned",
        "post", "pre", "prison", "psych", "psychiatric", "recovery", "recur", "recurring", "regular",
        "rehab", "rehabilitation", "room", "routine", "same", "se", "self", "selfcare", "service",
        "services", "short", "skilled", "snf", "south", "stay", "step", "stepdown", "still", "surg",
        "surgery", "surgical", "sw", "tele", "telemetry", "term", "the", "to", "tower", "transfer",
        "transferred", "treatment", "triage", "unit", "unknown", "urgent", "visit", "ward", "west", "wing",
        "with", "without",
    }
)  # fmt: skip
"""What patient classes, dispositions and units are called. A text of nothing else can't name a person."""
_LOCAL: Final = "urn:throughline:system:"
_SHORT: Final = {tables.RXNORM: "rxnorm", tables.NDC: "ndc", tables.ICD10CM: "icd-10-cm", tables.SNOMED: "snomed-ct"}


def code(value: str) -> str | None:
    """``value`` where it has the shape of a code."""
    return value if _CODE.fullmatch(value) else None


def word(value: str) -> str | None:
    """``value`` where it has the shape of a code, or consists of what classes, dispositions and units are called."""
    plain = re.fullmatch(r"[A-Za-z0-9 ,/()-]{1,64}", value) is not None
    named = all(
        part in _WORDS or (part.isdigit() and len(part) <= 2) for part in re.findall("[a-z]+|[0-9]+", value.lower())
    )
    return code(value) or (value if plain and named else None)


def header_name(value: str) -> str:
    """A sending application or facility: names of systems, but a message with shifted fields has other things there."""
    return value if _NAME.fullmatch(value) else TEXT_ONLY


def local_system(system: str | None) -> str | None:
    """The name that a sender gives a code system of its own, as sent; None for a system that is known anywhere."""
    if system is None or not system.startswith(_LOCAL):
        return None
    return unquote(system.rpartition(":")[2])


def system(uri: str | None) -> str:
    """Short name of a code system."""
    if uri is None:
        return "no system"
    local = local_system(uri)
    if local is not None:
        return code(local) or "local system"
    return _SHORT.get(tables.system_of(uri) or "") or (uri if _URI.fullmatch(uri) else code(uri) or "local system")


def coding(value: Coding) -> str:
    """``1010604 (rxnorm)``. Where a text had to stand for a missing code, it is not shown."""
    known = code(value.code)
    if known is None or (value.system is None and value.code == value.display):
        return TEXT_ONLY
    return f"{known} ({system(value.system)})"


def aligned(rows: Iterable[Sequence[str]], *, indent: int = 2) -> list[str]:
    """Rows of cells in columns, two blanks between them; the last column is ragged."""
    cells = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in cells), strict=True)]
    lines = []
    for row in cells:
        padded = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=True)]
        lines.append(" " * indent + "  ".join([*padded, row[-1]]).rstrip())
    return lines
