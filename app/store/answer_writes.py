"""How it is noted, in the commit of a source Task's version, that its hospital may have to be told of it."""

from typing import Final

from app.store.statements import Statement

_NEW: Final = "task, version, organization, at, state, rendition, attempts, due_at, leased_until"
_WANTED: Final = "exists (select 1 from sender s where s.organization = {organization} and s.answers)"
ANSWERS: Final = Statement(
    name="answer",
    columns=(("task", "text"), ("version", "int"), ("organization", "text"), ("at", "big")),
    template=(
        f"insert into answer ({_NEW}) select u.task, u.version, u.organization, u.at, 'waiting', 0, 0, 0, 0 "
        f"from {{rows}} where {_WANTED.format(organization='u.organization')} on conflict do nothing"
    ),
    sqlite=(
        f"insert into answer ({_NEW}) select ?1, ?2, ?3, ?4, 'waiting', 0, 0, 0, 0 "
        f"where {_WANTED.format(organization='?3')} on conflict do nothing"
    ),
)
