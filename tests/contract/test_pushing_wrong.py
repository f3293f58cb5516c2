"""A partner's own server that answers as none should: the referral is never silently stuck."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.services.jobs import DueWork
from app.services.people import todo
from app.services.push import pushes
from app.services.senders.sender_health import SenderGauges
from tests.contract.passing_time import ALL_DAYS, METHADONE, Course, course, partner
from tests.contract.pushed import HARBOR, Pushing, pushing
from tests.fhir_servers import FhirServer, Wrong, fhir_server

__all__ = ["course"]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FhirServer]:
    async with fhir_server() as made:
        yield made


@pytest_asyncio.fixture
async def push(course: Course, server: FhirServer) -> AsyncIterator[Pushing]:
    async with pushing(course, server.base) as made:
        yield made


SECOND = partner("HTEST Second", days=ALL_DAYS)
COVERED = [{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}]
FIRST = {"routes": {"moud-continuation": HARBOR}}
REFUSED: dict[str, tuple[Wrong, str]] = {
    "page": (Wrong(200, b"<html>Sign in</html>", "text/html"), "content-type"),
    "no-json": (Wrong(200, b"{not json"), "not-json"),
    "a-list": (Wrong(200, b"[]"), "not-json"),
    "another": (Wrong(200, b'{"resourceType": "Patient", "id": "1"}'), "not-what-was-asked"),
    "nothing": (Wrong(200, b""), "not-what-was-asked"),
    "huge": (Wrong(200, b'"' + b"x" * 5_000_000 + b'"'), "too-large"),
    "redirect": (Wrong(302, b"", headers=(("location", "http://127.0.0.1:1/fhir"),)), "status-302"),
    "not-valid": (Wrong(422), "status-422"),
    "bad": (Wrong(400), "status-400"),
}
AGAIN: dict[str, tuple[Wrong, str]] = {
    "error": (Wrong(500, b"<html>Error</html>", "text/html"), "status-500"),
    "away": (Wrong(503, headers=(("retry-after", "1800"),)), "status-503"),
    "too-many": (Wrong(429), "status-429"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_gets_no_better_is_parked_and_a_person_is_told(push: Pushing, server: FhirServer, case: str) -> None:
    server.wrong, reason = REFUSED[case]
    await push.course.discharged()
    await push.turn()
    (parked,) = await push.listed("parked")
    assert (parked.reason, parked.place) == (reason, None)
    await push.course.settled()
    assert "push-not-reached" in await push.course.told()
    assert "no-answer" in await push.course.told(), "nobody else can be asked"
    (line,) = await todo.listed(push.hub, Actor.system("test"))
    assert line.why == ["push-failed"]


@pytest.mark.parametrize("case", AGAIN)
async def test_what_may_get_better_is_tried_again(push: Pushing, server: FhirServer, case: str) -> None:
    server.wrong, reason = AGAIN[case]
    await push.course.discharged()
    await push.later(0)
    failing = await push.one()
    assert (failing.state, failing.reason, failing.attempts) == ("waiting", reason, 1)
    server.wrong = None
    await push.later(31)
    assert server.task["status"] == "requested"
    assert (await push.one()).attempts == 0


async def test_a_server_that_takes_no_transaction_after_all_is_given_it_in_parts(
    push: Pushing, server: FhirServer
) -> None:
    server.refuses = 413
    await push.course.discharged()
    await push.turn()
    assert server.task["status"] == "requested"
    assert [one.path for one in server.wrote()].count("/fhir") == 1


@pytest.mark.parametrize("until", ["1800", "Sat, 06 Jun 2026 18:30:00 GMT"])
async def test_a_server_that_asks_for_time_gets_it(push: Pushing, server: FhirServer, until: str) -> None:
    """In seconds, or until a moment by its own clock, which need not be the hub's (RFC 9110, 10.2.3)."""
    its_clock = ("date", "Sat, 06 Jun 2026 18:00:00 GMT")
    server.wrong = Wrong(503, headers=(("retry-after", until), its_clock))
    await push.course.discharged()
    await push.later(0)
    asked = len(server.asked)
    await push.later(29)
    assert len(server.asked) == asked
    await push.later(2)
    assert len(server.asked) > asked


async def test_a_server_that_never_answers_is_given_up_for_this_attempt(
    push: Pushing, server: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.push.remote_server.SECONDS", 0.2)
    server.wrong = Wrong(hangs=True)
    await push.course.discharged()
    await push.later(0)
    assert (await push.one()).reason == "timeout"


async def test_a_server_that_is_not_there(push: Pushing, server: FhirServer) -> None:
    await server.stop()
    await push.course.discharged()
    await push.later(0)
    assert (await push.one()).reason == "no-connection"


async def test_the_time_to_answer_goes_on_while_nothing_arrives(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, SECOND, sender=FIRST) as push:
        server.wrong = AGAIN["error"][0]
        await course.discharged(medications=COVERED)
        assert await course.asked() == {HARBOR: "requested"}
        await push.later(0)
        await course.until(push.hub.clock.now() + timedelta(days=1))
        assert (await course.asked())[HARBOR] == "cancelled"
        assert (await course.asked())["HTEST Second"] == "requested"
        # It never arrived, so nothing of it is to be taken back there once the server is well again.
        server.wrong = None
        await push.later(60)
        await push.later(60)
        assert [one.state for one in await push.listed("ended")] == ["ended"]
        assert server.of("Task") == []


async def test_the_next_is_asked_at_once_where_the_server_takes_nothing(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, SECOND, sender=FIRST) as push:
        server.wrong = REFUSED["page"][0]
        await course.discharged(medications=COVERED)
        await push.turn()
        await course.settled()
        assert await course.asked() == {HARBOR: "cancelled", "HTEST Second": "requested"}


async def test_an_operator_has_it_go_on_once_the_cause_is_set_right(push: Pushing, server: FhirServer) -> None:
    server.wrong = REFUSED["page"][0]
    await push.course.discharged()
    await push.turn()
    await push.course.settled()
    server.wrong = None
    await pushes.retry(push.hub, (await push.one()).task)
    await DueWork(push.hub).run()
    assert "push-not-reached" not in await push.course.told()
    await push.later()
    assert server.task["status"] == "requested"


async def test_what_is_parked_is_counted_for_whoever_watches(push: Pushing, server: FhirServer) -> None:
    """Of no partner by name: how much each is sent is nobody else's."""
    lines = [one for one in (await push.course.web.get("/metrics")).text.splitlines() if "pushes{" in one]
    assert lines == ['throughline_pushes{state="waiting"} 0', 'throughline_pushes{state="parked"} 0']
    server.wrong, _ = REFUSED["bad"]
    await push.course.discharged()
    assert await pushes.counts(push.hub) == {"waiting": 1}
    await push.turn()
    gauge = next(one for one in await SenderGauges(push.hub).current() if one.name == "throughline_pushes")
    assert (gauge.label, gauge.values) == ("state", {"waiting": 0, "parked": 1})
    await pushes.drop(push.hub, (await push.one()).task)
    assert await pushes.counts(push.hub) == {}


async def test_a_status_that_can_not_be_is_shown_and_nothing_is_guessed(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status="in-progress")
    await push.later()
    server.says(status="accepted")
    await push.later()
    (parked,) = await push.listed("parked")
    assert (parked.reason, parked.status) == ("status-impossible", "accepted")
    assert (await push.child())["status"] == "in-progress"
    assert "push-at-odds" in await push.course.told()


@pytest.mark.parametrize("status", ["ready", "HTEST", 7, None, {"a": 1}])
async def test_a_status_that_nobody_knows_is_shown(push: Pushing, server: FhirServer, status: Any) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status=status)
    await push.later()
    assert [one.reason for one in await push.listed("parked")] == ["status-unknown"]
    assert (await push.child())["status"] == "requested"


@pytest.mark.parametrize(
    "more",
    [
        {"output": 5},
        {"output": ["HTEST"]},
        {"output": [{"type": 1, "valueReference": {"reference": "Procedure/none"}}]},
        {"note": "HTEST"},
        {"note": [{"text": {"a": 1}}]},
        {"statusReason": {"coding": "HTEST"}, "status": "rejected"},
        {"businessStatus": {"coding": 3}},
        {"businessStatus": {"coding": [{"code": 3}]}},
        {"output": [{"type": {"text": "x"}, "valueString": "<script>", "valueCode": "two"}]},
    ],
)
async def test_a_task_that_is_not_fhir_is_shown_and_changes_nothing(
    push: Pushing, server: FhirServer, more: dict[str, Any]
) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(**{"status": "accepted", **more})
    for _ in range(4):
        await push.later()
    (parked,) = await push.listed("parked")
    assert parked.reason in {"status-404", "not-fhir", "not-taken-400", "not-taken-422"}
    child = await push.child()
    assert "output" not in child
    assert "HTEST" not in str(child.get("note", ""))


async def test_a_task_that_is_gone_there_is_shown(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    server.held.clear()
    for _ in range(3):
        await push.later()
    assert [one.reason for one in await push.listed("parked")] == ["status-404"]
    assert "push-at-odds" in await push.course.told()


async def test_what_is_dropped_is_not_touched_again(push: Pushing, server: FhirServer) -> None:
    server.wrong = REFUSED["page"][0]
    await push.course.discharged()
    await push.turn()
    await pushes.drop(push.hub, (await push.one()).task)
    server.wrong = None
    await push.later()
    assert server.of("Task") == []
