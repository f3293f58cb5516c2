from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from schemas.base import Instant


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
