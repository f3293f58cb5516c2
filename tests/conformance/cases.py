"""The HL7 validator's own test cases that it can judge without a package, a profile or a terminology server."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from tests.conformance.validator import SHARED
from tools.derive_schema import TYPES

CASES: Final = SHARED / "corpus" / "validator-cases" / "FHIR+fhir-test-cases" / "validator"
_NEEDS: Final = (
    *("packages", "profile", "profiles", "supporting", "supporting5", "logical", "package-map"),
    *("tx-dependent", "fetcher", "matchetype", "bundle-param", "advisor", "ips", "language"),
)
"""What a case may want beside its file; with it the runner would judge something else."""


class Case(NamedTuple):
    """One case: its file's name and text."""

    name: str
    text: str


def cases() -> Iterator[Case]:
    """Those of FHIR R4 in JSON whose type the gate knows; each file once."""
    listed: list[dict[str, Any]] = json.loads((CASES / "manifest.json").read_bytes())["test-cases"]
    fitting = (
        case["file"]
        for case in listed
        if case.get("version", "").startswith("4.0") and not any(case.get(name) for name in _NEEDS)
    )
    for name in dict.fromkeys(fitting):
        path = CASES / name
        if path.suffix == ".json" and path.is_file():
            text = path.read_text(encoding="utf-8")
            if _known(text):
                yield Case(name, text)


def _known(text: str) -> bool:
    """Whether it is one of the gate's types; what is no JSON is judged too."""
    try:
        found = json.loads(text)
    except ValueError:
        return True
    return isinstance(found, dict) and found.get("resourceType") in TYPES
