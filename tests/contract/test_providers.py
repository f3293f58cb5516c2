"""The channels sms and fax against a provider on a real socket that takes, refuses, hangs, cuts and is away."""

import asyncio
import base64
from typing import Any

import pytest

from app import channels
from app.channels.base import Outside, Parcel, Provider, Receipt
from tests.receivers import receiving

PAGES = (("application/pdf", b"%PDF HTEST"),)


def parcel(**changes: Any) -> Parcel:
    given = {"to": "tel:+15550100111", "content": b"HTEST", "content_type": "text/plain", "seconds": 5.0, **changes}
    return Parcel(**given)


async def delivered(name: str, url: str, **changes: Any) -> Receipt:
    provider = Provider(url, "HTEST-token")
    channel = channels.ALL[name].open(Outside(loopback=False, sms=provider, fax=provider))
    try:
        return await channel.deliver(parcel(**changes))
    finally:
        await channel.close()


async def test_a_text_goes_as_a_post_with_the_token_of_the_hub() -> None:
    async with receiving(status=202) as receiver:
        assert await delivered("sms", receiver.url, headers=(("idempotency-key", "j1"),)) == Receipt(arrived=True)
    (one,) = receiver.came
    assert one.bundle == {"to": "+15550100111", "text": "HTEST"}
    assert (one.headers["authorization"], one.headers["idempotency-key"]) == ("Bearer HTEST-token", "j1")


async def test_pages_go_in_their_order_each_with_its_type() -> None:
    async with receiving() as receiver:
        assert (await delivered("fax", receiver.url, more=PAGES)).arrived
    documents = receiver.came[0].bundle["documents"]
    assert [one["content_type"] for one in documents] == ["text/plain", "application/pdf"]
    assert [base64.b64decode(one["content"]) for one in documents] == [b"HTEST", b"%PDF HTEST"]


@pytest.mark.parametrize("name", ["sms", "fax"])
async def test_every_fault_of_the_provider_is_a_receipt_with_a_code(name: str) -> None:
    for status in (301, 400, 404, 500, 503):
        async with receiving(status=status) as receiver:
            assert await delivered(name, receiver.url) == Receipt(arrived=False, reason=f"status-{status}")
    async with receiving(hangs=True) as receiver:
        assert await delivered(name, receiver.url, seconds=0.3) == Receipt(arrived=False, reason="timeout")
    url = receiver.url
    assert await delivered(name, url) == Receipt(arrived=False, reason="no-connection")


async def test_a_provider_that_cuts_is_no_arrival() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert not (await delivered("sms", f"http://127.0.0.1:{port}/")).arrived
    server.close()


async def test_too_many_pages_are_not_sent() -> None:
    async with receiving() as receiver:
        found = await delivered("fax", receiver.url, content=b"x" * (16 * 1024 * 1024 + 1))
    assert (found, receiver.came) == (Receipt(arrived=False, reason="too-large"), [])


@pytest.mark.parametrize("name", ["sms", "fax"])
def test_without_a_provider_it_is_not_offered_and_no_subscription_may_ask_for_it(name: str) -> None:
    kind = channels.ALL[name]
    assert not kind.offered(Outside(loopback=True))
    assert not kind.subscribed
    with pytest.raises(ValueError, match="needed"):
        kind.open(Outside(loopback=True))
