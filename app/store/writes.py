"""From ``Changes`` to the rows of each statement; and which members may share a batch."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.store import statements as sql
from app.store import statements_following as following
from app.store.answer_writes import ANSWERS
from app.store.changes import Changes, ResourceChange
from app.store.coverage_writes import COVERAGE_EVENTS, JOBS_GONE
from app.store.push_writes import PUSHES
from app.store.question_writes import QUESTIONS
from app.store.retention_writes import RETENTION
from app.store.statements import NULL, RESOURCE_COLUMNS, SEPARATOR, Statement
from app.store.subscription_writes import LANES, SUBSCRIPTIONS, SUBSCRIPTIONS_GONE

Row = tuple[Any, ...]
Group = list[tuple[Statement, list[Row]]]
"""Statements that may be parts of one, with their rows."""
_NOT_IN_TEXT = {ord(SEPARATOR): " ", ord(NULL): " ", 0: " "}


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one transaction, statement by statement, and what is stamped at its end."""

    writes: Group
    resources: list[ResourceChange]
    tell: list[str]
    """Organisations whose view changed without a changed resource (grants and revocations)."""

    @property
    def subscribes(self) -> bool:
        """Whether a Subscription is among what is written."""
        return any(statement is SUBSCRIPTIONS for statement, _ in self.writes)

    @property
    def stamps(self) -> bool:
        """Whether the lock is needed at all."""
        return bool(self.resources or self.tell)

    def groups(self) -> list[Group]:
        """The writes in as few groups as keep the order of those that may touch the same rows; at least one group."""
        groups: list[Group] = [[]]
        for statement, rows in self.writes:
            if any(earlier in statement.after for earlier, _ in groups[-1]):
                groups.append([])
            groups[-1].append((statement, rows))
        return groups


def rows_of(members: Sequence[Changes], now: int) -> Batch:
    """All rows of ``members``; ``now`` (microseconds) dates the rows that carry no time of their own."""
    resources = sorted((r for m in members for r in m.resources), key=lambda r: r.id)
    candidates: list[tuple[Statement, Iterable[Row]]] = [
        (sql.RECEIPTS, ((r.scope, r.key, r.mac, r.ledger) for m in members for r in m.receipts)),
        *_visit_rows(members),
        *_ledger_rows(members),
        *_review_rows(members),
        (JOBS_GONE, ((one,) for m in members for one in m.jobs_gone)),
        (COVERAGE_EVENTS, (tuple(one) for m in members for one in m.coverage_events)),
        (sql.JOBS, ((j.id, j.kind, j.subject, j.due_at, 0, 0) for m in members for j in m.jobs)),
        *_resource_rows(resources),
        (ANSWERS, _answer_rows(resources, now)),
        (PUSHES, _push_rows(resources, now)),
        *_visibility_rows(members),
        (sql.DECISIONS, (tuple(one) for m in members for one in m.decisions)),
        *_author_rows(members),
        *_subscription_rows(members),
        *_disclosure_rows(members, now),
        (sql.INCIDENTS, (tuple(one) for m in members for one in m.incidents)),
        (QUESTIONS, sorted({tuple(one) for m in members for one in m.questions})),
        (RETENTION, (tuple(one) for m in members for one in m.retention)),
    ]
    writes = [(statement, rows) for statement, found in candidates if (rows := list(found))]
    tell = sorted(
        {g.organization for m in members for g in m.grants} | {r.organization for m in members for r in m.revocations}
    )
    return Batch(writes, resources, tell)


def _visit_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    visits = sorted((v for m in members for v in m.visits), key=lambda v: v.id)
    return [
        (
            sql.VISITS_NEW,
            ((v.id, v.organization, 1, v.key, v.content, v.expires_at) for v in visits if v.version == 1),
        ),
        (sql.VISITS_CHANGED, ((v.id, v.version, v.key, v.content, v.expires_at) for v in visits if v.version > 1)),
        (sql.VISIT_NUMBERS, ((mac, v.id) for v in visits for mac in v.numbers)),
        (sql.VISIT_PERSONS, ((mac, v.id) for v in visits for mac in v.persons)),
        (sql.LOST_NUMBERS, ((mac, v.id) for v in visits for mac in v.lost_numbers)),
        (sql.LOST_PERSONS, ((mac, v.id) for v in visits for mac in v.lost_persons)),
        *_absorbed_rows(members),
    ]


def _absorbed_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    absorbed = sorted(one for member in members for one in member.absorbed)
    return [
        (sql.ABSORBED_VISITS, ((one.id, one.version) for one in absorbed)),
        (sql.ABSORBED_NUMBERS, ((one.id, one.into) for one in absorbed)),
        (sql.ABSORBED_PERSONS, ((one.id, one.into) for one in absorbed)),
        (sql.ABSORBED_PERSONS_GONE, ((one.id,) for one in absorbed)),
        (sql.ABSORBED_REVIEWS, ((one.id,) for one in absorbed)),
        (following.ABSORBED_REFERRALS, ((one.id, one.into) for one in absorbed)),
        (following.REFERRAL_VISITS, (tuple(one) for member in members for one in member.referrals)),
    ]


def _ledger_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    moves = [m for c in members for m in c.moves]
    visit_moves = [m for c in members for m in c.visit_moves]
    absorbed = sorted(one for member in members for one in member.absorbed)
    return [
        (sql.MOVES_HISTORY, ((m.id, m.at, _states(m.only_from)) for m in moves)),
        (sql.MOVES, ((m.id, m.state, m.reasons, m.referral, m.visit, _states(m.only_from)) for m in moves)),
        (sql.ABSORBED_HISTORY, ((one.id, one.at) for one in absorbed if one.referral)),
        (sql.ABSORBED_LEDGER, ((one.id, one.into, one.referral) for one in absorbed)),
        (sql.VISIT_MOVES_HISTORY, ((m.visit, m.at, _states(m.only_from)) for m in visit_moves)),
        (sql.VISIT_MOVES, ((m.visit, m.state, m.reasons, m.referral, _states(m.only_from)) for m in visit_moves)),
        (
            sql.LEDGER,
            (
                (
                    r.id,
                    r.sender,
                    r.control_id,
                    r.message_type,
                    r.received_at,
                    r.state,
                    r.reasons,
                    r.visit,
                    r.referral,
                    r.person,
                    r.raw,
                )
                for m in members
                for r in m.ledger
            ),
        ),
    ]


def _review_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    items = [r for m in members for r in m.reviews]
    answers = [a for m in members for a in m.answers]
    return [
        (sql.REVIEWS_CLOSED, ((r.visit, r.at) for r in items if r.closed)),
        (
            sql.REVIEWS,
            (
                (r.visit, r.sender, r.at, r.reasons, r.referral, None, r.kind, r.unit, " ".join(r.suggested) or None)
                for r in items
                if not r.closed
            ),
        ),
        (sql.ANSWERS, ((a.id, a.visit, a.sender, a.at, a.answer, a.by, a.until) for a in answers)),
        (sql.ANSWERED, ((a.visit, a.at, a.answer, a.by, a.until) for a in answers)),
    ]


def _resource_rows(resources: Sequence[ResourceChange]) -> list[tuple[Statement, Iterable[Row]]]:
    return [
        (sql.BODIES, _bodies(resources)),
        (sql.INDEX_CLEARED, ((r.id,) for r in resources if r.version > 1 and r.found_by is not None)),
        (sql.INDEX, ((r.id, name, value, r.type) for r in resources for name, value in r.found_by or ())),
    ]


def _bodies(resources: Sequence[ResourceChange]) -> Iterable[Row]:
    for one in resources:
        yield (one.id, one.version, "full", one.content)
        if one.offer is not None:
            yield (one.id, one.version, "offer", one.offer)


def _answer_rows(resources: Sequence[ResourceChange], now: int) -> Iterable[Row]:
    """Versions of source Tasks of which a hospital may have to be told: whatever brings one about is told of."""
    for one in resources:
        source = one.type == "Task" and not one.deleted and one.columns.get("part_of") is None
        kind, _, organization = str(one.columns.get("requester") or "").partition("/")
        if source and one.columns.get("status") != "draft" and kind == "Organization":
            yield (one.id, one.version, organization, now)


def _push_rows(resources: Sequence[ResourceChange], now: int) -> Iterable[Row]:
    """Versions of child Tasks, of which the owner's own server may have to be given."""
    for one in resources:
        child = one.type == "Task" and not one.deleted and one.columns.get("part_of") is not None
        kind, _, organization = str(one.columns.get("owner") or "").partition("/")
        if child and kind == "Organization":
            yield (one.id, organization, one.version, now)


def _visibility_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    grants = {(g.organization, g.id): g for m in members for g in m.grants}
    return [
        (sql.REVOCATIONS, ((r.organization, r.id) for m in members for r in m.revocations)),
        (
            sql.GRANTS,
            ((*g[:-1], *(g.cause or (None, None))) for _, g in sorted(grants.items())),
        ),
    ]


def _author_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    claims = sorted(one for member in members for one in member.claims)
    return [
        (sql.AUTHORS, ((a.id, a.organization) for m in members for a in m.authors)),
        (sql.CLAIMS, ((c.key, c.id) for c in claims if c.instead_of is None)),
        (sql.CLAIMS_MOVED, (tuple(c) for c in claims if c.instead_of is not None)),
    ]


def _subscription_rows(members: Sequence[Changes]) -> list[tuple[Statement, Iterable[Row]]]:
    found = sorted(one for member in members for one in member.subscriptions)
    kept = [one for one in found if not one.gone]
    return [
        (SUBSCRIPTIONS, (one[:6] for one in kept)),
        (LANES, ((one.id, one.heartbeat, 0, 0, 0, 0, 0) for one in kept)),
        (SUBSCRIPTIONS_GONE, ((one.id,) for one in found if one.gone)),
    ]


def _disclosure_rows(members: Sequence[Changes], now: int) -> list[tuple[Statement, Iterable[Row]]]:
    found = [d for m in members for d in m.disclosures]
    newest: dict[tuple[str, str, str], int] = {}
    for d in found:
        for resource, version, level, _ in d.entries:
            key = (d.organization, resource, level)
            newest[key] = max(version, newest.get(key, 0))
    return [
        (
            sql.DISCLOSURES,
            ((d.id, now, d.organization, d.client, d.purpose, json.dumps(d.entries), d.user) for d in found),
        ),
        (sql.DISCLOSURE_DECISIONS, sorted({(why, d.id) for d in found for *_, why in d.entries if why is not None})),
        (sql.DISCLOSED, ((*key, version) for key, version in sorted(newest.items()))),
    ]


def _states(names: Sequence[str]) -> str:
    return " ".join(names) or "any"


def joined(values: Sequence[Any], kind: str = "text") -> str:
    """A column of ``kind`` as one text, for PostgreSQL to split (see ``statements``)."""
    if kind != "text":
        return SEPARATOR.join([NULL if value is None else str(value) for value in values])
    texts = [value or NULL for value in values]
    text = SEPARATOR.join(texts)
    # Counted in the whole, because nearly no text holds one of these.
    if text.count(SEPARATOR) == len(texts) - 1 and text.count(NULL) == texts.count(NULL) and "\x00" not in text:
        return text
    return SEPARATOR.join([value.translate(_NOT_IN_TEXT) if value else NULL for value in values])


def stamp_rows(resources: Sequence[ResourceChange]) -> list[Row]:
    """The narrow current rows, in the order of the stamp statement."""
    return [
        (r.id, r.type, r.version, r.deleted, *(map(r.columns.get, RESOURCE_COLUMNS) if r.columns else _NO_COLUMNS))
        for r in resources
    ]


_NO_COLUMNS = (None,) * len(RESOURCE_COLUMNS)


def disjoint(members: Sequence[Changes]) -> list[list[int]]:
    """Positions of ``members`` in rounds, so that no round touches a scope twice."""
    rounds: list[tuple[set[str], list[int]]] = []
    for position, member in enumerate(members):
        # A member goes into the first round after every earlier one that shares a scope with it.
        last = max((i for i, (taken, _) in enumerate(rounds) if not taken.isdisjoint(member.scope)), default=-1)
        if last + 1 == len(rounds):
            rounds.append((set(), []))
        taken, positions = rounds[last + 1]
        taken.update(member.scope)
        positions.append(position)
    return [positions for _, positions in rounds]
