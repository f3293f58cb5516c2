"""What an output of a referral Task answers of the coverage clock's questions. Pure: FHIR Task.output in, words out."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from app.rules.codings import codes_in
from schemas.codes.local import CLOCK

Filled = Literal["yes", "no"]

PICK_UP: Final = "pick-up"
DOSES_MEANWHILE: Final = "doses-meanwhile"
_PICKED_UP: Final[Mapping[str, Filled]] = {"picked-up": "yes", "not-picked-up": "no"}


def answer_in(output: Any) -> tuple[str, str] | None:
    """(``pick-up``, yes or no) or (``doses-meanwhile``, who) of one Task.output; None where it answers neither."""
    if not isinstance(output, dict):
        return None
    kinds = set(codes_in(output.get("type"), CLOCK))
    if PICK_UP in kinds:
        value = _filled(output)
        return (PICK_UP, value) if value else None
    who = _who(output) if DOSES_MEANWHILE in kinds else None
    return (DOSES_MEANWHILE, who) if who else None


def _filled(output: Mapping[str, Any]) -> Filled | None:
    if isinstance(said := output.get("valueBoolean"), bool):
        return "yes" if said else "no"
    coded = [output.get("valueCode"), *codes_in(output.get("valueCodeableConcept"), CLOCK)]
    return next((_PICKED_UP[one] for one in coded if one is not None and one in _PICKED_UP), None)


def _who(output: Mapping[str, Any]) -> str | None:
    reference = output.get("valueReference", {})
    named = output.get("valueString") or reference.get("display") or reference.get("reference")
    return named.strip() or None if isinstance(named, str) else None
