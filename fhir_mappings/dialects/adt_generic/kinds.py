"""What a message is about, by its message code and trigger event (MSH-9).

Source: HL7 v2.5.1 chapter 3 (ADT), 4 (ORM, OMP, RDE, RDS, RAS), 7 (ORU), 11 (REF). What a sender's file declares goes
before; what is in neither is not handled, and what it carries is triaged all the same.
"""

from typing import Final

from fhir_mappings.dialects.adt_generic.site import Site
from fhir_mappings.hl7v2 import Message
from schemas.facts import FactKind

_TRIGGERS: Final[dict[FactKind, str]] = {
    "admit": "ADT^A01 ADT^A04",
    "pre-admit": "ADT^A05 ADT^A14",
    "transfer": "ADT^A02 ADT^A12",
    "class-change": "ADT^A06 ADT^A07",
    "discharge": "ADT^A03",
    "update": "ADT^A08 ADT^A09 ADT^A10 ADT^A32 ADT^A33 ADT^A54 ADT^A55 ADT^A60",
    "cancel-visit": "ADT^A11 ADT^A27 ADT^A38",
    "cancel-discharge": "ADT^A13",
    "expected-discharge": "ADT^A16",
    "cancel-expected": "ADT^A25",
    "person": "ADT^A28 ADT^A31",
    "merge": (
        "ADT^A18 ADT^A34 ADT^A35 ADT^A36 ADT^A39 ADT^A40 ADT^A41 ADT^A42 "
        "ADT^A46 ADT^A47 ADT^A48 ADT^A49 ADT^A50 ADT^A51"
    ),
    "move": "ADT^A43 ADT^A44 ADT^A45",
    "unlink": "ADT^A37",
    "order": "RDE^O11 RDE^O01 RDE^O25 OMP^O09 ORM^O01",
    "dose": "RAS^O17 RAS^O01",
    "supply": "RDS^O13 RDS^O01",
    "result": "ORU^R01 ORU^R30 ORU^R31 ORU^R32 ORU",
    "referral": "REF^I12 REF^I13",
    "cancel-referral": "REF^I14",
}
KINDS: Final[dict[str, FactKind]] = {
    trigger: kind for kind, triggers in _TRIGGERS.items() for trigger in triggers.split()
}
"""Trigger to kind. A46, A48 to A51 change a number, which is to say that the former one stands for the same."""

TRACKING: Final = frozenset({"ADT^A09", "ADT^A10", "ADT^A32", "ADT^A33"})
"""On the way, and there for a while: "not a change in the official census bed location" (3.3.9), so it is no unit."""


def kind_of(site: Site, message: Message) -> FactKind | None:
    """What the message is about; None when its trigger is not handled.

    Any other order message (OMG, OML ...) is a medication order if it has an RXO.
    """
    trigger = message.type
    known = site.declared.get(trigger) or KINDS.get(trigger)
    if known is None and trigger.startswith("OM") and message.first("RXO") is not None:
        return "order"
    return known
