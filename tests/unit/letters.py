"""Packets to make pages of: four synthetic events, as their partner sees them."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pypdf import PdfReader

from fhir_mappings.build import hospital_organization, hub_organization, partner_organization
from fhir_mappings.labels import Labels, Resource
from fhir_mappings.packet import packet
from fhir_mappings.pages.paper import Lines, Pairs, Paper, Sheet, Table
from schemas.discharge import DischargeEvent
from schemas.packs.base import notice
from tests.unit.build_events import NOW, PART2, asked, built

FOLDER: Final = Path(__file__).parents[1] / "golden" / "letters"
NOTICE: Final = notice("part2-2-32")


def told(name: str, **changes: Any) -> DischargeEvent:
    body = json.loads((FOLDER / f"{name}.event.json").read_text())
    return DischargeEvent.model_validate({**body, **changes})


def document_of(
    event: DischargeEvent, labels: Labels = PART2, *, now: datetime = NOW, flags: Sequence[str] = (), **task: Any
) -> Resource:
    """The packet of the child that asks the partner."""
    request, child = asked(event, labels)
    (coverage,) = child["extension"]
    said = [one for one in coverage["extension"] if one["url"] != "flag"]
    said += [{"url": "flag", "valueCode": one} for one in flags]
    members = [
        {**child, "extension": [{**coverage, "extension": said}], **task},
        request,
        *built(event, labels),
        hub_organization("hub"),
        partner_organization("harbor", "Harbor OTP", phone="555-0100"),
        hospital_organization("hosp", "Northgate Hospital"),
    ]
    return packet(
        members,
        base="https://hub.example.org/fhir/R4",
        document="packet-1",
        task=child["id"],
        author="hub",
        now=now,
        notices=("part2-2-32",),
    )


def texts(paper: Paper) -> list[str]:
    """All that stands on a paper, in its order."""
    return [paper.title, *(text for sheet in paper.sheets for text in texts_of(sheet))]


def texts_of(sheet: Sheet) -> list[str]:
    found = [sheet.title]
    for block in sheet.blocks:
        match block:
            case Pairs():
                found += [cell for row in block.rows for cell in row]
            case Table():
                found += [block.caption, *block.columns, *(cell for row in block.rows for cell in row)]
            case Lines():
                found += block.paragraphs
    return found


def squeezed(text: str) -> str:
    """Without white space, which a page sets as it likes."""
    return re.sub(r"[\s\u200b]", "", text)


def html_texts(page: bytes) -> list[str]:
    """What a browser shows, in its order."""
    body = page.decode().partition("<body>")[2]
    return [unescape(one) for one in re.split(r"<[^>]*>", body) if one.strip()]


def pdf_pages(print_: bytes) -> list[str]:
    """The text of each page."""
    return [page.extract_text() for page in PdfReader(BytesIO(print_)).pages]
