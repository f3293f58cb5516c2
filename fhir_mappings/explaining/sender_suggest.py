"""A starting sender file drawn from sample messages alone. What a person must decide is ``?``."""

import re
from typing import Any

from fhir_mappings.explaining.coverage_report import UNKNOWN, CodeKind
from fhir_mappings.explaining.sender_check import PLACEHOLDER, order_class_of, pairs_of, placeholder
from fhir_mappings.explaining.sender_samples import Samples
from fhir_mappings.explaining.showing import TEXT_ONLY


def suggested(samples: Samples) -> dict[str, Any]:
    """The file. Codes that are known without a map stand there with their meaning."""
    facility = next((facility for _, facility in samples.headers if facility), "")
    units = _meanings(samples, "unit", {"part2", "not-part2"})
    return {
        "id": re.sub(r"[^a-z0-9]+", "-", facility.lower()).strip("-") or PLACEHOLDER,
        "organization": PLACEHOLDER,
        "dialect": "adt_generic" if samples.headers else "event_json",
        "timezone": PLACEHOLDER,
        "match_msh": pairs_of(samples),
        "part2": "listed",
        "units": units,
        "routes": {"moud-continuation": PLACEHOLDER},
        "mode": "production",
        "maps": {name: value for name, value in _maps(samples).items() if value},
    }


def _maps(samples: Samples) -> dict[str, Any]:
    order_class = order_class_of(samples) or {"maps": {"order_class": None}}
    return {
        "class": _meanings(samples, "class"),
        "disposition": _meanings(samples, "disposition"),
        "drug_systems": dict.fromkeys(sorted(samples.drug_systems), PLACEHOLDER),
        "local_drugs": {drug.code: placeholder(drug) for drug in sorted(samples.local_drugs)},
        "order_class": _decided(order_class["maps"]["order_class"]),
        "days_supply": PLACEHOLDER if samples.small_numbers and not samples.supplies_with_days else None,
        "recurring_accounts": {path: list(classes) for path, _, classes in samples.recurring()},
    }


def _meanings(samples: Samples, kind: CodeKind, known: set[str] | None = None) -> dict[str, str]:
    """Each code with what it means already, or with the mark of what is to be decided."""
    found = {}
    for seen in sorted(samples.tally.codes):
        if seen.kind == kind and seen.code != TEXT_ONLY and seen.standing != "not used here":
            decided = seen.standing != UNKNOWN and (known is None or seen.standing in known)
            found[seen.code] = seen.standing if decided else PLACEHOLDER
    return found


def _decided(order_class: dict[str, str] | None) -> dict[str, str] | None:
    """ORC-29 has its words from HL7 (table 0482)."""
    if order_class is None or not order_class["field"].startswith("ORC-29"):
        return order_class
    return {
        **order_class,
        **{word: what for word, what in (("I", "inpatient"), ("O", "discharge")) if word in order_class},
    }
