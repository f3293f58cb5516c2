"""What a client may send to the FHIR side, broken in every way: searches, cursors, resources, patches, narratives.

Whatever the bytes: it is taken, or refused as one of the errors that a caller can be told, and within a moment. Twenty
seconds for the suite; ``THROUGHLINE_FUZZ_SECONDS`` says how long, ``THROUGHLINE_FUZZ_SEED`` repeats a run.
"""

import json as plain_json
import os
import random
import time
from collections.abc import Callable
from typing import Any, Final

from app.core import json, json_patch
from app.core.actor import Actor
from app.core.crypto import Keys
from app.core.errors import BadRequest, HubError
from app.services.reading.search_cursors import Position, resumed, seal
from app.services.reading.search_params import parse
from app.services.writes.resource_requests import conforming
from schemas.resources import ALL
from tests.unit.gate_samples import SAMPLES

VALID: Final[dict[str, Any]] = {one["resourceType"]: one for one in SAMPLES.values()}
SECONDS: Final = float(os.environ.get("THROUGHLINE_FUZZ_SECONDS", "20")) / 4
SEED: Final = int(os.environ.get("THROUGHLINE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
SLOWEST: Final = 1.0
KEYS: Final = Keys(b"HTEST" * 8)
ACTOR: Final = Actor("HTEST-organization", "HTEST-client", frozenset({"system/*.cruds"}))
ODD: Final = (
    *("", " ", "0", "-1", "9" * 400, "1e400", "true", "null", "\x00", "\ud7ff", "\U0001f600", "\u202e", "é", "%", "_"),
    *("a" * 70_000, "|", "||", "a|b|c", "\\", "\\,", ",", ",,", "$", "Task/1", "Task/1/_history/2", "http://x/Task/1"),
    *("urn:uuid:1", "#a", "2026", "gt2026-02-30", "eq", "ap1", "ne2026-06-05T25:00:00Z", "2026-06-05T14:10:00+99:99"),
    *("javascript:1", "<script>", "((((((((((a+)+)+)+)+", "'; drop table resource; --", "../..", "\r\nx: y"),
)
NAMES: Final = sorted({name for spec in ALL.values() for name in spec.params})
FURTHER: Final = (
    *("_sort", "_include", "_revinclude", "_include:iterate", "_revinclude:iterate", "_count", "_total", "_summary"),
    *("_elements", "_format", "_cursor", "_has:Task:patient:status", "patient.name", "x", ""),
)
MODIFIERS: Final = (
    "",
    "",
    "",
    ":missing",
    ":not",
    ":exact",
    ":contains",
    ":identifier",
    ":Patient",
    ":",
    "::",
    ":text",
)


def for_a_while(work: Callable[[random.Random], None]) -> None:
    """``work`` again and again; a fault names the seed that repeats it."""
    until, count = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        count += 1
        began = time.thread_time()
        try:
            work(random.Random(f"{SEED} {count}"))
        except HubError:
            pass
        except Exception as error:
            raise AssertionError(f"THROUGHLINE_FUZZ_SEED={SEED}, number {count}") from error
        assert time.thread_time() - began < SLOWEST, f"THROUGHLINE_FUZZ_SEED={SEED}, number {count} is slow"
    assert count > 100


def value(rng: random.Random) -> str:
    text = rng.choice(ODD)
    return text + rng.choice(["", "", ",", "|"]) + rng.choice(ODD) if rng.random() < 0.3 else text


def pairs(rng: random.Random) -> tuple[tuple[str, str], ...]:
    names = (rng.choice([*NAMES, *FURTHER]) + rng.choice(MODIFIERS) for _ in range(rng.randint(1, 4)))
    return tuple((name, value(rng)) for name in names)


def test_no_search_breaks_what_reads_it() -> None:
    kinds = [name for name, spec in ALL.items() if spec.search]
    for_a_while(lambda rng: _searched(rng.choice(kinds), pairs(rng), lenient=rng.random() < 0.5))


def _searched(kind: str, asked: tuple[tuple[str, str], ...], *, lenient: bool) -> None:
    found = parse(kind, asked, lenient=lenient).at(1_750_000_000_000_000)
    assert set(found.used) <= set(asked), "nothing is asked that was not asked"
    assert all(isinstance(test(dict(VALID["Task"])), bool) for test in found.tests if kind == "Task")


def test_no_cursor_opens_but_the_one_that_was_given() -> None:
    asked = parse("Task", (("status", "requested"),), lenient=False)
    given = seal(KEYS, ACTOR, asked, Position((1_750_000_000_000_000,), 1_750_000_000_000_000))

    def work(rng: random.Random) -> None:
        changed = _changed_text(rng, given)
        who = rng.choice([ACTOR, Actor("HTEST-other", "HTEST-client", ACTOR.scopes), Actor.system("test")])
        kind = rng.choice(["Task", "Patient"])
        try:
            position, _ = resumed(KEYS, who, kind, (("_cursor", changed), *pairs(rng)[: rng.randint(0, 1)]))
        except BadRequest:
            return
        assert position is not None
        assert (changed.rstrip("="), who, kind) == (given.rstrip("="), ACTOR, "Task")

    for_a_while(work)


def _changed_text(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text))
    return rng.choice([text, text[:at], text[at:], text[:at] + value(rng) + text[at + 1 :], value(rng), text + text])


def test_no_resource_breaks_what_judges_it() -> None:
    samples = [plain_json.loads(plain_json.dumps(one)) for one in VALID.values()]

    def work(rng: random.Random) -> None:
        made = _changed(rng, rng.choice(samples))
        text = plain_json.dumps(made).encode()
        if rng.random() < 0.3:
            at = rng.randrange(len(text))
            text = (
                text[:at] + bytes(rng.randrange(256) for _ in range(rng.randint(0, 3))) + text[at + rng.randint(0, 3) :]
            )
        body = json.loads(text)
        taken = conforming(str(body.get("resourceType")) if isinstance(body, dict) else "Task", body)
        json.dumps(taken)
        ALL[taken["resourceType"]].columns(taken)
        ALL[taken["resourceType"]].index(taken)

    for_a_while(work)


def test_no_patch_breaks_what_applies_it() -> None:
    task = VALID["Task"]

    def work(rng: random.Random) -> None:
        operations = [
            {
                "op": rng.choice(["add", "remove", "replace", "move", "copy", "test", "x", 1]),
                "path": _pointer(rng),
                rng.choice(["value", "from"]): rng.choice([_pointer(rng), 1, None, {"a": [1]}, value(rng)]),
            }
            for _ in range(rng.randint(1, 6))
        ]
        try:
            json_patch.apply_patch(task, operations)
        except (json_patch.PatchConflict, json_patch.PatchError):
            return

    for_a_while(work)


def _pointer(rng: random.Random) -> str:
    steps = rng.choices(
        ["status", "input", "0", "-", "", "meta", "contained", "name", "~0", "~", *ODD[:20]], k=rng.randint(0, 4)
    )
    return "".join(f"/{step}" for step in steps) if rng.random() < 0.9 else value(rng)


def _changed(rng: random.Random, made: Any, depth: int = 0) -> Any:
    """A copy with a few things left out, doubled, renamed or of another kind."""
    if rng.random() < 0.04:
        return rng.choice([None, 1, -0.5, True, [], {}, [None], [[]], value(rng), {"resourceType": "Task"}])
    if isinstance(made, dict):
        kept = {name: _changed(rng, inner, depth + 1) for name, inner in made.items() if rng.random() > 0.03}
        if rng.random() < 0.05:
            kept[rng.choice(["extension", "modifierExtension", "contained", "text", "_status", "id", *ODD[:8]])] = (
                value(rng)
            )
        return kept
    if isinstance(made, list):
        return [_changed(rng, inner, depth + 1) for inner in made for _ in range(rng.choice([1, 1, 1, 2, 0]))]
    return made
