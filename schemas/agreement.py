"""The paper behind the pipe: an agreement between the hub and an organisation that takes part."""

from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from schemas.base import Model
from schemas.discharge import Text, Token

AgreementKind = Literal["business-associate", "qualified-service-organization", "data-use", "participation"]


class Agreement(Model):
    """One signed agreement that is on file."""

    kind: AgreementKind
    reference: Token
    """Number or name under which the document is filed."""
    signed_on: date
    signer: Text
    """Who signed for the organisation: name or office."""
    document_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the signed document."""
    ends_on: date | None = None
    """First day on which it does not hold any more; None: no end."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Agreement":
        if self.ends_on is not None and self.ends_on <= self.signed_on:
            raise ValueError("ends_on: a day after signed_on")
        return self

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return self.signed_on <= on and (self.ends_on is None or on < self.ends_on)
