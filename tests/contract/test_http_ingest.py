import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.core.errors import Unavailable
from app.services.intake.intake import Intake, Outcome
from app.services.intake.intake_requests import receive_frame
from app.services.partners import registration
from tests.contract.http_messages import adt, event, unrelated
from tests.hub_fixtures import World

HL7 = {"content-type": "application/hl7-v2"}
LINES = {"content-type": "application/x-ndjson"}
FHIR = "application/fhir+json; charset=utf-8"
READER = Actor.system("test")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What an answer looks like does not hang on the database."""


def segments(data: bytes) -> list[list[str]]:
    return [line.split("|") for line in data.decode().split("\r") if line]


def codes(data: bytes) -> list[tuple[str, str]]:
    """MSA-1 and MSA-2 of each acknowledgement."""
    return [(line[1], line[2] if len(line) > 2 else "") for line in segments(data) if line[0] == "MSA"]


async def states(world: World) -> dict[tuple[str | None, str], int]:
    return await world.hub.store.intake(READER).counts()


# ---- HL7 v2


@pytest.mark.parametrize("kind", ["application/hl7-v2", "x-application/hl7-v2+er7", "text/plain"])
async def test_a_message_is_acknowledged_in_its_own_media_type(web: httpx.AsyncClient, world: World, kind: str) -> None:
    headers = await world.bearer(world.mercy) | {"content-type": f"{kind}; charset=utf-8"}
    answer = await web.post("/ingest/hl7v2", content=adt(), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert codes(answer.content) == [("AA", "HTEST-1")]
    assert await states(world) == {("mercy-adt", "not-ours"): 1}


async def test_a_message_sent_twice_is_answered_twice_and_kept_once(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy) | HL7
    answers = [await web.post("/ingest/hl7v2", content=adt(), headers=headers) for _ in range(2)]
    assert [codes(a.content) for a in answers] == [[("AA", "HTEST-1")]] * 2
    assert await states(world) == {("mercy-adt", "not-ours"): 1, ("mercy-adt", "duplicate"): 1}


async def test_nobody_sends_for_another_organisation(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.north) | HL7
    answer = await web.post("/ingest/hl7v2", content=adt(), headers=headers)
    assert (answer.status_code, codes(answer.content)) == (200, [("AR", "HTEST-1")])
    assert await states(world) == {(None, "rejected"): 1}


async def test_content_that_cannot_be_filed_is_an_error_acknowledgement(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy) | HL7
    answer = await web.post("/ingest/hl7v2", content=adt(control_id=""), headers=headers)
    assert (answer.status_code, codes(answer.content)) == (200, [("AE", "")])


@pytest.mark.parametrize("body", [b"", b"\r\n", b"{}", b"HTEST is not HL7", bytes(range(256)), b"MSH"])
async def test_where_no_acknowledgement_can_be_formed_the_answer_is_an_outcome(
    web: httpx.AsyncClient, world: World, body: bytes
) -> None:
    answer = await web.post("/ingest/hl7v2", content=body, headers=await world.bearer(world.mercy) | HL7)
    assert (answer.status_code, answer.headers["content-type"]) == (400, FHIR)
    assert b"HTEST" not in answer.content


async def test_a_batch_is_answered_by_a_batch_in_its_order(web: httpx.AsyncClient, world: World) -> None:
    batch = rb"BHS|^~\&|EPIC|MERCY|HUB|HUB|20260605||||B7" + b"\r" + adt(1) + adt(2, facility="X") + adt(3) + b"BTS|3\r"
    answer = await web.post("/ingest/hl7v2", content=batch, headers=await world.bearer(world.mercy) | HL7)
    assert codes(answer.content) == [("AA", "HTEST-1"), ("AR", "HTEST-2"), ("AA", "HTEST-3")]
    lines = segments(answer.content)
    assert (lines[0][0], lines[0][11], lines[-1]) == ("BHS", "B7", ["BTS", "3"])


async def test_messages_without_an_envelope_are_answered_one_after_the_other(
    web: httpx.AsyncClient, world: World
) -> None:
    headers = await world.bearer(world.mercy) | HL7
    answer = await web.post("/ingest/hl7v2", content=adt(1) + adt(2), headers=headers)
    assert codes(answer.content) == [("AA", "HTEST-1"), ("AA", "HTEST-2")]
    assert segments(answer.content)[0][0] == "MSH"


async def test_another_media_type_and_too_long_a_body_are_refused(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy)
    wrong = await web.post("/ingest/hl7v2", content=adt(), headers=headers | {"content-type": "application/json"})
    long = await web.post("/ingest/hl7v2", content=b"M" * (64 * 1024 + 1), headers=headers | HL7)
    assert [(a.status_code, a.headers["content-type"]) for a in (wrong, long)] == [(415, FHIR), (413, FHIR)]
    assert await states(world) == {}


async def test_requests_at_the_same_time_are_each_answered_for_themselves(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy) | HL7
    answers = await asyncio.gather(*(web.post("/ingest/hl7v2", content=adt(n), headers=headers) for n in range(1, 41)))
    assert [codes(a.content) for a in answers] == [[("AA", f"HTEST-{n}")] for n in range(1, 41)]
    assert await states(world) == {("mercy-adt", "not-ours"): 40}


async def test_what_is_not_durable_is_not_acknowledged(
    web: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Outcome:
        raise Unavailable("The database can't be reached.")

    headers = await world.bearer(world.mercy)
    monkeypatch.setattr(Intake, "receive", away)
    for path, body, kind in (
        ("/ingest/hl7v2", adt(), HL7),
        ("/ingest/events", json.dumps(event()).encode(), {"content-type": "application/json"}),
        ("/ingest/events", json.dumps(event()).encode(), LINES),
    ):
        answer = await web.post(path, content=body, headers=headers | kind)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.headers["content-type"] == FHIR
    assert await receive_frame(world.hub, Intake(world.hub), adt(), "127.0.0.1") is None


async def test_a_frame_is_answered_by_its_acknowledgement_and_nothing_by_none(world: World) -> None:
    intake = Intake(world.hub)
    (ack,) = await receive_frame(world.hub, intake, adt(), "192.0.2.7") or []
    assert codes(ack) == [("AA", "HTEST-1")]
    assert await receive_frame(world.hub, intake, b"GET / HTTP/1.1", "192.0.2.7") is None


# ---- which acknowledgements


MODES = {"ENH": "enhanced", "ALW": "always", "ORI": "original"}


@dataclass(frozen=True, slots=True)
class Modes:
    """A hospital with one more interface for each mode."""

    web: httpx.AsyncClient
    world: World
    headers: dict[str, str]

    async def post(self, data: bytes) -> httpx.Response:
        return await self.web.post("/ingest/hl7v2", content=data, headers=self.headers)


@pytest_asyncio.fixture
async def modes(web: httpx.AsyncClient, world: World) -> Modes:
    for name, mode in MODES.items():
        fields = {"dialect": "adt_generic", "timezone": "America/New_York", "part2": "none", "ack": mode}
        await registration.add_sender(
            world.hub, {"id": mode, "organization": "HTEST Mercy", "match_msh": [f"{name}|MERCY"], **fields}
        )
    return Modes(web, world, await world.bearer(world.mercy) | HL7)


def asking(number: int, conditions: str, name: str = "ENH") -> bytes:
    """An admission with MSH-15 and MSH-16."""
    return adt(number, application=name).replace(b"|2.5.1\r", f"|2.5.1|||{conditions}\r".encode())


def unfileable(data: bytes) -> bytes:
    """The same without patient and visit identifiers."""
    lines = data.split(b"\r")
    return b"\r".join(line for line in lines if line[:3] not in {b"PID", b"PV1"})


@on_sqlite
@pytest.mark.parametrize(
    ("name", "conditions", "wanted"),
    [
        ("ENH", "AL|AL", ("CA AA", "CE AE")),
        ("ENH", "AL|NE", ("CA", "CE")),
        ("ENH", "AL|", ("CA", "CE")),
        ("ENH", "AL|ER", ("CA", "CE AE")),
        ("ENH", "NE|AL", ("AA", "AE")),
        ("ENH", "ER|ER", ("", "CE AE")),
        ("ENH", "SU|NE", ("CA", "")),
        ("ENH", "NE|NE", ("", "")),
        ("ENH", "|", ("AA", "AE")),
        ("ALW", "AL|AL", ("CA AA", "CE AE")),
        ("ALW", "NE|NE", ("AA", "AE")),
        ("ALW", "ER|NE", ("AA", "CE")),
        ("ORI", "AL|AL", ("AA", "AE")),
        ("ORI", "NE|NE", ("AA", "AE")),
    ],
)
async def test_the_senders_mode_and_conditions_say_what_is_answered(
    modes: Modes, name: str, conditions: str, wanted: tuple[str, str]
) -> None:
    good, bad = asking(1, conditions, name), unfileable(asking(2, conditions, name))
    for message, control_id, told in ((good, "HTEST-1", wanted[0]), (bad, "HTEST-2", wanted[1])):
        answer = await modes.post(message)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/hl7-v2")
        assert codes(answer.content) == [(code, control_id) for code in told.split()]
        assert answer.content.count(b"\rERR|") == (len(told.split()) if message is bad else 0)
    assert await states(modes.world) == {(MODES[name], "not-ours"): 1, (MODES[name], "rejected"): 1}


async def test_an_unknown_sender_is_answered_in_original_mode(modes: Modes) -> None:
    for message in (asking(1, "NE|NE", "NOBODY"), asking(2, "AL|AL", "NOBODY")):
        assert [code for code, _ in codes((await modes.post(message)).content)] == ["AR"]
    assert await states(modes.world) == {(None, "rejected"): 2}


async def test_a_repeated_message_is_answered_like_the_first(modes: Modes) -> None:
    first, again = [await modes.post(asking(1, "AL|AL")) for _ in range(2)]
    assert codes(first.content) == codes(again.content) == [("CA", "HTEST-1"), ("AA", "HTEST-1")]


async def test_a_commit_acknowledgement_comes_after_the_commit_or_not_at_all(
    modes: Modes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> Outcome:
        raise Unavailable("The database can't be reached.")

    monkeypatch.setattr(Intake, "receive", away)
    hub = modes.world.hub
    for conditions in ("AL|AL", "NE|NE"):
        answer = await modes.post(asking(1, conditions))
        assert (answer.status_code, answer.headers["content-type"]) == (503, FHIR)
        assert await receive_frame(hub, Intake(hub), asking(1, conditions), "127.0.0.1") is None


async def test_a_control_id_that_is_held_back_is_a_commit_error_with_its_place(modes: Modes) -> None:
    fields = {"dialect": "adt_generic", "timezone": "America/New_York", "ack": "enhanced"}
    careful = {"id": "careful", "organization": "HTEST Mercy", "match_msh": ["CAR|MERCY"], **fields}
    await registration.add_sender(modes.world.hub, {**careful, "control_id_reuse": "quarantine"})
    first = await modes.post(asking(1, "AL|NE", "CAR"))
    other = await modes.post(asking(1, "AL|NE", "CAR").replace(b"^Robin|", b"^Alex|"))
    assert codes(first.content) + codes(other.content) == [("CA", "HTEST-1"), ("CE", "HTEST-1")]
    assert b"\rERR||MSH^1^10|205^Duplicate key identifier^HL70357|E|" in other.content


async def test_by_mllp_each_acknowledgement_is_a_frame_of_its_own(modes: Modes) -> None:
    hub, intake = modes.world.hub, Intake(modes.world.hub)
    both = await receive_frame(hub, intake, asking(1, "AL|AL"), "192.0.2.7") or []
    assert [codes(ack) for ack in both] == [[("CA", "HTEST-1")], [("AA", "HTEST-1")]]
    assert await receive_frame(hub, intake, asking(2, "NE|NE"), "192.0.2.7") == []
    several = await receive_frame(hub, intake, adt(3) + adt(4), "192.0.2.7") or []
    assert [codes(ack) for ack in several] == [[("AA", "HTEST-3")], [("AA", "HTEST-4")]]
    batch = await receive_frame(hub, intake, BHS + adt(5) + adt(6) + b"BTS|2\r", "192.0.2.7") or []
    assert [codes(ack) for ack in batch] == [[("AA", "HTEST-5"), ("AA", "HTEST-6")]]


# ---- batches


BHS = rb"BHS|^~\&|EPIC|MERCY|HUB|HUB|20260605||||B7" + b"\r"
FHS = rb"FHS|^~\&|EPIC|MERCY|HUB|HUB|20260605||||F9" + b"\r"


def shape(data: bytes) -> str:
    """Names of the segments; envelopes with what they refer to or count."""
    told = {"BHS": 11, "FHS": 11, "BTS": 1, "FTS": 1, "MSA": 1}
    lines = [line for line in segments(data) if line[0] not in {"MSH", "ERR"}]
    return " ".join(f"{line[0]}:{line[told[line[0]]]}" if len(line) > told[line[0]] else line[0] for line in lines)


@on_sqlite
@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (BHS + adt(1) + b"BTS|1\r", "BHS:B7 MSA:AA BTS:1"),
        (BHS + adt(1), "BHS:B7 MSA:AA BTS:1"),
        (BHS + adt(1) + b"BTS|7\r", "BHS:B7 MSA:AA BTS:1"),
        (BHS + b"BTS|0\r", "BHS:B7 BTS:0"),
        (BHS, "BHS:B7 BTS:0"),
        (FHS + BHS + adt(1) + adt(2) + b"BTS|2\rFTS|1\r", "FHS:F9 BHS:B7 MSA:AA MSA:AA BTS:2 FTS:1"),
        (FHS + BHS + b"BTS|0\rFTS|1\r", "FHS:F9 BHS:B7 BTS:0 FTS:1"),
        (FHS + b"FTS|0\r", "FHS:F9 BHS BTS:0 FTS:1"),
        (FHS + adt(1) + b"FTS|0\r", "FHS:F9 BHS MSA:AA BTS:1 FTS:1"),
        (
            FHS + BHS + adt(1) + b"BTS|1\r" + BHS.replace(b"B7", b"B8") + adt(2) + adt(3) + b"BTS|2\rFTS|2\r",
            "FHS:F9 BHS:B7 MSA:AA BTS:1 BHS:B8 MSA:AA MSA:AA BTS:2 FTS:2",
        ),
        (
            BHS + adt(1) + b"BTS|1\r" + BHS.replace(b"B7", b"B8") + adt(2) + b"BTS|1\r",
            "BHS:B7 MSA:AA BTS:1 BHS:B8 MSA:AA BTS:1",
        ),
        (adt(1) + b"BTS|1\r", "MSA:AA"),
        (BHS.replace(b"\r", b"\n") + adt(1).replace(b"\r", b"\n") + b"BTS|1\n", "BHS:B7 MSA:AA BTS:1"),
    ],
)
async def test_each_batch_is_answered_in_its_shape(
    web: httpx.AsyncClient, world: World, body: bytes, wanted: str
) -> None:
    answer = await web.post("/ingest/hl7v2", content=body, headers=await world.bearer(world.mercy) | HL7)
    assert (answer.status_code, shape(answer.content)) == (200, wanted)
    sent = body.count(b"MSH|")
    assert await states(world) == ({("mercy-adt", "not-ours"): sent} if sent else {})


async def test_a_bad_message_of_a_batch_harms_no_other(web: httpx.AsyncClient, world: World) -> None:
    contradictory = adt(4).replace(rb"|^~\&|", b"|&&&&|")
    body = BHS + adt(1) + unfileable(adt(2)) + adt(3, facility="X") + contradictory + adt(5, control_id="") + adt(6)
    answer = await web.post("/ingest/hl7v2", content=body, headers=await world.bearer(world.mercy) | HL7)
    assert codes(answer.content) == [
        ("AA", "HTEST-1"), ("AE", "HTEST-2"), ("AR", "HTEST-3"), ("AE", "HTEST-4"), ("AE", ""), ("AA", "HTEST-6"),
    ]  # fmt: skip
    assert segments(answer.content)[-1] == ["BTS", "6"]
    assert sum((await states(world)).values()) == 6


@on_sqlite
@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (asking(1, "AL|AL"), asking(2, "AL|NE"), "BHS:B7 MSA:CA MSA:AA MSA:CA BTS:3"),
        (asking(1, "ER|ER"), asking(2, "ER|ER"), "BHS:B7 BTS:0"),
        (asking(1, "NE|ER"), asking(2, "ER|NE"), "BHS:B7 BTS:0"),
        (asking(1, "ER|ER"), unfileable(asking(2, "ER|ER")), "BHS:B7 MSA:CE MSA:AE BTS:2"),
        (asking(1, "NE|NE"), asking(2, "NE|NE"), ""),
        (asking(1, "ER|NE"), asking(2, "NE|NE"), ""),
        (asking(1, "SU|NE"), unfileable(asking(2, "SU|NE")), "BHS:B7 MSA:CA BTS:1"),
        (asking(1, "ER|NE"), unfileable(asking(2, "SU|NE")), ""),
    ],
)
async def test_in_enhanced_mode_a_batch_holds_what_was_asked_for_and_an_empty_one_means_all_accepted(
    modes: Modes, first: bytes, second: bytes, wanted: str
) -> None:
    answer = await modes.post(BHS + first + second + b"BTS|2\r")
    assert (answer.status_code, shape(answer.content)) == (200, wanted)


@on_sqlite
@pytest.mark.parametrize("body", [b"BTS|0\r", b"FTS|0\r", b"BHS\r", b"BHS", BHS + b"HTEST garbage\r"])
async def test_an_envelope_around_nothing_that_can_be_answered_is_an_outcome(
    web: httpx.AsyncClient, world: World, body: bytes
) -> None:
    answer = await web.post("/ingest/hl7v2", content=body, headers=await world.bearer(world.mercy) | HL7)
    assert (answer.status_code, answer.headers["content-type"]) == (400, FHIR)


async def test_a_batch_of_many_is_answered_in_its_order(web: httpx.AsyncClient, world: World) -> None:
    body = BHS + b"".join(map(adt, range(1, 151)))
    answer = await web.post("/ingest/hl7v2", content=body, headers=await world.bearer(world.mercy) | HL7)
    assert [control_id for _, control_id in codes(answer.content)] == [f"HTEST-{n}" for n in range(1, 151)]


# ---- events


async def test_a_discharge_opens_a_referral_and_says_where_it_is(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy)
    answer = await web.post("/ingest/events", json=event(), headers=headers)
    entry = answer.json()
    assert (answer.status_code, entry["state"], entry["sender"]) == (201, "referral", "mercy-adt")
    assert answer.headers["location"] == f"/fhir/R4/ServiceRequest/{entry['referral']}"
    assert set(entry) == {
        "id", "sender", "control_id", "message_type", "received_at", "state", "reasons", "visit", "referral",
    }  # fmt: skip
    assert entry["control_id"] == "HTEST-2026-000007"
    stored = await world.hub.store.intake(READER).entry(entry["id"])
    assert stored is not None
    assert (stored.state, stored.referral) == (entry["state"], entry["referral"])


async def test_the_same_event_again_gives_the_first_entry(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy)
    first = await web.post("/ingest/events", json=event(), headers=headers)
    again = await web.post("/ingest/events", json=event(), headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())


async def test_the_same_identity_with_other_content_is_refused(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy)
    first = await web.post("/ingest/events", json=event(), headers=headers)
    other = await web.post("/ingest/events", json=event() | {"diagnoses": []}, headers=headers)
    assert (other.status_code, other.json()["state"]) == (422, "rejected")
    assert other.json()["reasons"][0]["code"] == "identity-conflict"
    assert other.json()["id"] != first.json()["id"]


async def test_what_has_nothing_to_do_with_us_is_accepted(web: httpx.AsyncClient, world: World) -> None:
    answer = await web.post("/ingest/events", json=unrelated(), headers=await world.bearer(world.mercy))
    assert (answer.status_code, answer.json()["state"]) == (202, "not-ours")
    assert "location" not in answer.headers


async def test_an_idempotency_key_is_the_identity_instead_of_the_event_id(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy)
    first = await web.post("/ingest/events", json=unrelated(), headers=headers | {"idempotency-key": '"k-1"'})
    again = await web.post("/ingest/events", json=unrelated(), headers=headers | {"idempotency-key": "k-1"})
    other = await web.post("/ingest/events", json=unrelated(9), headers=headers | {"idempotency-key": "k-1"})
    assert [a.status_code for a in (first, again, other)] == [202, 200, 422]
    assert first.json()["control_id"] == "k-1"
    for bad in ("", "a b", "x" * 257):
        answer = await web.post("/ingest/events", json=unrelated(), headers=headers | {"idempotency-key": bad})
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["Idempotency-Key"])


async def test_an_organisation_with_several_senders_names_the_one(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.north)
    named = await web.post("/ingest/events?sender=north-json", json=unrelated(), headers=headers)
    assert (named.status_code, named.json()["sender"]) == (202, "north-json")
    for query, status in (("", 400), ("?sender=mercy-adt", 403), ("?sender=nobody", 403)):
        answer = await web.post(f"/ingest/events{query}", json=unrelated(), headers=headers)
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (status, ["sender"])


DEEP = b'{"a":' + b"[" * 70 + b"]" * 70 + b"}"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"null", None),
        (b'{"a":1,"a":2}', "$.a"),
        (b'{"a":NaN}', "$.a"),
        (b'{"a":"\\ud800"}', "$.a"),
        (b'{"a":"\xff"}', None),
        (DEEP, None),
    ],
)
async def test_what_is_no_event_is_refused_with_its_place_and_kept_as_rejected(
    web: httpx.AsyncClient, world: World, body: bytes, path: str | None
) -> None:
    headers = await world.bearer(world.mercy) | {"content-type": "application/json"}
    answer = await web.post("/ingest/events", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (400, FHIR)
    if path is not None:
        assert answer.json()["issue"][0]["expression"] == [path]
    assert await states(world) == {("mercy-adt", "rejected"): 1}


async def test_everything_that_is_wrong_in_an_event_is_told_by_path_never_by_value(
    web: httpx.AsyncClient, world: World
) -> None:
    wrong = event(surprise="HTEST-SECRET") | {"kind": "HTEST-KIND"}
    wrong["patient"]["sex"] = "HTEST-SEX"
    answer = await web.post("/ingest/events", json=wrong, headers=await world.bearer(world.mercy))
    assert answer.status_code == 400
    paths = {one["expression"][0] for one in answer.json()["issue"]}
    assert {"kind", "patient.sex", "surprise"} <= {path.removeprefix("$.") for path in paths}
    assert b"HTEST" not in answer.content


async def test_lines_are_answered_line_by_line(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy) | LINES
    lines = [event(), unrelated(), {"schema_version": "1"}, event()]
    body = b"\n".join(json.dumps(line).encode() for line in lines) + b"\n\n"
    answer = await web.post("/ingest/events", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    entries = [json.loads(line) for line in answer.content.splitlines()]
    assert [entry["state"] for entry in entries] == ["referral", "not-ours", "rejected", "referral"]
    assert entries[3] == entries[0]
    assert any("event_id" in reason["text"] for reason in entries[2]["reasons"])


async def test_one_key_does_not_name_many_lines(web: httpx.AsyncClient, world: World) -> None:
    headers = await world.bearer(world.mercy) | LINES | {"idempotency-key": "k"}
    answer = await web.post("/ingest/events", content=json.dumps(event()).encode(), headers=headers)
    assert (answer.status_code, await states(world)) == (400, {})


async def test_no_line_at_all_is_a_bad_request(web: httpx.AsyncClient, world: World) -> None:
    answer = await web.post("/ingest/events", content=b"\n \n", headers=await world.bearer(world.mercy) | LINES)
    assert answer.status_code == 400
