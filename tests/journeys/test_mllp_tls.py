"""MLLP over TLS with certificates as a hospital and its hub have them, good and bad."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from app.core.settings import Settings
from app.entrypoints.mllp import server as door_module
from app.entrypoints.mllp.server import MllpServer
from app.main import CannotStart, _tls
from tests.journeys.certificates import Authority, Certificate, private_pem
from tests.journeys.mllp_door import HOST, ONE, TWO, Hub, door, framed, sender, until


@pytest.fixture
def trusted(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "stranger")


def context(certificate: Certificate, client_ca: Path | None = None) -> ssl.SSLContext:
    """TLS as the hub has it with these settings."""
    made = _tls(
        Settings(
            _env_file=None,
            mllp_tls_cert=certificate.certificate,
            mllp_tls_key=certificate.key,
            mllp_tls_client_ca=client_ca,
        )
    )
    assert made is not None
    return made


async def test_the_same_holds_over_tls(trusted: Authority) -> None:
    hub = Hub()
    there = ssl.create_default_context(cafile=str(trusted.file))
    async with door(hub.receive, ssl=context(trusted.server())) as server, sender(server, there) as one:
        await one.send(framed(ONE) + framed(TWO))
        assert [await one.answer(), await one.answer()] == [ONE[:40] + b"ok", TWO[:40] + b"ok"]


async def test_a_sender_refuses_a_hub_that_a_stranger_vouches_for(trusted: Authority, stranger: Authority) -> None:
    hub = Hub()
    there = ssl.create_default_context(cafile=str(trusted.file))
    async with door(hub.receive, ssl=context(stranger.server())) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(HOST, server.port, ssl=there)
    assert hub.asked == []


async def test_where_certificates_are_asked_for_one_of_the_right_authority_opens(trusted: Authority) -> None:
    hub = Hub()
    here, there = context(trusted.server(), trusted.file), trusted.sender().client(trusted.file)
    async with door(hub.receive, ssl=here) as server, sender(server, there) as one:
        await one.send(framed(ONE))
        assert await one.answer() == ONE[:40] + b"ok"


async def told(server: MllpServer, tls: ssl.SSLContext, message: bytes) -> bytes:
    """With TLS 1.3 a client believes that it is in before the server has looked at its certificate."""
    async with sender(server, tls) as one:
        await one.send(framed(message))
        return await one.answer()


@pytest.mark.parametrize("shown", ["none", "of a stranger", "expired", "for a server"])
async def test_where_certificates_are_asked_for_no_other_opens(
    trusted: Authority, stranger: Authority, shown: str
) -> None:
    hub = Hub()
    clients = {
        "none": lambda: ssl.create_default_context(cafile=str(trusted.file)),
        "of a stranger": lambda: stranger.sender().client(trusted.file),
        "expired": lambda: trusted.sender(expired=True).client(trusted.file),
        "for a server": lambda: trusted.server().client(trusted.file),
    }
    async with door(hub.receive, ssl=context(trusted.server(), trusted.file)) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            there = clients[shown]()
            there.maximum_version = version
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await told(server, there, ONE)
        assert await told(server, trusted.sender().client(trusted.file), TWO) == TWO[:40] + b"ok"
    assert hub.asked == [TWO]


async def test_what_does_not_speak_tls_gets_no_answer_and_harms_nobody(
    trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "_LINGER", 0.3)
    hub = Hub()
    there = ssl.create_default_context(cafile=str(trusted.file))
    here = context(trusted.server())
    async with door(hub.receive, ssl=here) as server, sender(server) as plain, sender(server) as quiet:
        await plain.send(framed(ONE))
        assert framed(ONE[:40] + b"ok") not in await plain.rest()
        assert await told(server, there, TWO) == TWO[:40] + b"ok"
        assert await quiet.rest() == b""
    assert hub.asked == [TWO]


async def test_old_versions_of_tls_are_refused(trusted: Authority) -> None:
    there = ssl.create_default_context(cafile=str(trusted.file))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        there.minimum_version = there.maximum_version = ssl.TLSVersion.TLSv1_1
    async with door(Hub().receive, ssl=context(trusted.server())) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(HOST, server.port, ssl=there)


async def test_stopping_answers_what_was_received_over_tls_too(trusted: Authority) -> None:
    hub = Hub()
    hub.gate.clear()
    there = ssl.create_default_context(cafile=str(trusted.file))
    async with door(hub.receive, ssl=context(trusted.server())) as server, sender(server, there) as one:
        await one.send(framed(ONE) + framed(TWO))
        await until(lambda: len(hub.asked) == 1)
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.01)
        hub.gate.set()
        assert await one.rest() == framed(ONE[:40] + b"ok") + framed(TWO[:40] + b"ok")
        await one.close()
        await stopping


async def test_a_sender_that_does_not_end_tls_is_not_waited_for(
    trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "_LINGER", 0.2)
    there = ssl.create_default_context(cafile=str(trusted.file))
    async with door(Hub().receive, ssl=context(trusted.server()), idle_seconds=0.1) as server:
        plain = await asyncio.to_thread(socket.create_connection, (HOST, server.port))
        with await asyncio.to_thread(there.wrap_socket, plain, server_hostname=HOST):
            await until(lambda: server.open_connections == 1)
            await until(lambda: server.open_connections == 0)


def test_without_tls_settings_there_is_no_tls() -> None:
    assert _tls(Settings(_env_file=None)) is None


@pytest.mark.parametrize("case", ["no such file", "not a certificate", "key of another", "encrypted key", "authority"])
def test_tls_settings_that_cannot_work_stop_the_start_with_a_reason(
    trusted: Authority, tmp_path: Path, case: str
) -> None:
    good, other = trusted.server(), tmp_path / "other"
    settings = Settings(_env_file=None, mllp_tls_cert=good.certificate, mllp_tls_key=good.key)
    if case == "not a certificate":
        other.write_text("HTEST")
    elif case == "encrypted key":
        other.write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1()), b"HTEST"))
    elif case == "key of another":
        other = trusted.server().key
    names = {"no such file": "cert", "not a certificate": "cert", "authority": "client_ca"}
    changed = settings.model_copy(update={f"mllp_tls_{names.get(case, 'key')}": other})
    with pytest.raises(CannotStart, match="THROUGHLINE_MLLP_TLS"):
        _tls(changed)


@pytest.mark.parametrize("name", ["mllp_tls_key", "mllp_tls_client_ca"])
def test_half_of_the_tls_settings_does_not_mean_no_tls(trusted: Authority, name: str) -> None:
    with pytest.raises(CannotStart, match="THROUGHLINE_MLLP_TLS_CERT is missing"):
        _tls(Settings(_env_file=None).model_copy(update={name: trusted.file}))
