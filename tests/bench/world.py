"""What is measured: a PostgreSQL cluster that syncs every commit, a hub on it with who takes part, its processes."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from app.core.crypto import create_key_file
from app.core.settings import Settings
from app.services import opening
from app.services.bench import bench, bench_machine
from app.services.bench.bench_load import Target, once, request
from app.store import migrate
from tests import postgres
from tests.postgres import PostgresServer
from tests.scratch import spare_port

ROOT = Path(__file__).parents[2]
SERVER_OPTIONS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "wal_level": "replica",
    "autovacuum_naptime": "1min",
    "max_connections": "100",
}
"""The rest is as PostgreSQL comes."""
_START_SECONDS = 30


@dataclass(slots=True)
class World:
    """One migrated database with a hospital, a partner and their tokens."""

    server: PostgresServer
    home: Path
    url: str
    empty: str
    """URL of a migrated database without anybody, for the ceiling."""
    partner: str = ""
    ingest_token: str = ""

    @property
    def settings(self) -> Settings:
        """As the processes see them."""
        return Settings(_env_file=None, database_url=self.url, key_file=self.home / "keys", log_level="WARNING")

    @property
    def postmaster(self) -> int:
        """Process id of PostgreSQL."""
        return int((self.server.home / "data" / "postmaster.pid").read_text().splitlines()[0])


@dataclass(frozen=True, slots=True)
class Serving:
    """A running hub."""

    target: Target
    pid: int
    ready_seconds: float


@contextmanager
def world() -> Iterator[World]:
    """A cluster of its own beside the temporary files; nothing stays."""
    binaries = postgres.find_bin()
    if binaries is None:
        raise SystemExit("The benchmark needs PostgreSQL (pg_ctl); throughline bench measures on SQLite.")
    home = Path(tempfile.mkdtemp(prefix="throughline-bench-"))
    data = home / "cluster"
    data.mkdir()
    home.chmod(0o755)
    try:
        server = postgres.start(binaries, data, fsync=True, options=SERVER_OPTIONS)
        try:
            yield asyncio.run(_founded(server, home))
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _founded(server: PostgresServer, home: Path) -> World:
    made = World(server, home, server.create(), "")
    await migrate.upgrade(made.url)
    made.empty = server.create(made.url.rpartition("/")[2])
    create_key_file(home / "keys")
    async with opening.opened(made.settings) as hub:
        founded = await bench.found(hub)
    made.partner = founded.partner
    made.ingest_token = founded.ingest_token
    return made


@contextmanager
def serving(made: World, *, workers: int = 2, bench_app: bool = False) -> Iterator[Serving]:
    """``throughline serve`` on the world's database; ``bench_app`` adds the bare route."""
    port = spare_port()
    program = [sys.executable, "-m", "tests.bench.app" if bench_app else "app.cli", "serve"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    environment |= {
        "THROUGHLINE_DATABASE_URL": made.url,
        "THROUGHLINE_KEY_FILE": str(made.home / "keys"),
        "THROUGHLINE_LOG_LEVEL": "WARNING",
    }
    arguments = ["--port", str(port), "--mllp-port", "0", "--workers", str(workers)]
    with (made.home / "serve.log").open("ab") as log:
        began = time.monotonic()
        process = subprocess.Popen([*program, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            target = Target("127.0.0.1", port)
            yield Serving(target, process.pid, asyncio.run(_ready(target, process, began, made.home / "serve.log")))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def analyzed(made: World) -> None:
    """What autovacuum does within a minute; until then plans are those of empty tables."""
    connection = await asyncpg.connect(made.url)
    try:
        await connection.execute("analyze")
    finally:
        await connection.close()


async def _ready(target: Target, process: "subprocess.Popen[bytes]", began: float, log: Path) -> float:
    """Seconds until the hub said that it is ready."""
    while time.monotonic() - began < _START_SECONDS and process.poll() is None:
        try:
            status, _, _ = await once(target, request("GET", "/health/ready"))
        except (OSError, asyncio.IncompleteReadError):
            status = 0
        if status == 200:
            return time.monotonic() - began
        await asyncio.sleep(0.01)
    told = await asyncio.to_thread(log.read_text, errors="replace")
    raise SystemExit(f"The hub did not start:\n{told[-4000:]}")


def sync_micros(folder: Path, count: int = 100) -> dict[str, float]:
    """Median and worst microseconds of fdatasync after a write of 8 kB in ``folder``: the price of a commit."""
    found = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(count):
            file.write(b"x" * 8192)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            found.append((time.perf_counter() - began) * 1e6)
    found.sort()
    return {"median": round(found[count // 2]), "worst": round(found[-1])}


@dataclass(slots=True)
class Meter:
    """CPU seconds of the hub's and of PostgreSQL's processes, from one look to the next."""

    app: int
    database: int
    last: tuple[float, ...] = ()
    others: float = 0.0
    """Processors that others kept busy during the last measurement, the host of a virtual machine included."""

    def start(self) -> None:
        """Count from here."""
        self.last = self._now()

    def stop(self) -> tuple[float, float]:
        """Seconds of the hub, seconds of PostgreSQL."""
        app, database, ours, everybody, passed = (
            now - before for now, before in zip(self._now(), self.last, strict=True)
        )
        self.others = max(0.0, (everybody - ours - database) / passed)
        return app, database

    def _now(self) -> tuple[float, ...]:
        own = (bench_machine.cpu_seconds(pid) for pid in (self.app, self.database, os.getpid()))
        return (*own, bench_machine.all_cpu_seconds(), time.monotonic())
