"""Searches that are asked again and again: a poll without news costs no question to the database.

An answer is valid as long as the change number of its organisation stays and nothing in it has ceased to
be visible. Both stand in its validator, so that any process can tell whether what a client has still holds;
the process that made an answer also keeps it and gives it again.
"""

from collections.abc import Sequence

from app.core.actor import Actor
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.reading.kept import Answer, Kept, Question
from app.services.reading.reads import admit
from app.services.reading.search_params import Pairs
from app.services.reading.searching import Searching


class Searches:
    """Answers searches, from memory where that is certain to be the same."""

    def __init__(self, hub: Hub, searching: Searching, disclosures: Disclosures, feed: Feed) -> None:
        self._hub = hub
        self._searching = searching
        self._disclosures = disclosures
        self._feed = feed
        self._kept = Kept()

    async def search(
        self, actor: Actor, resource_type: str, query: bytes, pairs: Pairs, *, lenient: bool, has: Sequence[str] = ()
    ) -> Answer:
        """The searchset; without a body where the client ``has`` it (the tags that it sent, ``*`` for any)."""
        admit(actor, resource_type, "s")
        if actor.organization is None:
            found = await self._searching.search(actor, resource_type, pairs, lenient=lenient)
            self._disclosures.access(actor, "search", found.shown)
            return Answer(found.body, None, found.notices)
        question = Question(actor.organization, actor.client, resource_type, query, lenient, actor.scopes)
        answer = self._at_hand(question, has) or await self._still_held(actor, question, has)
        if answer is not None:
            # What stands in it was told with its tag, by this process or by the one that gave it.
            self._disclosures.access(actor, "search", page=_page(answer.tag))
        else:
            answer = await self._new(actor, question, pairs)
        if answer.tag is not None and (answer.tag in has or "*" in has):
            return Answer(None, answer.tag)
        return answer

    def _at_hand(self, question: Question, has: Sequence[str]) -> Answer | None:
        """What this process has kept; without a body it is an answer only for a client that has the same."""
        changed = self._feed.changed(question.organization)
        answer = self._kept.find(question, changed, self._hub.clock.now_us()) if changed else None
        return None if answer is not None and answer.body is None and answer.tag not in has else answer

    async def _still_held(self, actor: Actor, question: Question, has: Sequence[str]) -> Answer | None:
        """The word that what the client has still holds, whichever process gave it; kept for the next time."""
        if not has:
            return None
        heard = self._feed.changed(question.organization)
        changed = await self._searching.last_change(actor) if heard is None else heard
        if changed == 0:
            return None
        state = self._state(question, changed)
        now = self._hub.clock.now_us()
        for tag in has:
            said, until = _parts(tag)
            if said == state and (until is None or until > now):
                answer = Answer(None, tag)
                if heard is not None:
                    self._kept.keep(question, answer, changed, until)
                return answer
        return None

    async def _new(self, actor: Actor, question: Question, pairs: Pairs) -> Answer:
        found = await self._searching.search(actor, question.type, pairs, lenient=question.lenient)
        if found.changed == 0:
            self._disclosures.access(actor, "search", found.shown)
            return Answer(found.body, None, found.notices)
        tag = self._state(question, found.changed)
        if found.until is not None:
            tag = f"{tag}.{found.until}"
        answer = Answer(found.body, tag, found.notices)
        self._disclosures.access(actor, "search", found.shown, _page(tag))
        if self._feed.changed(question.organization) is not None:
            self._kept.keep(question, answer, found.changed, found.until)
        return answer

    def _state(self, question: Question, changed: int) -> str:
        """Bound to who asks, to what is asked, and to the last change of what that organisation may see."""
        query = question.query.decode("latin-1")
        scopes = " ".join(sorted(question.scopes))
        who = (question.organization, question.client, scopes)
        parts = (*who, question.type, query, str(question.lenient), str(changed))
        return self._hub.keys.etag(*parts)


def _page(tag: str | None) -> str | None:
    """How the access log names what stands in the answer with this tag: its end could be another's word."""
    return None if tag is None else tag.partition(".")[0]


def _parts(tag: str) -> tuple[str, int | None]:
    """The state that ``tag`` names, and its end; one that can't be read has long come.

    The end may be read in it: it is about nothing but the client's own view, and who moves it deceives nobody else.
    """
    state, dot, end = tag.partition(".")
    if not dot:
        return state, None
    return state, int(end) if end.isdecimal() and len(end) < 20 else 0
