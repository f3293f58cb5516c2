"""Policy packs: bodies of law as data, one folder each (see README.md)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

RecipientKind = Literal["covered-entity", "part2-program", "other"]
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ClassRule:
    """Whom the general designation of a class of recipients reaches (42 CFR 2.31(a)(4))."""

    covered_entity: bool
    """Only covered entities are members."""
    purposes: frozenset[str]
    """v3-ActReason codes for which it holds."""


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of one body of law."""

    id: str
    law: str
    purposes: frozenset[str]
    """v3-ActReason codes that a consent of this law can carry."""
    treatment_without_consent: bool
    """Whether a covered entity may be told for treatment without the patient's consent."""
    redisclosure: Mapping[RecipientKind, str]
    """Kind of recipient to the rule that it is under."""
    notice: str | None
    """Id of the notice that must accompany each disclosure."""
    classes: Mapping[str, ClassRule]
    accounting_years: int
    emergency: tuple[str, ...]
    """Fields that an emergency disclosure must document (42 CFR 2.51(c))."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What must be said with a disclosure, in full and in the short form that the law allows instead."""

    text: str
    source: str
    short: str
    short_source: str
    header: str
    """HTTP header that carries the short form with an answer."""
    scope: str
    """Where the reader finds what the consent permits."""
    scope_source: str


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue of one pack in one language."""

    notices: Mapping[str, Notice]
    grounds: Mapping[str, str]
    """Legal reason of a permit to what is said of it with the record."""
    redisclosure: Mapping[str, str]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _pack(folder: Path) -> Pack:
    held = _read(folder / "pack.json")
    classes = {
        name: ClassRule(rule["covered_entity"], frozenset(rule["purposes"])) for name, rule in held["classes"].items()
    }
    return Pack(
        id=held["id"],
        law=held["law"],
        purposes=frozenset(held["purposes"]),
        treatment_without_consent=held["treatment_without_consent"],
        redisclosure=MappingProxyType(held["redisclosure"]),
        notice=held["notice"],
        classes=MappingProxyType(classes),
        accounting_years=held["accounting_years"],
        emergency=tuple(held["emergency"]),
    )


def _texts(folder: Path, language: str) -> Texts:
    held = _read(folder / f"texts.{language}.json")
    notices = {name: Notice(**notice) for name, notice in held["notices"].items()}
    return Texts(MappingProxyType(notices), MappingProxyType(held["grounds"]), MappingProxyType(held["redisclosure"]))


def _folders() -> list[Path]:
    return sorted(path.parent for path in _HERE.glob("*/pack.json"))


PACKS: Final[Mapping[str, Pack]] = MappingProxyType({folder.name: _pack(folder) for folder in _folders()})
TEXTS: Final[Mapping[str, Texts]] = MappingProxyType({folder.name: _texts(folder, "en") for folder in _folders()})
"""The English catalogues, by pack."""


def _all(catalogues: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: words for one in catalogues for name, words in one.items()}


_NOTICES: Final[dict[str, Notice]] = _all(texts.notices for texts in TEXTS.values())
_GROUNDS: Final[dict[str, str]] = _all(texts.grounds for texts in TEXTS.values())
_REDISCLOSURE: Final[dict[str, str]] = _all(texts.redisclosure for texts in TEXTS.values())


def notice(name: str) -> Notice:
    """The notice ``name`` in words; KeyError when no pack has it."""
    return _NOTICES[name]


@cache
def headers(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The HTTP headers (name, value) by which an answer carries the notices ``names``, each in its short form."""
    return tuple((notice(name).header, notice(name).short) for name in names)


def redisclosure(rule: str) -> str:
    """The rule on redisclosure ``rule`` in words; KeyError when no pack has it."""
    return _REDISCLOSURE[rule]


def ground(basis: str) -> str | None:
    """What is said with a record of the legal reason ``basis``; None where no pack has words for it."""
    return _GROUNDS.get(basis)
