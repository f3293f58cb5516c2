"""docs/access.md, done as it says against a served hub: its programs run as they stand."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.architecture.sources import ROOT
from tests.journeys.running_hub import RunningHub, command, running
from tests.journeys.stay import HARBOR, MERCY
from tests.signing import asked, by, claims_of, compact, ec_key, header_of, jwk, key_set

PARTNER = "HTEST Harbor OTP"
MAKE, ASK = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "access.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
)
Served = Callable[[], AbstractContextManager[RunningHub]]


@pytest.fixture
def served(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The same hub each time."""
    return lambda: running(monkeypatch, tmp_path, database_url, senders=[MERCY], partners=[HARBOR])


@pytest.fixture
def hub(served: Served) -> Iterator[RunningHub]:
    with served() as made:
        yield made


def run(program: str, folder: Path, **environment: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip()


def registered(hub: RunningHub, *how: str, scope: str = "system/Task.rus system/*.rs") -> dict[str, str]:
    organization = hub.organizations[PARTNER]
    made: dict[str, str] = command("client", "add", "--organization", organization, "--scope", scope, *how)
    return made


def polled(hub: RunningHub, token: str) -> int:
    return hub.web.get("/fhir/R4/Task", headers={"authorization": f"Bearer {token}"}).status_code


def by_secret(hub: RunningHub, client: dict[str, str]) -> httpx.Response:
    pair = client["client_id"], client["client_secret"]
    return hub.web.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=pair)


def test_a_client_with_keys_is_registered_gets_in_rotates_and_is_switched_off(hub: RunningHub, tmp_path: Path) -> None:
    run(MAKE, tmp_path)
    assert (tmp_path / "private.pem").stat().st_mode & 0o777 == 0o600
    made = registered(hub, "--jwks", str(tmp_path / "keys.json"))
    assert set(made) == {"client_id"}
    client = made["client_id"]
    token = run(ASK, tmp_path, HUB=hub.base, CLIENT_ID=client)
    assert polled(hub, token) == 200

    (tmp_path / "new.json").write_bytes(key_set(jwk(ec_key())))
    assert command("client", "rotate", "--client", client, "--jwks", str(tmp_path / "new.json"), "--keep", "1") == made
    kept = run(ASK, tmp_path, HUB=hub.base, CLIENT_ID=client)
    assert [polled(hub, token), polled(hub, kept)] == [200, 200]

    command("client", "revoke", "--client", client)
    until(lambda: [polled(hub, token), polled(hub, kept)] == [401, 401], seconds=1.5)
    with pytest.raises(subprocess.CalledProcessError):
        run(ASK, tmp_path, HUB=hub.base, CLIENT_ID=client)
    (line,) = [one for one in command("client", "list") if one["client_id"] == client]
    assert (line["active"], line["credentials"]) == (False, [])


def test_a_secret_is_changed_with_and_without_a_time_for_both(hub: RunningHub) -> None:
    first = registered(hub, "--secret")
    second = command("client", "rotate", "--client", first["client_id"], "--secret", "--keep", "24")
    assert [by_secret(hub, one).status_code for one in (first, second)] == [200, 200]
    token = by_secret(hub, second).json()["access_token"]
    third = command("client", "rotate", "--client", first["client_id"], "--secret")
    assert [by_secret(hub, one).status_code for one in (first, second, third)] == [401, 401, 200]
    until(lambda: polled(hub, token) == 401, seconds=1.5)


def test_31_an_assertion_that_was_used_is_refused_after_a_restart_too(served: Served) -> None:
    answers = []
    client = ""
    for attempt in range(2):
        with served() as hub:
            if not client:
                file = Path(os.environ["THROUGHLINE_KEY_FILE"]).parent / "keys.json"
                file.write_bytes(key_set(jwk(ec_key())))
                client = registered(hub, "--jwks", str(file))["client_id"]
            # The hub listens elsewhere now, so the audience is another one; the number is the same.
            claims = claims_of(client, f"{hub.base}/oauth/token", jti="HTEST-once")
            for jti in ("HTEST-once", f"HTEST-{attempt}"):
                form = asked(compact(header_of(ec_key()), claims | {"jti": jti}, by(ec_key())))
                answers.append(hub.web.post("/oauth/token", data=form))
    assert [answer.status_code for answer in answers] == [200, 200, 401, 200]
    assert "jti" in answers[2].json()["error_description"]


def test_a_client_that_can_never_get_in_is_not_registered(hub: RunningHub, tmp_path: Path) -> None:
    organization = hub.organizations[PARTNER]
    common = ("client", "add", "--organization", organization, "--scope", "system/Task.rs")
    for how in ((), ("--secret", "--jwks-url", "https://keys.example.org/jwks"), ("--jwks", "k", "--jwks-url", "u")):
        command(*common, *how, code=1)
    (tmp_path / "keys.json").write_text("{}")
    for wrong in (("--jwks", str(tmp_path / "keys.json")), ("--jwks-url", "http://keys.example.org/jwks")):
        command(*common, *wrong, code=1)
    command(*common, "--secret", "--sender", "nobody", code=1)
    assert command("client", "list") == []
    for words in (("revoke",), ("rotate", "--secret")):
        command("client", *words, "--client", "nobody", code=1)


def until(holds: Callable[[], bool], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
