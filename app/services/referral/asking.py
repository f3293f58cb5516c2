"""Who is asked for a need, reminded, passed over, and when a person must decide.

``rules.deadlines`` decides when; who comes next is found here: the hospital's route, then whoever else can do it, as
far as consent permits. A person of the hospital may say who; that goes before everything else.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.core.clock import micros, to_the_minute
from app.core.ids import uuid7
from app.rules import deadlines, lifecycle, no_show, steps
from app.rules.codings import codes_in
from app.rules.consent_flaws import plain
from app.rules.deadlines import Answering, Asked, Next
from app.rules.guests import GUEST, ORDER
from app.rules.matching import choose_next
from app.services.due_looks import look_job
from app.services.referral import guests, matching, needs, rides, telling
from app.services.referral.agreed import answer_minutes
from app.services.referral.partner_hours import dosing_calendar, intake_calendar
from app.services.referral.referral_work import Work
from app.services.referral.sharing import told_of
from app.services.referral.situation import Reason, Stuck
from app.services.writing import Resource
from schemas.codes.local import STATUS_REASON
from schemas.discharge import MOUD, Priority
from schemas.fallback import Fallback
from schemas.stub import Child, NeedLink

_REFUSED: Final = frozenset({"rejected", "failed", "cancelled"})
ANSWER_MINUTES: Final[dict[Priority, int]] = {"stat": 60, "asap": 120, "urgent": 240, "routine": 1440}
"""Within how many minutes of its intake hours a partner is to answer that promises nothing. The hub's own numbers."""
_NOT_OURS_TO_SEND: dict[str, Reason] = {
    "custody": ("custody", "The person goes to court or law enforcement: a human decides, nothing is sent."),
    "other-hcf": ("transferred", "The person goes to another facility that may dose: a human decides."),
    "psy": ("transferred", "The person goes to another facility that may dose: a human decides."),
}
_THE_PERSON_FIRST: Final = deadlines.PERSONAL | {"did-not-come", "left-care"}
_UNKNOWN_OTP: Reason = ("current-otp-unknown", "The program to which the person goes back takes no part here: call it.")
_NOT_PUSHED: Final[dict[Stuck, Reason]] = {
    "not-reached": ("push-not-reached", "A partner's own system takes no referral: call it, or choose another."),
    "at-odds": ("push-at-odds", "A partner's own system says what can't be, or can't be told any more: call it."),
}
_NOTICE_ONLY: Reason = ("notice-only", "Only the person's program is told; nobody else is asked.")


class Candidates(NamedTuple):
    """Who can be asked, the best first; and where that is nobody, what is in the way."""

    open: list[str]
    waits: steps.Waits
    reasons: list[Reason]
    chosen: frozenset[str] = frozenset()
    """Whom of the partners here the person chose."""
    passed_over: tuple[Reason, ...] = ()
    """Told where somebody else is asked: whom the person chose, and who can't be."""
    again_at: datetime | None = None
    """Where that is nobody, when the first word lapses by which a partner excludes itself."""


class Asking:
    """Follows the needs of one visit."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def follow(self, need: NeedLink) -> None:
        """Do for one need what is due now, and note when to look again."""
        held = _NOT_OURS_TO_SEND.get(self._work.record.visit.disposition or "")
        if not need.children and (held or self._work.doubted()):
            self._hold(need, "needs-a-person", [held] if held else [])
            return
        if held:
            self._work.result.attention.append(held)
            return
        if rides.awaits(self._work, need):
            self._hold(need, "appointment-awaited", [*rides.in_the_way(self._work)])
            self._own_time(need)
            return
        if need.need == ORDER:
            # Which clinic it is for was decided a moment ago.
            self._work.renew(need, self._work.showing.clinical)
        if not need.children:
            need.by_hand = self._work.task(need.task)["status"] == "requested"
        self._as_chosen(need)
        self._work.result.attention += self._at_odds(need)
        candidates = self._candidates(need)
        plan = deadlines.plan(
            [self._asked(need, child) for child in need.children],
            [Next(one, self._answering(need, one)) for one in candidates.open],
            gap=self._gap(need),
            now=self._work.now.now,
            confirmed=self._work.now.sender.offers == "confirmed",
        )
        self._carry_out(need, plan)
        settled = {"no-slot-before-gap"} if _has_fallback(need) else set()
        told: list[Reason] = [(one.code, one.text) for one in plan.reasons if one.code not in settled]
        if not need.children:
            self._hold(need, candidates.waits, candidates.reasons or told)
        elif told:
            self._tell(need, told, candidates)
        self._tell_of_choice(need, candidates)
        taken = any(self._status(child) in {"completed", *lifecycle.ENGAGED} for child in need.children)
        for moment in (plan.look_at, None if taken else candidates.again_at):
            if moment is not None:
                self._work.result.jobs.append(look_job(self._work.now.file.id, micros(moment)))
        self._own_time(need)

    def _own_time(self, need: NeedLink) -> None:
        """What is not the medication has a time of its own; a person is told when it comes and nobody took it."""
        tied, now = self._work.tied(need.need), self._work.now
        self._work.result.attention += needs.told(
            tied, need.need, [self._status(one) for one in need.children], now.now
        )
        self._work.result.attention += guests.told(now, need.need)
        if tied is not None and tied.by > now.now:
            self._work.result.jobs.append(look_job(now.file.id, micros(tied.by)))

    # ---- what a person decided

    def _as_chosen(self, need: NeedLink) -> None:
        """Ask whom a person chose, beside whoever waits, as far as consent permits; note a fallback."""
        for chosen in need.chosen:
            if chosen.done:
                continue
            chosen.done = True
            if chosen.fallback is not None:
                self._work.put(steps.on_fallback(self._work.task(need.task), chosen.fallback, chosen.by, chosen.at))
            if chosen.partner is not None and not self._waits(need, chosen.partner):
                if chosen.here and not self._free(need, chosen.partner):
                    continue
                self._ask_chosen(need, chosen.partner)

    def _free(self, need: NeedLink, partner: str) -> bool:
        """Whether the person who has come can stay there; whoever waits for them elsewhere is told that it is over."""
        if self._work.sharing.verdict(partner, need.need).level != "packet":
            return False
        elsewhere = [one for one in need.children if self._status(one) in lifecycle.ENGAGED]
        if any(no_show.came(self._work.task(one.task)) for one in elsewhere):
            return False
        for child in need.children:
            step = steps.on_elsewhere(self._work.task(need.task), self._work.task(child.task))
            if step is not None:
                self._work.apply(need, step)
        return True

    def _ask_chosen(self, need: NeedLink, partner: str) -> None:
        need.by_hand = True
        verdict = self._work.sharing.verdict(partner, need.need)
        if verdict.level == "nothing":
            self._work.result.attention += told_of(verdict)
            return
        waiting = [one for one in need.children if self._status(one) == "requested"]
        self._ask(need, partner, together=bool(waiting))
        for child in waiting:
            child.together = True
            self._work.put_child(need, child)

    def _waits(self, need: NeedLink, partner: str) -> bool:
        return any(one.partner == partner and self._status(one) not in lifecycle.TERMINAL for one in need.children)

    # ---- what is done

    def _carry_out(self, need: NeedLink, plan: deadlines.Plan) -> None:
        waiting = [child for child in need.children if self._status(child) == "requested"]
        for child in waiting:
            if child.partner in plan.withdraw:
                self._pass_over(need, child)
        for partner in plan.ask:
            self._ask(need, partner, together=plan.together)
        for child in waiting:
            remind = child.partner in plan.remind
            beside = plan.together and not child.together
            if (remind or beside) and self._status(child) == "requested":
                child.together = child.together or beside
                if remind:
                    child.reminded_at = self._work.now.now
                    profile = self._work.now.directory.partners.get(child.partner)
                    self._work.result.jobs += telling.reminders_for(profile, child, self._work.now.now)
                self._work.put_child(need, child)

    def _pass_over(self, need: NeedLink, child: Child) -> None:
        step = steps.on_passed_over(self._work.task(need.task), self._work.task(child.task))
        if step is not None:
            self._work.apply(need, step)

    def _ask(self, need: NeedLink, partner: str, *, together: bool) -> None:
        asked = steps.on_asked(self._work.task(need.task))
        if asked is not None:
            self._work.apply(need, asked)
        now = self._work.now.now
        answering = self._answering(need, partner)
        due = needs.answered_by(answering.due(now), self._latest(need, partner), now)
        child = Child(
            partner=partner,
            service_request=uuid7(),
            task=uuid7(),
            answer_by=to_the_minute(due),
            minutes=answering.within // timedelta(minutes=1),
            together=together,
        )
        need.children.append(child)
        outcome = self._work.showing.decide(need, child)
        self._work.put_child(need, child)
        profile = self._work.now.directory.partners.get(partner)
        self._work.result.jobs += telling.jobs_for(profile, child, now)
        if outcome.shared.decided.level != "packet":
            for task in (child.task, need.task):
                self._work.put(steps.on_consent(self._work.task(task), code="consent-needed"))

    def _hold(self, need: NeedLink, code: steps.Waits, reasons: list[Reason]) -> None:
        self._work.result.review += reasons
        step = steps.on_held(self._work.task(need.task), code)
        if step is not None:
            self._work.apply(need, step)

    def _tell(self, need: NeedLink, told: list[Reason], candidates: Candidates) -> None:
        """A person must decide: the visit's row says why, and where nobody can be asked, what is in the way."""
        codes = {code for code, _ in told}
        nobody = not codes.isdisjoint({"nobody-left", "no-answer"})
        stuck = nobody or not codes.isdisjoint(_THE_PERSON_FIRST)
        late = not codes.isdisjoint({"no-slot-before-gap", "not-seen-before-gap"})
        self._work.result.attention += [*told, *(candidates.reasons if nobody else ())]
        self._work.result.attention += self._fallbacks() if late else []
        # Who chose a fallback has decided: the Task says that, and the row goes on saying why.
        step = None if _has_fallback(need) else steps.on_held(self._work.task(need.task), "needs-a-person")
        if step is not None and stuck:
            self._work.apply(need, step)

    def _tell_of_choice(self, need: NeedLink, candidates: Candidates) -> None:
        """Whom the person chose can't be asked, and somebody else waits whom nobody chose."""
        chosen = candidates.chosen | {one.partner for one in need.chosen}
        statuses = {self._status(child) for child in need.children if child.partner not in chosen}
        if "requested" in statuses:
            self._work.result.attention += candidates.passed_over

    def _fallbacks(self) -> list[Reason]:
        """What the hospital has at hand itself, in its order; a person chooses."""
        return [("fallback", described(one)) for one in self._work.now.sender.fallbacks]

    def _latest(self, need: NeedLink, partner: str) -> datetime | None:
        """After when an answer of that partner would be no help: a ride, a clinic that asks for notice."""
        tied = self._work.tied(need.need)
        return guests.latest(self._work.now, partner) if need.need == MOUD else tied.by if tied else None

    # ---- what is known

    def _status(self, child: Child) -> str:
        return str(self._work.task(child.task)["status"])

    def _gap(self, need: NeedLink) -> datetime | None:
        """When the person's cover ends; none while they are in the bed, where the hospital gives the doses.

        Where only "was it filled?" is open, the hospital is asked first: for a time the later gap counts.
        """
        covered = self._work.coverage
        back = self._work.link.back
        in_hospital = self._work.record.ended_at is None or (back is not None and not back.over)
        if covered is None or need.need != MOUD or in_hospital:
            return None
        hold = covered.hold_partner_until
        return covered.confirmed_gap_at if hold and hold > self._work.now.now else covered.covered_until

    def _asked(self, need: NeedLink, child: Child) -> Asked:
        task = self._work.task(child.task)
        profile = self._work.now.directory.partners.get(child.partner)
        answering = self._answering(need, child.partner, child.minutes)
        has_place = task["status"] in lifecycle.ENGAGED
        return Asked(
            child.partner,
            task["status"],
            datetime.fromisoformat(task["authoredOn"]),
            replace(answering, full_until=None) if has_place else answering,
            answer_by=self._answer_by(child),
            reminded=child.reminded_at is not None,
            reason=_reason_of(task) if task["status"] in _REFUSED else "",
            came=no_show.came(task),
            closed=profile is None or not profile.active,
        )

    def _answer_by(self, child: Child) -> datetime | None:
        """Until when it is waited for; of a partner whose own server takes nothing, nobody waits for an answer."""
        return self._work.now.now if self._stuck(child) == "not-reached" else child.answer_by

    def _stuck(self, child: Child) -> Stuck | None:
        stored = self._work.now.rows.get(child.task)
        return stored.stuck if stored else None

    def _at_odds(self, need: NeedLink) -> list[Reason]:
        """What a person must see to at the servers of partners, each once."""
        return [_NOT_PUSHED[found] for found in ("not-reached", "at-odds") if found in map(self._stuck, need.children)]

    def _answering(self, need: NeedLink, partner: str, minutes: int | None = None) -> Answering:
        """What the two agreed, else the partner promised, else the hospital asks for; ``minutes`` if it was asked."""
        profile = self._work.now.directory.partners.get(partner)
        promised = profile.response_minutes if profile else None
        priority: Priority = self._work.task(need.task).get("priority", "routine")
        wanted = self._work.now.sender.answer_minutes.get(priority, ANSWER_MINUTES[priority])
        pair = (self._work.now.file.organization, partner)
        agreed = answer_minutes(self._work.now.directory, pair, need.need, priority, self._work.sharing.today)
        within = timedelta(minutes=minutes or agreed or promised or wanted)
        if profile is None:
            return Answering(within)
        enrolled = self._returns(need) and partner == self._home()
        dosing = dosing_calendar(profile) if enrolled or self._is_guest(need) else None
        if dosing is not None:
            return Answering(within, dosing)
        return Answering(within, intake_calendar(profile), profile.full_until(self._work.now.now))

    # ---- who comes next

    def _returns(self, need: NeedLink) -> bool:
        """Whether the person goes back to the program where they are enrolled, or it is only told of them."""
        back = self._work.event.continuation in {"return-to-current-otp", "notice-only"}
        return (need.need == MOUD and back) or need.need == ORDER

    def _is_guest(self, need: NeedLink) -> bool:
        """Whether a clinic is wanted that doses somebody who stays enrolled elsewhere."""
        return need.need == MOUD and self._work.event.continuation == GUEST

    def _home(self) -> str | None:
        """The partner that is the person's program; None where it isn't registered, or takes no part any more."""
        otp = self._work.event.current_otp
        partners = self._work.now.directory.partners.items()
        return next((one for one, p in partners if otp and p.active and plain(p.name) == plain(otp.name)), None)

    def _candidates(self, need: NeedLink) -> Candidates:
        """Who can be asked yet: the person's own program, then as matching ranks them; each once."""
        gone = {child.partner for child in need.children}
        home = self._home()
        if not self._returns(need):
            return self._ranked(need, {*gone, home} if home and self._is_guest(need) else gone)
        if home is None and not gone:
            return Candidates([], "route-needed", [_UNKNOWN_OTP])
        own = self._permitted(need, [] if home is None or home in gone else [home])
        if own.reasons:
            return own
        if need.need == ORDER or self._work.event.continuation == "notice-only":
            return own._replace(reasons=[_NOTICE_ONLY])
        others = self._ranked(need, {*gone, *own.open})
        return others._replace(open=[*own.open, *others.open], reasons=[] if own.open else others.reasons)

    def _ranked(self, need: NeedLink, gone: set[str]) -> Candidates:
        work = self._work
        ranking = matching.ranked(work.now, need.need, work.event, work.coverage)
        if not need.children:
            work.result.questions += matching.questions_for(work.now, need.need, ranking)
        found: list[str] = []
        while (choice := choose_next(ranking, {*gone, *found})).ranked is not None:
            found.append(choice.ranked.candidate.organization)
        if not found:
            lapses = [moment for one in ranking.ranked if (moment := one.says_no_until) is not None]
            reasons = [(reason.code, reason.text) for reason in choice.reasons]
            return Candidates([], "route-needed", reasons, again_at=min(lapses, default=None))
        chosen = frozenset(one.candidate.organization for one in ranking.ranked if "patient-choice" in one.codes)
        told = tuple((one.code, one.text) for one in ranking.passed_over if one.code.startswith("choice-"))
        return self._permitted(need, found)._replace(chosen=chosen, passed_over=told)

    def _permitted(self, need: NeedLink, partners: Sequence[str]) -> Candidates:
        """Those whom consent lets be asked; where it is none of them, what is in the way."""
        found: list[str] = []
        refused: list[Reason] = []
        for partner in partners:
            verdict = self._work.sharing.verdict(partner, need.need)
            if verdict.level == "packet" or (verdict.level == "offer" and self._may_offer(need)):
                found.append(partner)
            else:
                refused += told_of(verdict)
        return Candidates(found, "consent-needed", [] if found else refused)

    def _may_offer(self, need: NeedLink) -> bool:
        """Whether a partner may be asked for room before anybody consents: a person asks, or the sender says so."""
        return need.by_hand or self._work.now.sender.minimum_offer == "at-once"


def _reason_of(task: Resource) -> str:
    """Code of the reason for a status, where it is one of ours."""
    return next(iter(codes_in(task.get("statusReason"), STATUS_REASON)), "")


def _has_fallback(need: NeedLink) -> bool:
    return any(one.fallback for one in need.chosen)


def described(fallback: Fallback) -> str:
    """A fallback in one line: ``own-bridge-clinic: Mercy Bridge, 555-0100, mon-fri 08:00-16:00``."""
    hours = [f"{' '.join(one.days)} {one.opens}-{one.closes}" for one in fallback.hours]
    parts = [part for part in (fallback.name, fallback.phone, "; ".join(hours)) if part]
    return f"{fallback.kind}: {', '.join(parts)}" if parts else fallback.kind
