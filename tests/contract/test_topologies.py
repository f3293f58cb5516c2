"""Partners' own servers of other kinds: BSeR, Cancellation Request Tasks, coordinating organisations, sign-in."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.core import jws
from app.services.push import pushes
from schemas.partner_server import BSER_BUSINESS_STATUS
from tests.contract.passing_time import Course, course
from tests.contract.pushed import HARBOR, Pushing, pushing
from tests.contract.test_pushing import FIRST_DOSE
from tests.fhir_servers import FhirServer, Resource, Wrong, fhir_server
from tests.signing import ec_key, jwk, rsa_key

__all__ = ["course"]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FhirServer]:
    async with fhir_server() as made:
        yield made


def business(code: str) -> Resource:
    return {"coding": [{"system": BSER_BUSINESS_STATUS, "code": code}]}


# ---- BSeR


async def test_a_bser_referral_is_received_scheduled_missed_and_completed(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, vocabulary="bser") as push:
        await course.discharged()
        await push.turn()
        assert (server.task["status"], server.task["businessStatus"]["coding"][0]["code"]) == ("received", "2.0")
        kinds = [one["type"]["coding"][0]["code"] for one in server.task["identifier"] if "type" in one]
        assert "PLAC" in kinds
        for status, code in (("accepted", "3.0"), ("in-progress", "5.1.1"), ("in-progress", "5.1.2")):
            server.says(status=status, businessStatus=business(code))
            await push.later()
            child = await push.child()
            assert (child["status"], child["businessStatus"]) == (status, business(code))
        server.says(status="completed", businessStatus=business("7.0"), output=[FIRST_DOSE])
        await push.later()
        assert (await course.source())["status"] == "completed"


async def test_a_bser_recipient_may_decline_what_it_had_accepted(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, vocabulary="bser") as push:
        await course.discharged()
        await push.turn()
        server.says(status="in-progress", businessStatus=business("5.1.1"))
        await push.later()
        server.says(status="rejected", businessStatus=business("4.0"), statusReason={"text": "HTEST full"})
        await push.later()
        child = await push.child()
        assert (child["status"], child["statusReason"]["text"]) == ("failed", "HTEST full")


async def test_a_bser_cancellation_is_asked_for_and_confirmed(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, vocabulary="bser") as push:
        await course.discharged()
        await push.turn()
        server.says(status="accepted", businessStatus=business("3.0"))
        await push.later()
        await push.withdrawn()
        await push.later()
        assert (server.task["status"], server.task["businessStatus"]["coding"][0]["code"]) == ("in-progress", "5.2")
        writes = len(server.wrote())
        await push.later()
        assert len(server.wrote()) == writes, "it is asked for once"
        server.says(status="cancelled", businessStatus=business("6.0"))
        await push.later()
        assert [one.state for one in await push.listed("ended")] == ["ended"]


async def test_a_bser_recipient_that_completes_all_the_same_is_shown_to_a_person(
    course: Course, server: FhirServer
) -> None:
    async with pushing(course, server.base, vocabulary="bser") as push:
        await course.discharged()
        await push.turn()
        server.says(status="accepted")
        await push.later()
        await push.withdrawn()
        await push.later()
        server.says(status="completed", businessStatus=business("7.0"), output=[FIRST_DOSE])
        await push.later()
        assert [one.reason for one in await push.listed("parked")] == ["status-impossible"]


# ---- a Cancellation Request Task


def aborts(server: FhirServer) -> list[Resource]:
    return [task for task in server.of("Task") if task["code"]["coding"][0]["code"] == "abort"]


async def aborted(push: Pushing, server: FhirServer) -> Resource:
    """The hub asked for it, once."""
    await push.course.discharged()
    await push.turn()
    server.says(status="in-progress")
    await push.later()
    await push.withdrawn()
    server.cuts = 1
    for _ in range(3):
        await push.later()
    (abort,) = aborts(server)
    return abort


async def test_an_abort_task_asks_once_and_the_partner_agrees(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, cancels="abort") as push:
        abort = await aborted(push, server)
        assert abort["focus"]["reference"] == f"Task/{server.task['id']}"
        assert (abort["status"], abort["intent"], server.task["status"]) == ("requested", "order", "in-progress")
        server.put(f"Task/{abort['id']}", {**abort, "status": "completed"})
        server.says(status="cancelled")
        await push.later()
        assert [one.state for one in await push.listed("ended")] == ["ended"]


async def test_who_has_not_begun_is_cancelled_and_not_asked(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, cancels="abort") as push:
        await course.discharged()
        await push.turn()
        server.says(status="accepted")
        await push.later()
        await push.withdrawn()
        await push.later()
        assert (server.task["status"], aborts(server)) == ("cancelled", [])


async def test_an_abort_that_is_refused_is_shown_to_a_person(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, cancels="abort") as push:
        abort = await aborted(push, server)
        server.put(f"Task/{abort['id']}", {**abort, "status": "rejected"})
        await push.later()
        assert [one.reason for one in await push.listed("parked")] == ["cancel-refused"]


# ---- a coordinating organisation


async def test_the_hospital_is_told_whom_a_coordinating_organisation_passed_it_on_to(
    course: Course, server: FhirServer
) -> None:
    async with pushing(course, server.base, coordinates=True) as push:
        await course.discharged()
        await push.turn()
        (request,) = server.of("ServiceRequest")
        performer = [*request["performer"], {"display": "HTEST Beacon Clinic"}]
        server.put(f"ServiceRequest/{request['id']}", {**request, "performer": performer})
        server.make(
            {
                **server.task,
                "partOf": [{"reference": f"Task/{server.task['id']}"}],
                "identifier": [],
                "code": {"coding": [{"code": "of-its-own"}]},
            }
        )
        server.says(status="in-progress", businessStatus=business("5.1.1"))
        for _ in range(3):
            await push.later()
        source = await course.source()
        assert source["status"] == "in-progress"
        assert source["businessStatus"] == business("5.1.1")
        assert [one["text"] for one in source["note"]] == ["Passed on to HTEST Beacon Clinic."]
        # What it asks of others is its own affair: to the hub there is one child.
        assert len([task for task in await course.tasks() if "partOf" in task]) == 1
        # One that it was passed on to declines: it asks the next, and the source stays (Gravity, indirect).
        server.says(businessStatus=business("5.1.3"))
        await push.later()
        source = await course.source()
        assert (source["status"], source["businessStatus"]) == ("in-progress", business("5.1.3"))
        server.says(status="completed", output=[FIRST_DOSE])
        await push.later()
        assert (await course.source())["output"] == [FIRST_DOSE]


async def test_of_another_partner_no_performer_is_told(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base) as push:
        await course.discharged()
        await push.turn()
        server.says(status="in-progress", businessStatus=business("5.1.1"))
        await push.later()
        assert "businessStatus" not in await course.source()


# ---- who the hub is


@asynccontextmanager
async def tokens() -> AsyncIterator[FhirServer]:
    """Where tokens are given."""
    async with fhir_server() as made:
        made.wrong = Wrong(200, b'{"access_token": "HTEST-access", "expires_in": 3600}', "application/json")
        yield made


async def kept(push: Pushing, secret: bytes) -> None:
    await pushes.keep_credential(push.hub, HARBOR, secret)


async def test_a_token_is_shown_and_kept_sealed(course: Course, server: FhirServer) -> None:
    async with pushing(course, server.base, sign_in="bearer") as push:
        await course.discharged()
        await push.turn()
        assert [one.reason for one in await push.listed("parked")] == ["no-credential"]
        await kept(push, b"HTEST-token\n")
        await pushes.retry(push.hub, (await push.one()).task)
        await push.turn()
        assert {one.headers["authorization"] for one in server.asked} == {"Bearer HTEST-token"}
        (sealed,) = await push.rows("select credential, body from partner where name = $1", HARBOR)
        assert b"HTEST-token" not in bytes(sealed[0])
        assert "HTEST-token" not in sealed[1]


@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_smart_backend_services(course: Course, server: FhirServer, kind: str) -> None:
    async with tokens() as there:
        own: Resource = {"client_id": "HTEST-hub", "token_url": f"{there.base}/token"}
        async with pushing(course, server.base, sign_in="private-key-jwt", **own) as push:
            key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = rsa_key() if kind == "rsa" else ec_key()
            made = RSAAlgorithm.to_jwk(key) if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk(key)
            await kept(push, json.dumps({**json.loads(made), "kid": "k1"}).encode())
            await course.discharged()
            await push.turn()
            (asked,) = there.asked
            fields = {name: value for name, (value,) in parse_qs(asked.body).items()}
            assert fields["grant_type"] == "client_credentials"
            assertion = jws.read(fields["client_assertion"])
            assert assertion.claims["iss"] == assertion.claims["sub"] == "HTEST-hub"
            assert assertion.claims["aud"] == own["token_url"]
            (public,) = jws.keys_of(json.dumps({"keys": [jwk(key)]}).encode())
            assert jws.verifies(assertion, public)
            assert {one.headers["authorization"] for one in server.asked} == {"Bearer HTEST-access"}


async def test_a_client_secret(course: Course, server: FhirServer) -> None:
    async with tokens() as there:
        own: Resource = {"client_id": "HTEST-hub", "token_url": f"{there.base}/token"}
        async with pushing(course, server.base, sign_in="client-secret", **own) as push:
            await kept(push, b"HTEST-secret")
            await course.discharged()
            await push.turn()
            assert there.asked[0].headers["authorization"].startswith("Basic ")
            assert server.task["status"] == "requested"
            server.wrong = Wrong(401)
            await push.later()
            server.wrong = None
            await push.later()
            assert len(there.asked) == 2, "a token that was not taken is asked for anew"
            assert (await push.one()).state == "waiting"
            for status in (503, 503, 401):
                server.wrong = Wrong(status)
                await push.later()
            server.wrong = None
            await push.later()
            assert len(there.asked) == 3, "also where the server was away before"
            assert ((await push.one()).state, (await push.one()).reason) == ("waiting", None)
