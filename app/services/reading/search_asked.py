"""What a search asks for, read and checked; and how it is told that something can't be asked."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from app.core.errors import BadRequest, Issue, NotSupported
from app.services.writing import Resource
from app.store.queries import OLDEST_FIRST, Condition, Order
from fhir_mappings.subsets import Subset
from schemas.resources.base import SearchParam

Test = Callable[[Resource], bool]
Clause = Condition | Test
"""A demand on matches: looked for by the store, or asked of each resource that the store leaves."""
DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 500


@dataclass(frozen=True, slots=True)
class Include:
    """A reference to follow from what was found, or backwards to it."""

    source: str
    """The type that has the reference."""
    param: SearchParam
    target: str | None = None
    """The type that it must point to; None: any."""
    iterate: bool = False
    """Whether it is followed from what is included too."""
    reverse: bool = False

    @property
    def name(self) -> str:
        """As the CapabilityStatement has it: ``Task:focus``."""
        return f"{self.source}:{self.param.name}"


@dataclass(slots=True)
class Asked:
    """What a search request asks for."""

    type: str
    conditions: list[Condition] = field(default_factory=list)
    """What the store looks for."""
    tests: list[Test] = field(default_factory=list)
    """What is looked for among the resources that the conditions leave: parameters that no index holds."""
    late: list[Callable[[int], Clause]] = field(default_factory=list)
    """What depends on the time of the question (microseconds); see ``at``."""
    includes: list[Include] = field(default_factory=list)
    order: tuple[Order, ...] = OLDEST_FIRST
    count: int = DEFAULT_COUNT
    count_only: bool = False
    total: bool = False
    subset: Subset | None = None
    ignored: list[str] = field(default_factory=list)
    """Parameters that a lenient request had left out."""
    suppressed: list[str] = field(default_factory=list)
    """Includes by which nothing comes along, since the token does not cover what they lead to."""
    used: list[tuple[str, str]] = field(default_factory=list)
    """What was honoured."""
    link: str = ""
    """The same as the query of the self link, with its question mark."""

    def demand(self, clause: Clause) -> None:
        """Matches must meet ``clause`` too."""
        if callable(clause):
            self.tests.append(clause)
        else:
            self.conditions.append(clause)

    def at(self, now: int) -> "Asked":
        """The same, as it is meant at ``now`` (microseconds)."""
        if not self.late:
            return self
        settled = replace(self, conditions=[*self.conditions], tests=[*self.tests], late=[])
        for clause in self.late:
            settled.demand(clause(now))
        return settled


def shown(name: str) -> str:
    """A parameter's name as an error may repeat it."""
    return "".join(c for c in name[:64] if c.isalnum() or c in "_:-.")


def refused(name: str, why: str) -> NotSupported:
    """The parameter is none that is known here; a lenient request goes on without it."""
    return NotSupported(f"Search parameter {shown(name)}: {why}", path=f"http.{shown(name)}")


def malformed(name: str, expected: str) -> BadRequest:
    """The value can't be read. A search that left it out would find what nobody asked for, lenient or not."""
    text = f"Search parameter {shown(name)}: {expected}"
    return BadRequest(text, issues=(Issue("value", text, f"http.{shown(name)}"),))
