"""What is mandatory and what stands in a summary is what the tool derives from the library's metadata."""

from schemas.resources import ALL
from schemas.summary import shape_of
from tools.derive_summary import TARGET, derived


def test_the_checked_in_summary_is_fresh() -> None:
    assert TARGET.read_text(encoding="utf-8") == derived(), "run: python -m tools.derive_summary"


def test_every_type_with_a_spec_has_a_shape() -> None:
    for name in ALL:
        shape = shape_of(name)
        assert {"id", "meta"} <= shape.elements
        assert shape.mandatory <= shape.elements
        assert shape.mandatory <= shape.summary.keys()


def test_an_element_is_named_as_the_specification_names_it() -> None:
    shape = shape_of("Observation")
    assert shape.named("status") == {"status"}
    assert shape.named("value") == shape.named("value[x]") >= {"valueQuantity", "valueString"}
    assert shape.named("valueString") == {"valueString"}
    assert shape.named("nothing") == shape.named("") == shape.named("resourceType") == frozenset()
