"""Fields of ReportStream's samples that are read through another field of the same data type.

Its samples try a data type where the hub reads nothing (XTN in NK1-40, XAD in NK1-32, DTM in PID-29). The same bytes
put where the hub does read that type tell whether the type is read alike.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from fhir_mappings.hl7v2 import Message, parse
from tests.agreement import stated
from tests.agreement.corpus import Pair, Resource
from tests.agreement.ours import made
from tests.agreement.stated import Bundle, Fact

_HEADER: Final = r"MSH|{}|||||20260101||ADT^A08|1|P|2.5.1"
_NUMBERS: Final = ("CX", "XCN")

Stating = Callable[[Bundle], Iterable[Fact]]


class Move(NamedTuple):
    """One data type: where it stands in the sample, where it is read, and what each side then states."""

    data_type: str
    source: tuple[str, int]
    target: tuple[str, int]
    ours: Stating
    theirs: Stating


def of_pair(pair: Pair) -> Iterator[tuple[Message, frozenset[Fact], frozenset[Fact]]]:
    """For each field of the sample that is moved: the message that was read, what the hub states and what they do."""
    message = parse(pair.message)
    for move in MOVES:
        segment = message.first(move.source[0])
        value = segment.raw(move.source[1]) if segment is not None else ""
        if value:
            read = _message(message, move.target, value)
            ours = stated.tidied(move.ours(Bundle(made(read).resources)))
            theirs = stated.tidied(move.theirs(Bundle(pair.expected)))
            yield read, ours, frozenset(fact for fact in theirs if _number_of(fact) in value)


def _number_of(fact: Fact) -> str:
    """The number that a fact is or is of: the expectation has numbers of other fields too."""
    return fact.of or (fact.value if fact.field in _NUMBERS else "")


def _message(message: Message, target: tuple[str, int], value: str) -> Message:
    name, field = target
    header = _HEADER.format(message.header.raw(2))
    return parse(f"{header}\r{name}|{'|' * (field - 1)}{value}".encode())


def _telecom(bundle: Bundle) -> Iterator[Fact]:
    for resource in bundle.all("Patient", "RelatedPerson"):
        yield from stated.phones("XTN.value", "", resource)


def _address(bundle: Bundle) -> Iterator[Fact]:
    for resource in bundle.all("Patient", "RelatedPerson"):
        for address in resource.get("address", ()):
            yield from stated.address_facts("XAD", address)


def _identifier(bundle: Bundle) -> Iterator[Fact]:
    for resource in bundle.all("Patient", "ServiceRequest"):
        yield from stated.identifiers("CX", resource)


def _practitioner(bundle: Bundle) -> Iterator[Fact]:
    for person in bundle.all("Practitioner"):
        yield from stated.identifiers("XCN", person)
        yield from stated.name("XCN.name", "", person)


def _place(bundle: Bundle) -> Iterator[Fact]:
    for location in bundle.all("Location"):
        names = [location.get("name", ""), *(one.get("value", "") for one in location.get("identifier", ()))]
        for name in names:
            yield Fact("PL", "", name)


def _code(bundle: Bundle) -> Iterator[Fact]:
    for condition in bundle.all("Condition"):
        yield from stated.codings("CWE", condition.get("code"))


def _theirs_code(bundle: Bundle) -> Iterator[Fact]:
    for patient in bundle.all("Patient"):
        for concept in _concepts(patient.get("extension")):
            yield from stated.codings("CWE", concept)


def _concepts(element: Any) -> Iterator[Resource]:
    if isinstance(element, list):
        for one in element:
            yield from _concepts(one)
    elif isinstance(element, dict):
        yield from ([element["valueCodeableConcept"]] if "valueCodeableConcept" in element else [])
        yield from _concepts(element.get("extension"))


def _start(bundle: Bundle) -> Iterator[Fact]:
    for encounter in bundle.all("Encounter"):
        yield Fact("DTM", "", encounter.get("period", {}).get("start", ""))


def _at(resource_type: str, *path: str) -> Stating:
    def stating(bundle: Bundle) -> Iterator[Fact]:
        for resource in bundle.all(resource_type):
            value: Any = resource
            for element in path:
                value = value.get(element, {})
            yield Fact("DTM", "", value or "")

    return stating


_START: Final = ("PV1", 44)
MOVES: Final = (
    Move("XTN", ("NK1", 40), ("PID", 13), _telecom, _telecom),
    Move("XAD", ("NK1", 32), ("PID", 11), _address, _address),
    Move("CX", ("OBR", 53), ("PID", 3), _identifier, _identifier),
    Move("XCN", ("OBR", 10), ("PV1", 7), _practitioner, _practitioner),
    Move("PL", ("PV1", 6), ("PV1", 3), _place, _place),
    Move("CWE", ("PID", 39), ("DG1", 3), _code, _theirs_code),
    Move("DTM", ("PID", 29), _START, _start, _at("Patient", "deceasedDateTime")),
    Move("DTM", ("OBR", 22), _START, _start, _at("DiagnosticReport", "issued")),
    Move("DT", ("NK1", 8), _START, _start, _at("RelatedPerson", "period", "start")),
    Move("DT", ("NK1", 9), _START, _start, _at("RelatedPerson", "period", "end")),
)
