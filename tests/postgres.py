"""A throw-away PostgreSQL cluster for the test session: own directory, spare port on loopback, own password.

A server that already runs on this machine is neither used nor touched. Fixtures: ``postgres_server`` (session) and
``fresh_database`` (a factory of empty or copied databases, dropped after the test).
"""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.requirements import missing

_STARTS = 3  # the port is free when asked for, but may be taken before the server binds it
_SECONDS = 60

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

    @property
    def admin_url(self) -> str:
        """The superuser, in the maintenance database."""
        return self.url("postgres")

    def url(self, database: str) -> str:
        """The superuser, in ``database``."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """A new database, a copy of ``template`` (which nobody may be connected to); its URL."""
        self._made += 1
        name = f"t{self._made}"
        # A file copy is several times quicker than the WAL-logged default while fsync is off.
        self.sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def template(self, key: str, prepare: Callable[[str], None]) -> str:
        """The template named by ``key``; ``prepare(url)`` fills it at the first call and must close its connections."""
        if key not in self.templates:
            url = self.create()
            prepare(url)
            self.templates[key] = url.rpartition("/")[2]
        return self.templates[key]

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def sql(self, statement: str) -> str:
        """Run one statement as superuser in the maintenance database; the output of psql, tuples only."""
        connection = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return _run(self.bin / "psql", [*connection, *options], None, {"PGPASSWORD": self.password})

    def start(self) -> None:
        """Start on the port, over the data that is there; RuntimeError with the server's words when it can't."""
        options = ["-l", str(self.home / "log"), "-w", "-t", str(_SECONDS), "-o", f"-p {self.port} {self.flags}"]
        _run(self.bin / "pg_ctl", ["-D", str(self.home / "data"), *options, "start"], self.user, {})

    def stop(self) -> None:
        """Stop at once, as by a crash: what was committed is found again at the next start."""
        _run(self.bin / "pg_ctl", ["-D", str(self.home / "data"), "-m", "immediate", "-w", "stop"], self.user, {})


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
        server = PostgresServer(binaries, home, _spare_port(), password, user, flags)
        try:
            server.start()
        except RuntimeError as error:
            if attempt == _STARTS:
                log = (home / "log").read_text(errors="replace") if (home / "log").exists() else "no log"
                raise RuntimeError(f"{error}\n{log}") from error
        else:
            return server
    raise AssertionError("the loop above returns or raises")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The session's cluster; skipped, or failed where required, when PostgreSQL is not installed."""
    binaries = find_bin()
    if binaries is None:
        missing("postgres", "pg_ctl not found")
    home = Path(tempfile.mkdtemp(prefix="throughline-pg-"))
    try:
        server = start(binaries, home)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


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


def _spare_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
