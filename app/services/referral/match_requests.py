"""Ranked partners for one request, for the hospital that made it: ``$match``, and the same for a terminal.

It reads only, and no partner learns of it. What would have mattered and was not said is noted as a question to the
partner, without anything that tells of the person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from app.core.actor import Actor
from app.core.errors import NotFound, Unavailable, Unprocessable
from app.core.ids import uuid7
from app.rules import matching
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.reading.reads import admit, not_found
from app.services.referral import coverage_clock
from app.services.referral.matching import questions_for, ranked
from app.services.referral.referral_rows import referral_rows
from app.services.referral.situation import Origin, Situation
from app.services.referral.visit_file import VisitFile
from app.services.sheets import Sheet
from app.services.writing import Disclosed, Resource, decoded
from app.store.changes import Changes
from app.store.database import Gone
from app.store.queries import Row, notices_of
from fhir_mappings import build, triage
from fhir_mappings.building import build_directory
from fhir_mappings.building.build_elements import EXTENSION
from fhir_mappings.visits import visit
from schemas.codes.local import BASE
from schemas.discharge import DischargeEvent
from schemas.served import to_text

REASON: Final = f"{BASE}/CodeSystem/match-reason"
FACET: Final = f"{BASE}/CodeSystem/facet"
_SYSTEM: Final = Actor.system("match")
_HOUR: Final = 3600
_NOTHING_KEPT: Final = "No visit is kept that this request comes from: there is nothing to match by."


@dataclass(frozen=True, slots=True)
class Matched:
    """What was found for one request."""

    need: str
    ranking: matching.Ranking
    at: datetime


async def found(hub: Hub, request: str) -> Matched:
    """Every partner for the need of a source ServiceRequest, ranked.

    Args:
        hub: the hub.
        request: FHIR id of the source ServiceRequest.

    Raises:
        NotFound: there is no such request.
        Unprocessable: it is over, or nothing is kept of its visit.
    """
    situation = await _situation(hub, request)
    link = situation.file.content.referral
    need = next((one.need for one in (link.needs if link else ()) if one.service_request == request), None)
    if need is None:
        raise Unprocessable("The request is over: nobody is asked for it any more.")
    record = situation.file.content.record
    event = visit.as_event(record, event_id=situation.file.id, occurred_at=record.ended_at or situation.now)
    ranking = ranked(situation, need, event, coverage_for(situation, event))
    questions = questions_for(situation, need, ranking)
    if questions:
        await hub.store.commit(Changes(questions=questions))
    return Matched(need, ranking, situation.now)


def coverage_for(situation: Situation, event: DischargeEvent) -> build.CoverageView | None:
    """The coverage clock of a visit as it is now; None where none runs."""
    link = situation.file.content.referral
    clock = coverage_clock.read(situation, event, link, lambda one: situation.rows[one].resource) if link else None
    return clock.view if clock else None


async def match(hub: Hub, disclosures: Disclosures, actor: Actor, request: str, count: int | None) -> Disclosed:
    """The answer of ``$match``: a searchset Bundle of what partners offer, the first to be asked first.

    Args:
        hub: the hub.
        disclosures: records what the caller is shown.
        actor: who asks; the organisation that made the request, everybody else learns that there is none.
        request: FHIR id of the source ServiceRequest.
        count: how many at most; None: all.
    """
    admit(actor, "ServiceRequest", "r")
    try:
        row = await hub.store.reader(actor).read("ServiceRequest", request)
        if row is None or not _is_own(actor, decoded(row)):
            not_found()
        matched = await found(hub, request)
        shown = matched.ranking.ranked[:count]
        rows = await _offered(hub, actor, shown)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    told = [row, *rows.values()]
    await disclosures.record(actor, told, "match")
    return Disclosed(to_text(_bundle(hub, decoded(row), matched, shown, rows)), notices_of(told))


def _is_own(actor: Actor, request: Resource) -> bool:
    """Whether the caller made it: a partner's own request (a filler order) is the hub's, and is nobody's to match."""
    made_by = request.get("requester", {}).get("reference")
    return request.get("intent") == "order" and made_by == f"Organization/{actor.organization}"


# ---- the visit behind a request


async def _situation(hub: Hub, request: str) -> Situation:
    directory = await hub.registry.current()
    if await hub.store.reader(_SYSTEM).read("ServiceRequest", request) is None:
        raise NotFound("No source ServiceRequest has this id.")
    visit_id = await hub.store.intake(_SYSTEM).visit_of(request)
    stored = await hub.store.intake(_SYSTEM).visit(visit_id) if visit_id else None
    file = VisitFile.opened(hub.keys, "", stored) if stored else None
    sender = directory.senders.get(file.content.sender) if file else None
    if file is None or sender is None:
        raise Unprocessable(_NOTHING_KEPT)
    file.organization = sender.organization
    now = hub.clock.now()
    verdict = triage.judge(file.content.record)
    rows = await referral_rows(hub, [file])
    return Situation(file, sender, verdict, directory, rows, now, Origin("", "", "", now))


# ---- the answer


async def _offered(hub: Hub, actor: Actor, shown: Sequence[matching.Ranked]) -> dict[str, Row]:
    """What each partner offers, by organisation; its Organization where it was registered before it had more."""
    wanted = {one.candidate.organization: build_directory.ids_of(one.candidate.organization) for one in shown}
    names = [name for ids in wanted.values() for name in (ids.service, ids.organization)]
    rows = {row.id: row for row in await hub.store.reader(actor).by_ids(names)}
    chosen = {org: rows.get(ids.service) or rows.get(ids.organization) for org, ids in wanted.items()}
    return {organization: row for organization, row in chosen.items() if row is not None}


def _bundle(
    hub: Hub, request: Resource, matched: Matched, shown: Sequence[matching.Ranked], rows: Mapping[str, Row]
) -> Resource:
    base = hub.settings.fhir_base
    labels = request.get("meta", {}).get("security")
    entries = [
        {
            "fullUrl": f"{base}/{row.type}/{row.id}",
            "resource": decoded(row),
            "search": {"extension": [_told(one)], "mode": "match", "score": _score(one, place, len(shown))},
        }
        for place, one in enumerate(shown)
        if (row := rows.get(one.candidate.organization)) is not None
    ]
    return {
        "resourceType": "Bundle",
        "id": uuid7(),
        "meta": {"lastUpdated": matched.at.isoformat(), **({"security": labels} if labels else {})},
        "type": "searchset",
        "total": len(matched.ranking.ranked),
        "link": [{"relation": "self", "url": f"{base}/ServiceRequest/{request['id']}/$match"}],
        **({"entry": entries} if entries else {}),
    }


def _score(one: matching.Ranked, place: int, of: int) -> float:
    """It falls from 1 with the rank; 0 for who is shown and not asked."""
    return 0 if one.standing == "excluded" else round(1 - place / of, 4)


def _told(one: matching.Ranked) -> Resource:
    slack = _hours(one)
    parts = [
        ("standing", "valueCode", one.standing),
        *(("reason", "valueCoding", _coding(REASON, reason.code, reason.text)) for reason in one.reasons),
        *(("call", "valueCoding", _coding(FACET, call.facet, call.text)) for call in one.calls),
        *([("nextIntake", "valueDateTime", one.next_intake.isoformat())] if one.next_intake else []),
        *([("slackHours", "valueDecimal", slack)] if slack is not None else []),
        *([("beforeGap", "valueBoolean", one.before_gap)] if one.before_gap is not None else []),
        ("intakesLeft", "valueCode", one.left),
        *([("attestedAt", "valueDateTime", one.attested_at.isoformat())] if one.attested_at else []),
        ("asked", "valueBoolean", one.candidate.asked),
    ]
    return {"url": f"{EXTENSION}/match", "extension": [{"url": name, kind: value} for name, kind, value in parts]}


def _coding(system: str, code: str, text: str) -> Resource:
    return {"system": system, "code": code, "display": text}


def _hours(one: matching.Ranked) -> float | None:
    return None if one.slack is None else round(one.slack.total_seconds() / _HOUR, 1)


# ---- for a terminal


def lines_of(matched: Matched) -> list[dict[str, Any]]:
    """One object for each partner, the first to be asked first."""
    return [
        {
            "partner": one.candidate.profile.name,
            "organization": one.candidate.organization,
            "standing": one.standing,
            "asked": one.candidate.asked,
            "next_intake": one.next_intake.isoformat() if one.next_intake else None,
            "slack_hours": _hours(one),
            "intakes_left": one.left,
            "attested_at": one.attested_at.isoformat() if one.attested_at else None,
            "reasons": [{"code": reason.code, "text": reason.text} for reason in one.reasons],
            "call": [{"facet": call.facet, "text": call.text} for call in one.calls],
        }
        for one in matched.ranking.ranked
    ]


def sheet_of(matched: Matched) -> Sheet:
    """The same as a table; times are the partner's own."""
    rows = [
        (
            str(place),
            one.candidate.profile.name,
            one.standing + (", asked" if one.candidate.asked else ""),
            _local(one),
            "" if one.slack is None else f"{_hours(one):g} h",
            one.left,
            "" if one.attested_at is None else f"{(matched.at - one.attested_at).days} d",
            " ".join(one.codes),
            " ".join(call.facet for call in one.calls),
        )
        for place, one in enumerate(matched.ranking.ranked, 1)
    ]
    columns = ("", "partner", "may be asked", "next intake", "slack", "left", "attested", "because", "call about")
    return Sheet("Partners for one request", (("need", matched.need),), columns, rows)


def _local(one: matching.Ranked) -> str:
    if one.next_intake is None:
        return "not known"
    zone = one.candidate.profile.zone
    return one.next_intake.astimezone(zone).strftime("%a %d %b %H:%M")
