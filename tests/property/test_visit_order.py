"""The order in which messages arrive never changes what is known of a visit."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.triage import judge
from fhir_mappings.visits.visit import as_event, last_dose, merge
from schemas.discharge import Circumstances, Clinical, ConsentGiven, Coverage, Identifier, Otp
from schemas.facts import Facts, Supply, VisitRecord
from tests.unit.stories import (
    BELBUCA,
    CSN,
    FILM,
    LISINOPRIL,
    METHADONE,
    METHADONE_TABLET,
    STORIES,
    Story,
    admit,
    assembled,
    at,
    dose,
    dx,
    facts,
    leave,
    mrn,
    order,
    person,
    stay,
    supply,
)

TIMES = [f"06-08 1{hour}:00" for hour in range(4)]
PRODUCTS = [FILM, METHADONE, METHADONE_TABLET, BELBUCA, LISINOPRIL]
when = st.sampled_from(TIMES)
product = st.sampled_from(PRODUCTS)
codes = st.lists(st.sampled_from(["F11.20", "F11.21", "I10", "T40.411A"]), max_size=2, unique=True)
numbers = st.sampled_from(["HTESTA", "HTESTB", "HTESTC"])


def conclusions(record: VisitRecord) -> tuple[object, ...]:
    event = as_event(record, event_id="HTEST-1", occurred_at=at("06-09 12:00"))
    return event, judge(record), last_dose(record), record.ended_at, record.cancelled, record.former_identifiers


parties = st.lists(st.sampled_from(["HTEST A", "HTEST B"]), max_size=2, unique=True)
CONSENTS = st.builds(
    ConsentGiven,
    identifier=st.sampled_from([None, "HTEST-C1", "HTEST-C2"]),
    status=st.sampled_from(["active", "inactive", "rejected", "entered-in-error"]),
    recipients=parties,
    classes=st.lists(st.just("my treating providers"), max_size=1),
    not_recipients=parties,
    both_directions=st.booleans(),
    signed_at=st.none() | when.map(at),
    expires_at=st.none() | when.map(at),
    form=st.sampled_from([None, "HTEST-F1", "HTEST-F2"]),
    lacks=st.lists(st.sampled_from(["6", "10"]), max_size=2, unique=True),
)
WRITTEN = st.builds(
    lambda t, given: facts("event", "update", t, circumstances=Circumstances(consents=given)),
    when,
    st.lists(CONSENTS, min_size=1, max_size=3),
)
MOVED = st.builds(
    lambda t, who, gone: facts("ADT^A45", "move", t, patient=person(who), merged_identifiers=[mrn(gone)]),
    when,
    numbers,
    numbers,
)

MESSAGES = st.one_of(
    WRITTEN,
    st.builds(lambda t, dxs: admit(t, *dxs), when, codes),
    st.builds(
        lambda t, left, dxs, to: leave(t, left, *dxs, disposition=to),
        when,
        when,
        codes,
        st.sampled_from(["home", "aadvice", None]),
    ),
    st.builds(lambda t: leave(t, t, disposition=None).model_copy(update={"visit_status_ended": False}), when),
    st.builds(lambda t, kind: facts("ADT^A13", kind, t), when, st.sampled_from(["cancel-discharge", "cancel-visit"])),
    st.builds(
        lambda t, unit, left: facts("ADT^A08", "update", t, visit=stay(unit=unit, left=at(left) if left else None)),
        when,
        st.sampled_from(["4W", "7E", None]),
        st.none() | when,
    ),
    st.builds(
        lambda t, p, interval, home, off, key: order(t, p, interval, home=home, withdrawn=off, key=key, days=3),
        when,
        product,
        st.sampled_from(["PT24H", "PT12H", None]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["O1", "O2"]),
    ),
    st.builds(
        lambda t, g, p, amount, outcome, off: dose(t, g, p, amount, outcome=outcome, deleted=off),
        when,
        when,
        product,
        st.sampled_from([0, 8, 16]),
        st.sampled_from(["complete", "refused"]),
        st.booleans(),
    ),
    st.builds(supply, when, product, st.sampled_from([None, 1, 3])),
    st.builds(
        lambda t, p: facts(
            "RDS^O13", "supply", t, supplies=[Supply(key="O2|1", order="O2", product=p, at=at(t), withdrawn=True)]
        ),
        when,
        product,
    ),
    st.builds(
        lambda t, who, gone: facts("ADT^A40", "merge", t, patient=person(who), merged_identifiers=[mrn(gone)]),
        when,
        numbers,
        numbers,
    ),
    st.builds(lambda t, who, given: facts("ADT^A08", "update", t, patient=person(who, given)), when, numbers, numbers),
    st.builds(
        lambda t, kind, unit: facts("ADT^A02", kind, t, visit=stay(unit=unit)),
        when,
        st.sampled_from(["transfer", "class-change", "pre-admit", "admit"]),
        st.sampled_from(["4W", "7E", None]),
    ),
    st.builds(
        lambda t, kind, due: facts(
            "ADT^A16", kind, t, visit=stay(unit=None).model_copy(update={"expected_discharge_at": at(due)})
        ),
        when,
        st.sampled_from(["expected-discharge", "cancel-expected"]),
        when,
    ),
    st.builds(lambda t, kind: facts("REF^I12", kind, t), when, st.sampled_from(["referral", "cancel-referral"])),
    st.builds(lambda t, who: facts("ADT^A31", "person", t, visit=None, patient=person(who, "Kim")), when, numbers),
    st.builds(
        lambda t, who, gone, payer: facts(
            "ADT^A45",
            "move",
            t,
            patient=person(who, "Lee"),
            merged_identifiers=[mrn(gone)],
            circumstances=Circumstances(coverage=[Coverage(payer=payer)]) if payer else None,
        ),
        when,
        numbers,
        numbers,
        st.sampled_from(["HTEST Payer", None]),
    ),
    st.builds(
        lambda t, old: facts("ADT^A42", "merge", t, merged_visits=[Identifier(system=CSN, value=old, type="VN")]),
        when,
        st.sampled_from(["88000037", "88000001"]),
    ),
    st.builds(
        lambda t, code: facts("ADT^A08", "update", t, removed_diagnoses=[dx(code)]),
        when,
        codes.map(lambda c: c[0] if c else "I10"),
    ),
    st.builds(lambda t, dxs: facts("ADT^A02", "other", t, handled=False, diagnoses=[dx(c) for c in dxs]), when, codes),
    st.builds(
        lambda t, pregnant, otp: facts(
            "event",
            "update",
            t,
            circumstances=Circumstances(
                clinical=Clinical(pregnant=pregnant),
                current_otp=Otp(name=otp) if otp else None,
                naloxone_given=pregnant,
            ),
        ),
        when,
        st.sampled_from([True, False, "unknown", None]),
        st.sampled_from(["HTEST One", "HTEST Two", None]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(MESSAGES, min_size=1, max_size=7).flatmap(lambda found: st.tuples(st.just(found), st.permutations(found)))
)
def test_any_order_of_arrival_gives_the_same_record(pair: tuple[list[Facts], list[Facts]]) -> None:
    sent, arrived = pair
    first, second = assembled(*sent), assembled(*arrived)
    assert conclusions(first) == conclusions(second)
    assert first == second


@settings(max_examples=300, deadline=None)
@given(
    st.lists(WRITTEN | MOVED, min_size=2, max_size=6).flatmap(
        lambda found: st.tuples(st.just(found), st.permutations(found))
    )
)
def test_consents_told_in_any_order_are_the_same_and_no_exclusion_is_lost(
    pair: tuple[list[Facts], list[Facts]],
) -> None:
    sent, arrived = pair
    first, second = assembled(*sent), assembled(*arrived)
    assert first == second
    if all(one.kind == "update" for one in sent):
        held = {(one.identifier, name) for one in first.circumstances.consents for name in one.not_recipients}
        told = [one for message in sent if message.circumstances for one in message.circumstances.consents]
        assert held == {(one.identifier, name) for one in told for name in one.not_recipients}


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(STORIES).flatmap(lambda s: st.tuples(st.just(s), st.permutations(s.messages))))
def test_a_story_told_in_any_order_ends_alike(told: tuple[Story, list[Facts]]) -> None:
    story, arrived = told
    assert conclusions(assembled(*arrived)) == conclusions(assembled(*story.messages))


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_a_message_that_comes_twice_changes_nothing(messages: list[Facts]) -> None:
    once = assembled(*messages)
    assert assembled(*messages, *messages) == once


@settings(max_examples=50, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=5), MESSAGES)
def test_a_record_that_was_stored_and_read_back_merges_alike(messages: list[Facts], last: Facts) -> None:
    record = assembled(*messages)
    stored = VisitRecord.model_validate_json(record.model_dump_json(by_alias=True))
    assert stored == record
    assert merge(stored, last) == merge(record, last)
