"""FHIR values as a person reads them: names, times with their offset, amounts as charted, codes by their words."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from fhir_mappings.labels import Resource
from fhir_mappings.pages.paper import plain

NOT_STATED: Final = "not stated"
NOT_KNOWN: Final = "asked, not known"
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_LEFT_OUT: Final = frozenset({"resourceType", "id", "meta", "text", "contained", "div", "fullUrl"})
_CHOICES: Final = ("value", "effective", "onset", "occurrence", "medication", "deceased", "multipleBirth", "performed")


def day(of: date) -> str:
    """``Fri 5 Jun 2026``, whatever the locale of the machine."""
    return f"{_DAYS[of.weekday()]} {of.day} {_MONTHS[of.month - 1]} {of.year}"


def moment(text: str, *, of_day: str = ", time not stated") -> str:
    """A FHIR date or dateTime with its offset; a year or a month stays as it is.

    Args:
        text: as FHIR has it.
        of_day: what is said after a day without a time.
    """
    try:
        if _INSTANT.fullmatch(text):
            at = datetime.fromisoformat(text)
            return f"{day(at)}, {at:%H:%M} ({offset(at)})"
        return f"{day(date.fromisoformat(text))}{of_day}" if _DAY.fullmatch(text) else plain(text)
    except ValueError:  # a word of somebody's that only looks like a date, or a leap second
        return plain(text)


def offset(at: datetime) -> str:
    """``UTC-04:00``."""
    ahead = at.utcoffset() or timedelta()
    sign, minutes = "-" if ahead < timedelta() else "+", abs(ahead) // timedelta(minutes=1)
    return f"UTC{sign}{minutes // 60:02}:{minutes % 60:02}" if minutes else "UTC"


def concept(value: Resource) -> str:
    """A CodeableConcept: its text, else the first display, else the first code."""
    codings = value.get("coding", ())
    words = (one[name] for name in ("display", "code") for one in codings if one.get(name))
    return plain(value.get("text") or next(words, ""))


def name_of(person: Resource) -> str | None:
    """The first name of a Patient, Practitioner or the like."""
    return next((found for one in person.get("name", ()) if (found := _name(one))), None)


def _name(name: Resource) -> str:
    parts = [*name.get("prefix", ()), *name.get("given", ()), name.get("family") or "", *name.get("suffix", ())]
    return plain(name.get("text") or " ".join(parts))


def phone_of(resource: Resource) -> str | None:
    """The first telecom that has a value."""
    return next((plain(one["value"]) for one in resource.get("telecom", ()) if one.get("value")), None)


def quantity(value: Resource | None) -> str | None:
    """An amount, digit by digit as it was charted; None where it is not stated."""
    if value is None or "value" not in value:
        return None
    return plain(f"{value['value']} {value.get('unit') or value.get('code') or ''}")


def label(name: str) -> str:
    """``birthDate`` as ``Birth date``; the end of an extension's URL alike."""
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in _WORD.findall(_without_type(name))]
    joined = " ".join(words)
    return joined[:1].upper() + joined[1:]


def _without_type(name: str) -> str:
    return next((one for one in _CHOICES if name.startswith(one) and name[len(one) :][:1].isupper()), name)


def pairs(resource: Resource, *, without: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Each element that says something, in the order of the resource.

    Args:
        resource: a resource, or a part of one.
        without: elements that the reader knows already.
    """
    for name, value in resource.items():
        if name in _LEFT_OUT or name in without or name.startswith("_"):
            continue
        if name in {"extension", "modifierExtension"}:
            yield from _extensions(value)
        elif said := text(value):
            yield label(name), said


def _extensions(extensions: list[Resource]) -> Iterator[tuple[str, str]]:
    for one in extensions:
        said = text({name: value for name, value in one.items() if name != "url"})
        if said:
            yield label(one["url"].rpartition("/")[2].removeprefix("us-core-").replace("-", " ")), said


def text(value: Any) -> str:
    """Any FHIR value in words; empty where it says nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return moment(value, of_day="") if _DAY.match(value) else plain(value)
    if isinstance(value, list):
        said = Counter(found for one in value if (found := text(one)))
        return "; ".join(one if times == 1 else f"{one} ({times} times)" for one, times in said.items())
    if isinstance(value, Mapping):
        return _element(dict(value))
    return "" if value is None else str(value)


def _element(value: Resource) -> str:
    keys = value.keys()
    if "coding" in keys or keys == {"text"}:
        return concept(value)
    if "value" in keys and ("unit" in keys or not isinstance(value["value"], str)):
        return quantity(value) or ""
    if keys & {"family", "given"}:
        return _name(value)
    if isinstance(value.get("reference"), str) or keys <= {"display", "type", "identifier"}:
        return _reference(value)
    if "system" in keys and keys & {"value", "code"}:
        return plain(value.get("display") or value.get("value") or value.get("code") or "")
    if keys and keys <= {"start", "end"}:
        ends = (("from", "start"), ("to", "end"))
        return " ".join(f"{word} {moment(value[end], of_day='')}" for word, end in ends if end in value)
    return _parts(value)


def _reference(value: Resource) -> str:
    kind = value.get("type") or str(value.get("reference", "")).partition("/")[0]
    return plain(value.get("display") or kind)


def _parts(value: Resource) -> str:
    """What has no shape of its own, part by part; a lone value needs no label."""
    found = list(pairs(value))
    if len(found) == 1 and any(name.startswith(_CHOICES) for name in value):
        return found[0][1]
    return ", ".join(f"{what[:1].lower()}{what[1:]}: {said}" for what, said in found)
