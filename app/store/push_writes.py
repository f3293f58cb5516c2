"""How it is noted, in the commit of a child Task's version, that its partner's own server must be given it."""

from typing import Final

from app.store.statements import Statement

_NEW: Final = "task, organization, wanted, at, looked, state, attempts, due_at, leased_until"
_REST: Final = "0, 'waiting', 0, 0, 0"
_WANTED: Final = "exists (select 1 from partner p where p.organization = {organization} and p.pushes)"
_AGAIN: Final = (
    # What has ended is looked at once more; what a person must look at waits for that person.
    "on conflict (task) do update set wanted = excluded.wanted, "
    "state = case when push.state = 'ended' then 'waiting' else push.state end"
)
PUSHES: Final = Statement(
    name="push",
    columns=(("task", "text"), ("organization", "text"), ("wanted", "int"), ("at", "big")),
    template=(
        f"insert into push ({_NEW}) select u.task, u.organization, u.wanted, u.at, {_REST} "
        f"from {{rows}} where {_WANTED.format(organization='u.organization')} {_AGAIN}"
    ),
    sqlite=(
        f"insert into push ({_NEW}) select ?1, ?2, ?3, ?4, {_REST} where {_WANTED.format(organization='?2')} {_AGAIN}"
    ),
)
