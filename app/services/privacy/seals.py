"""The accounting of disclosures, and the decisions that it stands on, can't be changed unseen.

Sealed rows are the leaves of a Merkle tree per segment (hashes as in RFC 9162 section 2.1.1); each seal
chains to the one before: ``chain = SHA-256(previous chain || root)``. Each seal is also a line of a
file outside the database, so that rewriting rows and seals alike is seen too.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from app.core.errors import Unavailable
from app.services.hub import Hub
from app.store.database import Doubt, Gone, VersionMiss
from app.store.seals import Seal, SealedRow, Seals

SEGMENT: Final = 1000
"""Most rows of one segment."""
_ROOT_OF_NOTHING: Final = hashlib.sha256(b"").digest()
_START: Final = bytes(32)
"""What the first seal chains to."""
_SLICE: Final = 500
_TAIL: Final = 4096
"""Bytes; more than one line has."""


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Root hash of ``leaves``; leaf and node hashes can't be mistaken for each other."""
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        pairs = [hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0] if level else _ROOT_OF_NOTHING


def sealed(rows: Sequence[SealedRow], previous: Seal | None, at: int) -> Seal:
    """The seal that closes the next segment over ``rows``."""
    root = merkle_root([row.canonical for row in rows])
    chain = hashlib.sha256((previous.chain if previous else _START) + root).digest()
    return Seal((previous.segment if previous else 0) + 1, len(rows), root, chain, at)


def outside_file(key_file: Path) -> Path:
    """Where the seals stand outside the database: beside the key file."""
    return key_file.with_name(key_file.name + ".seals")


async def seal_due(hub: Hub) -> int:
    """Seal what was disclosed and decided since, one segment at most; how many rows it holds.

    Raises Unavailable when the database or the file can't be written.
    """
    seals = Seals(hub.store.database)
    try:
        rows = await seals.unsealed(SEGMENT)
        if rows:
            await seals.write(sealed(rows, await seals.last(), hub.clock.now_us()), rows)
        await _tell_outside(seals, outside_file(hub.settings.key_file))
    except VersionMiss:
        return 0  # another process sealed at the same time
    except (Gone, Doubt, OSError) as error:
        raise Unavailable("Disclosures and decisions could not be sealed; they wait.") from error
    return len(rows)


async def _tell_outside(seals: Seals, path: Path) -> None:
    """Append what the file doesn't have yet: this process's seal, another's, or one that a crash kept back."""
    last, torn = _end_of(path)
    while found := await seals.after(last, _SLICE):
        lines = "".join(json.dumps(_line(seal)) + "\n" for seal in found)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a") as file:
            file.write("\n" + lines if torn else lines)
            file.flush()
            os.fsync(file.fileno())
        last, torn = found[-1].segment, False


def _end_of(path: Path) -> tuple[int, bool]:
    """The last segment that stands in the file, and whether its last line was cut off by a crash."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            tail = file.read()
    except FileNotFoundError:
        return 0, False
    return max(_entries(tail.decode(errors="replace")), default=0), bool(tail) and not tail.endswith(b"\n")


def _line(seal: Seal) -> dict[str, Any]:
    return {
        "segment": seal.segment,
        "rows": seal.rows,
        "root": seal.root.hex(),
        "chain": seal.chain.hex(),
        "sealed_at": seal.sealed_at,
    }


def read_outside(path: Path) -> dict[int, dict[str, Any]]:
    """Segment -> its line; the first line of a segment counts, whatever is appended later."""
    try:
        return _entries(path.read_text(errors="replace"))
    except FileNotFoundError:
        return {}


def _entries(text: str) -> dict[int, dict[str, Any]]:
    known: dict[int, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            known.setdefault(int(entry["segment"]), entry)
        except (ValueError, KeyError, TypeError):
            continue  # cut off by a crash, and then written again; or damaged, and then missed by the check
    return known


async def findings(hub: Hub) -> list[str]:
    """What is wrong with what was sealed: rows edited, removed or added, seals changed or missing."""
    seals = Seals(hub.store.database)
    outside = read_outside(outside_file(hub.settings.key_file))
    found: list[str] = []
    previous: Seal | None = None
    while batch := await seals.after(previous.segment if previous else 0, _SLICE):
        for seal in batch:
            found += _wrong(seal, previous, await seals.rows_of(seal.segment), outside.pop(seal.segment, None))
            previous = seal
    found += [f"segment {segment}: sealed outside the database, but not in it" for segment in sorted(outside)]
    strays = await seals.strays()
    if strays:
        found.append(f"{strays} rows claim a segment that is not sealed")
    return found


def _wrong(seal: Seal, previous: Seal | None, rows: Sequence[SealedRow], line: dict[str, Any] | None) -> list[str]:
    again = sealed(rows, previous, seal.sealed_at)
    found = []
    if seal.segment != again.segment:
        found.append(f"segment {again.segment}: its seal is missing")
    if len(rows) != seal.rows:
        found.append(f"segment {seal.segment}: {seal.rows} rows were sealed, {len(rows)} are there")
    elif again.root != seal.root:
        found.append(f"segment {seal.segment}: a row was changed after it was sealed")
    if again.root == seal.root and again.chain != seal.chain:
        found.append(f"segment {seal.segment}: the chain of seals is broken")
    if line is None:
        found.append(f"segment {seal.segment}: has no line in the file outside the database")
    elif line != _line(seal):
        found.append(f"segment {seal.segment}: its seal is not the one of the file outside the database")
    return found
