"""Who takes part in the demo, and the stories that its hospitals tell. Data; nothing happens here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from app.services.clients.accounts import Registered
from app.services.demo.demo_messages import Person, Site
from schemas.facets import ATTESTATION_HOLDS

Act = Literal["accepted", "in-progress", "completed", "rejected", "on-hold", "failed"]
"""What the partner does with its Task."""
Turn = Literal["again", "taken-back", "never-was"]
"""What the hospital says later: the same discharge again (a copy), A13, A11."""

MERCY: Final = Site("EPIC", "MERCY", "2.16.840.1.113883.3.9999.21", "2.16.840.1.113883.3.9999.22", "MC")
NORTH: Final = Site("CERNER", "NORTH", "2.16.840.1.113883.3.9999.31", "2.16.840.1.113883.3.9999.32", "NS")
SITES: Final = {"mercy": MERCY, "north": NORTH}

_UNITS: Final = {"4W": "not-part2", "ED": "not-part2", "ACS": "part2"}
"""ACS is an addiction consult service that holds itself out as one: a Part 2 program. OBS is not listed: unknown."""
HARBOR: Final = "HTEST Harbor OTP"
LAKESIDE: Final = "HTEST Lakeside OTP"
FORM: Final = "HTEST-ROI-2026"
"""The form that both hospitals have patients sign; it states every element of 42 CFR 2.31(a)."""
_CONSENTS: Final = {"ROI": {"recipients": [HARBOR, LAKESIDE], "both_directions": True, "form": FORM}}
_COMMON: Final = {
    "dialect": "adt_generic",
    "timezone": "America/New_York",
    "units": _UNITS,
    "mode": "test",
    "maps": {"consents": _CONSENTS},
    "fallbacks": [{"kind": "return-for-dosing", "name": "HTEST Emergency Department", "phone": "212-555-0195"}],
}
SENDERS: Final[dict[str, dict[str, Any]]] = {
    "mercy": {"id": "mercy", "organization": "HTEST Mercy Hospital", "match_msh": ["EPIC|MERCY"], **_COMMON},
    "north": {
        "id": "north",
        "organization": "HTEST Northside Hospital",
        "match_msh": ["CERNER|NORTH"],
        "routes": {"peer-support": "HTEST Open Door Peer Support"},
        **_COMMON,
    },
}

BRIDGE: Final = "HTEST Bridge Clinic"
PEERS: Final = "HTEST Open Door Peer Support"
HOUSE: Final = "HTEST Maple Recovery House"
_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri")


def _hours(days: Sequence[str], opens: str, closes: str) -> list[dict[str, Any]]:
    return [{"days": list(days), "opens": opens, "closes": closes}]


_OF_THE_WEEK: Final = _hours(_WEEKDAYS, "05:30", "11:00")
_WITH_SATURDAY: Final = _hours((*_WEEKDAYS, "sat"), "06:00", "12:00")
_HERE: Final = {"time_zone": "America/New_York", "response_minutes": 60}
_PROFILES: Final[list[dict[str, Any]]] = [
    {
        "name": HARBOR,
        "covered_entity": True,
        "part2_program": True,
        "needs": ["moud-continuation"],
        "products": ["methadone"],
        "phone": "212-555-0190",
        "intake_hours": _OF_THE_WEEK,
        "dosing_hours": _OF_THE_WEEK,
        "facets": {"methadone-onsite": "yes", "weekend-dosing": "no", "pregnancy": "yes", "walk-in": "yes"},
        **_HERE,
    },
    {
        "name": BRIDGE,
        "covered_entity": True,
        "needs": ["moud-continuation", "primary-care"],
        "products": ["buprenorphine", "naltrexone"],
        "phone": "212-555-0191",
        "intake_hours": _hours(_WEEKDAYS, "09:00", "17:00"),
        "facets": {"buprenorphine-continue": "yes", "sublocade-onsite": "yes", "benzodiazepines": "yes"},
        **_HERE,
    },
    {
        "name": PEERS,
        "needs": ["peer-support"],
        "phone": "212-555-0192",
        "intake_hours": _hours(_WEEKDAYS, "10:00", "18:00"),
        **_HERE,
    },
    {
        "name": HOUSE,
        "needs": ["recovery-housing"],
        "phone": "212-555-0193",
        "intake_hours": _hours(_WEEKDAYS, "10:00", "16:00"),
        **_HERE,
    },
    {
        "name": LAKESIDE,
        "covered_entity": True,
        "part2_program": True,
        "needs": ["moud-continuation", "hcv-hiv"],
        "products": ["methadone"],
        "phone": "212-555-0194",
        "intake_hours": _WITH_SATURDAY,
        "dosing_hours": _WITH_SATURDAY,
        "facets": {"methadone-onsite": "yes", "pregnancy": "yes", "no-photo-id-required": "yes"},
        **_HERE,
    },
    {
        "name": "HTEST Old Mill OTP",
        "active": False,
        "covered_entity": True,
        "part2_program": True,
        "needs": ["moud-continuation"],
        "products": ["methadone", "buprenorphine"],
        **_HERE,
    },
]
"""What the partners say of themselves; Harbor is closed from Friday to Monday, Lakeside doses on Saturdays."""


def partners(now: datetime) -> list[dict[str, Any]]:
    """The profiles of the partners, their facets attested a month before ``now``, for a year."""
    at = now - timedelta(days=30)
    until = (at + ATTESTATION_HOLDS).date().isoformat()
    said = {"attested_by": "HTEST medical director", "attested_at": at.isoformat(), "expires": until}
    return [
        {**one, "facets": {name: {"value": value, **said} for name, value in one.get("facets", {}).items()}}
        for one in _PROFILES
    ]


@dataclass(frozen=True, slots=True)
class Account:
    """One organisation with the client that acts for it."""

    name: str
    organization: str
    """FHIR id."""
    client: Registered
    token: str


@dataclass(slots=True)
class World:
    """What was made."""

    now: datetime
    hub: str
    """FHIR id of the hub's own organisation."""
    hospitals: dict[str, Account] = field(default_factory=dict)
    """By sender."""
    partners: dict[str, Account] = field(default_factory=dict)
    """By name."""
    messages: Counter[str] = field(default_factory=Counter)
    """Ledger state to number."""
    referrals: Counter[str] = field(default_factory=Counter)
    """Status of the source Task to number."""


class Story(NamedTuple):
    """One stay of somebody on medication, or of somebody who only looks like it."""

    drug: str
    left: float | None
    """Hours ago; None = still in the hospital."""
    site: str = "mercy"
    unit: str = "4W"
    diagnosis: str | None = "F11.20"
    dosed: float | None = 5
    """Hours between the last dose and leaving (or now); None = never dosed."""
    bridge: int = 0
    """Days of supply handed over."""
    late: bool = False
    """The pharmacy says so only after the discharge."""
    disposition: str = "01"
    outcome: str = "CP"
    phone: bool = True
    homeless: bool = False
    pregnant: bool = False
    consent: bool = False
    """A signed form of both directions comes with the discharge (CON)."""
    partner: tuple[Act, ...] = ()
    then: tuple[Turn, ...] = ()


STORIES: Final[tuple[Story, ...]] = (
    # Waiting for an answer.
    Story("film", 2, bridge=3),
    Story("film", 1, bridge=7, phone=False),
    Story("methadone", 3, bridge=3),
    Story("methadone", 20, site="north", bridge=1),
    Story("methadone", 6, pregnant=True, bridge=2),
    Story("sublocade", 30, dosed=24),
    Story("brixadi-weekly", 26, dosed=20),
    Story("brixadi-monthly", 12, dosed=40, site="north"),
    Story("naltrexone", 28, dosed=8),
    Story("film", 4, disposition="07"),
    Story("film", 5, unit="ED", homeless=True, phone=False, bridge=3),
    Story("methadone", 4, unit="ED", disposition="07", homeless=True),
    Story("film", 9, diagnosis="F11.21", bridge=3, late=True),
    Story("tablet", 7, pregnant=True, bridge=5, site="north"),
    Story("film", 75, bridge=1),
    Story("methadone-tablet", 2, bridge=2),
    Story("film", 8, bridge=3, then=("again",)),
    # Answered.
    Story("film", 22, bridge=4, partner=("accepted",)),
    Story("methadone", 18, bridge=3, consent=True, partner=("accepted",)),
    Story("sublocade", 50, dosed=20, partner=("accepted",)),
    Story("film", 30, bridge=7, site="north", partner=("accepted", "in-progress")),
    Story("methadone", 40, bridge=3, partner=("accepted", "in-progress")),
    Story("naltrexone", 60, dosed=30, partner=("accepted", "in-progress", "on-hold")),
    Story("methadone", 47, bridge=2, consent=True, partner=("accepted", "in-progress", "completed")),
    Story("film", 52, bridge=3, partner=("accepted", "completed")),
    Story("methadone", 64, bridge=2, partner=("accepted", "completed")),
    Story("film", 70, bridge=3, late=True, partner=("accepted", "in-progress", "completed")),
    Story("brixadi-weekly", 100, dosed=48, partner=("accepted", "in-progress", "completed")),
    Story("methadone", 90, site="north", homeless=True, consent=True, partner=("accepted", "in-progress", "failed")),
    Story("methadone", 10, bridge=1, partner=("rejected",)),
    Story("film", 16, bridge=2, site="north", partner=("rejected",)),
    # Taken back.
    Story("film", 5, bridge=3, then=("taken-back",)),
    Story("methadone", 6, bridge=3, partner=("accepted",), then=("taken-back",)),
    Story("film", None, then=("never-was",)),
    Story("film", 11, disposition="20"),
    # Still in the hospital: drafts.
    Story("film", None),
    Story("methadone", None, site="north"),
    Story("sublocade", None, dosed=2),
    # A human decides.
    Story("film", 6, unit="ACS", bridge=3),
    Story("methadone", 9, unit="OBS", bridge=3, site="north"),
    Story("film", 7, disposition="21"),
    Story("methadone-tablet", 12, diagnosis=None),
    Story("naltrexone", 14, diagnosis=None, site="north"),
    Story("butrans", 20),
    # Not ours.
    Story("butrans", 24, diagnosis=None),
    Story("naloxone", 26, diagnosis=None, unit="ED"),
)

OTHERS: Final = ("J18.9", "S72.001A", "K35.80", "I21.4", "O80", "N39.0", "J44.1", "E11.65", "I50.9", "K80.00")
"""Diagnoses of the many people that have nothing to do with it."""
CROWD: Final = 45
"""How many they are."""

_FAMILIES: Final = [
    "ALDER",
    "ASPEN",
    "BEECH",
    "BIRCH",
    "CEDAR",
    "CHERRY",
    "CLOVER",
    "CYPRESS",
    "DOGWOOD",
    "ELDER",
    "ELM",
    "FERN",
    "FIR",
    "GINKGO",
    "HAZEL",
    "HEMLOCK",
    "HICKORY",
    "HOLLY",
    "JUNIPER",
    "LARCH",
    "LAUREL",
    "LINDEN",
    "LOCUST",
    "MAPLE",
    "MYRTLE",
    "OAK",
    "OLIVE",
    "PALM",
    "PECAN",
    "PINE",
    "POPLAR",
    "ROWAN",
    "SAGE",
    "SEDGE",
    "SORREL",
    "SPRUCE",
    "SUMAC",
    "TAMARACK",
    "TUPELO",
    "WALNUT",
    "WILLOW",
    "YARROW",
    "YEW",
]
_GIVEN: Final = (("Ada", "F"), ("Ben", "M"), ("Cleo", "F"), ("Dan", "M"), ("Eva", "F"), ("Finn", "M"), ("Gia", "F"))


def person(number: int, *, phone: bool = True, homeless: bool = False, woman: bool = False) -> Person:
    """The ``number``-th invented person; always the same one."""
    given, sex = _GIVEN[0] if woman else _GIVEN[number % len(_GIVEN)]
    born = f"{1958 + number * 7 % 47}{1 + number % 12:02d}{1 + number * 5 % 28:02d}"
    return Person(number, f"HTEST{_FAMILIES[number % len(_FAMILIES)]}", given, born, sex, phone, homeless)


def consent(recipient: str, signed: str) -> dict[str, Any]:
    """A written consent (42 CFR 2.31) that names one recipient, in both directions; ``signed`` is a day."""
    return {
        "identifier": f"HTEST-consent-{recipient}",
        "status": "active",
        "recipients": [recipient],
        "both_directions": True,
        "purposes": ["TREAT"],
        "signed_at": signed,
        "form": FORM,
    }
