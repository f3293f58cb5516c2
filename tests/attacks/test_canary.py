"""Attack cases 65, 66 and 67: of a person whose details are unmistakable nothing turns up where it does not belong.

A hub that is really served, with its worker, is told of the person in every way; it is asked and sent what it must
refuse; it notifies by HTTP and by e-mail; its commands are typed. Then all that was written is looked through.

What may hold the person, by design: bodies of resources and the columns that searches need (``app/store/tables.py``),
answers to those who may see the person, and the folder that the operator took in.
"""

import asyncio
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx

from tests.attacks import canary, probes
from tests.attacks.canary import seen
from tests.contract.mailboxes import Mailbox, mailserver
from tests.contract.subscribers import body as subscription
from tests.journeys.machine import Machine, wait_for
from tests.journeys.stay import HARBOR, MERCY
from tests.scratch import spare_port

HOLDS_PEOPLE: Final = {("body", "content"), ("search_index", "value")}
PATIENCE: Final = 30.0


class Ear(threading.Thread):
    """A partner's server that keeps every request as it came, its address too, and takes it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.heard: list[bytes] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}/hook"

    def run(self) -> None:
        while True:
            try:
                stream, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream, stream.makefile("rb") as lines:
            while True:
                head = b"".join(iter(lambda: lines.readline().rstrip(b"\r\n") + b"\n", b"\n"))
                if not head:
                    return
                length = next(
                    (line for line in head.split(b"\n") if line.lower().startswith(b"content-length:")), b":0"
                )
                self.heard.append(head + lines.read(int(length.partition(b":")[2])))
                stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def close(self) -> None:
        self._door.close()


class Run:
    """One hub, and what came out of it that must not name anybody."""

    def __init__(self, machine: Machine, port: int, mllp: int) -> None:
        self.machine = machine
        self.mllp = mllp
        self.web = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False)
        self.out: list[tuple[str, str | bytes]] = []
        """Where it came from, and what it is."""
        self._organizations: dict[str, str] = {}

    def type(self, *words: str | Path, code: int = 0) -> str:
        """What a command printed; what it said beside that is looked through."""
        done = self.machine.type(*words, code=code)
        self.out.append((f"stderr of {words[0]}", done.stderr))
        return done.stdout

    def register(self) -> None:
        self.type("db", "upgrade")
        sender = self.machine.write("sender.json", json.dumps(MERCY))
        added = json.loads(self.type("sender", "add", "mercy", "--file", sender))
        partners = json.loads(self.type("partner", "import", self.machine.write("p.json", json.dumps([HARBOR]))))
        self._organizations = {"mercy": added["organization"], "harbor": partners[0]["organization"]}

    def headers(self, who: str) -> dict[str, str]:
        scope = "system/*.cruds ingest"
        client = self.type("client", "add", "--organization", self._organizations[who], "--scope", scope, "--secret")
        token = self.type("token", "--client", json.loads(client)["client_id"]).strip().rpartition("\n")[2]
        return {"authorization": f"Bearer {token}"}

    def refused(self, answers: Iterator[httpx.Response]) -> int:
        """How many were refused; each of those is looked through, and the headers of all."""
        count = 0
        for answer in answers:
            echo = {"location", "content-location"}
            headers = {name: value for name, value in answer.headers.items() if name not in echo}
            where = f"{answer.request.method} {answer.status_code}"
            self.out.append((f"headers of {where}", str(headers)))
            if answer.status_code >= 400 or "OperationOutcome" in answer.text[:40]:
                self.out.append((f"body of {where} {answer.request.url}", answer.content))
                count += 1
        return count


@contextmanager
def served(machine: Machine, log: Path, port: int, mllp: int) -> Iterator[Run]:
    run = Run(machine, port, mllp)
    run.register()
    with log.open("w") as output, closing(run.web):
        process = machine.start("serve", "--port", str(port), "--mllp-port", str(mllp), output=output)
        try:
            wait_for(f"http://127.0.0.1:{port}/health/ready", process)
            yield run
        finally:
            process.terminate()
            process.wait(PATIENCE)


def tell_everything(run: Run, hospital: dict[str, str], harbor: dict[str, str]) -> int:
    """The person by every way in; the number of requests that were refused."""
    for message in canary.stay():
        answer = run.web.post(
            "/ingest/hl7v2", content=message, headers=hospital | {"content-type": "application/hl7-v2"}
        )
        assert b"MSA|AA|" in answer.content
        run.out.append(("acknowledgement", answer.content))
    taken = iter(
        [
            run.web.post("/ingest/events?sender=mercy", content=json.dumps(canary.told(29)), headers=_json(hospital)),
            *(
                run.web.post(f"{probes.BASE}{path}", content=json.dumps(bundle), headers=_json(hospital, "fhir+json"))
                for path, bundle in canary.bundles()[:2]
            ),
        ]
    )
    assert run.refused(taken) == 0
    with socket.create_connection(("127.0.0.1", run.mllp), PATIENCE) as stream:
        for message in (*canary.stay(), *canary.bad_hl7()[:5]):
            stream.sendall(b"\x0b" + message + b"\x1c\r")
        stream.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: stream.recv(65536), b""))
    # The header of an acknowledgement says to whom it goes: it has the names by which the sender called itself.
    said = [segment for segment in answers.split(b"\r") if not segment.lstrip(b"\n\x0b").startswith(b"MSH")]
    assert sum(segment.startswith(b"MSA|") for segment in said) >= 5
    run.out.append(("acknowledgements by MLLP", b"\n".join(said)))
    (task, *_) = run.web.get(f"{probes.BASE}/Task", headers=harbor).json()["entry"]
    count = run.refused(probes.reads(run.web, harbor)) + run.refused(probes.tokens(run.web))
    count += run.refused(probes.writes(run.web, harbor, task["resource"]["id"]))
    count += talk(run, hospital, task["resource"])
    return count + run.refused(probes.messages(run.web, hospital))


def talk(run: Run, hospital: dict[str, str], task: dict[str, Any]) -> int:
    """Calls and answers in which the person is named, right and wrong; the number of those that were refused."""
    source = task["partOf"][0]["reference"]
    partner = task["owner"]["reference"]
    taken, refused = [], []
    for operation, right in (("record-call", canary.call(partner)), ("record-answer", canary.answer(partner))):
        url = f"{probes.BASE}/{source}/${operation}"
        headers = _json(hospital, "fhir+json")
        taken.append(run.web.post(url, content=json.dumps(right), headers=headers))
        refused += [run.web.post(url, content=json.dumps(one), headers=headers) for one in canary.wrong(right)]
    assert run.refused(iter(taken)) == 0
    return run.refused(iter(refused))


def _json(headers: dict[str, str], kind: str = "json") -> dict[str, str]:
    return headers | {"content-type": f"application/{kind}"}


def type_everything(run: Run) -> None:
    """Each command that meets messages or tells of them."""
    machine = run.machine
    batch = b"BHS|^~\\&|EPIC|MERCY\r" + b"".join(canary.stay()) + b"BTS|3\r"
    machine.write("in/Zqfamily Zqgiven ZQMRN4417.hl7", batch)
    machine.write("in/bad.hl7", b"".join(canary.bad_hl7()))
    machine.write("in/bad.ndjson", b"\n".join(one for one in canary.bad_events()[3:6]))
    file = machine.write("one.hl7", canary.stay()[2])
    for words in (("ingest", "in", "--sender", "mercy", "--dry-run"), ("ingest", "in", "--sender", "mercy")):
        run.out.append(("stdout of ingest", run.type(*words, "--report", "report.ndjson", code=3)))
    run.out.append(("stdout of explain", run.type("explain", file, "--sender", "mercy")))
    entries = json.loads(run.type("ledger", "--format", "json"))
    run.out.append(("stdout of ledger", json.dumps(entries)))
    rejected = next(entry["id"] for entry in entries if entry["state"] == "rejected")
    run.out.append(("stdout of ledger replay", run.type("ledger", "replay", rejected)))
    typed: list[tuple[str | Path, ...]] = [
        ("review",),
        ("review", "counts"),
        ("health",),
        ("db", "check"),
        ("ledger",),
        ("coverage", file),
        ("todo",),
    ]
    for line in typed:
        done = machine.type(*line)
        run.out += [(f"stdout of {line[0]}", done.stdout), (f"stderr of {line[0]}", done.stderr)]
    bad = machine.write("bad.json", json.dumps([{"name": ["Zqfamily"]}]))
    run.out.append(("stdout of partner import", run.type("partner", "import", bad, code=2)))


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


# ---- what the database holds


def _sqlite_cells(url: str) -> Iterator[tuple[str, str, Any]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            found = connection.execute(f"select * from {table}")
            names = [column[0] for column in found.description]
            for row in found:
                yield from ((table, name, value) for name, value in zip(names, row, strict=True))


async def _postgres_rows(url: str) -> list[tuple[str, list[dict[str, Any]]]]:
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        names = [row[0] for row in tables]
        return [(name, [dict(row) for row in await connection.fetch(f"select * from {name}")]) for name in names]
    finally:
        await connection.close()


def cells(url: str) -> Iterator[tuple[str, str, Any]]:
    """Table, column and value of everything."""
    if url.startswith("sqlite"):
        yield from _sqlite_cells(url)
        return
    for table, rows in asyncio.run(_postgres_rows(url)):
        for row in rows:
            yield from ((table, name, value) for name, value in row.items())


def columns_with_people(url: str) -> set[tuple[str, str]]:
    return {
        (table, column)
        for table, column, value in cells(url)
        if value is not None and seen(value if isinstance(value, bytes) else str(value))
    }


def files_with_people(folder: Path, database_url: str) -> list[str]:
    """Names and contents of all files of the folder but those that the test put there and the database itself."""
    database = database_url.rpartition("/")[2] if database_url.startswith("sqlite") else "-"
    own = {"in", "one.hl7", "bad.json", "report.ndjson"}
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] not in own and not name.name.startswith(database):
            found += [str(name)] if seen(str(name)) or (path.is_file() and seen(path.read_bytes())) else []
    return found


def test_65_66_67_nothing_of_a_person_stands_where_it_does_not_belong(database_url: str, tmp_path: Path) -> None:
    ear, mailbox = Ear(), Mailbox()
    ear.start()
    port, mllp = spare_port(), spare_port()
    log = tmp_path / "hub.log"
    (tmp_path / "tmp").mkdir()
    with mailserver(mailbox) as smtp_url:
        settings = {
            "THROUGHLINE_LOG_LEVEL": "DEBUG",
            "THROUGHLINE_BASE_URL": f"http://127.0.0.1:{port}",
            "THROUGHLINE_SMTP_URL": smtp_url,
            "THROUGHLINE_MAIL_FROM": "hub@hub.example.org",
            "TMPDIR": str(tmp_path / "tmp"),
        }
        with served(Machine(tmp_path, database_url, settings), log, port, mllp) as run:
            hospital, harbor = run.headers("mercy"), run.headers("harbor")
            by_mail = {"type": "email", "endpoint": "mailto:intake@partner.example.org", "payload": "text/plain"}
            for made in (subscription(ear.url), subscription(**by_mail)):
                answer = run.web.post(f"{probes.BASE}/Subscription", content=json.dumps(made), headers=_json(harbor))
                assert answer.status_code == 201, answer.text
            until(lambda: ear.heard and mailbox.mails)
            assert tell_everything(run, hospital, harbor) > 90
            until(lambda: any(b"event-notification" in one for one in ear.heard) and len(mailbox.mails) > 1)
            type_everything(run)
            shown = run.web.get(f"{probes.BASE}/Patient", headers=harbor)
            assert {"zqfamily", "zqmrn4417", "1937-04-11"} <= {*seen(shown.content)}, "who may see it sees it"
            run.out.append(("metrics", run.web.get("/metrics").content))
            run.out.append(("health", run.web.get("/health/ready").content))
    ear.close()
    run.out += [("HTTP that went out", request) for request in ear.heard]
    run.out += [("e-mail", f"{to} {mail.as_string()} {mail.get_payload(decode=True)!r}") for to, mail in mailbox.mails]
    run.out.append(("log", log.read_bytes()))
    sighted = [f"{where}: {' '.join(found)}" for where, text in run.out if (found := seen(text))]
    assert not sighted, "\n".join(sighted)
    lines = [
        line for line in log.read_text().splitlines() if not line.startswith("INFO:     ")
    ]  # the server's own words
    assert all(json.loads(line)["event"] for line in lines), "one event, one line"
    assert columns_with_people(database_url) == HOLDS_PEOPLE
    assert files_with_people(tmp_path, database_url) == []
