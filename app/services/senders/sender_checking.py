"""A sender file against its sample messages, before it goes live."""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from app.core.clock import Clock
from app.services.intake import intake_reading
from app.services.senders import dry_runs, sender_files
from app.services.senders.dry_runs import DryRun
from app.store.accounts import Directory
from fhir_mappings.explaining import sender_check, sender_suggest
from fhir_mappings.explaining.sender_check import LEVELS, Finding, Level
from fhir_mappings.explaining.sender_samples import Samples
from fhir_mappings.explaining.showing import aligned
from schemas.sender import Sender

_HEADINGS: Final[dict[Level, tuple[str, str]]] = {
    "error": ("error", "errors"),
    "warning": ("warning", "warnings"),
    "info": ("note", "notes"),
}
_EXIT: Final[dict[Level, int]] = {"error": 2, "warning": 3, "info": 0}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found, the gravest first."""

    sender: str
    messages: int
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 nothing to do, 3 warnings, 2 errors: it can't go live so."""
        return next((_EXIT[level] for level in LEVELS if any(one.level == level for one in self.findings)), 0)


def checked(
    fields: Mapping[str, Any],
    files: Sequence[Path],
    directory: Directory | None,
    advance: Callable[[str], None],
    clock: Clock,
) -> Checked:
    """What is wrong with a sender file, or missing in it, by itself and before its samples.

    Args:
        fields: the object in the file.
        files: sample messages.
        directory: who is registered; None where there is no database.
        advance: told the file of each message.
        clock: the time.
    """
    known = sender_check.decided(fields)
    name = str(known.get("id", sender_files.UNREGISTERED))
    issues = [Finding("error", "value", f"{one.path}: {one.text}") for one in sender_files.issues_of(known)]
    findings = [*sender_check.of_file(fields), *issues, *_registration(fields)]
    if any(one.level == "error" and one.code != "undecided" for one in findings):
        return Checked(name, 0, _sorted(findings))
    sender = sender_files.sender_of(known)
    samples = _samples(DryRun.of_file(sender, clock), files, advance, clock)
    findings += sender_check.of_samples(sender, samples)
    if directory is not None:
        findings += _others(sender, samples, directory)
        findings += sender_check.of_routes(sender, [partner.name for partner in directory.partners.values()])
    return Checked(name, samples.tally.total, _sorted(sender_check.explained(findings)))


def suggestion(files: Sequence[Path], advance: Callable[[str], None], clock: Clock) -> str:
    """A starting sender file (JSON) from the samples alone; what a person must decide is ``?``."""
    samples = _samples(DryRun.of_file(sender_files.neutral(), clock), files, advance, clock)
    return _json(sender_suggest.suggested(samples))


def as_text(found: Checked) -> str:
    """For a terminal."""
    counts = Counter(one.level for one in found.findings)
    told = ", ".join(f"{counts[level]} {_HEADINGS[level][counts[level] != 1]}" for level in LEVELS)
    sections = [
        aligned([("sender", found.sender), ("samples", f"{found.messages} messages"), ("found", told)], indent=0)
    ]
    for level in LEVELS:
        rows = [row for one in found.findings if one.level == level for row in _rows(one)]
        if rows:
            sections.append([_HEADINGS[level][1], *aligned(rows)])
    additions = sender_check.merged_additions(found.findings)
    if additions:
        sections.append(["to add to the sender file (? is for you to decide)", _json(additions).rstrip()])
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def as_json(found: Checked) -> str:
    """For a program: the same."""
    findings = [
        {
            "level": one.level,
            "code": one.code,
            "text": one.text,
            "messages": one.messages,
            "choices": list(one.choices),
            "add": one.add,
        }
        for one in found.findings
    ]
    additions = sender_check.merged_additions(found.findings)
    return _json({"sender": found.sender, "messages": found.messages, "findings": findings, "add": additions})


def _samples(run: DryRun, files: Sequence[Path], advance: Callable[[str], None], clock: Clock) -> Samples:
    samples = Samples(clock.now())
    samples.tally.files = len(files)
    for piece in dry_runs.pieces(files):
        samples.add(dry_runs.unreadable_file(piece) if isinstance(piece, Path) else run.judged(piece))
        advance(str(piece) if isinstance(piece, Path) else piece.file)
    return samples


def _registration(fields: Mapping[str, Any]) -> Iterator[Finding]:
    """What the command line of ``sender add`` must give, because the file does not."""
    missing = [key for key in ("id", "organization", "dialect", "timezone") if key not in fields]
    if missing:
        options = ", ".join("ID" if key == "id" else f"--{key}" for key in missing)
        zone = "; times were read as UTC here" if "timezone" in missing else ""
        level: Level = "warning" if zone else "info"
        yield Finding(level, "registration", f"not in the file, so sender add needs {options}{zone}")


def _others(sender: Sender, samples: Samples, directory: Directory) -> Iterator[Finding]:
    """Registered interfaces that would take the same messages: of two that match neither gets it."""
    for other in directory.senders.values():
        if other.id == sender.id or not _may_meet(sender, other):
            continue
        for application, facility in samples.headers:
            if intake_reading.of_header([other], application, facility):
                text = f"{application}|{facility} is also what the registered sender {other.id} takes: answered AR"
                yield Finding("error", "other-sender", text, samples.headers[application, facility])


def _may_meet(one: Sender, other: Sender) -> bool:
    """Whether one address could be either's; a sender without ``peers`` may speak from anywhere."""
    if not one.peers or not other.peers:
        return True
    mine = [ipaddress.ip_network(peer) for peer in one.peers]
    theirs = [ipaddress.ip_network(peer) for peer in other.peers]
    return any(a.version == b.version and a.overlaps(b) for a in mine for b in theirs)


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: LEVELS.index(one.level)))


def _rows(finding: Finding) -> Iterator[tuple[str, str, str]]:
    count = "" if finding.messages is None else f"{finding.messages} message{'' if finding.messages == 1 else 's'}"
    yield finding.code, f"{count:>12}", finding.text
    yield from (("", "", f"  {choice}") for choice in finding.choices)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
