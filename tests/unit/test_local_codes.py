import re
from typing import get_args

import pytest

from schemas.codes.local import BASE, CODES, NEED, coding, concept
from schemas.discharge import NeedKind


@pytest.mark.parametrize("system", CODES)
def test_every_code_system_has_an_address_of_its_own_and_codes_that_tell_something(system: str) -> None:
    assert system.startswith(f"{BASE}/CodeSystem/")
    for code, (display, definition) in CODES[system].items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
        assert display[0].isupper()
        assert definition.endswith(".")


@pytest.mark.parametrize("system", CODES)
def test_displays_within_a_system_are_unique(system: str) -> None:
    displays = [meaning.display for meaning in CODES[system].values()]
    assert len(set(displays)) == len(displays)


def test_every_kind_of_need_has_its_code() -> None:
    assert set(CODES[NEED]) == set(get_args(NeedKind))


def test_a_code_that_is_not_in_the_table_is_an_error_of_ours() -> None:
    with pytest.raises(KeyError):
        coding(NEED, "nothing")
    with pytest.raises(KeyError):
        concept("urn:other", "naloxone")


def test_the_tables_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        CODES[NEED]["x"] = CODES[NEED]["phone"]  # type: ignore[index]
