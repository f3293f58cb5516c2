"""What is believed of a client's assertion, before and beside its signature."""

import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.core import jws
from app.services.clients.assertions import Claimed, fitting, judge
from tests.signing import by, compact, ec_key, header_of, jwk, key_set, part, rsa_key

AUDIENCE = "https://hub.example.org/oauth/token"
NOW = 1_780_000_000
GOOD_HEADER = {"alg": "ES384", "typ": "JWT", "kid": "k1"}
GOOD = {"iss": "c1", "sub": "c1", "aud": AUDIENCE, "exp": NOW + 300, "jti": "HTEST-1"}
MISSING = object()
DOUBLE = b'{"iss":"a","iss":"b"}'


def codes(header: dict[str, Any], claims: dict[str, Any]) -> set[str]:
    return set(judge(header, claims, audience=AUDIENCE, now=NOW * 1_000_000).codes)


def changed(known: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    return {k: v for k, v in {**known, name: value}.items() if v is not MISSING}


def test_a_good_assertion_says_who_and_by_which_key_and_until_when() -> None:
    verdict = judge(GOOD_HEADER, GOOD, audience=AUDIENCE, now=NOW * 1_000_000)
    assert verdict.reasons == ()
    assert verdict.claimed == Claimed("c1", "HTEST-1", (NOW + 300) * 1_000_000, "k1", "ES384", None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aud", [AUDIENCE]),
        ("exp", NOW + 330),
        ("exp", NOW - 30),
        ("exp", Decimal(f"{NOW}.5")),
        ("nbf", NOW + 30),
        ("iat", NOW + 30),
        ("iat", NOW - 330),
        ("scope", "whatever else"),
    ],
)
def test_what_the_specification_allows_is_allowed(name: str, value: object) -> None:
    assert codes(GOOD_HEADER, changed(GOOD, name, value)) == set()


@pytest.mark.parametrize("typ", [MISSING, "jwt", "JWT"])
def test_typ_may_be_left_out(typ: object) -> None:
    assert codes(changed(GOOD_HEADER, "typ", typ), GOOD) == set()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *(("alg", value, "algorithm") for value in ("none", "None", "nOnE", "", "HS256", "HS384", "RS256", "ES256")),
        *(("alg", value, "algorithm") for value in ("rs384", "PS384", ["RS384"], {"RS384": 1}, None, MISSING)),
        *(("kid", value, "kid") for value in (MISSING, "", 7, ["k1"], "k" * 257, "k1\0", "k1\n")),
        *(("jku", value, "jku") for value in (7, None, ["https://a.example.org"])),
        *((name, "x", "key-in-header") for name in ("jwk", "x5c", "x5u")),
        *((name, ["x"], "header") for name in ("crit", "zip", "enc", "b64")),
        *(("typ", value, "typ") for value in ("at+jwt", "JOSE", 7, None)),
    ],
)
def test_a_header_that_is_not_a_plain_one_is_refused(name: str, value: object, code: str) -> None:
    assert codes(changed(GOOD_HEADER, name, value), GOOD) == {code}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("iss", MISSING, {"iss-missing", "iss-not-sub"}),
        ("sub", MISSING, {"sub-missing", "iss-not-sub"}),
        ("sub", "c2", {"iss-not-sub"}),
        ("iss", ["c1"], {"iss-missing", "iss-not-sub"}),
        ("jti", MISSING, {"jti-missing"}),
        ("jti", "", {"jti-missing"}),
        ("jti", 7, {"jti-missing"}),
        ("jti", "j" * 257, {"jti-missing"}),
        ("aud", MISSING, {"audience"}),
        ("aud", [], {"audience"}),
        ("aud", "https://other.example.org/oauth/token", {"audience"}),
        ("aud", [AUDIENCE, "https://other.example.org/oauth/token"], {"audience"}),
        ("aud", AUDIENCE + "/", {"audience"}),
        ("aud", AUDIENCE.upper(), {"audience"}),
        ("aud", {AUDIENCE: 1}, {"audience"}),
        ("exp", MISSING, {"exp-missing"}),
        ("exp", str(NOW + 60), {"exp-missing"}),
        ("exp", True, {"exp-missing"}),
        ("exp", -1, {"exp-missing"}),
        ("exp", Decimal("1e300"), {"exp-missing"}),
        ("exp", NOW + 331, {"exp-too-late"}),
        ("exp", NOW - 31, {"expired"}),
        ("nbf", NOW + 31, {"nbf-in-future"}),
        ("nbf", "soon", {"nbf-unreadable"}),
        ("nbf", None, {"nbf-unreadable"}),
        ("iat", NOW + 31, {"iat-in-future"}),
        ("iat", NOW - 86_400, {"iat-too-old"}),
        ("iat", [], {"iat-unreadable"}),
    ],
)
def test_a_claim_that_is_not_as_it_must_be_is_refused(name: str, value: object, expected: set[str]) -> None:
    assert codes(GOOD_HEADER, changed(GOOD, name, value)) == expected


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert codes({}, {}) == {
        *("algorithm", "kid", "iss-missing", "sub-missing", "jti-missing", "audience", "exp-missing")
    }


# ---- which key


def registered(*members: dict[str, Any]) -> tuple[jws.Key, ...]:
    return jws.keys_of(key_set(*members))


def claimed(algorithm: str = "ES384", kid: str = "k1", jku: str | None = None) -> Claimed:
    return Claimed("c1", "j", NOW, kid, algorithm, jku)


def test_the_key_is_the_one_with_the_kid_and_the_algorithm() -> None:
    keys = registered(jwk(ec_key()), jwk(rsa_key()), jwk(ec_key("second"), "k2"))
    assert fitting(claimed(), keys, ()).key == keys[0]
    assert fitting(claimed("RS384"), keys, ()).key == keys[1]
    assert fitting(claimed(kid="k2"), keys, ()).key == keys[2]


def test_no_key_and_two_keys_are_none() -> None:
    keys = registered(jwk(ec_key()), jwk(ec_key("second")))
    assert fitting(claimed(), keys, ()).codes == ("several-keys",)
    assert fitting(claimed(kid="k9"), keys, ()).codes == ("no-key",)
    assert fitting(claimed("RS384"), keys, ()).codes == ("algorithm-of-key",)
    assert fitting(claimed(), (), ()).codes == ("no-key",)


def test_the_same_key_in_two_sets_is_one() -> None:
    assert fitting(claimed(), registered(jwk(ec_key())) * 2, ()).key is not None


def test_jku_names_the_registered_place_or_nothing() -> None:
    keys, place = registered(jwk(ec_key())), "https://keys.example.org/jwks"
    assert fitting(claimed(jku=place), keys, {place}).key is not None
    for jku in (place + "/", place.replace("https", "http"), "https://keys.example.org.evil.example/jwks"):
        assert fitting(claimed(jku=jku), keys, {place}).codes == ("jku",)
    assert fitting(claimed(jku=place), keys, ()).codes == ("jku",)


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"alg": "ES256"},
        {"kty": "oct"},
        {"crv": "P-256"},
        {"x": "AA"},
        {"x": 7},
        {"kid": ""},
        {"kid": 7},
    ],
)
def test_a_key_that_is_for_something_else_is_passed_over(change: dict[str, Any]) -> None:
    assert registered(jwk(ec_key()) | change) == ()


def test_a_key_that_says_its_algorithm_is_used_with_that_one_only() -> None:
    assert [key.algorithm for key in registered(jwk(ec_key(), alg="ES384"), jwk(rsa_key(), alg="RS384"))] == [
        *("ES384", "RS384")
    ]
    assert registered(jwk(rsa_key(), alg="RS256")) == ()


def test_an_rsa_key_is_neither_weak_nor_huge() -> None:
    def numbers(modulus: bytes, exponent: bytes = b"\1\0\1") -> dict[str, Any]:
        return {**jwk(rsa_key()), "n": part(modulus), "e": part(exponent)}

    assert registered(numbers(b"\xff" * 255)) == ()
    assert registered(numbers(b"\xff" * 1025)) == ()
    assert registered(numbers(b"\xff" * 256, b"\1" + b"\0" * 4 + b"\1")) == ()
    assert len(registered(numbers(b"\xff" * 256))) == 1


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[],"keys":[]}', b'{"keys":' + b"[" * 99 + b"]" * 99 + b"}"]
)
def test_what_is_no_key_set_is_not_read(data: bytes) -> None:
    with pytest.raises(jws.Malformed):
        jws.keys_of(data)


def test_a_key_set_is_not_too_large() -> None:
    with pytest.raises(jws.Malformed):
        jws.keys_of(key_set(*[jwk(ec_key())] * 65))
    with pytest.raises(jws.Malformed):
        jws.keys_of(key_set(jwk(ec_key(), more="x" * jws.MAX_SET)))


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RSA", "EC"])
def test_a_private_key_is_refused_whole(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    algorithm: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    with pytest.raises(jws.Malformed, match="private"):
        registered(jwk(ec_key()), {**json.loads(algorithm.to_jwk(key)), "kid": "k2"})


# ---- the signature


@pytest.mark.parametrize("key", [rsa_key(), ec_key()], ids=["RS384", "ES384"])
def test_a_signature_is_of_one_key_and_one_text(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    (own,) = registered(jwk(key))
    others = registered(jwk(rsa_key("second")), jwk(ec_key("second")))
    token = jws.read(compact(header_of(key), GOOD, by(key)))
    assert jws.verifies(token, own)
    assert not any(jws.verifies(token, other) for other in others)
    header, _, signature = token.compact.split(".")
    other_text = part(json.dumps(GOOD | {"sub": "c2"}).encode())
    assert not jws.verifies(jws.read(f"{header}.{other_text}.{signature}"), own)
    assert not jws.verifies(jws.read(f"{header}.{token.compact.split('.')[1]}."), own)


def test_the_algorithm_of_the_header_is_never_used() -> None:
    (own,) = registered(jwk(rsa_key()))
    for algorithm in ("RS256", "none", "HS384", "ES384"):
        assert not jws.verifies(jws.read(compact(header_of(rsa_key(), alg=algorithm), GOOD, by(rsa_key()))), own)


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "a.b", "a.b.c", "a.b.c.d.e", "..", "é.e30.e30", "e30=.e30.x", "W10.e30.x", "e30.W10.x"),
        f"e30.{part(DOUBLE)}.x",
        f"{part(b'{' + b' ' * 16_384 + b'}')}.e30.x",
    ],
)
def test_what_is_no_signed_jwt_is_not_read(text: str) -> None:
    with pytest.raises(jws.Malformed):
        jws.read(text)
