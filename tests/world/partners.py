"""The partners of the made-up world: what they are, and how they behave."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

Json = dict[str, Any]
_WEEK: Final = ["mon", "tue", "wed", "thu", "fri"]
_ALL: Final = [*_WEEK, "sat", "sun"]


@dataclass(frozen=True)
class Behaviour:
    """How one partner answers.

    Attributes:
        minutes: shortest and longest time of its open hours until it answers.
        accepts, rejects: in percent; the rest is silence.
        down: first and last day on which its system does not ask the hub for anything.
    """

    minutes: tuple[int, int]
    accepts: int
    rejects: int
    down: tuple[int, int] = (0, -1)

    def is_down(self, day: int) -> bool:
        return self.down[0] <= day <= self.down[1]


@dataclass(frozen=True)
class Partner:
    profile: Json
    behaviour: Behaviour

    @property
    def name(self) -> str:
        return str(self.profile["name"])


@dataclass
class Waiting:
    """A Task that a partner has seen and will answer, or not."""

    partner: str
    task: str
    at: datetime
    says: str
    seen: set[str] = field(default_factory=set)


def _profile(name: str, products: list[str], days: list[str], opens: str, closes: str) -> Json:
    return {
        "name": f"HTEST {name}",
        "covered_entity": True,
        "needs": ["moud-continuation"],
        "products": products,
        "time_zone": "America/New_York",
        "intake_hours": [{"days": days, "opens": opens, "closes": closes}],
        "response_minutes": 60,
    }


_BOTH: Final = ["methadone", "buprenorphine"]
_OFFICE: Final = ["buprenorphine", "naltrexone"]
PARTNERS: Final = (
    Partner(_profile("Harbor OTP", _BOTH, _WEEK, "05:30", "11:00"), Behaviour((5, 45), 85, 12)),
    Partner(_profile("Dawn Clinic", _BOTH, _ALL, "06:00", "10:00"), Behaviour((10, 55), 75, 20)),
    Partner(_profile("Lakeside OTP", ["methadone"], _ALL[:6], "05:00", "12:00"), Behaviour((30, 240), 60, 15)),
    Partner(_profile("Bridge Clinic", _OFFICE, _WEEK, "09:00", "17:00"), Behaviour((5, 30), 90, 8)),
    Partner(_profile("Riverside Health", _OFFICE, _WEEK, "08:00", "18:00"), Behaviour((20, 300), 55, 25, (30, 37))),
    Partner(_profile("Evening Clinic", _OFFICE, _ALL, "16:00", "21:00"), Behaviour((5, 50), 80, 15)),
)
"""In this order: prompt; prompt every day; slow and often silent; prompt; slow, and away for eight days; prompt."""
