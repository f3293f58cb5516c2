"""One message over MLLP: what counts as arrived, what as refused, and what is worth another attempt."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from app import channels
from app.channels.base import Certificates, Channel, Outside, Parcel, Receipt
from tests.journeys.certificates import Authority
from tests.mllp_receivers import MllpReceiver, taking_answers

SENT = rb"MSH|^~\&|THROUGHLINE|HUB|EPIC|MERCY|20260608150000||MDM^T02^MDM_T02|HTEST{}|P|2.5.1" + b"\r"


def content(number: int = 1) -> bytes:
    return SENT.replace(b"{}", str(number).encode())


def parcel(to: str, number: int = 1, seconds: float = 5) -> Parcel:
    return Parcel(to, content(number), "application/hl7-v2", seconds=seconds)


def opened(*, loopback: bool = True, mllp: Certificates | None = None) -> Channel:
    return channels.ALL["hl7v2-out"].open(Outside(loopback=loopback, mllp=mllp or Certificates()))


async def one(receiver: MllpReceiver, seconds: float = 5) -> Receipt:
    async with taking_answers(receiver):
        channel = opened()
        try:
            return await channel.deliver(parcel(receiver.to, seconds=seconds))
        finally:
            await channel.close()


@pytest.mark.parametrize("code", ["AA", "CA"])
async def test_what_is_accepted_has_arrived(code: str) -> None:
    receiver = MllpReceiver(code=code)
    assert await one(receiver) == Receipt(arrived=True)
    assert [came.data for came in receiver.came] == [content()]


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
async def test_what_is_refused_would_fare_no_better_again(code: str) -> None:
    assert await one(MllpReceiver(code=code)) == Receipt(arrived=False, reason=code.lower(), refused=True)


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("says-garbage", "acknowledgement-unreadable"),
        ("speaks-garbage", "acknowledgement-unreadable"),
        ("endless", "acknowledgement-unreadable"),
        ("of-another", "acknowledgement-of-another"),
    ],
)
async def test_what_is_no_acknowledgement_of_it_is_none(manner: str, reason: str) -> None:
    receiver = MllpReceiver(manner=manner)  # type: ignore[arg-type]
    assert await one(receiver) == Receipt(arrived=False, reason=reason, refused=True)


@pytest.mark.parametrize(("manner", "reason"), [("hangs", "timeout"), ("closes", "connection-broken")])
async def test_silence_and_a_broken_connection_are_worth_another_attempt(manner: str, reason: str) -> None:
    receiver = MllpReceiver(manner=manner)  # type: ignore[arg-type]
    assert await one(receiver, seconds=0.5) == Receipt(arrived=False, reason=reason)


async def test_where_nobody_listens_another_attempt_is_worth_it() -> None:
    async with taking_answers() as receiver:
        to = receiver.to
    channel = opened()
    assert await channel.deliver(parcel(to)) == Receipt(arrived=False, reason="no-connection")
    assert await channel.deliver(parcel("mllp://nowhere.invalid:2575")) == Receipt(False, "no-connection")
    await channel.close()


async def test_one_connection_carries_one_message_after_the_other() -> None:
    async with taking_answers() as receiver:
        channel = opened()
        for number in range(20):
            assert (await channel.deliver(parcel(receiver.to, number))).arrived
        await channel.close()
    assert (len(receiver.came), receiver.lines) == (20, 1)


async def test_for_a_receiver_that_reads_one_message_only_each_has_a_connection_of_its_own() -> None:
    async with taking_answers() as receiver:
        channel = opened()
        for number in range(3):
            assert (await channel.deliver(replace(parcel(receiver.to, number), alone=True))).arrived
        await channel.close()
    assert receiver.lines == 3


async def test_a_connection_that_was_closed_meanwhile_is_opened_again_at_once() -> None:
    async with taking_answers() as receiver:
        channel = opened()
        assert (await channel.deliver(parcel(receiver.to, 1))).arrived
        await receiver.stop()
        await receiver.start()
        assert (await channel.deliver(parcel(receiver.to, 2))).arrived
        await channel.close()
    assert [came.control_id for came in receiver.came] == ["HTEST1", "HTEST2"]


async def test_what_came_too_late_is_not_taken_for_the_answer_to_the_next() -> None:
    receiver = MllpReceiver(seconds=0.5)
    async with taking_answers(receiver):
        channel = opened()
        assert (await channel.deliver(parcel(receiver.to, 1, seconds=0.2))).reason == "timeout"
        assert (await channel.deliver(parcel(receiver.to, 2))).arrived
        await channel.close()
    assert [came.line for came in receiver.came] == [1, 2]


@pytest.mark.parametrize("afterwards", [("AA",), ("CA", "AA"), ("AE",)], ids=["again", "twice", "refused afterwards"])
async def test_a_second_acknowledgement_of_a_message_is_not_taken_for_the_one_of_the_next(
    afterwards: tuple[str, ...],
) -> None:
    """Enhanced mode says CA and then AA (HL7 v2.5.1, 2.9.3), also to who asked for neither."""
    receiver = MllpReceiver(code="CA", afterwards=afterwards)
    async with taking_answers(receiver):
        channel = opened()
        for number in range(1, 5):
            assert await channel.deliver(parcel(receiver.to, number)) == Receipt(arrived=True)
        await channel.close()
    assert ([came.control_id for came in receiver.came], receiver.lines) == ([f"HTEST{n}" for n in range(1, 5)], 1)


async def test_what_was_refused_and_is_sent_again_is_acknowledged_like_any_other() -> None:
    receiver = MllpReceiver(code="AE")
    async with taking_answers(receiver):
        channel = opened()
        assert (await channel.deliver(parcel(receiver.to))).reason == "ae"
        receiver.code = "AA"
        assert (await channel.deliver(parcel(receiver.to))).arrived
        await channel.close()
    assert receiver.lines == 1


async def test_messages_to_one_receiver_are_on_their_way_at_the_same_time() -> None:
    receiver = MllpReceiver(seconds=0.3)
    async with taking_answers(receiver):
        channel = opened()
        receipts = await asyncio.gather(*(channel.deliver(parcel(receiver.to, n)) for n in range(4)))
        await channel.close()
    assert (all(one.arrived for one in receipts), receiver.at_once) == (True, 4)


async def test_the_machine_of_the_hub_is_not_reached_and_nothing_is_readable_on_its_way() -> None:
    async with taking_answers() as receiver:
        channel = opened(loopback=False)
        assert (await channel.deliver(parcel(receiver.to))).reason == "address"
        assert (await channel.deliver(parcel("mllp://192.0.2.1:2575"))).reason == "address"
        assert (await channel.deliver(parcel("mllp://93.184.215.14:2575", seconds=1))).reason == "address"
        await channel.close()
    assert receiver.lines == 0


async def test_with_tls_both_sides_show_who_they_are(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path, "authority"), Authority(tmp_path, "stranger")
    shows, shown = authority.server(), authority.sender()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
    context.load_cert_chain(shows.certificate, shows.key)
    context.verify_mode = ssl.CERT_REQUIRED
    async with taking_answers(MllpReceiver(tls=context)) as receiver:
        for certificates, arrived in (
            (Certificates(authority.file, shown.certificate, shown.key), True),
            (Certificates(authority.file), False),
            (Certificates(stranger.file, shown.certificate, shown.key), False),
        ):
            channel = opened(mllp=certificates)
            receipt = await channel.deliver(parcel(receiver.to))
            assert (receipt.arrived, receipt.refused) == (arrived, False)
            await channel.close()
    assert len(receiver.came) == 1
