"""How what a partner has not said is written: once for a referral."""

from typing import Final

from app.store.statements import Statement

_COLUMNS: Final = (("id", "text"), ("organization", "text"), ("facet", "text"), ("at", "big"))
_ONCE: Final = "on conflict (id) do nothing"
QUESTIONS: Final = Statement(
    name="question",
    columns=_COLUMNS,
    template=f"insert into question ({{names}}) select {{names}} from {{rows}} {_ONCE}",
    sqlite=f"insert into question (id, organization, facet, at) values (?1, ?2, ?3, ?4) {_ONCE}",
)
