"""What a decision about the referral of one visit is made from, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.services.referral.visit_file import VisitFile
from app.services.writing import Draft, Resource
from app.store.accounts import Directory
from app.store.changes import CoverageEvent, Decision, Grant, Job, Question, ReferralVisit, Revocation
from fhir_mappings import gate
from fhir_mappings.triage import Triage
from schemas.sender import Sender

Reason = tuple[str, str]
Stuck = Literal["not-reached", "at-odds"]
"""Of a partner's Task: it never arrived at the partner's own server, or what is said there can't be said here."""


class NotConforming(Exception):
    """What would be written can't even be put before the gate; (path, rule) of every problem."""

    def __init__(self, problems: Sequence[gate.Problem]) -> None:
        super().__init__("a resource does not pass the gate")
        self.problems = tuple((problem.path, problem.rule) for problem in problems)


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource as it is stored now."""

    version: int
    resource: Resource
    stuck: Stuck | None = None
    """Why a person must see to it that the partner's own server and this Task agree; None: nothing is in the way."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The message that a change comes from."""

    ledger: str
    control_id: str
    content_hash: str
    occurred: datetime
    cause: str = ""
    """Where no message came: why the visit is looked at again."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision about one visit's referral is made from."""

    file: VisitFile
    sender: Sender
    triage: Triage
    directory: Directory
    rows: Mapping[str, Stored]
    """Source and child ServiceRequests and Tasks, by id."""
    now: datetime
    origin: Origin
    absorbed: Sequence[VisitFile] = ()
    """Visits that turned out to be this one."""


@dataclass(slots=True)
class Settlement:
    """What becomes of the referral."""

    opened: bool = False
    referral: str | None = None
    """Id of the source ServiceRequest that holds (the first one)."""
    review: list[Reason] = field(default_factory=list)
    """Why a person must decide before anybody is asked, or may be shown more."""
    attention: list[Reason] = field(default_factory=list)
    """Why a person must look at a referral that is under way."""
    drafts: list[Draft] = field(default_factory=list)
    """New versions of resources; each has yet to pass the gate."""
    grants: list[Grant] = field(default_factory=list)
    revocations: list[Revocation] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    """What falls due by time alone: a permit ends, an answer is due, the cover ends."""
    jobs_gone: list[str] = field(default_factory=list)
    """Ids of those that are void."""
    clock: CoverageEvent | None = None
    """The coverage clock, where it changed; its inputs are not sealed yet."""
    questions: list[Question] = field(default_factory=list)
    """What partners have not said, and would have told more about whom to ask."""
    referrals: list[ReferralVisit] = field(default_factory=list)
