import json
import re
from collections import Counter

from fhir_mappings.explaining.coverage_report import NO_TYPE, CodeSeen, Tally, codes_of, states, to_do
from fhir_mappings.explaining.coverage_text import as_json, as_markdown, as_text
from schemas.sender import Sender
from tests.unit.coverage_samples import drug, judged, message, person, sender, visit


def tally(*messages: bytes, by: Sender | None = None) -> Tally:
    found = Tally(files=1)
    for one in messages:
        found.add(judged(one, by))
    return found


def codes(data: bytes, by: Sender | None = None) -> set[CodeSeen]:
    return set(codes_of(judged(data, by)))


def test_every_message_is_in_exactly_one_cell_whatever_it_is() -> None:
    found = tally(
        message("ADT^A01", person(), visit()),
        message("RDE^O11", person(), visit(), *drug()),
        message("ADT^A01", person(), visit(), sending="OTHER|PLACE"),
        message("ADT^A04"),
        message("a name of somebody"),
        b"hello",
        b"<Bundle/>",
        b'{"kind":"x"}',
        b"\x00\xff",
    )
    assert found.total == 9 == sum(states(found).values())
    assert found.messages["RDE^O11", "referral"] == 1
    assert found.messages["ADT^A01", "rejected"] == 1
    assert sum(count for (kind, _), count in found.messages.items() if kind == NO_TYPE) >= 4
    assert found.reasons["rejected", "unknown-sender"] == 1
    assert found.reasons["rejected", "unsupported-format"] == 1


def test_a_field_counts_once_a_message_and_each_of_its_ends_too() -> None:
    found = tally(
        message("ADT^A08", person(), visit(), "DG1|1||F11.20^x^I10", "DG1|2||E11.9^x^I10"),
        message("ADT^A08", person().replace("19800101", "1980"), visit()),
    )
    assert (found.fields["DG1-3"], found.fields["PID-7"], found.segments["DG1"]) == (1, 2, 1)
    ends = Counter({status: n for (path, status, _), n in found.uses.items() if path == "PID-7"})
    assert ends == {"used": 1, "unreadable": 1}


def test_drug_codes_stand_for_what_is_known_of_them() -> None:
    by = sender(maps={"local_drugs": {"LK1": {"system": "rxnorm", "code": "1010604"}}})

    def standing(coded: str) -> dict[str, str]:
        found = codes(message("RDE^O11", person(), visit(), *drug(coded)), by)
        return {f"{one.system} {one.code}": one.standing for one in found if one.kind == "drug"}

    assert standing("1010604^x^RXNORM") == {"rxnorm 1010604": "our drug"}
    assert standing("161^x^RXNORM") == {"rxnorm 161": "another drug"}
    assert standing("LK1^x^LKFORM") == {"LKFORM LK1": "mapped"}
    assert standing("LK2^methadone 10 mg^LKFORM") == {"LKFORM LK2": "unknown, reads like methadone"}
    assert standing("LK3^aspirin^LKFORM") == {"LKFORM LK3": "another drug, by its text"}
    assert standing("LK4^^LKFORM") == {"LKFORM LK4": "unknown"}
    both = standing("1010604^x^RXNORM^LK3^y^LKFORM")
    assert both == {"rxnorm 1010604": "our drug", "LKFORM LK3": "beside a public code"}


def test_codes_of_the_stay_stand_for_what_they_mean() -> None:
    by = sender(units={"3N": "not-part2"}, maps={"class": {"IN": "IMP"}, "disposition": {"STAY": "not-a-discharge"}})
    found = codes(message("ADT^A03", person(), visit(cls="IN", disposition="01")), by)
    assert {(one.kind, one.code, one.standing) for one in found} == {
        ("class", "IN", "IMP"),
        ("disposition", "01", "home"),
        ("unit", "3N", "not-part2"),
    }
    found = codes(message("ADT^A03", person(), visit(cls="ZZ", unit="9X", disposition="STAY")), by)
    assert {(one.kind, one.code, one.standing) for one in found} == {
        ("class", "ZZ", "unknown"),
        ("disposition", "STAY", "not-a-discharge"),
        ("unit", "9X", "unknown"),
    }


def test_words_of_a_disposition_are_shown_and_other_text_is_not() -> None:
    plain = codes(message("ADT^A03", person(), visit(disposition="Home or Self Care")))
    assert "Home or Self Care" in {one.code for one in plain}
    free = codes(message("ADT^A03", person(), visit(disposition="to Mr Htestname", unit="Room of Htestname")))
    assert "Htestname" not in str(free)
    assert {one.code for one in free if one.kind in ("unit", "disposition")} == {"(text only)"}


def test_order_classes_are_read_where_the_file_says() -> None:
    by = sender(maps={"order_class": {"field": "ZRX-2", "TTO": "discharge"}})
    found = tally(
        message("RDE^O11", person(), visit(), *drug(), "ZRX|1|TTO"),
        message("RDE^O11", person(), visit(), *drug(), "ZRX|1|WHAT"),
        by=by,
    )
    words = {seen.code: seen.standing for seen in found.codes if seen.kind == "order class"}
    assert words == {"TTO": "discharge", "WHAT": "unknown"}


def test_the_list_of_what_to_do_is_ordered_by_how_often() -> None:
    found = tally(
        *[message("ADT^A08", person(), visit(unit="9X")) for _ in range(3)],
        *[message("RDE^O11", person(), visit(unit="9X"), *drug("LK2^methadone^LKFORM"), "ZZZ|1|x") for _ in range(2)],
        message("ADT^A08", person(), visit(unit="9X"), sending="OTHER|PLACE"),
    )
    tasks = to_do(found)
    assert [task.messages for task in tasks] == sorted((task.messages for task in tasks), reverse=True)
    assert (tasks[0].messages, tasks[0].what, tasks[0].how) == (5, "unit 9X (PV1-3)", "units")
    told = {task.what: task.messages for task in tasks}
    assert told["drug LK2 (LKFORM, reads like methadone)"] == 2
    assert told["ZZZ is local and not read"] == 2
    assert told["OTHER|PLACE is nobody's: rejected, and no code of it is counted"] == 1


def test_character_sets_and_versions_are_counted() -> None:
    found = tally(
        message("ADT^A08", person(), visit(), charset="8859/1"),
        message("ADT^A08", person(), visit(), version="2.3.1"),
    )
    assert found.charsets == {("8859/1", "iso8859-1", "declared"): 1, ("(empty)", "utf-8", "default"): 1}
    assert found.versions == {"2.5": 1, "2.3.1": 1}


def test_an_event_is_counted_by_its_parts() -> None:
    event = json.dumps(
        {
            "schema_version": "1",
            "event_id": "htest-1",
            "kind": "discharge",
            "occurred_at": "2026-06-05T14:10:00-04:00",
            "patient": {"identifiers": [{"system": "urn:htest:mrn", "value": "HTEST0042"}]},
            "visit": {"identifiers": [{"system": "urn:htest:visit", "value": "V-0042"}], "unit": "3N"},
        }
    ).encode()
    found = tally(event)
    assert found.messages == {("event:discharge", "not-ours"): 1}
    assert found.fields["visit.unit"] == 1
    assert {seen.kind for seen in found.codes} == {"unit"}


def test_text_markdown_and_json_have_the_same_sum_and_no_value_of_a_person() -> None:
    found = tally(
        message("ADT^A03", person("HTEST77"), visit("HTESTV77", disposition="01"), "DG1|1||F11.20^x^I10"),
        message("RDE^O11", person("HTEST77"), visit("HTESTV77"), *drug()),
        b"hello",
    )
    text, page, body = as_text(found), as_markdown(found), json.loads(as_json(found))
    assert text.startswith("messages (1 file)\n  type")
    assert "\n  all " in text
    assert "| all | 1 | 1 | 1 | 3 |" in page
    assert re.search(r"^\| PID \| 2 \| 3 \(2\), 5 \(2\), 7 \(2\) \|  \| 1 \(2\) \|  \|$", page, re.MULTILINE)
    assert (
        body["messages"] == 3 == sum(body["states"].values()) == sum(map(sum, map(dict.values, body["types"].values())))
    )
    assert body["fields"]["PID-3"]["messages"] == 2
    for shown in (text, page, json.dumps(body)):
        assert not any(value in shown for value in ("HTEST", "Sam", "1980"))


def test_a_segment_that_nobody_reads_is_one_row_for_people() -> None:
    found = tally(message("ADT^A08", person(), visit(), "PR1|1|x|y|z", "ZZZ|1|2"))
    text, body = as_text(found), json.loads(as_json(found))
    assert re.search(r"^  PR1-\* +not mapped +1  4 fields, of which nothing is read$", text, re.MULTILINE)
    assert "PR1-2" not in text
    assert {"PR1-1", "PR1-4"} <= set(body["fields"])


def test_of_a_long_list_the_number_of_what_is_left_out_is_told() -> None:
    found = tally(*[message("ADT^A08", person(), visit(unit=f"U{n}")) for n in range(45)])
    text = as_text(found)
    assert "and 5 more" in text
    assert len(json.loads(as_json(found))["codes"]) == 46
