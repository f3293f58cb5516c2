"""The merge of what stands beside a visit: contacts, insurance, consents, clinical circumstances."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from fhir_mappings.visits.visit_consents import forget_consents, merge_consents
from fhir_mappings.visits.visit_step import Step, newer
from schemas.base import changed
from schemas.discharge import Circumstances, Clinical, DrugScreen

_OF_THE_PERSON: Final = ("contacts", "coverage", "allergies", "current_otp", "photo_id")
"""Circumstances that are the person's, not the stay's; consents are too."""


def merge_circumstances(step: Step, new: Circumstances) -> Circumstances:
    """What is known with what is stated now."""
    old = step.old.circumstances
    late = step.stamp < step.stamps.get("moved", 0)
    clinical = newer(step, old.clinical, new.clinical, "clinical.", ("urine_drug_screen",))
    screens = _merge_screens(step, old.clinical, new.clinical)
    if screens is not None:
        clinical["urine_drug_screen"] = screens
    change = newer(step, old, new, "circumstances.", ("clinical", "consents", *(_OF_THE_PERSON if late else ())))
    if new.consents and not late:
        change["consents"] = merge_consents(step, old.consents, new.consents)
    if clinical:
        change["clinical"] = changed(old.clinical, clinical)
    return changed(old, change) if change else old


def _merge_screens(step: Step, old: Clinical, new: Clinical) -> list[DrugScreen] | Literal["unknown"] | None:
    """Drug screens add up by test and time; None where nothing new is said. ``unknown`` replaces nothing."""
    known = old.urine_drug_screen
    if not isinstance(new.urine_drug_screen, list):
        return "unknown" if known == [] else None
    merged = screens_by_test(known)
    for key, screen in screens_by_test(new.urine_drug_screen).items():
        if step.wins(f"screen:{key}", merged.get(key), screen):
            merged[key] = screen
    found = [merged[key] for key in sorted(merged)]
    return found if found and found != known else None


def screens_by_test(screens: Sequence[DrugScreen] | Literal["unknown"]) -> dict[str, DrugScreen]:
    """Screens by what was tested and when."""
    if isinstance(screens, str):
        return {}
    return {f"{one.system or ''}|{one.code or one.display}|{one.at}": one for one in screens}


def without_the_other_person(step: Step) -> Circumstances:
    """What was said of the person that the visit was taken from is forgotten: insurance, contacts, consents."""
    stated: Circumstances = step.change.get("circumstances", step.old.circumstances)
    stamps, moved = step.stamps, step.stamps["moved"]
    before = [name for name in _OF_THE_PERSON if -1 < stamps.get(f"circumstances.{name}", -1) < moved]
    for name in before:
        del stamps[f"circumstances.{name}"]
    blank = Circumstances()
    change: dict[str, Any] = {name: getattr(blank, name) for name in before}
    if stated.consents:
        change["consents"] = forget_consents(stamps, stated.consents, moved)
    return changed(stated, change) if change else stated
