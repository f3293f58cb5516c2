"""Small messages of one invented interface, and how they are counted."""

from datetime import UTC, datetime
from typing import Any

from app.core.clock import Clock
from app.services.intake.ingest_files import Piece, cut
from app.services.senders.dry_runs import DryRun
from fhir_mappings.explaining.coverage_report import Judged
from schemas.sender import Sender

NOW = datetime(2026, 7, 10, 13, 0, tzinfo=UTC)


def sender(**fields: Any) -> Sender:
    """An interface that takes ``LAB|LAKE``."""
    common = {"id": "lake", "organization": "HTEST Lake", "dialect": "adt_generic", "timezone": "America/Chicago"}
    return Sender.model_validate({**common, "match_msh": ["LAB|LAKE"], **fields})


def message(kind: str, *segments: str, sending: str = "LAB|LAKE", at: str = "20260608100000", **msh: str) -> bytes:
    """One message: ``msh`` gives ``number`` (MSH-10), ``processing`` (MSH-11), ``version``, ``charset``."""
    tail = f"{msh.get('number', '1')}|{msh.get('processing', 'P')}|{msh.get('version', '2.5')}||||||"
    head = f"MSH|^~\\&|{sending}|B|G|{at}||{kind}|{tail}{msh.get('charset', '')}"
    return "\r".join((head, *segments, "")).encode()


def person(number: str = "HTEST1") -> str:
    """A PID."""
    return f"PID|1||{number}||HTESTX^Sam||19800101"


def visit(number: str = "HTESTV1", cls: str = "I", unit: str = "3N", disposition: str = "", admitted: str = "") -> str:
    """A PV1."""
    fields = [""] * 45
    fields[1], fields[2], fields[18], fields[35], fields[43] = cls, unit, number, disposition, admitted
    return f"PV1|{'|'.join(fields[1:])}".replace("PV1|", "PV1|1|", 1).rstrip("|")


def drug(code: str = "1010604^film^RXNORM", *more: str) -> tuple[str, ...]:
    """An order."""
    return ("ORC|NW|HTESTO1", f"RXE|1^QDAY|{code}|8||MG", *more)


def judged(data: bytes, by: Sender | None = None) -> Judged:
    """One message, read and judged by itself."""
    return DryRun.of_file(by or sender(), Clock.starting_at(NOW)).judged(piece(data))


def piece(data: bytes) -> Piece:
    """The first message of a file."""
    return next(iter(cut("one.hl7", data)))
