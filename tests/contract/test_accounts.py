"""Clients, secrets, tokens and registrations, on SQLite and PostgreSQL alike."""

import json
from dataclasses import replace

import pytest

from app.core.actor import Actor
from app.core.clock import monotonic
from app.core.errors import BadRequest, NotFound
from app.core.ids import uuid7
from app.services.clients import accounts
from app.services.clients.accounts import Proof, TokenRefused
from app.services.hub import Hub
from app.services.partners import registration
from app.store.queries import Query
from tests.hub_fixtures import PARTNER, World
from tests.signing import ec_key, jwk, key_set

SENDER = {
    "id": "lake-adt",
    "organization": "HTEST Lake",
    "dialect": "adt_generic",
    "timezone": "America/Chicago",
}


async def later(world: World, seconds: int) -> Hub:
    return replace(world.hub, clock=replace(world.hub.clock, offset_us=seconds * 1_000_000))


async def test_a_secret_gives_a_token_that_stands_for_one_organisation(world: World) -> None:
    made = await world.client(world.harbor, "system/Task.rus ingest")
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, None)
    actor = await accounts.authenticate(world.hub, issued.token)
    assert actor == Actor(world.harbor, made.client_id, frozenset({"system/Task.rus", "ingest"}))
    assert await accounts.authenticate(world.hub, issued.token) == actor
    assert await accounts.authenticate(world.hub, issued.token[:-1]) is None
    assert await accounts.authenticate(world.hub, "") is None


async def test_neither_secret_nor_token_is_stored_readable(world: World) -> None:
    made = await world.client(world.harbor, "ingest")
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, None)
    stored = [
        *await world.hub.store.database.fetch("select value from credential"),
        *await world.hub.store.database.fetch("select hash from token"),
    ]
    assert not {made.client_secret, issued.token} & {str(row[0]) for row in stored}


@pytest.mark.parametrize("known", [True, False], ids=["wrong secret", "unknown client"])
async def test_a_wrong_secret_and_an_unknown_client_get_the_same_answer(world: World, known: bool) -> None:  # noqa: FBT001 - parameter
    made = await world.client(world.harbor, "ingest")
    with pytest.raises(TokenRefused) as refused:
        await accounts.exchange(world.hub, made.client_id if known else uuid7(), "wrong", None)
    assert (refused.value.error, refused.value.description) == (
        "invalid_client",
        "The client is not known, or this is not its secret or its key.",
    )


async def test_a_client_without_a_secret_gets_no_token_by_an_empty_one(world: World) -> None:
    made = await world.client(world.harbor, "ingest")
    await world.hub.store.database.execute("delete from credential where client = $1", made.client_id)
    with pytest.raises(TokenRefused):
        await accounts.exchange(world.hub, made.client_id, "", None)


async def test_a_token_carries_no_more_than_asked_and_never_more_than_registered(world: World) -> None:
    made = await world.client(world.harbor, "system/*.rs system/Task.u")
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, "system/Task.rs")
    assert issued.scope == "system/Task.rs"
    with pytest.raises(TokenRefused) as refused:
        await accounts.exchange(world.hub, made.client_id, made.client_secret, "system/Task.c")
    assert refused.value.error == "invalid_scope"


async def test_a_token_ends_with_its_time(world: World) -> None:
    made = await world.client(world.harbor, "ingest")
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, None)
    assert await accounts.authenticate(world.hub, issued.token) is not None
    assert await accounts.authenticate(await later(world, issued.expires_in - 5), issued.token) is not None
    world.hub.store.accounts._clock = (await later(world, issued.expires_in + 1)).clock
    assert await accounts.authenticate(await later(world, issued.expires_in + 1), issued.token) is None


async def test_a_token_of_the_command_line_lasts_longer_and_needs_a_known_client(world: World) -> None:
    made = await world.client(world.harbor, "ingest")
    assert (await accounts.issue(world.hub, made.client_id)).expires_in == 12 * 3600
    with pytest.raises(NotFound):
        await accounts.issue(world.hub, "nobody")


async def test_a_client_that_is_switched_off_is_out_within_a_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await world.client(world.harbor, "ingest")
    issued = await accounts.issue(world.hub, made.client_id)
    assert await accounts.authenticate(world.hub, issued.token) is not None
    await world.hub.store.database.execute("update client set active = $1 where id = $2", False, made.client_id)
    moment = monotonic()
    monkeypatch.setattr(accounts, "monotonic", lambda: moment + 1.01)
    assert await accounts.authenticate(world.hub, issued.token) is None


@pytest.mark.parametrize(
    "scope",
    ["", "  ", "system/Task.sr", "Task.read", "patient/Task.rs", "system/Taskx.rs", "system/Task.rs?status=draft"],
)
async def test_a_client_needs_scopes_of_this_server(world: World, scope: str) -> None:
    with pytest.raises(BadRequest):
        await world.client(world.harbor, scope)


async def test_a_client_needs_an_organisation_that_takes_part(world: World) -> None:
    with pytest.raises(NotFound):
        await world.client(uuid7(), "ingest")


# ---- a client's life


async def secrets_of(world: World, *pairs: tuple[str, str]) -> list[bool]:
    """Which of these ids and secrets are taken."""

    async def taken(client: str, secret: str) -> bool:
        try:
            await accounts.exchange(world.hub, client, secret, None)
        except TokenRefused:
            return False
        return True

    return [await taken(*pair) for pair in pairs]


async def test_a_rotated_secret_ends_the_old_one_with_its_tokens(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await world.client(world.harbor, "ingest")
    issued = await accounts.exchange(world.hub, old.client_id, old.client_secret, None)
    new = await accounts.rotate(world.hub, old.client_id, Proof())
    assert new.client_id == old.client_id
    tried = [(one.client_id, one.client_secret) for one in (old, new)]
    assert await secrets_of(world, *tried) == [False, True]
    moment = monotonic()
    monkeypatch.setattr(accounts, "monotonic", lambda: moment + 1.01)
    assert await accounts.authenticate(world.hub, issued.token) is None


async def test_the_old_secret_can_be_kept_for_a_while(world: World) -> None:
    old = await world.client(world.harbor, "ingest")
    issued = await accounts.exchange(world.hub, old.client_id, old.client_secret, None)
    new = await accounts.rotate(world.hub, old.client_id, Proof(), keep_seconds=3600)
    tried = [(one.client_id, one.client_secret) for one in (old, new)]
    assert await secrets_of(world, *tried) == [True, True]
    assert await accounts.authenticate(world.hub, issued.token) is not None
    (line,) = await accounts.listed(world.hub)
    assert [one["until"] is None for one in line["credentials"]] == [False, True]
    world.hub.store.accounts._clock = (await later(world, 3601)).clock
    assert await secrets_of(world, *tried) == [False, True]


async def test_rotating_again_never_prolongs_what_was_to_end(world: World) -> None:
    old = await world.client(world.harbor, "ingest")
    await accounts.rotate(world.hub, old.client_id, Proof(), keep_seconds=60)
    await accounts.rotate(world.hub, old.client_id, Proof(), keep_seconds=3600)
    world.hub.store.accounts._clock = (await later(world, 61)).clock
    assert await secrets_of(world, (old.client_id, old.client_secret)) == [False]


async def test_a_revoked_client_is_out_with_all_it_had(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await world.client(world.harbor, "ingest")
    other = await world.client(world.harbor, "ingest")
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, None)
    kept = await accounts.exchange(world.hub, other.client_id, other.client_secret, None)
    assert await accounts.authenticate(world.hub, issued.token) is not None
    await accounts.revoke(world.hub, made.client_id)
    assert await secrets_of(world, (made.client_id, made.client_secret)) == [False]
    moment = monotonic()
    monkeypatch.setattr(accounts, "monotonic", lambda: moment + 1.01)
    assert await accounts.authenticate(world.hub, issued.token) is None
    assert await accounts.authenticate(world.hub, kept.token) is not None
    for table in ("token", "credential"):
        rows = await world.hub.store.database.fetch(f"select 1 from {table} where client = $1", made.client_id)
        assert list(rows) == []
    for again in (accounts.revoke(world.hub, made.client_id), accounts.rotate(world.hub, made.client_id, Proof())):
        with pytest.raises(NotFound):
            await again


async def test_the_list_of_clients_shows_who_they_are_and_no_secret(world: World) -> None:
    secret = await world.client(world.harbor, "system/Task.rus")
    keys = await accounts.add_client(
        world.hub, world.mercy, "ingest", proof=Proof(key_set(jwk(ec_key()))), sender="mercy-adt"
    )
    gone = await world.client(world.north, "ingest")
    await accounts.revoke(world.hub, gone.client_id)
    lines = {line["client_id"]: line for line in await accounts.listed(world.hub)}
    kinds = {one: [c["kind"] for c in line["credentials"]] for one, line in lines.items()}
    assert kinds == {secret.client_id: ["secret"], keys.client_id: ["jwks"], gone.client_id: []}
    assert [lines[one.client_id]["active"] for one in (secret, keys, gone)] == [True, True, False]
    assert (lines[keys.client_id]["sender"], lines[keys.client_id]["organization"]) == ("mercy-adt", world.mercy)
    stored = await world.hub.store.database.fetch("select value from credential")
    shown = json.dumps(list(lines.values()))
    assert not [row for row in stored if str(row[0]) in shown]


async def test_a_client_is_bound_to_a_sender_of_its_own_organisation_only(world: World) -> None:
    for sender in ("north-adt", "nobody"):
        with pytest.raises(NotFound):
            await accounts.add_client(world.hub, world.mercy, "ingest", sender=sender)


async def test_every_organisation_is_seen_by_every_other(world: World) -> None:
    everyone = {world.mercy, world.north, world.harbor, (await world.hub.registry.current()).hub}
    for organization in everyone:
        reader = world.hub.store.reader(Actor(organization, "c"))
        assert {row.id for row in await reader.search(Query("Organization"))} == everyone


async def test_registering_again_changes_a_sender_and_writes_no_second_organisation(world: World) -> None:
    first = await registration.add_sender(world.hub, SENDER)
    again = await registration.add_sender(world.hub, {**SENDER, "part2": "none"})
    assert first == again
    directory = await world.hub.registry.current()
    assert directory.senders["lake-adt"].part2 == "none"
    row = await world.hub.store.reader(Actor.system("test")).read("Organization", first.organization)
    assert row is not None
    assert row.version == 1


async def test_a_partner_that_changes_its_phone_is_a_new_version_of_the_same_organisation(world: World) -> None:
    data = json.dumps([{**PARTNER, "phone": "555-0199"}]).encode()
    assert [p.organization for p in await registration.import_partners(world.hub, data)] == [world.harbor]
    row = await world.hub.store.reader(Actor.system("test")).read("Organization", world.harbor)
    assert row is not None
    assert (row.version, b"555-0199" in row.content) == (2, True)


async def test_a_hospital_that_is_also_a_partner_keeps_one_organisation_with_its_phone(world: World) -> None:
    data = json.dumps([{**PARTNER, "name": "HTEST Mercy", "phone": "555-0123"}]).encode()
    assert [p.organization for p in await registration.import_partners(world.hub, data)] == [world.mercy]
    await registration.add_sender(world.hub, {**SENDER, "organization": "HTEST Mercy"})
    row = await world.hub.store.reader(Actor.system("test")).read("Organization", world.mercy)
    assert row is not None
    assert b"555-0123" in row.content


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"dialect": "klingon"}, "dialect"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"peers": ["10.0.0.1/8"]}, "peers"),
        ({"match_msh": ["EPIC"]}, "match_msh"),
        ({"id": "a b"}, "id"),
        ({"organization": "Throughline"}, "organization"),
        ({"units": {"4W": "maybe"}}, "units.4W"),
    ],
)
async def test_a_sender_that_is_not_valid_is_refused_by_the_name_of_the_field(
    world: World, wrong: dict[str, object], path: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        await registration.add_sender(world.hub, {**SENDER, **wrong})
    assert refused.value.issues[0].path == path
    assert "lake-adt" not in (await world.hub.registry.current()).senders


@pytest.mark.parametrize("data", [b"{}", b"[{}]", b"[", b'[{"name":"A"},{"name":"A"}]', b'[{"name":"Throughline"}]'])
async def test_a_partner_file_that_is_not_valid_registers_nobody(world: World, data: bytes) -> None:
    before = (await world.hub.registry.current()).partners
    with pytest.raises(BadRequest):
        await registration.import_partners(world.hub, data)
    world.hub.registry.forget()
    assert (await world.hub.registry.current()).partners == before


def test_the_command_line_wins_over_the_sender_file() -> None:
    file = b'{"id":"x","timezone":"America/Denver","peers":["10.0.0.0/8"],"units":{"4W":"part2"}}'
    given: dict[str, object] = {"id": "y", "timezone": None, "peers": [], "part2": "none"}
    assert registration.merged_fields(file, given) == {
        "id": "y",
        "timezone": "America/Denver",
        "peers": ["10.0.0.0/8"],
        "units": {"4W": "part2"},
        "part2": "none",
    }
