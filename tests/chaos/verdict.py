"""What is always so, whenever one looks: between a crash and the next start too."""

from app.core import json
from app.services.hub import Hub
from app.services.writing import decoded
from app.store.checks import Checks
from tests.chaos.story import family

_NEVER = {
    "a resource whose versions have a gap": (
        "select count(*) from resource r where r.version <> (select count(*) from change c where c.id = r.id) "
        "or r.version <> (select max(c.version) from change c where c.id = r.id) "
        "or r.version <> (select count(*) from body b where b.id = r.id)"
    ),
    "a change of no resource": (
        "select count(*) from change c where not exists (select 1 from resource r where r.id = c.id)"
    ),
    "a body of no resource": (
        "select count(*) from body b where not exists (select 1 from resource r where r.id = b.id)"
    ),
    "an index row of no resource": (
        "select count(*) from search_index i where not exists (select 1 from resource r where r.id = i.id)"
    ),
    "a grant of no resource": (
        "select count(*) from visibility v where not exists (select 1 from resource r where r.id = v.id)"
    ),
    "a grant that was used before its version": (
        "select count(*) from visibility v join resource r on r.id = v.id where v.disclosed > r.version"
    ),
    "a number of no visit": (
        "select count(*) from visit_number n where not exists (select 1 from visit v where v.id = n.visit)"
    ),
    "a person of no visit": (
        "select count(*) from visit_person n where not exists (select 1 from visit v where v.id = n.visit)"
    ),
    "a visit that no message has": (
        "select count(*) from visit v where not exists (select 1 from ledger l where l.visit = v.id)"
    ),
    "a message of a visit that is not there": (
        "select count(*) from ledger l where l.visit is not null "
        "and not exists (select 1 from visit v where v.id = l.visit)"
    ),
    "a message of a referral that is not there": (
        "select count(*) from ledger l where l.referral is not null "
        "and not exists (select 1 from resource r where r.id = l.referral)"
    ),
    "a child without its source": (
        "select count(*) from resource t where t.part_of is not null "
        "and not exists (select 1 from resource s where 'Task/' || s.id = t.part_of)"
    ),
    "a Task without its request": (
        "select count(*) from resource t where t.type = 'Task' "
        "and not exists (select 1 from resource s where 'ServiceRequest/' || s.id = t.focus)"
    ),
    "a source that was sent to nobody": (
        "select count(*) from resource s where s.type = 'Task' and s.part_of is null "
        "and s.status not in ('draft', 'cancelled') "
        "and not exists (select 1 from resource t where t.part_of = 'Task/' || s.id)"
    ),
    "a source and a child that disagree": (
        "select count(*) from resource t join resource s on 'Task/' || s.id = t.part_of "
        "where t.status in ('accepted', 'in-progress', 'completed') and t.status <> s.status"
    ),
    "a source that follows nobody": (
        "select count(*) from resource s where s.type = 'Task' and s.part_of is null "
        "and s.status in ('accepted', 'in-progress', 'completed') and not exists "
        "(select 1 from resource t where t.part_of = 'Task/' || s.id and t.status = s.status)"
    ),
    "a receipt of a copy": (
        "select count(*) from receipt r join ledger l on l.id = r.ledger where l.state = 'duplicate'"
    ),
}


async def faults(hub: Hub) -> list[str]:
    """What must never be so, and is."""
    found = [what for what, count in _NEVER.items() if (await hub.store.database.fetch(count))[0][0]]
    checks = Checks(hub.store.database)
    ledger, changes = await checks.ledger(), await checks.changes()
    if ledger.rows != sum(ledger.by_state.values()) or ledger.other_states or ledger.without_raw:
        found.append("a ledger that does not add up")
    if ledger.lost_receipts:
        found.append("a receipt of no message")
    if changes.missing or changes.out_of_order or changes.head_off or changes.stale:
        found.append("changes out of order")
    return found


async def kept(hub: Hub, number: int) -> dict[str, int]:
    """Control id -> how many entries that are no copies; for the messages of visit ``number``."""
    names = [f"{kind}-{number}" for kind in ("RAS", "RDS", "A03")]
    db = hub.store.database
    rows = await db.fetch(
        "select control_id, count(*) from ledger where state <> 'duplicate' "
        f"and {db.any_of('control_id', '$1')} group by control_id",
        db.array(names),
    )
    return {row[0]: row[1] for row in rows}


async def copies(hub: Hub) -> int:
    """Messages that were found to be here already."""
    return int((await hub.store.database.fetch("select count(*) from ledger where state = 'duplicate'"))[0][0])


async def statuses(hub: Hub, number: int) -> list[tuple[bool, str]]:
    """(is a child, status) of each Task of visit ``number``, sources first."""
    return [("partOf" in task, task["status"]) for task in map(decoded, await family(hub, number))]


async def disclosed(hub: Hub, number: int) -> set[tuple[str, int]]:
    """(id, version) of the Tasks of visit ``number`` that left, as the accounting has it."""
    ids = {row.id for row in await family(hub, number)}
    rows = await hub.store.database.fetch("select entries from disclosure")
    return {(one[0], one[1]) for row in rows for one in json.loads(row[0].encode()) if one[0] in ids}


async def types(hub: Hub) -> dict[str, int]:
    """How many resources of each type there are."""
    rows = await hub.store.database.fetch("select type, count(*) from resource group by type")
    return {row[0]: row[1] for row in rows}
