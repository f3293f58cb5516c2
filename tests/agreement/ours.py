"""What the hub makes of one message, by the way that the hub takes: dialect, merge, event, resources."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple

from fhir_mappings import build
from fhir_mappings.dialects.adt_generic.dialect import DIALECT
from fhir_mappings.hl7v2 import Message
from fhir_mappings.labels import Labels, Parties
from fhir_mappings.visits.visit import as_event
from fhir_mappings.visits.visit_merge import merge
from schemas.facts import Facts
from schemas.sender import Sender
from tests.agreement.corpus import Resource

SENDER: Final = Sender(id="anyone", organization="anyone", dialect="adt_generic", timezone="UTC")
"""Without maps. Neither source has a zone of its own: a time without offset is in UTC in both."""
_PARTIES: Final = Parties("anyone", "hub", "Anyone", "Hub")
_LABELS: Final = Labels(part2=False, test=False)
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Made(NamedTuple):
    """The reading of one message, and what is built from it."""

    facts: Facts
    resources: tuple[Resource, ...]


def made(message: Message) -> Made:
    """Read and build as the hub does.

    ``handled`` is set, because the sources send all in ORU, OML and SIU too: what a trigger counts for is ours to
    decide, what a segment says is not.
    """
    facts = DIALECT.read(message, SENDER).facts.model_copy(update={"handled": True})
    event = as_event(merge(None, facts), event_id="1", occurred_at=_NOW)
    resources = build.clinical(event, parties=_PARTIES, ids=_id, labels=_LABELS)
    return Made(facts, tuple(resources))


def _id(resource_type: str, key: str) -> str:
    return f"{resource_type}-{sha256(key.encode()).hexdigest()[:16]}"
