"""``db check``: is everything as it must be? Each finding says what, in numbers, and never whose."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.hub import Hub
from app.services.privacy import seals
from app.store import fence, migrate
from app.store.checks import ChangeFigures, Checks, LedgerFigures, ReviewFigures


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    what: str
    ok: bool
    text: str


async def check(hub: Hub) -> list[Finding]:
    """Everything that is verified, good or not. Where the schema isn't right nothing else is looked at."""
    if not await migrate.is_current(hub.settings.database_url):
        return [Finding("schema", ok=False, text="not the one of this release; run throughline db upgrade")]
    schema = _schema(await migrate.differences(hub.settings.database_url))
    if not all(finding.ok for finding in schema):
        return schema
    figures = Checks(hub.store.database)
    return [
        *schema,
        *_fence(await fence.gaps(hub.store.database)),
        *_seals(await seals.findings(hub)),
        *_ledger(await figures.ledger()),
        *_reviews(await figures.reviews()),
        *_changes(await figures.changes()),
    ]


def report(findings: Sequence[Finding]) -> str:
    """Aligned lines for a terminal."""
    width = max(len(finding.what) for finding in findings)
    return "\n".join(f"{'ok  ' if one.ok else 'FAIL'}  {one.what:<{width}}  {one.text}" for one in findings)


def _schema(differences: Sequence[str]) -> list[Finding]:
    if not differences:
        return [Finding("schema", ok=True, text="current, and the tables are those of this release")]
    return [Finding("schema", ok=False, text=difference) for difference in differences]


def _fence(gaps: Sequence[str]) -> list[Finding]:
    if not gaps:
        return [Finding("fence", ok=True, text="nothing is read past a policy")]
    return [
        Finding("fence", ok=False, text=f"{table}: the role {fence.ROLE} reads it without a policy") for table in gaps
    ]


def _seals(found: Sequence[str]) -> list[Finding]:
    if not found:
        return [Finding("seals", ok=True, text="every sealed disclosure and decision is as it was")]
    return [Finding("seals", ok=False, text=text) for text in found]


def _ledger(figures: LedgerFigures) -> list[Finding]:
    total = sum(figures.by_state.values())
    states = ", ".join(f"{state} {count}" for state, count in sorted(figures.by_state.items())) or "empty"
    return [
        Finding("ledger", ok=total == figures.rows, text=f"{figures.rows} messages: {states}"),
        *_bad("ledger", figures.other_states, "messages are in a state that there is not"),
        *_bad("ledger", figures.without_raw, "messages have lost their content"),
        *_bad("ledger", figures.lost_receipts, "receipts belong to no message"),
    ]


def _reviews(figures: ReviewFigures) -> list[Finding]:
    ok = figures.items == figures.visits
    return [Finding("reviews", ok=ok, text=f"{figures.items} items of {figures.visits} visits")]


def _changes(figures: ChangeFigures) -> list[Finding]:
    wrong = [
        *_bad("changes", figures.missing, "numbers are missing"),
        *_bad("changes", figures.out_of_order, "changes are not later than the one before"),
        *_bad("changes", figures.head_off, "counter does not stand at the last change"),
        *_bad("changes", figures.stale, "resources are not at their last change"),
    ]
    return wrong or [Finding("changes", ok=True, text=f"{figures.rows}, in order, none missing")]


def _bad(what: str, count: int, text: str) -> list[Finding]:
    return [Finding(what, ok=False, text=f"{count} {text}")] if count else []
