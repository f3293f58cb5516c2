"""The comparison: each fact of ours for which somebody else states a value, and what they state beyond it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fhir_mappings.hl7v2 import Message, parse
from tests.agreement import moved, stated
from tests.agreement.corpus import Pair, Source
from tests.agreement.ours import made
from tests.agreement.stated import Fact


class Difference(NamedTuple):
    """A fact of ours that is none of the values which somebody else states of the same thing."""

    source: Source
    ours: Fact
    theirs: frozenset[str]
    said: str
    """The message as text: what both read."""


class Beyond(NamedTuple):
    """A fact that somebody else states and the hub does not, where what it does state agrees."""

    source: Source
    theirs: Fact
    said: str


@dataclass(slots=True)
class Compared:
    """What came out: by field how many facts were compared, and every difference."""

    messages: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    distinct: dict[str, set[tuple[Fact, frozenset[str]]]] = field(default_factory=dict)
    """The compared facts without those that another message repeats: most samples share one PID."""
    differences: list[Difference] = field(default_factory=list)
    beyond: list[Beyond] = field(default_factory=list)

    def add(self, source: Source, message: Message, ours: frozenset[Fact], theirs: frozenset[Fact]) -> None:
        """Compare the facts of one message."""
        said = "\r".join(_line(message))
        values = _values(theirs)
        differing = set()
        for fact in sorted(ours):
            other = values.get((fact.field, fact.of))
            if other is None:
                continue
            self.distinct.setdefault(fact.field, set()).add((fact, other))
            if fact.value in other:
                self.agreed[fact.field] += 1
            else:
                self.differences.append(Difference(source, fact, other, said))
                differing.add((fact.field, fact.of))
        more = (fact for fact in sorted(theirs - ours) if (fact.field, fact.of) not in differing)
        self.beyond += [Beyond(source, fact, said) for fact in more]


def compare(pairs: Iterable[Pair]) -> Compared:
    """All pairs, and of ReportStream's the single data types as well."""
    compared = Compared()
    for pair in pairs:
        compared.messages[pair.source] += 1
        message = parse(pair.message)
        ours, theirs = stated.of_made(made(message)), stated.of_expected(pair.expected)
        compared.add(pair.source, message, ours, theirs)
        if pair.source == "reportstream":
            for read, of_ours, of_theirs in moved.of_pair(pair):
                compared.add(pair.source, read, of_ours, of_theirs)
    return compared


def _values(facts: Iterable[Fact]) -> dict[tuple[str, str], frozenset[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for fact in facts:
        found.setdefault((fact.field, fact.of), set()).add(fact.value)
    return {key: frozenset(values) for key, values in found.items()}


def _line(message: Message) -> Iterator[str]:
    for segment in message.segments:
        first = 2 if segment is message.header else 1
        fields = (segment.raw(number) for number in range(first, len(segment) + 1))
        yield "|".join([segment.name, *fields])
