"""What holds for every message of one sender with one set of delimiters, and what its fields with few values mean.

Codes, clinicians and assigning authorities come again and again, so their fields are read once; no name, number or time
of a patient is kept. Source: HL7 v2.5.1 chapter 2A (CWE, HD, XCN), table 0396 for names of code systems.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.hl7v2 import Separators, unescape
from schemas.codes import tables
from schemas.discharge import Clinician, Coding, Identifier, Name, Product
from schemas.facts import FactKind
from schemas.sender import Sender

NPI: Final = "http://hl7.org/fhir/sid/us-npi"
TOKEN_MAX: Final = 256
TEXT_MAX: Final = 4096
NULL: Final = '""'
ABSENT: Final = ("",) * 20
"""So that a component which was not sent can be asked for."""

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", re.ASCII)
_PATH = re.compile(r"\s*([A-Z][A-Z0-9]{2})-(\d{1,3})(?:\.(\d{1,2}))?", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
KEPT_LENGTH: Final = 512
"""Longer fields are read each time: what is kept must not grow with what is sent."""
_MOST_SITES: Final = 256


class Path(NamedTuple):
    """Where a sender keeps something: ``ORC-16.1``."""

    segment: str
    field: int
    component: int


class Triplet(NamedTuple):
    """A code of a CWE, as long as it isn't settled what becomes of it."""

    system: str | None
    code: str
    display: str | None
    coded: bool = True
    """False where only a text was sent, which then stands for the code too."""

    def coding(self) -> Coding:
        """The same as it is kept."""
        return made(Coding, system=self.system, code=self.code, display=self.display)


class Codings(NamedTuple):
    """The coded triplets of a field, why a part of it was left out, and the first as it is kept."""

    triplets: tuple[Triplet, ...]
    rules: tuple[str, ...]
    first: Coding | None
    complete: bool
    """Each names its system and its text."""


class Drug(NamedTuple):
    """The product in a field; ``unknown`` is the sender's own code where nothing says what it is."""

    product: Product | None
    rules: tuple[str, ...]
    unknown: str | None


class Named(NamedTuple):
    """A clinician, and why a part of the field was left out."""

    clinician: Clinician | None
    rules: tuple[str, ...]


class Location(NamedTuple):
    """The unit and the facility of a PL (1, 4), and why one was left out. Of another field ``first`` alone counts."""

    first: str | None
    facility: str | None
    rules: tuple[str, ...]


class Site:
    """One sender with one set of delimiters. Compared by identity, so that what was read for it can be kept."""

    __slots__ = ("declared", "marked", "organization", "recurring", "sender", "separators", "zones")

    def __init__(self, sender: Sender, separators: Separators) -> None:
        self.sender = sender
        self.separators = separators
        self.marked = re.compile(rf'["{re.escape(separators.subcomponent + separators.escape)}]').search
        """Finds what must be looked at before a component can be taken as text: null, subcomponents, escapes."""
        self.organization = quote(sender.organization, safe="")
        self.declared = _declared(sender)
        self.recurring = _recurring(sender)
        self.zones: dict[str | None, ZoneInfo] = {name: sender.zone(name) for name in (None, *sender.zones)}

    def zone(self, facility: str | None) -> ZoneInfo:
        """The zone of times that come without offset from a facility."""
        return self.zones.get(facility) or self.zones[None]

    def text(self, raw: str, component: int = 1, limit: int = TEXT_MAX) -> str | None:
        """A component of a field with few values, or None."""
        value = clean(components(raw, self.separators)[component - 1], self.separators)
        return value if 0 < len(value) <= limit else None

    def system(self, name: str | None) -> str | None:
        """URI of a code system: the sender's map, then the names in table 0396, then a URI of the hospital's own."""
        if not name:
            return None
        return _system(name, self.sender.maps.drug_systems.get(name), self.organization)


_SITES: Final[dict[tuple[int, Separators], Site]] = {}


def site_of(sender: Sender, separators: Separators) -> Site:
    """The site of a message. A sender whose file was loaded anew is another one."""
    key = (id(sender), separators)
    site = _SITES.get(key)
    if site is None or site.sender is not sender:
        if len(_SITES) >= _MOST_SITES:
            _SITES.clear()
        site = _SITES[key] = Site(sender, separators)
    return site


def _declared(sender: Sender) -> dict[str, FactKind]:
    maps = sender.maps
    kinds: tuple[tuple[list[str], FactKind], ...] = (
        (maps.dispense_triggers, "supply"),
        (maps.dose_triggers, "dose"),
        (maps.order_triggers, "order"),
    )
    return {trigger: kind for triggers, kind in kinds for trigger in triggers}


def _recurring(sender: Sender) -> dict[tuple[str, int], frozenset[str]]:
    paths = ((path_of(text), classes) for text, classes in sender.maps.recurring_accounts.items())
    return {(path.segment, path.field): frozenset(classes) for path, classes in paths if path is not None}


@lru_cache(maxsize=256)
def path_of(text: str) -> Path | None:
    """The field that a sender file names (``ZOC-2``, ``ORC-7.3 (Dn)``); None when it names none."""
    match = _PATH.match(text)
    return Path(match[1], int(match[2]), int(match[3] or 1)) if match else None


def is_code(text: str) -> bool:
    """Whether it has the shape of a code, so that it may be shown and counted: it then is no text about a person."""
    return _CODE.fullmatch(text) is not None


def clean(part: str, separators: Separators) -> str:
    """A component as text: first subcomponent, unescaped, printable, without surrounding blanks; "" for null."""
    if part.isalnum():
        return part  # letters and digits: no delimiter, blank or control character is among them
    if part == NULL:
        return ""
    if separators.subcomponent in part:
        part = part.split(separators.subcomponent, maxsplit=1)[0]
    if separators.escape in part:
        part = unescape(part, separators)
    return printable(part)


def printable(value: str) -> str:
    """Without control characters and surrounding blanks; line feeds stay."""
    if not value.isprintable():
        value = "".join([c if c.isprintable() or c == "\n" else " " if c.isspace() else "" for c in value])
    return value.strip()


def too_long(limit: int) -> str:
    """The rule by which a text is left out rather than cut."""
    return f"longer than {limit} characters"


def components(raw: str, separators: Separators) -> list[str]:
    """The components of the first repetition as sent."""
    if separators.repetition in raw:
        raw = raw.split(separators.repetition, maxsplit=1)[0]
    return [*raw.split(separators.component), *ABSENT]


def codings(site: Site, raw: str) -> Codings:
    """The coded triplets of a CWE, kept where the field is not long."""
    return kept_codings(site, raw) if len(raw) <= KEPT_LENGTH else read_codings(site, raw)


def drug(site: Site, raw: str) -> Drug:
    """A product: its RxNorm code where one was sent or the sender maps the local code, every other as alternate."""
    return _kept_drug(site, raw) if len(raw) <= KEPT_LENGTH else _read_drug(site, raw)


def authority(site: Site, hd: str, fallback: str) -> str:
    """URI of an assigning authority (HD): its OID, UUID or URI, else its name within the hospital's organization.

    Namespaces are local to a hospital, so they are joined with its organization: two interfaces of one
    hospital name the same authority, two hospitals never do. Without any authority ``fallback``, the
    field itself, stands for it.
    """
    return _authority(site, hd, fallback)


def location(site: Site, raw: str) -> Location:
    """A PL: point of care (1) and facility (4)."""
    return _kept_location(site, raw) if len(raw) <= KEPT_LENGTH else _read_location(site, raw)


def _read_location(site: Site, raw: str) -> Location:
    parts = components(raw, site.separators)
    rules: list[str] = []
    unit = _short(site, parts[0], TOKEN_MAX, rules)
    return Location(unit, _short(site, parts[3], TOKEN_MAX, rules), tuple(rules))


def read_assigned(site: Site, rest: str, fallback: str) -> tuple[str, str | None]:
    """Authority and type of a CX, by what stands after its number; few follow many numbers."""
    parts = [*rest.split(site.separators.component), *ABSENT]
    kind = clean(parts[3], site.separators)
    return authority(site, parts[2], fallback), kind if 0 < len(kind) <= TOKEN_MAX else None


def read_codings(site: Site, raw: str) -> Codings:
    """The coded triplets of a CWE (components 1-3, 4-6, 10-12); one without code or text is left out.

    Where none has a text, the original text (9) is that of all.
    """
    parts = components(raw, site.separators)
    found: list[Triplet] = []
    rules: list[str] = []
    for first in (0, 3, 9):
        if not (parts[first] or parts[first + 1]):
            continue
        code = _short(site, parts[first], TOKEN_MAX, rules)
        display = _short(site, parts[first + 1], TEXT_MAX, rules)
        if code is not None or display is not None:
            system = site.system(_short(site, parts[first + 2], TOKEN_MAX, rules))
            # A text without code stands for itself; the text match of triage needs it.
            found.append(Triplet(system, code or (display or "")[:TOKEN_MAX], display, code is not None))
    if not any(one.display for one in found) and (original := _short(site, parts[8], TEXT_MAX, rules)) is not None:
        named = Triplet(None, original[:TOKEN_MAX], original, coded=False)
        found = [one._replace(display=original) for one in found] or [named]
    complete = bool(found) and all(one.coded and one.system and one.display for one in found)
    return Codings(tuple(found), tuple(rules), found[0].coding() if found else None, complete)


def _short(site: Site, part: str, limit: int, rules: list[str]) -> str | None:
    value = clean(part, site.separators)
    if len(value) > limit:
        rules.append(too_long(limit))
        return None
    return value or None


def _read_drug(site: Site, raw: str) -> Drug:
    triplets, rules, *_ = codings(site, raw)
    if not triplets:
        return Drug(None, rules, None)
    chosen = next((one for one in triplets if one.system == tables.RXNORM), None) or _mapped(site, triplets)
    known = chosen is not None or any(one.system == tables.NDC for one in triplets)
    chosen = chosen or triplets[0]
    product = made(
        Product,
        system=chosen.system,
        code=chosen.code,
        display=chosen.display,
        alternates=[one.coding() for one in triplets if one is not chosen],
    )
    return Drug(product, rules, None if known or not chosen.coded or not is_code(chosen.code) else chosen.code)


def _mapped(site: Site, triplets: tuple[Triplet, ...]) -> Triplet | None:
    local = site.sender.maps.local_drugs
    for coding in triplets:
        drug = local.get(coding.code) if coding.system not in (tables.NDC, tables.RXNORM) else None
        if drug is not None:
            return Triplet(site.system(drug.system), drug.code, drug.display)
    return None


def read_clinician(site: Site, raw: str, field: str) -> Named:
    """An XCN: name, and number with its authority, for which ``field`` stands where none is named."""
    parts = components(raw, site.separators)
    rules: list[str] = []
    number, family, *given = [_short(site, part, TOKEN_MAX, rules) for part in parts[:4]]
    who, identifier = name(family, *given), None
    if number is not None:
        is_npi = "NPI" in (parts[8].upper(), parts[12].upper())
        system = NPI if is_npi else authority(site, parts[8], field)
        if len(system) <= TOKEN_MAX:
            identifier = made(Identifier, system=system, value=number, type="NPI" if is_npi else None)
    nobody = who is None and number is None
    return Named(None if nobody else made(Clinician, identifier=identifier, name=who, phone=None), tuple(rules))


def name(family: str | None, *given: str | None) -> Name | None:
    """A name of what was sent; None when nothing was."""
    first_names = list(filter(None, given))
    return made(Name, family=family, given=first_names, text=None) if family or first_names else None


@lru_cache(maxsize=512)
def _system(name: str, mapped: str | None, organization: str) -> str:
    known = tables.system_of(mapped if mapped in ("rxnorm", "ndc") else name)
    if known is not None and mapped != "local":
        return known
    if _OID.fullmatch(name):
        return f"urn:oid:{name}"
    if name.startswith(("http://", "https://", "urn:")):
        return name
    # 256 characters are what a token may have; a name that long is no name that anybody wrote by hand.
    return f"urn:throughline:system:{organization}:{quote(name, safe='')}"[:TOKEN_MAX]


@lru_cache(maxsize=512)
def _authority(site: Site, hd: str, fallback: str) -> str:
    separators = site.separators
    leaves = [
        unescape(leaf, separators) if separators.escape in leaf else leaf for leaf in hd.split(separators.subcomponent)
    ]
    namespace, universal, kind, *_ = (*(("" if leaf == NULL else leaf.strip()) for leaf in leaves), "", "", "")
    mapped = site.sender.maps.authorities.get(namespace)
    if mapped is not None:
        return mapped
    kind = kind.upper()
    if kind in ("ISO", "") and _OID.fullmatch(universal):
        return f"urn:oid:{universal}"
    if kind in ("UUID", "GUID") and _UUID.fullmatch(universal):
        return f"urn:uuid:{universal.lower()}"
    if kind in ("URI", "URL") and universal:
        return universal
    return f"urn:throughline:authority:{site.organization}:{quote(namespace or universal or fallback, safe='')}"


_kept_location = lru_cache(maxsize=1024)(_read_location)
_kept_drug = lru_cache(maxsize=1024)(_read_drug)
kept_assigned = lru_cache(maxsize=1024)(read_assigned)
kept_codings = lru_cache(maxsize=4096)(read_codings)
kept_clinician = lru_cache(maxsize=1024)(read_clinician)
"""For fields of at most ``KEPT_LENGTH``."""
