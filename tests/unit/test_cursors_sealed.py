"""A sealed cursor has one text: what differs in bits that carry nothing does not open."""

import pytest

from app.core.crypto import Keys, Unreadable

KEYS = Keys(b"HTEST" * 8)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize("size", range(1, 7))
def test_no_other_text_of_the_same_bytes_opens(size: int) -> None:
    given = KEYS.seal_cursor("HTEST", b"x" * size)
    text, padding = given.rstrip("="), given[len(given.rstrip("=")) :]
    assert KEYS.open_cursor("HTEST", given) == b"x" * size
    for other in ALPHABET.replace(text[-1], ""):
        with pytest.raises(Unreadable):
            KEYS.open_cursor("HTEST", text[:-1] + other + padding)
