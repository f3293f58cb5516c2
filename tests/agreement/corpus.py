"""The messages beside which somebody else wrote the FHIR that they expect, from the shared corpus.

Microsoft's FHIR-Converter has ``<name>-expected.json`` for a sample ``<name>.hl7``; CDC's ReportStream has
``<name>.fhir`` beside ``<name>.hl7``, by data type and segment.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

Resource = dict[str, Any]
Source = Literal["microsoft", "reportstream"]

CORPUS: Final = Path(__file__).parents[2].parent / "shared" / "corpus" / "hl7v2"
_MICROSOFT: Final = CORPUS / "microsoft+FHIR-Converter"
_SAMPLES: Final = _MICROSOFT / "data" / "SampleData" / "Hl7v2"
_REPORTSTREAM: Final = CORPUS / "CDCgov+prime-reportstream"
_EXPECTED: Final = "-expected.json"


class Pair(NamedTuple):
    """One message and the resources that somebody else expects of it."""

    name: str
    source: Source
    message: bytes
    expected: tuple[Resource, ...]


def pairs() -> Iterator[Pair]:
    """Every expectation that has its message beside it, in the order of their names."""
    for expected in sorted(_MICROSOFT.rglob(f"*{_EXPECTED}")):
        yield from _pair("microsoft", _SAMPLES / f"{expected.name.removesuffix(_EXPECTED)}.hl7", expected)
    for expected in sorted(_REPORTSTREAM.rglob("*.fhir")):
        yield from _pair("reportstream", expected.with_suffix(".hl7"), expected)


def _pair(source: Source, message: Path, expected: Path) -> Iterator[Pair]:
    if message.is_file():
        bundle = json.loads(expected.read_bytes())
        resources = tuple(entry["resource"] for entry in bundle["entry"])
        yield Pair(message.stem, source, message.read_bytes(), resources)
