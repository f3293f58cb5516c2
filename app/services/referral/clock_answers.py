"""Two questions of the coverage clock, each with one answer: was it picked up, and who gives the doses meanwhile.

An answer is kept in the record of the visit, whichever way it came: an event, an output of a Task, or the command
line. Outputs are taken over once; what is said later by another way outranks them.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from app.core.clock import micros
from app.rules.task_answers import answer_in
from app.services.referral.situation import Situation
from schemas.base import changed
from schemas.discharge import MOUD
from schemas.facts import DosesMeanwhile, PickUp, VisitRecord
from schemas.stub import NeedLink

DUE: Final = "coverage-due"
"""Kind of the job that looks at a coverage clock again; its subject is a visit, or a source ServiceRequest."""


class _Said(NamedTuple):
    """One output: what it answers, with which value, and where it stands."""

    kind: str
    value: str
    by: str


# ---- outputs of Tasks


def take_over(situation: Situation) -> None:
    """Put what outputs of the referral's Tasks answer into the record of the visit."""
    link = situation.file.content.referral
    need = next((one for one in link.needs if one.need == MOUD), None) if link else None
    if need is None:
        return
    record = situation.file.content.record
    for said in _said(situation, need):
        if f"said:{said.by}" not in record.stamps:
            record = _with(record, said, situation)
    situation.file.content.record = record


def _said(situation: Situation, need: NeedLink) -> Iterator[_Said]:
    # What a partner reports is read only as far as the hospital may be told of it.
    covered = [child.task for child in need.children if child.back is not None and child.back.level == "packet"]
    for task in (need.task, *covered):
        row = situation.rows.get(task)
        for position, entry in enumerate(row.resource.get("output", ()) if row else ()):
            found = answer_in(entry)
            if found is not None:
                yield _Said(*found, by=f"Task/{task}#{position}")


def _with(record: VisitRecord, said: _Said, situation: Situation) -> VisitRecord:
    at = situation.now
    marks: dict[str, Any] = {"stamps": {**record.stamps, f"said:{said.by}": micros(at)}}
    if said.kind == "pick-up":
        return changed(
            record, {**marks, "pick_up": PickUp.model_validate({"filled": said.value, "at": at, "by": said.by})}
        )
    return changed(record, {**marks, "doses_meanwhile": DosesMeanwhile(who=said.value, at=at, by=said.by)})
