"""Who finds somebody else at the same thing waits for its end, and holds nothing meanwhile."""

import asyncio

import pytest

from app.core.turns import NotYet, Turns


async def work(turns: Turns, keys: list[str], done: list[list[str]]) -> None:
    """Take ``keys`` one after the other, as often as it needs."""
    while True:
        try:
            with turns.kept():
                for key in keys:
                    turns.take(key)
                    await asyncio.sleep(0)
                done.append(keys)
                return
        except NotYet as other:
            await other.turn.over()


async def test_two_that_take_the_same_in_another_order_both_come_to_their_end() -> None:
    turns, done = Turns(), list[list[str]]()
    orders = [["a", "b"], ["b", "a"]] * 8
    async with asyncio.timeout(5):
        await asyncio.gather(*(work(turns, keys, done) for keys in orders))
    assert sorted(done) == sorted(orders)


async def test_what_is_held_is_refused_to_others_only_and_given_back_after_a_failure() -> None:
    turns = Turns()

    async def other() -> None:
        with turns.kept():
            turns.take("a")

    async def failing() -> None:
        with turns.kept():
            turns.take("a")
            turns.take("a")
            with pytest.raises(NotYet):
                await asyncio.create_task(other())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    await asyncio.create_task(other())


async def test_who_would_not_give_it_back_takes_nothing() -> None:
    turns = Turns()
    turns.take("a")
    with turns.kept():
        turns.take("a")
