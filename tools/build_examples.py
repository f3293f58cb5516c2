"""Write the examples of the OpenAPI document anew: ``python -m tools.build_examples``.

The story is run against a hub in this process; nothing in the files is written by hand.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any, Final

from tools.example_recorder import Recorder
from tools.example_story import tell
from tools.example_world import even, world

Json = dict[str, Any]
DOORS: Final = Path(__file__).parents[1] / "app" / "entrypoints"
_ABOUT_A_RESOURCE: Final = (
    "search(?:ByPost)?",
    "read",
    "create",
    "update",
    "conditionalUpdate",
    "patch",
    "conditionalPatch",
    "delete",
    "history",
    "version",
    "packetOf",
    "breakGlass",
    "match(?:ByPost)?",
    "ask",
    "patientIsHere",
    "chooseFallback",
    "recordAnswer",
    "recordCall",
    "confirmAnswer",
    "correctAnswer",
    "stillHere",
    "answerStillHere",
)
"""Beginnings of operations whose name ends in a type of resource."""
_FILES: Final = (
    (re.compile(r"token|smart.*"), "oauth/examples/access"),
    (re.compile(r"ingest.*"), "ingest/examples/messages"),
    (re.compile(r"live|ready|metrics|schema"), "ops/examples/operations"),
    (re.compile(r"capabilities"), "fhir/examples/CapabilityStatement"),
    (re.compile(r"processMessage|transaction"), "fhir/examples/Bundle"),
    (re.compile(r"validate.*"), "fhir/examples/OperationOutcome"),
    (re.compile(r"subscription.*"), "fhir/examples/Subscription"),
    (re.compile(rf"(?:{'|'.join(_ABOUT_A_RESOURCE)})([A-Z]\w+)"), "fhir/examples/{}"),
)
"""Operation to the file of its door."""


async def recorded() -> list[Json]:
    """The story's exchanges, in order."""
    async with world() as hub:
        recorder = Recorder(hub)
        await tell(recorder)
    for exchange in recorder.exchanges:
        if exchange["operation"] == "metrics":
            _only_names(exchange["response"])
    evened: list[Json] = even(recorder.exchanges)
    return evened


def _only_names(response: Json) -> None:
    """The figures of a process are its own; what they are called is an example."""
    response["body"] = "".join(f"{line}\n" for line in response["body"].splitlines() if line.startswith("#"))


def by_file(exchanges: list[Json]) -> dict[str, list[Json]]:
    """Path below the doors, without suffix, to what stands in it."""
    found: dict[str, list[Json]] = {}
    for exchange in exchanges:
        matches = ((pattern.fullmatch(exchange["operation"]), path) for pattern, path in _FILES)
        match, path = next((match, path) for match, path in matches if match)
        found.setdefault(path.format(*match.groups()), []).append(exchange)
    return found


def main() -> None:
    """Write every file, and remove what no longer has a place."""
    files = by_file(asyncio.run(recorded()))
    for old in DOORS.glob("*/examples/*.json"):
        if old.relative_to(DOORS).with_suffix("").as_posix() not in files:
            old.unlink()
    for path, exchanges in files.items():
        file = (DOORS / path).with_suffix(".json")
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(exchanges, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{sum(map(len, files.values()))} examples in {len(files)} files")


if __name__ == "__main__":
    main()
