"""What was said outside the hub, as FHIR: a Communication of the hospital's own, and Provenance of what followed.

The Communication names who spoke and the number, so it is seen by the hospital alone. Provenance names the persons, to
the two organisations that spoke with each other and to nobody else. Pure: ids and clock are arguments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from fhir_mappings.building.build_elements import organization_reference
from fhir_mappings.labels import Resource
from schemas.codes.local import SPOKEN, concept

Category = Literal["call", "answer", "dispute"]
_MODE: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
_MEDIA: Final = {"phone": "PHONE", "fax": "FAXWRIT", "in-person": "FACE", "written": "WRITTEN"}
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
_TASK_STATUS: Final = "http://hl7.org/fhir/task-status"


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a talk: an organisation, who spoke for it, and its number."""

    organization: str
    """FHIR id."""
    name: str
    person: str = ""
    number: str = ""

    @property
    def reference(self) -> Resource:
        """The organisation."""
        return organization_reference(self.organization, self.name)


@dataclass(frozen=True, slots=True)
class Talk:
    """What was said, or that nobody could be reached."""

    category: Category
    at: datetime
    how: str
    """``phone``, ``fax``, ``in-person``; ``written`` to the hub."""
    sender: Side
    recipient: Side
    outcome: str | None = None
    """Of a call; see the codes of ``SPOKEN``."""
    answer: str | None = None
    """Status that the Task was said to have."""
    note: str = ""


def communication(talk: Talk, *, resource_id: str, task: Resource, security: Sequence[Resource]) -> Resource:
    """What was said about the hospital's Task ``task``, with the labels ``security``."""
    reached = talk.outcome in {None, "talked"}
    made: dict[str, Any] = {
        "resourceType": "Communication",
        "id": resource_id,
        "meta": {"security": list(security)} if security else {},
        "contained": [_spoke(talk.sender, "sender"), _spoke(talk.recipient, "recipient")],
        "basedOn": [task["focus"]],
        "status": "completed" if reached else "not-done",
        "category": [concept(SPOKEN, talk.category)],
        "medium": [{"coding": [{"system": _MODE, "code": _MEDIA[talk.how]}]}],
        "subject": task["for"],
        "about": [{"reference": f"Task/{task['id']}"}],
        "sent": talk.at.isoformat(),
        "sender": {"reference": "#sender"},
        "recipient": [talk.recipient.reference, {"reference": "#recipient"}],
    }
    if talk.outcome is not None:
        made["statusReason"] = concept(SPOKEN, talk.outcome)
    if talk.answer is not None:
        made["topic"] = {"coding": [{"system": _TASK_STATUS, "code": talk.answer}]}
    if talk.note:
        made["note"] = [{"text": talk.note}]
    return made


def _spoke(side: Side, name: str) -> Resource:
    role: Resource = {"resourceType": "PractitionerRole", "id": name, "organization": side.reference}
    if side.person:
        role["practitioner"] = {"display": side.person}
    if side.number:
        role["telecom"] = [{"system": "phone", "value": side.number}]
    return role


class _Made(NamedTuple):
    resource_id: str
    occurred: datetime
    recorded: datetime
    security: Sequence[Resource]


def recorded_for(
    targets: Sequence[str],
    *,
    resource_id: str,
    partner: Side,
    hospital: Side,
    occurred: datetime,
    recorded: datetime,
    security: Sequence[Resource],
) -> Resource:
    """Provenance of an answer that ``hospital.person`` recorded for the partner, under both names.

    Args:
        targets: what followed, as versioned references.
        resource_id: id.
        partner: whose answer it is, and who gave it.
        hospital: who recorded it.
        occurred: when it was said.
        recorded: the hub's clock.
        security: labels.
    """
    agents = [
        {**_agent("enterer"), "who": _person(hospital.person), "onBehalfOf": partner.reference},
        {**_agent("informant"), "who": _person(partner.person), "onBehalfOf": partner.reference},
        {**_agent("attester"), "who": hospital.reference},
    ]
    return _provenance(targets, agents, _Made(resource_id, occurred, recorded, security))


def confirmed_by(
    targets: Sequence[str],
    *,
    resource_id: str,
    partner: Side,
    recorded: datetime,
    security: Sequence[Resource],
) -> Resource:
    """Provenance of a recorded answer that its owner confirms."""
    agent = {**_agent("verifier"), "who": partner.reference}
    if partner.person:
        agent |= {"who": _person(partner.person), "onBehalfOf": partner.reference}
    return _provenance(targets, [agent], _Made(resource_id, recorded, recorded, security))


def _provenance(targets: Sequence[str], agents: Sequence[Resource], made: _Made) -> Resource:
    return {
        "resourceType": "Provenance",
        "id": made.resource_id,
        "meta": {"security": list(made.security)} if made.security else {},
        "target": [{"reference": one} for one in targets],
        "occurredDateTime": made.occurred.isoformat(),
        "recorded": made.recorded.isoformat(),
        "activity": {"coding": [{"system": _OPERATION, "code": "UPDATE"}]},
        "agent": list(agents),
    }


def _agent(kind: str) -> Resource:
    return {"type": {"coding": [{"system": _PARTICIPANT, "code": kind}]}}


def _person(name: str) -> Resource:
    return {"display": name}


def category_of(made: Resource) -> Category | None:
    """What a Communication of these is; None: it is none of them."""
    for one in made.get("category", ()):
        for held in one.get("coding", ()):
            if held.get("system") == SPOKEN and held.get("code") in {"call", "answer", "dispute"}:
                found: Category = held["code"]
                return found
    return None


def side_of(made: Resource, name: Literal["sender", "recipient"]) -> Side:
    """Who spoke, as ``communication`` wrote it."""
    role: Resource = next((one for one in made.get("contained", ()) if one.get("id") == name), {})
    organization = role.get("organization", {})
    numbers = role.get("telecom", [{}])
    return Side(
        organization.get("reference", "").rpartition("/")[2],
        organization.get("display", ""),
        role.get("practitioner", {}).get("display", ""),
        numbers[0].get("value", ""),
    )


def organizations_of(made: Resource) -> set[str]:
    """FHIR ids of the two."""
    return {side_of(made, "sender").organization, side_of(made, "recipient").organization}


def outcome_of(made: Resource) -> str | None:
    """What came of a call."""
    return _code(made.get("statusReason", {}))


def answer_of(made: Resource) -> str | None:
    """The status that was said."""
    return _code(made.get("topic", {}))


def _code(concept_held: Resource) -> str | None:
    return next((str(one["code"]) for one in concept_held.get("coding", ()) if "code" in one), None)
