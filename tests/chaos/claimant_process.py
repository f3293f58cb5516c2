"""Claimants in a process of their own: each line (JSON) is a round in which all of them accept at the same moment.

``python -m tests.chaos.claimant_process`` prints ``ready``, then one line for each round: what each was answered, first
to its acceptance, and then: who was accepted asks for the same again, who was not looks for the person.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

import httpx

from app.main import attach, create_app
from tests.chaos.story import started
from tests.hub_fixtures import FAST

FHIR = "/fhir/R4"
ACCEPT = json.dumps([{"op": "replace", "path": "/status", "value": "accepted"}])
PATCH = {"content-type": "application/json-patch+json"}


async def claim(web: httpx.AsyncClient, token: str, task: str, patient: str) -> tuple[str, str]:
    """What one claimant is answered, in two words."""
    headers = {"authorization": f"Bearer {token}"}
    first = _word(await web.patch(f"{FHIR}/Task/{task}", content=ACCEPT, headers=headers | PATCH))
    if first != "200 accepted":
        return first, _word(await web.get(f"{FHIR}/Patient/{patient}", headers=headers))
    return first, _word(await web.patch(f"{FHIR}/Task/{task}", content=ACCEPT, headers=headers | PATCH))


def _word(answer: httpx.Response) -> str:
    status = answer.json().get("status") if answer.status_code == 200 else None
    return f"{answer.status_code} {status}" if status else str(answer.status_code)


async def work() -> None:
    """One round for each line, over the database that it names; none named: let go of the one before."""
    app = create_app(FAST)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    loop = asyncio.get_running_loop()
    url = ""
    async with AsyncExitStack() as stack, httpx.AsyncClient(transport=transport, base_url="http://hub.test") as web:
        _say("ready")
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            order: dict[str, Any] = json.loads(line)
            if order["url"] != url:
                await stack.aclose()
                url = order["url"]
                if url:
                    attach(app, await stack.enter_async_context(started(url)))
            _say(
                await asyncio.gather(*(claim(web, token, task, order["patient"]) for token, task in order["claimants"]))
            )


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(work())
