"""Settings from the environment (prefix ``THROUGHLINE_``) or a ``.env`` file with the same names."""

from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

_PROVIDER: Final = r"^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])"
"""What leaves for a provider may tell of a person: TLS, unless it stays on this machine."""


class Settings(BaseSettings):
    """All that can be set from outside; frozen once read."""

    model_config = SettingsConfigDict(env_prefix="THROUGHLINE_", env_file=".env", extra="ignore", frozen=True)

    key_file: Path = Path("var/keys")
    """Root secret, mode 0600, created by ``db upgrade``; all processes share it."""
    database_url: str = "sqlite:///./var/throughline.db"
    base_url: str = "http://127.0.0.1:8000"
    """Where clients reach the hub, without a trailing slash; links in Bundles start with it."""
    auth: Literal["required", "off"] = "required"
    """``off`` is for a loopback bind only."""
    agreements: Literal["required", "advised"] = "advised"
    """``required``: nothing goes from or to an organisation without an agreement in force; else it is only listed."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    mllp_tls_cert: Path | None = None
    """Certificate chain, PEM: MLLP with TLS only."""
    mllp_tls_key: Path | None = None
    """Its key; may stand in the same file."""
    mllp_tls_client_ca: Path | None = None
    """Who signs the certificates that senders must show, PEM."""
    mllp_out_tls_ca: Path | None = None
    """Who signs the certificates of hospitals' receivers (``mllps://``), PEM; without it, whom this machine trusts."""
    mllp_out_tls_cert: Path | None = None
    """Certificate chain that the hub shows to hospitals' receivers, PEM."""
    mllp_out_tls_key: Path | None = None
    """Its key; may stand in the same file."""
    fake_clock: datetime | None = None
    """Sandbox only: the hub's clock starts at this instant and runs on."""
    mllp_host: str = "127.0.0.1"
    """Set by ``serve --host``: where MLLP is listened for."""
    mllp_port: int = 2575
    """Set by ``serve --mllp-port``; 0 = no MLLP."""
    mllp_idle_seconds: float = Field(default=3600, gt=0)
    """An MLLP connection on which nothing came, or nothing was taken, for so long is closed."""
    mllp_max_connections: int = Field(default=1000, gt=0)
    """MLLP connections at once, per process; more are closed as they come."""
    worker: bool = True
    """Set by ``serve --with-worker/--no-worker``: whether the process also runs due jobs."""
    max_body: int = 16 * 1024 * 1024
    """Largest request body and MLLP message, in bytes."""

    rate_per_client: float | None = Field(default=None, gt=0)
    """Requests per second that one client may send to one process, twice as many at once; without it there is no
    limit. More is answered by 429."""
    rate_per_organization: float | None = Field(default=None, gt=0)
    """The same for all clients of one organization together."""
    smtp_url: str | None = Field(default=None, pattern=r"^smtps?://", repr=False)
    """Mail server that e-mail is handed to: ``smtp://user:password@host:587`` (STARTTLS) or ``smtps://...:465``.
    Without it, and ``mail_from``, there is no e-mail."""
    mail_from: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    """Address that e-mail comes from."""
    sms_url: str | None = Field(default=None, pattern=_PROVIDER, repr=False)
    """Where a text message is handed over (docs/phone.md); without it no partner is told by SMS."""
    sms_token: SecretStr | None = None
    """Bearer token for it."""
    fax_url: str | None = Field(default=None, pattern=_PROVIDER, repr=False)
    """Where a fax is handed over; without it nothing is faxed."""
    fax_token: SecretStr | None = None
    """Bearer token for it."""
    metrics_token: SecretStr | None = None
    """Bearer token that ``/metrics`` asks for; without it, it answers everybody."""
    notify_networks: tuple[IPvAnyNetwork, ...] | None = None
    """Networks besides the Internet that subscribers and the key sets of clients may be in, as a JSON list:
    ``["10.20.0.0/16"]``."""

    @property
    def fhir_base(self) -> str:
        """Base URL of the FHIR API."""
        return f"{self.base_url.rstrip('/')}/fhir/R4"
