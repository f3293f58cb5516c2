"""An explanation, and the difference of two, as plain text and as JSON."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

import orjson

from fhir_mappings import triage
from fhir_mappings.dialects.base import Unmapped
from fhir_mappings.explaining.explain import Explanation, FieldStatus, FieldUse, Wire
from fhir_mappings.explaining.explain_against import Difference
from fhir_mappings.explaining.showing import aligned
from fhir_mappings.hl7v2 import Basis

_HEADINGS: Final[dict[FieldStatus, str]] = {
    "used": "used",
    "unreadable": "unreadable",
    "ignored": "ignored on purpose",
    "not-mapped": "not mapped",
    "z-segment": "Z-segments",
}
_BASES: Final[dict[Basis, str]] = {
    "declared": "",
    "default": ", which names none that is known here",
    "bytes": "; the first bytes say so",
    "fallback": "; the bytes are not that",
}


def render_text(explanation: Explanation) -> str:
    """Aligned plain text, for a terminal."""
    return _joined([aligned(_head(explanation), indent=0), *_sections(explanation)])


def to_json(explanation: Explanation) -> bytes:
    """The same for a program: one JSON object."""
    wire = explanation.wire
    body: dict[str, Any] = {
        "sender": explanation.sender,
        "dialect": explanation.dialect,
        "message_type": explanation.message_type,
        "handled": explanation.handled,
        "wire": None if wire is None else asdict(wire),
        "problems": list(explanation.problems),
        "fields": [_field(field) for field in explanation.fields],
        "unmapped": [one._asdict() for one in explanation.unmapped],
        "facts": list(explanation.facts),
        "verdict": _verdict(explanation.verdict),
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def render_difference(difference: Difference) -> str:
    """What differs between two settings, for a terminal; ``-`` is the first, ``+`` the second."""
    head = [("-", difference.sender), ("+", difference.against)]
    sections = [aligned(head, indent=0)]
    if not difference:
        return _joined([*sections, ["no difference"]])
    if difference.fields:
        rows = []
        for before, after in difference.fields:
            path = (before or after).path  # type: ignore[union-attr] # one of the two is there
            rows += [(path, "-", _said(before)), ("", "+", _said(after))]
        sections.append(["fields", *aligned(rows)])
    for name, lines in (
        ("not accepted", difference.problems),
        ("facts", difference.facts),
        ("codes that nobody knows", difference.unmapped),
        ("verdict", difference.verdicts),
        ("times", difference.times),
    ):
        if lines:
            sections.append([name, *(f"  {sign} {line}" for sign, line in lines)])
    return _joined(sections)


def difference_to_json(difference: Difference) -> bytes:
    """The same for a program: one JSON object."""
    body: dict[str, Any] = {
        "sender": difference.sender,
        "against": difference.against,
        "fields": [
            {"sender": None if before is None else _field(before), "against": None if after is None else _field(after)}
            for before, after in difference.fields
        ],
    }
    for name in ("problems", "facts", "unmapped", "verdicts", "times"):
        body[name] = [
            {"of": "sender" if sign == "-" else "against", "text": line} for sign, line in getattr(difference, name)
        ]
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _joined(sections: Iterable[list[str]]) -> str:
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _head(explanation: Explanation) -> Iterator[tuple[str, str]]:
    wire = explanation.wire
    version = f", version {wire.version}" if wire is not None and wire.version else ""
    unhandled = "" if explanation.handled or explanation.message_type is None else " (trigger not handled)"
    yield "sender", f"{explanation.sender} ({explanation.dialect})"
    yield "message", f"{explanation.message_type or 'unknown'}{unhandled}{version}"
    if wire is not None:
        yield "characters", _characters(wire)
        yield "delimiters", f"{wire.separators}{'' if len(wire.separators) == 9 else '  (not all five)'}"


def _characters(wire: Wire) -> str:
    if wire.declared is None and wire.basis == "default":
        return f"read as {wire.charset} (MSH-18 is empty)"
    said = f"says {wire.declared}" if wire.declared else "is empty"
    return f"read as {wire.charset} (MSH-18 {said}{_BASES[wire.basis]})"


def _sections(explanation: Explanation) -> Iterator[list[str]]:
    if explanation.problems:
        yield ["not accepted", *(f"  {problem}" for problem in explanation.problems)]
    for status, heading in _HEADINGS.items():
        rows = [(use.path, _said(use)) for use in explanation.fields if use.status == status]
        if rows:
            yield [heading, *aligned((path, f"{text}{_times(count)}") for (path, text), count in Counter(rows).items())]
    if explanation.unmapped:
        yield ["codes that nobody knows", *aligned(_unmapped(explanation.unmapped))]
    if explanation.facts:
        yield ["facts", *(f"  {fact}{_times(count)}" for fact, count in Counter(explanation.facts).items())]
    verdict = explanation.verdict
    if verdict is not None:
        waits = ", waits while the visit is open" if verdict.pending else ""
        yield [f"verdict  {verdict.outcome}{waits}", *aligned((r.code, r.text) for r in verdict.reasons)]


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


def _unmapped(found: Iterable[Unmapped]) -> Iterator[tuple[str, str, str]]:
    for (kind, path, code), count in Counter((one.kind, one.path, one.code) for one in found).items():
        yield path, kind, f"{code}{_times(count)}"


def _said(use: FieldUse | None) -> str:
    if use is None:
        return "(not there)"
    if not use.used:
        return use.reason or ""
    numbers = ", ".join(map(str, use.idle))
    idle = f"; component{'s' if len(use.idle) > 1 else ''} {numbers} not needed" if use.idle else ""
    return f"{use.target or ''}{idle}"


def _field(use: FieldUse) -> dict[str, Any]:
    return {
        "path": use.path,
        "segment": use.segment,
        "status": use.status,
        "used": use.used,
        "target": use.target,
        "reason": use.reason,
        "idle_components": list(use.idle),
    }


def _verdict(verdict: triage.Triage | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    reasons = [{"code": reason.code, "text": reason.text} for reason in verdict.reasons]
    return {"outcome": verdict.outcome, "pending": verdict.pending, "reasons": reasons}
