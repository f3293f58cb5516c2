"""A throw-away PostgreSQL cluster for the test session: own directory, spare port on loopback, own password.

A server that already runs on this machine is neither used nor touched. Fixtures: ``postgres_server`` (session) and
``fresh_database`` (a factory of empty or copied databases, dropped after the test).

Statements of the superuser go to one psql that stays. A process and a connection for each cost more than the copy of
a database; and what nobody waits for (a database is dropped, the next one copied) is done beside the test that runs.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.requirements import missing
from tests.scratch import folder, spare_port

_STARTS = 3  # the port is free when asked for, but may be taken before the server binds it
_SECONDS = 60
_MARK = "---- answered"
_PREFIX = "throughline-pg-"
_OWNER = "owner"
"""The file in a cluster's home that names the process it was made for."""

FreshDatabase = Callable[..., str]
"""``fresh_database(template="template1") -> url``"""


@dataclass(slots=True)
class PostgresServer:
    """A running cluster; URLs are ``postgresql://user:password@127.0.0.1:port/name``."""

    bin: Path
    home: Path
    port: int
    password: str
    user: str | None
    flags: str = ""
    """Settings, as the server takes them on its command line."""
    templates: dict[str, str] = field(default_factory=dict)
    _made: int = 0
    _console: "_Console | None" = None
    _spares: "dict[str, tuple[str, _Answer]]" = field(default_factory=dict)
    """Template to the name of a copy that is being made of it."""

    @property
    def admin_url(self) -> str:
        """The superuser, in the maintenance database."""
        return self.url("postgres")

    def url(self, database: str) -> str:
        """The superuser, in ``database``."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """A new database, a copy of ``template`` (which nobody may be connected to); its URL."""
        name, made = self._copy(template)
        made.text()
        return self.url(name)

    def copy_of(self, template: str) -> str:
        """As ``create``, for a template that is asked for often: the next copy is made ahead."""
        name, made = self._spares.pop(template) if template in self._spares else self._copy(template)
        made.text()
        self._spares[template] = self._copy(template)
        return self.url(name)

    def _copy(self, template: str) -> "tuple[str, _Answer]":
        self._made += 1
        name = f"t{self._made}"
        # A file copy is several times quicker than the WAL-logged default while fsync is off.
        return name, self._say(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")

    def template(self, key: str, prepare: Callable[[str], None], base: str = "template1") -> str:
        """The template named by ``key``, a copy of ``base``.

        ``prepare(url)`` fills it at the first call and must close its connections.
        """
        if key not in self.templates:
            url = self.create(base)
            prepare(url)
            self.templates[key] = url.rpartition("/")[2]
        return self.templates[key]

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected. Nobody waits for it; a refusal meets the next statement."""
        self._say(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def sql(self, statement: str) -> str:
        """Run a statement as superuser in the maintenance database; the output of psql, tuples only."""
        return self._say(statement).text()

    def _say(self, statement: str) -> "_Answer":
        if self._console is None or self._console.ended:
            connection = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
            options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
            self._console = _Console([str(self.bin / "psql"), *connection, *options], self.password)
        return self._console.say(statement)

    def start(self) -> None:
        """Start on the port, over the data that is there; RuntimeError with the server's words when it can't."""
        options = ["-l", str(self.home / "log"), "-w", "-t", str(_SECONDS), "-o", f"-p {self.port} {self.flags}"]
        _run(self.bin / "pg_ctl", ["-D", str(self.home / "data"), *options, "start"], self.user, {})

    def stop(self) -> None:
        """Stop at once, as by a crash: what was committed is found again at the next start."""
        self._spares.clear()
        if self._console is not None:
            self._console.end()
            self._console = None
        _run(self.bin / "pg_ctl", ["-D", str(self.home / "data"), "-m", "immediate", "-w", "stop"], self.user, {})


class _Console:
    """A psql that reads statements from a pipe and answers in their order."""

    def __init__(self, command: Sequence[str], password: str) -> None:
        self._psql = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGPASSWORD": password},
            cwd="/",
            text=True,
        )
        self._asked: deque[_Answer] = deque()
        self.ended = False

    def say(self, statement: str) -> "_Answer":
        """Hand a statement over; the answer is waited for when it is looked at."""
        assert self._psql.stdin is not None
        answer = _Answer(self, statement)
        self._asked.append(answer)
        try:
            self._psql.stdin.write(f"{statement}\n;\n\\echo {_MARK}\n")
            self._psql.stdin.flush()
        except BrokenPipeError:
            self.end()
        return answer

    def read_up_to(self, wanted: "_Answer") -> None:
        """Read the answers up to ``wanted``; RuntimeError with psql's words when it gave up on one of them."""
        assert self._psql.stdout is not None
        while wanted in self._asked:
            lines: list[str] = []
            while (line := self._psql.stdout.readline()) != f"{_MARK}\n":
                if not line:
                    statement = self._asked[0].statement
                    self.end()
                    raise RuntimeError(f"psql ended at {statement!r}: {''.join(lines).strip()}")
                lines.append(line)
            self._asked.popleft().output = "".join(lines)

    def end(self) -> None:
        """Say no more; what was said and not begun is forgotten."""
        self.ended = True
        self._psql.kill()
        self._psql.communicate()


@dataclass(slots=True, eq=False)
class _Answer:
    """What psql prints about a statement, once it is known."""

    console: _Console
    statement: str
    output: str | None = None

    def text(self) -> str:
        """The output; waits for it."""
        if self.output is None:
            self.console.read_up_to(self)
        if self.output is None:
            raise RuntimeError(f"psql had ended before {self.statement!r}")
        return self.output


def find_bin() -> Path | None:
    """The folder of ``pg_ctl``: from PATH, else the newest that Debian's packages installed, else None."""
    on_path = shutil.which("pg_ctl")
    if on_path:
        return Path(on_path).resolve().parent
    versions = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    return max(versions, key=lambda path: float(path.parent.name), default=None)


def start(
    binaries: Path, home: Path, *, fsync: bool = False, options: Mapping[str, str] | None = None
) -> PostgresServer:
    """Create a cluster in the empty folder ``home`` and start it.

    ``fsync`` False keeps the semantics of COMMIT towards a process that dies, not towards a machine that does.
    ``options`` are server settings laid over the ones here.
    """
    user = _unprivileged_user()
    password = secrets.token_hex(16)
    secret = home / "password"
    secret.write_text(password)
    if user:
        for path in (home, secret):
            shutil.chown(path, user)
    # Clear text over loopback: SCRAM would cost every connection of every test some 10 ms.
    rights = ["--auth=password", f"--pwfile={secret}", "--username=postgres"]
    data = str(home / "data")
    _run(binaries / "initdb", ["-D", data, *rights, "--encoding=UTF8", "--locale=C", "--no-sync"], user, {})
    settings = _settings(fsync=fsync) | dict(options or {})
    for attempt in range(1, _STARTS + 1):
        flags = " ".join(f"-c {name}={value}" for name, value in settings.items())
        server = PostgresServer(binaries, home, spare_port(), password, user, flags)
        try:
            server.start()
        except RuntimeError as error:
            if attempt == _STARTS:
                log = (home / "log").read_text(errors="replace") if (home / "log").exists() else "no log"
                raise RuntimeError(f"{error}\n{log}") from error
        else:
            return server
    raise AssertionError("the loop above returns or raises")


@contextmanager
def cluster() -> Iterator[PostgresServer]:
    """A cluster that is gone afterwards; skips, or fails where required, when PostgreSQL is not installed."""
    binaries = find_bin()
    if binaries is None:
        missing("postgres", "pg_ctl not found")
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=folder()))
    (home / _OWNER).write_text(str(os.getpid()))
    try:
        server = start(binaries, home)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _sweep() -> None:
    """Remove what a run left that was killed: its server would run on, and its files might fill the memory."""
    for owner in folder().glob(f"{_PREFIX}*/{_OWNER}"):
        with suppress(OSError, ValueError):
            if _runs(int(owner.read_text())):
                continue
            with suppress(FileNotFoundError, ProcessLookupError):
                os.kill(int((owner.parent / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGQUIT)
            shutil.rmtree(owner.parent, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's cluster."""
    with cluster() as server:
        yield server


@pytest.fixture
def fresh_database(postgres_server: PostgresServer) -> Iterator[FreshDatabase]:
    """A factory of databases that live as long as the test: ``fresh_database(template=...)`` returns a URL."""
    urls: list[str] = []

    def create(template: str = "template1") -> str:
        urls.append(postgres_server.create(template))
        return urls[-1]

    yield create
    for url in urls:
        postgres_server.drop(url)


def _settings(*, fsync: bool) -> dict[str, str]:
    return {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "''",
        "max_connections": "100",
        "shared_buffers": "64MB",
        "fsync": "on" if fsync else "off",
        "full_page_writes": "on" if fsync else "off",
        "synchronous_commit": "on",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "256MB",
        "autovacuum_naptime": "10min",
        "timezone": "UTC",
    }


def _unprivileged_user() -> str | None:
    """Who runs the server: ourselves (None), or for root, whom PostgreSQL refuses, ``postgres`` or ``nobody``."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(program: Path, arguments: list[str], user: str | None, environment: dict[str, str]) -> str:
    who = pwd.getpwnam(user) if user else None
    with tempfile.TemporaryFile() as output:
        # A file and no pipe: the server inherits it, and a pipe would stay open as long as the server runs.
        done = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **environment},
            cwd="/",
            user=who.pw_uid if who else None,
            group=who.pw_gid if who else None,
            extra_groups=[] if who else None,
            timeout=2 * _SECONDS,
            check=False,
        )
        output.seek(0)
        text = output.read().decode(errors="replace")
    if done.returncode:
        raise RuntimeError(f"{program.name} ended with {done.returncode}: {text.strip()}")
    return text
