"""The order of candidates, and who is asked next. Friday 5 June 2026, 14:10 in New York."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.rules.hours import Calendar
from app.rules.matching import Candidate, Ranking, Wanted, choose_next, rank
from app.rules.policies.base import Person, said
from schemas.facets import Capacity
from schemas.hours import OpenHours
from schemas.partner import PartnerProfile

NOW = datetime(2026, 6, 5, 18, 10, tzinfo=UTC)
SUNDAY = datetime(2026, 6, 7, 13, tzinfo=UTC)
MOUD = "moud-continuation"
METHADONE = Person(product="methadone", product_class="methadone-daily", dosed=True)
WANTED = Wanted(need=MOUD, person=METHADONE, covered_until=SUNDAY, rotation=b"one referral")
WEEKDAYS = OpenHours(days=["mon", "tue", "wed", "thu", "fri"], opens="06:00", closes="11:00")
SATURDAY = OpenHours(days=["sat"], opens="06:00", closes="11:00")
YES = {"methadone-onsite": said("yes")}
NO = {"methadone-onsite": said("no")}


def partner(
    name: str, *hours: OpenHours, facets: Mapping[str, Any] | None = None, asked: bool = False, **fields: Any
) -> Candidate:
    stated = {"name": name, "needs": [MOUD], "time_zone": "America/New_York", "facets": facets or {}, **fields}
    profile = PartnerProfile.model_validate(stated)
    assert profile.zone is not None
    calendar = Calendar.of(hours, profile.zone, profile.closed_on) if hours else None
    if hours:
        profile = profile.model_copy(update={"intake_hours": [*hours]})
    return Candidate(f"id-{name}", profile, calendar, asked=asked)


def names(ranking: Ranking) -> list[str]:
    return [one.candidate.profile.name for one in ranking.ranked]


def order(*candidates: Candidate, wanted: Wanted = WANTED) -> list[str]:
    return names(rank(wanted, candidates, now=NOW))


def chosen(*candidates: Candidate, wanted: Wanted = WANTED, asked: Sequence[str] = ()) -> tuple[str | None, list[str]]:
    choice = choose_next(rank(wanted, candidates, now=NOW), asked)
    return choice.ranked.candidate.profile.name if choice.ranked else None, [*choice.codes]


def test_the_clinic_that_doses_on_saturday_stands_before_those_that_open_on_monday() -> None:
    closed, unknown, open_then = partner("Closed", WEEKDAYS), partner("Unknown"), partner("Saturday", SATURDAY)
    assert order(closed, unknown, open_then) == ["Saturday", "Unknown", "Closed"]
    first = rank(WANTED, [closed, open_then], now=NOW).ranked[0]
    assert (first.next_intake, first.slack, first.before_gap) == (
        datetime(2026, 6, 6, 10, tzinfo=UTC),
        timedelta(hours=27),
        True,
    )


def test_a_partner_that_opens_after_the_gap_is_told_with_its_hours_and_negative_slack() -> None:
    (late,) = rank(WANTED, [partner("Late", WEEKDAYS)], now=NOW).ranked
    assert late.slack is not None
    assert (late.before_gap, late.slack < timedelta(), "intake-after-gap" in late.codes) == (False, True, True)


def test_when_the_cover_has_ended_who_is_open_soonest_stands_first() -> None:
    lapsed = replace(WANTED, covered_until=NOW - timedelta(hours=1))
    assert order(partner("Unknown"), partner("Monday", WEEKDAYS), partner("Saturday", SATURDAY), wanted=lapsed) == [
        "Saturday",
        "Monday",
        "Unknown",
    ]


def test_an_attested_no_excludes_and_stays_on_the_list_with_its_reason() -> None:
    ranking = rank(WANTED, [partner("No", SATURDAY, facets=NO), partner("Yes", facets=YES)], now=NOW)
    assert names(ranking) == ["Yes", "No"]
    no = ranking.ranked[1]
    assert (no.standing, no.deciding, no.policies) == ("excluded", "no:methadone", "conflict")
    assert no.attested_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_what_has_lapsed_is_unknown_and_says_call() -> None:
    lapsed = said("no").model_copy(update={"expires": NOW.date()})
    (one,) = rank(WANTED, [partner("Lapsed", facets={"methadone-onsite": lapsed})], now=NOW).ranked
    assert (one.standing, one.deciding) == ("eligible", "call:methadone")
    assert [call.facet for call in one.calls] == ["intake-hours", "methadone-onsite"]


def test_a_partner_that_lists_products_without_the_one_is_out_unless_it_attests_it() -> None:
    out = partner("Out", products=["buprenorphine"])
    attests = partner("Attests", products=["buprenorphine"], facets=YES)
    ranking = rank(WANTED, [out, attests], now=NOW)
    assert [(one.candidate.profile.name, one.deciding) for one in ranking.ranked] == [
        ("Attests", "yes"),
        ("Out", "no:product"),
    ]


def test_no_place_today_lowers_and_does_not_exclude() -> None:
    monday = datetime(2026, 6, 8, 11, tzinfo=UTC)
    full, free = (
        partner(name, WEEKDAYS, facets=YES, capacity=Capacity(left=left, as_of=monday, source="its own word"))
        for name, left in (("Full", "0"), ("Free", "2+"))
    )
    wanted = replace(WANTED, covered_until=monday + timedelta(days=3))
    found = rank(wanted, [full, partner("Silent", WEEKDAYS, facets=YES), free], now=monday)
    assert [(one.candidate.profile.name, one.left) for one in found.ranked] == [
        ("Free", "2+"),
        ("Silent", "unknown"),
        ("Full", "0"),
    ]
    assert {one.standing for one in found.ranked} == {"eligible"}


def test_a_day_without_a_place_is_no_intake_before_the_gap() -> None:
    none = Capacity(left="0", as_of=NOW, source="its own word")
    late = OpenHours(days=["fri"], opens="06:00", closes="23:00")
    full, unknown = partner("Full", late, capacity=none), partner("Unknown")
    ranking = rank(WANTED, [full, unknown], now=NOW)
    assert names(ranking) == ["Unknown", "Full"]
    first = ranking.ranked[1]
    assert (first.next_intake, first.before_gap, first.left) == (datetime(2026, 6, 12, 10, tzinfo=UTC), False, "0")
    both = rank(WANTED, [partner("Saturday too", late, SATURDAY, capacity=none)], now=NOW).ranked[0]
    assert (both.next_intake, both.before_gap) == (datetime(2026, 6, 6, 10, tzinfo=UTC), True)


def test_a_word_about_places_of_another_day_or_an_old_one_is_unknown() -> None:
    today = Capacity(left="0", as_of=NOW, source="its own word")
    opens_tomorrow = partner("Tomorrow", SATURDAY, capacity=today)
    old = partner("Old", SATURDAY, capacity=today.model_copy(update={"as_of": NOW - timedelta(hours=25)}))
    assert [one.left for one in rank(WANTED, [opens_tomorrow, old], now=NOW).ranked] == ["unknown", "unknown"]


def test_pregnancy_goes_first_where_that_is_attested_and_is_excluded_nowhere() -> None:
    wanted = replace(WANTED, person=replace(METHADONE, pregnant=True))
    refuses = partner("Refuses", SATURDAY, facets={**YES, "pregnancy": said("no")})
    first = partner("First", SATURDAY, facets={**YES, "pregnancy": said("yes"), "pregnancy-priority": said("yes")})
    takes = partner("Takes", SATURDAY, facets={**YES, "pregnancy": said("yes")})
    ranking = rank(wanted, [refuses, takes, first], now=NOW)
    assert names(ranking) == ["First", "Takes", "Refuses"]
    assert (ranking.ranked[2].standing, [call.facet for call in ranking.ranked[2].calls]) == ("eligible", ["pregnancy"])


def test_a_refusal_for_the_medication_is_tagged_for_internal_review() -> None:
    wanted = replace(WANTED, need="recovery-housing", covered_until=None)
    house = partner("House", needs=["recovery-housing"], facets={"prescribed-elsewhere": said("no")})
    (one,) = rank(wanted, [house], now=NOW).ranked
    assert (one.standing, one.tags) == ("excluded", ("possible-unlawful-barrier",))
    assert not any("unlawful" in reason.text or "unlawful" in reason.code for reason in one.reasons)


def test_notice_that_a_clinic_asks_for_counts_for_guests_alone() -> None:
    clinic = partner("Clinic", SATURDAY, facets={"guest-dosing": said("yes", notice_hours=48)})
    guest = replace(WANTED, person=replace(METHADONE, continuation="guest-dosing"))
    (mine,), (other,) = (rank(one, [clinic], now=NOW).ranked for one in (WANTED, guest))
    assert (mine.next_intake, other.next_intake) == (
        datetime(2026, 6, 6, 10, tzinfo=UTC),
        datetime(2026, 6, 13, 10, tzinfo=UTC),
    )


def test_equals_are_shuffled_by_the_key_of_the_referral_and_not_by_name() -> None:
    same = [partner(name, SATURDAY, facets=YES) for name in "ABCDEF"]
    orders = {tuple(order(*same, wanted=replace(WANTED, rotation=str(n).encode()))) for n in range(40)}
    assert len({first for first, *_ in orders}) == len(same)
    assert order(*same) == order(*reversed(same))


# ---- who is asked


def test_the_only_candidate_is_asked_however_little_is_known_of_it() -> None:
    assert chosen(partner("Harbor")) == ("Harbor", ["only-candidate"])
    assert chosen(partner("Harbor"), partner("Asleep", active=False)) == ("Harbor", ["only-candidate"])


def test_partners_that_nothing_tells_apart_are_for_a_person() -> None:
    assert chosen(partner("One"), partner("Two")) == (None, ["no-route", "several-candidates"])


def test_what_they_attest_tells_them_apart() -> None:
    assert chosen(partner("One"), partner("Two", SATURDAY, facets=YES))[0] == "Two"
    assert chosen(partner("One"), partner("Two", facets=NO)) == ("One", ["only-candidate"])
    assert chosen(partner("One"), partner("Two"), partner("Late", WEEKDAYS))[1] == ["no-route", "several-candidates"]


def test_nobody_for_the_need_or_nobody_who_can_is_for_a_person() -> None:
    assert chosen() == (None, ["no-route", "no-candidate"])
    assert chosen(partner("Peers", needs=["peer-support"])) == (None, ["no-route", "no-candidate"])
    assert chosen(partner("No", facets=NO)) == (None, ["no-route", "all-excluded"])


def test_the_route_of_the_hospital_stands_before_the_rank() -> None:
    wanted = replace(WANTED, routes={MOUD: "Late"})
    assert chosen(partner("Open", facets=YES), partner("Late", WEEKDAYS), wanted=wanted) == (
        "Late",
        ["route-configured"],
    )
    peers = partner("Late", needs=["peer-support"], products=["naltrexone"])
    assert chosen(peers, partner("Other"), wanted=wanted) == ("Late", ["route-configured"])


def test_a_route_to_who_is_closed_until_too_late_gives_way_to_who_is_open_before() -> None:
    wanted = replace(WANTED, routes={MOUD: "Late"})
    name, codes = chosen(partner("Saturday", SATURDAY, facets=YES), partner("Late", WEEKDAYS), wanted=wanted)
    assert (name, "intake-before-gap" in codes) == ("Saturday", True)


def test_a_route_to_who_says_no_is_passed_over_and_told() -> None:
    wanted = replace(WANTED, routes={MOUD: "No"})
    name, codes = chosen(partner("No", facets=NO), partner("Yes", facets=YES), wanted=wanted)
    assert (name, codes) == ("Yes", ["only-candidate", "route-excluded"])


def test_a_route_to_nobody_is_no_route_although_a_candidate_stands_by() -> None:
    wanted = replace(WANTED, routes={MOUD: "Gone"})
    assert chosen(partner("Harbor"), wanted=wanted) == (None, ["no-route", "route-partner-unknown"])
    asleep = partner("Gone", active=False)
    assert chosen(partner("Harbor"), asleep, wanted=wanted) == (None, ["no-route", "route-partner-inactive"])
    mine = replace(wanted, choice=["Harbor"])
    assert chosen(partner("Harbor"), wanted=mine) == ("Harbor", ["patient-choice"])


def test_the_choice_of_the_person_outranks_rank_and_route_and_is_recorded() -> None:
    wanted = replace(WANTED, choice=[" late  CLINIC "], routes={MOUD: "Saturday"})
    late, saturday = partner("Late Clinic", WEEKDAYS), partner("Saturday", SATURDAY, facets=YES)
    ranking = rank(wanted, [saturday, late], now=NOW)
    assert names(ranking) == ["Late Clinic", "Saturday"]
    assert ranking.ranked[0].codes[0] == "patient-choice"
    assert chosen(saturday, late, wanted=wanted) == ("Late Clinic", ["patient-choice"])


def test_a_choice_that_says_no_is_shown_first_with_its_conflict_and_passed_over_with_a_word() -> None:
    wanted = replace(WANTED, choice=["No"])
    ranking = rank(wanted, [partner("Yes", facets=YES), partner("No", facets=NO)], now=NOW)
    assert [(one.candidate.profile.name, one.standing) for one in ranking.ranked] == [
        ("No", "excluded"),
        ("Yes", "eligible"),
    ]
    choice = choose_next(ranking)
    assert choice.ranked is ranking.ranked[1]
    assert choice.codes == ("only-candidate", "choice-excluded")


def test_a_choice_of_who_does_not_do_this_is_shown_and_not_asked() -> None:
    wanted = replace(WANTED, choice=["Peers", "Nobody"])
    peers, harbor = partner("Peers", needs=["peer-support"]), partner("Harbor")
    assert rank(wanted, [peers, harbor], now=NOW).ranked[0].deciding == "no:need"
    assert chosen(peers, harbor, wanted=wanted) == ("Harbor", ["only-candidate", "choice-excluded", "choice-unknown"])


def test_a_choice_of_who_is_not_here_or_not_any_more_is_told_of() -> None:
    asleep, harbor = partner("Asleep", active=False), partner("Harbor")
    for choice in ("Nobody", "Asleep"):
        wanted = replace(WANTED, choice=[choice])
        assert chosen(asleep, harbor, wanted=wanted) == ("Harbor", ["only-candidate", "choice-unknown"])
    twice = replace(WANTED, choice=["Harbor", " HARBOR "])
    assert chosen(asleep, harbor, wanted=twice) == ("Harbor", ["patient-choice"])


def test_hours_of_dosing_speak_of_the_day_of_the_weekend_on_which_the_medication_runs_out() -> None:
    both, saturday = [*WEEKDAYS.days, "sat", "sun"], [*WEEKDAYS.days, "sat"]
    found = {}
    for days in (both, saturday, WEEKDAYS.days):
        hours = [{"days": days, "opens": "06:00", "closes": "11:00"}]
        clinic = partner("Clinic", SATURDAY, facets=YES, dosing_hours=hours)
        for day in (4, 5, 6):
            wanted = replace(WANTED, person=replace(METHADONE, runs_out_on=day))
            found[days[-1], day] = rank(wanted, [clinic], now=NOW).ranked[0].deciding
    assert found == {
        ("sun", 4): "yes",
        ("sun", 5): "yes",
        ("sun", 6): "yes",
        ("sat", 4): "yes",
        ("sat", 5): "yes",
        ("sat", 6): "low:weekend",
        ("fri", 4): "yes",
        ("fri", 5): "low:weekend",
        ("fri", 6): "low:weekend",
    }


def test_a_day_of_injections_that_is_over_is_no_next_one() -> None:
    wanted = replace(WANTED, person=Person(product="buprenorphine", product_class="bup-lai-monthly-sublocade"))
    texts = []
    for day in (date(2026, 6, 4), date(2026, 6, 5)):
        clinic = partner("Clinic", SATURDAY, facets={"sublocade-onsite": said("yes", next_day=day)})
        texts += [one.finding.text for one in rank(wanted, [clinic], now=NOW).ranked[0].judged]
    assert texts == ["It will give Sublocade.", "It will give Sublocade, next on 2026-06-05."]


def test_a_list_with_a_product_that_nobody_knows_excludes_nobody() -> None:
    misspelled, other = partner("Misspelled", products=["methadon"]), partner("Other", products=["buprenorphine"])
    ranked = rank(WANTED, [misspelled, other], now=NOW).ranked
    assert [one.deciding for one in ranked] == ["call:methadone", "no:product"]


def test_a_word_about_payment_tells_nobody_from_another() -> None:
    paid = [partner("One", facets={"medicaid": said("yes")}), partner("Two", facets={"medicaid": said("no")})]
    assert chosen(*paid) == (None, ["no-route", "several-candidates"])
    assert chosen(*paid, partner("Three")) == (None, ["no-route", "several-candidates"])


def test_who_was_asked_is_not_asked_again() -> None:
    one, two = partner("One", SATURDAY, facets=YES, asked=True), partner("Two", WEEKDAYS, facets=YES)
    assert chosen(one, two) == ("Two", ["only-candidate"])
    assert chosen(one, two, asked=["id-Two"]) == (None, ["no-route", "all-asked"])


def test_a_partner_without_an_agreement_that_is_needed_stands_behind_all_that_have_one() -> None:
    unsigned = replace(partner("Unsigned", SATURDAY, facets=YES), agreement=False)
    assert order(unsigned, partner("Signed")) == ["Signed", "Unsigned"]
