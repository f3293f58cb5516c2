"""Visits that turn out to be one, persons that are merged, visits that were somebody else's: on both databases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.core.actor import Actor
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import Inbound
from app.services.privacy import checks
from app.services.writing import decoded
from app.store.checks import Checks
from app.store.queries import Query
from tests.hub_fixtures import World, patched

HUB = Actor.system("test")
DOSE = (
    "ORC|RE|{order}^MERCYORD||||||||||1999990017^HTESTDOC^ANNA\r"
    "RXA|0|1|{at}|{at}|1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM|8|mg|FILM||1^HTESTNURSE^IVY"
    "||||||||||CP|A"
)
OUD = "DG1|1||F11.20^Opioid dependence, uncomplicated^I10|||F"


@dataclass
class Ward:
    """Sends messages of one hospital and looks at what came of them."""

    world: World
    sent: int = field(default=0)

    async def send(
        self,
        type_: str,
        at: str,
        *segments: str,
        mrn: str = "HTEST1",
        number: str = "",
        pv1: str = "",
        name: str = "HTESTALDER",
    ) -> str:
        """One message; its ledger id. ``pv1`` = class^unit^admitted^disposition^left."""
        self.sent += 1
        code, _, trigger = type_.partition("^")
        header = rf"MSH|^~\&|EPIC|MERCY|HUB|HUB|{at}||{type_}|HTEST{self.sent}|P|2.5.1||||||UNICODE UTF-8"
        lines = [header, *([f"EVN|{trigger}|{at}"] if code == "ADT" else [])]
        lines.append(f"PID|1||{mrn}^^^MERCY^MR||{name}^Robin||19800101|F|||||212-555-0101")
        if pv1 or number:
            class_, unit, admitted, disposition, left = (pv1.split("^") + [""] * 5)[:5]
            visit = f"{number}^^^MERCY^VN" if number else ""
            fields = {2: class_, 3: unit, 19: visit, 36: disposition, 44: admitted, 45: left}
            lines.append("PV1|1|" + "|".join(fields.get(n, "") for n in range(2, 46)))
        data = "\r".join([*lines, *segments]).encode() + b"\r"
        senders = tuple((await self.world.hub.registry.current()).senders.values())
        intake = Intake(self.world.hub)
        outcome = await intake.receive(Inbound(data, senders, self.world.hub.clock.now_us()))
        assert outcome.decision.code == "AA", outcome.decision
        return outcome.reading.ledger

    async def state(self, ledger: str) -> str:
        entry = await self.world.hub.store.intake(HUB).entry(ledger)
        assert entry is not None
        return entry.state

    async def seen(self, type_: str, organization: str | None = None) -> list[dict[str, Any]]:
        """Resources of a type that the hospital, or ``organization``, can see."""
        actor = Actor(organization or self.world.mercy, "c", frozenset({"system/*.rs"}))
        return [decoded(row) for row in await self.world.hub.store.reader(actor).search(Query(type_))]

    async def sources(self) -> list[dict[str, Any]]:
        return [task for task in await self.seen("Task") if "partOf" not in task]

    async def statuses(self) -> list[str]:
        return sorted(task["status"] for task in await self.sources())

    async def visits(self) -> int:
        rows = await self.world.hub.store.database.fetch("select count(*) from visit")
        return int(rows[0][0])

    async def sound(self) -> None:
        """Ledger, reviews and changes add up."""
        from_check = [one for one in await _figures(self.world) if not one.ok]
        assert from_check == []


async def _figures(world: World) -> Sequence[checks.Finding]:
    figures = Checks(world.hub.store.database)
    return [
        *checks._ledger(await figures.ledger()),
        *checks._reviews(await figures.reviews()),
        *checks._changes(await figures.changes()),
    ]


@pytest.fixture
def ward(world: World) -> Ward:
    return Ward(world)


ED = "E^ED^20260712200000"
ED_LEFT = "E^ED^20260712200000^01^20260712230000"
WARD = "I^4W^20260712235000"


def dose(order: str, at: str) -> str:
    return DOSE.format(order=order, at=at)


async def test_an_emergency_discharge_that_asked_a_partner_is_taken_back_by_the_admission(ward: Ward) -> None:
    await ward.send("ADT^A04", "20260712200400", number="E1", pv1=ED)
    await ward.send("RAS^O17", "20260712214500", dose("1", "20260712214000"), number="E1", pv1=ED)
    await ward.send("ADT^A03", "20260712230500", OUD, number="E1", pv1=ED_LEFT)
    assert await ward.statuses() == ["requested"]
    admitted = await ward.send("ADT^A01", "20260712235200", number="I1", pv1=WARD)
    assert await ward.statuses() == ["cancelled"]
    assert await ward.state(admitted) == "updated"
    (child,) = [task for task in await ward.seen("Task", ward.world.harbor) if "partOf" in task]
    assert child["status"] == "cancelled"
    assert child["statusReason"]["coding"][0]["code"] == "admitted"
    await ward.send("RAS^O17", "20260714090500", dose("2", "20260714090000"), number="I1", pv1=WARD)
    await ward.send("ADT^A03", "20260714131000", number="I1", pv1=f"{WARD}^01^20260714130000")
    assert await ward.statuses() == ["cancelled", "requested"]
    assert await ward.visits() == 1
    await ward.sound()


async def test_an_accepted_emergency_referral_stands_and_says_that_the_person_was_admitted(ward: Ward) -> None:
    await ward.send("ADT^A04", "20260712200400", number="E1", pv1=ED)
    await ward.send("RAS^O17", "20260712214500", dose("1", "20260712214000"), number="E1", pv1=ED)
    await ward.send("ADT^A03", "20260712230500", OUD, number="E1", pv1=ED_LEFT)
    (child,) = [task for task in await ward.seen("Task", ward.world.harbor) if "partOf" in task]
    await _accept(ward, child["id"])
    await ward.send("ADT^A01", "20260712235200", number="I1", pv1=WARD)
    (source,) = await ward.sources()
    assert source["status"] == "accepted"
    assert source["businessStatus"]["coding"][0]["code"] == "admitted"
    await ward.send("ADT^A03", "20260714131000", number="I1", pv1=f"{WARD}^01^20260714130000")
    (source,) = await ward.sources()
    assert source["status"] == "accepted"
    assert "businessStatus" not in source


async def _accept(ward: Ward, task: str) -> None:
    hub = ward.world.hub
    partner = Actor(ward.world.harbor, "c", frozenset({"system/Task.rus"}))
    operations = [{"op": "replace", "path": "/status", "value": "accepted"}]
    await patched(hub, partner, task, operations)


async def test_two_visits_with_a_draft_each_become_one_with_one_referral(ward: Ward) -> None:
    inpatient = await ward.send("RAS^O17", "20260713090500", dose("2", "20260713090000"), number="I1", pv1=WARD)
    await ward.send("ADT^A01", "20260712235200", number="I1", pv1=WARD)
    emergency = await ward.send("RAS^O17", "20260712214500", dose("1", "20260712214000"), number="E1", pv1=ED)
    assert await ward.statuses() == ["draft", "draft"]
    closing = await ward.send("ADT^A03", "20260712230500", OUD, number="E1", pv1=ED_LEFT)
    assert await ward.statuses() == ["draft"]
    assert await ward.visits() == 1
    assert sorted([await ward.state(one) for one in (inpatient, emergency, closing)]) == [
        "referral",
        "updated",
        "updated",
    ]
    assert len(await ward.seen("MedicationAdministration")) == 2
    assert len(await ward.seen("Encounter")) == len(await ward.seen("Patient")) == 1
    late = await ward.send("RAS^O17", "20260712220500", dose("3", "20260712220000"), number="E1", pv1=ED)
    assert await ward.state(late) == "updated"
    assert len(await ward.seen("MedicationAdministration")) == 3
    await ward.sound()


async def test_an_outpatient_who_becomes_an_inpatient_stays_in_one_visit_under_a_new_number(ward: Ward) -> None:
    await ward.send("ADT^A04", "20260712200400", number="E1", pv1=ED)
    await ward.send("RAS^O17", "20260712214500", dose("1", "20260712214000"), number="E1", pv1=ED)
    changed = await ward.send("ADT^A06", "20260712235200", number="I1", pv1=WARD)
    assert await ward.state(changed) == "updated"
    await ward.send("ADT^A03", "20260714131000", OUD, number="I1", pv1=f"{WARD}^01^20260714130000")
    assert await ward.statuses() == ["requested"]
    assert await ward.visits() == 1
    late = await ward.send("RAS^O17", "20260712220500", dose("3", "20260712220000"), number="E1", pv1=ED)
    assert await ward.state(late) == "updated"


async def test_an_admission_of_somebody_else_or_much_later_is_a_visit_of_its_own(ward: Ward) -> None:
    await ward.send("ADT^A04", "20260712200400", number="E1", pv1=ED)
    await ward.send("RAS^O17", "20260712214500", dose("1", "20260712214000"), number="E1", pv1=ED)
    await ward.send("ADT^A03", "20260712230500", OUD, number="E1", pv1=ED_LEFT)
    await ward.send("ADT^A01", "20260712235200", mrn="HTEST9", number="I9", pv1=WARD)
    await ward.send("ADT^A01", "20260713031000", number="I1", pv1="I^4W^20260713030500")
    assert await ward.statuses() == ["requested"]
    assert await ward.visits() == 3


async def test_a_merge_of_persons_changes_every_visit_of_both(ward: Ward) -> None:
    await ward.send("ADT^A01", "20260606100000", mrn="HTEST2", number="V1", pv1="I^4W^20260606100000")
    await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), mrn="HTEST2", number="V1")
    await ward.send("ADT^A01", "20260607100000", mrn="HTEST1", number="V2", pv1="I^4W^20260607100000")
    merging = await ward.send("ADT^A40", "20260608100000", "MRG|HTEST2^^^MERCY^MR", mrn="HTEST1")
    assert await ward.state(merging) == "updated"
    (patient,) = await ward.seen("Patient")
    assert patient["identifier"][0]["value"] == "HTEST1"
    # Without a visit number, and under either record number: only one visit was open on the sixth.
    late = await ward.send("RAS^O17", "20260606120000", dose("2", "20260606120000"), mrn="HTEST1")
    assert await ward.state(late) == "updated"
    await ward.sound()


async def test_a_merge_that_names_one_visit_leaves_the_others_their_numbers(ward: Ward) -> None:
    await ward.send("ADT^A01", "20260606100000", mrn="HTEST2", number="V1", pv1="I^4W^20260606100000")
    await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), mrn="HTEST2", number="V1")
    await ward.send("ADT^A01", "20260607100000", mrn="HTEST1", number="V2", pv1="I^7E^20260607100000")
    await ward.send(
        "ADT^A40", "20260608100000", "MRG|HTEST2^^^MERCY^MR", mrn="HTEST1", number="V2", pv1="I^7E^20260607100000"
    )
    (encounter,) = await ward.seen("Encounter")
    assert [one["value"] for one in encounter["identifier"]] == ["V1"]
    assert encounter["period"]["start"].startswith("2026-06-06T10")
    assert await ward.visits() == 2
    await ward.sound()


async def test_several_merges_in_one_message_all_count(ward: Ward) -> None:
    for mrn, number in (("HTEST2", "V1"), ("HTEST4", "V2")):
        await ward.send("ADT^A01", "20260606100000", mrn=mrn, number=number, pv1="I^4W^20260606100000")
        await ward.send("RAS^O17", "20260606110000", dose(number, "20260606110000"), mrn=mrn, number=number)
    second = "PID|2||HTEST3^^^MERCY^MR||HTESTBIRCH^Kim||19810101|M"
    merging = await ward.send(
        "ADT^A40", "20260608100000", "MRG|HTEST2^^^MERCY^MR", second, "MRG|HTEST4^^^MERCY^MR", mrn="HTEST1"
    )
    assert await ward.state(merging) == "updated"
    patients = await ward.seen("Patient")
    assert sorted(patient["identifier"][0]["value"] for patient in patients) == ["HTEST1", "HTEST3"]
    assert sorted(patient["name"][0]["family"] for patient in patients) == ["HTESTALDER", "HTESTBIRCH"]
    await ward.sound()


async def test_a_message_that_waited_under_the_old_number_finds_its_visit_after_the_merge(ward: Ward) -> None:
    waits = await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), mrn="HTEST2")
    assert await ward.state(waits) == "waiting"
    await ward.send("ADT^A01", "20260606100000", mrn="HTEST1", number="V1", pv1="I^4W^20260606100000")
    await ward.send("ADT^A40", "20260608100000", "MRG|HTEST2^^^MERCY^MR", mrn="HTEST1")
    assert await ward.state(waits) in {"updated", "referral"}
    assert await ward.statuses() == ["draft"]
    await ward.sound()


async def test_two_accounts_that_are_merged_are_one_visit(ward: Ward) -> None:
    await ward.send("ADT^A01", "20260606100000", number="V1", pv1="I^4W^20260606100000")
    await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), number="V1")
    await ward.send("RAS^O17", "20260607110000", dose("2", "20260607110000"), number="V2")
    assert await ward.statuses() == ["draft", "draft"]
    await ward.send("ADT^A42", "20260608100000", "MRG|HTEST1^^^MERCY^MR||||V1^^^MERCY^VN", number="V2", pv1="I^4W")
    assert await ward.statuses() == ["draft"]
    assert await ward.visits() == 1
    await ward.send("ADT^A03", "20260609100000", OUD, number="V2", pv1="I^4W^^01^20260609095500")
    assert await ward.statuses() == ["requested"]
    assert len(await ward.seen("MedicationAdministration", ward.world.harbor)) == 2
    (encounter,) = await ward.seen("Encounter")
    assert [one["value"] for one in encounter["identifier"]] == ["V2"]
    late = await ward.send("RAS^O17", "20260607120000", dose("3", "20260607120000"), number="V1")
    assert await ward.state(late) == "updated"
    await ward.sound()


async def test_a_visit_that_was_another_persons_is_told_of_the_right_one_only(ward: Ward) -> None:
    await ward.send(
        "ADT^A01", "20260606100000", mrn="HTEST2", number="V1", pv1="I^4W^20260606100000", name="HTESTBIRCH"
    )
    await ward.send(
        "RAS^O17", "20260606110000", dose("1", "20260606110000"), mrn="HTEST2", number="V1", name="HTESTBIRCH"
    )
    moved = await ward.send(
        "ADT^A45", "20260607100000", "MRG|HTEST2^^^MERCY^MR||||V1^^^MERCY^VN", mrn="HTEST1", number="V1", pv1="I^4W"
    )
    assert await ward.state(moved) == "updated"
    (patient,) = await ward.seen("Patient")
    assert patient["name"][0]["family"] == "HTESTALDER"
    assert [one["value"] for one in patient["identifier"]] == ["HTEST1"]
    other = await ward.send("RAS^O17", "20260607120000", dose("2", "20260607120000"), mrn="HTEST2", name="HTESTBIRCH")
    assert await ward.state(other) == "waiting"
    mine = await ward.send("RAS^O17", "20260607130000", dose("3", "20260607130000"), mrn="HTEST1")
    assert await ward.state(mine) == "updated"


async def test_what_is_said_of_a_person_reaches_the_visit_that_is_open(ward: Ward) -> None:
    await ward.send("ADT^A01", "20260606100000", number="V1", pv1="I^4W^20260606100000")
    await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), number="V1")
    told = await ward.send("ADT^A31", "20260607100000", name="HTESTCEDAR")
    assert await ward.state(told) == "updated"
    (patient,) = await ward.seen("Patient")
    assert patient["name"][0]["family"] == "HTESTCEDAR"


async def test_an_unlinked_person_with_a_referral_is_for_a_human(ward: Ward) -> None:
    await ward.send("ADT^A01", "20260606100000", number="V1", pv1="I^4W^20260606100000")
    await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), number="V1")
    unlinked = await ward.send("ADT^A37", "20260607100000")
    assert await ward.state(unlinked) == "review"
    assert await ward.statuses() == ["draft"]
    stranger = await ward.send("ADT^A37", "20260607100000", mrn="HTEST9")
    assert await ward.state(stranger) == "not-ours"


async def test_a_referral_asked_for_by_name_is_sent_while_the_person_is_in_the_bed(ward: Ward) -> None:
    await ward.send("ADT^A01", "20260606100000", OUD, number="V1", pv1="I^4W^20260606100000")
    await ward.send("RAS^O17", "20260606110000", dose("1", "20260606110000"), number="V1")
    await ward.send("REF^I12", "20260607100000", "RF1|A|R", number="V1")
    assert await ward.statuses() == ["requested"]
    await ward.send("REF^I14", "20260607110000", "RF1|A|R", number="V1")
    assert await ward.statuses() == ["cancelled"]
    await ward.send("ADT^A03", "20260609100000", number="V1", pv1="I^4W^^01^20260609095500")
    assert await ward.statuses() == ["cancelled", "requested"]


async def test_a_message_that_names_one_new_visit_twice_opens_it_once(ward: Ward) -> None:
    again = ["PID|2||HTEST1^^^MERCY^MR||HTESTALDER^Robin||19800101|F", "PV1|2|I|4W" + "|" * 16 + "V1^^^MERCY^VN"]
    result = "OBX|1|ST|8302-2^Body height^LN||170||||||F"
    await ward.send("ORU^R01", "20260606100000", result, *again, result, number="V1", pv1="I^4W^20260606100000")
    assert await ward.visits() == 1
    await ward.sound()
