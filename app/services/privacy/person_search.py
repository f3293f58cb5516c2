"""From a person's name to the Patient records that the hub holds: the first step of every account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.core.actor import Actor
from app.core.errors import BadRequest
from app.services.disclosures import note
from app.services.hub import Hub
from app.services.reading import search_cursors as cursors
from app.services.reading.search_asked import Asked
from app.services.reading.search_cursors import Position
from app.services.reading.search_params import Pairs, parse
from app.services.sheets import Sheet
from app.services.writing import decoded
from app.store.accounting import Accounting
from app.store.accounts import Directory
from app.store.reader import Reader

_SLICE: Final = 500


@dataclass(frozen=True, slots=True)
class Person:
    """One Patient record; one person may have several."""

    patient: str
    name: str
    birth_date: str
    identifiers: tuple[str, ...]
    hospital: str
    """Name of the hospital that referred the person by this record; empty where it has not yet."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is known of a person; at least one of them."""

    family: str | None = None
    given: str | None = None
    identifier: str | None = None
    """``system|value``, or the value alone."""
    birth_date: str | None = None

    def pairs(self) -> Pairs:
        """As a FHIR search for Patient."""
        named = (
            ("family", self.family),
            ("given", self.given),
            ("identifier", self.identifier),
            ("birthdate", self.birth_date),
        )
        return tuple((name, value) for name, value in named if value)


async def find(hub: Hub, actor: Actor, sought: Sought) -> list[Person]:
    """Every Patient record that fits, whichever hospital it is of. It is recorded that it was looked for.

    Raises BadRequest where nothing is asked, or a value can't be read.
    """
    if not sought.pairs():
        raise BadRequest("A name, an identifier or a date of birth is needed.")
    asked = parse("Patient", sought.pairs(), lenient=False).at(hub.clock.now_us())
    found = await matches(hub.store.reader(actor), asked)
    await note(hub.store, actor, "accounting-find", [one["id"] for one in found])
    reader, directory = hub.store.accounting(actor), await hub.registry.current()
    return [_person(one, await _hospital(reader, directory, one["id"])) for one in found]


async def _hospital(reader: Accounting, directory: Directory, patient: str) -> str:
    requesters = await reader.requesters(await reader.about([patient]))
    hospitals = {sender.organization for sender in directory.senders.values()}
    return ", ".join(sorted(directory.names.get(one, one) for one in requesters & hospitals))


async def matches(reader: Reader, asked: Asked) -> list[dict[str, Any]]:
    """All of them: a name stands in no index, and an account must not end where a search would."""
    found: list[dict[str, Any]] = []
    position: Position | None = None
    while True:
        rows = await reader.search(cursors.query_of(asked, position, _SLICE))
        resources = [decoded(row) for row in rows]
        found += [one for one in resources if all(test(one) for test in asked.tests)]
        if len(rows) < _SLICE:
            return found
        position = Position(rows[-1].key, 0)


def _person(patient: dict[str, Any], hospital: str) -> Person:
    return Person(
        patient["id"],
        next(_names(patient), ""),
        patient.get("birthDate", ""),
        tuple(f"{one.get('system', '')}|{one.get('value', '')}" for one in patient.get("identifier", [])),
        hospital,
    )


def _names(patient: dict[str, Any]) -> Iterator[str]:
    for name in patient.get("name", []):
        parts = (*name.get("given", ()), name.get("family", ""))
        yield name.get("text") or " ".join(part for part in parts if part)


def people_sheet(found: Sequence[Person]) -> Sheet:
    """One line for each record."""
    rows = [(one.patient, one.name, one.birth_date, ", ".join(one.identifiers), one.hospital) for one in found]
    return Sheet("Patient records", (), ("patient", "name", "born", "identifiers", "hospital"), rows)
