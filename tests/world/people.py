"""Who leaves hospital in the made-up world: medication, supply, and how they leave. Everybody is synthetic (HTEST)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

Json = dict[str, Any]
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"


@dataclass(frozen=True)
class Kind:
    """One way of leaving: how often, on which product, with which supply."""

    share: int
    code: str
    display: str
    interval: str
    supplies: tuple[Json, ...]
    """One of them is drawn."""


NOTHING: Final[Json] = {}
KINDS: Final = (
    Kind(30, "991147", "methadone oral concentrate", "PT24H", (NOTHING, {"kind": "dispensed", "days": 3})),
    Kind(
        48,
        "1010604",
        "buprenorphine / naloxone film",
        "PT24H",
        (
            {"kind": "dispensed", "days": 7},
            {"kind": "dispensed", "days": 3},
            {"kind": "prescribed", "days": 7, "filled": "unknown"},
            {"kind": "prescribed", "days": 7, "filled": "yes"},
        ),
    ),
    Kind(14, "1996184", "buprenorphine extended-release injection", "P28D", (NOTHING,)),
    Kind(8, "637213", "naltrexone extended-release injection", "P28D", (NOTHING,)),
)
"""Shares are the world's own: no source says how a hospital's discharges divide."""


def discharge(number: int, at: datetime, chance: Random) -> Json:
    """One discharge as an event: the last dose was given in the morning."""
    kind = chance.choices(KINDS, [one.share for one in KINDS])[0]
    dose = at.replace(hour=9, minute=15, second=0, microsecond=0)
    supply = chance.choice(kind.supplies)
    against = chance.random() < 0.08
    phones = [] if chance.random() < 0.1 else ["+1-555-0107"]
    return {
        "schema_version": "1",
        "event_id": f"htest-world-{number}",
        "kind": "discharge",
        "occurred_at": at.isoformat(),
        "patient": {
            "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": f"HTEST{number:06d}"}],
            "name": {"family": "Htest", "given": ["World"]},
            "birth_date": f"{1950 + chance.randrange(50)}-04-02",
            "sex": chance.choice(["male", "female"]),
            "phones": phones,
        },
        "visit": {
            "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": f"HTESTV{number:06d}"}],
            "class": "EMER" if chance.random() < 0.2 else "IMP",
            "unit": "4W",
            "admitted_at": (at - timedelta(days=1 + chance.randrange(6))).isoformat(),
            "discharged_at": at.isoformat(),
            "disposition": "aadvice" if against else "home",
        },
        "diagnoses": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F11.20"}],
        "medications": [
            {
                "product": {"system": RXNORM, "code": kind.code, "display": kind.display},
                "schedule": {"interval": kind.interval},
                "doses": [{"at": dose.isoformat(), "amount": 16, "unit": "mg", "route": "oral", "observed": True}],
                "bridges": [] if against or not supply else [supply],
            }
        ],
        "needs": [{"kind": "moud-continuation"}],
    }
