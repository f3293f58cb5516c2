"""Who judged what, in numbers, as they stand in docs/conformance.md: ``python -m tests.conformance.report``."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.conformance import judged, validator
from tests.conformance.explained import OF_EMITTED, REMARKS, Explanation, explained, of_error, remark_of
from tests.conformance.judged import Emission
from tests.conformance.verdicts import Verdict


def emission_lines(found: Emission) -> Iterator[str]:
    """What the hub said, by type, and the remarks by kind."""
    yield from _table(("said", "number"), Counter(one.kind for one in found.said).most_common())
    remarks = [issue for _, issue in found.remarks()]
    errors = Counter(of_error(OF_EMITTED, issue) for issue in remarks if issue.wrong)
    yield from _explanations("error that is explained", errors)
    warnings = Counter(remark_of(issue) for issue in remarks if issue.severity == "warning")
    yield from _table(
        ("warning", "number", "why"), [(one.name, warnings[one], one.why) for one in REMARKS if warnings[one]]
    )


def verdict_lines(name: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """How often gate and validator agree, and the disagreements by rule."""
    agreed = [one for one in verdicts if one.agreed]
    refused = sum(1 for one in agreed if one.problems)
    yield f"{name}: {len(verdicts)} judged, {refused} refused by both, {len(agreed) - refused} taken by both."
    yield ""
    for only, by_gate in (("refused by the gate alone", True), ("refused by the validator alone", False)):
        differing = [one for one in verdicts if not one.agreed and bool(one.problems) is by_gate]
        yield from _explanations(f"{only}", Counter(explained(one) for one in differing))


def _explanations(head: str, counts: Counter[Explanation | None]) -> Iterator[str]:
    rows = [
        (rule.name, count, rule.why) if rule else ("not explained", count, "") for rule, count in counts.most_common()
    ]
    if rows:
        yield from _table((head, "number", "why"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
    yield ""


def main() -> None:
    """Print the tables as Markdown."""
    with validator.running() as hl7:
        found = asyncio.run(judged.emission(hl7))
        lines = [
            *emission_lines(found),
            *verdict_lines("The validator's own cases", judged.of_cases(hl7)),
            *verdict_lines("Resources broken in one place", judged.of_mutations(hl7)),
        ]
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
