"""What a sender's file may say of answers."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.sender import Answers, Place, place_of


def refused(**fields: Any) -> list[str]:
    with pytest.raises(ValidationError) as error:
        Answers.model_validate({"to": "mllps://engine.example.org:6661", **fields})
    return [".".join(map(str, one["loc"])) for one in error.value.errors()]


def test_a_receiver_is_a_host_and_a_port() -> None:
    assert place_of("mllps://engine.example.org:6661") == Place("engine.example.org", 6661, tls=True)
    assert place_of("mllp://[2001:db8::1]:2575/") == Place("2001:db8::1", 2575, tls=False)


@pytest.mark.parametrize(
    "to",
    [
        *(
            "",
            "engine.example.org:6661",
            "https://engine.example.org:6661",
            "mllps://engine.example.org",
            "mllps://:6661",
        ),
        *("mllps://engine.example.org:0", "mllps://engine.example.org:99999", "mllps://engine.example.org:x"),
        *("mllps://user:word@engine.example.org:6661", "mllps://engine.example.org:6661/path", "mllps://e.org:1?a=b"),
        *("mllps://engine.example.org:6661#a", "mllps://eng ine.example.org:6661", f"mllps://{'x' * 400}.org:6661"),
        *("mllps://exämple.org:6661", "mllps://[::1:6661"),
    ],
)
def test_what_is_no_receiver_is_refused(to: str) -> None:
    assert refused(to=to) == ["to"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("message", "ADT^A08"), ("verbosity", "some"), ("version", "3.0"), ("charset", "EBCDIC"), ("seconds", 0)),
        *(("seconds", 61), ("connection", "both"), ("needs", ["everything"]), ("application", ""), ("aplication", "X")),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(key: str, value: object) -> None:
    assert refused(**{key: value})[0].partition(".")[0] == key
