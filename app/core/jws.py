"""Signed JWTs and the public keys that they are signed with, as strictly as they can be read.

Compact JWS (RFC 7515), JWK sets (RFC 7517), the algorithms RS384 and ES384 (RFC 7518). A key has one algorithm, which
follows from the key and never from the token: what a token says of its algorithm or of its key only chooses among the
keys that its client registered.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError

from app.core import json
from app.core.errors import BadRequest

ALGORITHMS: Final = ("RS384", "ES384")
MAX_SET: Final = 64 * 1024
"""Bytes of a key set."""
_ALGORITHM_OF: Final = {"RSA": "RS384", "EC": "ES384"}
_MAX_TOKEN: Final = 16 * 1024
_MAX_KEYS: Final = 64
_MAX_TEXT: Final = 256
_DEPTH: Final = 8
_PART: Final = re.compile(r"[A-Za-z0-9_-]+")
_RSA_BITS: Final = range(2048, 8193)
"""Smaller ones are weak (NIST SP 800-131A); to check with larger ones costs too much."""
_RSA_EXPONENT: Final = 1 << 32
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of a JWK that only its owner may know (RFC 7518 section 6)."""


class Malformed(Exception):
    """No token or key set that is read here; the text says what is expected, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token whose signature nobody has looked at yet."""

    compact: str = field(repr=False)
    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the one algorithm that it is used with."""

    kid: str
    algorithm: str
    public: RSAPublicKey | EllipticCurvePublicKey = field(repr=False)


def read(compact: str) -> Token:
    """The parts of a compact JWS; nothing of it is to be believed. Raises Malformed."""
    parts = compact.split(".")
    if len(compact) > _MAX_TOKEN or len(parts) != 3 or not all(map(_PART.fullmatch, parts[:2])):
        raise Malformed("a signed JWT: three parts in base64url, at most 16 KiB")
    return Token(compact, _object(parts[0]), _object(parts[1]))


def _object(part: str) -> Mapping[str, Any]:
    try:
        found = json.loads(b64decode(part + "=" * (-len(part) % 4), altchars=b"-_"), max_depth=_DEPTH)
    except (BadRequest, ValueError):
        found = None
    if not isinstance(found, dict):
        raise Malformed("header and claims of the JWT are JSON objects in which no name stands twice")
    return found


def signed(claims: Mapping[str, Any], jwk: bytes) -> str:
    """A compact JWS over ``claims``, by the algorithm of a private key (JWK). Raises Malformed."""
    try:
        key = PyJWK.from_json(jwk.decode(), algorithm=_ALGORITHM_OF[json.loads(jwk)["kty"]])
        return PyJWS().encode(json.dumps(claims), key, algorithm=key.algorithm_name, headers=_named(key.key_id))
    except (PyJWTError, BadRequest, KeyError, TypeError, ValueError):
        raise Malformed("a private key as a JWK: RSA of 2048 bits or more, or EC on P-384") from None


def _named(kid: str | None) -> dict[str, str]:
    return {"typ": "JWT", **({"kid": kid} if kid else {})}


def verifies(token: Token, key: Key) -> bool:
    """Whether the token was signed with ``key``, by the algorithm of that key."""
    try:
        PyJWS().decode(token.compact, key.public, algorithms=[key.algorithm])
    except PyJWTError:
        return False
    return True


def keys_of(data: bytes) -> tuple[Key, ...]:
    """The keys of a JWK set that tokens can be checked with; others are passed over.

    Raises Malformed for what is no set, and where a key in it is private: it is no secret any more.
    """
    try:
        found = json.loads(data, max_depth=_DEPTH, max_bytes=MAX_SET)
    except BadRequest:
        found = None
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list) or len(members) > _MAX_KEYS:
        raise Malformed(f"a JWK set: one JSON object with keys, at most {_MAX_KEYS} of them in {MAX_SET // 1024} KiB")
    shown = [member for member in members if isinstance(member, dict)]
    if any(_PRIVATE & member.keys() for member in shown):
        raise Malformed("public keys only: a key that is private was shown, so replace it")
    return tuple(key for key in map(_key, shown) if key is not None)


def _key(member: Mapping[str, Any]) -> Key | None:
    kid, algorithm = member.get("kid"), _algorithm(member)
    if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_TEXT or algorithm is None:
        return None
    try:
        public = PyJWK(dict(member), algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return None
    if isinstance(public, RSAPublicKey):
        fits = public.key_size in _RSA_BITS and public.public_numbers().e < _RSA_EXPONENT
        return Key(kid, algorithm, public) if fits else None
    return Key(kid, algorithm, public) if isinstance(public, EllipticCurvePublicKey) else None


def _algorithm(member: Mapping[str, Any]) -> str | None:
    """What a key is used with; None where it is for something else (RFC 7517 section 4)."""
    kind = member.get("kty"), member.get("crv")
    algorithm = "RS384" if kind[0] == "RSA" else "ES384" if kind == ("EC", "P-384") else None
    operations = member.get("key_ops", ["verify"])
    signs = member.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    return algorithm if signs and member.get("alg", algorithm) == algorithm else None
