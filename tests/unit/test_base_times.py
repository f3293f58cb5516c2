from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.base import Instant, When


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2026-06-08T14:10:00", "2026-06-08T14:10:00-04:00"),
        ("1880-01-01T12:00:00", "1880-01-01T12:00:00-04:56"),
        ("1880-01-01T12:00:00-04:56:02", "1880-01-01T12:00:00-04:56"),
    ],
)
def test_an_offset_has_whole_minutes_as_fhir_has_them(sent: str, kept: str) -> None:
    adapter: TypeAdapter[Instant] = TypeAdapter(Instant)
    context = {"zone": ZoneInfo("America/New_York")}
    assert adapter.dump_python(adapter.validate_python(sent, context=context), mode="json") == kept


@pytest.mark.parametrize("sent", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1849-12-31T00:00:00Z"])
def test_a_moment_is_one_that_can_be_reckoned_with(sent: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_python(sent)


def test_no_end_is_kept_as_a_day() -> None:
    adapter: TypeAdapter[When] = TypeAdapter(When)
    assert adapter.dump_python(adapter.validate_python("9999-12-31T23:59:59-05:00"), mode="json") == "9999-12-31"


@pytest.mark.parametrize("sent", ["2026-06-08T14:10:00+14:01", "2026-06-08T14:10:00-23:59"])
def test_an_offset_that_no_place_has_is_refused(sent: str) -> None:
    with pytest.raises(ValidationError, match="an offset is at most 14:00"):
        TypeAdapter(Instant).validate_python(sent)
