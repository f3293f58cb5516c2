"""SMART system scopes: what a token allows, as letters per resource type.

SMART App Launch 2.2, scopes-and-launch-context: ``system/Task.rus``; version 1 names are read as
``read`` = rs, ``write`` = cud, ``*`` = cruds. Letters out of order are not a scope.
"""

import re
from functools import lru_cache

from app.core.actor import Actor
from app.core.errors import Forbidden
from schemas.resources import ALL

INGEST = "ingest"
_SYSTEM = re.compile(r"system/([A-Z][A-Za-z]*|\*)\.(read|write|\*|c?r?u?d?s?)")
_VERSION_1 = {"read": "rs", "write": "cud", "*": "cruds"}


@lru_cache(maxsize=256)
def letters_of(scope: str) -> tuple[str, frozenset[str]] | None:
    """(resource type or ``*``, letters) of one scope; None when it is not one."""
    found = _SYSTEM.fullmatch(scope)
    if found is None or not found[2]:
        return None
    return found[1], frozenset(_VERSION_1.get(found[2], found[2]))


def fault_of(scope: str) -> str | None:
    """Why ``scope`` is none of this server; None when it is one."""
    if scope == INGEST:
        return None
    if "?" in scope:
        # Half of them honoured would be worse than none: the client would believe that it sees less than it does.
        return "scopes with search parameters are not offered; ask for the type, and put the parameters in the search"
    known = letters_of(scope)
    if known is None:
        return "a scope is ingest or system/TYPE.LETTERS, with letters of cruds in that order, or read, write, *"
    if known[0] not in {"*", *ALL}:
        return "a type in a scope is * or one that this server has, as its CapabilityStatement lists them"
    return None


def granted(registered: frozenset[str], asked: frozenset[str]) -> frozenset[str] | None:
    """The asked scopes, when the registration covers every one of them; all of them when none is asked."""
    if not asked:
        return registered
    return asked if all(_covered(scope, registered) for scope in asked) else None


def _covered(scope: str, registered: frozenset[str]) -> bool:
    if scope in registered:
        return True
    wanted = letters_of(scope)
    if wanted is None:
        return False
    held: set[str] = set()
    for one in registered:
        known = letters_of(one)
        if known is not None and known[0] in {wanted[0], "*"}:
            held |= known[1]
    return wanted[1] <= held


def allows(actor: Actor, resource_type: str, letter: str) -> bool:
    """Whether the actor's scopes allow ``letter`` (c r u d s) on the type."""
    if actor.is_system:
        return True
    for scope in actor.scopes:
        known = letters_of(scope)
        if known is not None and known[0] in {resource_type, "*"} and letter in known[1]:
            return True
    return False


def readable(actor: Actor, resource_type: str) -> bool:
    """Whether what is of this type may be shown to the actor beside what it asked for."""
    return allows(actor, resource_type, "r") or allows(actor, resource_type, "s")


def require(actor: Actor, resource_type: str, letter: str) -> None:
    """Forbidden unless the actor's scopes allow ``letter`` (c r u d s) on the type."""
    if not allows(actor, resource_type, letter):
        raise Forbidden(f"The token does not cover this: it needs system/{resource_type}.{letter}.")


def require_ingest(actor: Actor) -> None:
    """Forbidden unless the actor may send messages in."""
    if not actor.is_system and INGEST not in actor.scopes:
        raise Forbidden("The token does not cover this: it needs the scope ingest.")
