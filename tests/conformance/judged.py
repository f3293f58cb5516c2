"""What came of asking the HL7 validator: about all that the hub says, and about each verdict of the gate."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.conformance import emitted
from tests.conformance.cases import cases
from tests.conformance.emitted import Said
from tests.conformance.explained import OF_EMITTED, explained, of_error, remark_of
from tests.conformance.mutations import mutations
from tests.conformance.validator import Document, Issue, Validator
from tests.conformance.verdicts import Verdict, compared

MUTATIONS: Final = 1000


@dataclass(frozen=True)
class Emission:
    """Everything that the hub said, with what the validator remarks on it."""

    said: list[Said]
    issues: dict[str, tuple[Issue, ...]]
    """By the position in ``said``, as text."""

    def remarks(self) -> Iterator[tuple[Said, Issue]]:
        """Each remark with what it is about."""
        return ((one, issue) for index, one in enumerate(self.said) for issue in self.issues[str(index)])

    def unexplained_errors(self) -> list[tuple[str, str, str, Issue]]:
        """Errors that no rule explains."""
        return [
            (one.world, one.place, one.kind, issue)
            for one, issue in self.remarks()
            if issue.wrong and of_error(OF_EMITTED, issue) is None
        ]

    def unlisted_warnings(self) -> Counter[tuple[str, str]]:
        """Warnings of no kind that is listed, by message id and text."""
        warnings = (issue for _, issue in self.remarks() if issue.severity == "warning")
        return Counter((issue.message_id, issue.message) for issue in warnings if remark_of(issue) is None)


async def emission(validator: Validator) -> Emission:
    """Listen to the hub and ask the validator."""
    said = await emitted.everything()
    documents = [Document(str(index), one.text) for index, one in enumerate(said)]
    return Emission(said, validator.judge(documents))


def of_cases(validator: Validator) -> list[Verdict]:
    """Both verdicts of the validator's own cases."""
    return compared(validator, ((case.name, case.text) for case in cases()))


def of_mutations(validator: Validator) -> list[Verdict]:
    """Both verdicts of resources broken in one place, the same ones in each run."""
    broken = mutations(emitted.unchanging(), MUTATIONS)
    return compared(validator, ((f"{one.kind} {number}", one.text) for number, one in enumerate(broken)))


def unexplained(verdicts: list[Verdict]) -> list[tuple[object, ...]]:
    """Disagreements that no rule explains."""
    return [(one.name, one.problems, one.errors) for one in verdicts if not one.agreed and explained(one) is None]
