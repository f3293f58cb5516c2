"""What our own extensions and operations of the directory and of matching are, as FHIR defines such things.

One table each, from which StructureDefinition (https://hl7.org/fhir/R4/defining-extensions.html) and
OperationDefinition (https://hl7.org/fhir/R4/operationdefinition.html) are made. The hub serves them as
``/schemas/<type>-<name>.json``.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, NamedTuple

from schemas.codes.local import BASE

Resource = dict[str, Any]
_DATE: Final = "2026-11-26"


class Part(NamedTuple):
    """One part of an extension that has several: its type, how often, what it says."""

    name: str
    type: str
    text: str
    least: int = 0
    most: str = "1"


class Extension(NamedTuple):
    """One extension: where it stands, what it says, and either its type or its parts."""

    name: str
    title: str
    context: str
    text: str
    type: str | None = None
    parts: Sequence[Part] = ()
    most: str = "1"


EXTENSIONS: Final[Sequence[Extension]] = (
    Extension(
        "answer",
        "Answer",
        "Task",
        "Until when the answer of a partner is asked for, in its own intake hours where those are known.",
        parts=(
            Part("answerBy", "dateTime", "Until when.", 1),
            Part("remindedAt", "dateTime", "When it was reminded."),
            Part(
                "severalAsked", "boolean", "Others are asked at the same time; the first to accept takes the referral."
            ),
            Part("placeUntil", "dateTime", "The person did not come: until when the place is to be kept."),
        ),
    ),
    Extension(
        "time-zone",
        "Time zone",
        "HealthcareService",
        "IANA zone of availableTime, notAvailable and intake windows, which FHIR R4 leaves open.",
        "code",
    ),
    Extension(
        "intake-window",
        "Intake window",
        "HealthcareService",
        "When a person may come for an intake: neither opening nor dosing hours. Local to the time zone.",
        parts=(
            Part("day", "code", "mon, tue, wed, thu, fri, sat, sun", 1, "7"),
            Part("opens", "time", "First moment.", 1),
            Part("closes", "time", "Last moment; 23:59:59 where it goes on to midnight.", 1),
        ),
        most="*",
    ),
    Extension(
        "response-time",
        "Promised response time",
        "HealthcareService",
        "Within how much of its own intake hours it answers a request.",
        "Duration",
    ),
    Extension(
        "capacity",
        "Intakes left",
        "HealthcareService",
        "Intakes left on the day of asOf. After expires it says nothing; it guarantees nothing before.",
        parts=(
            Part("open", "code", "0, 1 or 2+", 1),
            Part("asOf", "dateTime", "When it was said.", 1),
            Part("expires", "dateTime", "From when on it is unknown.", 1),
            Part("source", "string", "Who said so, or by which answer.", 1),
        ),
    ),
    Extension(
        "moud-policy",
        "Policy facet",
        "HealthcareService",
        "What the organisation attests of whom and what it takes. yes opens the door, no closes it; after expires, "
        "and for every facet that is not here, it is unknown.",
        parts=(
            Part("facet", "code", "Name of the facet.", 1),
            Part("question", "string", "The question that was answered.", 1),
            Part("value", "code", "yes, no or unknown", 1),
            Part("condition", "string", "What it hangs on: then a person must judge."),
            Part("attestedBy", "string", "Who said so."),
            Part("attestedAt", "dateTime", "When."),
            Part("expires", "date", "First day on which it does not count any more."),
            Part("detail", "string", "A limit, a list, a notice that is asked for.", 0, "*"),
        ),
        most="*",
    ),
    Extension(
        "match",
        "Why a partner stands where it stands",
        "Bundle.entry.search",
        "What $match found of one partner for one request.",
        parts=(
            Part("standing", "code", "eligible, or excluded: then it is shown and not asked", 1),
            Part("reason", "Coding", "Why it stands there, the weightiest first.", 0, "*"),
            Part("call", "Coding", "What is not known and must be asked on the phone: the facet.", 0, "*"),
            Part("nextIntake", "dateTime", "When the person could be taken in; absent where hours are not known."),
            Part("slackHours", "decimal", "Hours from there to the end of the cover; below 0 it is too late."),
            Part("beforeGap", "boolean", "Whether that is before the medication runs out; absent where not known."),
            Part(
                "intakesLeft",
                "code",
                "0, 1, 2+ or unknown, on the next day with intake; where it is 0, nextIntake is later",
                1,
            ),
            Part("attestedAt", "dateTime", "The oldest attestation that counted."),
            Part("asked", "boolean", "It was asked for this already.", 1),
        ),
    ),
)
"""Those of the directory and of matching."""

_MATCH: Final[Resource] = {
    "resourceType": "OperationDefinition",
    "id": "match",
    "url": f"{BASE}/OperationDefinition/match",
    "version": "1",
    "name": "Match",
    "title": "Ranked partners for a request",
    "status": "active",
    "kind": "operation",
    "date": _DATE,
    "publisher": "Throughline",
    "description": (
        "Every partner for the need of a source ServiceRequest, the first to be asked first, with reasons, the age of "
        "what was attested, the next intake and what must be asked on the phone. Reads only, and tells no partner. The "
        "answer is a searchset Bundle of HealthcareService (of Organization where none is there), like that of "
        "Patient/$match; search.score falls with the rank, and is 0 for who is excluded."
    ),
    "affectsState": False,
    "code": "match",
    "resource": ["ServiceRequest"],
    "system": False,
    "type": False,
    "instance": True,
    "parameter": [
        {
            "name": "count",
            "use": "in",
            "min": 0,
            "max": "1",
            "documentation": "How many partners at most.",
            "type": "integer",
        },
        {
            "name": "return",
            "use": "out",
            "min": 1,
            "max": "1",
            "documentation": "A Bundle; each entry has the extension match in search.",
            "type": "Bundle",
        },
    ],
}


def definitions() -> Mapping[str, Resource]:
    """Every definition, by the name under which it is served: ``StructureDefinition-capacity``."""
    written = (one for one in files("schemas.structures").iterdir() if one.name.endswith(".json"))
    made = [*(_structure(one) for one in EXTENSIONS), *(json.loads(one.read_bytes()) for one in written), _MATCH]
    return {f"{one['resourceType']}-{one['id']}": one for one in made}


def _structure(one: Extension) -> Resource:
    url = f"{BASE}/StructureDefinition/{one.name}"
    return {
        "resourceType": "StructureDefinition",
        "id": one.name,
        "url": url,
        "version": "1",
        "name": "".join(word.capitalize() for word in one.name.split("-")),
        "title": one.title,
        "status": "active",
        "date": _DATE,
        "publisher": "Throughline",
        "description": one.text,
        "fhirVersion": "4.0.1",
        "kind": "complex-type",
        "abstract": False,
        "context": [{"type": "element", "expression": one.context}],
        "type": "Extension",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
        "derivation": "constraint",
        "differential": {"element": [*_elements(one, url)]},
    }


def _elements(one: Extension, url: str) -> Iterator[Resource]:
    root: Resource = {"id": "Extension", "path": "Extension", "short": one.title, "definition": one.text}
    yield {**root, "min": 0, "max": one.most}
    if one.type is not None:
        yield {"id": "Extension.extension", "path": "Extension.extension", "max": "0"}
    for part in one.parts:
        yield from _part(part)
    yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}
    yield _value("Extension", one.type)


def _part(part: Part) -> Iterator[Resource]:
    name = f"Extension.extension:{part.name}"
    yield {
        "id": name,
        "path": "Extension.extension",
        "sliceName": part.name,
        "short": part.text,
        "min": part.least,
        "max": part.most,
    }
    yield {"id": f"{name}.extension", "path": "Extension.extension.extension", "max": "0"}
    yield {"id": f"{name}.url", "path": "Extension.extension.url", "fixedUri": part.name}
    yield {**_value("Extension.extension", part.type), "id": f"{name}.value[x]"}


def _value(path: str, kind: str | None) -> Resource:
    where = {"id": f"{path}.value[x]", "path": f"{path}.value[x]"}
    return {**where, "max": "0"} if kind is None else {**where, "min": 1, "type": [{"code": kind}]}
