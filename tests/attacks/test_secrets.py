"""Secrets at rest and where they are compared (35)."""

import hmac

import pytest

from app.core import crypto
from app.services.clients import accounts
from tests.hub_fixtures import World


async def test_35_neither_a_secret_nor_a_token_stands_in_the_database(world: World) -> None:
    made = await world.client(world.mercy, "ingest")
    assert made.client_secret is not None
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, None)
    tables = ("client", "credential", "token", "assertion")
    held = [str([*row]) for table in tables for row in await world.hub.store.database.fetch(f"select * from {table}")]
    assert any(made.client_id in row for row in held)
    assert [row for row in held if made.client_secret in row or issued.token in row] == []


async def test_35_a_secret_is_compared_in_constant_time_also_where_there_is_no_client(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def counted(one: str, other: str) -> bool:
        compared.append(1)
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(crypto, "hmac", type("Hmac", (), {"compare_digest": staticmethod(counted), "new": hmac.new}))
    made = await world.client(world.mercy, "ingest")
    for client in (made.client_id, "nobody"):
        with pytest.raises(accounts.TokenRefused):
            await accounts.exchange(world.hub, client, "HTEST-wrong", None)
    assert len(compared) == 2
