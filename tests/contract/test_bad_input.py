"""Bad input gets a clear refusal, and nothing of it ever comes back in an answer, a log line or a ledger reason."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.actor import Actor
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.contract.http_messages import adt, event
from tests.hub_fixtures import World

MARK = "HTESTMARKERZZ"
JSON_TYPES = {"events": "application/json", "task": "application/fhir+json", "patch": "application/json-patch+json"}
HL7 = {"content-type": "application/hl7-v2"}
BAD_JSON: dict[str, bytes] = {
    "nothing": b"",
    "blank": b" \n",
    "no JSON": f"{MARK} is not JSON".encode(),
    "cut off": f'{{"patient": {{"name": "{MARK}'.encode(),
    "twice a name": f'{{"owner": "{MARK}", "owner": "{MARK}"}}'.encode(),
    "twice a name inside": f'{{"a": [{{"b": "{MARK}", "b": 1}}]}}'.encode(),
    "NaN": f'{{"m": "{MARK}", "x": NaN}}'.encode(),
    "Infinity": f'{{"m": "{MARK}", "x": -Infinity}}'.encode(),
    "too large a number": f'{{"m": "{MARK}", "x": 1e400000}}'.encode(),
    "infinite": f'{{"m": "{MARK}", "x": 1e999}}'.encode(),
    "an endless integer": f'{{"m": "{MARK}", "x": {"9" * 5000}}}'.encode(),
    "a lone surrogate": f'{{"m": "{MARK}\\ud800"}}'.encode(),
    "a lone surrogate as name": b'{"a\\udfff": 1}',
    "NUL": f'{{"m": "{MARK}\\u0000"}}'.encode(),
    "65 deep": b'{"m":' * 65 + f'"{MARK}"'.encode() + b"}" * 65,
    "very deep": b"[" * 30_000 + b"]" * 30_000,
    "no UTF-8": f'{{"m": "{MARK}'.encode() + b'\xff\xfe"}',
    "UTF-16": f'{{"m": "{MARK}"}}'.encode("utf-16"),
    "a comment": f'{{"m": "{MARK}"}} // {MARK}'.encode(),
    "two documents": f'{{"m": "{MARK}"}}{{"m": "{MARK}"}}'.encode(),
    "a list": f'["{MARK}"]'.encode(),
    "a text": f'"{MARK}"'.encode(),
    "a number": b"5",
    "null": b"null",
}
PARSED = frozenset({"a list", "a text", "a number", "null"})
"""JSON, but no object."""


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """What is refused before it comes near a database needs one kind of it."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}"


@pytest.fixture(autouse=True)
def nothing_is_repeated(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No log line of any logger holds what was sent, and none says that the program failed."""
    with caplog.at_level("DEBUG"):
        yield
    lines = [record.getMessage() + str(record.exc_text or "") for record in caplog.records]
    assert [line for line in lines if MARK in line] == []
    assert [line for line in lines if "http.failed" in line or "decision-failed" in line] == []


@pytest_asyncio.fixture
async def hospital(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.mercy, "system/*.rus ingest")


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient) -> Caller:
    await discharge(world, web, 1)
    return await caller(world, web, world.harbor)


def refused(answer: httpx.Response, *statuses: int) -> list[Resource]:
    """The issues of an OperationOutcome that repeats nothing."""
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text[:300]}"
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome"
    assert answer.headers["content-type"].startswith("application/fhir+json")
    assert MARK not in answer.text + str(answer.headers)
    assert not re.search(r"Traceback|site-packages|\.py\b|SELECT|sqlite|asyncpg", answer.text)
    issues: list[Resource] = body["issue"]
    assert all(issue["severity"] == "error" and issue["diagnostics"] for issue in issues)
    return issues


async def said_in_ledger(world: World) -> str:
    entries = await world.hub.store.intake(Actor.system("test")).entries(sender=None, state=None, since=None, limit=500)
    return json.dumps([entry.reasons for entry in entries])


async def post_event(hospital: Caller, body: bytes) -> httpx.Response:
    headers = hospital.headers | {"content-type": "application/json"}
    return await hospital.web.post("/ingest/events?sender=mercy-adt", content=body, headers=headers)


# ---- JSON that is none, at every door


@pytest.mark.parametrize("what", BAD_JSON)
async def test_an_event_that_is_no_strict_json_is_400(what: str, hospital: Caller, world: World) -> None:
    issues = refused(await post_event(hospital, BAD_JSON[what]), 400)
    if what not in PARSED:
        assert issues[0].get("expression"), "the place is named"
    assert MARK not in await said_in_ledger(world)


@pytest.mark.parametrize("what", BAD_JSON)
async def test_a_task_that_is_no_strict_json_is_400(what: str, harbor: Caller) -> None:
    (task,) = await harbor.search("Task")
    sent = harbor.headers | {"content-type": "application/fhir+json"}
    url = f"{FHIR}/Task/{task['id']}"
    refused(await harbor.web.put(url, content=BAD_JSON[what], headers=sent), 400)
    sent = harbor.headers | {"content-type": "application/json-patch+json"}
    refused(await harbor.web.patch(url, content=BAD_JSON[what], headers=sent), 400, 422)
    assert await harbor.search("Task") == [task]


async def test_each_line_of_ndjson_is_refused_by_itself(hospital: Caller, world: World) -> None:
    good = json.dumps(event(3)).encode()
    bad = [body for body in BAD_JSON.values() if body.strip() and b"\n" not in body and len(body) < 10_000]
    lines = [good, *bad, json.dumps(event(4)).encode()]
    headers = hospital.headers | {"content-type": "application/x-ndjson"}
    answer = await hospital.web.post("/ingest/events?sender=mercy-adt", content=b"\n".join(lines), headers=headers)
    states = [json.loads(line)["state"] for line in answer.content.splitlines()]
    assert (states[0], states[-1]) == ("referral", "referral")
    assert set(states[1:-1]) == {"rejected"}
    assert MARK not in answer.text
    assert MARK not in await said_in_ledger(world)


# ---- JSON that is no event


def _changed(path: str, value: Any) -> bytes:
    """The smallest event with one value replaced; ``path`` is dotted, numbers are positions."""
    told = json.loads(json.dumps(event(5)))
    *way, last = path.split(".")
    place: Any = told
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    place[int(last) if isinstance(place, list) else last] = value
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("kind", MARK),
        ("schema_version", MARK),
        ("event_id", f"{MARK} with space"),
        ("occurred_at", MARK),
        ("occurred_at", "2026-06-05"),
        ("occurred_at", "9999-12-31T23:59:59-05:00"),
        ("occurred_at", "0001-01-01T00:00:00Z"),
        ("medications.0.doses.0.at", "0001-01-01T00:00:00+14:00"),
        ("test", MARK),
        ("patient", MARK),
        ("patient.sex", MARK),
        ("patient.birth_date", MARK),
        ("patient.birth_date", 5),
        ("patient.identifiers", MARK),
        ("patient.identifiers.0", {"system": MARK}),
        ("patient.name.family", [MARK]),
        ("visit.class", MARK),
        ("visit.disposition", MARK),
        ("visit.discharged_at", f"2026-06-05T25:00:00 {MARK}"),
        ("diagnoses.0", MARK),
        ("medications.0.product.code", {"x": MARK}),
        ("medications.0.schedule.interval", MARK),
        ("medications.0.doses.0.amount", MARK),
        ("medications.0.doses.0.amount", -1),
        ("medications.0.bridges.0.days", 1.5),
        ("medications.0.bridges.0.kind", MARK),
        ("needs.0.kind", MARK),
    ],
)
async def test_a_value_that_is_wrong_is_400_with_its_path(
    path: str, value: Any, hospital: Caller, world: World
) -> None:
    issues = refused(await post_event(hospital, _changed(path, value)), 400)
    said = " ".join(expression for issue in issues for expression in issue.get("expression", []))
    assert re.sub(r"\.\d+", "", path).rpartition(".")[2] in said
    assert MARK not in await said_in_ledger(world)


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "9999-12-31"])
@pytest.mark.parametrize(
    "path",
    ["visit.admitted_at", "visit.discharged_at", "visit.expected_discharge_at", "medications.0.doses.0.at"],
)
async def test_the_end_of_the_calendar_is_no_moment_to_reckon_with(path: str, at: str, hospital: Caller) -> None:
    """Senders say "no end" by it; whatever becomes of it, the message is accounted for."""
    told = json.loads(_changed("visit.expected_discharge_at", None)) | {"event_id": f"HTEST-{path}-{at}"}
    place = told["visit"] if path.startswith("visit") else told["medications"][0]["doses"][0]
    place[path.rpartition(".")[2]] = at
    assert (await post_event(hospital, json.dumps(told).encode())).status_code in {201, 202}


@pytest.mark.parametrize("at", ["99991231235959", "99991231235959-1400", "999912312359", "99991231", "00010101000000"])
@pytest.mark.parametrize("field", ["EVN-2", "PV1-44", "PV1-45", "RXA-3"])
async def test_filler_in_a_field_of_hl7_holds_up_no_interface(field: str, at: str, hospital: Caller) -> None:
    def filled(name: str, plain: str) -> str:
        return at if name == field else plain

    def message(kind: str, *more: str) -> bytes:
        stay = f"{filled('PV1-44', '20260601090000')}|{filled('PV1-45', '20260605180000') if 'A03' in kind else ''}"
        segments = (
            rf"MSH|^~\&|EPIC|MERCY|HUB|HUB|20260605180000-0400||{kind}|HTEST-{kind[:3]}|P|2.5.1",
            f"EVN|{kind[4:7]}|{filled('EVN-2', '20260605180000')}",
            "PID|1||HTEST0011^^^MERCY^MR||HTEST^Robin||19800101|F",
            "PV1|1|I|4W^^^MERCY|||||||||||||||VN|HTEST-V0011^^^MERCY^VN" + "|" * 17 + "01" + "|" * 8 + stay,
            *more,
        )
        return "\r".join(segments).encode() + b"\r"

    dose = f"RXA|0|1|{filled('RXA-3', '20260605090000')}||991147^methadone^RXNORM|80|mg"
    told = (
        message("RAS^O17^RAS_O17", "ORC|RE|1", "RXE|^^^20260601|991147^methadone^RXNORM|80||mg", dose),
        message("ADT^A03^ADT_A03", "DG1|1||F11.20^^I10"),
    )
    for one in told:
        answer = await hospital.web.post("/ingest/hl7v2", content=one, headers=hospital.headers | HL7)
        assert b"MSA|AA|" in answer.content, answer.content


async def test_an_unknown_field_is_refused_by_name(hospital: Caller) -> None:
    told = event(6) | {"dose_total": MARK}
    issues = refused(await post_event(hospital, json.dumps(told).encode()), 400)
    assert "dose_total" in json.dumps(issues)


async def test_an_event_without_anything_to_file_it_by_is_refused(hospital: Caller) -> None:
    told = event(6, patient={"name": {"family": MARK}}, visit={"class": "IMP"})
    refused(await post_event(hospital, json.dumps(told).encode()), 400)


async def test_one_identity_with_other_content_is_422_and_the_first_stands(hospital: Caller) -> None:
    first = await post_event(hospital, json.dumps(event(8)).encode())
    other = await post_event(hospital, json.dumps(event(8, occurred_at="2026-06-05T15:10:00-04:00")).encode())
    again = await post_event(hospital, json.dumps(event(8)).encode())
    assert (first.status_code, other.status_code, again.status_code) == (201, 422, 200)


# ---- too large, and of another kind


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", ["/ingest/events?sender=mercy-adt", "/ingest/hl7v2"])
async def test_a_body_over_the_limit_is_413(path: str, *, declared: bool, hospital: Caller, world: World) -> None:
    body = MARK.encode() * (world.hub.settings.max_body // len(MARK) + 2)

    async def chunks() -> Any:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    kind = {"content-type": "application/json" if "events" in path else "application/hl7-v2"}
    content = body if declared else chunks()
    answer = await hospital.web.post(path, content=content, headers=hospital.headers | kind)
    refused(answer, 413)


async def test_a_task_over_the_limit_is_413(harbor: Caller) -> None:
    (task,) = await harbor.search("Task")
    body = json.dumps(task | {"description": MARK * 200_000})
    sent = harbor.headers | {"content-type": "application/fhir+json"}
    refused(await harbor.web.put(f"{FHIR}/Task/{task['id']}", content=body, headers=sent), 413)


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("application/fhir+xml", ""),
        ("text/xml", ""),
        ("multipart/form-data", ""),
        ("", ""),
        ("application/json; charset=utf-16", ""),
        ("application/json", "gzip"),
    ],
)
async def test_another_kind_of_body_is_415(kind: str, encoding: str, hospital: Caller) -> None:
    headers = hospital.headers | {"content-type": kind} | ({"content-encoding": encoding} if encoding else {})
    body = f"<{MARK}/>".encode()
    refused(await hospital.web.post("/ingest/events?sender=mercy-adt", content=body, headers=headers), 415)


@pytest.mark.parametrize("accept", ["application/fhir+xml", "text/html", "image/png"])
async def test_another_kind_of_answer_is_406(accept: str, harbor: Caller) -> None:
    refused(await harbor.get("Task", accept=accept), 406)
    refused(await harbor.get("Task?_format=xml"), 406)


# ---- FHIR with values that are none


@pytest.mark.parametrize(
    "query",
    [
        f"_lastUpdated=gt{MARK}",
        f"_count={MARK}",
        f"_sort={MARK}",
        f"_include={MARK}",
        f"_summary={MARK}",
        f"_total={MARK}",
        f"authored-on={MARK}",
        f"colour={MARK}",
        f"status:missing={MARK}",
        f"status:{'x' * 200}={MARK}",
    ],
)
async def test_a_query_that_can_not_be_read_is_400_without_its_value(query: str, harbor: Caller) -> None:
    refused(await harbor.get(f"Task?{query}"), 400)


@pytest.mark.parametrize(
    "change",
    [
        {"status": MARK},
        {"status": [MARK]},
        {"status": None},
        {"priority": MARK},
        {"owner": {"reference": f"Organization/{MARK}"}},
        {"owner": MARK},
        {"note": [{"text": 5}]},
        {"note": MARK},
        {"output": [{"valueString": MARK}]},
        {"statusReason": MARK},
        {"extension": [{"url": MARK, "valueString": MARK, "valueCode": MARK}]},
        {"contained": [{"resourceType": MARK}]},
        {"id": MARK},
        {"resourceType": MARK},
        {"meta": MARK},
        {"meta": {"versionId": MARK}},
    ],
)
async def test_a_task_with_a_value_that_is_wrong_is_refused_without_it(change: Resource, harbor: Caller) -> None:
    (task,) = await harbor.search("Task")
    sent = harbor.headers | {"content-type": "application/fhir+json"}
    url = f"{FHIR}/Task/{task['id']}"
    answer = await harbor.web.put(url, content=json.dumps(task | change), headers=sent)
    if "versionId" in str(change):
        assert answer.status_code == 200, "a version that is none names none"
    else:
        refused(answer, 400, 422)
    assert await harbor.search("Task") == [task]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": MARK, "path": "/status", "value": "accepted"},
        {"op": "replace", "path": MARK, "value": "accepted"},
        {"op": "replace", "path": "/status", "value": MARK},
        {"op": "test", "path": "/status", "value": MARK},
        {"op": "replace", "path": "/note/99", "value": MARK},
        {"op": "add", "path": "/output/-", "value": MARK},
        {"op": "copy", "from": "/for", "path": "/owner"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "/note/99999999999999999999", "value": MARK},
        {"path": "/status"},
    ],
)
async def test_a_patch_that_can_not_be_applied_is_refused_without_its_value(
    operation: Resource, harbor: Caller
) -> None:
    (task,) = await harbor.search("Task")
    refused(await harbor.patch(f"Task/{task['id']}", operation), 400, 422)
    assert await harbor.search("Task") == [task]


@pytest.mark.parametrize(
    "path", [f"/{MARK}", f"{FHIR}/{MARK}", f"{FHIR}/Task/{MARK}", f"{FHIR}/Task/{MARK}/$x", "/ingest/x"]
)
async def test_an_unknown_path_is_404_as_an_outcome(path: str, hospital: Caller) -> None:
    refused(await hospital.web.get(path, headers=hospital.headers), 404)


@pytest.mark.parametrize(
    "value", [f"Bearer {MARK}", MARK, f"Basic {MARK}", "Bearer", "Bearer \x80", f"Bearer {'x' * 9000}"]
)
async def test_a_token_that_is_none_is_401(value: str, web: httpx.AsyncClient) -> None:
    refused(await web.get(f"{FHIR}/Task", headers={b"authorization": value.encode("latin-1")}), 401)


# ---- HL7 that is none


JUNK: dict[str, bytes] = {
    "nothing": b"",
    "text": f"hello {MARK}".encode(),
    "zeros": b"\x00" * 500,
    "three letters": b"MSH",
    "a bare header": rb"MSH|^~\&|",
    "no delimiters": f"MSH {MARK}\r".encode(),
    "a header without its second field": f"MSH||a|b|c|d|2026||{MARK}\r".encode(),
    "another segment first": f"PID|1||{MARK}\rMSH|^~\\&|EPIC|MERCY\r".encode(),
    "JSON": f'{{"m": "{MARK}"}}'.encode(),
    "no type": rf"MSH|^~\&|EPIC|MERCY|HUB|HUB|20260605|{MARK}||1|P|2.5.1".encode(),
    "no control id": f"MSH|^~\\&|EPIC|MERCY|HUB|HUB|20260605||ADT^A01||P|2.5.1\rPID|1||{MARK}".encode(),
    "bytes of no charset": b"MSH|^~\\&|EPIC|MERCY|HUB|HUB|20260605||ADT^A01|1|P|2.5.1\rPID|1||\xff\xfe" + MARK.encode(),
    "an escape without end": f"MSH|^~\\&|EPIC|MERCY|HUB|HUB|2||ADT^A01|1|P|2.5.1\rPID|1||{MARK}\\X0D".encode(),
}


@pytest.mark.parametrize("what", JUNK)
async def test_junk_is_answered_and_repeated_nowhere(what: str, hospital: Caller, world: World) -> None:
    answer = await hospital.web.post("/ingest/hl7v2", content=JUNK[what], headers=hospital.headers | HL7)
    if answer.status_code == 200:
        assert re.search(rb"\rMSA\|A[AER][|\r]", answer.content), answer.content
        assert MARK.encode() not in answer.content
    else:
        refused(answer, 400)
    assert MARK not in await said_in_ledger(world)
    good = await hospital.web.post("/ingest/hl7v2", content=adt(9), headers=hospital.headers | HL7)
    assert b"MSA|AA|" in good.content, "the next message is taken"


@pytest.mark.parametrize(
    "control", [r"1\X0D\MSA|AA|x", "1\\.br\\2", "1^2&3~4", "1\x0bMSA", "1\\E\\|", "é" * 10, "x" * 5000]
)
async def test_a_control_id_can_not_forge_an_acknowledgement(control: str, hospital: Caller) -> None:
    data = adt(10, control_id=control.replace("|", "\\F\\"))
    answer = await hospital.web.post("/ingest/hl7v2", content=data, headers=hospital.headers | HL7)
    names = [line[:3] for line in answer.content.split(b"\r") if line]
    assert names.count(b"MSA") == names.count(b"MSH") == 1
    assert b"\n" not in answer.content


async def test_any_broken_copy_of_a_message_is_answered(hospital: Caller) -> None:
    chance = random.Random(7)
    data = adt(11)
    for _ in range(150):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            position = chance.randrange(len(broken))
            match chance.randrange(3):
                case 0:
                    broken[position] = chance.randrange(256)
                case 1:
                    del broken[position]
                case _:
                    broken.insert(position, chance.choice(b"|^~\\&\r\n\x00"))
        answer = await hospital.web.post("/ingest/hl7v2", content=bytes(broken), headers=hospital.headers | HL7)
        assert answer.status_code in {200, 400}


_EDGES = ["0001-01-01", "1850-01-01T00:00:00+14:00", "1883-11-18T12:03:00", "9999-12-31", "9998-12-31T23:59:59-14:00"]
_TIMES = [
    *_EDGES,
    "2026-06-05T09:00:00-04:00",
    "2026-06-05",
    "2026-03-08T02:30:00",
    "2026-11-01T01:30:00",
    "2028-02-29",
]


async def test_whatever_times_an_event_tells_it_is_decided(hospital: Caller) -> None:
    """What can't be decided is answered 503, and a sender would send it for ever."""
    chance = random.Random(13)

    def some(number: int) -> dict[str, Any]:
        bridges = [
            {"kind": kind, "days": chance.choice([0, 3, 366]), "start": chance.choice(_TIMES)}
            for kind in ("dispensed", "prescribed")
        ]
        medication = {
            **event(number)["medications"][0],
            "schedule": {"interval": chance.choice(["PT1M", "PT8H", "P1D", "P28D", "P999W"])},
            "doses": [{"at": chance.choice(_TIMES), "held": chance.random() < 0.2} for _ in range(3)],
            "bridges": bridges,
            "next_due_ordered": chance.choice(_TIMES),
        }
        code = chance.choice(["991147", "1010604", "1996184", "2639021", "1797650"])
        medication["product"] = medication["product"] | {"code": code}
        times = {"admitted_at": chance.choice(_TIMES), "discharged_at": chance.choice(_TIMES)}
        visit = event(number)["visit"] | times | {"disposition": chance.choice(["home", "snf", "aadvice"])}
        return event(number, medications=[medication], visit=visit)

    for number in range(100, 220):
        answer = await hospital.web.post("/ingest/events", json=some(number), headers=hospital.headers)
        assert answer.status_code in {201, 202}, answer.text
