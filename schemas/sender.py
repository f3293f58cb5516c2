"""A hospital interface: how its messages are recognised, read and where its referrals go."""

from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator

from schemas.base import Model
from schemas.discharge import Coding, Disposition, VisitClass

UnitStatus = Literal["part2", "not-part2"]
Part2 = Literal["all", "none", "listed"]


class OrderClassMap(Model):
    """Where an order says whether it is inpatient or for the way home, and with which words."""

    model_config = ConfigDict(extra="allow")

    field: str = "ORC-29.1"


class SenderMaps(Model):
    """Site code to our code. What is not given takes the dialect's default."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    class_: dict[str, VisitClass] = Field(default_factory=dict, alias="class")
    disposition: dict[str, Disposition | Literal["not-a-discharge"]] = Field(default_factory=dict)
    drug_systems: dict[str, Literal["rxnorm", "ndc", "local"]] = Field(default_factory=dict)
    local_drugs: dict[str, Coding] = Field(default_factory=dict)
    order_class: OrderClassMap | None = None
    days_supply: str | None = None
    """Field where days of supply stand besides TQ1-6, ORC-7.3 and RXE-1.3: ``ZOC-3``."""
    order_triggers: list[str] = Field(default_factory=list)
    dose_triggers: list[str] = Field(default_factory=list)
    dispense_triggers: list[str] = Field(default_factory=list)

    @field_validator("local_drugs", mode="before")
    @classmethod
    def _text_is_display(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            code: {"display" if k == "text" else k: v for k, v in drug.items()} if isinstance(drug, dict) else drug
            for code, drug in value.items()
        }


class SenderFile(Model):
    """The body of ``--file sender.json``; names that the command line also sets may stand in it."""

    model_config = ConfigDict(extra="ignore")

    units: dict[str, UnitStatus] = Field(default_factory=dict)
    routes: dict[str, str] = Field(default_factory=dict)
    """Need to partner name."""
    mode: Literal["production", "test"] = "production"
    control_id_reuse: Literal["accept", "quarantine"] = "accept"
    ack: Literal["original", "enhanced", "always"] = "original"
    stub_days: int = Field(default=7, ge=0, le=90)
    """Days after the end of a visit without signal until its stub's key is destroyed."""
    maps: SenderMaps = SenderMaps()


class Sender(SenderFile):
    """One registered hospital interface."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    organization: str
    """FHIR id of the hospital's Organization."""
    dialect: str
    timezone: str
    match_msh: list[str] = Field(default_factory=list)
    """``APP|FACILITY`` pairs (MSH-3.1 and MSH-4.1)."""
    peers: list[str] = Field(default_factory=list)
    """CIDR blocks that may connect by MLLP as this sender."""
    part2: Part2 | None = None
    part2_units: list[str] = Field(default_factory=list)

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("not an IANA time zone name, e.g. America/New_York") from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times without an offset are in."""
        return ZoneInfo(self.timezone)

    def unit_status(self, unit: str | None) -> UnitStatus | Literal["unknown"]:
        """Whether a unit (PV1-3.1) is a Part 2 program; unknown counts as Part 2 (fail closed)."""
        if self.part2 == "all":
            return "part2"
        if unit is not None and unit in self.part2_units:
            return "part2"
        if unit is not None and unit in self.units:
            return self.units[unit]
        return "not-part2" if self.part2 == "none" else "unknown"
