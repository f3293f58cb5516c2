"""Real certificates for TLS tests: authorities that sign, for one server and for hospitals that connect."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOST = "127.0.0.1"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, as PEM files."""

    certificate: Path
    key: Path

    def client(self, trusted: Path) -> ssl.SSLContext:
        """A client that shows it, and trusts a server that ``trusted`` signed."""
        context = ssl.create_default_context(cafile=str(trusted))
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """Signs certificates; its own stands in ``file``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(f"HTEST {name}")
        self.file = folder / f"{name}.pem"
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        made = (
            self._begun(self._name, self._key, -_DAY, _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(key_id, critical=False)
        )
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def server(self) -> Certificate:
        """For ``HOST``."""
        return self._issue("hub", ExtendedKeyUsageOID.SERVER_AUTH)

    def sender(self, *, expired: bool = False) -> Certificate:
        """For a hospital's engine."""
        return self._issue("engine", ExtendedKeyUsageOID.CLIENT_AUTH, ended=expired)

    def _issue(self, name: str, purpose: x509.ObjectIdentifier, *, ended: bool = False) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        first, last = (-3 * _DAY, -_DAY) if ended else (-_DAY, _DAY)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            self._begun(_name(f"HTEST {name}"), key, first, last)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        written = Certificate(self._folder / f"{made.serial_number}.pem", self._folder / f"{made.serial_number}.key")
        written.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        written.key.write_bytes(private_pem(key))
        return written

    def _begun(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, first: timedelta, last: timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first)
            .not_valid_after(now + last)
        )


def private_pem(key: ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    """The key as PEM, encrypted where there is a password."""
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
