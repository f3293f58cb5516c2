"""What ``make agreement`` runs: how far the hub and independently written FHIR agree on the same messages.

    python -m tests.agreement.run            the table, and every difference that no rule explains
    python -m tests.agreement.run --markdown the table and the rules, as they stand in docs/mapping.md

Only facts that both state are compared. 1 when a field is below the target and not explained.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tests.agreement.compare import Compared, Difference, compare
from tests.agreement.corpus import CORPUS, pairs
from tests.agreement.explained import EXPLANATIONS, explanation_of, silence_of

TARGET: Final = 0.99
_HEAD: Final = ("field", "compared", "distinct", "equal", "explained", "unexplained", "agreement", "only theirs")


class Row(NamedTuple):
    """One field."""

    field: str
    compared: int
    distinct: int
    equal: int
    explained: int
    unexplained: int
    only_theirs: int

    @property
    def agreement(self) -> float:
        """Share of the compared facts that are equal; 1 where there are none."""
        return self.equal / self.compared if self.compared else 1.0

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        numbers = (self.compared, self.distinct, self.equal, self.explained, self.unexplained)
        share = f"{100 * self.agreement:.1f} %" if self.compared else "-"
        return (self.field, *map(str, numbers), share, str(self.only_theirs))


def rows(compared: Compared) -> list[Row]:
    """A row for each field that somebody states, sorted by its name."""
    explained: Counter[str] = Counter()
    unexplained: Counter[str] = Counter()
    for difference in compared.differences:
        (unexplained if explanation_of(difference) is None else explained)[difference.ours.field] += 1
    beyond = Counter(one.theirs.field for one in compared.beyond)
    fields = sorted({*compared.agreed, *explained, *unexplained, *beyond})
    return [_row(compared, name, explained[name], unexplained[name], beyond[name]) for name in fields]


def _row(compared: Compared, name: str, explained: int, unexplained: int, beyond: int) -> Row:
    equal = compared.agreed[name]
    distinct = len(compared.distinct.get(name, ()))
    return Row(name, equal + explained + unexplained, distinct, equal, explained, unexplained, beyond)


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 when a difference is unexplained, 2 without the corpus."""
    parser = argparse.ArgumentParser(prog="make agreement", description="Agreement with independently written FHIR.")
    parser.add_argument("--markdown", action="store_true", help="as Markdown, with the rules")
    asked = parser.parse_args(arguments)
    if not CORPUS.is_dir():
        sys.stderr.write("The shared corpus of HL7 v2 messages (../shared/corpus) is not here: nothing to compare.\n")
        return 2
    compared = compare(pairs())
    table = rows(compared)
    lines = _markdown(compared, table) if asked.markdown else _plain(compared, table)
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if any(row.unexplained for row in table) else 0


def _plain(compared: Compared, table: Sequence[Row]) -> Iterator[str]:
    cells = [_HEAD, *(row.cells() for row in table), _total(table).cells()]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    yield _messages(compared)
    yield ""
    for line in cells:
        first, *others = (
            value.ljust(w) if w is widths[0] else value.rjust(w) for value, w in zip(line, widths, strict=True)
        )
        yield "  ".join([first, *others])
    yield ""
    yield from _used(compared)
    for difference in _unexplained(compared):
        yield f"unexplained: {difference.source} {difference.ours} against {sorted(difference.theirs)}"


def _markdown(compared: Compared, table: Sequence[Row]) -> Iterator[str]:
    yield _messages(compared)
    yield ""
    yield f"| {' | '.join(_HEAD)} |"
    yield f"|{'---|' * len(_HEAD)}"
    for row in (*table, _total(table)):
        yield f"| {' | '.join(row.cells())} |"
    yield ""
    counts = Counter(rule.name for one in compared.differences if (rule := explanation_of(one)) is not None)
    yield "| difference | facts | whose | fields | reason |"
    yield "|---|---|---|---|---|"
    for rule in EXPLANATIONS:
        if counts[rule.name]:
            yield f"| {rule.name} | {counts[rule.name]} | {rule.side} | {', '.join(rule.fields)} | {rule.reason} |"
    yield ""
    yield "| only theirs | facts | cause | reason |"
    yield "|---|---|---|---|"
    for (cause, reason), fields in _silences(compared).items():
        named = ", ".join(sorted(fields))
        yield f"| {named} | {fields.total()} | {cause} | {reason} |"


def _messages(compared: Compared) -> str:
    return f"{compared.messages.total()} messages: {', '.join(f'{n} {s}' for s, n in compared.messages.items())}"


def _total(table: Sequence[Row]) -> Row:
    numbers = [sum(column) for column in zip(*(row[1:] for row in table), strict=True)]
    return Row("all", *numbers)


def _used(compared: Compared) -> Iterator[str]:
    counts = Counter(rule for one in compared.differences if (rule := explanation_of(one)) is not None)
    for rule, count in counts.most_common():
        yield f"explained {count:4}  {rule.side:10}  {rule.name}: {', '.join(rule.fields)}"
    causes = Counter(silence.cause if (silence := silence_of(one)) else "none" for one in compared.beyond)
    yield f"only theirs: {', '.join(f'{count} {cause}' for cause, count in causes.most_common())}"


def _silences(compared: Compared) -> dict[tuple[str, str], Counter[str]]:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in compared.beyond:
        silence = silence_of(one)
        if silence is not None:
            found[silence.cause, silence.reason][one.theirs.field] += 1
    return found


def _unexplained(compared: Compared) -> Iterator[Difference]:
    return (difference for difference in compared.differences if explanation_of(difference) is None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
