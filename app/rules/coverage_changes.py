"""What the clock read and showed, as plain values to be kept, and what of it changed since the last time (R9).

A clock that is computed anew without a change leaves no trace; one that changed says which input did it, or that time
alone did.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from app.rules.coverage import Coverage, CoverageInput
from app.rules.coverage_inputs import schedule
from schemas.discharge import Bridge

Plain = dict[str, Any]
"""What JSON holds."""

_CIRCUMSTANCES: Final = (
    "disposition",
    "pregnant",
    "overdose_this_visit",
    "no_phone",
    "homeless",
    "dose_number",
    "elsewhere",
    "dosed_by",
)
_SHOWN: Final = (
    "next_due",
    "earliest",
    "latest",
    "covered_until",
    "covered_until_if_unverified",
    "confidence",
    "priority",
    "flags",
    "gap",
    "possible_gap_at",
    "confirmed_gap_at",
    "hold_partner_until",
    "asks",
    "band",
    "label",
)


def inputs_of(inputs: CoverageInput) -> Plain:
    """All that the clock read; kinds, times and counts, never an amount."""
    return {
        "zone": inputs.zone.key,
        "product_class": inputs.product_class,
        "last_dose": _text(inputs.last_dose),
        "verified": inputs.verified,
        "earlier_doses": [_text(one) for one in inputs.earlier_doses],
        "schedule": int(schedule(inputs).total_seconds()) if inputs.daily else None,
        "supply": [_bridge(one) for one in inputs.bridges],
        "supply_beside": [[_bridge(one) for one in supply] for supply in inputs.beside],
        "next_due_ordered": _text(inputs.next_due_ordered),
        **{name: getattr(inputs, name) for name in _CIRCUMSTANCES},
        "doubts": list(inputs.doubts),
        "others": [inputs_of(one) for one in inputs.others],
    }


def _bridge(bridge: Bridge) -> Plain:
    return {
        "kind": bridge.kind,
        "days": bridge.days,
        "doses": bridge.doses,
        "start": _text(bridge.start),
        "filled": bridge.filled,
    }


def outputs_of(shown: Coverage) -> Plain:
    """All that the clock showed but what passes with time: how long somebody is without, and when it changes next."""
    plain = {name: _plain(getattr(shown, name)) for name in _SHOWN}
    return {**plain, "reasons": list(shown.codes)}


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return _text(value)
    return list(value) if isinstance(value, tuple) else value


def _text(at: date | None) -> str | None:
    return at.isoformat() if at is not None else None


def why(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """Which inputs changed, by name; ``first`` where there were none, ``time`` where none did.

    ``time`` stands for a partner's hours too, which are no fact about the person.
    """
    if before is None:
        return ("first",)
    changed = tuple(name for name in after if before.get(name) != after[name])
    return changed or ("time",)


def verified_anew(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether a new verified fact came, so that the priority may fall (R7).

    What is only told is none: a last dose that nobody has charted or confirmed, the person's own supply.
    """
    return before is None or list(_verified(before)) != list(_verified(after))


def _verified(inputs: Mapping[str, Any]) -> Iterator[object]:
    told = () if inputs["verified"] else ("last_dose", "earlier_doses", "verified")
    for name, value in inputs.items():
        if name == "supply":
            yield [one for one in value if one["kind"] != "own-supply"]
        elif name not in {*told, "dosed_by", "elsewhere"}:
            yield value
