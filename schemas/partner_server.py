"""A partner's own FHIR server, to which what it is asked is pushed; what must stay secret of it is kept elsewhere."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Model

Vocabulary = Literal["gravity", "bser"]
"""Whose status codes it speaks: Gravity SDOH Clinical Care 3.0.0, or BSeR 2.0.0-ballot."""
BSER_BUSINESS_STATUS: Final = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"
"""The code system in which who speaks BSeR says how a Task goes."""
CancelStyle = Literal["status", "abort"]
"""How it is told that a request is taken back: by the Task's own status, or by a Cancellation Request Task.

That one has the code ``abort`` (Clinical Order Workflows 1.0.0-ballot).
"""
SignIn = Literal["none", "bearer", "client-secret", "private-key-jwt"]
"""How the hub shows who it is; the last two are OAuth 2.0 client credentials (SMART Backend Services has the last)."""
_OVER_TLS: Final = r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[^\s?#]*$"
"""What is pushed tells of a person: TLS, unless it stays on this machine."""
Address = Annotated[str, StringConstraints(pattern=_OVER_TLS, max_length=500)]


class PartnerServer(Model):
    """Where a partner's FHIR R4 server is and how it is spoken to."""

    base: Address
    """Base URL of its FHIR API."""
    vocabulary: Vocabulary = "gravity"
    cancels: CancelStyle = "status"
    coordinates: bool = False
    """It passes on what it is asked to others: whom it names, and how that goes, is told to the hospital."""
    sign_in: SignIn = "none"
    client_id: str | None = Field(default=None, max_length=200)
    token_url: Address | None = None
    scope: str = Field(default="system/*.cruds", max_length=500)
    """What is asked for with a token."""

    @model_validator(mode="after")
    def _whole(self) -> "PartnerServer":
        if self.sign_in in {"client-secret", "private-key-jwt"} and not (self.client_id and self.token_url):
            raise ValueError(f"sign_in {self.sign_in} needs client_id and token_url")
        return self

    @property
    def root(self) -> str:
        """The base without a final slash."""
        return self.base.rstrip("/")
