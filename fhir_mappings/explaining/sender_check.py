"""What is wrong with a sender file, or not in it yet, as its sample messages show."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args

from fhir_mappings import triage
from fhir_mappings.explaining import coverage_report
from fhir_mappings.explaining.coverage_report import UNKNOWN, CodeKind
from fhir_mappings.explaining.sender_samples import LocalDrug, Samples
from fhir_mappings.explaining.showing import TEXT_ONLY
from schemas.codes import tables
from schemas.discharge import Disposition, NeedKind, Product, VisitClass
from schemas.sender import Sender, SenderMaps

Level = Literal["error", "warning", "info"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
PLACEHOLDER: Final = "?"
"""What ``--suggest`` writes where a person must decide."""
_TOP: Final = frozenset(field.alias or name for name, field in Sender.model_fields.items())
_MAPS: Final = frozenset(field.alias or name for name, field in SenderMaps.model_fields.items())


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    level: Level
    code: str
    text: str
    messages: int | None = None
    """How many samples show it; None where the file alone does."""
    add: Mapping[str, Any] | None = None
    """What to write into the sender file, nested as there."""
    choices: tuple[str, ...] = ()
    """What it could be, for a person to choose."""


def of_file(fields: Mapping[str, Any]) -> list[Finding]:
    """What the file shows by itself: placeholders, words that mean nothing, keys that nobody reads."""
    return [*_placeholders(fields), *_words(fields), *_unread_keys(fields)]


def decided(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The file without what is still to be decided, so that its samples can be looked at already."""
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            kept[key] = decided(value)
        elif isinstance(value, list):
            kept[key] = [one for one in value if one != PLACEHOLDER]
        elif value != PLACEHOLDER:
            kept[key] = value
    drugs = _object(fields, "local_drugs")
    if drugs:
        whole = [code for code in drugs if PLACEHOLDER not in _object(drugs, code).values()]
        kept["local_drugs"] = {code: drugs[code] for code in whole}
    return kept


def explained(findings: Iterable[Finding]) -> list[Finding]:
    """The same; what a sample says of a place that is to be decided stands beside that, once."""
    known = list(findings)
    said = {path: one for one in known for path in _paths(one.add or {})}
    open_places = {_place(one) for one in known if one.code == "undecided"}
    kept = [one for one in known if open_places.isdisjoint(_paths(one.add or {}))]
    return [_with_sample(one, said.get(_place(one))) if one.code == "undecided" else one for one in kept]


def _with_sample(undecided: Finding, sample: Finding | None) -> Finding:
    if sample is None:
        return undecided
    _, said, means = sample.text.partition(": ")
    text = f"{undecided.text}: {means if said else sample.text}"
    return replace(undecided, text=text, messages=sample.messages, choices=sample.choices)


def _place(undecided: Finding) -> str:
    return undecided.text.partition(" is still")[0]


def _paths(add: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in add.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{before}{key}.")
        else:
            yield f"{before}{key}"


def of_samples(sender: Sender, samples: Samples) -> list[Finding]:
    """What the samples show."""
    return [
        *_refused(sender, samples),
        *_codes(samples),
        *_mapped_drugs(sender),
        *_drugs(sender, samples),
        *_order_class(samples),
        *_days(sender, samples),
        *_visits(sender, samples),
        *_times(sender, samples),
        *_fields(samples),
        *_missing(samples),
    ]


def of_routes(sender: Sender, partners: Iterable[str]) -> list[Finding]:
    """Names in ``routes`` that no registered partner has."""
    known = set(partners)
    return [
        Finding("info", "route", f"routes.{need}: no partner of that name is registered; until then it is review")
        for need, name in sender.routes.items()
        if name not in known
    ]


def merged_additions(findings: Iterable[Finding]) -> dict[str, Any]:
    """All that the findings would write into the file, in one object."""
    whole: dict[str, Any] = {}
    for finding in findings:
        _merge(whole, finding.add or {})
    return whole


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        elif isinstance(value, list):
            into[key] = [*into.get(key, []), *value]
        else:
            into.setdefault(key, value)


# ---- the file by itself


def _placeholders(fields: Mapping[str, Any], before: str = "") -> Iterator[Finding]:
    for key, value in fields.items():
        path = f"{before}{key}"
        if value == PLACEHOLDER or (isinstance(value, list) and PLACEHOLDER in value):
            yield Finding("error", "undecided", f'{path} is still "{PLACEHOLDER}"')
        elif isinstance(value, Mapping):
            yield from _placeholders(value, f"{path}.")


def _words(fields: Mapping[str, Any]) -> Iterator[Finding]:
    for need in _object(fields, "routes"):
        if need not in get_args(NeedKind):
            yield Finding("error", "value", f"routes.{need}: not a need; one of {', '.join(get_args(NeedKind))}")
    for word, meaning in _object(_object(fields, "maps"), "order_class").items():
        if word != "field" and meaning not in ("inpatient", "discharge", PLACEHOLDER):
            yield Finding("error", "value", f"maps.order_class.{word}: 'inpatient' or 'discharge'")


def _unread_keys(fields: Mapping[str, Any]) -> Iterator[Finding]:
    for key in fields:
        if key not in _TOP:
            yield Finding("warning", "not-read", f"{key} is not a key of a sender file{_meant(key, _TOP)}")
    for key in _object(fields, "maps"):
        if key not in _MAPS:
            level: Level = "warning" if _meant(key, _MAPS) else "info"
            yield Finding(
                level, "not-read", f"maps.{key} is kept for whoever reads the file and not read{_meant(key, _MAPS)}"
            )


def _meant(key: str, known: Iterable[str]) -> str:
    close = get_close_matches(key, known, n=1, cutoff=0.8)
    return f": is {close[0]} meant?" if close else ""


def _object(fields: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = fields.get(key)
    return value if isinstance(value, Mapping) else {}


# ---- messages that would not be taken


def _refused(sender: Sender, samples: Samples) -> Iterator[Finding]:
    tally = samples.tally
    if not tally.total:
        yield Finding("error", "no-samples", "there is no message in what was given")
    for (application, facility), count in tally.strangers.most_common():
        pair = f"{application}|{facility}"
        add = None if TEXT_ONLY in pair else {"match_msh": [pair]}
        yield Finding("error", "match-msh", f"{pair} is not in match_msh: answered AR, rejected", count, add)
    for (state, reason), count in tally.reasons.most_common():
        if state == "rejected" and reason != coverage_report.UNKNOWN_SENDER:
            yield Finding("error", "rejected", f"rejected: {reason} (first: {samples.rejected[reason]})", count)
        if reason == "not-conforming":
            yield Finding("error", "not-conforming", "a resource built from it does not pass the gate", count)
    if not sender.match_msh and samples.headers:
        text = "without match_msh it takes every message that reaches it"
        yield Finding("warning", "match-msh", text, add={"match_msh": pairs_of(samples)})


def pairs_of(samples: Samples) -> list[str]:
    """What ``match_msh`` would be to take every sample."""
    return [f"{one}|{other}" for one, other in samples.headers if TEXT_ONLY not in (one, other)]


# ---- codes


_CODES: Final[dict[CodeKind, tuple[str, str, tuple[str, ...]]]] = {
    "class": ("class", f"the visit has no class; one of {', '.join(get_args(VisitClass))}", ("maps", "class")),
    "disposition": (
        "disposition",
        f"where does the person go? one of {', '.join(get_args(Disposition))}, not-a-discharge",
        ("maps", "disposition"),
    ),
    "order class": ("order-class", "inpatient, or for the way home?", ("maps", "order_class")),
    "unit": ("unit", "not classified: counts as Part 2, its referrals wait for a consent", ("units",)),
}


def _codes(samples: Samples) -> Iterator[Finding]:
    found = sorted(samples.tally.codes.items(), key=lambda item: (-item[1], item[0]))
    for seen, count in found:
        if seen.standing != UNKNOWN:
            continue
        if seen.kind in _CODES:
            code, means, path = _CODES[seen.kind]
            if seen.code == TEXT_ONLY:
                text = f"{seen.kind}: {seen.system} is a text that is not shown; write it as it is sent: {means}"
                yield Finding("warning", code, text, count)
            else:
                add = _nested((*path, seen.code), PLACEHOLDER)
                yield Finding("warning", code, f"{seen.kind} {seen.code} ({seen.system}): {means}", count, add)
        elif seen.kind == "diagnosis":
            text = f"diagnosis {seen.code} ({seen.system}): only ICD-10-CM and SNOMED CT are known"
            yield Finding("info", "diagnosis", text, count)


def _nested(path: Sequence[str], value: object) -> dict[str, Any]:
    whole: Any = value
    for key in reversed(path):
        whole = {key: whole}
    found: dict[str, Any] = whole
    return found


def _mapped_drugs(sender: Sender) -> Iterator[Finding]:
    """Codes in the map that say something else than the text beside them."""
    for code, drug in sender.maps.local_drugs.items():
        if tables.system_of(drug.system) == tables.RXNORM and tables.drug(drug.system, drug.code) is None:
            reads_like = triage.classify(Product(code=code, display=drug.display))
            if reads_like is not None and drug.display:
                text = f"maps.local_drugs.{code} reads like {reads_like.drug}, and its RxNorm code is not in the table"
                yield Finding("warning", "local-drug", text)


def _drugs(sender: Sender, samples: Samples) -> Iterator[Finding]:
    for name, count in samples.drug_systems.most_common():
        if name not in sender.maps.drug_systems:
            text = f"drug system {name} is not named: rxnorm, ndc or local?"
            yield Finding("warning", "drug-system", text, count, _nested(("maps", "drug_systems", name), PLACEHOLDER))
    for drug, count in samples.local_drugs.most_common():
        text = f"drug {drug.code} ({drug.system}) reads like {drug.drug} and comes without an RxNorm code"
        add = _nested(("maps", "local_drugs", drug.code), placeholder(drug))
        choices = tuple(f"{code:<8} {display}" for code, display in drug.candidates)
        yield Finding("warning", "local-drug", text, count, add, choices)


def placeholder(drug: LocalDrug) -> dict[str, str]:
    """An entry of ``local_drugs`` for which a person looks up the code."""
    return {"system": "rxnorm", "code": PLACEHOLDER, "text": drug.drug}


def _order_class(samples: Samples) -> Iterator[Finding]:
    if samples.orders and samples.without_order_class == samples.orders:
        others = sorted({path for path, _ in samples.order_words})
        hint = f"; words like it stand in {', '.join(others)}" if others else ""
        text = f"no order says whether it is inpatient or for the way home{hint}"
        yield Finding("warning", "order-class", text, samples.orders, order_class_of(samples))


def order_class_of(samples: Samples) -> dict[str, Any] | None:
    """The field with the most words of an order class, and its words to decide on."""
    counts: dict[str, int] = {}
    for (path, _), count in samples.order_words.items():
        counts[path] = counts.get(path, 0) + count
    if not counts:
        return None
    best = max(counts, key=lambda path: (counts[path], path))
    words = {word: PLACEHOLDER for path, word in sorted(samples.order_words) if path == best}
    return _nested(("maps", "order_class"), {"field": best, **words})


def _days(sender: Sender, samples: Samples) -> Iterator[Finding]:
    if samples.supplies_with_days:
        return
    elsewhere = [path for path, _ in samples.small_numbers.most_common(3)]
    hint = f"a small number stands in {', '.join(elsewhere)}" if elsewhere else ""
    add = _nested(("maps", "days_supply"), PLACEHOLDER) if elsewhere else None
    if samples.supplies:
        places = ", ".join([*([sender.maps.days_supply] if sender.maps.days_supply else []), "TQ1-6, ORC-7.3, RXE-1.3"])
        text = f"no supply says for how many days ({places}){': ' if hint else ''}{hint}"
        yield Finding("warning", "days-supply", text, samples.supplies, add)
    elif elsewhere:
        yield Finding("info", "days-supply", f"are there days of supply beside the drugs: {hint}", add=add)


def _visits(sender: Sender, samples: Samples) -> Iterator[Finding]:
    for kind, count in samples.without_visit.most_common():
        text = f"{kind} has no number of the visit (PV1-19, PID-18, PV1-50): found by the person alone"
        yield Finding("warning", "visit-number", text, count)
    for path, count, classes in samples.recurring():
        if path not in sender.maps.recurring_accounts:
            text = (
                f"{path}: {count} numbers were seen with several visits each"
                if count > 1
                else (f"{path}: one number was seen with several visits")
            )
            add = _nested(("maps", "recurring_accounts", path), list(classes))
            yield Finding("warning", "recurring-account", text, add=add)


def _times(sender: Sender, samples: Samples) -> Iterator[Finding]:
    if samples.future:
        text = f"what happened is later than now: is the time zone {sender.timezone}, and is the sender's clock right?"
        yield Finding("warning", "future", text, samples.future)
    for (said, expected), count in samples.other_offsets.most_common():
        text = f"in {sender.timezone} it was {expected} then: MSH-7 says {said}"
        yield Finding("warning", "time-zone", text, count, {"timezone": PLACEHOLDER})
    tests = {name: count for name, count in samples.processing.items() if name in ("T", "D")}
    for name, count in tests.items() if sender.mode == "production" else ():
        text = f"MSH-11 is {name}, a test: not taken for real while mode is production"
        yield Finding("warning", "test-message", text, count)


# ---- fields


def _fields(samples: Samples) -> Iterator[Finding]:
    mapped = {"PV1-2", "PV1-36", coverage_report.DEFAULT_ORDER_CLASS.partition(".")[0]}
    for (path, status, reason), count in sorted(samples.tally.uses.items()):
        if status == "unreadable" and path not in mapped and "order class" not in reason:
            yield Finding("warning", "unreadable", f"{path}: {reason}", count)
    for name, count in coverage_report.local_segments(samples.tally).items():
        yield Finding("info", "z-segment", f"{name} is local, and nothing in the file names one of its fields", count)
    for kind, count in samples.tally.unhandled.most_common():
        text = f"{kind} carries a drug or a diagnosis and its trigger is not handled: review"
        yield Finding("warning", "trigger", text, count)


def _missing(samples: Samples) -> Iterator[Finding]:
    """What the samples can't show, because it is not among them."""
    if not samples.tally.total:
        return
    kinds = {
        "a discharge (ADT^A03)": samples.discharges,
        "an order (RDE)": samples.orders,
        "a supply or prescription for the way home": samples.supplies,
    }
    absent = [name for name, count in kinds.items() if not count]
    if absent:
        yield Finding("info", "samples", f"not among the samples: {', '.join(absent)}")
