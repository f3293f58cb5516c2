"""DischargeEvent JSON, as ``/schemas/discharge-event.json`` describes it, read into facts.

Times without an offset are in the sender's zone. Errors name the path and the rule, never a value; an unknown field
is refused by its name, cut down to characters that can't carry markup.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fhir_mappings import strict_json
from fhir_mappings.dialects.base import Problem, Reading, identified
from fhir_mappings.dialects.event_json.targets import TARGETS
from schemas.discharge import Circumstances, DischargeEvent, Medication
from schemas.facts import Facts, GivenDose, Order, Supply
from schemas.sender import Sender

_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_ALTERNATIVE = re.compile(r"bool|int|constrained-int|.+\[.*\]")
"""Which of several types was tried: pydantic puts it into the path, but it is no name of the event."""
_NAME_MAX: Final = 64
_OWN_RULES: Final = frozenset(
    {
        "Value error, expected an instant with date and time",
        "Value error, expected an instant as text",
        "Value error, time needs an offset, or a sender with a time zone",
        "Value error, expected a date as text",
    }
)
"""What our own validators say. Every other text of that type could quote the input."""
_CIRCUMSTANCES: Final = tuple(Circumstances.model_fields)


class Fault(NamedTuple):
    """One thing that is wrong with an event: where, and which rule; never the value."""

    path: str
    rule: str


class Refused(Exception):
    """The JSON is not a discharge event."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("not a discharge event")
        self.faults = faults


class EventJson:
    """The dialect ``event_json``."""

    name: Final = "event_json"
    source: Final = "json"
    targets: Final = TARGETS
    unused: Final[dict[str, str]] = {}

    def read(self, message: dict[str, Any] | bytes, sender: Sender) -> Reading:
        """The facts of one event.

        Raises:
            Refused: It is not a discharge event.
        """
        return Reading(to_facts(parse(message, sender)))

    def filing(self, message: dict[str, Any] | bytes, facts: Facts) -> Problem | None:  # noqa: ARG002 - the protocol's
        """An event without any identifier of person or visit can't be matched with anything."""
        if identified(facts):
            return None
        return Problem("101", "neither a patient identifier nor a visit identifier", "patient.identifiers", 0)


DIALECT: Final = EventJson()


def parse(data: dict[str, Any] | bytes, sender: Sender) -> DischargeEvent:
    """The event, checked.

    Args:
        data: Parsed JSON, or its bytes (UTF-8).
        sender: Its zone is that of times without offset.

    Raises:
        Refused: With path and rule of everything that is wrong.
    """
    if isinstance(data, bytes):
        data = _loads(data)
    try:
        return DischargeEvent.model_validate(data, context={"zone": sender.zone()})
    except ValidationError as error:
        # Not chained: the inner error holds the input.
        faults = tuple(_fault(detail) for detail in error.errors(include_url=False, include_input=False))
    raise Refused(faults)


def to_facts(event: DischargeEvent) -> Facts:
    """What the event states. Keys of orders, doses and supplies come from the product and the times.

    One order stands for each medication: that it is listed is evidence of treatment.
    """
    at = event.occurred_at
    return Facts(
        trigger="event",
        kind=event.kind,
        at=at,
        test=event.test,
        patient=event.patient,
        merged_identifiers=[],
        visit=event.visit,
        visit_status_ended=True if event.kind == "discharge" else None,
        diagnoses=event.diagnoses,
        removed_diagnoses=[],
        orders=[_order(medication, at) for medication in event.medications],
        doses=[dose for medication in event.medications for dose in _doses(medication, at)],
        supplies=[supply for medication in event.medications for supply in _supplies(medication, at)],
        circumstances=Circumstances(**{name: getattr(event, name) for name in _CIRCUMSTANCES}),
    )


def _loads(data: bytes) -> Any:
    try:
        return strict_json.loads(data)
    except ValueError:
        raise Refused((Fault("", strict_json.RULE),)) from None


def _fault(detail: ErrorDetails) -> Fault:
    kind = detail["type"]
    if kind == "extra_forbidden":
        rule = "unknown field"
    elif kind in ("value_error", "assertion_error"):
        rule = _own_rule(detail["msg"])
    else:
        rule = detail["msg"]
    *inner, last = detail["loc"] or ("",)
    names = [part for part in inner if isinstance(part, int) or not _ALTERNATIVE.fullmatch(part)]
    named = kind == "extra_forbidden" or isinstance(last, int) or not _ALTERNATIVE.fullmatch(last)
    return Fault(_path([*names, last] if named else names), rule)


def _own_rule(message: str) -> str:
    return message.removeprefix("Value error, ") if message in _OWN_RULES else "not a valid date, time or value"


def _path(location: list[int | str]) -> str:
    """``medications[0].doses[1].at``. Names are the model's own, except that of an unknown field."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{_NOT_A_NAME.sub('_', part)[:_NAME_MAX]}"
    return path.removeprefix(".")


def _key(medication: Medication) -> str:
    return f"{medication.product.system or ''}|{medication.product.code}"


def _moment(value: date | datetime | None) -> str:
    return value.isoformat() if value is not None else ""


def _order(medication: Medication, at: datetime) -> Order:
    return Order(
        key=_key(medication),
        product=medication.product,
        at=at,
        interval=_interval(medication),
        next_due_ordered=medication.next_due_ordered,
        dose_number=medication.dose_number,
    )


def _interval(medication: Medication) -> str | None:
    return medication.schedule.interval if medication.schedule is not None else None


def _doses(medication: Medication, at: datetime) -> Iterator[GivenDose]:
    key, interval = _key(medication), _interval(medication)
    for dose in medication.doses:
        yield GivenDose(
            key=f"{key}|{_moment(dose.at)}",
            order=key,
            product=medication.product,
            at=dose.at,
            charted_at=at,
            amount=dose.amount,
            unit=dose.unit,
            route=dose.route,
            observed=dose.observed,
            held=dose.held,
            given_by=dose.given_by,
            verified_by=dose.verified_by,
            call_back=dose.call_back,
            outcome="not-given" if dose.held else "complete",
            interval=interval,
        )


def _supplies(medication: Medication, at: datetime) -> Iterator[Supply]:
    key, interval = _key(medication), _interval(medication)
    seen: dict[str, int] = {}
    for bridge in medication.bridges:
        own = f"{key}|{bridge.kind}|{_moment(bridge.start)}"
        seen[own] = seen.get(own, 0) + 1
        yield Supply(
            # Two alike are two; the first keeps its key, so that an update of one bridge replaces it.
            key=own if seen[own] == 1 else f"{own}|{seen[own]}",
            product=medication.product,
            at=at,
            days=bridge.days,
            doses=bridge.doses,
            interval=interval,
            start=bridge.start,
            kind=bridge.kind,
            filled=bridge.filled,
        )
