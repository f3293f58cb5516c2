"""What the demo prints: where things are, who may call, and the commands that walk the loop; all can be pasted."""

import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Final

from app.core.clock import monotonic
from app.services.demo import demo_world
from app.services.demo.demo_messages import DRUGS, Chart
from app.services.demo.demo_world import MERCY, Account, World

_READY_SECONDS: Final = 60
_WIDTH: Final = 20
_PATCH: Final = "-X PATCH -H 'Content-Type: application/json-patch+json'"
_FIRST: Final = 'import json,sys; t=json.load(sys.stdin)["entry"][0]["resource"]; '
_THIS: Final = 'import json,sys; t=json.load(sys.stdin); print("Task", t["status"], "version", t["meta"]["versionId"])'
_OUTPUT: Final = '[{"type":{"text":"Outcome"},"valueString":"First dose given and observed."}]'


_SHIFTED: Final = """\
# The demo's own clock, for commands on this machine: as long ago, or ahead, as it was when the demo began.
export THROUGHLINE_FAKE_CLOCK="$({python} -c '
from datetime import datetime, timedelta, timezone
print((datetime.now(timezone.utc) + timedelta(seconds={seconds})).isoformat(timespec="seconds"))')"
"""


def write_files(folder: Path, world: World, environment: Mapping[str, str], shift: int) -> None:
    """The files that the commands use; they hold secrets, so nobody else may read them.

    ``shift``: by how many seconds the demo's clock differs from the machine's.
    """
    everyone = [*world.hospitals.values(), *world.partners.values()]
    _private(folder / "accounts.json", json.dumps([asdict(account) for account in everyone], indent=2) + "\n")
    _private(folder / "env", exported(environment, shift))
    (folder / "discharge.hl7").write_bytes(_discharge(world))


def exported(environment: Mapping[str, str], shift: int) -> str:
    """What a shell reads to be the demo's, its clock included."""
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
    return lines + (_SHIFTED.format(python=shlex.quote(sys.executable), seconds=shift) if shift else "")


def _private(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)


def _discharge(world: World) -> bytes:
    """A dose of this morning, three days of film handed over at the bedside, and the A03."""
    left = world.now - timedelta(minutes=5)
    chart = Chart(MERCY, demo_world.person(77), "4W", left - timedelta(days=3))
    film = DRUGS["film"]
    return b"".join(
        (
            chart.dose(film, left - timedelta(hours=4)),
            chart.supply(film, left - timedelta(minutes=30), 3),
            chart.discharge(left, "01", "F11.20"),
        )
    )


def guide(world: World, base: str, mllp: str, folder: Path) -> str:
    """The whole text."""
    hospital, partner = world.hospitals["mercy"], world.partners[demo_world.BRIDGE]
    environment = shlex.quote(str(folder / "env"))
    where = {
        "API documentation": f"{base}/docs",
        "Capabilities": f"{base}/fhir/R4/metadata",
        "HL7 v2 by HTTP": f"{base}/ingest/hl7v2",
        "HL7 v2 by MLLP": mllp,
        "Accounts": f"{folder / 'accounts.json'} (clients, secrets and tokens of all)",
        "Command line": f"(. {environment}; {shlex.quote(_program())} ledger --state review)",
    }
    lines = [
        "Throughline demo: everybody in it is invented. Ctrl-C ends it; the next start makes it anew.",
        "",
        *_aligned(where),
        "",
        *_aligned(_numbers(world)),
        "",
        *_account(hospital, "sends and reads its outcomes"),
        *_account(partner, "receives"),
    ]
    for number, (title, command) in enumerate(_steps(hospital, partner, base, folder), 1):
        lines += [f"{number}. {title}" if number < 5 else f"Then: {title}", "", f"  {command}", ""]
    return "\n".join(lines)


def _program() -> str:
    """The command of this very installation; a shell that did not activate its environment finds it too."""
    beside = Path(sys.executable).with_name("throughline")
    return str(beside) if beside.exists() else "throughline"


def _aligned(rows: Mapping[str, str]) -> list[str]:
    return [f"  {name:<{_WIDTH}}{value}" for name, value in rows.items()]


def _numbers(world: World) -> dict[str, str]:
    return {
        "In it": f"{len(world.hospitals)} hospitals, {len(world.partners)} partners",
        "Referrals": _counts(world.referrals),
        "Messages": _counts(world.messages),
    }


def _counts(numbers: Mapping[str, int]) -> str:
    each = ", ".join(f"{count} {name}" for name, count in sorted(numbers.items(), key=lambda one: -one[1]))
    return f"{sum(numbers.values())}: {each}"


def _account(account: Account, role: str) -> Iterator[str]:
    yield f"  {account.name} ({role})"
    yield from _aligned(
        {
            "  client id": account.client.client_id,
            "  client secret": account.client.client_secret,
            "  bearer token": f"{account.token} (12 hours)",
        }
    )
    yield ""


def _steps(hospital: Account, partner: Account, base: str, folder: Path) -> Sequence[tuple[str, str]]:
    """Title and command: send, poll, accept, complete, and what the hospital reads afterwards."""
    fhir = f"{base}/fhir/R4"
    sends, asks = (f"curl -sS -H 'Authorization: Bearer {account.token}'" for account in (hospital, partner))
    file, found = shlex.quote(str(folder / "discharge.hl7")), shlex.quote(str(folder / "task"))
    newest = "_sort=-_lastUpdated&_count=1"
    task = f'"{fhir}/Task/$(cat {found})"'
    shows_id = f"""python3 -c '{_FIRST}print(t["id"])' | tee {found}"""
    shows_outcome = f"""python3 -c '{_FIRST}print("Task", t["status"]); print(t["output"][0]["valueString"])'"""
    accept = '[{"op":"replace","path":"/status","value":"accepted"}]'
    complete = (
        f'[{{"op":"add","path":"/output","value":{_OUTPUT}}},{{"op":"replace","path":"/status","value":"completed"}}]'
    )
    hl7 = f"-H 'Content-Type: application/hl7-v2' --data-binary @{file}"
    return (
        (
            "The hospital sends a dose, a supply and a discharge. Each is answered when it is on disk: AA.",
            f"{sends} {hl7} {base}/ingest/hl7v2 | tr '\\r' '\\n'",
        ),
        (
            "The partner polls for what is new. Its Task:",
            f"{asks} '{fhir}/Task?status=requested&{newest}' | {shows_id}",
        ),
        ("It accepts.", f"{asks} {_PATCH} -d '{accept}' {task} | python3 -c '{_THIS}'"),
        ("The dose was given: it completes.", f"{asks} {_PATCH} -d '{complete}' {task} | python3 -c '{_THIS}'"),
        ("the hospital reads the outcome.", f"{sends} '{fhir}/Task?status=completed&{newest}' | {shows_outcome}"),
    )


def when_ready(host: str, port: int, text: str) -> None:
    """Print ``text`` as soon as the port answers, beside the server that is about to start."""
    Thread(target=_announce, args=(host, port, text), daemon=True).start()


def _announce(host: str, port: int, text: str) -> None:
    until, pause = monotonic() + _READY_SECONDS, Event()
    while monotonic() < until:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            pause.wait(0.05)
            continue
        sys.stdout.write(text)
        sys.stdout.flush()
        return
