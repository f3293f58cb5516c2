"""What a partner's intake needs: on its Task how it stands, and a Task of the hospital by which that is worked off.

The hospital's Task is seen by nobody else. It is ``basedOn`` the Task by which the partner is asked and ``partOf`` the
source, as that is; its code tells it from a request to a partner.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from app.core.ids import uuid7
from app.rules import lifecycle, reporting
from app.services.referral import guests
from app.services.referral.situation import Situation
from app.services.writing import Resource
from fhir_mappings.building import checklist
from schemas.checklist import ChecklistItem
from schemas.codes.local import STATUS_REASON, concept
from schemas.discharge import MOUD
from schemas.stub import Child, NeedLink

_PARTNERS_OWN: Final = frozenset({"forms", "consent-forms"})
"""Items that are another thing for each partner; what the hospital confirmed of the others holds for the next too."""
_BEFORE_ARRIVAL: Final = frozenset({"draft", "requested", "accepted"})


def told(
    now: Situation, need: NeedLink, child: Child, clinical: Sequence[Resource], built: tuple[Resource, Resource]
) -> tuple[Resource, Resource]:
    """A child's ServiceRequest and Task with what its partner's intake needs.

    Args:
        now: the visit.
        need: the need that is asked for.
        child: the partner that is asked.
        clinical: what the visit was built into.
        built: ServiceRequest and Task of the child, of which its packet holds all.
    """
    request, task = built
    items = checklist.standing(
        _asked(now, need, child),
        there=checklist.there(clinical) | ({guests.HOME_ORDER} if guests.order_there(now) else set()),
        confirmed=_confirmed(now, need, child),
        waived=reporting.waived(_stored(now, child.task).get("output", ())),
    )
    return request, checklist.with_items(task, items)


def _asked(now: Situation, need: NeedLink, child: Child) -> list[ChecklistItem]:
    profile = now.directory.partners.get(child.partner)
    items = checklist.of_need(profile.intake_checklist if profile else (), need.need)
    guest = need.need == MOUD and guests.dates_of(now.file.content.record.circumstances) is not None
    named = any(one.code == guests.HOME_ORDER for one in items)
    return [*items, ChecklistItem(code="home-order")] if guest and not named else items


def _confirmed(now: Situation, need: NeedLink, child: Child) -> set[str]:
    """What the hospital confirmed, for this partner or for another one before it."""
    found: set[str] = set()
    for other in need.children:
        said = {*checklist.confirmed_by(_stored(now, other.checklist or "").get("output", ()))}
        found |= said if other is child else said - _PARTNERS_OWN
    return found


def _stored(now: Situation, resource_id: str) -> Resource:
    held = now.rows.get(resource_id)
    return held.resource if held else {}


def worked_off(
    now: Situation, children: Iterable[tuple[NeedLink, Child]], tasks: Mapping[str, Resource]
) -> Iterator[Resource]:
    """The hospital's Tasks as they become; their ids are kept with the children.

    Args:
        now: the visit.
        children: everybody who was ever asked.
        tasks: their Tasks as they become, by id.
    """
    for need, child in children:
        asked = tasks.get(child.task) or _stored(now, child.task)
        held = _stored(now, child.checklist or "")
        ended = over(held, asked)
        if ended is not None:
            yield ended
        elif asked["status"] not in lifecycle.TERMINAL and checklist.items_of(asked):
            yield _refreshed(now, need, child, asked, held)


def _refreshed(now: Situation, need: NeedLink, child: Child, asked: Resource, held: Resource) -> Resource:
    covered = child.back is not None and child.back.level == "packet"
    items = _as_told(asked, held, covered=covered)
    if held:
        return checklist.finished(checklist.with_items(held, items))
    child.checklist = uuid7()
    hub = now.directory.hub
    notes = _asked(now, need, child)
    return checklist.checklist_task(
        asked, checklist=child.checklist, hub=(hub, now.directory.names[hub]), items=items, notes=notes
    )


def _as_told(asked: Resource, held: Resource, *, covered: bool) -> tuple[checklist.Item, ...]:
    """The items as the hospital may know of them.

    What the partner waives before the person comes is its answer about a place, as in ``rules.returning``; what it
    waives later is not told where no consent covers the way back.
    """
    items = checklist.items_of(asked)
    if covered or asked["status"] in _BEFORE_ARRIVAL:
        return items
    known = dict(checklist.items_of(held))
    return tuple(one._replace(state=known.get(one.code, "missing")) if one.state == "waived" else one for one in items)


def over(worked_off: Resource, asked: Resource) -> Resource | None:
    """The hospital's Task after the partner's Task ended; None where it stays as it is."""
    if not worked_off or worked_off["status"] in lifecycle.TERMINAL or asked["status"] not in lifecycle.TERMINAL:
        return None
    return {**worked_off, "status": "cancelled", "statusReason": concept(STATUS_REASON, "withdrawn")}


# ---- what a change of one Task does to the others


def consequences(
    become: Mapping[str, Resource], children: Sequence[Resource], worked: Sequence[Resource], *, covered: bool
) -> dict[str, Resource]:
    """``become`` with what follows for the items: a waived or confirmed one is settled on both Tasks.

    Args:
        become: Tasks as they become, by id.
        children: the Tasks by which partners are asked, as stored.
        worked: the hospital's Tasks by which it works off what they need, as stored.
        covered: whether the hospital may be told what the partner reports.
    """
    result = dict(become)
    for held in worked:
        mine = result.get(held["id"], held)
        child_id = held["basedOn"][0]["reference"].rpartition("/")[2]
        stored = next((one for one in children if one["id"] == child_id), None)
        if stored is None or result.keys().isdisjoint({held["id"], child_id}):
            continue
        asked = result.get(child_id, stored)
        confirmed = checklist.confirmed_by(mine.get("output", ()))
        asked = checklist.settled(asked, confirmed=confirmed, waived=reporting.waived(asked.get("output", ())))
        items = _as_told(asked, mine, covered=covered)
        mine = over(mine, asked) or checklist.finished(checklist.with_items(mine, items))
        changed = ((child_id, asked, stored), (held["id"], mine, held))
        result |= {name: now for name, now, before in changed if name in result or now != before}
    return result
