"""What a search brings along: references followed from the matches, and back to them.

https://hl7.org/fhir/R4/search.html#include. What is not visible is not there, in either direction.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from app.core.errors import BadRequest, Issue
from app.services.reading.search_asked import Asked, Include
from app.services.writing import decoded
from app.store.queries import ColumnIn, Condition, Follow, IndexIn, Query, Row
from app.store.reader import Reader
from schemas.resources import ALL

MAX_INCLUDED: Final = 2000
"""How many resources one page brings along at most."""
MAX_ROUNDS: Final = 8
"""How far references are followed."""


def within(asked: Asked, readable: Callable[[str], bool]) -> Asked:
    """The same search, that brings along only what is of a type that the token covers.

    A scope bounds what is included too (HL7/smart-app-launch issue 148: by the whole set of scopes of the token).
    """
    if not asked.includes:
        return asked
    found = [(include, _covered(include, readable)) for include in asked.includes]
    kept = [one for _, covered in found for one in covered]
    return replace(asked, includes=kept, suppressed=[one.name for one, covered in found if not covered])


def _covered(include: Include, readable: Callable[[str], bool]) -> list[Include]:
    """What is left of an include; itself, where the token covers whatever it leads to."""
    if include.reverse:
        return [include] if readable(include.source) else []
    targets = (include.target,) if include.target is not None else include.param.targets or tuple(ALL)
    covered = [one for one in targets if readable(one)]
    return [include] if len(covered) == len(targets) else [replace(include, target=one) for one in covered]


def follows_of(asked: Asked) -> list[Follow] | None:
    """The includes of ``asked`` where columns hold them all, so that the store follows them; else None."""
    found: list[Follow] = []
    for include in asked.includes:
        param = include.param
        held = param.column is not None and (not param.many or param.name in ALL[include.source].indexed)
        if param.column is None or not held or include.iterate or include.reverse:
            return None
        found.append(Follow(param.column, include.target, param.name if param.many else None))
    return found


async def included(reader: Reader, asked: Asked, matches: Sequence[Row]) -> list[Row]:
    """What the includes of ``asked`` lead to, each once, matches excepted. Raises BadRequest where it is too much."""
    known = {row.id for row in matches}
    found: list[Row] = []
    frontier: Sequence[Row] = matches
    for number in range(MAX_ROUNDS + 1):
        includes = [one for one in asked.includes if one.iterate or number == 0]
        if not includes or not frontier:
            break
        if number == MAX_ROUNDS:
            raise _too_much("_include:iterate", f"References are followed {MAX_ROUNDS} times and no further.")
        reached = await _reached(reader, includes, frontier, known)
        frontier = list({row.id: row for row in reached if row.id not in known}.values())
        known.update(row.id for row in frontier)
        found += frontier
        if len(found) > MAX_INCLUDED:
            raise _too_much("_count", f"At most {MAX_INCLUDED} resources come along; ask for fewer matches (_count).")
    return found


async def _reached(reader: Reader, includes: Sequence[Include], rows: Sequence[Row], known: set[str]) -> list[Row]:
    """What is one step away; it may hold known ones, and some twice."""
    wanted = _targets(rows, [one for one in includes if not one.reverse])
    ids = sorted({reference.rpartition("/")[2] for reference in wanted} - known)
    found = [row for row in await reader.by_ids(ids) if f"{row.type}/{row.id}" in wanted]
    for include in includes:
        if include.reverse:
            found += await _pointing(reader, include, rows)
    return found


def _targets(rows: Iterable[Row], includes: Iterable[Include]) -> set[str]:
    """``Type/id`` of what the references of ``rows`` point to."""
    by_type: dict[str, list[Include]] = {}
    for include in includes:
        by_type.setdefault(include.source, []).append(include)
    found: set[str] = set()
    for row in rows:
        asked = by_type.get(row.type, ())
        resource = decoded(row) if asked else {}
        for include in asked:
            references = ALL[include.source].references[include.name](resource)
            found.update(one for one in references if include.target is None or one.startswith(f"{include.target}/"))
    return found


async def _pointing(reader: Reader, include: Include, rows: Sequence[Row]) -> list[Row]:
    """Resources whose reference points to one of ``rows``."""
    reaches = ALL[include.source].revincludes[include.name]
    targets = tuple(
        f"{row.type}/{row.id}"
        for row in rows
        if include.target in {None, row.type} and (not reaches or row.type in reaches)
    )
    if not targets:
        return []
    found: list[Row] = []
    for place in _places(include, targets):
        found += await reader.search(Query(include.source, (place,), limit=MAX_INCLUDED + 1))
    return found


def _places(include: Include, targets: tuple[str, ...]) -> list[Condition]:
    """Where the store looks for the references: each place by itself, so that its index is used."""
    param = include.param
    places: list[Condition] = [ColumnIn(param.column, targets)] if param.column is not None else []
    if param.column is None or param.many:
        places.append(IndexIn(param.name, targets))
    return places


def _too_much(parameter: str, text: str) -> BadRequest:
    return BadRequest(text, issues=(Issue("too-costly", text, f"http.{parameter}"),))
