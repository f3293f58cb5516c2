"""What the encrypted visit stub holds: the record of the visit and the referral that grew from it."""

from typing import Any, Literal

from pydantic import Field

from schemas.base import Instant, Model
from schemas.facts import VisitRecord
from schemas.fallback import FallbackKind


class Held(Model):
    """One resource that intake wrote: its id, version, and a digest of its content."""

    id: str
    version: int
    digest: str


class Decided(Model):
    """The decision of consent that stands: its row, and what of it must change for there to be another one."""

    id: str
    level: Literal["nothing", "offer", "packet"]
    basis: str | None
    consent: str | None
    """FHIR id of the Consent that it stands on."""
    until: Instant | None
    notice: str | None
    codes: list[str]


class Missed(Model):
    """The person did not come to a partner that had accepted."""

    times: int
    """How often the partner has said so."""
    outreach: str
    """Id of the Task by which the hospital looks for the person."""
    due: Instant
    """By when somebody has tried."""
    place_until: Instant | None = None
    """Until when the partner is asked to keep the place; None: it is over, or the person came."""


class Child(Model):
    """What one partner was sent."""

    partner: str
    service_request: str
    task: str
    checklist: str | None = None
    """Id of the Task by which the hospital works off what the partner needs."""
    decided: Decided | None = None
    """What the partner may see."""
    back: Decided | None = None
    """What the hospital may see of what the partner reports."""
    answer_by: Instant | None = None
    """Until when its answer was asked for."""
    minutes: int | None = None
    """Within how many minutes of its hours that was."""
    reminded_at: Instant | None = None
    together: bool = False
    """It was told that others are asked at the same time."""
    missed: Missed | None = None
    ride_at: Instant | None = None
    """Of a ride that was taken: the time that its partner was last told."""


class Chosen(Model):
    """What a person of the hospital decided about a need: whom to ask, or which fallback to take."""

    by: str
    """Who, as it was given."""
    at: Instant
    partner: str | None = None
    """Organisation to ask."""
    fallback: FallbackKind | None = None
    here: bool = False
    """The person has come to that partner: who waits for them elsewhere does so no more."""
    done: bool = False
    """It was acted on, as far as consent permitted."""


class NeedLink(Model):
    """The source ServiceRequest and Task of one need, and the children sent for it."""

    need: str
    service_request: str
    task: str
    children: list[Child] = Field(default_factory=list)
    chosen: list[Chosen] = Field(default_factory=list)
    by_hand: bool = False
    """A person of the hospital had it requested: partners may be asked for room before anybody consents."""


class ClockState(Model):
    """The coverage clock as it was last told: what it read and what it showed, as ``rules.coverage_changes`` has it."""

    at: Instant
    """When something of it changed last."""
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    hours: int | None = None
    """Whole hours without medication at that moment."""
    job: str | None = None
    """Id of the job by which it is looked at again."""


class Back(Model):
    """The person came back to the hospital in another visit."""

    since: Instant
    over: bool = False
    """They have left again."""
    died: bool = False
    """They have died, as that visit says."""
    needs: list[str] = Field(default_factory=list)
    """What that visit refers them for itself."""


class ReferralLink(Model):
    """The referral of a visit: every source of one transition shares the group."""

    group: str
    needs: list[NeedLink] = Field(default_factory=list)
    """The sources that hold now."""
    former: list[NeedLink] = Field(default_factory=list)
    """Sources that ended before the visit did (a cancelled discharge)."""
    departed: bool = False
    """A partner was asked because the person had left, not because somebody offered early."""
    awaits_discharge: bool = False
    """A source was taken back; the next one opens when the visit ends."""
    clock: ClockState | None = None
    back: Back | None = None
    resources: dict[str, Held] = Field(default_factory=dict)
    """``Type|logical key`` -> what was written."""

    def choose(self, task: str, chosen: Chosen) -> None:
        """Note what a person decided about the need of a source Task; one that is over takes nothing any more."""
        for need in self.needs:
            if need.task == task:
                need.chosen.append(chosen)


class VisitContent(Model):
    """What the sealed stub holds."""

    sender: str
    record: VisitRecord
    referral: ReferralLink | None = None
    numbers: list[str] = Field(default_factory=list)
    persons: list[str] = Field(default_factory=list)
