"""The strict JSON reader: what it refuses, where, and what it keeps."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BadRequest, TooLarge
from app.core.json import dumps, loads

SUITE = (
    Path(__file__).parents[2].parent / "shared" / "corpus" / "validator-cases" / "nst+JSONTestSuite" / "test_parsing"
)
# Legal by the grammar, refused on purpose: names twice, and U+0000, which FHIR forbids and databases can't store.
REFUSED_THOUGH_LEGAL = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    "y_string_null_escape.json",
    "y_object_escaped_null_in_key.json",
}


def refusal(data: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        loads(data)
    return caught.value


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b'{"a":1,"a":2}', "$.a"),
        (b'{"x":[1,{"b":"}{\\"","c":{"d":1,"d":2}}]}', "$.x[1].c.d"),
        (b'{"a":1,"\\u0061":2}', "$.a"),
        (b'{"n":[1,2,NaN]}', "$.n[2]"),
        (b'{"n":-Infinity}', "$.n"),
        (b'{"n":1e999}', "$.n"),
        (b'{"n":' + b"9" * 19 + b"}", "$.n"),
        (b'{"n":' + b"9" * 5000 + b"}", "$.n"),
        (b'{"n":1.' + b"0" * 5000 + b"}", "$.n"),
        (b'{"a":{"s":"\\ud83d"}}', "$.a.s"),
        (b'{"a":["\\uDE00\\ud83d"]}', "$.a[0]"),
        (b'{"\\ud83d":1}', "$.?"),
        (b'{"s":"a\\u0000"}', "$.s"),
    ],
)
def test_a_refusal_gives_the_path(data: bytes, path: str) -> None:
    assert refusal(data).issues[0].path == path


def test_a_refusal_never_quotes_a_value_or_a_strange_name() -> None:
    for data in (
        b'{"Jane Roe":{"a":"Htest-Secret","a":"Htest-Secret"}}',
        b'["Htest-Secret" "x"]',
        b'{"a":Htest-Secret}',
    ):
        error = refusal(data)
        assert "Secret" not in f"{error.message} {error.issues}"
        assert "Jane Roe" not in f"{error.message} {error.issues}"


@pytest.mark.parametrize(
    "data", [b"", b"\xef\xbb\xbf", b"\xff", b'"\xc0\xaf"', b"[1,]", b'{"a":1}x', b'["\n"]', b"nul", b'{"a" 1}']
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    refusal(data)


def test_nesting_is_limited_to_64_levels_and_brackets_in_strings_do_not_count() -> None:
    assert loads(b"[" * 64 + b"]" * 64) is not None
    assert "64" in refusal(b"[" * 65 + b"]" * 65).message
    assert "64" in refusal(b'{"a":' * 65 + b"1" + b"}" * 65).message
    assert "64" in refusal(b"[" * 100_000).message
    assert loads(b'["' + b"[{" * 500 + b'","\\"' + b"[" * 100 + b'"]') is not None
    assert loads(b"[" + b",".join([b"[{}]"] * 500) + b"]") is not None


def test_a_body_over_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        loads(b"[1234567890]", max_bytes=8)


def test_hostile_text_is_refused_quickly() -> None:
    refusal(b'{"a":"' + b"\\" * 200_001)
    refusal(b'["' * 100_000)
    refusal(b'"' + b"\\u" * 100_000)


def test_a_pair_of_surrogates_and_an_escaped_backslash_are_text() -> None:
    assert loads(b'["\\ud83d\\ude00","\\\\ud83d","\\\\u0000"]') == ["\U0001f600", "\\ud83d", "\\u0000"]


def test_decimals_keep_their_digits() -> None:
    assert loads(b"[1.10,0.0]") == [Decimal("1.10"), Decimal("0.0")]
    for text in (b'{"a":1.10}', b'{"a":0.000}', b'{"a":-12.3400,"b":[1,"1.10"]}'):
        assert dumps(loads(text)) == text


def test_only_finite_decimals_are_written() -> None:
    with pytest.raises(TypeError):
        dumps({"a": Decimal("NaN")})
    with pytest.raises(TypeError):
        dumps({"a": object()})


def test_a_byte_order_mark_is_tolerated() -> None:
    assert loads(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1000, max_value=1000)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_reads_back_as_the_same(value: object) -> None:
    if "\\u0000" not in dumps(value).decode():
        assert loads(dumps(value)) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        loads(data)
    except BadRequest:
        return


def _suite(prefix: str) -> list[Path]:
    if not SUITE.is_dir():
        pytest.skip("JSONTestSuite is not here (../shared/corpus/validator-cases)")
    return sorted(SUITE.glob(f"{prefix}_*.json"))


def test_every_broken_text_of_jsontestsuite_is_refused() -> None:
    cases = _suite("n")
    assert len(cases) > 150
    for path in cases:
        refusal(path.read_bytes())


def test_every_legal_text_of_jsontestsuite_is_read() -> None:
    cases = _suite("y")
    assert len(cases) > 80
    for path in cases:
        if path.name in REFUSED_THOUGH_LEGAL:
            refusal(path.read_bytes())
        else:
            loads(path.read_bytes())


def test_every_doubtful_text_of_jsontestsuite_is_read_or_refused() -> None:
    for path in _suite("i"):
        try:
            loads(path.read_bytes())
        except BadRequest:
            continue
