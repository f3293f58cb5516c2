"""The intake checklist of a partner against a visit: what is there, what the hospital confirms, what is missing.

It stands on a Task as inputs, one for each item and one that sums them up, in codes only: an offer may tell them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, cast

from fhir_mappings.building.build_elements import organization_reference, reference
from fhir_mappings.building.build_medications import VERIFIED_BY
from fhir_mappings.labels import Resource
from schemas.checklist import ChecklistItem
from schemas.codes import local
from schemas.codes.packet_content import packet_contents

State = Literal["done", "confirmed", "waived", "missing", "wanted"]

CODE: Final = "intake-checklist"
_TELLS: Final = {
    "consent-forms": "Consent",
    "photo-id": "Observation/photo-id",
    "insurance": "Coverage",
    "diagnosis": "Condition",
    "last-dose": "MedicationAdministration",
    "verified-last-dose": "MedicationAdministration",
    "order": "MedicationRequest",
    "ecg": "Observation/qtc",
    "urine-drug-screen": "Observation/urine-drug-screen",
    "labs": "Condition",
    "tb-test": "Condition",
    "admission-exam": "Condition",
    "home-order": "MedicationAdministration",
}
"""What of a packet an item tells of: a partner that may not see it is not told that it is there."""


class Item(NamedTuple):
    """One item and how it stands."""

    code: str
    state: State


# ---- how it stands


def of_need(items: Iterable[ChecklistItem], need: str) -> list[ChecklistItem]:
    """Those items that may be told with the packet of a need."""
    return [one for one in items if _may_tell(one.code, packet_contents()[need].resources)]


def _may_tell(code: str, named: Collection[str]) -> bool:
    kind = _TELLS.get(code)
    if kind is None:
        return True
    return kind in named or kind.partition("/")[0] in named or any(one.startswith(f"{kind}/") for one in named)


def standing(
    items: Iterable[ChecklistItem], *, there: Collection[str], confirmed: Collection[str], waived: Collection[str]
) -> tuple[Item, ...]:
    """How each item stands; what the visit tells goes before what is said of it."""
    return tuple(Item(one.code, _state(one, there, confirmed, waived)) for one in items)


def _state(item: ChecklistItem, there: Collection[str], confirmed: Collection[str], waived: Collection[str]) -> State:
    if item.code in there:
        return "done"
    if item.code in confirmed:
        return "confirmed"
    if item.code in waived:
        return "waived"
    return "missing" if item.needed == "required" else "wanted"


def complete(items: Iterable[Item]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(one.state != "missing" for one in items)


def said(items: Sequence[Item]) -> str:
    """``6 of 8, missing: ECG, Photo ID``."""
    open_ones = []
    for state in ("missing", "wanted"):
        names = [local.CODES[local.INTAKE_ITEM][one].display for one in states(items, state)]
        open_ones += [f"{state}: {', '.join(names)}"] if names else []
    left = len([one for one in items if one.state in {"missing", "wanted"}])
    return ", ".join((f"{len(items) - left} of {len(items)}", *(["; ".join(open_ones)] if open_ones else [])))


def there(resources: Iterable[Resource]) -> frozenset[str]:
    """The items that a visit tells by itself."""
    given: list[Resource] = []
    found: set[str] = set()
    for one in resources:
        found |= _told_by(one)
        if one["resourceType"] == "MedicationAdministration" and one["status"] == "completed":
            given.append(one)
    if given:
        found.add("last-dose")
        newest = max(given, key=_given_at)
        functions = {one.get("function", {}).get("text") for one in newest.get("performer", ())}
        found |= {"verified-last-dose"} if VERIFIED_BY in functions else set()
    return frozenset(found)


def _given_at(administration: Resource) -> datetime:
    """When; a day counts from its midnight. As texts, times of two offsets stand in another order."""
    at = datetime.fromisoformat(administration["effectiveDateTime"])
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _told_by(resource: Resource) -> set[str]:
    kind = resource["resourceType"]
    if kind == "Observation":
        return _told_by_fact(resource)
    if kind == "Consent":
        return {"consent-forms"} if resource.get("status") == "active" else set()
    return {"Coverage": {"insurance"}, "Condition": {"diagnosis"}, "MedicationRequest": {"order"}}.get(kind, set())


def _told_by_fact(observation: Resource) -> set[str]:
    codes = {one["code"] for one in observation["code"].get("coding", ()) if one.get("system") == local.FACT}
    if "photo-id" in codes:
        return {"photo-id"} if observation.get("valueBoolean") is True else set()
    known = any(name.startswith("value") for name in observation)
    return {
        item for fact, item in (("qtc", "ecg"), ("urine-drug-screen", "urine-drug-screen")) if fact in codes and known
    }


# ---- on a Task


def inputs(items: Sequence[Item]) -> list[Resource]:
    """The inputs of a Task that tell how the items stand; none for none."""
    if not items:
        return []
    summed = local.coding(local.OFFER, "complete" if complete(items) else "incomplete")
    return [
        {
            "type": local.concept(local.OFFER, "packet"),
            "valueCodeableConcept": {"coding": [summed], "text": said(items)},
        },
        *(
            {
                "type": local.concept(local.INTAKE_ITEM, one.code),
                "valueCodeableConcept": local.concept(local.ITEM_STATE, one.state),
            }
            for one in items
        ),
    ]


def items_of(task: Resource) -> tuple[Item, ...]:
    """The items that a Task tells."""
    found = (
        (_code(one["type"], local.INTAKE_ITEM), _code(one.get("valueCodeableConcept", {}), local.ITEM_STATE))
        for one in task.get("input", ())
    )
    return tuple(Item(code, cast("State", state)) for code, state in found if code and state)


def with_items(task: Resource, items: Sequence[Item]) -> Resource:
    """A Task that tells these items and no others."""
    others = [one for one in task.get("input", ()) if not _of_checklist(one, items)]
    return {**task, "input": [*others, *inputs(items)]} if items or others else task


def _of_checklist(entry: Resource, items: Sequence[Item]) -> bool:
    packet = bool(items) and _code(entry["type"], local.OFFER) == "packet"
    return packet or _code(entry["type"], local.INTAKE_ITEM) is not None


def settled(task: Resource, *, confirmed: Collection[str] = (), waived: Collection[str] = ()) -> Resource:
    """A Task whose open items are confirmed or waived; itself where nothing changes."""
    held = items_of(task)
    now = tuple(_settled(one, confirmed, waived) for one in held)
    return task if now == held else with_items(task, now)


def _settled(item: Item, confirmed: Collection[str], waived: Collection[str]) -> Item:
    if item.state not in {"missing", "wanted"}:
        return item
    if item.code in confirmed:
        return Item(item.code, "confirmed")
    return Item(item.code, "waived") if item.code in waived else item


def _code(concept: Any, system: str) -> str | None:
    found = (one for one in concept.get("coding", ()) if one.get("system") == system)
    return next((one["code"] for one in found if one.get("code") in local.CODES[system]), None)


# ---- the Task by which the hospital works it off


def is_checklist(task: Resource) -> bool:
    """Whether a Task is a checklist, not a request to a partner."""
    return _code(task.get("code", {}), local.TASK_CODE) == CODE


def checklist_task(
    child: Resource,
    *,
    checklist: str,
    hub: tuple[str, str],
    items: Sequence[Item],
    notes: Sequence[ChecklistItem],
) -> Resource:
    """The Task of the hospital by which it works off what a partner needs.

    Args:
        child: the Task by which the partner is asked, in full.
        checklist: id of the new Task.
        hub: Organization id and name of the hub, which asks.
        items: how they stand.
        notes: what the partner says of them.
    """
    said_of = [f"{local.CODES[local.INTAKE_ITEM][one.code].display}: {one.note}" for one in notes if one.note]
    partner = child["owner"].get("display", "the partner")
    task = {
        "resourceType": "Task",
        "id": checklist,
        "meta": {"security": child["meta"]["security"]} if "security" in child["meta"] else {},
        "basedOn": [reference(child)],
        "partOf": child["partOf"],
        "status": "in-progress",
        "intent": "order",
        "priority": child.get("priority", "routine"),
        "code": {"coding": [local.coding(local.TASK_CODE, CODE)]},
        "description": ". ".join((f"What {partner} needs before the person comes", *said_of)),
        "for": child["for"],
        "authoredOn": child["authoredOn"],
        "lastModified": child["lastModified"],
        "requester": organization_reference(*hub),
        "owner": child["requester"],
    }
    return finished(with_items(task, items))


def finished(task: Resource) -> Resource:
    """The Task, completed where nothing is missing any more."""
    if task["status"] not in {"in-progress", "on-hold"} or not complete(items_of(task)):
        return task
    return {name: value for name, value in task.items() if name != "statusReason"} | {"status": "completed"}


def confirmed_by(outputs: Iterable[Resource]) -> frozenset[str]:
    """The items that the hospital says are there: of each, what it said last."""
    last: dict[str, bool] = {}
    for one in outputs:
        code = _code(one.get("type", {}), local.INTAKE_ITEM)
        if code is not None:
            last[code] = one.get("valueBoolean") is True
    return frozenset(code for code, true in last.items() if true)


def states(items: Iterable[Item], state: str) -> Iterator[str]:
    """The codes of the items that stand so."""
    return (one.code for one in items if one.state == state)
