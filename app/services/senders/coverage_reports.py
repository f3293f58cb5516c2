"""What a heap of messages holds and what became of it, for whoever maps an interface."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from app.services.senders import dry_runs
from app.services.senders.dry_runs import DryRun
from fhir_mappings.explaining import coverage_text
from fhir_mappings.explaining.coverage_report import Tally

Format = Literal["text", "json", "markdown"]


def covered(run: DryRun, files: Sequence[Path], advance: Callable[[str], None]) -> Tally:
    """The counts over every message of ``files``; each file is read when its turn comes, and only counts stay.

    Args:
        run: who may have sent them.
        files: what ``ingest_files.find`` gave.
        advance: told the file of each message.
    """
    tally = Tally(files=len(files))
    for piece in dry_runs.pieces(files):
        if isinstance(piece, Path):
            tally.add(dry_runs.unreadable_file(piece))
            advance(str(piece))
        else:
            tally.add(run.judged(piece))
            advance(piece.file)
    return tally


def rendered(tally: Tally, form: Format) -> str:
    """The report, as it was asked for."""
    if form == "json":
        return coverage_text.as_json(tally).decode()
    return coverage_text.as_markdown(tally) if form == "markdown" else coverage_text.as_text(tally)
