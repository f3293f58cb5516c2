import asyncio, re
from app.services.intake import Intake
from app.services.intake_requests import receive_frame
from app.store.store import connect
from app.core.clock import Clock
from tests.chaos.story import hub_over, message, code
from tests.hub_fixtures import World

def bare(kind, n):
    return re.sub(rb"HTEST-V\d+\^\^\^MERCY\^VN", b"", message(kind, n))

async def test_skew(world: World, database_url: str) -> None:
    stores = [connect(database_url, Clock()) for _ in range(2)]
    hubs = [hub_over(s, database_url) for s in stores]
    ins = [Intake(h) for h in hubs]
    async def go(i, kind, n):
        return code(await receive_frame(hubs[i], ins[i], bare(kind, n), "192.0.2.1"))
    for n in range(30):
        a = await asyncio.gather(go(0, "RDS", n), go(1, "A03", n))
        assert a == ["AA", "AA"]
    rows = await world.hub.store.database.fetch("select control_id, state, visit is null from ledger order by id")
    from collections import Counter
    print(Counter((r[0][:3], r[1], r[2]) for r in rows))
    v = await world.hub.store.database.fetch("select count(*) from visit"); print("visits", v[0][0])
    for s in stores: await s.close()
