"""docs/clients/integration-engine.md is true: its messages, sent as they stand, are answered as it says."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.conformance.clients.served import Served, serving
from tests.journeys.running_hub import Resource, ack_code

GUIDE: Final = (Path(__file__).parents[2] / "docs" / "clients" / "integration-engine.md").read_text("utf-8")
FENCE: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for said, text in FENCE.findall(GUIDE) if said == language]


@dataclass
class Channel:
    """An engine that sends what the guide shows, in order, and keeps what it puts in the places in capitals."""

    served: Served
    values: dict[str, str] = field(default_factory=dict)
    shown: Iterator[str] = field(default_factory=lambda: iter(blocks("http")))

    def following(self) -> httpx.Response:
        return self.send(next(self.shown))

    def send(self, message: str) -> httpx.Response:
        # The longest name first, and in one pass: nothing is looked for in what was put in.
        names = "|".join(re.escape(name) for name in sorted(self.values, key=len, reverse=True))
        filled = re.sub(names, lambda found: self.values[found[0]], message)
        head, _, body = filled.partition("\n\n")
        request, *lines = head.strip().splitlines()
        method, path = request.split(" ")
        content = body.replace("\n", "\r") if "application/hl7-v2" in head else body
        headers = dict(line.split(": ", 1) for line in lines)
        return self.served.hub.web.request(method, path, headers=headers, content=content.strip("\n").encode())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, f"sqlite:///{tmp_path / 'throughline.db'}", referrals=1) as made:
        yield made


def anonymous(message: bytes) -> str:
    """An acknowledgement without its own time and number."""
    return re.sub(
        r"\|\d{14}[+-]\d{4}\|(.*?)\|[0-9a-f-]{36}\|", r"|TIME|\1|NUMBER|", message.decode().replace("\r", "\n")
    )


def test_the_message_of_the_mllp_channel_is_answered_as_shown(served: Served) -> None:
    sent, shown = blocks("hl7")
    with served.hub.mllp() as line:
        answers = [line.send(sent.replace("\n", "\r").encode()) for _ in range(2)]
    assert [anonymous(answer) for answer in answers] == [anonymous(shown.encode())] * 2
    assert [entry["state"] for entry in served.hub.ledger()].count("duplicate") == 1


def test_the_requests_of_the_guide_work_in_the_order_in_which_they_stand(served: Served) -> None:
    token = served.hospital.headers["authorization"].removeprefix("Bearer ")
    channel = Channel(served, {"TOKEN": token})
    acknowledged = channel.following()
    assert (acknowledged.status_code, ack_code(acknowledged.content)) == (200, "AA")

    pair = f"{served.client_id}:{served.client_secret}".encode()
    channel.values["BASE64-OF-ID-AND-SECRET"] = b64encode(pair).decode()
    channel.values["TOKEN"] = channel.following().json()["access_token"]

    channel.values["SINCE"] = "2026-01-01T00:00:00Z"
    poll = next(channel.shown)
    (task, *_) = [entry["resource"] for entry in channel.send(poll).json()["entry"]]
    channel.values |= {"SINCE": task["meta"]["lastUpdated"], "TASK": task["id"], "VERSION": task["meta"]["versionId"]}
    assert "entry" not in channel.send(poll).json()

    accepted: Resource = channel.following().json()
    assert accepted["status"] == "accepted"
    (change,) = blocks("json")
    channel.values |= {
        "VERSION": accepted["meta"]["versionId"],
        "PERSON": accepted["for"]["reference"],
        '"THE TASK"': json.dumps(accepted | json.loads(change)),
    }
    report = next(channel.shown)
    first, again = channel.send(report), channel.send(report)
    assert (first.status_code, again.status_code) == (200, 200), again.text
    assert [entry["response"]["status"][:3] for entry in first.json()["entry"]] == ["201", "200"]
    assert [entry["response"]["status"][:3] for entry in again.json()["entry"]] == ["200", "200"]
    assert len(served.reported()) == 1
    assert next(channel.shown, None) is None
