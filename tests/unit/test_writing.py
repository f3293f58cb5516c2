"""Bodies as they are stored are read back digit by digit."""

from decimal import Decimal
from typing import Any

import pytest

from app.services.writing import Draft, decoded
from app.store.queries import Row
from schemas.served import to_body


def row(resource: dict[str, Any]) -> Row:
    return Row(resource["id"], resource["resourceType"], 1, 1_780_000_000_000_000, to_body(resource), "full", 0)


@pytest.mark.parametrize("value", ["1.10", "-0.50", "1E+3", "7"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_number_keeps_its_digits(value: str, *, nested: bool) -> None:
    quantity: Any = [Decimal("1.0"), Decimal(value)] if nested else Decimal(value)
    found = decoded(row({"resourceType": "Observation", "id": "o1", "value": quantity}))["value"]
    assert str(found[1] if nested else found) == value


@pytest.mark.parametrize("resource", [{}, {"meta": {"profile": ["x"]}}, {"meta": {}, "text": "é,1.5"}])
def test_a_draft_is_stored_as_its_body(resource: dict[str, Any]) -> None:
    whole = {"resourceType": "Task", "id": "t1", **resource}
    draft = Draft.of(whole, 1)
    assert draft.body == to_body(whole)
    assert decoded(row(whole)) == {**whole, "meta": {**whole.get("meta", {}), **decoded(row(whole))["meta"]}}
