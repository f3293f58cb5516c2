"""The checked-in FHIR schema is what the tool derives from the library's metadata and the R4 code lists."""

from pathlib import Path

from schemas.resources import ALL
from tools.derive_schema import R4, TYPES, derived


def test_the_checked_in_schema_is_fresh() -> None:
    checked_in = Path(R4 / "r4.schema.json").read_text(encoding="utf-8")
    assert checked_in == derived(), "run: python -m tools.derive_schema"


def test_every_type_with_a_spec_is_in_the_schema() -> None:
    assert set(ALL) <= set(TYPES)
