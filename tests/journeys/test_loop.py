"""The main job from end to end: discharge, poll, accept, complete, read the outcome; and what can come between."""

import itertools
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.http_messages import event
from tests.hub_times import without_hub_times
from tests.journeys.running_hub import OUTPUT, Caller, Resource, RunningHub, ack_code, because, command, running
from tests.journeys.stay import HARBOR, MERCY, NORTH, PEERS, Stay
from tests.journeys.visit_views import LOCAL, codes, utc

NOW = datetime.fromisoformat("2026-06-08T15:00:00-04:00")
VISITS = Path(__file__).parents[2].parent / "shared" / "visits"


@dataclass
class Scene:
    """A hub, the hospital's engine and the partner's client."""

    hub: RunningHub
    hospital: Caller
    partner: Caller
    folder: Path

    def send(self, *messages: bytes) -> None:
        for message in messages:
            assert ack_code(self.hub.post_hl7(self.hospital, message)) == "AA"

    def states(self) -> list[str]:
        return [entry["state"] for entry in self.hub.ledger()]

    def sources(self) -> list[Resource]:
        """Source Tasks, oldest first."""
        found = [task for task in self.hospital.search("Task?_sort=_lastUpdated") if "partOf" not in task]
        return sorted(found, key=lambda task: str(task["authoredOn"]))

    def source(self) -> Resource:
        (only,) = self.sources()
        return only

    def child(self) -> Resource:
        (only,) = self.partner.search("Task")
        return only

    def request_of(self, task: Resource) -> Resource:
        """The ServiceRequest of a source Task, as the hospital reads it."""
        return self.hospital.fhir(task["focus"]["reference"])

    def event(self, number: int = 7, **changes: Any) -> tuple[int, Resource]:
        answer = self.hub.post_event(self.hospital, event(number, **changes), "mercy")
        return answer.status_code, answer.json()


@contextmanager
def _scene(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, senders: list[Resource] | None = None
) -> Iterator[Scene]:
    with running(
        monkeypatch, folder, database_url, senders=senders or [MERCY, NORTH], partners=[HARBOR, PEERS], now=NOW
    ) as hub:
        yield Scene(hub, hub.caller("mercy"), hub.caller("HTEST Harbor OTP"), folder)


@pytest.fixture
def scene(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with _scene(database_url, tmp_path, monkeypatch) as made:
        yield made


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def business_status(task: Resource) -> list[str]:
    return codes(task.get("businessStatus", {}))


def reason(task: Resource) -> list[str]:
    return codes(task.get("statusReason", {}))


def coverage(task: Resource) -> dict[str, str]:
    """Parts of the coverage extension, flags and when it was computed left out."""
    found: Resource = next(
        (one for one in without_hub_times(task).get("extension", []) if one["url"] == f"{LOCAL}/coverage"),
        {"extension": []},
    )
    return {
        part["url"]: str(value)
        for part in found["extension"]
        for key, value in part.items()
        if key.startswith("value") and part["url"] != "flag"
    }


# ---- the straight way


def test_a_discharge_is_polled_accepted_completed_and_read_by_the_hospital(scene: Scene) -> None:
    scene.send(*Stay(1).whole())
    me = scene.partner.organization
    query = f"Task?owner=Organization/{me}&status=requested&_lastUpdated=gt2026-06-08T00:00:00Z&_include=Task:focus"
    found = scene.partner.search(query + "&_count=50")
    assert [one["resourceType"] for one in found] == ["Task", "ServiceRequest"]
    assert scene.sources()[0]["status"] == "requested"

    accepted = scene.partner.moved(found[0], "accepted")
    assert scene.source()["status"] == "accepted"
    working = scene.partner.moved(accepted, "in-progress")
    done = scene.partner.moved(working, "completed", OUTPUT)
    source = scene.source()
    assert (source["status"], source["output"]) == ("completed", done["output"])
    assert scene.request_of(source)["status"] == "completed"
    assert scene.partner.search(query) == []
    past = scene.hospital.fhir(f"Task/{source['id']}/_history")["entry"]
    statuses = [entry["resource"]["status"] for entry in past]
    assert [status for status, _ in itertools.groupby(statuses)] == [
        "completed",
        "in-progress",
        "accepted",
        "requested",
        "draft",
    ]


def test_the_same_loop_runs_over_mllp_while_the_partner_polls(scene: Scene) -> None:
    seen = []
    with scene.hub.mllp() as line:
        for message in Stay(2).whole():
            assert ack_code(line.send(message)) == "AA"
            seen.append(len(scene.partner.search("Task")))
    assert seen == [0, 0, 0, 0, 1]


def test_the_hospital_and_the_hub_see_a_child_that_is_only_the_partners(scene: Scene) -> None:
    scene.send(*Stay(3).whole())
    child, source = scene.child(), scene.source()
    assert child["owner"]["reference"] == f"Organization/{scene.partner.organization}"
    assert child["partOf"] == [{"reference": f"Task/{source['id']}"}]
    assert scene.partner.get(f"/fhir/R4/Task/{source['id']}").status_code == 404
    request = scene.partner.fhir(child["focus"]["reference"])
    assert (request["intent"], request["status"]) == ("filler-order", "active")
    assert request["basedOn"] == [source["focus"]]
    assert "groupIdentifier" not in child


# ---- a partner says no


def test_a_rejection_leaves_the_source_requested_and_asks_for_a_person(scene: Scene) -> None:
    scene.send(*Stay(4).whole())
    child = scene.child()
    without = scene.partner.set_status(child, "rejected")
    assert without.status_code == 400
    scene.partner.moved(child, "rejected", because("HTEST no free place"))
    source = scene.source()
    assert (source["status"], business_status(source)) == ("requested", ["needs-a-person"])
    assert scene.child()["status"] == "rejected"
    packet = scene.partner.beside_the_directory()
    assert {name for name, found in packet.items() if found} <= {"Task", "ServiceRequest", "Organization"}
    again = scene.partner.set_status(scene.child(), "accepted")
    assert again.status_code == 422


# ---- the hospital takes something back


def test_a_cancelled_discharge_before_acceptance_cancels_source_and_child(scene: Scene) -> None:
    stay = Stay(5)
    scene.send(*stay.whole(), stay.discharge_cancelled())
    source, child = scene.source(), scene.child()
    assert (source["status"], reason(source)) == ("cancelled", ["discharge-cancelled"])
    assert child["status"] == "cancelled"
    assert child["statusReason"]["text"]
    assert scene.request_of(source)["status"] == "revoked"
    assert scene.partner.search("Patient") == []
    assert scene.partner.set_status(child, "accepted").status_code == 422


@on_sqlite
def test_a_discharge_after_a_cancelled_one_opens_a_new_source_in_the_same_group(scene: Scene) -> None:
    stay = Stay(6)
    scene.send(*stay.whole(), stay.discharge_cancelled(), stay.discharge("20260608145000"))
    old, new = scene.sources()
    assert (old["status"], new["status"]) == ("cancelled", "requested")
    assert old["groupIdentifier"] == new["groupIdentifier"]
    assert [task["status"] for task in scene.partner.search("Task?_sort=_lastUpdated")] == ["cancelled", "requested"]
    assert len(scene.partner.search("Patient")) == 1


def test_a_cancelled_discharge_after_acceptance_marks_and_does_not_end(scene: Scene) -> None:
    stay = Stay(7)
    scene.send(*stay.whole())
    scene.partner.moved(scene.child(), "accepted")
    before = coverage(scene.source())
    scene.send(stay.discharge_cancelled())
    for task in (scene.source(), scene.child()):
        assert (task["status"], business_status(task)) == ("accepted", ["discharge-cancelled"])
    assert scene.request_of(scene.source())["status"] == "active"
    assert coverage(scene.source()) == before, "the coverage clock runs on"
    scene.send(stay.discharge("20260608145000"))
    for task in (scene.source(), scene.child()):
        assert (task["status"], business_status(task)) == ("accepted", [])
    assert len(scene.partner.search("Task")) == 1


@on_sqlite
def test_a_cancelled_visit_ends_what_nobody_accepted_and_marks_what_somebody_did(scene: Scene) -> None:
    early, late = Stay(8), Stay(9, family="HTESTBIRCH")
    scene.send(*early.whole(), early.visit_cancelled())
    assert (scene.source()["status"], reason(scene.source())) == ("cancelled", ["visit-cancelled"])
    assert scene.child()["status"] == "cancelled"
    scene.send(*late.whole())
    (child,) = scene.partner.search("Task?status=requested")
    scene.partner.moved(child, "accepted")
    scene.send(late.visit_cancelled())
    (source,) = [task for task in scene.sources() if task["status"] == "accepted"]
    assert business_status(source) == ["visit-cancelled"]
    (child,) = scene.partner.search("Task?status=accepted")
    assert business_status(child) == ["visit-cancelled"]


@on_sqlite
def test_a_withdrawn_order_ends_the_draft_and_nobody_hears_of_it(scene: Scene) -> None:
    stay = Stay(10, diagnosis="DG1|1||K35.80^Acute appendicitis^I10|||F")
    scene.send(stay.quiet_admit(), stay.order())
    assert scene.source()["status"] == "draft"
    scene.send(stay.order("CA", "20260606130000"), stay.discharge())
    assert (scene.source()["status"], reason(scene.source())) == ("cancelled", ["order-withdrawn"])
    assert scene.partner.search("Task") == []


@on_sqlite
def test_a_dose_charted_in_error_is_shown_to_nobody_any_more(scene: Scene) -> None:
    stay = Stay(11)
    scene.send(*stay.whole())
    (wrong,) = scene.partner.search("MedicationAdministration")
    scene.send(stay.dose(action="D", charted="094000"), stay.dose("084500", charted="094100"))
    for reader in (scene.hospital, scene.partner):
        (right,) = reader.search("MedicationAdministration")
        assert right["effectiveDateTime"] == "2026-06-08T08:45:00-04:00"
        assert reader.get(f"/fhir/R4/MedicationAdministration/{wrong['id']}").status_code == 404
    assert utc(coverage(scene.child())["coveredUntil"]) == utc("2026-06-12T08:45:00-04:00")
    scene.send(stay.dose(action="U", charted="095000"))
    assert len(scene.partner.search("MedicationAdministration")) == 2


# ---- facts that come late


def test_a_late_dispense_moves_the_cover_of_an_accepted_child(scene: Scene) -> None:
    stay = Stay(12)
    scene.send(stay.admit(), stay.order(), stay.dose(), stay.discharge())
    before = scene.partner.moved(scene.child(), "accepted")
    assert utc(coverage(before)["coveredUntil"]) == utc("2026-06-09T09:15:00-04:00")
    scene.send(stay.supply(3))
    after = scene.child()
    assert (after["status"], after["id"]) == ("accepted", before["id"])
    assert utc(coverage(after)["coveredUntil"]) == utc("2026-06-12T09:15:00-04:00")
    assert int(after["meta"]["versionId"]) > int(before["meta"]["versionId"])
    assert len(scene.partner.search("MedicationDispense")) == 1
    assert scene.states() == ["updated", "referral", "updated", "updated", "updated"]


@on_sqlite
def test_a_second_discharge_message_corrects_and_opens_nothing(scene: Scene) -> None:
    stay = Stay(13)
    scene.send(*stay.whole(), stay.discharge("20260608144500", code="07"))
    assert scene.source()["priority"] == scene.child()["priority"] == "stat"
    (encounter,) = scene.partner.search("Encounter")
    assert codes(encounter["hospitalization"]["dischargeDisposition"]) == ["aadvice"]


@on_sqlite
def test_a_drug_after_a_discharge_without_any_signal_opens_the_referral(scene: Scene) -> None:
    stay = Stay(14)
    scene.send(stay.quiet_admit(), stay.discharge(diagnosis=""))
    assert scene.states() == ["not-ours", "not-ours"]
    assert scene.sources() == []
    scene.send(stay.dose())
    assert scene.states() == ["not-ours", "not-ours", "referral"]
    assert scene.child()["status"] == "requested"
    (encounter,) = scene.partner.search("Encounter")
    assert encounter["period"]["end"] == "2026-06-08T14:10:00-04:00"


@on_sqlite
def test_the_same_bytes_again_change_nothing(scene: Scene) -> None:
    messages = Stay(15).whole()
    scene.send(*messages)
    before = (scene.hospital.everything(), scene.partner.everything())
    scene.send(*messages)
    assert (scene.hospital.everything(), scene.partner.everything()) == before
    assert scene.states()[5:] == ["duplicate"] * 5


# ---- any order gives the same referral


def _orders(count: int, wanted: int = 10) -> list[tuple[int, ...]]:
    """The given order and ``wanted`` others, always the same ones."""
    chance = random.Random(20260608)
    positions = list(range(count))
    others = [tuple(chance.sample(positions, count)) for _ in range(wanted)]
    return [tuple(positions), tuple(reversed(positions)), *others]


def _as_another_person(data: bytes, name: str, number: int) -> bytes:
    """The same story of somebody else: MRN, visit number, order numbers and control ids are new."""
    told = {
        "001": [b"HTEST10001", b"88000037", b"NG5001"],
        "004": [b"HTEST10004", b"NG5001", b"0001480"],
    }[name]
    for found in told:
        data = data.replace(found, found + b"%03d" % number)
    visit = data.split(b"PV1|")[1].split(b"\r")[0].split(b"|")[18]
    return data if name == "001" else data.replace(visit, b"%03d" % number + visit)


def _told(hospital: Caller, mrn: str) -> Resource:
    """What the referral of one person says, without ids and the hub's own times."""
    (patient,) = hospital.search(f"Patient?identifier={mrn}")
    about = f"patient=Patient/{patient['id']}"
    # A moment without any drug ends the draft; what a later fact opens is the referral.
    found = [task for task in hospital.search(f"Task?{about}") if task["status"] != "cancelled"]
    tasks = [without_hub_times(task) for task in found]
    doses = hospital.search(f"MedicationAdministration?{about}")
    supplies = hospital.search(f"MedicationDispense?{about}")
    (encounter,) = hospital.search(f"Encounter?{about}")
    return {
        "tasks": [(task["status"], task["priority"], task["extension"], task["restriction"]) for task in tasks],
        "doses": sorted((d["effectiveDateTime"], d["status"], json.dumps(d["dosage"])) for d in doses),
        "supplies": [(s["daysSupply"]["value"], s.get("dosageInstruction")) for s in supplies],
        "conditions": [codes(one["code"]) for one in hospital.search(f"Condition?{about}")],
        "stay": (encounter["status"], encounter["class"]["code"], encounter["period"], encounter["hospitalization"]),
        "plans": len(hospital.search(f"MedicationRequest?{about}")),
    }


@on_sqlite
@pytest.mark.parametrize(("name", "mrn"), [("001", "HTEST10001"), ("004", "HTEST10004")])
@pytest.mark.skipif(not VISITS.is_dir(), reason="the example visits (../shared/visits) are not here")
def test_any_order_of_the_messages_gives_the_same_referral(
    name: str, mrn: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder,) = VISITS.glob(f"{name}-*")
    files = [path.read_bytes() for path in sorted(folder.glob("*.hl7"))]
    sender = json.loads((VISITS / "senders" / "northgate" / "sender.json").read_text())
    partners = json.loads((VISITS / "partners.json").read_text())
    told: dict[tuple[int, ...], Resource] = {}
    with running(monkeypatch, tmp_path, database_url, senders=[sender], partners=partners, now=NOW) as hub:
        hospital = hub.caller("northgate")
        for number, order in enumerate(_orders(len(files))):
            for position in order:
                message = _as_another_person(files[position], name, number)
                assert ack_code(hub.post_hl7(hospital, message)) == "AA"
            told[order] = _told(hospital, f"{mrn}{number:03d}")
    first = told[tuple(range(len(files)))]
    assert {order: one for order, one in told.items() if one != first} == {}


# ---- needs, consent and route


@on_sqlite
def test_two_needs_of_one_event_are_two_sources_in_one_group(scene: Scene) -> None:
    needs = [{"kind": "moud-continuation"}, {"kind": "peer-support"}]
    status, entry = scene.event(needs=needs)
    assert (status, entry["state"]) == (201, "referral")
    first, second = scene.sources()
    assert first["groupIdentifier"] == second["groupIdentifier"]
    assert first["focus"] != second["focus"]
    assert scene.child()["partOf"] == [{"reference": f"Task/{_of_need(scene, 'moud-continuation')['id']}"}]
    peers = scene.hub.caller("HTEST Peers")
    (theirs,) = peers.search("Task")
    assert theirs["partOf"] == [{"reference": f"Task/{_of_need(scene, 'peer-support')['id']}"}]


@on_sqlite
def test_one_partner_learns_nothing_of_what_another_was_asked(scene: Scene) -> None:
    scene.event(needs=[{"kind": "moud-continuation"}, {"kind": "peer-support"}])
    peers = scene.hub.caller("HTEST Peers")
    for mine, other in ((scene.partner, peers), (peers, scene.partner)):
        (task,) = other.search("Task")
        hidden = [task["id"], task["focus"]["reference"], task["partOf"][0]["reference"]]
        read = json.dumps({k: v for k, v in mine.everything().items() if k != "Organization"})
        packet = json.dumps(mine.fhir(f"Task/{mine.search('Task')[0]['id']}/$packet"))
        assert [name for name in hidden if name in read or name in packet] == []


def _of_need(scene: Scene, kind: str) -> Resource:
    (found,) = [
        task
        for task in scene.sources()
        if kind in [code for category in scene.request_of(task)["category"] for code in codes(category)]
    ]
    return found


@on_sqlite
@pytest.mark.parametrize("unit", ["ACS", "9X"])
def test_a_unit_that_is_or_may_be_part_2_shows_nothing_without_consent(unit: str, scene: Scene) -> None:
    scene.send(*Stay(16, unit=unit).whole())
    assert scene.states()[-1] == "review"
    assert scene.source()["status"] == "draft"
    assert scene.request_of(scene.source())["status"] == "draft"
    for who in ("HTEST Harbor OTP", "HTEST Peers", "north"):
        seen = {name: found for name, found in scene.hub.caller(who).beside_the_directory().items() if found}
        assert list(seen) == ["Organization"], who
    reasons = {one["code"] for one in scene.hub.ledger()[-1]["reasons"]}
    assert "no-consent" in reasons


@on_sqlite
@pytest.mark.parametrize("unit", ["ACS", "9X"])
def test_a_consent_that_names_the_partner_lets_the_child_out(unit: str, scene: Scene) -> None:
    consents = [
        {"recipients": ["HTEST Harbor OTP"], "signed_at": "2026-06-05T10:00:00-04:00", "form": "urn:htest:form:1"}
    ]
    visit = {**event()["visit"], "unit": unit}
    assert scene.event(1, visit=visit)[1]["state"] == "review"
    assert scene.partner.search("Task") == []
    other = {**visit, "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "HTEST-V2"}]}
    elsewhere = [{"recipients": ["HTEST Peers"], "signed_at": "2026-06-05T10:00:00-04:00", "form": "urn:htest:form:1"}]
    assert scene.event(2, visit=other, consents=elsewhere)[1]["state"] == "review"
    assert scene.partner.search("Task") == []
    third = {**visit, "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "HTEST-V3"}]}
    status, entry = scene.event(3, visit=third, consents=consents)
    assert (status, entry["state"]) == (201, "referral")
    assert scene.child()["status"] == "requested"


@on_sqlite
def test_a_need_that_nobody_takes_stays_a_draft_in_review(scene: Scene) -> None:
    status, entry = scene.event(needs=[{"kind": "recovery-housing"}])
    assert (status, entry["state"]) == (202, "review")
    assert "no-route" in [one["code"] for one in entry["reasons"]]
    assert scene.source()["status"] == "draft"
    assert scene.partner.search("Task") == []


@on_sqlite
def test_replay_after_the_unit_was_cleared_sends_the_referral_out(scene: Scene) -> None:
    scene.send(*Stay(17, unit="9X").whole())
    (held,) = [entry for entry in scene.hub.ledger() if entry["state"] == "review"]
    cleared = scene.folder / "cleared.json"
    cleared.write_text(json.dumps({**MERCY, "units": {"4W": "not-part2", "9X": "not-part2"}}))
    command("sender", "add", "mercy", "--file", str(cleared))
    replayed = command("ledger", "replay", held["id"])
    assert replayed["state"] == "updated"
    assert scene.source()["status"] == "requested"
    assert scene.child()["status"] == "requested"
    assert len(scene.partner.search("Patient")) == 1
    assert scene.states() == ["updated", "referral", "updated", "updated", "updated"]
    command("ledger", "replay", held["id"])
    assert len(scene.partner.search("Task")) == 1, "twice is once"
