"""What a partner says of a referral before it is over, in codes that the hospital is told at once. Pure.

The last dose is acknowledged, items of the intake checklist are waived, and an appointment is told as Task.output; who
rejects for want of information names in statusReason what is wanting.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.rules import retention
from app.rules.codings import codes_in
from app.rules.verdict import Reason
from schemas.codes.local import CODES, INTAKE_ITEM, OUTCOME, REPORT, RETENTION, STATUS_REASON

Task = dict[str, Any]

ACKNOWLEDGED: Final = "last-dose-acknowledged"
WAIVED: Final = "waived-item"
APPOINTMENT: Final = "appointment"
_INCOMPLETE: Final = "incomplete-information"


def at_once(outputs: Sequence[Task]) -> list[Task]:
    """Those of ``outputs`` that are told when they come: reports, whether the person came, and whether they stay."""
    return [one for one in outputs if _code(one.get("type"), REPORT) in CODES[REPORT] or _of_the_person(one)]


def _of_the_person(output: Task) -> bool:
    told = {_code(output.get("type"), OUTCOME), _code(output.get("valueCodeableConcept"), OUTCOME)}
    return retention.is_asked(output) or not told.isdisjoint(CODES[OUTCOME])


def waived(outputs: Sequence[Task]) -> frozenset[str]:
    """The items that are waived."""
    reports = (one for one in outputs if _code(one.get("type"), REPORT) == WAIVED)
    return frozenset(item for one in reports if (item := _code(one.get("valueCodeableConcept"), INTAKE_ITEM)))


def appointment_of(output: Any) -> str | None:
    """``Appointment/id`` or the instant that one Task.output tells as appointment; None where it tells none."""
    if not isinstance(output, dict) or _code(output.get("type"), REPORT) != APPOINTMENT:
        return None
    told = output.get("valueDateTime")
    reference = _reference(output)
    return reference if reference.startswith("Appointment/") else told if isinstance(told, str) else None


def lacking(task: Task, effect: Mapping[str, Any], before: Task) -> Iterator[Reason]:
    """What an update leaves unsaid that it must say (400).

    Args:
        task: the Task as it becomes.
        effect: what the update changes.
        before: the Task as it was.
    """
    held = before.get("output", [])
    for place, output in enumerate(task.get("output", ())):
        if "output" in effect and output not in held:
            yield from _unsaid(task, output, f"Task.output[{place}]")
    if effect.keys() & {"status", "statusReason"}:
        yield from _unnamed(task)


def _unsaid(task: Task, output: Task, path: str) -> Iterator[Reason]:
    code = _code(output.get("type"), REPORT)
    if code == ACKNOWLEDGED and not _points_to_a_dose(task, output):
        text = (
            f"{ACKNOWLEDGED} needs a valueReference to a MedicationAdministration that Task.input names, "
            "or a valueDateTime"
        )
        yield Reason("dose-required", text, f"{path}.value")
    if code == APPOINTMENT and appointment_of(output) is None:
        text = f"{APPOINTMENT} needs a valueReference to an Appointment, or a valueDateTime"
        yield Reason("appointment-required", text, f"{path}.value")
    if code == WAIVED and _code(output.get("valueCodeableConcept"), INTAKE_ITEM) not in CODES[INTAKE_ITEM]:
        yield Reason("item-required", f"{WAIVED} needs a code of {INTAKE_ITEM}", f"{path}.valueCodeableConcept")
    if retention.is_asked(output) and retention.said_in(output) is None:
        text = f"needs an answer of {RETENTION} that goes with its type"
        yield Reason("answer-required", text, f"{path}.valueCodeableConcept")


def _points_to_a_dose(task: Task, output: Task) -> bool:
    if "valueDateTime" in output:
        return True
    named = {_reference(one) for one in task.get("input", ())}
    reference = _reference(output)
    return reference.startswith("MedicationAdministration/") and reference in named


def _reference(entry: Task) -> str:
    value = entry.get("valueReference")
    reference = value.get("reference") if isinstance(value, dict) else None
    return reference if isinstance(reference, str) else ""


def _unnamed(task: Task) -> Iterator[Reason]:
    reason = task.get("statusReason")
    if _code(reason, STATUS_REASON) == _INCOMPLETE and _code(reason, INTAKE_ITEM) not in CODES[INTAKE_ITEM]:
        text = f"{_INCOMPLETE} names at least one missing item: a further coding of {INTAKE_ITEM}"
        yield Reason("item-required", text, "Task.statusReason.coding")


def _code(concept: Any, system: str) -> str | None:
    """The first code of a system."""
    return next(iter(codes_in(concept, system)), None)
