"""The code on the card that a person takes along: who holds it shows which referral it is, and nothing else of it.

It is made from the id of the referral under a key of the hub, so a card that is printed again has the same one. Fifty
bits and a limit on tries: it can't be guessed, and it permits nothing by itself.
"""

import base64
import hashlib
from contextlib import suppress
from typing import Final

from app.core.actor import Actor
from app.core.errors import Conflict
from app.services.hub import Hub
from app.store.changes import Changes, Claim

_SYSTEM: Final = Actor.system("card-code")
_LENGTH: Final = 10
_ALIKE: Final = str.maketrans("018", "OIB")
"""Digits that base 32 has not, and the letters that they are read as."""


def code_of(hub: Hub, task: str) -> str:
    """The code of a source Task: ``K7QXM-2RTNA``."""
    digest = hashlib.sha256(hub.keys.mac("card", task).encode()).digest()
    letters = base64.b32encode(digest).decode()[:_LENGTH]
    return f"{letters[:5]}-{letters[5:]}"


async def printed(hub: Hub, task: str) -> str:
    """The code of a source Task, by which it can be found from now on."""
    code = code_of(hub, task)
    key = _key(hub, code)
    if await hub.store.authorship(_SYSTEM).claimed(key) is None:
        # Who prints it at the same moment notes the same.
        with suppress(Conflict):
            await hub.store.commit(Changes(scope=frozenset({task}), claims=(Claim(key, task),)))
    return code


async def found(hub: Hub, code: str) -> str | None:
    """Id of the source Task that a code stands for."""
    return await hub.store.authorship(_SYSTEM).claimed(_key(hub, code))


def _key(hub: Hub, code: str) -> str:
    letters = "".join(one for one in code.upper().translate(_ALIKE) if one.isalnum())
    return hub.keys.mac("card-code", letters)
