"""Who is asked: a partner, where a human need not decide first, one is found and consent permits."""

from typing import Literal

from app.core.ids import uuid7
from app.rules import lifecycle, routing
from app.services.referral_facts import choices
from app.services.referral_work import MOUD, Work
from app.services.sharing import told_of
from app.services.situation import Reason
from schemas.stub import Child, NeedLink

Waits = Literal["needs-a-person", "consent-needed", "route-needed"]
_NOT_OURS_TO_SEND: dict[str, Reason] = {
    "custody": ("custody", "The person goes to court or law enforcement: a human decides, nothing is sent."),
    "other-hcf": ("transferred", "The person goes to another facility that may dose: a human decides."),
    "psy": ("transferred", "The person goes to another facility that may dose: a human decides."),
}


class Asking:
    """Asks partners for the needs of one visit."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def request(self, need: NeedLink) -> None:
        """Ask a partner, where a human need not decide first, a route is known and consent permits."""
        held = _NOT_OURS_TO_SEND.get(self._work.record.visit.disposition or "")
        if held or self._work.doubted():
            self._hold(need, "needs-a-person", [held] if held else [])
            return
        product = self._work.now.triage.product
        route = routing.choose(
            need=need.need,
            product=routing.drug_of(product.drug) if product and need.need == MOUD else None,
            routes=self._work.now.sender.routes,
            partners=choices(self._work.now.directory),
        )
        if route.partner is None:
            self._hold(need, "route-needed", [(reason.code, reason.text) for reason in route.reasons])
            return
        verdict = self._work.sharing.verdict(route.partner.organization, need.need)
        if verdict.level == "packet" or (verdict.level == "offer" and self._may_offer(need)):
            self._ask(need, route.partner.organization)
        else:
            self._hold(need, "consent-needed", told_of(verdict))

    def _may_offer(self, need: NeedLink) -> bool:
        """Whether a partner may be asked for room before anybody consents: a person asks, or the sender says so."""
        by_hand = self._work.task(need.task)["status"] == "requested"
        return by_hand or self._work.now.sender.minimum_offer == "at-once"

    def _ask(self, need: NeedLink, partner: str) -> None:
        asked = lifecycle.on_asked(self._work.task(need.task))
        if asked is not None:
            self._work.apply(need, asked)
        child = Child(partner=partner, service_request=uuid7(), task=uuid7())
        need.children.append(child)
        outcome = self._work.showing.decide(need, child)
        self._work.put_child(need, child)
        if outcome.shared.decided.level != "packet":
            for task in (child.task, need.task):
                self._work.put(lifecycle.on_consent(self._work.task(task), code="consent-needed"))

    def _hold(self, need: NeedLink, code: Waits, reasons: list[Reason]) -> None:
        self._work.result.review += reasons
        step = lifecycle.on_held(self._work.task(need.task), code)
        if step is not None:
            self._work.apply(need, step)
