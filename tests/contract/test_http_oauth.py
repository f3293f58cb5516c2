from base64 import b64encode
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest

from tests.contract.fhir_callers import Resource, caller
from tests.hub_fixtures import World

GRANT = {"grant_type": "client_credentials"}
CREDENTIALS = b"grant_type=client_credentials"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def sent(pair: bytes) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(pair).decode()}"}


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = b64encode(f"{quote(client_id, safe='')}:{quote(secret, safe='')}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


async def test_a_client_gets_a_token_that_opens_what_it_is_registered_for(web: httpx.AsyncClient, world: World) -> None:
    made = await world.client(world.mercy, "ingest system/Task.rs")
    answer = await web.post("/oauth/token", data=GRANT, headers=basic(made.client_id, made.client_secret))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("bearer", 300, "ingest system/Task.rs")
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == (
        "no-store",
        "application/json; charset=utf-8",
    )
    opened = await web.post(
        "/ingest/hl7v2",
        content=b"MSH",
        headers={"authorization": f"Bearer {body['access_token']}", "content-type": "text/plain"},
    )
    assert opened.status_code == 400


async def test_a_scope_may_be_less_than_the_registration_but_not_more(web: httpx.AsyncClient, world: World) -> None:
    made = await world.client(world.mercy, "system/Task.rus")
    headers = basic(made.client_id, made.client_secret)
    less = await web.post("/oauth/token", data=GRANT | {"scope": "system/Task.rs"}, headers=headers)
    assert less.json()["scope"] == "system/Task.rs"
    more = await web.post("/oauth/token", data=GRANT | {"scope": "system/Task.rs ingest"}, headers=headers)
    assert (more.status_code, more.json()["error"]) == ((400, "invalid_scope"))


@pytest.mark.parametrize("scope", ["system/Task.read", "system/Task.rs", "system/Task.r system/Task.s"])
async def test_a_scope_of_version_1_is_the_one_of_version_2(web: httpx.AsyncClient, world: World, scope: str) -> None:
    made = await world.client(world.mercy, "system/*.read")
    answer = await web.post(
        "/oauth/token", data=GRANT | {"scope": scope}, headers=basic(made.client_id, made.client_secret)
    )
    assert (answer.status_code, answer.json().get("scope")) == (200, scope)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("system/Task.sr", "order"),
        ("system/Task.dus", "order"),
        ("system/Task.rr", "order"),
        ("system/Task.", "order"),
        ("system/Task", "order"),
        ("system/task.rs", "order"),
        ("system/Task.rs.u", "order"),
        ("xsystem/Task.rs", "order"),
        ("user/Task.rs", "order"),
        ("launch", "order"),
        ("ingestion", "order"),
        ("system/Taskx.rs", "type"),
        ("system/Tas.rs", "type"),
        ("system/*.rs evil", "order"),
        ("system/Task.rs?owner=Organization/1", "search parameters"),
    ],
)
async def test_34_what_only_looks_like_a_scope_is_none_and_the_answer_says_why(
    web: httpx.AsyncClient, world: World, scope: str, said: str
) -> None:
    made = await world.client(world.mercy, "system/*.cruds ingest")
    headers = basic(made.client_id, made.client_secret)
    answer = await web.post("/oauth/token", data=GRANT | {"scope": scope}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    assert said in answer.json()["error_description"]
    assert scope not in answer.json()["error_description"]


async def test_34_a_token_to_read_does_not_write(web: httpx.AsyncClient, world: World, task: Resource) -> None:
    reader = await caller(world, web, world.harbor, "system/Task.rs system/*.rs")
    assert (await reader.get(f"Task/{task['id']}")).status_code == 200
    for answer in (await reader.put({**task, "status": "accepted"}), await reader.set_status(task, "accepted")):
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (403, "forbidden")
    assert (await reader.read(f"Task/{task['id']}"))["status"] == "requested"


async def test_33_whom_a_token_acts_for_is_not_changed_by_what_is_asked(
    web: httpx.AsyncClient, world: World, task: Resource
) -> None:
    other = await caller(world, web, world.north)
    headers = {"x_org": world.harbor, "x_organization": f"Organization/{world.harbor}"}
    assert (await other.get(f"Task/{task['id']}", **headers)).status_code == 404
    assert (await other.get(f"Task/{task['id']}?_tenant={world.harbor}")).status_code in {400, 404}


async def test_who_is_not_known_and_who_has_the_wrong_secret_look_alike(web: httpx.AsyncClient, world: World) -> None:
    made = await world.client(world.mercy, "ingest")
    wrong = await web.post("/oauth/token", data=GRANT, headers=basic(made.client_id, "wrong"))
    unknown = await web.post("/oauth/token", data=GRANT, headers=basic("nobody", "wrong"))
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content)
    assert (wrong.status_code, wrong.json()["error"]) == ((401, "invalid_client"))
    assert wrong.headers["www-authenticate"].startswith("Basic")
    assert wrong.headers["cache-control"] == "no-store"


async def test_credentials_are_decoded_as_a_form_would_be(web: httpx.AsyncClient, world: World) -> None:
    made = await world.client(world.mercy, "ingest")
    stored = await world.hub.store.accounts.client(made.client_id)
    assert stored is not None
    await world.hub.store.accounts.add_client(
        replace(stored, id="a b:c", credentials=(replace(stored.credentials[0], id="odd"),))
    )
    answer = await web.post("/oauth/token", data=GRANT, headers=basic("a b:c", made.client_secret))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"", FORM, (400, "invalid_request")),
        (b"grant_type=password", FORM, (400, "unsupported_grant_type")),
        (CREDENTIALS, FORM, (401, "invalid_client")),
        (CREDENTIALS, FORM | {"authorization": "Basic ***"}, (401, "invalid_client")),
        (CREDENTIALS, FORM | sent(b"x"), (401, "invalid_client")),
        (CREDENTIALS, FORM | sent(b"%00:%00"), (401, "invalid_client")),
        (CREDENTIALS, FORM | sent(b"\xff:x"), (401, "invalid_client")),
        (CREDENTIALS + b"&grant_type=client_credentials", FORM, (400, "invalid_request")),
        (CREDENTIALS + b"&client_assertion_type=urn:x&client_assertion=e.e.e", FORM, (401, "invalid_client")),
        (CREDENTIALS + b"&client_id=other", FORM | basic("me", "s"), (400, "invalid_request")),
        (b"\xff\xfe", FORM, (400, "invalid_request")),
        (b"no form", FORM, (400, "invalid_request")),
        (b"{}", {"content-type": "application/json"}, (400, "invalid_request")),
    ],
)
async def test_a_bad_request_has_the_error_of_the_specification(
    web: httpx.AsyncClient, world: World, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = await web.post("/oauth/token", content=body, headers=headers)
    assert world.mercy
    assert (answer.status_code, answer.json()["error"]) == expected
    assert answer.headers["cache-control"] == "no-store"


async def test_a_smart_client_finds_the_token_endpoint_at_both_places(web: httpx.AsyncClient) -> None:
    answers = [
        await web.get(path, headers={"accept": "text/html"})
        for path in ("/.well-known/smart-configuration", "/fhir/R4/.well-known/smart-configuration")
    ]
    first = answers[0].json()
    assert first == answers[1].json()
    assert first["token_endpoint"] == "http://hub.test/oauth/token"
    assert first["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "client_secret_basic"]
    assert first["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert {"client-confidential-asymmetric", "client-confidential-symmetric", "permission-v2"} <= {
        *first["capabilities"]
    }
    assert first["grant_types_supported"] == ["client_credentials"]
    assert first["code_challenge_methods_supported"] == ["S256"]
    assert answers[0].headers["content-type"].startswith("application/json")
