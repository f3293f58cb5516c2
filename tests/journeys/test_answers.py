"""From a hospital's discharge to the "first dose given" that it hears, over MLLP and FHIR; and through a kill."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.answered import progress, reported
from tests.journeys.machine import Machine, wait_for
from tests.journeys.running_hub import Caller, Resource, RunningHub, ack_code, command, running
from tests.journeys.stay import HARBOR, MERCY, Stay
from tests.mllp_receivers import Came, MllpReceiver, taking_answers
from tests.scratch import spare_port

FIRST_DOSE = "Seen, first dose given"
IN_ORDER = ["Accepted", "In progress", FIRST_DOSE]


def answered(receiver: MllpReceiver, **settings: Any) -> Resource:
    return {**MERCY, "answers": {"to": receiver.to, **settings}}


def work(partner: Caller) -> str:
    """The partner accepts, works, and gives the first dose; the id of the source Task."""
    (child,) = partner.search("Task")
    for status, more in (("accepted", ()), ("in-progress", ()), ("completed", (reported("first-dose-given"),))):
        child = partner.moved(child, status, *more)
    source: str = child["partOf"][0]["reference"]
    return source.removeprefix("Task/")


async def test_the_hospital_discharges_by_hl7_and_hears_by_hl7_that_the_first_dose_was_given(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with taking_answers() as receiver:

        def go(hub: RunningHub) -> str:
            with hub.mllp() as line:
                assert [ack_code(line.send(message)) for message in Stay(1).whole()] == ["AA"] * 5
            return work(hub.caller("HTEST Harbor OTP"))

        def serving() -> Generator[RunningHub]:
            with running(monkeypatch, tmp_path, database_url, senders=[answered(receiver)], partners=[HARBOR]) as hub:
                yield hub

        hubs = serving()
        hub = await asyncio.to_thread(next, hubs)
        try:
            source = await asyncio.to_thread(go, hub)
            came = await receiver.several(3)
            assert [progress(one.text) for one in came] == IN_ORDER
            assert {one.field("TXA", 12) for one in came} == {f"{source}^THROUGHLINE"}
            assert {one.field("PID", 3).partition("^")[0] for one in came} == {Stay(1).mrn}
            hospital = await asyncio.to_thread(hub.caller, "mercy")
            task = await asyncio.to_thread(hospital.fhir, f"Task/{source}")
            assert task["status"] == "completed"
            assert await asyncio.to_thread(command, "answers", "list") == []
            looks = await asyncio.to_thread(hospital.search, "AuditEvent?_count=100")
            readers = {agent["who"].get("identifier", {}).get("value") for one in looks for agent in one["agent"]}
            assert "hl7v2-out" in readers
            figures = await asyncio.to_thread(lambda: hub.web.get("/metrics").text)
            assert 'throughline_sender_answers_parked{sender="mercy"} 0' in figures
        finally:
            await asyncio.to_thread(hubs.close)


# ---- kill -9


@dataclass
class Served:
    """``throughline serve`` in a process of its own."""

    process: "subprocess.Popen[str]"
    base: str

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)


@asynccontextmanager
async def serving(machine: Machine) -> AsyncIterator[Served]:
    port = spare_port()
    with (machine.folder / "serve.log").open("a") as log:
        process = machine.start("serve", "--port", str(port), "--mllp-port", "0", output=log)
        base = f"http://127.0.0.1:{port}"
        try:
            await asyncio.to_thread(wait_for, f"{base}/health/ready", process)
            yield Served(process, base)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait, 15)


def prepared(machine: Machine, receiver: MllpReceiver) -> Caller:
    """The hub's registrations; the partner's client, with a token of five minutes."""
    machine.type("db", "upgrade")
    machine.type("partner", "import", machine.write("partners.json", json.dumps([HARBOR])))
    sender = machine.write("mercy.json", json.dumps(answered(receiver)))
    machine.type("sender", "add", "mercy", "--file", sender)
    visit = b"".join(Stay(1).whole())
    machine.type("ingest", machine.write("visit.hl7", visit), "--sender", "mercy")
    (partner,) = machine.json("partner", "import", "partners.json")
    words = ("--organization", partner["organization"], "--scope", "system/*.rus", "--secret")
    client = machine.json("client", "add", *words)["client_id"]
    token = machine.type("token", "--client", client).stdout.strip().rpartition("\n")[2]
    return Caller(httpx.Client(), partner["organization"], {"authorization": f"Bearer {token}"})


@pytest.mark.parametrize("moment", ["before it is acknowledged", "once it is acknowledged"])
async def test_a_hub_that_is_killed_while_it_tells_loses_nothing_and_keeps_the_order(
    database_url: str, tmp_path: Path, moment: str
) -> None:
    machine = Machine(tmp_path, database_url)
    async with taking_answers() as receiver:
        partner = await asyncio.to_thread(prepared, machine, receiver)
        async with serving(machine) as first:

            def dies(came: Came) -> None:
                # Of the second answer: the first has arrived, and a third waits behind it.
                if "Status: In progress" in came.text:
                    first.kill()

            if moment == "before it is acknowledged":
                receiver.heard = dies
            else:
                receiver.answered = dies
            partner.web = httpx.Client(base_url=first.base, timeout=15, trust_env=False)
            worked = asyncio.create_task(asyncio.to_thread(work, partner))
            await receiver.until(lambda came: any("Status: In progress" in one.text for one in came))
            await asyncio.gather(worked, return_exceptions=True)
            await asyncio.to_thread(first.process.wait, 15)
            partner.web.close()
        receiver.heard = receiver.answered = lambda _: None
        # The lease of the process that is no more ends after two minutes.
        then = (datetime.now(UTC) + timedelta(minutes=3)).isoformat()
        later = Machine(tmp_path, database_url, {"THROUGHLINE_FAKE_CLOCK": then})
        async with serving(later) as second:
            partner.web = httpx.Client(base_url=second.base, timeout=15, trust_env=False)
            await asyncio.to_thread(finished, partner)
            await receiver.until(lambda came: FIRST_DOSE in [progress(one.text) for one in came])
            partner.web.close()
    numbers = list(dict.fromkeys(one.control_id for one in receiver.came))
    assert [progress(next(c for c in receiver.came if c.control_id == n).text) for n in numbers] == IN_ORDER
    assert len({one.data for one in receiver.came}) == 3
    assert [one.control_id for one in receiver.came] == sorted(
        (one.control_id for one in receiver.came), key=numbers.index
    )


def finished(partner: Caller) -> None:
    """What of its work the partner could not say before the hub was killed."""
    (child,) = partner.search("Task")
    if child["status"] != "completed":
        partner.moved(child, "completed", reported("first-dose-given"))
