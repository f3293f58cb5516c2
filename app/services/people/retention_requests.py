"""The Parameters by which a partner's system reads its weekly list, and answers it."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from app.core.errors import BadRequest
from app.services.people.retention import Answers, Entry, Outcome, StillHere, Told
from app.services.sheets import Sheet
from app.services.writes.resource_requests import conforming
from app.services.writing import Resource
from schemas.references import local

_NAME: Final = 200
_MOST: Final = 2000
_EXPECTED: Final = (
    "Parameters are list (valueString), by (valueString), rest-here (valueBoolean), and answer with the parts "
    "task (valueReference), code (valueCode) and on (valueDate)."
)


def list_of(found: StillHere) -> Resource:
    """A list as it is read."""
    head = [
        {"name": "list", "valueString": found.id},
        {"name": "week", "valueDate": found.week.isoformat()},
    ]
    return {"resourceType": "Parameters", "parameter": [*head, *(_entry(one) for one in found.entries)]}


def _entry(one: Entry) -> Resource:
    person = {"reference": one.patient} | ({"display": one.name} if one.name else {})
    parts = [
        {"name": "task", "valueReference": {"reference": f"Task/{one.task}"}},
        {"name": "patient", "valueReference": person},
        {"name": "asked", "valueCode": one.point},
        {"name": "due", "valueDate": one.due.isoformat()},
    ]
    return {"name": "person", "part": parts}


def outcomes_of(found: Sequence[Outcome]) -> Resource:
    """What became of answers."""
    people = [{"name": "person", "part": _outcome(one)} for one in found]
    return {"resourceType": "Parameters", **({"parameter": people} if people else {})}


def _outcome(one: Outcome) -> list[Resource]:
    parts: list[Resource] = [
        {"name": "task", "valueReference": {"reference": f"Task/{one.task}"}},
        {"name": "asked", "valueCode": one.point},
        {"name": "became", "valueCode": one.became},
    ]
    parts += [{"name": "code", "valueCode": one.answer}] if one.answer else []
    parts += [{"name": "why", "valueString": one.why}] if one.why else []
    return parts


def list_sheet(found: StillHere) -> Sheet:
    """A list to be printed or read out; one line a person."""
    rows = [(one.name, one.patient, one.point, one.due.isoformat(), one.task) for one in found.entries]
    about = (("week", found.week.isoformat()), ("list", found.id))
    return Sheet("Who is still in care", about, ("person", "patient", "asked", "since", "task"), rows)


def answers_of(body: object) -> Answers:
    """What a partner says of a list. Raises BadRequest for what is missing, unknown or there twice."""
    given: dict[str, Any] = {}
    told: dict[str, Told] = {}
    parameters = conforming("Parameters", body).get("parameter", [])
    if len(parameters) > _MOST:
        raise BadRequest(f"At most {_MOST} parameters.", path="Parameters.parameter")
    for one in parameters:
        name = one["name"]
        if name == "answer":
            task, said = _told(one)
            if task in told:
                raise BadRequest("One answer for each person.", path="Parameters.parameter")
            told[task] = said
        elif name in given or _ELEMENTS.get(name, "") not in one:
            raise BadRequest(_EXPECTED, path="Parameters.parameter")
        else:
            given[name] = one[_ELEMENTS[name]]
    shown, by = (str(given.get(name, "")).strip() for name in ("list", "by"))
    if not shown or not by or len(by) > _NAME or not by.isprintable():
        raise BadRequest(f"Needed: list, and by with at most {_NAME} characters.", path="Parameters.parameter")
    return Answers(shown, by, given.get("rest-here", False) is True, told)


_ELEMENTS: Final = {"list": "valueString", "by": "valueString", "rest-here": "valueBoolean"}
_PARTS: Final = {"task": "valueReference", "code": "valueCode", "on": "valueDate"}


def _told(answer: Resource) -> tuple[str, Told]:
    parts = {part["name"]: part.get(_PARTS.get(part["name"], "")) for part in answer.get("part", ())}
    task = local((parts.get("task") or {}).get("reference", ""))
    whole = len(parts) == len(answer.get("part", ())) and None not in parts.values()
    if not whole or task is None or task[0] != "Task" or "code" not in parts:
        raise BadRequest(_EXPECTED, path="Parameters.parameter.where(name='answer')")
    return task[1], Told(str(parts["code"]), _day(parts["on"]) if "on" in parts else None)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadRequest("A whole day.", path="Parameters.parameter.where(name='answer').part") from None
