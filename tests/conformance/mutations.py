"""Valid resources broken in one place each, the same ones for the same seed."""

import copy
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

Resource = dict[str, Any]
Place = tuple[Any, Any]
"""What holds a value (an object or a list), and where in it."""

_DATES: Final = (
    "2026-13-01",
    "2026-02-30",
    "26-01-01",
    "2026-1-1",
    "2026-01-01T25:00:00Z",
    "2026-01-01T10:00",
    "HTEST",
)
_OTHER_TYPES: Final = ("Patient", "Encounter", "Organization", "Medication", "Binary", "Nothing", "task")
_NONSENSE: Final = ("HTEST-nonsense", "FINISHED", " ", "in progress")
_SWAPPED: Final[tuple[Any, ...]] = (17, True, 1.5, "HTEST text", {"text": "HTEST"}, ["HTEST"], None)
_IDS: Final = ("has space", "ä", "x" * 65, "under_score", "")
_CHOICES: Final = (
    ("value", ("valueString", "HTEST"), ("valueBoolean", True), ("valueInteger", 3)),
    ("effective", ("effectiveDateTime", "2026-01-01"), ("effectivePeriod", {"start": "2026-01-01"})),
    (
        "medication",
        ("medicationReference", {"reference": "Medication/HTEST"}),
        ("medicationCodeableConcept", {"text": "H"}),
    ),
    ("occurrence", ("occurrenceDateTime", "2026-01-01"), ("occurrencePeriod", {"start": "2026-01-01"})),
    ("onset", ("onsetString", "HTEST"), ("onsetDateTime", "2026-01-01")),
    ("deceased", ("deceasedBoolean", False), ("deceasedDateTime", "2026-01-01")),
)


class Mutation(NamedTuple):
    """One broken resource."""

    kind: str
    text: str


def mutations(valid: Sequence[str], count: int, seed: int = 0) -> Iterator[Mutation]:
    """``count`` texts that differ from each other, each made of one of ``valid`` by one change.

    Every type is taken equally often, every kind of change as often as it finds a place.
    """
    chance = random.Random(seed)
    by_type: dict[str, list[str]] = {}
    for text in valid:
        by_type.setdefault(json.loads(text)["resourceType"], []).append(text)
    names, kinds = sorted(by_type), sorted(_KINDS)
    seen = set(valid)
    while count:
        resource = json.loads(chance.choice(by_type[chance.choice(names)]))
        kind = chance.choice(kinds)
        if not _KINDS[kind](resource, chance):
            continue
        text = json.dumps(resource)
        if text not in seen:
            seen.add(text)
            count -= 1
            yield Mutation(kind, text)


# ---- places


def _places(node: Any) -> Iterator[Place]:
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(items):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _some(resource: Resource, chance: random.Random, fits: Callable[[Any, Any], bool]) -> Place | None:
    """A place whose key and value fit; never the type, which decides who judges."""
    found = [(node, key) for node, key in _places(resource) if key != "resourceType" and fits(key, node[key])]
    return chance.choice(found) if found else None


def _put(place: Place | None, value: Any) -> bool:
    if place is None:
        return False
    node, key = place
    node[key] = value
    return True


def _anything(_key: Any, _value: Any) -> bool:
    return True


def _is_text(_key: Any, value: Any) -> bool:
    return isinstance(value, str)


# ---- kinds of change: each says whether it found a place


def _drop(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, _anything)
    if place is None:
        return False
    node, key = place
    del node[key]
    return True


def _repeat(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, lambda _, value: isinstance(value, list))
    if place is None:
        return False
    node, key = place
    node[key] = [*node[key], copy.deepcopy(node[key][0])]
    return True


def _rename(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, lambda key, _: isinstance(key, str))
    if place is None:
        return False
    node, key = place
    node[chance.choice((key + "s", key.upper(), f"_{key}", "htest"))] = node.pop(key)
    return True


def _swap_type(resource: Resource, chance: random.Random) -> bool:
    return _put(_some(resource, chance, _anything), copy.deepcopy(chance.choice(_SWAPPED)))


def _list_or_single(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, lambda key, _: isinstance(key, str))
    if place is None:
        return False
    node, key = place
    return _put(place, node[key][0] if isinstance(node[key], list) else [node[key]])


def _bad_code(resource: Resource, chance: random.Random) -> bool:
    coded = frozenset({"status", "intent", "priority", "use", "gender", "mode", "code", "system", "type", "unit"})
    place = _some(resource, chance, lambda key, value: key in coded and isinstance(value, str))
    return _put(place, chance.choice(_NONSENSE))


def _bad_date(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, lambda _, value: isinstance(value, str) and value[:2] in {"19", "20"})
    return _put(place, chance.choice(_DATES))


def _bad_id(resource: Resource, chance: random.Random) -> bool:
    return _put((resource, "id"), chance.choice(_IDS))


def _wrong_target(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, lambda key, value: key == "reference" and isinstance(value, str))
    if place is None:
        return False
    node, key = place
    return _put(place, f"{chance.choice(_OTHER_TYPES)}/{node[key].rpartition('/')[2]}")


def _turned_period(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, lambda _, value: isinstance(value, dict) and "start" in value)
    if place is None:
        return False
    node, key = place
    node[key]["end"] = "1999-01-01"
    return True


def _broken_rule(resource: Resource, chance: random.Random) -> bool:
    """A data type invariant: a unit code or a telephone without system, an extension with and without value."""
    lonely = ("system", "denominator", "numerator", "durationUnit", "periodUnit", "url", "valueCode", "valueString")
    place = _some(resource, chance, lambda key, _: key in lonely)
    if place is None:
        return False
    node, key = place
    del node[key]
    return True


def _empty(resource: Resource, chance: random.Random) -> bool:
    return _put(_some(resource, chance, _anything), copy.deepcopy(chance.choice(([], {}, "", [{}], [""]))))


def _two_choices(resource: Resource, chance: random.Random) -> bool:
    fitting = [
        (node, more)
        for stem, *members in _CHOICES
        for node in (resource, *(n[k] for n, k in _places(resource) if isinstance(n[k], dict)))
        if any(name.startswith(stem) for name in node)
        for more in members
        if more[0] not in node
    ]
    if not fitting:
        return False
    node, (name, value) = chance.choice(fitting)
    return _put((node, name), copy.deepcopy(value))


def _bad_text(resource: Resource, chance: random.Random) -> bool:
    place = _some(resource, chance, _is_text)
    return _put(place, chance.choice(("\u0001", " ", "\n", "HTEST \u0000", "http://a b")))


_KINDS: Final[dict[str, Callable[[Resource, random.Random], bool]]] = {
    "bad code": _bad_code,
    "bad date": _bad_date,
    "bad id": _bad_id,
    "bad text": _bad_text,
    "broken rule": _broken_rule,
    "element dropped": _drop,
    "element renamed": _rename,
    "empty": _empty,
    "item repeated": _repeat,
    "list or single": _list_or_single,
    "period turned": _turned_period,
    "two choices": _two_choices,
    "wrong reference target": _wrong_target,
    "wrong type": _swap_type,
}
