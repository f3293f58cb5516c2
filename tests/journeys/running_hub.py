"""A hub as an operator runs it: command line beside a server on real sockets, spoken to from outside only."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from typer.testing import CliRunner

from app.cli import app as commands
from app.core.settings import Settings
from app.entrypoints.processes import Http11
from app.main import create_app
from tests.scratch import spare_port

Resource = dict[str, Any]
Reply = dict[str, Any] | list[dict[str, Any]]
HOST = "127.0.0.1"
SEVERAL_SECONDS = 15.0
_SEARCHES = count(1)
_OF_THE_DIRECTORY = ("-service", "-place", "-contact", "-contact-role")


def command(*arguments: str, code: int | None = 0) -> Any:
    """What a command prints, read as JSON where it is JSON; it ends with ``code``, or (None) with whatever it likes."""
    logger = logging.getLogger("throughline")
    handlers, level = logger.handlers[:], logger.level
    done = CliRunner().invoke(commands, list(arguments))
    # The command logs to a stream that is closed by now; the server of this process goes on with its own.
    logger.handlers[:], logger.level = handlers, level
    assert code in (None, done.exit_code), f"{arguments[:2]}: {done.exit_code} {done.exception!r} {done.stderr}"
    try:
        return json.loads(done.stdout)
    except ValueError:
        return done.stdout


def ack_code(ack: bytes) -> str:
    """MSA-1."""
    segment = next(line for line in ack.split(b"\r") if line.startswith(b"MSA"))
    return segment.split(segment[3:4])[1].decode()


@dataclass(slots=True)
class MllpSender:
    """One MLLP connection of a hospital's engine."""

    stream: socket.socket
    held: bytes = b""

    def send(self, data: bytes) -> bytes:
        """The acknowledgement of one message."""
        self.stream.sendall(b"\x0b" + data + b"\x1c\r")
        return self.answer()

    def answer(self) -> bytes:
        """The next acknowledgement."""
        while b"\x1c\r" not in self.held:
            part = self.stream.recv(65536)
            assert part, "the hub closed the connection without an answer"
            self.held += part
        answer, _, self.held = self.held.partition(b"\x1c\r")
        return answer.removeprefix(b"\x0b")

    def ended(self) -> bool:
        """Whether the hub closes without another answer."""
        try:
            return self.stream.recv(65536) == b""
        except ConnectionResetError:
            return True


@dataclass
class Caller:
    """A machine client with its token."""

    web: httpx.Client
    organization: str
    headers: dict[str, str]
    seen: dict[str, list[Resource]] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.web.get(path, headers=self.headers | headers)

    def fhir(self, path: str) -> Resource:
        answer = self.get(f"/fhir/R4/{path}")
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        body: Resource = answer.json()
        return body

    def search(self, query: str) -> list[Resource]:
        """All matches and includes as they are now, page by page.

        Each search has words of its own: an answer that is kept may be a second old, and what an interface has just
        sent is not what this client has written.
        """
        apart = f"_lastUpdated=gt2001-01-01T00:00:00.{next(_SEARCHES):06d}Z"
        found, url = [], f"/fhir/R4/{query}{'&' if '?' in query else '?'}{apart}"
        while url:
            answer = self.get(url)
            assert answer.status_code == 200, f"{query}: {answer.status_code} {answer.text}"
            page = answer.json()
            entries = page.get("entry", [])
            found += [entry["resource"] for entry in entries if entry["search"]["mode"] != "outcome"]
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
        return found

    def set_status(self, task: Resource, status: str, *more: Resource) -> httpx.Response:
        operations = [{"op": "replace", "path": "/status", "value": status}, *more]
        headers = self.headers | {"content-type": "application/json-patch+json"}
        return self.web.patch(f"/fhir/R4/Task/{task['id']}", content=json.dumps(operations), headers=headers)

    def moved(self, task: Resource, status: str, *more: Resource) -> Resource:
        """The Task after a change that is allowed."""
        answer = self.set_status(task, status, *more)
        assert answer.status_code == 200, answer.text
        body: Resource = answer.json()
        return body

    def everything(self) -> dict[str, list[Resource]]:
        """All that this client can find, by type, as the CapabilityStatement offers it; not that it looked."""
        offered = self.web.get("/fhir/R4/metadata").json()["rest"][0]["resource"]
        searched = [one["type"] for one in offered if any(i["code"] == "search-type" for i in one["interaction"])]
        return {name: self.search(f"{name}?_count=500") for name in searched if name != "AuditEvent"}

    def beside_the_directory(self) -> dict[str, list[Resource]]:
        """The same but for what partners offer, where, and whom to ask: everyone who takes part sees that."""
        return {
            name: [one for one in found if not one["id"].endswith(_OF_THE_DIRECTORY)]
            for name, found in self.everything().items()
        }


OUTPUT: Resource = {
    "op": "add",
    "path": "/output",
    "value": [{"type": {"text": "service"}, "valueString": "HTEST first dose given"}],
}


def because(text: str) -> Resource:
    return {"op": "add", "path": "/statusReason", "value": {"text": text}}


@dataclass
class RunningHub:
    """One hub that serves."""

    base: str
    mllp_port: int
    organizations: dict[str, str]
    """Sender id or partner name to FHIR id."""
    clients: list[httpx.Client] = field(default_factory=list)

    @cached_property
    def web(self) -> httpx.Client:
        made = httpx.Client(base_url=self.base, timeout=SEVERAL_SECONDS, trust_env=False)
        self.clients.append(made)
        return made

    def caller(self, who: str, scope: str = "system/*.rus ingest") -> Caller:
        """A new client of an organisation, registered and given a token on the command line."""
        organization = self.organizations[who]
        client = command("client", "add", "--organization", organization, "--scope", scope, "--secret")["client_id"]
        token = str(command("token", "--client", client)).strip().rpartition("\n")[2]
        return Caller(self.web, organization, {"authorization": f"Bearer {token}"})

    def ledger(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = command("ledger", "--format", "json")
        return found

    def post_hl7(self, caller: Caller, data: bytes) -> bytes:
        headers = caller.headers | {"content-type": "application/hl7-v2"}
        answer = self.web.post("/ingest/hl7v2", content=data, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.content

    def post_event(self, caller: Caller, event: Resource, sender: str) -> httpx.Response:
        headers = caller.headers | {"content-type": "application/json"}
        return self.web.post("/ingest/events", params={"sender": sender}, content=json.dumps(event), headers=headers)

    @contextmanager
    def mllp(self) -> Iterator[MllpSender]:
        with socket.create_connection((HOST, self.mllp_port), timeout=SEVERAL_SECONDS) as stream:
            yield MllpSender(stream)


def _register(folder: Path, senders: Sequence[Resource], partners: Sequence[Resource]) -> dict[str, str]:
    known = {}
    for sender in senders:
        file = folder / f"{sender['id']}.json"
        file.write_text(json.dumps(sender))
        known[sender["id"]] = command("sender", "add", sender["id"], "--file", str(file))["organization"]
    file = folder / "partners.json"
    file.write_text(json.dumps(partners))
    known |= {one["name"]: one["organization"] for one in command("partner", "import", str(file))}
    return known


@contextmanager
def running(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    database_url: str,
    *,
    senders: Sequence[Resource],
    partners: Sequence[Resource],
    now: datetime | None = None,
) -> Iterator[RunningHub]:
    """A registered hub on a migrated database, listening on HTTP and MLLP.

    ``now`` is where its clock starts (FAKE_CLOCK).
    """
    ports = spare_port(), spare_port()
    settings = {
        "DATABASE_URL": database_url,
        "KEY_FILE": str(folder / "keys"),
        "BASE_URL": f"http://{HOST}:{ports[0]}",
        "MLLP_PORT": str(ports[1]),
        "LOG_LEVEL": "WARNING",
        **({"FAKE_CLOCK": now.isoformat()} if now else {}),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"THROUGHLINE_{name}", value)
    command("db", "upgrade")
    organizations = _register(folder, senders, partners)
    config = uvicorn.Config(
        create_app(Settings(_env_file=None)),
        host=HOST,
        port=ports[0],
        http=Http11,
        ws="none",
        access_log=False,
        log_config=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    hub = RunningHub(f"http://{HOST}:{ports[0]}", ports[1], organizations)
    try:
        until = time.monotonic() + SEVERAL_SECONDS
        while not server.started:
            assert thread.is_alive(), "the hub did not start"
            assert time.monotonic() < until, "the hub did not start in time"
            time.sleep(0.005)
        yield hub
    finally:
        for client in hub.clients:
            client.close()
        server.should_exit = True
        thread.join(SEVERAL_SECONDS)
        assert not thread.is_alive(), "the hub did not stop"
