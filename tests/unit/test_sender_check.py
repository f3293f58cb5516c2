import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import Clock
from app.core.errors import BadRequest
from app.services.senders import sender_checking, sender_files
from app.services.senders.sender_checking import Checked, as_json, as_text, checked
from app.store.accounts import Directory
from fhir_mappings.explaining import sender_check
from fhir_mappings.explaining.sender_check import Finding
from fhir_mappings.explaining.sender_samples import candidates
from schemas.partner import PartnerProfile
from schemas.sender import Sender
from tests.unit.coverage_samples import NOW, drug, message, person, sender, visit

FILE: dict[str, Any] = {
    "id": "lake",
    "organization": "HTEST Lake",
    "dialect": "adt_generic",
    "timezone": "America/Chicago",
    "match_msh": ["LAB|LAKE"],
    "units": {"3N": "not-part2"},
}
GOOD = message("ADT^A08", person(), visit())


@pytest.fixture
def check(tmp_path: Path) -> Any:
    def run(*messages: bytes, known: Directory | None = None, **fields: Any) -> Checked:
        files = []
        for number, data in enumerate(messages):
            files.append(tmp_path / f"{number}.hl7")
            files[-1].write_bytes(data)
        whole = {key: value for key, value in (FILE | fields).items() if value is not None}
        return checked(whole, files, known, lambda _: None, Clock.starting_at(NOW))

    return run


def one(found: Checked, code: str) -> Finding:
    (finding,) = [finding for finding in found.findings if finding.code == code]
    return finding


def levels(found: Checked) -> dict[str, str]:
    return {finding.code: finding.level for finding in found.findings}


# ---- the file by itself


def test_a_file_that_fits_its_samples_is_ready(check: Any) -> None:
    found = check(GOOD)
    assert {finding.level for finding in found.findings} <= {"info"}
    assert (found.exit_code, found.messages) == (0, 1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone: not an IANA time zone name, e.g. America/New_York"),
        ({"timezone": "localtime"}, "timezone: not an IANA time zone name, e.g. America/New_York"),
        ({"timezone": "Factory"}, "timezone: not an IANA time zone name, e.g. America/New_York"),
        ({"dialect": "x12"}, "dialect: one of "),
        ({"match_msh": ["LAKE"]}, "match_msh: 'APPLICATION|FACILITY'"),
        ({"peers": ["10.0.0.1/8"]}, "peers: an address or a network"),
        ({"units": {"3N": "maybe"}}, "units.3N: Input should be 'part2' or 'not-part2'"),
        ({"maps": {"class": {"I": "INPATIENT"}}}, "maps.class.I: Input should be "),
        ({"maps": {"disposition": {"H": "house"}}}, "maps.disposition.H: Input should be "),
        ({"maps": {"order_class": {"field": "ZRX-2", "TTO": "home"}}}, "maps.order_class.TTO: 'inpatient' or"),
        ({"routes": {"dose": "Harbor OTP"}}, "routes.dose: not a need; one of moud-continuation"),
        ({"zones": {"WEST": "Mars/Olympus"}}, "zones: not an IANA time zone name"),
    ],
)
def test_what_sender_add_would_refuse_is_an_error_and_stops(check: Any, fields: dict[str, Any], said: str) -> None:
    found = check(GOOD, **fields)
    assert one(found, "value").text.startswith(said)
    assert (found.exit_code, found.messages) == (2, 0)


def test_a_file_that_is_no_json_object_is_refused() -> None:
    with pytest.raises(BadRequest):
        sender_files.fields_of(b"{")
    with pytest.raises(BadRequest):
        sender_files.fields_of(b"[]")


def test_what_is_undecided_is_an_error_and_stands_beside_what_the_samples_say(check: Any) -> None:
    maps = {"local_drugs": {"LK1": {"system": "rxnorm", "code": "?"}}, "drug_systems": {"LKFORM": "?"}}
    order = message("RDE^O11", person(), visit(), *drug("LK1^methadone 10 mg tablet^LKFORM"))
    found = check(order, units={"3N": "?"}, timezone="?", maps=maps)
    told = {
        finding.text.partition(" is still")[0]: finding for finding in found.findings if finding.code == "undecided"
    }
    assert set(told) == {"timezone", "units.3N", "maps.local_drugs.LK1.code", "maps.drug_systems.LKFORM"}
    assert told["units.3N"].messages == 1
    assert told["maps.local_drugs.LK1.code"].choices[0].startswith("864706")
    assert "local-drug" not in levels(found)
    assert found.exit_code == 2


def test_keys_that_nobody_reads_are_named_and_slips_are_warnings(check: Any) -> None:
    found = check(GOOD, unit={"3N": "part2"}, comment="x", maps={"visit_id": "PV1-19", "clas": {"I": "IMP"}})
    told = {finding.text: finding.level for finding in found.findings if finding.code == "not-read"}
    assert told == {
        "unit is not a key of a sender file: is units meant?": "warning",
        "comment is not a key of a sender file": "warning",
        "maps.visit_id is kept for whoever reads the file and not read": "info",
        "maps.clas is kept for whoever reads the file and not read: is class meant?": "warning",
    }


def test_the_smallest_form_is_checked_too_and_told_what_sender_add_needs(check: Any) -> None:
    found = check(GOOD, id=None, organization=None, dialect=None, timezone=None)
    assert one(found, "registration").text == (
        "not in the file, so sender add needs ID, --organization, --dialect, --timezone; times were read as UTC here"
    )
    assert one(found, "registration").level == "warning"


# ---- what would not be taken


def test_another_header_is_an_error_with_the_line_to_add(check: Any) -> None:
    found = check(GOOD, message("ADT^A08", person(), visit(), sending="LAB|WEST"))
    finding = one(found, "match-msh")
    assert (finding.level, finding.messages, finding.add) == ("error", 1, {"match_msh": ["LAB|WEST"]})
    assert levels(check(GOOD, match_msh=None))["match-msh"] == "warning"


def test_messages_that_would_be_rejected_are_errors(check: Any) -> None:
    found = check(GOOD, b"hello", message("ADT^A04", number=""))
    rejected = {finding.text for finding in found.findings if finding.code == "rejected"}
    assert any(re.fullmatch(r"rejected: not-hl7 \(first: .*1\.hl7, message 1\)", text) for text in rejected)
    assert len(rejected) == 2
    assert levels(check())["no-samples"] == "error"


def directory(*senders: Sender, partners: tuple[str, ...] = ()) -> Directory:
    profiles = {name: PartnerProfile(name=name) for name in partners}
    return Directory(hub="hub", names={}, senders={one.id: one for one in senders}, partners=profiles)


def test_a_registered_sender_that_takes_the_same_message_is_an_error(check: Any) -> None:
    rival = sender(id="rival")
    assert one(check(GOOD, known=directory(rival)), "other-sender").level == "error"
    assert "other-sender" not in levels(check(GOOD, known=directory(sender(id="lake"))))
    assert "other-sender" not in levels(check(GOOD, known=directory(sender(id="rival", match_msh=["LAB|WEST"]))))
    apart = directory(sender(id="rival", peers=["10.1.0.0/16"]))
    assert "other-sender" not in levels(check(GOOD, known=apart, peers=["10.2.0.0/16"]))
    assert "other-sender" in levels(check(GOOD, known=apart, peers=["10.1.2.0/24"]))


def test_a_route_to_nobody_is_a_note(check: Any) -> None:
    routes = {"moud-continuation": "Harbor OTP"}
    assert one(check(GOOD, known=directory(), routes=routes), "route").level == "info"
    assert "route" not in levels(check(GOOD, known=directory(partners=("Harbor OTP",)), routes=routes))


# ---- codes


def test_unmapped_codes_are_warnings_with_counts_and_the_lines_to_add(check: Any) -> None:
    left = message("ADT^A03", person(), visit(cls="QQ", unit="9X", disposition="HOM"))
    found = check(left, left)
    assert found.exit_code == 3
    assert one(found, "unit").messages == 2
    additions = sender_check.merged_additions(found.findings)
    assert additions == {"units": {"9X": "?"}, "maps": {"class": {"QQ": "?"}, "disposition": {"HOM": "?"}}}
    assert "unit" not in levels(check(left, part2="all"))


def test_a_local_drug_that_reads_like_ours_comes_with_what_it_could_be(check: Any) -> None:
    order = message("RDE^O11", person(), visit(), *drug("LK8^Suboxone 8-2 mg film^LKFORM"), "ZRX|1|x")
    found = check(order)
    finding = one(found, "local-drug")
    assert finding.choices[0] == "1010604  buprenorphine 8 MG / naloxone 2 MG Sublingual Film"
    assert finding.add == {"maps": {"local_drugs": {"LK8": {"system": "rxnorm", "code": "?", "text": "buprenorphine"}}}}
    assert one(found, "drug-system").add == {"maps": {"drug_systems": {"LKFORM": "?"}}}
    mapped = {"local_drugs": {"LK8": {"system": "rxnorm", "code": "1010604"}}, "drug_systems": {"LKFORM": "local"}}
    assert not {"local-drug", "drug-system"} & set(levels(check(order, maps=mapped)))
    other = message("RDE^O11", person(), visit(), *drug("LK9^aspirin^LKFORM"))
    assert "local-drug" not in levels(check(other))


def test_a_mapped_code_that_is_not_what_its_text_says_is_a_warning(check: Any) -> None:
    def mapped(code: str, text: str) -> dict[str, Any]:
        return {"local_drugs": {"LK8": {"system": "rxnorm", "code": code, "text": text}}}

    assert "methadone" in one(check(GOOD, maps=mapped("161", "methadone 10 mg")), "local-drug").text
    assert "local-drug" not in levels(check(GOOD, maps=mapped("864706", "methadone 10 mg")))
    assert "local-drug" not in levels(check(GOOD, maps=mapped("161", "acetaminophen")))


@pytest.mark.parametrize(
    ("drug_name", "text", "code"),
    [
        ("buprenorphine", "bup-nx 8-2 film", "1010604"),
        ("buprenorphine", "Zubsolv 5.7-1.4 mg SL tab", "1431102"),
        ("methadone", "methadone 10 mg tablet", "864706"),
        ("methadone", "methadone 10 mg/ml oral conc", "991147"),
        ("naltrexone", "naltrexone ER 380 mg inj", "637213"),
    ],
)
def test_the_likeliest_code_comes_first(drug_name: str, text: str, code: str) -> None:
    assert candidates(drug_name, text)[0][0] == code


def test_a_text_without_strength_or_form_suggests_nothing() -> None:
    assert candidates("methadone", "methadone") == []


def test_where_no_order_says_its_class_the_field_that_seems_to_is_named(check: Any) -> None:
    inside, out = ("ZRX|1|INPT"), ("ZRX|1|DISCH")
    found = check(
        message("RDE^O11", person(), visit(), *drug(), inside), message("RDE^O11", person(), visit(), *drug(), out)
    )
    finding = one(found, "order-class")
    assert "ZRX-2" in finding.text
    assert finding.add == {"maps": {"order_class": {"field": "ZRX-2", "DISCH": "?", "INPT": "?"}}}
    mapped = {"order_class": {"field": "ZRX-2", "INPT": "inpatient"}}
    found = check(message("RDE^O11", person(), visit(), *drug(), out), maps=mapped)
    assert one(found, "order-class").add == {"maps": {"order_class": {"DISCH": "?"}}}


# ---- fields, visits, times


def test_a_supply_without_days_is_a_warning_that_names_where_they_could_be(check: Any) -> None:
    dispensed = ("ORC|RE|HTESTO1", "RXD|1|1010604^film^RXNORM|20260608|14|FILM||RX1", "ZRX|1|TTO|7")
    maps = {"order_class": {"field": "ZRX-2", "TTO": "discharge"}}
    found = check(message("RDS^O13", person(), visit(), *dispensed), maps=maps)
    assert one(found, "days-supply").level == "warning"
    assert "ZRX-3" in one(found, "days-supply").text
    found = check(message("RDS^O13", person(), visit(), *dispensed), maps=maps | {"days_supply": "ZRX-3"})
    assert "days-supply" not in levels(found)


def test_a_visit_without_a_number_is_a_warning(check: Any) -> None:
    assert one(check(message("ADT^A08", person(), visit(""))), "visit-number").text.startswith("ADT^A08 has no number")


def test_a_number_that_several_visits_share_is_a_warning_with_the_classes(check: Any) -> None:
    def account(number: str, day: str) -> bytes:
        return message("ADT^A04", person() + "|" * 11 + "HTESTACC", visit(number, cls="R", admitted=day))

    found = check(account("HTESTV1", "20260601"), account("HTESTV2", "20260608"))
    assert one(found, "recurring-account").add == {"maps": {"recurring_accounts": {"PID-18": ["R"]}}}
    assert "HTESTACC" not in as_text(found)
    once = check(account("HTESTV1", "20260601"), account("HTESTV1", "20260601"))
    assert "recurring-account" not in levels(once)


def test_times_that_do_not_fit_the_zone_are_warnings(check: Any) -> None:
    found = check(message("ADT^A08", person(), visit(), at="20260608100000-0400"))
    assert one(found, "time-zone").text == "in America/Chicago it was -0500 then: MSH-7 says -0400"
    assert "time-zone" not in levels(check(message("ADT^A08", person(), visit(), at="20260608100000-0500")))
    assert one(check(message("ADT^A08", person(), visit(), at="20260710100000")), "future").messages == 1


def test_a_test_message_is_a_warning_while_the_mode_is_production(check: Any) -> None:
    tested = message("ADT^A08", person(), visit(), processing="T")
    assert one(check(tested), "test-message").level == "warning"
    assert "test-message" not in levels(check(tested, mode="test"))


def test_unreadable_fields_unhandled_triggers_and_z_segments_are_named(check: Any) -> None:
    odd = message("MDM^T02", person().replace("19800101", "80"), visit(), "DG1|1||F11.20^x^I10", "ZZZ|1|x")
    found = check(odd)
    assert one(found, "unreadable").text.startswith("PID-7: not a date or time")
    assert one(found, "trigger").text.startswith("MDM^T02 carries a drug or a diagnosis")
    assert one(found, "z-segment").level == "info"


# ---- what is printed


def test_the_suggested_file_has_what_was_seen_and_marks_what_is_to_be_decided(tmp_path: Path) -> None:
    inside = message("RDE^O11", person(), visit(cls="IN"), *drug("LK8^Suboxone 8-2 mg film^LKFORM"), "ZRX|1|INPT")
    left = message("ADT^A03", person(), visit(disposition="HOM"))
    (tmp_path / "a.hl7").write_bytes(inside + left)
    made = json.loads(sender_checking.suggestion([tmp_path / "a.hl7"], lambda _: None, Clock.starting_at(NOW)))
    assert made["match_msh"] == ["LAB|LAKE"]
    assert (made["id"], made["timezone"], made["units"]) == ("lake", "?", {"3N": "?"})
    assert made["maps"] == {
        "class": {"I": "IMP", "IN": "?"},
        "disposition": {"HOM": "?"},
        "drug_systems": {"LKFORM": "?"},
        "local_drugs": {"LK8": {"system": "rxnorm", "code": "?", "text": "buprenorphine"}},
        "order_class": {"field": "ZRX-2", "INPT": "?"},
    }
    found = checked(made, [tmp_path / "a.hl7"], None, lambda _: None, Clock.starting_at(NOW))
    assert {finding.code for finding in found.findings if finding.level == "error"} == {"undecided"}


def test_a_sender_of_events_is_checked_too(check: Any) -> None:
    event = {
        "schema_version": "1",
        "event_id": "htest-1",
        "kind": "discharge",
        "occurred_at": "2026-06-05T14:10:00-05:00",
        "patient": {"identifiers": [{"system": "urn:htest:mrn", "value": "HTEST0042"}]},
        "visit": {"identifiers": [{"system": "urn:htest:visit", "value": "V-0042"}], "unit": "9X"},
    }
    found = check(json.dumps(event).encode(), dialect="event_json", match_msh=None)
    assert {finding.code for finding in found.findings if finding.level != "info"} == {"unit"}


def test_text_and_json_say_the_same_and_no_value_of_a_person(check: Any) -> None:
    found = check(message("ADT^A03", person("HTEST99"), visit("HTESTV99", unit="9X", disposition="HOM")), b"hello")
    text, body = as_text(found), json.loads(as_json(found))
    assert text.startswith(
        "sender   lake\nsamples  2 messages\nfound    1 error, 2 warnings, 1 note\n\nerrors\n  rejected "
    )
    assert [one["code"] for one in body["findings"]] == [finding.code for finding in found.findings]
    assert body["add"] == {"units": {"9X": "?"}, "maps": {"disposition": {"HOM": "?"}}}
    assert text.rstrip().endswith(json.dumps(body["add"], indent=2))
    assert not any(value in text + json.dumps(body) for value in ("HTEST99", "HTESTX", "Sam", "1980"))
