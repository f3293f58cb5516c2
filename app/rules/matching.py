"""Which partner is asked, and in which order the others would be: ranked, with reasons, and with what is not known.

The rules, in the order in which they count:

1. Whom the person chose stands before all others, as long as it is a partner that is active.
2. Then whom the sender's route names: the hospital's own rule. It gives way where the partner is closed until after the
   medication runs out and another one is open before.
3. A partner is excluded only by what it says itself: a plain "no" that has not lapsed (``rules.policies``), or a list
   of products or needs without the one that is wanted. It stays on the list, with its reason.
4. Who can take the person in before the medication runs out stands before those of whom that is not known, and these
   before who is closed until after.
5. A pregnant person goes first to who gives pregnant people a place first, and is excluded by nobody for it.
6. Then fewer conflicts, free places, fewer questions that somebody must call about, an earlier day.
7. What is left equal is shuffled by a key of the referral: not by name, and the same at every look.

Race, ethnicity, name and payment are not among what is read; what an organisation says of insurance is shown and moves
nothing. Time is an argument. Pure.
"""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.rules.candidates import Call, Candidate, Ranked, Wanted, assess, weighing
from app.rules.consent_flaws import plain
from app.rules.verdict import Reason, Verdict

__all__ = ["Call", "Candidate", "Choice", "Ranked", "Ranking", "Wanted", "assess", "choose_next", "rank"]

_DAY: Final = timedelta(days=1)
_FAR: Final = 1_000
"""Days to an intake that nobody knows."""
_PLACES: Final = {"2+": 0, "1": 0, "unknown": 1, "0": 2}


@dataclass(frozen=True, slots=True)
class Ranking(Verdict):
    """All candidates, the first to be asked first.

    ``reasons`` say why no candidate follows where a route leads nowhere, or nobody lists the need.
    """

    ranked: tuple[Ranked, ...]
    passed_over: tuple[Reason, ...] = ()
    """Whom the person or the hospital named and who can't be asked: somebody should call."""


@dataclass(frozen=True, slots=True)
class Choice(Verdict):
    """The candidate to ask next, or None: then a human decides, and the reasons say why."""

    ranked: Ranked | None


_TEXTS: Final = {
    "patient-choice": "the person chose it",
    "route-configured": "the sender's route for this need",
    "only-candidate": "the only active partner that lists this need and product",
    "best-ranked": "the first by what the partners say of themselves",
    "no-route": "no single partner follows from routes and profiles",
    "route-partner-unknown": "the sender's route names a partner that is not registered",
    "route-partner-inactive": "the sender's route names a partner that is not active",
    "no-candidate": "no active partner lists this need and product",
    "several-candidates": "more than one active partner lists this need and product",
    "all-excluded": "every partner that is left says that it can't take this person",
    "all-asked": "every partner that could be asked was",
    "choice-excluded": "whom the person chose says that it can't: call it, and tell the person who is asked instead",
    "choice-unknown": "whom the person chose takes no part here: call it, and tell the person who is asked instead",
    "route-excluded": "the partner of the sender's route says that it can't take this person",
}


def rank(wanted: Wanted, candidates: Sequence[Candidate], *, now: datetime) -> Ranking:
    """All that could be asked, ranked.

    Args:
        wanted: what is looked for.
        candidates: every partner that is registered.
        now: an aware instant.
    """
    route = wanted.routes.get(wanted.need)
    known = {plain(one.profile.name): one for one in candidates}
    names = dict.fromkeys(plain(name) for name in wanted.choice)
    chosen = [one for name in names if (one := known.get(name)) and one.profile.active]
    considered = [one for one in candidates if _considered(one, wanted, chosen)]
    found = [assess(one, wanted, now, chosen=one in chosen) for one in considered]
    in_time = any(one.standing == "eligible" and _gap(one) == 0 for one in found)
    order = sorted(found, key=lambda one: (*_first(one, chosen), in_time and _gap(one) == 2, *_order(one, wanted, now)))
    passed_over = _passed_over(order, missing=len(chosen) < len(names))
    return Ranking(_without_candidate(route, candidates, found), tuple(order), passed_over)


def choose_next(ranking: Ranking, already_asked: Collection[str] = ()) -> Choice:
    """Who is asked next.

    A person chose it, or the sender's route names it, or it is the only one that is left, or what partners attest tells
    it from the others; partners of whom nothing but their name and needs is known are never told apart by chance.

    Args:
        ranking: what ``rank`` found.
        already_asked: FHIR ids of organisations that are not asked again, besides those that ``rank`` knew of.
    """
    if ranking.reasons:
        return Choice(ranking.reasons, None)
    passed = ranking.passed_over
    left = [one for one in ranking.ranked if _askable(one, already_asked)]
    if not left:
        return Choice((*_reasons("no-route", _none_left(ranking)), *passed), None)
    first, others = left[0], left[1:]
    named = next((code for code in ("patient-choice", "route-configured") if code in first.codes), None)
    if named is not None:
        return Choice((*_reasons(named), *passed), first)
    if not others:
        return Choice((*_reasons("only-candidate"), *passed), first)
    if not first.stated and any(not one.stated for one in others):
        return Choice((*_reasons("no-route", "several-candidates"), *passed), None)
    return Choice((*_reasons("best-ranked"), *first.reasons, *passed), first)


# ---- who is looked at


def _considered(one: Candidate, wanted: Wanted, chosen: Sequence[Candidate]) -> bool:
    """Active, and for this need: as it lists, as the hospital's route says, or as the person wants it."""
    named = one.profile.name == wanted.routes.get(wanted.need) or one in chosen
    return one.profile.active and (named or wanted.need in one.profile.needs)


def _without_candidate(
    route: str | None, candidates: Sequence[Candidate], found: Sequence[Ranked]
) -> tuple[Reason, ...]:
    """Why nobody follows: a route that leads nowhere is a slip that a human mends, whoever else stands by."""
    if route is not None and not any("patient-choice" in one.codes for one in found):
        named = [one for one in candidates if one.profile.name == route]
        if not any(one.profile.active for one in named):
            return _reasons("no-route", "route-partner-inactive" if named else "route-partner-unknown")
    return () if found else _reasons("no-route", "no-candidate")


# ---- in which order


def _first(one: Ranked, chosen: Sequence[Candidate]) -> tuple[int, bool]:
    """Whom the person chose, then all but who is excluded."""
    return (
        chosen.index(one.candidate) if one.candidate in chosen else len(chosen),
        one.standing == "excluded",
    )


def _order(one: Ranked, wanted: Wanted, now: datetime) -> tuple[int | bytes, ...]:
    """What sorts the others: the rules of this module, one number each, and the shuffle of the rest."""
    lowered = sum(each.finding.verdict == "conflict" for each in weighing(one.judged))
    unknown = sum(each.finding.verdict == "unknown" for each in weighing(one.judged))
    return (
        "route-configured" not in one.codes,
        "no-agreement" in one.codes,
        _gap(one),
        "pregnancy-first" not in one.codes,
        lowered,
        _PLACES[one.left],
        unknown,
        (one.next_intake - now) // _DAY if one.next_intake else _FAR,
        hmac.digest(wanted.rotation, one.candidate.organization.encode(), "sha256"),
    )


def _gap(one: Ranked) -> int:
    """Taken in before the cover ends, or at all where there is no such moment any more; not known; too late."""
    if one.candidate.intake is None:
        return 1
    too_late = one.next_intake is None or one.before_gap is False
    return 2 if too_late else 0


# ---- who is left


def _askable(one: Ranked, already_asked: Collection[str]) -> bool:
    asked = one.candidate.asked or one.candidate.organization in already_asked
    return one.standing == "eligible" and not asked


def _none_left(ranking: Ranking) -> str:
    """Why nobody is left: all say no, or all were asked, those who say no aside."""
    return "all-excluded" if all(one.standing == "excluded" for one in ranking.ranked) else "all-asked"


def _passed_over(order: Sequence[Ranked], *, missing: bool) -> tuple[Reason, ...]:
    """Told, because somebody should call: who was named and says no, and whether one who was chosen is not here."""
    out = [one for one in order if one.standing == "excluded"]
    named = (("patient-choice", "choice-excluded"), ("route-configured", "route-excluded"))
    says_no = [told for code, told in named if any(code in one.codes for one in out)]
    return _reasons(*says_no, *(["choice-unknown"] if missing else []))


def _reasons(*codes: str) -> tuple[Reason, ...]:
    return tuple(Reason(code, _TEXTS[code]) for code in codes)
