"""What a partner is told of the answer that is asked of it: an extension of its Task (``definitions.EXTENSIONS``)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fhir_mappings.labels import Resource
from schemas.codes import local

ANSWER: Final = f"{local.BASE}/StructureDefinition/answer"


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What a partner is told of the answer that is asked of it.

    ``answer_by`` counts in its own intake hours where those are known; ``together``: others are asked at the same
    time, since the cover may end before one after another could be. ``place_until``: the person did not come, and until
    then the place is to be kept.
    """

    answer_by: datetime
    reminded_at: datetime | None = None
    together: bool = False
    place_until: datetime | None = None


def extension(answer: AnswerView) -> Resource:
    """The extension that says so."""
    parts: list[Resource] = [{"url": "answerBy", "valueDateTime": answer.answer_by.isoformat()}]
    if answer.reminded_at:
        parts.append({"url": "remindedAt", "valueDateTime": answer.reminded_at.isoformat()})
    if answer.together:
        parts.append({"url": "severalAsked", "valueBoolean": True})
    if answer.place_until:
        parts.append({"url": "placeUntil", "valueDateTime": answer.place_until.isoformat()})
    return {"url": ANSWER, "extension": parts}


def answer_by(task: Resource) -> datetime | None:
    """Until when the answer of a partner's Task is asked for; None where its Task doesn't say."""
    told = (one for one in task.get("extension", ()) if one["url"] == ANSWER)
    parts = (part for one in told for part in one["extension"] if part["url"] == "answerBy")
    found = next(parts, None)
    return datetime.fromisoformat(found["valueDateTime"]) if found else None
