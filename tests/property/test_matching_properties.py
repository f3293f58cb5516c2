"""What holds of every ranking, whatever partners say and whoever comes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from app.rules import policies
from app.rules.hours import Calendar
from app.rules.matching import Candidate, Ranking, Wanted, choose_next, rank
from app.rules.policies.base import Person, said
from schemas.discharge import NeedKind
from schemas.facets import FACETS, Amount, Capacity, Facet
from schemas.hours import WEEKDAYS, OpenHours
from schemas.partner import PartnerProfile

NOW = datetime(2026, 6, 5, 18, 10, tzinfo=UTC)
READ = sorted({facet for clause in policies.ALL.values() for facet in clause.facets} | {"pregnancy-priority"})
KNOWN = st.sampled_from([True, False, None])
PRODUCTS = [
    ("methadone", "methadone-daily"),
    ("buprenorphine", "bup-daily"),
    ("buprenorphine", "bup-lai-monthly-sublocade"),
    ("naltrexone", "xr-ntx"),
    (None, None),
]
NAMES = ("Anchor", "Bridge", "Cove", "Dock")


def facets() -> st.SearchStrategy[dict[str, Facet]]:
    return st.dictionaries(st.sampled_from(READ), st.sampled_from([said("yes"), said("no")]), max_size=8)


@st.composite
def persons(draw: st.DrawFn) -> Person:
    product, product_class = draw(st.sampled_from(PRODUCTS))
    return Person(
        product=product,  # type: ignore[arg-type]
        product_class=product_class,
        dosed=draw(KNOWN),
        benzodiazepines=draw(KNOWN),
        alcohol=draw(KNOWN),
        stimulants=draw(KNOWN),
        photo_id=draw(KNOWN),
        pregnant=draw(KNOWN),
        dose=draw(st.sampled_from([None, Amount(value=60, unit="mg"), Amount(value=140, unit="mg")])),
        interval_hours=draw(st.sampled_from([None, 12, 24])),
        runs_out_on=draw(st.none() | st.integers(0, 6)),
        continuation=draw(st.sampled_from([None, "guest-dosing", "new-intake"])),
        sex=draw(st.sampled_from([None, "male", "female", "other", "unknown"])),
        age=draw(st.none() | st.integers(0, 100)),
        state=draw(st.sampled_from([None, "NY", "NJ"])),
        mobility=draw(st.sampled_from([None, "as told"])),
        interpreter=draw(KNOWN),
    )


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    return [draw(candidate(name)) for name in draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))]


@st.composite
def candidate(draw: st.DrawFn, name: str) -> Candidate:
    days = draw(st.sampled_from([None, WEEKDAYS[:5], WEEKDAYS[5:6], WEEKDAYS]))
    left = draw(st.sampled_from([None, "0", "1", "2+"]))
    profile = PartnerProfile(
        name=name,
        needs=draw(st.sampled_from([["moud-continuation"], [*get_args(NeedKind)], []])),
        products=draw(st.sampled_from([[], ["methadone"], ["methadone", "buprenorphine"]])),
        time_zone="America/New_York",
        intake_hours=None if days is None else [OpenHours(days=[*days], opens="06:00", closes="11:00")],
        facets=draw(facets()),
        capacity=None if left is None else Capacity(left=left, as_of=NOW, source="its own word"),
    )
    return of_profile(profile)


def of_profile(profile: PartnerProfile) -> Candidate:
    assert profile.zone is not None
    calendar = None if profile.intake_hours is None else Calendar.of(profile.intake_hours, profile.zone)
    return Candidate(f"id-{profile.name}", profile, calendar)


@st.composite
def wanteds(draw: st.DrawFn) -> Wanted:
    hours = draw(st.none() | st.integers(-48, 240))
    return Wanted(
        need=draw(st.sampled_from(["moud-continuation", "recovery-housing", "peer-support"])),
        person=draw(persons()),
        covered_until=None if hours is None else NOW + timedelta(hours=hours),
        choice=draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2)),
        routes=draw(st.sampled_from([{}, {"moud-continuation": "Anchor"}])),
        rotation=draw(st.binary(max_size=4)),
    )


def names(ranking: Ranking) -> list[str]:
    return [one.candidate.profile.name for one in ranking.ranked]


def with_facets(one: Candidate, facets: dict[str, Facet]) -> Candidate:
    return replace(one, profile=one.profile.model_copy(update={"facets": facets}))


@given(wanteds(), candidates())
def test_nobody_is_excluded_without_a_plain_no_of_its_own(wanted: Wanted, partners: list[Candidate]) -> None:
    for one in rank(wanted, partners, now=NOW).ranked:
        said_no = any(facet.value == "no" for facet in one.candidate.profile.facets.values())
        listed = any(code in one.codes for code in ("no:product", "no:need"))
        assert one.standing == "eligible" or said_no or listed


@given(wanteds(), candidates())
def test_what_is_unknown_never_excludes(wanted: Wanted, partners: list[Candidate]) -> None:
    silent = [with_facets(one, {}) for one in partners]
    for one in rank(wanted, silent, now=NOW).ranked:
        assert one.standing == "eligible" or set(one.codes) & {"no:product", "no:need"}


@given(wanteds(), candidates(), st.sampled_from(READ), st.integers(0, 3))
def test_another_yes_never_lowers(wanted: Wanted, partners: list[Candidate], facet: str, which: int) -> None:
    one = partners[which % len(partners)]
    better = with_facets(one, {**one.profile.facets, facet: said("yes")})
    before = rank(wanted, partners, now=NOW)
    after = rank(wanted, [better if each is one else each for each in partners], now=NOW)
    if one.profile.name in names(before):
        assert names(after).index(one.profile.name) <= names(before).index(one.profile.name)


@given(wanteds(), candidates())
def test_whom_the_person_chose_stands_before_all_others(wanted: Wanted, partners: list[Candidate]) -> None:
    there = {one.profile.name for one in partners}
    chosen = [name for name in wanted.choice if name in there]
    ranking = rank(wanted, partners, now=NOW)
    assert names(ranking)[: len(chosen)] == chosen
    assert all("patient-choice" in one.codes for one in ranking.ranked[: len(chosen)])


@given(wanteds(), candidates(), st.randoms(use_true_random=False))
def test_the_order_in_which_partners_are_registered_changes_nothing(
    wanted: Wanted, partners: list[Candidate], random: Any
) -> None:
    shuffled = random.sample(partners, len(partners))
    assert names(rank(wanted, partners, now=NOW)) == names(rank(wanted, shuffled, now=NOW))


@given(wanteds(), candidates(), st.sets(st.sampled_from(["medicaid", "medicare", "private-insurance", "uninsured"])))
def test_payment_moves_nobody(wanted: Wanted, partners: list[Candidate], insurance: set[str]) -> None:
    paying = replace(wanted, person=replace(wanted.person, insurance=frozenset(insurance) or None))
    before, after = (rank(one, partners, now=NOW) for one in (wanted, paying))
    assert names(before) == names(after)
    assert [one.standing for one in before.ranked] == [one.standing for one in after.ranked]
    assert [one.policies for one in before.ranked] == [one.policies for one in after.ranked]


def test_race_ethnicity_and_name_can_not_be_asked_for() -> None:
    asked = {field for clause in policies.ALL.values() for field in clause.reads}
    assert not any(word in field for field in asked for word in ("race", "ethni", "name", "payer"))
    assert not any(word in name for name in FACETS for word in ("race", "ethni"))


@given(wanteds(), candidates(), st.sets(st.sampled_from(NAMES)))
def test_who_is_asked_is_eligible_and_was_not_asked_before(
    wanted: Wanted, partners: list[Candidate], asked: set[str]
) -> None:
    choice = choose_next(rank(wanted, partners, now=NOW), {f"id-{name}" for name in asked})
    assert choice.reasons
    if choice.ranked is not None:
        assert choice.ranked.standing == "eligible"
        assert choice.ranked.candidate.profile.name not in asked


@given(wanteds(), candidates())
def test_a_pregnancy_excludes_from_nowhere(wanted: Wanted, partners: list[Candidate]) -> None:
    pregnant, not_known = (replace(wanted, person=replace(wanted.person, pregnant=one)) for one in (True, None))
    out = [
        {one.candidate.organization for one in rank(each, partners, now=NOW).ranked if one.standing == "excluded"}
        for each in (pregnant, not_known)
    ]
    assert out[0] == out[1]
