"""What the benchmark sends is what it says it measures, and its ceiling writes what the hub wrote."""

import json

import pytest

from app.core.actor import Actor
from app.core.errors import BadRequest
from app.services.bench import bench, bench_messages
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.writes.bundle_entries import entries_of
from app.services.writes.resource_writes import ResourceWrites
from app.services.writes.transactions import Transaction
from app.services.writing import decoded
from app.store.queries import ColumnIn, ColumnMissing, Query
from schemas.sender import Sender
from tests.bench import ceilings, transactions
from tests.bench.ceilings import Table
from tests.bench.report import Report

RUN = "0a1b2c3d"
SYSTEM = Actor.system("bench")


async def sent(hub: Hub, message: bytes) -> str:
    senders: list[Sender] = list((await hub.registry.current()).senders.values())
    outcome = await Intake(hub).receive_hl7(message, senders)
    assert outcome.ack is not None
    assert b"MSA|AA" in outcome.ack
    return outcome.decision.state


async def test_a_dispense_and_a_discharge_give_one_referral_that_its_partner_has(hub: Hub) -> None:
    founded = await bench.found(hub)
    assert await sent(hub, bench_messages.dispense(RUN, 1)) == "referral"
    assert await sent(hub, bench_messages.discharge(RUN, 1)) == "updated"
    offered = Query("Task", (ColumnIn("status", ("requested",)), ColumnMissing("part_of", missing=False)))
    children = await hub.store.reader(SYSTEM).search(offered)
    assert len(children) == 1
    assert founded.partner.encode() in children[0].content


async def test_unrelated_messages_are_not_ours_and_each_is_about_somebody_else(hub: Hub) -> None:
    await bench.found(hub)
    states = [await sent(hub, bench_messages.unrelated(RUN, number)) for number in range(6)]
    assert states == ["not-ours"] * 6
    assert await sent(hub, bench_messages.unrelated(RUN, 7, "T")) == "not-ours"


async def test_a_transaction_makes_eight_procedures_and_no_identifier_comes_twice(hub: Hub) -> None:
    founded = await bench.found(hub)
    for message in (bench_messages.dispense, bench_messages.discharge):
        await sent(hub, message(RUN, 1))
    actor = Actor(founded.partner, "bench", frozenset({"system/*.cruds"}))
    (patient,) = await hub.store.reader(actor).search(Query("Patient"))
    caller = transactions.Caller("HTEST-token", founded.partner, patient.id)
    writes = ResourceWrites(hub, Intake(hub), Disclosures(hub.store), Feed(hub.store))
    for number in range(2):
        bundle = json.loads(caller.asking(RUN, number).partition(b"\r\n\r\n")[2])
        done = await Transaction(hub, writes, actor, entries_of(bundle)).run()
        assert [(one.status, one.type) for one in done.values()] == [(201, "Procedure")] * transactions.SIZE
    made = await hub.store.reader(actor).search(Query("Procedure"))
    identifiers = {decoded(row)["identifier"][0]["value"] for row in made}
    assert len(identifiers) == 2 * transactions.SIZE


def test_an_address_without_a_token_is_refused_before_anything_is_measured() -> None:
    with pytest.raises(BadRequest):
        bench.run("http://127.0.0.1:1", None, seconds=1)


def test_a_ratio_is_taken_from_medians_and_says_what_each_side_cost() -> None:
    report = Report()
    for rate, cost in ((100.0, 30.0), (200.0, 20.0), (900.0, 10.0)):
        report.add("own", {"per_second": rate, "cpu_us": cost})
        report.add("ceiling", {"per_second": 2 * rate, "cpu_us": cost / 4})
    report.compare("own", "ceiling", goal=0.4)
    assert report.ratios["own"] == {"rate": 0.5, "cpu": 0.25, "goal": 0.4}
    assert "0.50" in report.table()


def test_a_run_with_a_wrong_answer_says_so() -> None:
    report = Report()
    report.add("own", {"per_second": 1.0, "failed": 2.0})
    report.failures(["own"])
    assert report.faults == ["own: 2 answers were not what was asked for"]


# ---- the ceiling

ORGANISATION = "01890000-0000-7000-8000-000000000001"
FIRST = "01890000-0000-7000-8000-00000000000a"
VISIT = Table(
    "visit", (("id", "text"), ("organization", "text"), ("version", "integer"), ("content", "bytea")), ("id",)
)
CHANGE = Table(
    "change",
    (("seq", "bigint"), ("type", "text"), ("id", "text"), ("version", "integer"), ("last_updated", "bigint")),
    ("seq",),
)
PARTY = Table("party", (("organization", "text"),), ("organization",))
TABLES = (CHANGE, PARTY, VISIT)


def states() -> list[ceilings.Snapshot]:
    """Nothing but an organisation; then a new visit; then its second version with a change row."""
    known = {(ORGANISATION,): (ORGANISATION,)}
    return [
        {"party": known, "visit": {}, "change": {}},
        {"party": known, "visit": {(FIRST,): (FIRST, ORGANISATION, 1, b"one")}, "change": {}},
        {
            "party": known,
            "visit": {(FIRST,): (FIRST, ORGANISATION, 2, b"two")},
            "change": {(7,): (7, "Task", FIRST, 1, 99)},
        },
    ]


def test_the_ceiling_writes_what_was_new_and_what_was_changed_one_transaction_each() -> None:
    first, second = ceilings.sample(TABLES, states(), RUN).stages
    assert [(w.table, w.kind, w.rows) for w in first] == [("visit", "insert", 1)]
    assert [(w.table, w.kind, w.rows) for w in second] == [("visit", "update", 1), ("change", "insert", 1)]
    assert first[0].columns[3] == [b"one"]
    assert second[0].columns[3] == [b"two"]


def test_each_copy_has_ids_of_its_own_that_agree_with_each_other_and_keeps_organisations() -> None:
    one, other = ceilings.copies(ceilings.sample(TABLES, states(), RUN), 2)
    (_, inserted), (_, updated), (lock, stamped) = one[0][0], one[1][0], one[1][1]
    assert inserted[0] == updated[0] == stamped[2]
    assert inserted[0] not in {FIRST, other[0][0][1][0]}
    assert len(inserted[0]) == len(FIRST)
    assert inserted[1] == ORGANISATION
    assert "update head set seq = seq + 1" in lock
