"""Senders of others against a running hub: python-hl7, its ``mllp_send``, node-hl7-client; hl7apy reads the answers."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hl7  # type: ignore[import-untyped] # it has no types
import pytest
from hl7.client import MLLPClient  # type: ignore[import-untyped] # it has no types
from hl7.mllp import open_hl7_connection  # type: ignore[import-untyped] # it has no types
from hl7apy.parser import parse_message  # type: ignore[import-untyped] # it has no types

from tests.contract.http_messages import adt
from tests.journeys.certificates import Authority
from tests.journeys.running_hub import HOST, SEVERAL_SECONDS, RunningHub, running
from tests.journeys.stay import HARBOR, MERCY, NORTH, Stay
from tests.requirements import missing

NODE = Path(__file__).parent / "node"
MILL: dict[str, Any] = {**NORTH, "id": "mill", "organization": "HTEST Mühle", "match_msh": ["EPIC|MÜHLE"]}
ENHANCED: dict[str, Any] = {
    **NORTH, "id": "enhanced", "organization": "HTEST East", "match_msh": ["ENH|EAST"], "ack": "enhanced",
}  # fmt: skip
SENDERS = [MERCY, NORTH, MILL, ENHANCED]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    folder = tmp_path_factory.mktemp("peers")
    with pytest.MonkeyPatch.context() as patch:
        url = f"sqlite:///{folder / 'throughline.db'}"
        with running(patch, folder, url, senders=SENDERS, partners=[HARBOR]) as made:
            yield made


@dataclass(frozen=True, slots=True)
class Secured:
    """A hub that hears only who shows a certificate of its authority."""

    hub: RunningHub
    trusted: Authority
    stranger: Authority


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secured]:
    trusted, stranger = Authority(tmp_path, "authority"), Authority(tmp_path, "stranger")
    certificate = trusted.server()
    monkeypatch.setenv("THROUGHLINE_MLLP_TLS_CERT", str(certificate.certificate))
    monkeypatch.setenv("THROUGHLINE_MLLP_TLS_KEY", str(certificate.key))
    monkeypatch.setenv("THROUGHLINE_MLLP_TLS_CLIENT_CA", str(trusted.file))
    url = f"sqlite:///{tmp_path / 'throughline.db'}"
    with running(monkeypatch, tmp_path, url, senders=SENDERS, partners=[]) as made:
        yield Secured(made, trusted, stranger)


def messages(first: int, count: int = 12) -> tuple[list[str], list[tuple[str, str]]]:
    """Good and bad messages in turn, and the answer that each must get."""
    sent, wanted = [], []
    for number in range(first, first + count):
        good = adt(number).decode()
        kind = number % 3
        nobody = good.replace("|EPIC|", "|NOBODY|")
        nameless = good.replace("\rPID|", "\rZID|").replace("\rPV1|", "\rZV1|")
        sent.append((good, nameless, nobody)[kind])
        wanted.append((("AA", "AE", "AR")[kind], f"HTEST-{number}"))
    return sent, wanted


def told(ack: bytes | str) -> tuple[str, str]:
    """MSA-1 and MSA-2 as python-hl7 and hl7apy both read them; what refuses has an ERR that both find."""
    text = (ack.decode() if isinstance(ack, bytes) else ack).strip("\x0b\x1c\r\n") + "\r"
    one, other = hl7.parse(text), parse_message(text)
    msa = one.segment("MSA")
    code, control_id = str(msa[1]), str(msa[2])
    assert (other.msa.msa_1.to_er7(), other.msa.msa_2.to_er7()) == (code, control_id)
    assert (other.msh.msh_9.to_er7(), other.msh.msh_12.to_er7()) == ("ACK^A01^ACK", "2.5.1")
    if code[1] == "A":
        assert len(one) == len(other.children) == 2
    else:
        assert other.err.err_3.err_3_3.to_er7() == "HL70357"
        assert str(one.segment("ERR")[3][0][0]) == other.err.err_3.err_3_1.to_er7()
        assert other.err.err_4.to_er7() == "E"
    return code, control_id


# ---- python-hl7


def test_the_blocking_client_of_python_hl7_gets_each_answer(hub: RunningHub) -> None:
    sent, wanted = messages(1000)
    with MLLPClient(HOST, hub.mllp_port) as client:
        client.socket.settimeout(SEVERAL_SECONDS)
        answers = [told(client.send_message(message)) for message in sent]
        assert told(client.send_message(hl7.parse(adt(1100).decode()))) == ("AA", "HTEST-1100")
    assert answers == wanted


@pytest.mark.parametrize("loose", [False, True])
def test_the_command_of_python_hl7_gets_each_answer(hub: RunningHub, tmp_path: Path, *, loose: bool) -> None:
    sent, wanted = messages(1300 if loose else 1200)
    file = tmp_path / "messages.hl7"
    framed = "".join(f"{message}\r\n" if loose else f"\x0b{message}\x1c\r" for message in sent)
    file.write_bytes(framed.encode())
    command = [str(Path(sys.executable).with_name("mllp_send")), "--port", str(hub.mllp_port), "--file", str(file)]
    done = subprocess.run(
        [*command, *(["--loose"] if loose else []), HOST],
        capture_output=True,
        timeout=SEVERAL_SECONDS * 2,
        check=True,
    )
    answers = [part for part in done.stdout.split(b"\x0b") if part]
    assert [told(answer) for answer in answers] == wanted


def test_the_stream_client_of_python_hl7_is_answered_in_order_without_waiting(hub: RunningHub) -> None:
    sent, wanted = messages(1400, 60)

    async def talk() -> list[tuple[str, str]]:
        async with asyncio.timeout(SEVERAL_SECONDS * 2):
            reader, writer = await open_hl7_connection(HOST, hub.mllp_port)
            for message in sent:
                writer.writemessage(hl7.parse(message))
            answers = [told(str(await reader.readmessage())) for _ in sent]
            writer.close()
            await writer.wait_closed()
            return answers

    assert asyncio.run(talk()) == wanted


def test_the_stream_client_of_python_hl7_shows_its_certificate(secured: Secured) -> None:
    async def talk(authority: Authority) -> tuple[str, str]:
        there = authority.sender().client(secured.trusted.file)
        async with asyncio.timeout(SEVERAL_SECONDS):
            reader, writer = await open_hl7_connection(HOST, secured.hub.mllp_port, ssl=there)
            try:
                writer.writemessage(hl7.parse(adt(1).decode()))
                return told(str(await reader.readmessage()))
            finally:
                writer.close()
                await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    assert asyncio.run(talk(secured.trusted)) == ("AA", "HTEST-1")
    with pytest.raises((OSError, EOFError)):
        asyncio.run(talk(secured.stranger))


def test_in_enhanced_mode_python_hl7_reads_the_commit_then_the_application(hub: RunningHub) -> None:
    async def talk() -> list[tuple[str, str]]:
        async with asyncio.timeout(SEVERAL_SECONDS):
            reader, writer = await open_hl7_connection(HOST, hub.mllp_port)
            for number, conditions in ((1501, "AL|AL"), (1502, "NE|NE"), (1503, "AL|NE"), (1504, "NE|AL")):
                writer.writemessage(hl7.parse(asking(number, conditions)))
            answers = [told(str(await reader.readmessage())) for _ in range(4)]
            writer.close()
            await writer.wait_closed()
            return answers

    wanted = [("CA", "HTEST-1501"), ("AA", "HTEST-1501"), ("CA", "HTEST-1503"), ("AA", "HTEST-1504")]
    assert asyncio.run(talk()) == wanted


def asking(number: int, conditions: str) -> str:
    sent = adt(number, application="ENH", facility="EAST").decode()
    return sent.replace("|2.5.1\r", f"|2.5.1|||{conditions}\r")


# ---- character sets and escapes


@pytest.mark.parametrize(
    ("charset", "codec", "number"),
    [("UNICODE UTF-8", "utf-8", 61), ("8859/1", "latin-1", 62), ("8859/15", "iso8859-15", 63)],
)
def test_umlauts_and_escapes_land_and_come_back_as_they_were_sent(
    hub: RunningHub, charset: str, codec: str, number: int
) -> None:
    family = r"HTESTMÜLLER-Öß \T\ Söhne \R\ \E\ \S\ \F\ "
    stay = Stay(number, sender="EPIC|MÜHLE", family=family.strip())
    with MLLPClient(HOST, hub.mllp_port, encoding=codec) as client:
        client.socket.settimeout(SEVERAL_SECONDS)
        for message in stay.whole():
            text = message.decode().replace("UNICODE UTF-8", charset)
            answer = client.send_message(text)
            facility = "MÜHLE".encode(codec)
            assert b"|" + facility + b"|" in answer.partition(b"\r")[0]
            assert b"\rMSA|AA|" in answer
    patients = hub.caller("mill").search("Patient?_count=100")
    (mine,) = [p for p in patients if any(i.get("value") == stay.mrn for i in p["identifier"])]
    assert (mine["name"][0]["family"], mine["name"][0]["given"]) == (r"HTESTMÜLLER-Öß & Söhne ~ \ ^ |", ["José"])


# ---- node-hl7-client


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files."""

    ca: str
    cert: str
    key: str


@pytest.fixture(scope="session")
def node() -> str:
    """Node.js with node-hl7-client installed from its lock file; skipped, or failed where required, without."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        missing("node", "needs node: node and npm not found")
    installed, lock = NODE / "node_modules" / ".package-lock.json", NODE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        command = [npm, "ci", "--ignore-scripts", "--fetch-retries=1"]
        try:
            subprocess.run(command, cwd=NODE, capture_output=True, timeout=120, check=True)
        except subprocess.SubprocessError:
            missing("node", "needs node: npm ci could not install node-hl7-client")
    return found


def sent_by_node(
    node: str, port: int, kind: str, sent: Sequence[str], *, answers: int | None = None, tls: Tls | None = None
) -> subprocess.CompletedProcess[str]:
    asked = {"port": port, "kind": kind, "messages": sent, "answers": len(sent) if answers is None else answers}
    asked["tls"] = asdict(tls) if tls else None
    return subprocess.run(
        [node, "send.mjs"],
        cwd=NODE,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=SEVERAL_SECONDS * 2,
        check=False,
    )


def read_by_node(done: subprocess.CompletedProcess[str]) -> list[tuple[str, str]]:
    assert done.returncode == 0, done.stderr
    return [(one["code"], one["id"]) for one in json.loads(done.stdout)]


@pytest.mark.parametrize(("kind", "first"), [("message", 2000), ("batch", 2100), ("file", 2200)])
def test_node_hl7_client_gets_each_answer(hub: RunningHub, node: str, kind: str, first: int) -> None:
    sent, wanted = messages(first)
    assert read_by_node(sent_by_node(node, hub.mllp_port, kind, sent)) == wanted


def test_in_enhanced_mode_node_hl7_client_reads_the_commit_then_the_application(hub: RunningHub, node: str) -> None:
    sent = [asking(2301, "AL|AL"), asking(2302, "AL|NE"), asking(2303, "NE|AL")]
    wanted = [("CA", "HTEST-2301"), ("AA", "HTEST-2301"), ("CA", "HTEST-2302"), ("AA", "HTEST-2303")]
    assert read_by_node(sent_by_node(node, hub.mllp_port, "message", sent, answers=4)) == wanted


def test_node_hl7_client_reads_its_umlauts_back(hub: RunningHub, node: str) -> None:
    sent = adt(2401, facility="MÜHLE").decode().replace("|2.5.1\r", "|2.5.1||||||UNICODE UTF-8\r")
    done = sent_by_node(node, hub.mllp_port, "message", [sent])
    assert json.loads(done.stdout) == [{"code": "AA", "id": "HTEST-2401", "facility": "MÜHLE"}]


def test_node_hl7_client_shows_its_certificate(secured: Secured, node: str) -> None:
    for authority, heard in ((secured.trusted, True), (secured.stranger, False)):
        shown = authority.sender()
        tls = Tls(str(secured.trusted.file), str(shown.certificate), str(shown.key))
        done = sent_by_node(node, secured.hub.mllp_port, "message", [adt(1).decode()], tls=tls)
        assert (done.returncode == 0) == heard
        if heard:
            assert read_by_node(done) == [("AA", "HTEST-1")]


def test_the_lock_of_the_peers_holds_no_address() -> None:
    lock = (NODE / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "integrity" in lock
