"""Person, visit and order number as HL7 v2 fields, from FHIR: for a hospital that has sent no HL7 v2 message. Pure.

Source: HL7 v2.5.1 chapter 2A (CX, EI, HD, XPN) and table 0301 (universal id type).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from fhir_mappings.hl7v2 import Field
from fhir_mappings.hl7v2_wire import Repetition

Resource = dict[str, Any]
_SEX: Final = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
_CLASS: Final = {"EMER": "E", "IMP": "I", "ACUTE": "I", "NONAC": "I", "AMB": "O", "OBSENC": "B", "PRENC": "P"}
_OWN: Final = "urn:throughline:authority:"
_ACCOUNT: Final = "AN"
_SCHEMES: Final = {"urn:oid:": "ISO", "urn:uuid:": "UUID"}


def pid_of(patient: Resource, authorities: Mapping[str, str]) -> dict[int, Field]:
    """PID-3, 5, 7 and 8. ``authorities``: name of an assigning authority to its URI (the sender's map)."""
    numbers: list[Repetition] = [_cx(one, authorities) for one in _identifiers(patient)]
    name: Resource = next(iter(patient.get("name", ())), {})
    return {
        3: numbers,
        5: (name.get("family", ""), *name.get("given", ())[:2]),
        7: patient.get("birthDate", "").replace("-", ""),
        8: _SEX.get(patient.get("gender", ""), ""),
    }


def pv1_of(encounter: Resource | None, authorities: Mapping[str, str]) -> dict[int, Field]:
    """PV1-2 and 19; an account number (type AN) is none of the visit."""
    if encounter is None:
        return {}
    visits = [one for one in _identifiers(encounter) if _type(one) != _ACCOUNT]
    numbers: list[Repetition] = [_cx(one, authorities) for one in visits[:1]]
    return {2: _CLASS.get(encounter.get("class", {}).get("code", ""), "N"), 19: numbers}


def placer_of(task: Resource, authorities: Mapping[str, str]) -> Field:
    """The hospital's own number of the request, as EI; "" where the Task has none."""
    found = next((one for one in _identifiers(task) if _type(one) == "PLAC"), None)
    return "" if found is None else (found["value"], *authority(found.get("system", ""), authorities))


def authority(system: str, authorities: Mapping[str, str]) -> tuple[str, str, str]:
    """The system of an identifier as HD: the name that the hospital uses, the universal id, and its type."""
    name = next((name for name, uri in authorities.items() if uri == system), "")
    if system.startswith(_OWN):
        return name or unquote(system.removeprefix(_OWN).partition(":")[2]), "", ""
    for scheme, kind in _SCHEMES.items():
        if system.startswith(scheme):
            return name, system.removeprefix(scheme), kind
    return (name, "", "") if name or not system else ("", system, "URI")


def _cx(identifier: Resource, authorities: Mapping[str, str]) -> Repetition:
    name, universal, kind = authority(identifier.get("system", ""), authorities)
    assigned = (name, universal, kind) if universal else name
    return identifier["value"], "", "", assigned, _type(identifier)


def _identifiers(resource: Resource) -> Iterator[Resource]:
    yield from (one for one in resource.get("identifier", ()) if one.get("value"))


def _type(identifier: Resource) -> str:
    code: str = next((one.get("code", "") for one in identifier.get("type", {}).get("coding", ())), "")
    return code
