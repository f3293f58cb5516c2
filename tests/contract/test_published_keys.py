"""Key sets that clients publish: fetched, kept no longer than they may be, and never a way to make the hub call."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.core.clock import Clock, monotonic
from app.core.crypto import Keys
from app.core.errors import BadRequest
from app.core.settings import Settings
from app.services.clients import accounts, client_keys
from app.services.clients.accounts import Proof
from app.services.clients.client_keys import ClientKeys, NoKeys, lifetime
from app.services.hub import Hub, Registry
from app.store.accounts import Client, Credential
from app.store.store import Store
from tests.contract.key_sets import Publisher, publishing
from tests.hub_fixtures import FAST, World
from tests.signing import asked, by, claims_of, compact, ec_key, header_of, jwk, key_set, rsa_key

HERE = FAST.model_copy(update={"base_url": "http://127.0.0.1:8000"})
"""A hub to try things on, which may speak to its own machine."""


@pytest.fixture
def hub(store: Store) -> Hub:
    return Hub(HERE, store, Keys(b"HTEST" * 8), Clock(), Registry(store))


@pytest_asyncio.fixture
async def keys() -> AsyncIterator[ClientKeys]:
    made = ClientKeys(HERE)
    yield made
    await made.close()


class Watch:
    """A clock that is put on by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = monotonic()
        monkeypatch.setattr(client_keys, "monotonic", lambda: self._now)

    def later(self, seconds: float) -> None:
        self._now += seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def client(publisher: Publisher, name: str = "c1") -> Client:
    credentials = (Credential("1", "jwks-url", publisher.url),)
    return Client(name, "o", "ingest", require_if_match=False, active=True, credentials=credentials)


async def kids(keys: ClientKeys, of: Client, kid: str = "k1") -> list[str]:
    return [key.kid for key in await keys.of(of, kid)]


async def test_a_client_gets_a_token_by_a_key_that_it_publishes(world: World, web: httpx.AsyncClient) -> None:
    audience = "http://127.0.0.1:8000/oauth/token"
    async with publishing(key_set(jwk(rsa_key()))) as publisher:
        proof = Proof(jwks_url=publisher.url)
        made = await accounts.add_client(world.hub, world.harbor, "system/Task.rus", proof=proof)

        async def ask(**header: str) -> int:
            said = claims_of(made.client_id, audience)
            assertion = compact(header_of(rsa_key(), **header), said, by(rsa_key()))
            return (await web.post("/oauth/token", data=asked(assertion))).status_code

        assert [await ask(), await ask(jku=publisher.url), await ask(jku=publisher.url + "?x")] == [200, 200, 401]
        assert publisher.came == ["GET /jwks.json HTTP/1.1"]


async def test_a_key_that_is_added_is_found_and_one_that_is_taken_out_is_gone(keys: ClientKeys, watch: Watch) -> None:
    async with publishing(key_set(jwk(ec_key())), cache_control="max-age=60") as publisher:
        assert await kids(keys, client(publisher)) == ["k1"]
        publisher.content = key_set(jwk(ec_key("second"), "k2"))
        assert await kids(keys, client(publisher), "k2") == ["k2"]
        assert await kids(keys, client(publisher), "k1") == ["k2"]
        watch.later(61)
        assert await kids(keys, client(publisher), "k2") == ["k2"]


async def test_a_set_is_kept_as_long_as_it_says(keys: ClientKeys, watch: Watch) -> None:
    async with publishing(key_set(jwk(ec_key())), cache_control="max-age=60") as publisher:
        for seconds, fetched in ((0, 1), (59, 1), (2, 2), (30, 2)):
            watch.later(seconds)
            await kids(keys, client(publisher))
            assert len(publisher.came) == fetched


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 300),
        ({"cache-control": "public"}, 300),
        ({"cache-control": "max-age=86400"}, 300),
        ({"cache-control": "public, Max-Age=60"}, 60),
        ({"cache-control": 'max-age="60"'}, 60),
        ({"cache-control": "max-age=60", "age": "20"}, 40),
        ({"cache-control": "max-age=60", "age": "90"}, 0),
        ({"cache-control": "max-age=60", "age": "soon"}, 60),
        ({"cache-control": "no-store"}, 0),
        ({"cache-control": "max-age=60, no-cache"}, 0),
    ],
)
def test_no_longer_than_it_says_and_never_longer_than_five_minutes(headers: dict[str, str], seconds: float) -> None:
    assert lifetime(headers) == seconds


async def test_28_names_of_keys_that_are_not_there_bring_one_fetch_a_minute(keys: ClientKeys, watch: Watch) -> None:
    async with publishing(key_set(jwk(ec_key())), cache_control="no-store") as publisher:
        for number in range(20):
            await kids(keys, client(publisher), f"junk-{number}")
        assert len(publisher.came) == 1
        watch.later(61)
        for number in range(20):
            await kids(keys, client(publisher), f"junk-{number}")
        assert len(publisher.came) == 2
        assert await kids(keys, client(publisher)) == ["k1"]


async def test_28_junk_for_one_client_does_not_keep_another_from_its_keys(keys: ClientKeys) -> None:
    async with publishing(key_set(jwk(ec_key()))) as publisher:
        await kids(keys, client(publisher, "c1"), "junk")
        assert await kids(keys, client(publisher, "c2")) == ["k1"]


async def test_many_at_the_same_time_fetch_once(keys: ClientKeys) -> None:
    async with publishing(key_set(jwk(ec_key()))) as publisher:
        found = await asyncio.gather(*(kids(keys, client(publisher)) for _ in range(50)))
        assert found == [["k1"]] * 50
        assert len(publisher.came) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, "status-302"),
        ({"status": 404}, "status-404"),
        ({"content": b"<html>"}, "not-a-key-set"),
        ({"content": key_set(jwk(ec_key(), d="AA"))}, "not-a-key-set"),
        ({"content": b" " * 70_000 + key_set(jwk(ec_key()))}, "too-large"),
        ({"headers": {"content-encoding": "gzip"}}, "compressed"),
        ({"hangs": True}, "timeout"),
    ],
)
async def test_a_set_that_is_not_as_it_must_be_gives_no_key(
    keys: ClientKeys, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], reason: str
) -> None:
    monkeypatch.setattr(client_keys, "_PATIENCE", 0.2)
    async with publishing(key_set(jwk(ec_key()))) as publisher:
        for name, value in change.items():
            setattr(publisher, name, value)
        for _ in range(3):
            with pytest.raises(NoKeys) as error:
                await kids(keys, client(publisher))
            assert error.value.reason == reason
        assert len(publisher.came) == 1


async def test_a_set_that_was_away_is_asked_for_again_soon(keys: ClientKeys, watch: Watch) -> None:
    async with publishing(key_set(jwk(ec_key()))) as publisher:
        publisher.status = 503
        with pytest.raises(NoKeys):
            await kids(keys, client(publisher))
        publisher.status = 200
        watch.later(6)
        assert await kids(keys, client(publisher)) == ["k1"]


async def test_junk_while_the_publisher_is_away_does_not_cost_the_keys_that_are_known(keys: ClientKeys) -> None:
    async with publishing(key_set(jwk(ec_key()))) as publisher:
        assert await kids(keys, client(publisher)) == ["k1"]
        publisher.status = 503
        with pytest.raises(NoKeys):
            await kids(keys, client(publisher), "junk")
        assert await kids(keys, client(publisher)) == ["k1"]


async def test_while_one_way_is_away_the_other_one_works(keys: ClientKeys) -> None:
    async with publishing() as publisher:
        publisher.status = 503
        stored = Credential("2", "jwks", key_set(jwk(ec_key())).decode())
        both = Client("c1", "o", "ingest", False, True, credentials=(*client(publisher).credentials, stored))
        assert await kids(keys, both) == ["k1"]


# ---- where a set may be


async def test_a_hub_that_others_reach_does_not_speak_to_its_own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ClientKeys(FAST)
    async with publishing(key_set(jwk(ec_key()))) as publisher:
        with pytest.raises(NoKeys) as error:
            await kids(keys, client(publisher))
        assert (error.value.reason, publisher.came) == ("address", [])
    await keys.close()
    with pytest.raises(BadRequest):
        client_keys.checked_url(publisher.url, FAST)
    monkeypatch.setenv("THROUGHLINE_NOTIFY_NETWORKS", json.dumps(["10.20.0.0/16"]))
    allowed = ClientKeys(Settings(_env_file=None, base_url="https://hub.example.org"))
    assert [str(network) for network in allowed._outbound()._resolver._networks] == ["10.20.0.0/16"]
    await allowed.close()


@pytest.mark.parametrize(
    "url",
    [
        *("", "jwks.json", "file:///etc/passwd", "ftp://keys.example.org/", "http://keys.example.org/jwks"),
        *("https://user:word@keys.example.org/", "https://keys.example.org/#a", "https://keys.example.org:0/"),
        *("https://keys.example.org/ jwks", f"https://keys.example.org/{'x' * 3000}", "https://127.0.0.1/"),
    ],
)
async def test_an_address_of_no_use_is_not_registered(world: World, url: str) -> None:
    hub = Hub(FAST, world.hub.store, world.hub.keys, world.hub.clock, world.hub.registry)
    with pytest.raises(BadRequest) as error:
        await accounts.add_client(hub, world.harbor, "ingest", proof=Proof(jwks_url=url))
    assert error.value.issues[0].path == "jwks-url"
    assert await accounts.listed(hub) == []
