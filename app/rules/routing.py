"""Which partner is asked, until matching can rank: a configured route, or the only candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.rules.verdict import Reason, Verdict

Drug = Literal["methadone", "buprenorphine", "naltrexone"]


@dataclass(frozen=True, slots=True)
class PartnerChoice:
    """What routing must know of a partner; empty ``products`` = not said."""

    name: str
    organization: str
    active: bool
    needs: frozenset[str]
    products: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RouteVerdict(Verdict):
    """The partner to ask, or None: ``no-route`` and why. Then a human decides."""

    partner: PartnerChoice | None


_TEXTS: Final = {
    "route-configured": "the sender's route for this need",
    "only-candidate": "the only active partner that lists this need and product",
    "no-route": "no single partner follows from routes and profiles",
    "route-partner-unknown": "the sender's route names a partner that is not registered",
    "route-partner-inactive": "the sender's route names a partner that is not active",
    "no-candidate": "no active partner lists this need and product",
    "several-candidates": "more than one active partner lists this need and product",
}


_DRUGS: Final[tuple[Drug, ...]] = ("methadone", "buprenorphine", "naltrexone")


def drug_of(name: str) -> Drug | None:
    """What of a product a partner must have: ``buprenorphine/naloxone`` is buprenorphine."""
    return next((drug for drug in _DRUGS if name.startswith(drug)), None)


def choose(
    *, need: str, product: Drug | None, routes: Mapping[str, str], partners: Sequence[PartnerChoice]
) -> RouteVerdict:
    """The partner for a need.

    A route by name wins over profiles; it must lead to an active partner. Without one, exactly one
    active partner must list the need, and the product if it lists any.

    Args:
        need: kind of need, e.g. ``moud-continuation``.
        product: the drug that must be available; None where the need has none.
        routes: the sender's need to partner name.
        partners: all registered partners.
    """
    if need in routes:
        return _routed(routes[need], partners)
    candidates = [partner for partner in partners if _offers(partner, need, product)]
    if len(candidates) == 1:
        return _verdict(candidates[0], "only-candidate")
    return _verdict(None, "no-route", "several-candidates" if candidates else "no-candidate")


def _routed(name: str, partners: Sequence[PartnerChoice]) -> RouteVerdict:
    named = [partner for partner in partners if partner.name == name]
    for partner in named:
        if partner.active:
            return _verdict(partner, "route-configured")
    return _verdict(None, "no-route", "route-partner-inactive" if named else "route-partner-unknown")


def _offers(partner: PartnerChoice, need: str, product: Drug | None) -> bool:
    stocked = product is None or not partner.products or product in partner.products
    return partner.active and need in partner.needs and stocked


def _verdict(partner: PartnerChoice | None, *codes: str) -> RouteVerdict:
    return RouteVerdict(tuple(Reason(code, _TEXTS[code]) for code in codes), partner)
