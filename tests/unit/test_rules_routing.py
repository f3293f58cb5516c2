from app.rules.routing import Drug, PartnerChoice, RouteVerdict, choose


def partner(name: str, *needs: str, active: bool = True, products: tuple[str, ...] = ()) -> PartnerChoice:
    return PartnerChoice(name, f"id-{name}", active, frozenset(needs), frozenset(products))


HARBOR = partner("Harbor OTP", "moud-continuation", products=("methadone", "buprenorphine"))
BRIDGE = partner("Bridge", "moud-continuation", products=("buprenorphine",))
PEERS = partner("Peers", "peer-support")


def asked(
    *partners: PartnerChoice,
    need: str = "moud-continuation",
    product: Drug | None = "methadone",
    routes: dict[str, str] | None = None,
) -> RouteVerdict:
    return choose(need=need, product=product, routes=routes or {}, partners=partners)


def test_a_configured_route_wins_over_other_candidates() -> None:
    verdict = asked(HARBOR, BRIDGE, product="buprenorphine", routes={"moud-continuation": "Bridge"})
    assert (verdict.partner, verdict.codes) == (BRIDGE, ("route-configured",))


def test_a_configured_route_needs_no_profile_that_lists_the_need() -> None:
    assert asked(PEERS, routes={"moud-continuation": "Peers"}).partner is PEERS


def test_a_route_to_nobody_is_no_route_although_a_candidate_stands_by() -> None:
    verdict = asked(HARBOR, routes={"moud-continuation": "Gone"})
    assert (verdict.partner, verdict.codes) == (None, ("no-route", "route-partner-unknown"))


def test_a_route_to_an_inactive_partner_is_no_route() -> None:
    asleep = partner("Asleep", "moud-continuation", active=False)
    verdict = asked(asleep, HARBOR, routes={"moud-continuation": "Asleep"})
    assert (verdict.partner, verdict.codes) == (None, ("no-route", "route-partner-inactive"))


def test_a_route_for_another_need_is_no_route_for_this_one() -> None:
    assert asked(HARBOR, PEERS, routes={"peer-support": "Peers"}).partner is HARBOR


def test_the_only_active_partner_that_lists_need_and_product_is_asked() -> None:
    verdict = asked(HARBOR, BRIDGE, PEERS)
    assert (verdict.partner, verdict.codes) == (HARBOR, ("only-candidate",))


def test_a_partner_that_lists_no_product_is_a_candidate_for_each() -> None:
    silent = partner("Silent", "moud-continuation")
    assert asked(silent, BRIDGE).partner is silent
    assert asked(silent, HARBOR).codes == ("no-route", "several-candidates")


def test_two_candidates_are_no_route() -> None:
    assert asked(HARBOR, BRIDGE, product="buprenorphine").codes == ("no-route", "several-candidates")


def test_no_candidate_is_no_route() -> None:
    asleep = partner("Asleep", "moud-continuation", active=False)
    assert asked(PEERS, BRIDGE, asleep).codes == ("no-route", "no-candidate")
    assert asked().codes == ("no-route", "no-candidate")


def test_a_need_without_a_drug_asks_for_none() -> None:
    assert asked(HARBOR, PEERS, need="peer-support", product=None).partner is PEERS
