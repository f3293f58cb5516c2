"""Every event of a visit against every state of its referral, as a table; and who comes back to the hospital."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from app.services.partners import registration
from tests.contract.events_under_way import (
    DISCHARGED,
    EVENTS,
    HARBOR,
    NUMBER,
    STATES,
    again,
    brought_to,
    dead,
    mark,
    readmission,
    send,
    standing,
)
from tests.contract.fhir_callers import caller
from tests.contract.passing_time import ALL, opened
from tests.journeys.stay import NORTH, Stay

Standing = tuple[str, str, str, str, str]
_NOT_NAMED: Final = "dosing-owner-unknown"
_REVOKED: Final = "objection no-consent part2-unit consent-not-active cure"

# What is said of the person, and two numbers that turn out to be one person's, go to whoever may see it.
_UNMOVED: Final[dict[str, Standing]] = {
    "draft": ("draft", "", "", "", ""),
    "requested": ("requested", "", "requested", "", ""),
    "accepted": ("accepted", "", "accepted", "", ""),
    "in-progress": ("in-progress", "", "in-progress", "", ""),
    "on-hold": ("on-hold", "", "on-hold", "", _NOT_NAMED),
    "completed": ("completed", "", "completed", "", ""),
}
# Before the discharge the other visit is none after it; who has no place for the person learns nothing of it.
_BACK: Final[dict[str, Standing]] = {
    "draft": ("draft", "", "", "", ""),
    "requested": ("requested", "readmitted", "requested", "", "readmitted"),
    "accepted": ("accepted", "readmitted", "accepted", "readmitted", "readmitted"),
    "in-progress": ("in-progress", "readmitted", "in-progress", "readmitted", "readmitted"),
    "on-hold": ("on-hold", "readmitted", "on-hold", "readmitted", f"readmitted {_NOT_NAMED}"),
    "completed": ("completed", "", "completed", "", ""),
}

_DIED: Final[dict[str, Standing]] = {
    "draft": ("cancelled", "died", "", "", ""),
    "requested": ("cancelled", "died", "cancelled", "withdrawn", ""),
    "accepted": ("cancelled", "died", "cancelled", "withdrawn", ""),
    "in-progress": ("cancelled", "died", "cancelled", "withdrawn", ""),
    "on-hold": ("cancelled", "died", "cancelled", "withdrawn", ""),
    "completed": ("completed", "", "completed", "", ""),
}

# Status and mark of the hospital's Task, of the partner's, and what waits for a person; "" of the partner's: not asked.
TABLE: Final[dict[str, dict[str, Standing]]] = {
    "A13": {
        "draft": ("draft", "", "", "", ""),
        "requested": ("cancelled", "discharge-cancelled", "cancelled", "discharge-cancelled", ""),
        "accepted": ("accepted", "discharge-cancelled", "accepted", "discharge-cancelled", ""),
        "in-progress": ("in-progress", "discharge-cancelled", "in-progress", "discharge-cancelled", ""),
        "on-hold": ("on-hold", "discharge-cancelled", "on-hold", "discharge-cancelled", _NOT_NAMED),
        "completed": ("completed", "", "completed", "", ""),
    },
    "A11": {
        "draft": ("cancelled", "visit-cancelled", "", "", ""),
        "requested": ("cancelled", "visit-cancelled", "cancelled", "visit-cancelled", ""),
        "accepted": ("accepted", "visit-cancelled", "accepted", "visit-cancelled", ""),
        "in-progress": ("in-progress", "visit-cancelled", "in-progress", "visit-cancelled", ""),
        "on-hold": ("on-hold", "visit-cancelled", "on-hold", "visit-cancelled", _NOT_NAMED),
        "completed": ("completed", "", "completed", "", ""),
    },
    "A08": _UNMOVED,
    "A40": _UNMOVED,
    "death": _DIED,
    "death at home": _DIED,
    "death in another visit": _DIED,
    "custody": {
        "draft": ("draft", "needs-a-person", "", "", f"custody {_NOT_NAMED}"),
        "requested": ("requested", "", "requested", "", f"custody {_NOT_NAMED}"),
        "accepted": ("accepted", "", "accepted", "", f"custody {_NOT_NAMED}"),
        "in-progress": ("in-progress", "", "in-progress", "", f"custody {_NOT_NAMED}"),
        "on-hold": ("on-hold", "", "on-hold", "", f"custody {_NOT_NAMED}"),
        "completed": ("completed", "", "completed", "", ""),
    },
    "transfer": {
        "draft": ("draft", "needs-a-person", "", "", "transferred"),
        "requested": ("requested", "", "requested", "", "transferred"),
        "accepted": ("accepted", "", "accepted", "", "transferred"),
        "in-progress": ("in-progress", "", "in-progress", "", "transferred"),
        "on-hold": ("on-hold", "", "on-hold", "", f"transferred {_NOT_NAMED}"),
        "completed": ("completed", "", "completed", "", ""),
    },
    "readmission": _BACK,
    "emergency visit": _BACK,
    "revocation": {
        "draft": ("draft", "", "", "", ""),
        "requested": ("requested", "consent-withdrawn", "requested", "consent-withdrawn", _REVOKED),
        "accepted": ("accepted", "consent-withdrawn", "accepted", "consent-withdrawn", _REVOKED),
        "in-progress": ("in-progress", "consent-withdrawn", "in-progress", "consent-withdrawn", _REVOKED),
        "on-hold": ("on-hold", "consent-withdrawn", "on-hold", "consent-withdrawn", f"{_REVOKED} {_NOT_NAMED}"),
        "completed": ("completed", "consent-withdrawn", "completed", "consent-withdrawn", ""),
    },
    "declines": {
        "draft": ("draft", "", "", "", ""),
        "requested": ("requested", "needs-a-person", "rejected", "", "patient-declined"),
        "accepted": ("on-hold", "needs-a-person", "failed", "", "patient-declined"),
        "in-progress": ("on-hold", "needs-a-person", "failed", "", "patient-declined"),
        "on-hold": ("on-hold", "needs-a-person", "failed", "", "patient-declined"),
        "completed": ("completed", "", "completed", "", ""),
    },
    "partner closes": {
        "draft": ("draft", "", "", "", ""),
        "requested": ("requested", "needs-a-person", "cancelled", "no-answer", "no-answer no-route no-candidate"),
        "accepted": ("accepted", "", "accepted", "", "partner-closed"),
        "in-progress": ("in-progress", "", "in-progress", "", "partner-closed"),
        "on-hold": ("on-hold", "", "on-hold", "", f"partner-closed {_NOT_NAMED}"),
        "completed": ("completed", "", "completed", "", ""),
    },
}


def test_the_table_has_every_event_and_every_state() -> None:
    assert TABLE.keys() == EVENTS.keys()
    assert all(tuple(row) == STATES for row in TABLE.values())


@pytest.mark.parametrize(("name", "state"), [(name, state) for name in EVENTS for state in STATES])
async def test_what_an_event_does_to_a_referral(migrated_sqlite: Path, tmp_path: Path, name: str, state: str) -> None:
    """On SQLite: what the databases must do alike is tested where each of these is tested by itself."""
    async with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}", DISCHARGED) as course:
        stay = await brought_to(course, state)
        await EVENTS[name](course, stay)
        *found, told = await standing(course)
        assert (*found, " ".join(told)) == TABLE[name][state]


# ---- who comes back


async def test_who_leaves_again_without_a_referral_is_expected_as_before(migrated_sqlite: Path, tmp_path: Path) -> None:
    async with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}", DISCHARGED) as course:
        await readmission(course, await brought_to(course, "accepted"))
        await send(
            course, again(8, "A03", "20260610101500", "|" * 17 + "01" + "|" * 8 + "20260609100000|20260610101000")
        )
        assert await standing(course) == ("accepted", "", "accepted", "", ())


async def test_a_death_that_was_none_is_taken_back_by_the_message_that_says_so(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    async with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}", DISCHARGED) as course:
        stay = await brought_to(course, "requested")
        await send(course, dead(stay._adt("A08", "20260608143000")), stay._adt("A08", "20260608144000"))
        assert (await standing(course))[:2] == ("cancelled", "died"), "an empty field takes nothing back"
        await send(course, dead(stay._adt("A31", "20260608150000"), "N"))
        assert await standing(course) == ("requested", "", "requested", "", ())


@pytest.mark.parametrize(
    ("state", "status", "told"), [("requested", "cancelled", ()), ("accepted", "accepted", ("two-referrals",))]
)
async def test_who_leaves_again_with_a_referral_of_its_own_has_one(
    migrated_sqlite: Path, tmp_path: Path, state: str, status: str, told: tuple[str, ...]
) -> None:
    async with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}", DISCHARGED) as course:
        await brought_to(course, state)
        (earlier,) = [one for one in await course.tasks() if "partOf" not in one]
        other = Stay(8)
        moved = [one.replace(b"20260606", b"20260609").replace(b"20260608", b"20260610") for one in other.whole()]
        await send(course, *(one.replace(other.mrn.encode() + b"^", Stay(NUMBER).mrn.encode() + b"^") for one in moved))
        held = next(one for one in await course.tasks() if one["id"] == earlier["id"])
        assert (held["status"], mark(held) if status == "cancelled" else "") == (
            status,
            "duplicate" if status == "cancelled" else "",
        )
        assert [code for code in await course.told() if code == "two-referrals"] == [*told]


async def test_without_a_consent_the_partner_does_not_learn_that_the_person_is_back(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    async with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}", DISCHARGED) as course:
        stay = await brought_to(course, "accepted")
        await EVENTS["revocation"](course, stay)
        there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
        before = await course.task_of(HARBOR, there)
        await readmission(course, stay)
        assert await course.task_of(HARBOR, there) == before
        assert "readmitted" in await course.told()


async def test_neither_an_earlier_visit_nor_another_hospital_says_that_the_person_is_back(
    migrated_sqlite: Path, tmp_path: Path
) -> None:
    async with opened(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'hub.db')}", DISCHARGED) as course:
        await brought_to(course, "accepted")
        await send(course, again(8, "A01", "20260601101500"))
        north = await registration.add_sender(course.hub, {**NORTH, "match_msh": []})
        await send(course, again(9, "A01", "20260609101500"), sender="north", organization=north.organization)
        assert await standing(course) == ("accepted", "", "accepted", "", ())
