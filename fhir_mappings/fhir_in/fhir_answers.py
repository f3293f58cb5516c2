"""What a hospital's Bundle is answered with: a response message, or a transaction-response.

The hub keeps nothing as it was sent, so an answer says where what came of each entry can be read. Source: FHIR R4
2.4 (MessageHeader.response), http.html#transaction-response.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from fhir_mappings.fhir_in.fhir_identity import header_id
from fhir_mappings.labels import Resource


class Account(NamedTuple):
    """Where a Bundle went: its entry in the ledger."""

    ledger: str
    state: str
    reasons: Sequence[tuple[str, str]]
    """(code, text)."""
    referral: str | None
    """Id of the source ServiceRequest."""


class Kept(NamedTuple):
    """A resource of the referral, as the hospital can read it now."""

    resource: Resource
    version: int
    last_modified: str

    @property
    def name(self) -> str:
        """``Type/id``."""
        return f"{self.resource['resourceType']}/{self.resource['id']}"


def outcome(account: Account) -> Resource:
    """The ledger's entry as OperationOutcome."""
    why = " ".join(f"{code}: {text}" for code, text in account.reasons)
    issue = {
        "severity": "information",
        "code": "informational",
        "details": {"text": account.state},
        "diagnostics": why or "Accounted for.",
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def message(request: Resource, account: Account, *, fhir_base: str, name: str, now: datetime) -> Resource:
    """The response to one message; the same for a message that comes again, but for its time.

    Args:
        request: the message.
        account: where it went.
        fhir_base: address of this server's FHIR API.
        name: of this server.
        now: the hub's clock.
    """
    header = request["entry"][0]["resource"]
    said = f"urn:throughline:ledger:{account.ledger}"
    endpoint = header["source"].get("endpoint")
    # A focus would have to stand in the message itself (R4 2.4), and an answer holds nothing of the person.
    referral = f"{fhir_base}/ServiceRequest/{account.referral}"
    links = {"link": [{"relation": "related", "url": referral}]} if account.referral else {}
    response = {
        "resourceType": "MessageHeader",
        "id": account.ledger,
        "eventCoding": header["eventCoding"],
        **({"destination": [{"endpoint": endpoint}]} if endpoint else {}),
        "source": {"name": name, "endpoint": f"{fhir_base}/$process-message"},
        "response": {"identifier": header_id(request), "code": "ok", "details": {"reference": said}},
    }
    return {
        "resourceType": "Bundle",
        "id": account.ledger,
        "type": "message",
        "timestamp": now.isoformat(),
        **links,
        "entry": [
            {"fullUrl": f"urn:uuid:{account.ledger}", "resource": response},
            {"fullUrl": said, "resource": outcome(account)},
        ],
    }


def transaction(request: Resource, account: Account, kept: Iterable[Kept]) -> Resource:
    """The response to one transaction: an entry for each entry, in order, with where that can be read now.

    What a referral does not need is not kept (202); the ledger's entry stands in each outcome.
    """
    places = _Places(request, kept)
    said = outcome(account)
    return {
        "resourceType": "Bundle",
        "id": account.ledger,
        "type": "transaction-response",
        "entry": [
            {"response": _response(places.of(index), said, opened=account.state == "referral")}
            for index in range(len(request.get("entry", ())))
        ],
    }


def _response(found: Kept | None, said: Resource, *, opened: bool) -> Resource:
    if found is None:
        return {"status": "202 Accepted", "outcome": said}
    return {
        "status": "201 Created" if opened and found.version == 1 else "200 OK",
        "location": f"{found.name}/_history/{found.version}",
        "etag": f'W/"{found.version}"',
        "lastModified": found.last_modified,
        "outcome": said,
    }


# ---- what came of an entry

_ALONE: Final = frozenset({"Patient", "Encounter", "ServiceRequest", "Task", "Consent", "Coverage", "PractitionerRole"})
"""Types of which an entry that nothing else tells apart is the only one there is."""
_INSIDE: Final = {"RelatedPerson": "Patient"}
"""Types that stand inside of another one here."""
_CODED: Final = ("code", "medicationCodeableConcept", "category")


class _Places:
    """The resources of the referral, to be found by what an entry of the request says."""

    def __init__(self, request: Resource, kept: Iterable[Kept]) -> None:
        self._entries: Sequence[Resource] = request.get("entry", ())
        self._by_type: dict[str, list[Kept]] = {}
        for one in kept:
            self._by_type.setdefault(one.resource["resourceType"], []).append(one)

    def of(self, index: int) -> Kept | None:
        """What came of one entry."""
        resource = self._entries[index]["resource"]
        kind = resource["resourceType"]
        candidates = self._by_type.get(_INSIDE.get(kind, kind), [])
        if kind == "Task":
            return self._task(resource, candidates)
        marks = _marks(resource)
        same = [one for one in candidates if not marks.isdisjoint(_marks(one.resource))]
        if same:
            return same[0]
        return candidates[0] if len(candidates) == 1 and (kind in _ALONE or kind in _INSIDE) else None

    def _task(self, task: Resource, candidates: Sequence[Kept]) -> Kept | None:
        """The Task whose focus came of the same ServiceRequest."""
        focus = task.get("focus", {}).get("reference")
        requests = [self.of(index) for index, entry in enumerate(self._entries) if _named(entry, focus)]
        wanted = {one.name for one in requests if one is not None}
        found = [one for one in candidates if one.resource["focus"]["reference"] in wanted]
        return found[0] if found else None


def _named(entry: Mapping[str, Any], reference: str | None) -> bool:
    resource = entry["resource"]
    own = f"{resource['resourceType']}/{resource.get('id')}"
    return resource["resourceType"] == "ServiceRequest" and reference in {entry.get("fullUrl"), own}


def _marks(resource: Resource) -> set[str]:
    """By what a resource is recognised: codes, numbers, a name; a dose by its time as well."""
    codes = {code.replace(".", "") for name in _CODED for code in _codes(resource.get(name))}
    if resource["resourceType"] == "MedicationAdministration":
        return {f"{code}@{_utc(resource.get('effectiveDateTime'))}" for code in codes}
    name = resource.get("name")
    texts = {name} if isinstance(name, str) else set()
    numbers = {one.get("value") for one in _several(resource.get("identifier"))} | {resource.get("subscriberId")}
    return codes | texts | {number for number in numbers if number}


def _codes(concepts: Any) -> set[str]:
    found = {coding.get("code") for concept in _several(concepts) for coding in concept.get("coding", ())}
    return {code for code in found if code}


def _several(value: Any) -> list[Resource]:
    return value if isinstance(value, list) else [value] if value else []


def _utc(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except ValueError:
        return text
