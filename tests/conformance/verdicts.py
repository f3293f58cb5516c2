"""What the gate and the HL7 validator each make of the same text."""

from collections.abc import Iterable
from typing import NamedTuple

from fhir_mappings import gate, strict_json
from fhir_mappings.gate import Problem
from tests.conformance.validator import Document, Issue, Validator


class Verdict(NamedTuple):
    """Both verdicts of one text."""

    name: str
    """A file, or the kind of the mutation and its number."""
    text: str
    problems: tuple[Problem, ...]
    """What the gate says; none = it takes the resource."""
    errors: tuple[Issue, ...]
    """What the HL7 validator says, warnings aside."""

    @property
    def agreed(self) -> bool:
        """Whether both take it or both refuse it."""
        return bool(self.problems) is bool(self.errors)


def compared(validator: Validator, texts: Iterable[tuple[str, str]]) -> list[Verdict]:
    """The verdicts of named texts; names must differ."""
    known = dict(texts)
    found = validator.judge([Document(name, text) for name, text in known.items()])
    return [
        Verdict(name, text, _problems(text), tuple(issue for issue in found[name] if issue.wrong))
        for name, text in known.items()
    ]


def _problems(text: str) -> tuple[Problem, ...]:
    """As at the hub's doors: read strictly, then the gate."""
    try:
        resource = strict_json.loads(text.encode())
    except ValueError:
        return (Problem("Resource", "json", "JSON", "structure"),)
    return tuple(gate.check(resource))
