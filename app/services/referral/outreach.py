"""Who did not come where a place waits: somebody of the hospital looks for them, and the place is kept for a time.

What a partner says of it reaches the hospital only where a consent covers the way back; without one there is nothing
that could be looked after here, and the clock of the cover goes on telling a person.
"""

from datetime import datetime, timedelta
from typing import Final

from app.core.clock import micros, to_the_minute
from app.core.ids import uuid7
from app.rules import lifecycle, no_show, steps
from app.rules.answering import outcomes_of
from app.services.due_looks import look_job
from app.services.referral.referral_work import Work
from app.services.referral.situation import Reason
from app.services.writing import Resource
from fhir_mappings.outreach import found, outreach_task
from schemas.codes.local import STATUS_REASON, concept
from schemas.discharge import MOUD
from schemas.stub import Child, Missed, NeedLink

_TEXTS: Final = {
    "no-show": "The person did not come where a place waits: find them. The outreach Task says by when.",
    "outreach-overdue": "Nobody has tried to reach the person who did not come, and the time for it is over.",
    "not-found": "The person who did not come could not be found: a person decides how the referral goes on.",
    "declined-by-person": "The person does not want the place any more: end the referral, or ask what they want.",
    "place-lapsed": "The place of the person who did not come was kept long enough: ask the partner, or another.",
}


class Outreach:
    """Follows those of one visit who did not come."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def follow(self) -> None:
        """Do what is due now for every partner that was ever asked, and note when to look again."""
        for need, child in self._work.showing.children():
            before = child.missed.times if child.missed else 0
            times = no_show.missed(self._work.task(child.task)) if self._may_be_told(child) else before
            if times > before and self._goes_on(need):
                self._open(need, child, times)
            if child.missed is not None:
                # A business status says how it stands, not how often it came to that: what is over counts anew.
                child.missed.times = min(child.missed.times, times)
                self._watch(need, child, child.missed)

    def _may_be_told(self, child: Child) -> bool:
        return child.back is not None and child.back.level == "packet"

    def _goes_on(self, need: NeedLink) -> bool:
        return self._work.task(need.task)["status"] not in lifecycle.TERMINAL

    # ---- the person did not come

    def _open(self, need: NeedLink, child: Child, times: int) -> None:
        work, now = self._work, self._work.now.now
        engaged = work.task(child.task)["status"] in lifecycle.ENGAGED
        profile = work.now.directory.partners.get(child.partner)
        kept = timedelta(hours=profile.place_hours) if profile and engaged else None
        before = child.missed if child.missed and self._looks(child.missed) else None
        child.missed = Missed(
            times=times,
            outreach=before.outreach if before else uuid7(),
            due=before.due if before else self._due(need),
            place_until=to_the_minute(now + kept) if kept else None,
        )
        self._ask(need, child, child.missed, goes_on=before is not None)
        work.put(steps.on_missed(work.task(need.task)))
        if engaged:
            work.put_child(need, child)

    def _due(self, need: NeedLink) -> datetime:
        work = self._work
        gap = work.coverage.covered_until if work.coverage and need.need == MOUD else None
        return to_the_minute(no_show.due(work.now.now, gap, timedelta(minutes=work.now.sender.outreach_minutes)))

    def _ask(self, need: NeedLink, child: Child, missed: Missed, *, goes_on: bool) -> None:
        """The Task of the search; of one that goes on nothing that was tried, and no time, is taken away."""
        work, place_until = self._work, missed.place_until
        hub, zone = work.now.directory.hub, work.now.sender.zone(work.record.facility)
        asked = outreach_task(
            work.task(need.task),
            work.task(child.task),
            outreach=missed.outreach,
            hub=(hub, work.now.directory.names[hub]),
            now=work.now.now,
            due=missed.due,
            place_until=place_until.astimezone(zone) if place_until else None,
        )
        held = work.task(missed.outreach) if goes_on else {}
        work.put({**asked, **held, "description": asked["description"]})

    def _looks(self, missed: Missed) -> bool:
        return self._work.task(missed.outreach)["status"] not in lifecycle.TERMINAL

    # ---- until they do, or nobody looks any more

    def _watch(self, need: NeedLink, child: Child, missed: Missed) -> None:
        if self._came(need, child):
            self._found(need, child, missed)
        elif not self._goes_on(need):
            self._end(missed)
        else:
            self._tell(missed)

    def _came(self, need: NeedLink, child: Child) -> bool:
        """Whether the person has come here after all, or to another partner that has them now."""
        tasks = [self._work.task(one.task) for one in need.children if one is not child]
        there = [one for one in tasks if one["status"] in lifecycle.ENGAGED | {"completed"}]
        return any(no_show.came(one) for one in (self._work.task(child.task), *there))

    def _found(self, need: NeedLink, child: Child, missed: Missed) -> None:
        if self._looks(missed):
            self._work.put(found(self._work.task(missed.outreach), "arrived"))
        if missed.place_until is not None:
            missed.place_until = None
            if self._work.task(child.task)["status"] not in lifecycle.TERMINAL:
                self._work.put_child(need, child)
        self._work.put(steps.on_came(self._work.task(need.task)))

    def _end(self, missed: Missed) -> None:
        if self._looks(missed):
            held = self._work.task(missed.outreach)
            self._work.put({**held, "status": "cancelled", "statusReason": concept(STATUS_REASON, "withdrawn")})

    def _tell(self, missed: Missed) -> None:
        now = self._work.now.now
        held = self._work.task(missed.outreach)
        codes = [code for code in (_state(held), "place-lapsed") if code is not None]
        if missed.place_until is None or missed.place_until > now:
            codes.remove("place-lapsed")
        if "no-show" in codes and missed.due <= now and not _tried(held):
            codes.append("outreach-overdue")
        told: list[Reason] = [(code, _TEXTS[code]) for code in codes]
        self._work.result.attention += told
        moments = [one for one in (missed.due, missed.place_until) if one is not None and one > now]
        self._work.result.jobs += [look_job(self._work.now.file.id, micros(one)) for one in moments]


def _state(outreach: Resource) -> str | None:
    """What the search for the person comes to, so far as a person must know."""
    if outreach["status"] == "completed":
        return "declined-by-person" if "declined-by-person" in outcomes_of(outreach) else None
    return "not-found" if outreach["status"] in lifecycle.TERMINAL else "no-show"


def _tried(outreach: Resource) -> bool:
    return outreach["status"] != "requested" or bool(outreach.get("output"))
