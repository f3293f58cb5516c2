"""Keys of machine clients, and assertions signed with them: as they must be, or in any way that they must not."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.core.clock import Clock
from app.core.ids import uuid7
from app.services.clients import assertions

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Resource = dict[str, Any]
Signer = Callable[[bytes], bytes]


@cache
def rsa_key(which: str = "first", size: int = 2048) -> rsa.RSAPrivateKey:
    """One key for each name, made once: it takes a while."""
    assert which
    return rsa.generate_private_key(65537, size)


@cache
def ec_key(which: str = "first") -> ec.EllipticCurvePrivateKey:
    assert which
    return ec.generate_private_key(ec.SECP384R1())


def jwk(key: Private, kid: str = "k1", **more: Any) -> Resource:
    """The public part of a key."""
    public = key.public_key()
    text = RSAAlgorithm.to_jwk(public) if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(public)
    return {**json.loads(text), "kid": kid, **more}


def key_set(*keys: Resource) -> bytes:
    return json.dumps({"keys": keys}).encode()


def by(key: Private) -> Signer:
    """RS384 or ES384, as the key is."""

    def sign(data: bytes) -> bytes:
        if isinstance(key, rsa.RSAPrivateKey):
            return RSAAlgorithm(RSAAlgorithm.SHA384).sign(data, key)
        return ECAlgorithm(ECAlgorithm.SHA384).sign(data, key)

    return sign


def part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: Resource, claims: Resource, sign: Signer) -> str:
    """Header, claims and signature, whatever they are."""
    text = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{text}.{part(sign(text.encode()))}"


def header_of(key: Private, **changed: Any) -> Resource:
    """The header of an assertion; what is changed to None isn't there."""
    algorithm = "RS384" if isinstance(key, rsa.RSAPrivateKey) else "ES384"
    return _without_none({"alg": algorithm, "typ": "JWT", "kid": "k1"} | changed)


def claims_of(client: str, audience: str, **changed: Any) -> Resource:
    """The claims of an assertion; what is changed to None isn't there."""
    now = Clock().now_us() // 1_000_000
    return _without_none({"iss": client, "sub": client, "aud": audience, "exp": now + 240, "jti": uuid7()} | changed)


def _without_none(fields: Resource) -> Resource:
    return {name: value for name, value in fields.items() if value is not None}


def asked(assertion: str, **more: str) -> dict[str, str]:
    """The form of a token request."""
    said = {"client_assertion_type": assertions.TYPE, "client_assertion": assertion}
    return {"grant_type": "client_credentials"} | said | more
