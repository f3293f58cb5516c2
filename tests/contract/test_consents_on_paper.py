"""A consent on paper: the form says all that the law wants, a signed one sends the referral, a revoked one ends it."""

import json
from typing import Any

import httpx
import pytest

from app.core.errors import BadRequest
from app.rules.consent_elements import ELEMENTS
from app.services.consents import consent_forms, consent_records
from app.services.consents.consent_forms import Wanted
from app.services.partners import registration
from tests.contract.fhir_callers import Caller, caller, discharge
from tests.hub_fixtures import World

VISIT = "urn:oid:2.16.840.1.113883.3.9999.2|HTEST-V0001"
HOUSE = {"name": "HTEST <House>", "needs": ["recovery-housing"]}
PEER_PROGRAM = {"name": "HTEST Peer Program", "part2_program": True, "needs": ["peer-support"]}


async def part2(world: World) -> None:
    fields = {"id": "mercy-adt", "organization": "HTEST Mercy", "match_msh": ["EPIC|MERCY"], "part2": "all"}
    await registration.add_sender(world.hub, {**fields, "dialect": "adt_generic", "timezone": "America/New_York"})
    await registration.import_partners(world.hub, json.dumps([HOUSE, PEER_PROGRAM]).encode())


def wanted(world: World, **changes: Any) -> Wanted:
    del world
    return Wanted(**{"sender": "mercy-adt", "choice": "HTEST Harbor OTP", **changes})


async def test_the_form_has_every_element_of_the_law_and_names_both_directions_and_the_hub(world: World) -> None:
    await part2(world)
    alternates = ("htest peer program", "HTEST <House>")
    form = await consent_forms.filled(world.hub, wanted(world, alternates=alternates, purposes=("TREAT", "HPAYMT")))
    assert [one.number for one in form.sections] == list(ELEMENTS)
    text = consent_forms.as_text(form)
    for said in (
        "HTEST Mercy may disclose",
        "may report back to HTEST Mercy",
        "[ ] 1. HTEST Harbor OTP: covered entity under HIPAA. It may disclose the record further as HIPAA",
        "[ ] 2. HTEST Peer Program: Part 2 program that HIPAA does not cover. It may disclose the record further only",
        "[ ] 3. HTEST <House>: neither covered by HIPAA nor a Part 2 program. It may disclose the record",
        "treatment, payment",
        "To revoke, I write to: ____",
    ):
        assert said in text
    assert "{" not in text
    page = consent_forms.as_html(form)
    assert "HTEST &lt;House&gt;" in page
    assert "<House>" not in page
    assert json.loads(consent_forms.as_json(form))["consent"]["recipients"][1] == "HTEST Peer Program"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"sender": "nobody"}, "--sender"),
        ({"choice": "HTEST Nobody"}, "--patient-choice, --alternate"),
        ({"alternates": ("HTEST Nobody",)}, "--patient-choice, --alternate"),
        ({"purposes": ("HRESCH",)}, "--purpose"),
        ({"language": "xx"}, "--language"),
        ({"language": "../us-hipaa/en"}, "--language"),
    ],
)
async def test_what_is_not_known_here_is_on_no_form(world: World, changes: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as refused:
        await consent_forms.filled(world.hub, wanted(world, **changes))
    assert refused.value.issues[0].path == path


async def signed(world: World, **changes: Any) -> bytes:
    form = await consent_forms.filled(world.hub, wanted(world))
    return json.dumps(form.consent | {"signed_at": "2026-06-04", **changes}).encode()


async def named(who: Caller) -> int:
    """How many people the caller can tell by name; of an offer it can't."""
    return sum("name" in one for one in await who.search("Patient"))


async def test_a_signed_form_sends_the_referral_and_its_revocation_ends_what_is_seen(
    world: World, web: httpx.AsyncClient
) -> None:
    await part2(world)
    harbor = await caller(world, web, world.harbor, "system/*.cruds")
    await discharge(world, web, 1)
    assert await named(harbor) == 0
    number, entry = await consent_records.record(
        world.hub, await signed(world), sender="mercy-adt", visit=VISIT, document=b"HTEST scan"
    )
    assert entry["state"] == "updated"
    assert await named(harbor) == 1
    again, _ = await consent_records.revoke(world.hub, sender="mercy-adt", visit=VISIT, identifier=number)
    assert again == number
    assert await named(harbor) == 0
    hospital = await caller(world, web, world.mercy, "system/*.cruds")
    (held,) = await hospital.search("Consent")
    assert (held["status"], held["identifier"]) == ("inactive", [{"value": number}])


async def test_a_consent_is_taken_back_for_one_of_its_recipients(world: World, web: httpx.AsyncClient) -> None:
    await part2(world)
    await discharge(world, web, 1)
    both = await signed(world, recipients=["HTEST Harbor OTP", "HTEST Peer Program"])
    number, _ = await consent_records.record(world.hub, both, sender="mercy-adt", visit=VISIT)
    how: dict[str, Any] = {"sender": "mercy-adt", "visit": VISIT, "identifier": number}
    await consent_records.revoke(world.hub, **how, recipients=["htest harbor OTP"])
    hospital = await caller(world, web, world.mercy, "system/*.cruds")
    (held,) = await hospital.search("Consent")
    assert held["status"] == "active"
    (denial,) = held["provision"]["provision"]
    assert denial["actor"][0]["reference"]["display"] == "htest harbor OTP"
    for change, path in (({"identifier": "HTEST-C9"}, "--identifier"), ({"recipients": ["HTEST Nobody"]}, "--for")):
        with pytest.raises(BadRequest) as refused:
            await consent_records.revoke(world.hub, **{**how, **change})
        assert refused.value.issues[0].path == path


async def test_a_form_that_lacks_elements_is_not_recorded_and_says_which(world: World) -> None:
    bare = await signed(world, form=None, signed_by=None, signed_at=None)
    with pytest.raises(BadRequest) as refused:
        await consent_records.record(world.hub, bare, sender="mercy-adt", visit=VISIT)
    told = [one.text.partition(":")[0] for one in refused.value.issues]
    assert told == [f"42 CFR 2.31(a)({number})" for number in ("3", "6", "7", "8", "9", "10")]


@pytest.mark.parametrize(("data", "visit"), [(b"[]", VISIT), (b'{"status": "revoked"}', VISIT), (b"{}", "V-1")])
async def test_what_is_no_consent_is_refused(world: World, data: bytes, visit: str) -> None:
    with pytest.raises(BadRequest):
        await consent_records.record(world.hub, data, sender="mercy-adt", visit=visit)
