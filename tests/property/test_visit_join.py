"""An emergency visit and the stay that follows it become one visit, whatever arrives first."""

from datetime import timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fhir_mappings.triage import judge
from fhir_mappings.visits.visit import as_event, last_dose, merge
from fhir_mappings.visits.visit_join import continues, follow, fuse
from schemas.discharge import Disposition, Identifier, VisitClass, VisitDetails
from schemas.facts import FactKind, Facts, GivenDose, VisitRecord
from tests.unit.stories import CSN, FILM, at, dx, facts, mrn, person

HOURS = timedelta(hours=4)


def stay(
    number: str, class_: VisitClass, came: str, *, left: str | None = None, unit: str | None = None
) -> VisitDetails:
    return VisitDetails(
        identifiers=[Identifier(system=CSN, value=number, type="VN")],
        class_=class_,
        admitted_at=at(came),
        discharged_at=at(left) if left else None,
        unit=unit,
    )


def emergency(kind: FactKind, when: str, *, left: str | None = None, to: Disposition | None = None) -> Facts:
    visit = stay("E1", "EMER", "07-12 20:00", left=left, unit="ED").model_copy(update={"disposition": to})
    return facts("ADT", kind, when, visit=visit)


def inpatient(kind: FactKind, when: str, *, left: str | None = None, to: Disposition | None = None) -> Facts:
    visit = stay("I1", "IMP", "07-12 23:50", left=left, unit="5N").model_copy(update={"disposition": to})
    return facts("ADT", kind, when, visit=visit, diagnoses=[dx("F11.23")])


def given_film(number: str, class_: VisitClass, came: str, when: str) -> Facts:
    dose = GivenDose(key=f"{number}|{when}", product=FILM, at=at(when), charted_at=at(when), amount=8, unit="mg")
    return facts("RAS", "dose", when, visit=stay(number, class_, came), doses=[dose])


ED_LEFT = emergency("discharge", "07-12 23:05", left="07-12 23:00", to="home")
ED_ADMITTED = emergency("discharge", "07-12 23:05", left="07-12 23:00").model_copy(update={"visit_status_ended": False})
STORY = [
    emergency("admit", "07-12 20:04"),
    given_film("E1", "EMER", "07-12 20:00", "07-12 21:40"),
    ED_LEFT,
    inpatient("admit", "07-12 23:52"),
    given_film("I1", "IMP", "07-12 23:50", "07-14 09:00"),
    inpatient("discharge", "07-14 13:10", left="07-14 13:00", to="home"),
    facts("ADT^A31", "person", "07-14 14:00", visit=None, patient=person(given="Kim")),
]


def number_of(message: Facts) -> str | None:
    return message.visit.identifiers[0].value if message.visit is not None else None


def told(messages: list[Facts]) -> list[VisitRecord]:
    """The visits that these messages come to, in this order of arrival."""
    visits: dict[str, VisitRecord] = {}
    same: dict[str, str] = {}
    of_the_person: list[Facts] = []
    for message in messages:
        number = number_of(message)
        if number is None:
            of_the_person.append(message)
            visits = {name: merge(record, message) for name, record in visits.items()}
            continue
        name = same.setdefault(number, number)
        known = visits.get(name)
        visits[name] = merge(known, message)
        if known is None:
            for earlier in of_the_person:
                visits[name] = merge(visits[name], earlier)
        if {"E1", "I1"} <= visits.keys() and continues(visits["E1"], visits["I1"], HOURS):
            visits = {"I1": follow(visits["E1"], visits["I1"])}
            same["E1"] = "I1"
    return [visits[name] for name in sorted(visits)]


@settings(max_examples=300, deadline=None)
@given(st.permutations(STORY))
@example(STORY)
@example([*STORY[3:], *STORY[:3]])
def test_any_order_of_an_admission_from_the_emergency_department_is_one_stay(arrived: list[Facts]) -> None:
    (one,), (same,) = told(STORY), told(arrived)
    assert one == same
    assert one.visit.class_ == "IMP"
    assert as_event(one, event_id="HTEST", occurred_at=at("07-14 13:10")).visit.admitted_at == at("07-12 20:00")
    assert one.ended_at == at("07-14 13:10")
    assert [number.value for number in one.visit.identifiers] == ["I1"]
    assert [number.value for number in one.earlier_visits] == ["E1"]
    dose = last_dose(one)
    assert dose is not None
    assert dose.at == at("07-14 09:00")
    assert as_event(one, event_id="HTEST", occurred_at=at("07-14 13:10")).patient.name == person(given="Kim").name
    assert judge(one).outcome == "referral"


@settings(max_examples=100, deadline=None)
@given(st.permutations([*STORY[:2], ED_ADMITTED, *STORY[3:6]]))
def test_admitted_as_inpatient_is_no_end_in_any_order(arrived: list[Facts]) -> None:
    (one,) = told(arrived)
    assert one.visit.class_ == "IMP"
    assert one.ended_at == at("07-14 13:10")


@settings(max_examples=100, deadline=None)
@given(st.permutations(STORY[:4]))
def test_until_the_stay_ends_the_visit_is_open(arrived: list[Facts]) -> None:
    (one,) = told(arrived)
    assert one.ended_at is None
    assert one.visit.disposition is None


def test_an_admission_later_than_the_senders_time_is_a_visit_of_its_own() -> None:
    late = stay("I1", "IMP", "07-13 03:01")
    messages = [STORY[0], ED_LEFT, facts("ADT", "admit", "07-13 03:01", visit=late)]
    assert len(told(messages)) == 2


def test_a_second_emergency_visit_soon_after_is_no_admission() -> None:
    again = stay("I1", "EMER", "07-13 00:30")
    assert len(told([STORY[0], ED_LEFT, facts("ADT", "admit", "07-13 00:30", visit=again)])) == 2


def merged_numbers(old: str, new: str, when: str) -> Facts:
    visit = VisitDetails(identifiers=[Identifier(system=CSN, value=new, type="VN")])
    gone = [Identifier(system=CSN, value=old, type="VN")]
    return facts("ADT^A42", "merge", when, visit=visit, merged_visits=gone)


def of_visit(number: str, kind: FactKind, when: str, unit: str) -> Facts:
    visit = VisitDetails(identifiers=[Identifier(system=CSN, value=number, type="VN")], class_="IMP", unit=unit)
    return facts("ADT", kind, when, visit=visit, patient=person("HTEST1", when))


APART = [
    of_visit("N1", "admit", "06-08 10:00", "4W"),
    given_film("N1", "IMP", "06-08 10:00", "06-08 11:00"),
    of_visit("N2", "transfer", "06-08 12:00", "7E"),
    given_film("N2", "IMP", "06-08 10:00", "06-08 13:00"),
    of_visit("N2", "discharge", "06-08 15:00", "7E"),
]


@settings(max_examples=200, deadline=None)
@given(st.permutations(APART), st.integers(0, 5))
def test_numbers_that_turn_out_to_be_one_visit_are_joined_alike_whenever_it_is_said(
    arrived: list[Facts], before: int
) -> None:
    merging = merged_numbers("N1", "N2", "06-08 14:00")

    def one_visit(messages: list[Facts], at_position: int) -> VisitRecord:
        apart: dict[str, VisitRecord] = {}
        for message in messages[:at_position]:
            number = number_of(message) or ""
            apart[number] = merge(apart.get(number), message)
        records = list(apart.values())
        record = fuse(records[0], records[1], HOURS) if len(records) == 2 else records[0] if records else None
        for message in [merging, *messages[at_position:]]:
            record = merge(record, message)
        assert record is not None
        return record

    assert one_visit(arrived, before) == one_visit(APART, 5)


def test_a_merged_number_still_finds_the_visit_and_stands_for_it_no_more() -> None:
    record = merge(merge(None, of_visit("N1", "admit", "06-08 10:00", "4W")), merged_numbers("N1", "N2", "06-08 14:00"))
    assert [number.value for number in record.visit.identifiers] == ["N2"]
    assert [number.value for number in record.former_visits] == ["N1"]


def test_a_visit_moved_to_another_person_forgets_the_first_one() -> None:
    record = merge(None, of_visit("N1", "admit", "06-08 10:00", "4W"))
    moved = facts(
        "ADT^A45",
        "move",
        "06-08 11:00",
        patient=person("HTEST2", "Lee"),
        merged_identifiers=[mrn("HTEST1")],
        visit=None,
    )
    late = of_visit("N1", "update", "06-08 10:30", "7E")
    for told_in in ([moved, late], [late, moved]):
        known = record
        for message in told_in:
            known = merge(known, message)
        assert [number.value for number in known.patient.identifiers] == ["HTEST2"]
        assert known.former_identifiers == []
        assert known.patient.name == person("HTEST2", "Lee").name
        assert known.visit.unit == "7E"
