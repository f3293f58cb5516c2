"""One partner, looked at for one person: what speaks for and against it, and when it could take the person in. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple

from app.rules import guests, policies
from app.rules.drugs import Drug
from app.rules.hours import Calendar
from app.rules.policies.base import Clause, Finding, Held, Person
from app.rules.verdict import Reason
from schemas.facets import Capacity, Facet
from schemas.hours import WEEKDAYS, OpenHours, Weekday
from schemas.partner import PRODUCTS, PartnerProfile

Standing = Literal["eligible", "excluded"]
Policies = Literal["conflict", "no-conflict", "conflict-unknown"]
Left = Literal["0", "1", "2+", "unknown"]
BARRIER: Final = "possible-unlawful-barrier"
"""Tag for internal review, of a refusal of people for their medication alone. It is no accusation, and not shown."""
HOURS: Final = "intake-hours"
"""What is asked where no hours of intake are stated; no facet, but a question like one."""
_SHOWN: Final = frozenset(
    facet for clause in policies.ALL.values() if clause.weight == "shown" for facet in clause.facets
)
"""What is shown and moves nobody: not even from review to being asked."""
_WEEKEND: Final = frozenset[Weekday]({"sat", "sun"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partner as matching must know it.

    Attributes:
        organization: FHIR id.
        profile: what it says of itself.
        intake: its intake hours; None where it did not say them.
        agreement: whether what must be signed is; True where nothing must.
        asked: it was asked for this need before, whatever it said.
    """

    organization: str
    profile: PartnerProfile
    intake: Calendar | None = None
    agreement: bool = True
    asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for.

    Attributes:
        need: kind of need.
        person: what clauses may know of the person.
        covered_until: when the first dose without a known source falls due; None where that is not known, or no
            medication is needed.
        ready: when the person can be somewhere at the earliest; None: now.
        guest_from: the first day on which a guest is to be dosed, where the clinic is.
        choice: names of the organisations that the person chose, the first choice first.
        routes: the sender's need to partner name.
        rotation: key of the shuffle among equals, of this referral.
    """

    need: str
    person: Person
    covered_until: datetime | None = None
    ready: datetime | None = None
    guest_from: date | None = None
    choice: Sequence[str] = ()
    routes: Mapping[str, str] = field(default_factory=dict)
    rotation: bytes = b""


class Judged(NamedTuple):
    """What one clause says."""

    clause: Clause
    finding: Finding
    said: bool
    """Whether the organisation said something of it that counts."""


class Call(NamedTuple):
    """Something that somebody must ask on the phone: the facet, and what is not known."""

    facet: str
    text: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate with all that speaks for and against it.

    Attributes:
        candidate: who.
        standing: whether it may be asked.
        reasons: why it stands where it stands, the weightiest first.
        calls: what is not known and would matter.
        judged: every clause that was asked.
        next_intake: the first moment at which the person could be taken in, UTC; None where hours are not known.
        slack: from there to the end of the cover; negative where the intake comes too late.
        before_gap: whether the person can be taken in before the cover ends; None where that is not known.
        left: intakes left on the next day with intake; where none is, the next intake is on a later day.
        attested_at: the oldest attestation that a clause went by.
        policies: as an offer words it.
        tags: for internal review alone.
        stated: whether its profile says more than the smallest one: hours, places, or facets that may move anybody.
    """

    candidate: Candidate
    standing: Standing
    reasons: tuple[Reason, ...]
    calls: tuple[Call, ...]
    judged: tuple[Judged, ...]
    next_intake: datetime | None
    slack: timedelta | None
    before_gap: bool | None
    left: Left
    attested_at: datetime | None
    policies: Policies
    tags: tuple[str, ...]
    stated: bool

    @property
    def says_no_until(self) -> datetime | None:
        """When the first of its words lapses that exclude it; None where none does, or only its lists do."""
        out = (one.finding.facet for one in self.judged if _excludes(one))
        facets = [self.candidate.profile.facets.get(name or "") for name in out]
        days = [facet.expires for facet in facets if facet and facet.expires]
        zone = self.candidate.profile.zone or UTC
        return datetime.combine(min(days), time(), zone) if days else None

    @property
    def codes(self) -> tuple[str, ...]:
        """The reason codes alone."""
        return tuple(reason.code for reason in self.reasons)

    @property
    def deciding(self) -> str:
        """What decided in one word: ``no:<clause>``, ``low:<clause>``, ``call:<clause>``, ``yes``."""
        if self.standing == "excluded":
            return next(code for code in self.codes if code.startswith("no:"))
        found = {one.finding.verdict: one.clause.name for one in reversed(weighing(self.judged))}
        if "conflict" in found:
            return f"low:{found['conflict']}"
        return f"call:{found['unknown']}" if "unknown" in found else "yes"


TEXTS: Final = {
    "patient-choice": "the person chose it",
    "route-configured": "the sender's route for this need",
    "intake-before-gap": "an intake is open before the medication runs out",
    "intake-after-gap": "no intake is open before the medication runs out",
    "hours-unknown": "its intake hours are not known",
    "guest-notice-too-short": "with the notice that it asks for it can't dose on the first day as a guest",
    "no-intake-ahead": "it has no intake hours ahead",
    "pregnancy-first": "it gives pregnant people a place first",
    "no-agreement": "no agreement with it is in force",
    "full-today": "no intake is left on the next day with intake",
    "places-left": "intakes are left on the next day with intake",
    "no:need": "it does not list this need",
    "no:product": "its products do not list the one that is needed",
}


def assess(one: Candidate, wanted: Wanted, now: datetime, *, chosen: bool) -> Ranked:
    """What is to be said of one candidate, by itself.

    Args:
        one: the candidate.
        wanted: what is looked for.
        now: an aware instant.
        chosen: whether the person chose it.
    """
    held = _held(one, wanted.person.runs_out_on, now)
    judged = tuple(_judged(wanted, held, one.profile.products))
    routed = one.profile.name == wanted.routes.get(wanted.need)
    refusals = [*_list_refusals(one, wanted, held, routed=routed), *_refusals(judged)]
    opens = _next_intake(one, wanted, held, now)
    left = _left(one, opens, now)
    full = one.profile.full_until(now)
    intake = one.intake.next_open(max(opens, full)) if opens and full and one.intake else opens
    found = Ranked(
        candidate=one,
        standing="excluded" if refusals else "eligible",
        reasons=(),
        calls=tuple(_calls(one, wanted, judged)),
        judged=judged,
        next_intake=intake,
        slack=wanted.covered_until - intake if intake and wanted.covered_until else None,
        before_gap=_before_gap(one, wanted, intake, now),
        left=left,
        attested_at=_oldest(judged, held),
        policies=_policies(judged),
        tags=(BARRIER,) if any(_is_barrier(each) for each in judged) else (),
        stated=not _SHOWN.issuperset(held) or one.intake is not None or _capacity(one, now) is not None,
    )
    marks = [*(["patient-choice"] if chosen else []), *(["route-configured"] if routed else [])]
    reasons = (*_reasons(*marks), *refusals, *_reasons(*_marks(found, wanted, held)))
    return replace(found, reasons=reasons)


def _reasons(*codes: str) -> tuple[Reason, ...]:
    return tuple(Reason(code, TEXTS[code]) for code in codes)


# ---- policies


def _held(one: Candidate, runs_out_on: int | None, now: datetime) -> Held:
    """What counts today, by the organisation's own calendar; of what has lapsed nothing is known."""
    profile = one.profile
    today = now.astimezone(profile.zone or UTC).date()
    held = {name: _without_past(facet, today) for name, facet in profile.facets.items() if facet.stands(today)}
    if profile.dosing_hours is not None and "weekend-dosing" not in held:
        held["weekend-dosing"] = _weekend(profile.dosing_hours, runs_out_on)
    return held


def _without_past(facet: Facet, today: date) -> Facet:
    """A day of injections that is over is no next one."""
    over = facet.next_day is not None and facet.next_day < today
    return facet.model_copy(update={"next_day": None}) if over else facet


def _weekend(dosing: Sequence[OpenHours], runs_out_on: int | None) -> Facet:
    """What its hours say of the day of the weekend on which it matters; of both where that is not known."""
    days = {day for hours in dosing for day in hours.days}
    wanted = {WEEKDAYS[runs_out_on]} & _WEEKEND if runs_out_on is not None else set()
    return Facet.model_construct(value="yes" if days >= (wanted or _WEEKEND) else "no")


def _judged(wanted: Wanted, held: Held, products: Collection[str]) -> list[Judged]:
    found = []
    for clause in policies.ALL.values():
        if clause.needs is not None and wanted.need not in clause.needs:
            continue
        finding = clause.judge(wanted.person, held)
        listed = clause.listed and clause.drug in products and finding.facet not in held
        if finding.verdict != "not-asked" and not (finding.verdict == "unknown" and listed):
            found.append(Judged(clause, finding, finding.facet in held))
    return found


def _list_refusals(one: Candidate, wanted: Wanted, held: Held, *, routed: bool) -> list[Reason]:
    """What its lists of needs and products leave out, which the hospital's own route may know better.

    A list of products is whole: what is not on it is not there, unless a clause attests it, or the list holds a name
    that nobody knows, which may be another one for it.
    """
    if routed:
        return []
    if wanted.need not in one.profile.needs:
        return list(_reasons("no:need"))
    drug: Drug | None = wanted.person.product if wanted.need == "moud-continuation" else None
    products = one.profile.products
    if drug is None or drug in products or not products or not PRODUCTS.issuperset(products):
        return []
    clauses = (clause for clause in policies.ALL.values() if clause.drug == drug)
    attested = any(clause.judge(wanted.person, held).verdict == "fits" for clause in clauses)
    return [] if attested else list(_reasons("no:product"))


def _refusals(judged: Sequence[Judged]) -> list[Reason]:
    return [Reason(f"no:{one.clause.name}", one.finding.text) for one in judged if _excludes(one)]


def _excludes(one: Judged) -> bool:
    return one.finding.verdict == "conflict" and one.clause.weight == "excludes"


def _calls(one: Candidate, wanted: Wanted, judged: Sequence[Judged]) -> list[Call]:
    """What must be asked: what is not known, and a no that must not decide by itself."""
    open_questions = [
        Call(each.finding.facet or each.clause.name, each.finding.text)
        for each in judged
        if each.finding.verdict == "unknown" or (each.finding.verdict == "conflict" and each.clause.weight == "lowers")
    ]
    hours = wanted.covered_until is not None and one.intake is None
    return [*([Call(HOURS, "It has not said when people can come for an intake.")] if hours else []), *open_questions]


def weighing(judged: Sequence[Judged]) -> list[Judged]:
    """Those that may move a candidate: not what is shown alone."""
    return [one for one in judged if one.clause.weight != "shown"]


def _is_barrier(one: Judged) -> bool:
    return one.clause.barrier and one.finding.verdict == "conflict"


def _policies(judged: Sequence[Judged]) -> Policies:
    verdicts = {one.finding.verdict for one in weighing(judged)}
    if "conflict" in verdicts:
        return "conflict"
    return "conflict-unknown" if "unknown" in verdicts else "no-conflict"


def _oldest(judged: Sequence[Judged], held: Held) -> datetime | None:
    facets = (held.get(one.finding.facet or "") for one in judged)
    return min((facet.attested_at for facet in facets if facet and facet.attested_at), default=None)


# ---- time and places


def _next_intake(one: Candidate, wanted: Wanted, held: Held, now: datetime) -> datetime | None:
    if one.intake is None:
        return None
    ready = max(now, wanted.ready or now)
    if wanted.person.continuation == guests.GUEST:
        ready = max(ready, guests.ready(now, wanted.guest_from, one.intake, held.get(guests.GUEST)))
    return one.intake.next_open(ready)


def _before_gap(one: Candidate, wanted: Wanted, intake: datetime | None, now: datetime) -> bool | None:
    """None where hours or cover are not known; where the cover has ended, nothing is before the gap any more.

    For a guest the gap is the first day on which nobody else doses.
    """
    if one.intake is not None and guests.too_late(intake, wanted.guest_from, one.intake):
        return False
    if one.intake is None or wanted.covered_until is None or wanted.covered_until <= now:
        return None
    return intake is not None and intake < wanted.covered_until


def _left(one: Candidate, intake: datetime | None, now: datetime) -> Left:
    """Places left on the day of the next intake: what was said of another day says nothing of that one."""
    capacity = _capacity(one, now)
    if capacity is None:
        return "unknown"
    zone = one.profile.zone or UTC
    of_that_day = intake is None or intake.astimezone(zone).date() == capacity.as_of.astimezone(zone).date()
    return capacity.left if of_that_day else "unknown"


def _capacity(one: Candidate, now: datetime) -> Capacity | None:
    capacity = one.profile.capacity
    return capacity if capacity is not None and capacity.stands(now) else None


# ---- why


def _marks(found: Ranked, wanted: Wanted, held: Held) -> list[str]:
    priority = held.get("pregnancy-priority")
    first = wanted.person.pregnant is True and priority is not None and priority.value == "yes"
    timed = found.candidate.intake is not None
    places = {"0": "full-today", "1": "places-left", "2+": "places-left"}.get(found.left)
    return [
        *([_time_mark(found)] if wanted.covered_until and (not timed or found.before_gap is not None) else []),
        *(["guest-notice-too-short"] if timed and _late_guest(found, wanted) else []),
        *(["no-intake-ahead"] if timed and found.next_intake is None else []),
        *(["pregnancy-first"] if first else []),
        *([] if found.candidate.agreement else ["no-agreement"]),
        *([places] if places else []),
    ]


def _late_guest(found: Ranked, wanted: Wanted) -> bool:
    hours = found.candidate.intake
    return hours is not None and guests.too_late(found.next_intake, wanted.guest_from, hours)


def _time_mark(found: Ranked) -> str:
    if found.before_gap is None:
        return "hours-unknown"
    return "intake-before-gap" if found.before_gap else "intake-after-gap"
