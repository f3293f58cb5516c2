"""However an acceptance comes, spoken or written, for whom and how often: a referral has one owner."""

import asyncio
from collections.abc import Awaitable
from random import Random
from typing import Any

import httpx
import pytest

from tests.contract.fhir_callers import Caller, Resource, discharge
from tests.contract.phone_talks import Talkers, mark, spoken, talkers

__all__ = ["talkers"]

ROUNDS, PARTNERS = 12, 3
TAKEN = frozenset({"accepted", "in-progress", "on-hold", "completed"})


async def after_a_while(random: Random, work: Awaitable[httpx.Response]) -> httpx.Response:
    await asyncio.sleep(random.random() * 0.02)
    return await work


async def one_round(talkers: Talkers, random: Random, number: int, others: list[Caller]) -> None:
    await discharge(talkers.world, talkers.web, number)
    (first,) = await talkers.harbor.search("Task?status=requested")
    source = first["partOf"][0]["reference"].rpartition("/")[2]
    held: list[tuple[Caller, str]] = [(talkers.harbor, first["id"])]
    held += [(one, await talkers.ask_too(first, one.organization)) for one in others]
    attempts: list[Awaitable[httpx.Response]] = []
    for who, task in held:
        attempts += [who.set_status({"id": task}, "accepted") for _ in range(random.randint(1, 2))]
        if random.random() < 0.7:
            body = spoken("accepted", partner=who.organization)
            attempts += [talkers.record(body, task=source) for _ in range(random.randint(1, 2))]
        if random.random() < 0.2:
            body = spoken("rejected", partner=who.organization, reason="no-capacity")
            attempts.append(talkers.record(body, task=source))
    random.shuffle(attempts)
    answers = await asyncio.gather(*(after_a_while(random, one) for one in attempts))
    assert {one.status_code for one in answers} <= {200, 409, 422}, [one.text for one in answers]
    children = [await who.read(f"Task/{task}") for who, task in held]
    _one_owner(await talkers.mercy.read(f"Task/{source}"), children)


def _one_owner(source: Resource, children: list[Resource]) -> None:
    owners = [child for child in children if child["status"] in TAKEN]
    lost = [child for child in children if child not in owners]
    assert len(owners) <= 1, [child["status"] for child in children]
    assert {child["status"] for child in lost} <= {"cancelled", "rejected"}
    if owners:
        assert source["status"] == owners[0]["status"]
        assert mark(source) == mark(owners[0])
    assert {mark(child) for child in lost if child["status"] == "cancelled"} <= {None}


@pytest.mark.parametrize("seed", range(2))
async def test_spoken_and_written_acceptances_at_once_make_one_owner(talkers: Talkers, seed: int) -> None:
    random = Random(seed)
    others = [await talkers.partner(f"HTEST OTP {number}") for number in range(PARTNERS)]
    await talkers.record(spoken("accepted"))
    for number in range(ROUNDS):
        await one_round(talkers, random, 100 + number, others)


def test_what_is_checked_would_find_two_owners() -> None:
    one: dict[str, Any] = {"status": "accepted", "meta": {}}
    with pytest.raises(AssertionError):
        _one_owner(one, [one, {**one, "id": "b"}])
