"""Finished answers, kept in the memory of one process for whoever asks the same again."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, NamedTuple

_LIMIT: Final = 32 * 1024 * 1024
_LARGEST: Final = 1024 * 1024
_OVERHEAD: Final = 1024
"""What an entry costs beside its body and its query, roughly."""


class Question(NamedTuple):
    """A search as it was asked, and by whom: no two principals ever ask the same one."""

    organization: str
    client: str
    type: str
    query: bytes
    lenient: bool
    scopes: frozenset[str] = frozenset()
    """Of the token: a client may have one that covers less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A searchset Bundle and its validator."""

    body: bytes | None
    """None: no more than the word that the tag holds, for a client that has the body."""
    tag: str | None
    """What stands between the quotes of the ETag; None: no validator can be given."""
    notices: tuple[str, ...] = ()
    """Those that must travel with the body."""


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Answer
    changed: int
    until: int | None
    size: int


class Kept:
    """Answers by question, at most ``limit`` bytes; the one that was not asked for the longest goes first."""

    def __init__(self, limit: int = _LIMIT, largest: int = _LARGEST) -> None:
        self._limit = limit
        self._largest = largest
        self._entries: OrderedDict[Question, _Entry] = OrderedDict()
        self.size = 0
        """Bytes that are kept now."""

    def find(self, question: Question, changed: int, now: int) -> Answer | None:
        """The answer, where it shows the state ``changed`` and nothing in it has ceased to be visible."""
        entry = self._entries.get(question)
        if entry is None or entry.changed != changed:
            return None
        if entry.until is not None and entry.until <= now:
            return None
        self._entries.move_to_end(question)
        return entry.answer

    def keep(self, question: Question, answer: Answer, changed: int, until: int | None) -> None:
        """Keep ``answer``, which shows the state ``changed`` and holds until ``until`` (None: no end)."""
        self._drop(question)
        size = len(answer.body or b"") + len(question.query) + _OVERHEAD
        if size > self._largest:
            return
        self._entries[question] = _Entry(answer, changed, until, size)
        self.size += size
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    def _drop(self, question: Question) -> None:
        entry = self._entries.pop(question, None)
        if entry is not None:
            self.size -= entry.size
