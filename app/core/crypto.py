"""Keys and what is done with them: per-visit keys, keyed hashes, sealed cursors, secrets at rest.

One root secret (the key file) gives every subkey by HKDF-SHA256 (RFC 5869), so all processes that
share the file agree without any exchange. Ciphertexts are AES-256-GCM: nonce (12 bytes) + text + tag.
"""

import hashlib
import hmac
import json
import os
import secrets
from base64 import b64decode, b64encode
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VisitKey = AESGCM
"""The key of one visit, ready to use."""

_NONCE = 12
_KEY = 32
_MAC = 16


class Unreadable(Exception):
    """A ciphertext that these keys do not open."""


class Keys:
    """The subkeys of one root secret."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._wrap = AESGCM(self._derive("visit-key-wrapping"))
        self._raw = AESGCM(self._derive("ledger-content"))
        self._cursor = AESGCM(self._derive("cursor"))
        self._etag = self._derive("etag")
        self._mac = lru_cache(maxsize=4096)(self._new_mac)

    def _derive(self, label: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=_KEY, salt=None, info=label.encode()).derive(self._root)

    def mac(self, scope: str, *parts: str | bytes) -> str:
        """128 bits of HMAC-SHA256 over ``parts`` under the key of ``scope`` (a sender, an organisation), as text."""
        mac = self._mac(scope).copy()
        mac.update(b"\x1f".join([p.encode(errors="surrogatepass") if isinstance(p, str) else p for p in parts]))
        return b64encode(mac.digest()[:_MAC], altchars=b"-_").decode()[:22]

    def _new_mac(self, scope: str) -> hmac.HMAC:
        """Has taken in the key of ``scope`` and nothing else, so that a copy is spared that work."""
        return hmac.new(self._derive(f"mac:{scope}"), digestmod="sha256")

    def etag(self, *parts: str) -> str:
        """An opaque validator over ``parts``."""
        return hmac.digest(self._etag, "\x1f".join(parts).encode(), "sha256")[:12].hex()

    def new_visit_key(self, visit: str) -> tuple[VisitKey, bytes]:
        """A fresh key for one visit, and the same key wrapped for storage."""
        key = secrets.token_bytes(_KEY)
        return AESGCM(key), _seal(self._wrap, key, visit.encode())

    def visit_key(self, visit: str, wrapped: bytes) -> VisitKey:
        """The key of one visit from its wrapped form."""
        return AESGCM(_open(self._wrap, wrapped, visit.encode()))

    def seal_raw(self, ledger: str, content: bytes) -> bytes:
        """Received bytes, sealed for the ledger row ``ledger``."""
        return _seal(self._raw, content, ledger.encode())

    def open_raw(self, ledger: str, sealed: bytes) -> bytes:
        """What ``seal_raw`` sealed."""
        return _open(self._raw, sealed, ledger.encode())

    def seal_cursor(self, scope: str, content: bytes) -> str:
        """A paging cursor that only ``scope`` (organisation and query) can use; URL-safe text."""
        return b64encode(_seal(self._cursor, content, scope.encode()), altchars=b"-_").decode()

    def open_cursor(self, scope: str, cursor: str) -> bytes:
        """What ``seal_cursor`` sealed; raises Unreadable for any other scope or text."""
        try:
            sealed = b64decode(cursor, altchars=b"-_", validate=True)
        except ValueError as error:
            raise Unreadable from error
        if b64encode(sealed, altchars=b"-_").decode() != cursor:
            # Bits that no byte is made of: another text of the same bytes (RFC 4648 section 3.5).
            raise Unreadable
        return _open(self._cursor, sealed, scope.encode())


def seal(key: VisitKey, content: bytes, bound_to: str) -> bytes:
    """``content`` encrypted under ``key``; opens only together with ``bound_to``."""
    return _seal(key, content, bound_to.encode())


def unseal(key: VisitKey, sealed: bytes, bound_to: str) -> bytes:
    """What ``seal`` sealed."""
    return _open(key, sealed, bound_to.encode())


def _seal(key: AESGCM, content: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + key.encrypt(nonce, content, bound_to)


def _open(key: AESGCM, sealed: bytes, bound_to: bytes) -> bytes:
    try:
        return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise Unreadable from error


def hash_secret(secret: str) -> str:
    """A secret as it is stored. Secrets are 256 random bits, so one SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same_secret(secret: str, stored: str) -> bool:
    """Whether ``secret`` hashes to ``stored``; constant time."""
    return hmac.compare_digest(hash_secret(secret), stored)


def create_key_file(path: Path) -> bool:
    """Write a new root secret with mode 0600 unless the file is there; True when written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        json.dump({"version": 1, "root": b64encode(secrets.token_bytes(_KEY)).decode()}, file)
    return True


def read_key_file(path: Path) -> Keys:
    """The keys of the file; FileNotFoundError when ``db upgrade`` has not made it yet."""
    return Keys(b64decode(json.loads(path.read_text())["root"]))
