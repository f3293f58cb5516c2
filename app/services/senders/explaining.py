"""A dry run of one message for whoever connects a hospital: what is read, what is judged, what would be built."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson

from app.core.errors import BadRequest
from app.services.intake.ingest_files import Piece
from app.services.intake.intake_reading import of_header
from app.services.senders import sender_files
from app.services.writing import Resource
from fhir_mappings import build, dialects, gate, hl7v2
from fhir_mappings.explaining import explain, explain_against, explain_text
from fhir_mappings.fhir_in import fhir_bundle
from schemas.discharge import DischargeEvent, Need
from schemas.sender import Sender

_HOSPITAL: Final = "hospital"
_HUB: Final = "hub"
_PARTIES: Final = build.Parties(_HOSPITAL, _HUB, "Hospital", build.HUB_NAME)


@dataclass(frozen=True, slots=True)
class Explained:
    """What the hub would make of one message alone."""

    explanation: explain.Explanation
    resources: tuple[Resource, ...]
    """What would be built for the hospital; empty where no referral opens."""
    problems: tuple[str, ...]
    """Where a resource does not pass the gate: element and rule."""


def sender_for(piece: Piece, senders: Sequence[Sender]) -> Sender:
    """The interface that a message is from; a neutral one in UTC where none is registered for it."""
    if piece.kind in ("event", "fhir"):
        fitting: Sequence[Sender] = senders
        dialect = "event_json" if piece.kind == "event" else "fhir_message"
    else:
        fitting = _by_header(piece.data, [s for s in senders if dialects.find(s.dialect).source == "hl7v2"])
        dialect = "adt_generic"
    if len(fitting) == 1:
        return fitting[0]
    return sender_files.neutral(dialect)


def _by_header(data: bytes, senders: Sequence[Sender]) -> Sequence[Sender]:
    try:
        message = hl7v2.parse(data)
    except hl7v2.Unreadable:
        return ()
    return of_header(senders, message.sending_application, message.sending_facility)


def explained(piece: Piece, sender: Sender, *, now: datetime) -> Explained:
    """Read and judge ``piece`` as a message of ``sender``, and build what its verdict asks for.

    Raises BadRequest for what is neither HL7 v2 nor an event nor a Bundle.
    """
    explanation = _explanation(piece, sender, now)
    verdict, event = explanation.verdict, explanation.event
    if event is None or verdict is None or verdict.outcome != "referral":
        return Explained(explanation, (), ())
    resources = tuple(_built(event, sender, now))
    problems = [f"{problem.path}: {problem.rule}" for resource in resources for problem in gate.check(resource)]
    return Explained(explanation, resources, tuple(problems))


def compared(piece: Piece, sender: Sender, against: Sender, *, now: datetime) -> explain_against.Difference:
    """What ``against`` reads otherwise in ``piece`` than ``sender`` does; nothing is built.

    Raises BadRequest for what is neither HL7 v2 nor an event nor a Bundle.
    """
    return explain_against.difference(_explanation(piece, sender, now), _explanation(piece, against, now))


def _explanation(piece: Piece, sender: Sender, now: datetime) -> explain.Explanation:
    if piece.kind == "unsupported":
        raise BadRequest("This is neither HL7 v2 nor a discharge event nor a FHIR Bundle in JSON.")
    return explain.explain(piece.data, able(sender, piece), now=now)


def able(sender: Sender, piece: Piece) -> Sender:
    """``sender`` with a dialect that takes what ``piece`` is; events and Bundles need none of their own."""
    if piece.kind == "event" and dialects.find(sender.dialect).source != "json":
        return sender.model_copy(update={"dialect": "event_json"})
    if piece.kind == "fhir":
        return sender.model_copy(update={"dialect": f"fhir_{_kind_of(piece.data)}"})
    return sender


def _kind_of(data: bytes) -> fhir_bundle.Kind:
    """A Bundle that is neither is read as a message, which says what is wrong with it."""
    try:
        return fhir_bundle.kind_of(fhir_bundle.loads(data))
    except fhir_bundle.Refused:
        return "message"


def _built(event: DischargeEvent, sender: Sender, now: datetime) -> list[Resource]:
    part2 = sender.unit_status(event.visit.unit) != "not-part2"
    labels = build.Labels(part2=part2, test=event.test or sender.mode == "test")
    ids = partial(_id, {})
    clinical = build.clinical(event, parties=_PARTIES, ids=ids, labels=labels)
    built = list(clinical)
    for need in event.needs or [Need(kind="moud-continuation")]:
        built += build.source(
            event,
            need=need,
            resources=clinical,
            parties=_PARTIES,
            ids=ids,
            labels=labels,
            status="draft",
            now=now,
            group="group",
        )
    return built


def _id(given: dict[tuple[str, str], str], resource_type: str, key: str) -> str:
    """``condition-1``, ``condition-2``: the hub itself gives random ids."""
    number = sum(known == resource_type for known, _ in given) + 1
    return given.setdefault((resource_type, key), f"{resource_type.lower()}-{number}")


def as_text(found: Explained) -> str:
    """For a terminal: codes and element names, no value that could name the person."""
    text = explain_text.render_text(found.explanation)
    if not found.resources:
        return text
    counts = Counter(resource["resourceType"] for resource in found.resources)
    width = max(map(len, counts))
    lines = [f"  {name:<{width}}  {count}" for name, count in counts.items()]
    wrong = ["", "does not pass the gate", *(f"  {problem}" for problem in found.problems)] if found.problems else []
    return "\n".join([text, "resources", *lines, *wrong, ""])


def as_json(found: Explained) -> bytes:
    """For a program: the same, with the resources whole (they hold the person)."""
    body: dict[str, Any] = orjson.loads(explain_text.to_json(found.explanation))
    body["resources"] = found.resources
    body["gate"] = found.problems
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE, default=float)


def difference_as_text(difference: explain_against.Difference) -> str:
    """For a terminal: only what differs."""
    return explain_text.render_difference(difference)


def difference_as_json(difference: explain_against.Difference) -> str:
    """For a program: the same."""
    return explain_text.difference_to_json(difference).decode()
