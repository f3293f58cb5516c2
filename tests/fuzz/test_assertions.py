"""Made-up assertions and key sets through everything that reads them: refused or taken, never an error, never believed.

``THROUGHLINE_FUZZ_SECONDS`` says how long; ``THROUGHLINE_FUZZ_SEED`` repeats a run.
"""

import json
import os
import random
import time
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from app.core import jws
from app.services.clients import assertions
from tests.signing import by, compact, ec_key, header_of, jwk, key_set, part, rsa_key

SECONDS = float(os.environ.get("THROUGHLINE_FUZZ_SECONDS", "60")) / 6
SEED = int(os.environ.get("THROUGHLINE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
AUDIENCE: Final = "https://hub.example.org/oauth/token"
NOW: Final = 1_780_000_000
CLAIMS: Final = {"iss": "c1", "sub": "c1", "aud": AUDIENCE, "exp": NOW + 60, "jti": "HTEST-1"}
KEYS: Final = (rsa_key(), ec_key())
REGISTERED: Final = jws.keys_of(key_set(jwk(rsa_key(), "rsa"), jwk(ec_key(), "ec")))
NAMES: Final = (
    *("alg", "kid", "typ", "jku", "jwk", "crit", "zip", "iss", "sub", "aud", "exp", "nbf", "iat", "jti"),
    "x",
)
KEY_NAMES: Final = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "d", "k")
VALUES: Final[tuple[Any, ...]] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        NOW,
        NOW + 10**6,
        10**17,
        1.5,
        -0.0,
        1e300,
        "",
        "c1",
        "none",
        "RS384",
        "ES384",
        "HS384",
    ),
    *("rsa", "ec", "a" * 300, "\x00", "\ud800", "\u202e", AUDIENCE, [], [AUDIENCE], [[]] * 3, {}, {"a": {"b": []}}),
    *("RSA", "EC", "P-384", "AQAB", "AA", "sig", "verify", ["verify"], "_" * 5000, ["x"] * 100),
)


def changed(rng: random.Random, known: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    made = dict(known)
    for _ in range(rng.choice((0, 0, 1, 1, 2, 5))):
        name = rng.choice(names)
        if rng.random() < 0.2:
            made.pop(name, None)
        else:
            made[name] = rng.choice(VALUES)
    return made


def broken(rng: random.Random, text: str) -> str:
    """The text with a part cut, doubled, changed or put elsewhere."""
    for _ in range(rng.choice((0, 1, 1, 2))):
        at, to = sorted(rng.randint(0, len(text)) for _ in range(2))
        noise = "".join(rng.choices(".=-_AZaz09+/é\0 \n", k=rng.choice((1, 2, 7))))
        text = rng.choice(
            (
                text[:at] + text[to:],
                text[:at] + noise + text[at:],
                text[:at] + text[at:to] * 2 + text[to:],
                text[at:] + text[:at],
            )
        )
    return text


def taken(text: str) -> bool:
    """Whether the hub would believe it."""
    try:
        token = jws.read(text)
    except jws.Malformed:
        return False
    verdict = assertions.judge(token.header, token.claims, audience=AUDIENCE, now=NOW * 1_000_000)
    assert (verdict.claimed is None) == bool(verdict.reasons)
    if verdict.claimed is None:
        return False
    fit = assertions.fitting(verdict.claimed, REGISTERED, ())
    return fit.key is not None and jws.verifies(token, fit.key)


def test_no_assertion_is_believed_unless_it_was_signed_as_it_stands() -> None:
    rng, until, count, good = random.Random(SEED), time.monotonic() + SECONDS, 0, 0
    while time.monotonic() < until:
        key = rng.choice(KEYS)
        kid = "ec" if isinstance(key, ec.EllipticCurvePrivateKey) else "rsa"
        header, claims = header_of(key, kid=kid), dict(CLAIMS)
        signed = compact(header, claims, by(key))
        assert taken(signed)
        text = broken(rng, signed)
        forged = f"{part(json.dumps(changed(rng, header, NAMES)).encode())}.{part(json.dumps(claims).encode())}"
        for one in (text, f"{forged}.{signed.rpartition('.')[2]}", f"{forged}.{part(rng.randbytes(96))}"):
            # A signature has no other spelling that counts: what is signed is what stands before the last dot.
            if taken(one):
                assert one.rpartition(".")[0] == signed.rpartition(".")[0], f"seed {SEED}"
                good += 1
        odd = compact(changed(rng, header, NAMES), changed(rng, claims, NAMES), by(key))
        if taken(odd):
            read = jws.read(odd).claims
            assert (read["iss"], read["sub"], read["jti"] != "") == (read["sub"], read["iss"], True), f"seed {SEED}"
            assert read["aud"] in (AUDIENCE, [AUDIENCE]), f"seed {SEED}"
        count += 1
    assert count > 100
    assert good > 0


def test_no_key_set_breaks_what_reads_it() -> None:
    rng, until, read = random.Random(SEED), time.monotonic() + SECONDS / 2, 0
    known = [jwk(rsa_key()), jwk(ec_key())]
    while time.monotonic() < until:
        members = [changed(rng, rng.choice(known), KEY_NAMES) for _ in range(rng.choice((1, 1, 2, 5)))]
        text = json.dumps({"keys": members})
        data = broken(rng, text).encode(errors="replace") if rng.random() < 0.3 else text.encode()
        try:
            keys = jws.keys_of(data)
        except jws.Malformed:
            continue
        read += len(keys)
        assert {key.algorithm for key in keys} <= {*jws.ALGORITHMS}
    assert read > 100
