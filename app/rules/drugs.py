"""What of a medication a partner must have: the drug, whatever product it comes in."""

from typing import Final, Literal

Drug = Literal["methadone", "buprenorphine", "naltrexone"]
_DRUGS: Final[tuple[Drug, ...]] = ("methadone", "buprenorphine", "naltrexone")


def drug_of(name: str) -> Drug | None:
    """The drug of a product's name: ``buprenorphine/naloxone`` is buprenorphine. None for any other."""
    return next((drug for drug in _DRUGS if name.startswith(drug)), None)
