"""A person comes back to the hospital that they left with a referral: the referral of the earlier visit learns of it.

The visits stay two, each with what was said of it. Only visits of the same organisation are looked at: across senders
nobody is taken for the same person.
"""

from collections.abc import Sequence
from typing import Final

from app.rules import lifecycle, steps
from app.services.referral.referral_work import Work
from app.services.referral.situation import Reason
from app.services.referral.visit_file import VisitFile
from fhir_mappings.visits import visit
from schemas.facts import FactKind, Facts
from schemas.stub import Back, NeedLink, ReferralLink

_COMES: Final = frozenset[FactKind]({"admit", "class-change"})
_GOES: Final = frozenset[FactKind]({"discharge", "cancel-visit"})
MOVES: Final = _COMES | _GOES
"""Kinds of message after which the person is in the hospital, or is not any more."""
_READMITTED: Reason = (
    "readmitted",
    "The person is in the hospital again: it gives the doses now. Decide whether the place is still wanted.",
)
_TWO: Reason = (
    "two-referrals",
    "The person has left again, referred anew, and a partner has accepted for the earlier referral: settle both.",
)


def told(facts: Facts, own: Sequence[VisitFile], others: Sequence[VisitFile]) -> list[VisitFile]:
    """Those of the person's other visits whose referral learns by this message that the person is back, or has left.

    Args:
        facts: what the message says.
        own: the visits that it is about, as they stand with it.
        others: the other visits of its person; who has died has died in all of them.
    """
    dead = any(visit.has_died(file.content.record) for file in own)
    if not facts.handled or not (dead or facts.kind in MOVES):
        return []
    mine = {file.id for file in own}
    here = facts.kind in _COMES and not dead
    referred = sorted({need.need for file in own for need in _open_needs(file)}) if facts.kind == "discharge" else []
    found = []
    for file in others:
        link, ended = file.content.referral, file.content.record.ended_at
        before = facts.at <= ended if ended is not None else not dead
        if file.id in mine or link is None or before:
            continue
        since = facts.at if here or link.back is None else link.back.since
        back = Back(since=since, over=not here, died=dead, needs=referred)
        if (here or dead or link.back is not None) and link.back != back:
            link.back = back
            found.append(file)
    return found


def died(link: ReferralLink) -> bool:
    """Whether the person has died, as another visit says."""
    return link.back is not None and link.back.died


def _open_needs(file: VisitFile) -> list[NeedLink]:
    link = file.content.referral
    return [] if link is None else link.needs


def settled(work: Work) -> None:
    """What becomes of the referral of the earlier visit."""
    back = work.link.back
    if back is None:
        return
    open_needs = [one for one in work.link.needs if work.task(one.task)["status"] not in lifecycle.TERMINAL]
    for need in open_needs:
        if back.over and need.need in back.needs:
            _superseded(work, need)
        _mark(work, need, here=not back.over)
    if open_needs and not back.over:
        work.result.attention.append(_READMITTED)


def _superseded(work: Work, need: NeedLink) -> None:
    """The later visit refers for the same need: the earlier one ends, unless a place waits."""
    step = steps.on_duplicate(work.task(need.task), [work.task(child.task) for child in need.children])
    if step is None:
        work.result.attention.append(_TWO)
    else:
        work.apply(need, step)


def _mark(work: Work, need: NeedLink, *, here: bool) -> None:
    """On the hospital's Task, and on that of who has a place and may see the packet."""
    work.put(steps.on_back(work.task(need.task), here=here))
    for child in need.children:
        may_know = child.decided is not None and child.decided.level == "packet"
        if may_know and work.task(child.task)["status"] in lifecycle.ENGAGED:
            work.put(steps.on_back(work.task(child.task), here=here))
