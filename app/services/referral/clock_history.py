"""What the coverage clock of one referral has shown, for the operator of this machine: oldest first."""

from typing import Any, Final

from app.core import json
from app.core.actor import Actor
from app.core.clock import iso
from app.core.crypto import Unreadable, VisitKey, unseal
from app.core.errors import NotFound
from app.rules.coverage import SAFETY
from app.services.hub import Hub
from app.services.referral.visit_file import VisitFile
from app.store.coverage_events import StoredEvent

ClockLine = dict[str, Any]
"""``at cause why inputs outputs``; inputs are None where the key of the visit was destroyed."""
_SYSTEM: Final = Actor.system("clock-history")
_COLUMNS: Final = (
    "computed",
    "covered until",
    "if unverified",
    "priority",
    "gap",
    "next look",
    "flags and asks",
    "why",
)
_FACTS: Final = ("product_class", "last_dose", "earlier_doses", "schedule", "next_due_ordered", "dose_number")


async def history(hub: Hub, referral: str) -> list[ClockLine]:
    """The events of a referral (id of its source ServiceRequest), oldest first.

    Raises NotFound where it has none: there is no such referral, or nobody has left yet.
    """
    stored = await hub.store.coverage_events(_SYSTEM).of(referral)
    if not stored:
        raise NotFound("No coverage clock has run for a referral with this id.")
    keys = {visit: await _key(hub, visit) for visit in {one.visit for one in stored}}
    return [_line(one, keys[one.visit]) for one in stored]


async def _key(hub: Hub, visit: str) -> VisitKey | None:
    found = await hub.store.intake(_SYSTEM).visit(visit)
    opened = VisitFile.opened(hub.keys, "", found) if found else None
    return opened.key if opened else None


def _line(event: StoredEvent, key: VisitKey | None) -> ClockLine:
    try:
        inputs = json.loads(unseal(key, event.inputs, event.id)) if key is not None else None
    except Unreadable:
        inputs = None
    return {
        "at": iso(event.at),
        "cause": event.cause,
        "why": json.loads(event.why.encode()),
        "inputs": inputs,
        "outputs": json.loads(event.outputs.encode()),
    }


def table(lines: list[ClockLine]) -> str:
    """Aligned columns for a terminal, then what was read last; times to the minute in UTC."""
    rows = [_COLUMNS, *map(_cells, lines)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_COLUMNS))]
    listed = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*listed, "", *_read(lines[-1]["inputs"]), "", SAFETY])


def _cells(line: ClockLine) -> tuple[str, ...]:
    shown = line["outputs"]
    said = [*shown["flags"], *(f"?{ask}" for ask in shown["asks"])]
    return (
        _minute(line["at"]),
        _minute(shown["covered_until"]),
        _minute(shown["covered_until_if_unverified"]),
        shown["priority"],
        shown["gap"],
        _minute(shown["recompute_at"]),
        ",".join(said) or "-",
        f"{','.join(line['why'])} ({line['cause'].partition(':')[0]})",
    )


def _minute(instant: str | None) -> str:
    return f"{instant[:16]}Z" if instant else "-"


def _read(inputs: ClockLine | None) -> list[str]:
    if inputs is None:
        return ["read last: no longer kept, the key of the visit was destroyed"]
    facts = [(name.replace("_", " "), inputs[name]) for name in _FACTS if inputs[name] not in (None, [])]
    supplies = [*inputs["supply"], *(one for supply in inputs["supply_beside"] for one in supply)]
    return [
        f"read last ({inputs['zone']}):",
        *(f"  {name}: {_told(name, value)}" for name, value in facts),
        *(f"  supply: {_supply(one)}" for one in supplies),
        *(f"  doubt: {doubt}" for doubt in inputs["doubts"]),
    ]


def _told(name: str, value: Any) -> str:
    if name == "schedule":
        return f"every {value / 3600:g} h"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _supply(one: ClockLine) -> str:
    size = f"{one['days']} days" if one["days"] is not None else f"{one['doses']} doses" if one["doses"] else "?"
    return f"{one['kind']}, {size}, filled: {one['filled']}"
