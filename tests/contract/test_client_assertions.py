"""SMART Backend Services over HTTP: a client proves itself by its key. Numbers are those of the attack list."""

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI

from app.core.errors import BadRequest
from app.main import attach, create_app
from app.services.clients import accounts
from app.services.clients.accounts import Proof
from tests.contract.key_sets import publishing
from tests.hub_fixtures import World
from tests.signing import Private, Signer, asked, by, claims_of, compact, ec_key, header_of, jwk, key_set, part, rsa_key

AUDIENCE = "http://hub.test/oauth/token"
RSA_PEM = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@dataclass(frozen=True, slots=True)
class Backend:
    """A registered client with an RSA and an EC key, and the way to the token endpoint."""

    web: httpx.AsyncClient
    id: str

    async def ask(self, assertion: str, **more: str) -> httpx.Response:
        return await self.web.post("/oauth/token", data=asked(assertion, **more))

    def made(
        self,
        key: Private | None = None,
        header: dict[str, Any] | None = None,
        sign: Signer | None = None,
        **claims: Any,
    ) -> str:
        """An assertion in which only what is named is not as it must be."""
        used = key or ec_key()
        kid = "rsa" if used is rsa_key() else "ec"
        said = claims_of(self.id, AUDIENCE, **claims)
        return compact(header_of(used, **{"kid": kid} | (header or {})), said, sign or by(used))


@pytest_asyncio.fixture
async def backend(world: World, web: httpx.AsyncClient) -> Backend:
    both = key_set(jwk(rsa_key(), "rsa"), jwk(ec_key(), "ec"))
    made = await accounts.add_client(world.hub, world.harbor, "system/Task.rus", proof=Proof(jwks=both))
    assert made.client_secret == ""
    return Backend(web, made.client_id)


def refused(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS384", "ES384"])
async def test_a_client_gets_a_token_by_its_key(backend: Backend, world: World, key: Private) -> None:
    answer = await backend.ask(backend.made(key), scope="system/Task.rs")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("bearer", 300, "system/Task.rs")
    actor = await accounts.authenticate(world.hub, body["access_token"])
    assert actor is not None
    assert (actor.organization, actor.client) == (world.harbor, backend.id)
    found = await backend.web.get("/fhir/R4/Task", headers={"authorization": f"Bearer {body['access_token']}"})
    assert found.status_code == 200


async def test_the_audience_is_what_discovery_says(backend: Backend) -> None:
    said = (await backend.web.get("/fhir/R4/.well-known/smart-configuration")).json()
    assert said["token_endpoint"] == AUDIENCE
    assert (await backend.ask(backend.made(aud=[said["token_endpoint"]]))).status_code == 200


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE"])
async def test_26_a_token_without_a_signature_is_none(backend: Backend, algorithm: str) -> None:
    assert refused(await backend.ask(backend.made(header={"alg": algorithm}, sign=lambda _: b"")))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "RS384"])
async def test_27_a_public_key_is_no_shared_secret(backend: Backend, algorithm: str) -> None:
    def sign(data: bytes) -> bytes:
        return hmac.digest(RSA_PEM, data, hashlib.sha256 if algorithm == "HS256" else hashlib.sha384)

    assert refused(await backend.ask(backend.made(rsa_key(), {"alg": algorithm}, sign)))


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "ES384"])
async def test_27_the_algorithm_is_that_of_the_registered_key(backend: Backend, algorithm: str) -> None:
    assert refused(await backend.ask(backend.made(rsa_key(), {"alg": algorithm})))


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "' or 1=1 --", "http://127.0.0.1:1/key", "k" * 10_240, "", "unknown", 7, {"ec": 1}, "ec\0"],
)
async def test_28_a_kid_is_a_name_and_nothing_else(backend: Backend, kid: object) -> None:
    assert refused(await backend.ask(backend.made(header={"kid": kid})))


async def test_28_the_key_of_another_client_proves_nothing(backend: Backend, world: World) -> None:
    other = key_set(jwk(ec_key("other"), "theirs"))
    await accounts.add_client(world.hub, world.mercy, "ingest", proof=Proof(jwks=other))
    assert refused(await backend.ask(backend.made(ec_key("other"), {"kid": "theirs"})))
    assert refused(await backend.ask(backend.made(ec_key("other"))))


async def test_29_no_address_in_a_header_is_visited(backend: Backend) -> None:
    async with publishing(key_set(jwk(ec_key("evil"), "ec"))) as evil:
        for name in ("jku", "x5u"):
            assert refused(await backend.ask(backend.made(ec_key("evil"), {name: evil.url})))
            assert refused(await backend.ask(backend.made(header={name: evil.url})))
        assert evil.came == []


@pytest.mark.parametrize("header", [{"jwk": jwk(ec_key("evil"))}, {"x5c": ["MIIB"]}], ids=["jwk", "x5c"])
async def test_29_a_key_that_comes_along_is_not_used(backend: Backend, header: dict[str, Any]) -> None:
    assert refused(await backend.ask(backend.made(ec_key("evil"), header)))
    assert refused(await backend.ask(backend.made(header=header)))


@pytest.mark.parametrize("header", [{"crit": ["exp"], "exp": 1}, {"zip": "DEF"}, {"enc": "A128GCM"}, {"crit": []}])
async def test_30_what_would_have_to_be_understood_is_refused(backend: Backend, header: dict[str, Any]) -> None:
    assert refused(await backend.ask(backend.made(header=header)))


async def test_30_an_encrypted_token_is_refused(backend: Backend) -> None:
    header = part(json.dumps({"alg": "RSA-OAEP", "enc": "A128GCM", "kid": "rsa"}).encode())
    assert refused(await backend.ask(f"{header}.AAAA.AAAA.AAAA.AAAA"))


async def test_31_an_assertion_is_used_once(backend: Backend) -> None:
    assertion = backend.made()
    answers = [await backend.ask(assertion) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert "jti" in answers[1].json()["error_description"]
    again = backend.made(jti="HTEST-1"), backend.made(rsa_key(), jti="HTEST-1")
    assert [(await backend.ask(one)).status_code for one in again] == [200, 401]


async def test_31_of_many_at_the_same_time_one_is_taken_whatever_process_it_reaches(
    backend: Backend, world: World
) -> None:
    assertion = backend.made()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(other_process(world)), base_url="http://hub.test"
    ) as two:
        asking = [web.post("/oauth/token", data=asked(assertion)) for web in (backend.web, two) * 8]
        answers = await asyncio.gather(*asking)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 15


def other_process(world: World) -> FastAPI:
    """The doors of a process that has just begun: it shares nothing but the database."""
    made = create_app(world.hub.settings)
    attach(made, world.hub)
    return made


async def test_31_a_failed_assertion_does_not_use_up_the_number_of_a_good_one(backend: Backend) -> None:
    assert refused(await backend.ask(backend.made(ec_key("evil"), jti="HTEST-1")))
    assert (await backend.ask(backend.made(jti="HTEST-1"))).status_code == 200


async def test_31_numbers_are_forgotten_when_their_assertions_have_ended(backend: Backend, world: World) -> None:
    await backend.ask(backend.made(jti="HTEST-1"))
    later = replace(world.hub.clock, offset_us=600_000_000)
    world.hub.store.accounts._clock = later
    assert await world.hub.store.accounts.use_assertion(backend.id, "HTEST-2", later.now_us() + 1)
    kept = await world.hub.store.database.fetch("select jti from assertion")
    assert len(kept) == 1
    assert "HTEST" not in kept[0][0]


@pytest.mark.parametrize(("name", "ahead"), [("exp", 400), ("exp", -60), ("nbf", 120), ("iat", 120), ("iat", -86_400)])
async def test_32_an_assertion_has_its_time(backend: Backend, name: str, ahead: int) -> None:
    now = claims_of("", "")["exp"] - 240
    assert refused(await backend.ask(backend.made(**{name: now + ahead})))


@pytest.mark.parametrize(
    "claims",
    [
        *({"exp": None}, {"jti": None}, {"aud": None}, {"iss": None}, {"sub": None}, {"sub": "another"}),
        *({"iss": "another", "sub": "another"}, {"aud": "http://other.test/oauth/token"}, {"exp": "1e400000"}),
        *({"aud": [AUDIENCE, "http://other.test/oauth/token"]}, {"aud": "http://hub.test/fhir/R4"}),
    ],
    ids=str,
)
async def test_32_claims_that_are_not_as_they_must_be_are_refused(backend: Backend, claims: dict[str, Any]) -> None:
    assert refused(await backend.ask(backend.made(**claims)))


# ---- around it


async def test_who_is_not_known_and_who_has_another_key_look_alike(backend: Backend) -> None:
    strange = backend.made(iss="nobody", sub="nobody")
    answers = [
        await backend.ask(one) for one in (strange, backend.made(ec_key("evil")), backend.made(header={"kid": "x"}))
    ]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert refused(answers[0])


async def test_a_client_with_a_key_has_no_secret(backend: Backend) -> None:
    answer = await backend.web.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(backend.id, "x"))
    assert refused(answer)


async def test_one_way_to_authenticate_at_a_time(backend: Backend) -> None:
    answer = await backend.web.post("/oauth/token", data=asked(backend.made()), auth=(backend.id, "x"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    other = await backend.ask(backend.made(), client_id="another")
    assert (other.status_code, other.json()["error"]) == (400, "invalid_request")
    assert (await backend.ask(backend.made(), client_id=backend.id)).status_code == 200


@pytest.mark.parametrize("form", [{"client_assertion_type": "urn:x"}, {"client_assertion": "x"}])
async def test_half_an_assertion_is_none(backend: Backend, form: dict[str, str]) -> None:
    answer = await backend.web.post("/oauth/token", data={"grant_type": "client_credentials"} | form)
    assert refused(answer)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        key_set(),
        key_set(jwk(ec_key(), crv="P-256")),
        key_set(jwk(ec_key()), jwk(ec_key("second"))),
        key_set(jwk(ec_key(), d="AAAA")),
        key_set({"kty": "oct", "kid": "k1", "k": "AAAA"}),
    ],
    ids=["no set", "empty", "other curve", "a kid twice", "private", "symmetric"],
)
async def test_a_key_set_of_no_use_is_not_registered(world: World, data: bytes) -> None:
    with pytest.raises(BadRequest) as error:
        await accounts.add_client(world.hub, world.harbor, "ingest", proof=Proof(jwks=data))
    assert error.value.issues[0].path == "jwks"
    assert await accounts.listed(world.hub) == []
