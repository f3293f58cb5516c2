"""What was disclosed stays as it was written, or ``db check`` says so."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.privacy import checks, seals
from app.store.changes import Changes, Decision, Disclosure, LedgerRow, ResourceChange
from app.store.seals import Seal, SealedRow, Seals


@pytest.fixture
def sealing(hub: Hub, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setattr(seals, "SEGMENT", 3)
    settings = hub.settings.model_copy(update={"key_file": tmp_path / "keys", "database_url": database_url})
    return replace(hub, settings=settings)


async def disclose(hub: Hub, count: int) -> None:
    for n in range(count):
        entry = Disclosure(uuid7(), "HTEST-org", "client", "TREAT", ((f"r{n}", 1, "full", None),))
        await hub.store.commit(Changes(disclosures=(entry,)))


async def decide(hub: Hub, count: int) -> None:
    for _ in range(count):
        made = Decision(
            id=uuid7(),
            at=1,
            referral="HTEST-request",
            task=None,
            patient="HTEST-patient",
            discloser="HTEST-mercy",
            recipient="HTEST-org",
            direction="to-recipient",
            purpose="TREAT",
            level="packet",
            basis="consent",
            consent="HTEST-consent",
            consent_version=1,
            redisclosure=None,
            notice=None,
            until=None,
            reasons="[]",
            cure="[]",
        )
        await hub.store.commit(Changes(decisions=(made,)))


async def seal_all(hub: Hub) -> list[int]:
    sealed = []
    while count := await seals.seal_due(hub):
        sealed.append(count)
    return sealed


async def change(hub: Hub, statement: str, *args: object) -> None:
    assert await hub.store.database.execute(statement, *args) > 0


def outside(hub: Hub) -> Path:
    return seals.outside_file(hub.settings.key_file)


async def test_disclosures_are_sealed_in_segments_and_told_outside(sealing: Hub) -> None:
    await disclose(sealing, 7)
    assert await seal_all(sealing) == [3, 3, 1]
    lines = [json.loads(line) for line in outside(sealing).read_text().splitlines()]
    assert [(line["segment"], line["rows"]) for line in lines] == [(1, 3), (2, 3), (3, 1)]
    assert outside(sealing).stat().st_mode & 0o777 == 0o600
    assert await seals.findings(sealing) == []
    assert await seals.seal_due(sealing) == 0


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "update disclosure set organization = 'other' where id = $1",
            "segment 1: a row was changed after it was sealed",
        ),
        ("update disclosure set at = at + 1 where id = $1", "segment 1: a row was changed after it was sealed"),
        ("update disclosure set entries = '[]' where id = $1", "segment 1: a row was changed after it was sealed"),
        ("delete from disclosure where id = $1", "segment 1: 3 rows were sealed, 2 are there"),
        ("update disclosure set segment = null where id = $1", "segment 1: 3 rows were sealed, 2 are there"),
        ("update disclosure set segment = 2 where id = $1", "segment 1: 3 rows were sealed, 2 are there"),
        ("update disclosure set segment = 9 where id = $1", "1 rows claim a segment that is not sealed"),
        (
            (
                "insert into disclosure (id, at, organization, client, purpose, entries, segment) "
                "select $1 || 'x', at, organization, client, purpose, entries, 1 from disclosure where id = $1"
            ),
            "segment 1: 3 rows were sealed, 4 are there",
        ),
    ],
)
async def test_a_sealed_row_that_is_edited_removed_or_added_is_found(
    sealing: Hub, statement: str, finding: str
) -> None:
    await disclose(sealing, 6)
    await seal_all(sealing)
    first = (await sealing.store.database.fetch("select min(id) from disclosure"))[0][0]
    await change(sealing, statement, first)
    assert finding in await seals.findings(sealing)


@pytest.mark.parametrize("column", ["recipient", "basis", "consent", "level", "reasons"])
async def test_a_decision_that_is_changed_after_it_was_sealed_is_found(sealing: Hub, column: str) -> None:
    await disclose(sealing, 2)
    await decide(sealing, 2)
    assert await seal_all(sealing) == [3, 1]
    assert await seals.findings(sealing) == []
    first = (await sealing.store.database.fetch("select min(id) from decision"))[0][0]
    await change(sealing, f"update decision set {column} = 'other' where id = $1", first)
    assert await seals.findings(sealing) == ["segment 1: a row was changed after it was sealed"]


async def test_a_decision_that_is_taken_out_or_put_in_is_found(sealing: Hub) -> None:
    await decide(sealing, 2)
    await seal_all(sealing)
    await change(sealing, "update decision set segment = 9 where id = (select max(id) from decision)")
    assert await seals.findings(sealing) == [
        "segment 1: 2 rows were sealed, 1 are there",
        "1 rows claim a segment that is not sealed",
    ]


async def test_a_user_that_is_written_into_a_sealed_disclosure_is_found(sealing: Hub) -> None:
    await disclose(sealing, 3)
    await seal_all(sealing)
    await change(sealing, "update disclosure set user_id = 'HTEST-other' where id = (select min(id) from disclosure)")
    assert await seals.findings(sealing) == ["segment 1: a row was changed after it was sealed"]


async def test_a_row_and_its_seals_rewritten_together_are_found_by_the_file_outside(sealing: Hub) -> None:
    await disclose(sealing, 3)
    await seal_all(sealing)
    await change(sealing, "update disclosure set purpose = 'HOPERAT', segment = null")
    await change(sealing, "delete from seal")
    known = outside(sealing).read_text()
    assert await seal_all(sealing) == [3]
    assert outside(sealing).read_text() == known
    assert await seals.findings(sealing) == ["segment 1: its seal is not the one of the file outside the database"]


async def test_the_last_segment_taken_out_whole_is_found(sealing: Hub) -> None:
    await disclose(sealing, 6)
    await seal_all(sealing)
    await change(sealing, "delete from disclosure where segment = 2")
    await change(sealing, "delete from seal where segment = 2")
    assert await seals.findings(sealing) == ["segment 2: sealed outside the database, but not in it"]


async def test_a_seal_in_the_middle_that_is_missing_is_found(sealing: Hub) -> None:
    await disclose(sealing, 9)
    await seal_all(sealing)
    await change(sealing, "delete from seal where segment = 2")
    found = await seals.findings(sealing)
    assert "segment 2: its seal is missing" in found
    assert "segment 3: the chain of seals is broken" in found


async def test_a_line_that_a_crash_kept_back_or_cut_off_is_written_again(sealing: Hub) -> None:
    await disclose(sealing, 6)
    await seal_all(sealing)
    whole = outside(sealing).read_text()
    outside(sealing).write_text(whole[:-40])
    assert "segment 2: has no line in the file outside the database" in await seals.findings(sealing)
    await disclose(sealing, 1)
    await seal_all(sealing)
    assert await seals.findings(sealing) == []


async def test_two_sealers_at_once_seal_each_row_once(sealing: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    await disclose(sealing, 3)
    write = Seals.write

    async def twice(self: Seals, seal: Seal, rows: list[SealedRow]) -> None:
        await write(self, seal, rows)
        await write(self, seal, rows)

    monkeypatch.setattr(Seals, "write", twice)
    assert await seals.seal_due(sealing) == 0
    monkeypatch.undo()
    assert await seals.seal_due(sealing) == 0
    assert await seals.findings(sealing) == []


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.data())
def test_no_other_list_of_rows_has_the_same_root(leaves: list[bytes], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.sampled_from([*leaves, b"", b"x"]), max_size=20))
    assert (seals.merkle_root(leaves) == seals.merkle_root(other)) == (leaves == other)


def test_the_root_is_the_one_of_certificate_transparency() -> None:
    def leaf(data: bytes) -> bytes:
        return hashlib.sha256(b"\x00" + data).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    a, b, c = leaf(b"a"), leaf(b"b"), leaf(b"c")
    assert seals.merkle_root([b"a", b"b", b"c"]) == node(node(a, b), c)


async def test_a_sound_database_passes_the_check(sealing: Hub) -> None:
    await disclose(sealing, 2)
    await seal_all(sealing)
    await sealing.store.commit(
        Changes(
            resources=(ResourceChange("t1", "Task", 1, b"}}"),),
            ledger=(LedgerRow("l1", "s", "c", "ADT^A01", 1, "not-ours", "[]"),),
        )
    )
    found = await checks.check(sealing)
    assert [one for one in found if not one.ok] == []
    assert {one.what for one in found} == {"schema", "fence", "seals", "ledger", "reviews", "changes"}
    assert "ok    ledger   1 messages: not-ours 1" in checks.report(found)


@pytest.mark.parametrize(
    ("statement", "what", "text"),
    [
        ("update ledger set state = 'lost'", "ledger", "1 messages are in a state that there is not"),
        ("update ledger set state = 'review'", "ledger", "1 messages have lost their content"),
        ("delete from ledger", "ledger", "1 receipts belong to no message"),
        ("delete from change where seq = 1", "changes", "1 numbers are missing"),
        ("update change set last_updated = 0 where seq = 2", "changes", "1 changes are not later than the one before"),
        ("update head set seq = 9", "changes", "1 counter does not stand at the last change"),
        ("update resource set version = 7 where id = 't1'", "changes", "1 resources are not at their last change"),
        ("drop table sender_silence", "schema", "sender_silence"),
    ],
)
async def test_what_does_not_add_up_is_found(sealing: Hub, statement: str, what: str, text: str) -> None:
    row = LedgerRow("l1", "s", "c", "ADT^A01", 1, "not-ours", "[]")
    await sealing.store.commit(
        Changes(
            resources=tuple(ResourceChange(f"t{n}", "Task", 1, b"}}") for n in (1, 2)),
            ledger=(row,),
        )
    )
    await sealing.store.database.execute("insert into receipt (scope, key, mac, ledger) values ('s', 'c', 'm', 'l1')")
    await sealing.store.database.execute(statement)
    found = [one for one in await checks.check(sealing) if not one.ok]
    assert [(one.what, text in one.text) for one in found if text in one.text] == [(what, True)]
