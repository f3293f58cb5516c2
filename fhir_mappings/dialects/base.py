"""What every dialect is: one source format, read into the facts that one message states."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from schemas.facts import Facts
from schemas.sender import Sender


class Note(NamedTuple):
    """Something that could not be read. Place and rule only: a value could identify a person."""

    path: str
    """``PID-7`` or ``visit.unit``."""
    rule: str
    segment: int | None = None
    """Position of the segment in the message, MSH = 0; None where the source has no segments."""


class Problem(NamedTuple):
    """Why a message can't be filed, with the place that an acknowledgement names."""

    code: str
    """HL7 table 0357: ``101`` = required field missing."""
    rule: str
    segment: str
    field: int


CodeKind = Literal["drug", "diagnosis", "class", "disposition", "order-class", "result", "need", "consent"]


class Unmapped(NamedTuple):
    """A code of the sender's own that neither its file nor a table knows. Only what has the shape of a code."""

    kind: CodeKind
    path: str
    code: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one message says, and what in it could not be read."""

    facts: Facts
    notes: tuple[Note, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
    sent_at: datetime | None = None
    """MSH-7, where it has a time of day: the sender's clock when it sent."""
    more: tuple[Facts, ...] = ()
    """What the same message says of further persons or pairs of numbers (A40 repeats its groups), in their order."""


def identified(facts: Facts) -> bool:
    """Whether anything numbers the person or the visit, so that a message can be filed."""
    visit, patient = facts.visit, facts.patient
    return bool((visit is not None and visit.identifiers) or (patient is not None and patient.identifiers))


class Dialect(Protocol):
    """One way of telling us about a visit. A dialect is pure: same bytes and sender, same reading."""

    @property
    def name(self) -> str:
        """Name of the folder, and what ``--dialect`` says."""

    @property
    def source(self) -> Literal["hl7v2", "json", "fhir"]:
        """What ``read`` takes: a parsed HL7 v2 message, a discharge event in JSON, or a FHIR Bundle."""

    @property
    def targets(self) -> dict[str, str]:
        """Field that is read (``PID-3``, ``visit.unit``) to the FHIR element that it becomes."""

    @property
    def unused(self) -> dict[str, str]:
        """Fields that are left out on purpose, with the reason, where "not mapped" would not explain it."""

    def read(self, message: Any, sender: Sender) -> Reading:
        """The facts of one message. What is unreadable in it is noted and left out, never guessed."""

    def filing(self, message: Any, facts: Facts) -> Problem | None:
        """What keeps a message that could be read from being filed; None = it can be."""
