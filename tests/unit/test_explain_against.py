import json
from datetime import UTC, datetime
from typing import Any

from fhir_mappings.explaining.explain import Explanation, explain
from fhir_mappings.explaining.explain_against import difference
from fhir_mappings.explaining.explain_text import difference_to_json, render_difference
from schemas.sender import Sender

NOW = datetime(2026, 7, 10, 13, 0, tzinfo=UTC)
ORDER = (
    b"MSH|^~\\&|LAB|LAKE|B|G|20260608100000||RDE^O11|1|P|2.5\r"
    b"PID|1||HTEST1||HTESTX^Sam||19800101\r"
    b"PV1|1|IN|7E||||||||||||||||HTESTV1\r"
    b"ORC|NW|HTESTO1\r"
    b"RXE|1^QDAY|LK1^some film^LKFORM|8||MG\r"
    b"ZRX|1|TTO"
)


def read(zone: str = "America/New_York", **maps: Any) -> Explanation:
    fields = {"id": "one", "organization": "HTEST", "dialect": "adt_generic", "timezone": zone, "maps": maps}
    return explain(ORDER, Sender.model_validate(fields), now=NOW)


MAPPED: dict[str, Any] = {
    "class": {"IN": "IMP"},
    "local_drugs": {"LK1": {"system": "rxnorm", "code": "1010604"}},
    "order_class": {"field": "ZRX-2", "TTO": "discharge"},
}


def test_the_same_setting_twice_makes_no_difference() -> None:
    found = difference(read(**MAPPED), read(**MAPPED))
    assert not found
    assert render_difference(found) == "-  one (adt_generic)\n+  one (adt_generic)\n\nno difference\n"


def test_only_what_differs_is_told() -> None:
    found = difference(read(**MAPPED), read())
    fields = {before.path: (before.status, after.status) for before, after in found.fields if before and after}
    assert fields == {"PV1-2": ("used", "unreadable"), "ZRX-2": ("used", "z-segment")}
    text = render_difference(found)
    assert "  - order 1010604 (rxnorm), for the way home, every PT24H\n" in text
    assert "  + order LK1 (LKFORM), in the hospital, every PT24H\n" in text
    assert "  - referral: moud-daily\n" in text
    assert "PID-3" not in text


def test_a_field_of_many_segments_is_told_once() -> None:
    many = ORDER + b"\rORC|NW|HTESTO2\rRXE||LK1^some film^LKFORM|8||MG\rZRX|1|TTO"
    fields = {"id": "one", "organization": "HTEST", "dialect": "adt_generic", "timezone": "UTC"}
    plain = explain(many, Sender.model_validate(fields), now=NOW)
    mapped = explain(many, Sender.model_validate({**fields, "maps": MAPPED}), now=NOW)
    assert [one.path for one, _ in difference(plain, mapped).fields if one].count("ZRX-2") == 1


def test_a_time_zone_shows_as_hours_and_not_as_a_time() -> None:
    found = difference(read("America/New_York"), read("America/Phoenix"))
    text = render_difference(found)
    assert "what happened is 3 h later (time zone)" in text
    assert "2026" not in text


def test_what_one_setting_refuses_is_told() -> None:
    refused = explain(b"hello", Sender(id="x", organization="o", dialect="adt_generic", timezone="UTC"), now=NOW)
    found = difference(read(), refused)
    assert ("+", "message: no-msh") in found.problems
    assert all(after is None for _, after in found.fields)


def test_json_says_the_same() -> None:
    body = json.loads(difference_to_json(difference(read(**MAPPED), read(zone="America/Phoenix"))))
    assert (body["sender"], body["against"]) == ("one (adt_generic)", "one (adt_generic)")
    assert {"of": "sender", "text": "referral: moud-daily"} in body["verdicts"]
    assert body["times"] == [{"of": "against", "text": "what happened is 3 h later (time zone)"}]
    assert {one["sender"]["path"] for one in body["fields"]} == {"PV1-2", "ZRX-2"}
