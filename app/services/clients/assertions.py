"""Whether a client's assertion may be believed: SMART Backend Services, ``private_key_jwt``.

Pure: what the assertion says of itself, the key that fits it, and the time are arguments. Only when ``judge`` and
``fitting`` have nothing against it, its signature is looked at, and then whether its ``jti`` was seen before.
SMART App Launch 2.2, client-confidential-asymmetric; RFC 7523 section 3; RFC 8725.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from app.core.jws import ALGORITHMS, Key
from app.rules.verdict import Reason, Verdict

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST: Final = 300
"""Seconds ahead that ``exp`` may be."""
SKEW: Final = 30
"""Seconds that the client's clock may differ."""
_SECOND: Final = 1_000_000
_MAX_TEXT: Final = 256
_LATEST: Final = 1 << 40
"""Seconds since the epoch; nobody means a later moment."""
_CARRIES_A_KEY: Final = frozenset({"jwk", "x5c", "x5u"})
_NOT_READ: Final = frozenset({"crit", "zip", "enc", "b64"})


@dataclass(frozen=True, slots=True)
class Claimed:
    """What an assertion says, which may be believed once its signature is right."""

    client: str
    jti: str
    expires_at: int
    """Microseconds; after that and the skew it is refused anyway."""
    kid: str
    algorithm: str
    jku: str | None


@dataclass(frozen=True, slots=True)
class AssertionVerdict(Verdict):
    """What is claimed, or None and why it is refused."""

    claimed: Claimed | None


@dataclass(frozen=True, slots=True)
class KeyVerdict(Verdict):
    """The one key that the assertion may be checked with, or None and why there is none."""

    key: Key | None


def judge(header: Mapping[str, Any], claims: Mapping[str, Any], *, audience: str, now: int) -> AssertionVerdict:
    """What can be said of an assertion without knowing its client.

    Args:
        header: its JOSE header.
        claims: its claims.
        audience: URL of the token endpoint.
        now: microseconds since the epoch.
    """
    reasons = (*_of_header(header), *_of_identity(claims), *_of_audience(claims, audience), *_of_times(claims, now))
    expires_at = _instant(claims.get("exp"))
    if reasons or expires_at is None:
        return AssertionVerdict(reasons, None)
    claimed = Claimed(
        client=claims["iss"],
        jti=claims["jti"],
        expires_at=expires_at,
        kid=header["kid"],
        algorithm=header["alg"],
        jku=header.get("jku"),
    )
    return AssertionVerdict((), claimed)


def fitting(claimed: Claimed, keys: Sequence[Key], registered_urls: Collection[str]) -> KeyVerdict:
    """The registered key that an assertion names; exactly one must fit.

    Args:
        claimed: what the assertion says.
        keys: the keys of its client. The same key in two sets is one.
        registered_urls: where the client said that its key sets are; the only places that ``jku`` may name.
    """
    if claimed.jku is not None and claimed.jku not in registered_urls:
        return KeyVerdict((Reason("jku", "jku is the registered URL of the key set, or left out", "jku"),), None)
    named = [key for key in keys if key.kid == claimed.kid]
    found = [key for at, key in enumerate(named) if key.algorithm == claimed.algorithm and key not in named[:at]]
    if len(found) == 1:
        return KeyVerdict((), found[0])
    if found:
        return KeyVerdict((Reason("several-keys", "one registered key has this kid", "kid"),), None)
    if named:
        return KeyVerdict((Reason("algorithm-of-key", "alg is the algorithm of the registered key", "alg"),), None)
    return KeyVerdict((Reason("no-key", "a registered key has this kid", "kid"),), None)


def _of_header(header: Mapping[str, Any]) -> Iterator[Reason]:
    if header.get("alg") not in ALGORITHMS:
        yield Reason("algorithm", f"alg is {' or '.join(ALGORITHMS)}", "alg")
    if not _is_text(header.get("kid")):
        yield Reason("kid", "kid names the key", "kid")
    if str(header.get("typ", "JWT")).upper() != "JWT":
        yield Reason("typ", "typ is JWT", "typ")
    if "jku" in header and not isinstance(header["jku"], str):
        yield Reason("jku", "jku is the registered URL of the key set, or left out", "jku")
    for name in sorted(_CARRIES_A_KEY & header.keys()):
        yield Reason("key-in-header", f"no {name}: keys are registered, not sent", name)
    for name in sorted(_NOT_READ & header.keys()):
        yield Reason("header", f"no {name}: a plain signed JWT", name)


def _of_identity(claims: Mapping[str, Any]) -> Iterator[Reason]:
    for name in ("iss", "sub"):
        if not _is_text(claims.get(name)):
            yield Reason(f"{name}-missing", f"{name} is the client id", name)
    if claims.get("iss") != claims.get("sub"):
        yield Reason("iss-not-sub", "iss and sub are the same client id", "sub")
    if not _is_text(claims.get("jti")):
        yield Reason("jti-missing", f"jti is a text of at most {_MAX_TEXT} characters, new in each assertion", "jti")


def _of_audience(claims: Mapping[str, Any], audience: str) -> Iterator[Reason]:
    if claims.get("aud") not in (audience, [audience]):
        yield Reason("audience", "aud is the URL of the token endpoint, as smart-configuration has it", "aud")


def _of_times(claims: Mapping[str, Any], now: int) -> Iterator[Reason]:
    exp = _instant(claims.get("exp"))
    if exp is None:
        yield Reason("exp-missing", "exp is a number of seconds since 1970", "exp")
    elif exp < now - SKEW * _SECOND:
        yield Reason("expired", "exp has passed; make an assertion for each request", "exp")
    elif exp > now + (LONGEST + SKEW) * _SECOND:
        yield Reason("exp-too-late", f"exp is at most {LONGEST} seconds ahead", "exp")
    for name in ("nbf", "iat"):
        if name not in claims:
            continue
        since = _instant(claims[name])
        if since is None:
            yield Reason(f"{name}-unreadable", f"{name} is a number of seconds since 1970", name)
        elif since > now + SKEW * _SECOND:
            yield Reason(f"{name}-in-future", f"{name} has passed; is the clock right?", name)
    issued = _instant(claims.get("iat"))
    if issued is not None and issued < now - (LONGEST + SKEW) * _SECOND:
        yield Reason("iat-too-old", f"iat is at most {LONGEST} seconds ago; make an assertion for each request", "iat")


def _instant(value: Any) -> int | None:
    """A NumericDate (RFC 7519 section 2) in microseconds."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= _LATEST:
        return None
    return int(value * _SECOND)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_TEXT and value.isprintable()
