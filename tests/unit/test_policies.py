"""Every clause: its own examples, what it reads, and that nothing it reads is missing from what hospitals send."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from app.rules import policies
from app.rules.policies.base import FACTS, PLACES, Case, Clause, Finding, Held, Person, accepts, said
from schemas.codes.local import CODES, STATUS_REASON
from schemas.discharge import DischargeEvent, NeedKind
from schemas.facets import FACETS
from tests.architecture.sources import ROOT

CASES = [(clause, case) for clause in policies.ALL.values() for case in clause.cases]
CLAUSES = [*policies.ALL.values()]
FORBIDDEN = {"race", "ethnicity", "name", "payer"}


def models_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation may hold, through unions, lists and the like."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif origin in {Union, UnionType, Annotated, list, dict}:
        for inner in get_args(annotation):
            yield from models_of(inner)


def is_there(model: type[BaseModel], path: str) -> bool:
    name, _, rest = path.partition(".")
    field = next((one for key, one in model.model_fields.items() if name in {key, one.alias}), None)
    if field is None:
        return False
    return not rest or any(is_there(inner, rest) for inner in models_of(field.annotation))


def looked_at(clause: Clause) -> set[str]:
    """Fields of ``person`` that the file of a clause reads."""
    path = ROOT / "app" / "rules" / "policies" / f"{clause.name.replace('-', '_')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "person"
    }


@pytest.mark.parametrize(("clause", "case"), CASES, ids=[f"{one.name}-{case.verdict}" for one, case in CASES])
def test_every_example_of_a_clause_comes_out_as_it_says(clause: Clause, case: Case) -> None:
    finding = clause.judge(case.person, case.facets)
    assert finding.verdict == case.verdict
    assert (finding.verdict == "not-asked") == (finding.text == "")
    assert finding.facet is None or finding.facet in clause.facets


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda one: one.name)
def test_a_clause_says_what_it_is(clause: Clause) -> None:
    assert len(clause.cases) >= 3
    assert set(clause.facets) <= set(FACETS)
    assert clause.reason in CODES[STATUS_REASON]
    assert clause.needs is None or clause.needs <= set(get_args(NeedKind))


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda one: one.name)
def test_a_clause_reads_what_it_declares_and_nothing_else(clause: Clause) -> None:
    assert looked_at(clause) == set(clause.reads)
    assert set(clause.reads).isdisjoint(FORBIDDEN)


@pytest.mark.parametrize("field", FACTS)
def test_every_fact_that_a_clause_may_read_is_in_the_discharge_event(field: str) -> None:
    assert [path for path in FACTS[field] if not is_there(DischargeEvent, path)] == []


def test_a_fact_that_the_discharge_event_lacks_is_noticed() -> None:
    assert not is_there(DischargeEvent, "clinical.horoscope")
    assert not is_there(DischargeEvent, "photo_id.colour")


def test_the_person_has_no_field_without_a_source() -> None:
    assert {one.name for one in fields(Person)} == set(FACTS)


def test_every_file_of_the_folder_is_a_clause_and_is_named_like_it() -> None:
    files = {path.stem for path in (ROOT / "app" / "rules" / "policies").glob("*.py")} - {"__init__", "base"}
    assert {name.replace("-", "_") for name in policies.ALL} == files


def test_pregnancy_language_and_payment_exclude_nobody() -> None:
    weights = {name: policies.ALL[name].weight for name in ("pregnancy", "language", "insurance")}
    assert weights == {"pregnancy": "lowers", "language": "lowers", "insurance": "shown"}


def test_only_refusals_for_the_medication_alone_may_be_barriers() -> None:
    assert {name for name, one in policies.ALL.items() if one.barrier} == {"prescribed-elsewhere", "taper"}


def test_a_no_on_a_condition_or_about_a_fact_that_is_not_known_is_for_a_person() -> None:
    conditional: Held = {"benzodiazepines": said("no", condition="unless they are prescribed")}
    found = accepts(conditional, "benzodiazepines", concerns=True, will="take people who use benzodiazepines")
    assert (found.verdict, "unless they are prescribed" in found.text) == ("unknown", True)
    plain: Held = {"benzodiazepines": said("no")}
    assert accepts(plain, "benzodiazepines", concerns=None, will="take them").verdict == "unknown"
    assert accepts({}, "benzodiazepines", concerns=None, will="take them") == Finding("not-asked")


def test_the_needs_of_places_are_needs() -> None:
    assert set(get_args(NeedKind)) >= PLACES
    assert get_origin(NeedKind) is Literal
