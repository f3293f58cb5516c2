"""What an organisation can observe of the hub, written so that two runs can be compared.

Of two runs that are alike in all that may be observed the transcripts are equal. Ids, validators of searches and the
moment that a searchset says it shows are named by their first appearance: what they are is chance or the clock's, but
which are the same, and which came first, is compared. Status, bodies, totals, event numbers, versions, the order of
matches and all other headers are compared as they are. Not compared: the instants that the hub gives (their exact
microseconds come from one lock, in the order of commits), the bytes of a cursor (sealed anew each time; where it leads
to is compared by following it), and the request's own id.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import httpx

Resource = dict[str, Any]
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
_OF_THE_HUB: Final = re.compile(rf'(?P<id>{_UUID})|(?P<tag>W/\\*"[^"\\]{{20,}})')
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|\+00:00)")
_ANSWER_BY: Final = re.compile(r'("answerBy", ?"valueDateTime": ?")[^"]*')
"""Counts from the moment of asking, in whole minutes."""
"""Of the hub's clock; what was sent has no fraction."""
_CURSOR: Final = re.compile(r"(?<=_cursor=)[\w%.-]+")
_PASSING: Final = frozenset({"x-request-id", "last-modified", "date"})


class Transcript:
    """All answers of one run, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def note(self, what: str, answer: httpx.Response) -> None:
        """One answer, whole."""
        headers = sorted((name, value) for name, value in answer.headers.items() if name not in _PASSING)
        self.lines.append(f"{what} {answer.status_code} {self._named(repr(headers))} {self._body(answer)}")

    def _body(self, answer: httpx.Response) -> str:
        if "json" not in answer.headers.get("content-type", ""):
            return self._named(answer.text)
        body = answer.json()
        if isinstance(body, dict) and body.get("type") == "document":
            return self._document(body)
        if isinstance(body, dict) and body.get("type") == "searchset":
            return self._searchset(body)
        return self._named(_text(body))

    def _searchset(self, bundle: Resource) -> str:
        """Matches are in an order that is promised; what is included is in none."""
        entries, moment = bundle.pop("entry", ()), bundle.get("meta", {}).pop("lastUpdated", "")
        matches = [one for one in entries if one.get("search", {}).get("mode") != "include"]
        included = [one for one in entries if one not in matches]
        shown = self._name_of("moment", moment)
        return " ".join([shown, self._named(_text([bundle, matches])), *self._in_no_order(included)])

    def _document(self, bundle: Resource) -> str:
        composition, *entries = bundle.pop("entry")
        told = [self._named(_text(bundle)), *self._in_no_order(entries)]
        for section in composition["resource"]["section"]:
            section["entry"] = sorted(self._named(_text(one)) for one in section.get("entry", ()))
        return " ".join([*told, self._named(_text(composition))])

    def _in_no_order(self, entries: Iterable[Resource]) -> list[str]:
        texts = (_text(one) for one in entries)
        # What differs in its ids alone is told apart by who named it before.
        ordered = sorted(texts, key=lambda text: (self._blank(text), self._known(text)))
        return [self._named(text) for text in ordered]

    def _named(self, text: str) -> str:
        return _OF_THE_HUB.sub(self._name, _fleeting(text))

    def _name(self, found: re.Match[str]) -> str:
        return self._name_of(str(found.lastgroup), found[0])

    def _name_of(self, kind: str, value: str) -> str:
        if value not in self._names:
            self._counts[kind] += 1
            self._names[value] = f"<{kind} {self._counts[kind]}>"
        return self._names[value]

    @staticmethod
    def _blank(text: str) -> str:
        return _OF_THE_HUB.sub("", _fleeting(text))

    def _known(self, text: str) -> str:
        return _OF_THE_HUB.sub(lambda found: self._names.get(found[0], ""), _fleeting(text))


def _fleeting(text: str) -> str:
    return _CURSOR.sub("", _ANSWER_BY.sub(r"\1", _INSTANT.sub("", text)))


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def first_difference(one: Transcript, other: Transcript) -> str:
    """Where two runs part, or nothing."""
    for number, (left, right) in enumerate(zip(one.lines, other.lines, strict=True)):
        if left != right:
            place = next(i for i, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1])
            start = max(place - 200, 0)
            return f"answer {number}, {left[:60]}\n  {left[start : place + 200]}\n  {right[start : place + 200]}"
    return ""
