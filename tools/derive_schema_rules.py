"""The parts of the derived schema that the library's metadata does not hold.

Regular expressions of the FHIR primitive types and the invariants of data types, as FHIR R4 4.0.1 states them (section
2.24, Datatypes).
"""

from typing import Any

Schema = dict[str, Any]

_ID = r"[A-Za-z0-9\-.]{1,64}"
_YEAR = r"(?:[0-9](?:[0-9](?:[0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_LEAP_DAY = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29"
_MONTH_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DAY = rf"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP_DAY})"
_YEAR_MONTH = rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_QUAD = r"[0-9A-Za-z+/]\s*[0-9A-Za-z+/]\s*[0-9A-Za-z+/]\s*[0-9A-Za-z+/]\s*"
_QUAD_END = r"[0-9A-Za-z+/]\s*[0-9A-Za-z+/]\s*(?:[0-9A-Za-z+/]\s*=|=\s*=)\s*"
# Text: no control characters but tab, line feed and carriage return (R4 2.24.0.1, string).
_TEXT = r"[^\x00-\x08\x0b\x0c\x0e-\x1f]+"
_VISIBLE = r"[^\s\x00-\x1f]+"


def _text(pattern: str, kind: str, **more: Any) -> Schema:
    return {"$comment": f"primitive {kind}", "type": "string", "pattern": f"^(?:{pattern})$", **more}


def _whole(kind: str, minimum: int) -> Schema:
    # JSON Schema's integer admits 1.0, FHIR's does not: the gate adds the keyword strictInt.
    return {
        "$comment": f"primitive {kind}",
        "type": "integer",
        "strictInt": True,
        "minimum": minimum,
        "maximum": 2147483647,
    }


PRIMITIVES: dict[str, Schema] = {
    "boolean": {"$comment": "primitive boolean", "type": "boolean"},
    "integer": _whole("integer", -2147483648),
    "unsignedInt": _whole("unsignedInt", 0),
    "positiveInt": _whole("positiveInt", 1),
    "decimal": {"$comment": "primitive decimal", "type": "number"},
    "string": _text(_TEXT, "string", maxLength=1048576),
    "markdown": _text(_TEXT, "markdown", maxLength=1048576),
    "code": _text(rf"{_VISIBLE}(?: {_VISIBLE})*", "code"),
    "id": _text(_ID, "id"),
    "uri": _text(_VISIBLE, "uri"),
    "url": _text(_VISIBLE, "url"),
    "canonical": _text(_VISIBLE, "canonical"),
    "oid": _text(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+", "oid"),
    "uuid": _text(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "uuid"),
    "base64Binary": _text(rf"\s*(?:{_QUAD})*(?:{_QUAD_END})?", "base64Binary", minLength=1),
    "xhtml": _text(rf"\s*<div[\s>](?:{_TEXT})?</div>\s*", "xhtml"),
    "date": _text(rf"{_YEAR_MONTH}|{_DAY}", "date"),
    "dateTime": _text(rf"{_YEAR_MONTH}|{_DAY}(?:T{_TIME}{_ZONE})?", "dateTime"),
    "instant": _text(rf"{_DAY}T{_TIME}{_ZONE}", "instant"),
    "time": _text(_TIME, "time"),
}


def has(*names: str) -> Schema:
    """At least one of these primitive elements, by value or by extensions alone."""
    return {"anyOf": [{"required": [form]} for name in names for form in (name, f"_{name}")]}


def _needs(key: str, text: str, element: str, other: str) -> Schema:
    """Where ``element`` stands, ``other`` must stand."""
    return {"$comment": f"invariant {key}@{other}: {text}", "if": has(element), "then": has(other)}


_QUANTITY = [_needs("qty-3", "a system where a unit code stands", "code", "system")]
_EXTENSION = {
    "$comment": "invariant ext-1: either extensions or value[x], not both",
    "if": {"required": ["extension"]},
    "then": {"propertyNames": {"enum": ["id", "extension", "url"]}},
    "else": {"if": {"required": ["id"]}, "then": {"minProperties": 3}, "else": {"minProperties": 2}},
}
_RATIO = {
    "$comment": "invariant rat-1: numerator and denominator, or neither and an extension",
    "if": {"anyOf": [{"required": ["numerator"]}, {"required": ["denominator"]}]},
    "then": {"required": ["denominator", "numerator"]},
    "else": {"required": ["extension"]},
}

INVARIANTS: dict[str, list[Schema]] = {
    "Age": _QUANTITY,
    "Attachment": [_needs("att-1", "a content type where data stands", "data", "contentType")],
    "ContactPoint": [_needs("cpt-2", "a system where a value stands", "value", "system")],
    "Count": _QUANTITY,
    "Distance": _QUANTITY,
    "Duration": _QUANTITY,
    "Extension": [_EXTENSION],
    "Period": [
        {
            "$comment": "invariant per-1: start is not after end",
            "if": {"required": ["start", "end"]},
            "then": {"startNotAfterEnd": True},
        }
    ],
    "Quantity": _QUANTITY,
    "Ratio": [_RATIO],
    # A string by its type, a URL by its meaning (R4 2.3.0.1): no blanks.
    "Reference": [{"$comment": "primitive uri", "properties": {"reference": {"pattern": r"^\S*$"}}}],
    "TimingRepeat": [
        _needs("tim-1", "durationUnit where duration stands", "duration", "durationUnit"),
        _needs("tim-2", "periodUnit where period stands", "period", "periodUnit"),
        {"$comment": "invariant tim-4: not negative", "properties": {"duration": {"minimum": 0}}},
        {"$comment": "invariant tim-5: not negative", "properties": {"period": {"minimum": 0}}},
        _needs("tim-6", "period where periodMax stands", "periodMax", "period"),
        _needs("tim-7", "duration where durationMax stands", "durationMax", "duration"),
        _needs("tim-8", "count where countMax stands", "countMax", "count"),
        {
            "$comment": "invariant tim-9: offset only with when, and not with C, CM, CD or CV",
            "if": has("offset"),
            "then": {
                "allOf": [has("when"), {"properties": {"when": {"items": {"not": {"enum": ["C", "CD", "CM", "CV"]}}}}}]
            },
        },
        {
            "$comment": "invariant tim-10: timeOfDay or when, not both",
            "if": has("timeOfDay"),
            "then": {"not": has("when")},
        },
    ],
}


def restful_url(types: list[str]) -> str:
    """Pattern of an absolute URL of a resource on a FHIR server (R4 2.3.0.1)."""
    return rf"^https?://.*/(?:{'|'.join(types)})/{_ID}(?:/_history/{_ID})?$"


def target_url(types: str) -> str:
    """Pattern of the end of such a URL; ``types`` separated by ``|``."""
    return rf"/(?:{types})/{_ID}(?:/_history/{_ID})?$"
