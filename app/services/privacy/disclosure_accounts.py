"""The accounting of disclosures: who received what of a person, when, why, and under which consent.

One reading of the rows that were written before the bytes left serves the accounting of 42 CFR 2.25 and
45 CFR 164.528, and the list of an intermediary of 42 CFR 2.24.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

import orjson

from app.core.actor import Actor
from app.core.clock import from_micros, iso, micros
from app.core.errors import NotFound
from app.services.disclosures import note
from app.services.hub import Hub
from app.services.sheets import Sheet
from app.store.accounting import Accounting, Entry, Given, Whose
from app.store.changes import Decision
from fhir_mappings.pages.consent_words import scope_in_words
from schemas.packs.base import PACKS
from schemas.served import from_body

_REACH: Final = timedelta(days=366 * PACKS["us-part2-2024"].accounting_years)
"""How far back an accounting reaches: years of 366 days, so that none is short."""


@dataclass(frozen=True, slots=True)
class Account:
    """One disclosure: what one response gave under one decision."""

    at: str
    recipient: str
    recipient_name: str
    client: str
    user: str | None
    discloser: str
    discloser_name: str
    direction: str
    """``to-recipient``, or ``back`` from the partner to the hospital."""
    patient: str
    what: dict[str, int]
    """FHIR type to how many resources of it."""
    level: str
    """``offer``, ``full``, or ``id`` where no more than an id was told."""
    purpose: str
    """v3-ActReason code."""
    basis: str | None
    """The legal reason."""
    consent: str | None
    """Consent and version that it stands on."""
    consent_scope: str | None
    """What that version says, in words."""
    redisclosure: str | None
    notice: str | None
    """The notice that went with it: id of the policy pack."""

    @property
    def brief(self) -> str:
        """The brief description of the information that 42 CFR 2.24 and 45 CFR 164.528(b) ask for."""
        counted = ", ".join(f"{number} {kind}" for kind, number in sorted(self.what.items()))
        return f"{self.level}: {counted}"


def reach(now: int) -> int:
    """From when on an accounting must be given (42 CFR 2.24, 2.25); microseconds."""
    return micros(from_micros(now) - _REACH)


async def accounts(hub: Hub, actor: Actor, patients: Sequence[str], since: int) -> list[Account]:
    """Disclosures about Patient records from ``since`` on, oldest first; it is recorded that they were asked for.

    Raises NotFound where one of the records is not there.
    """
    reader = hub.store.accounting(actor)
    if not {*patients} <= (await reader.whose(patients)).keys():
        raise NotFound("No Patient record has this id.")
    await note(hub.store, actor, "accounting", patients)
    decisions = {one.id: one for one in await reader.decisions_about(patients)}
    found = await reader.given_under(decisions, since)
    whose = await reader.whose(entry.id for given in found for entry in given.entries)
    known = _Known(whose, await _scopes(reader, decisions.values()), (await hub.registry.current()).names)
    return [
        _account(given, decisions[why], entries, known)
        for given in found
        for why, entries in by_decision(given.entries).items()
        if why in decisions
    ]


def by_decision(entries: Iterable[Entry]) -> dict[str | None, list[Entry]]:
    """Entries by the decision that they stand on, in the order in which each first comes."""
    found: dict[str | None, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.decision, []).append(entry)
    return found


async def _scopes(reader: Accounting, decisions: Iterable[Decision]) -> dict[tuple[str, int], str]:
    """What each version of a Consent that is relied on says."""
    wanted = {(one.consent, one.consent_version, "full") for one in decisions if one.consent and one.consent_version}
    bodies = await reader.bodies((consent, version, level) for consent, version, level in wanted if consent and version)
    return {
        (consent, version): scope_in_words(orjson.loads(from_body("Consent", consent, version, "", content)))
        for (consent, version, _), content in bodies.items()
    }


class _Known(NamedTuple):
    whose: Mapping[str, Whose]
    scopes: Mapping[tuple[str, int], str]
    names: Mapping[str, str]


def _account(given: Given, decision: Decision, entries: Sequence[Entry], known: _Known) -> Account:
    consent, version = decision.consent, decision.consent_version
    return Account(
        at=iso(given.at),
        recipient=given.organization,
        recipient_name=known.names.get(given.organization, given.organization),
        client=given.client,
        user=given.user,
        discloser=decision.discloser,
        discloser_name=known.names.get(decision.discloser, decision.discloser),
        direction=decision.direction,
        patient=decision.patient,
        what=dict(Counter(known.whose[entry.id].type for entry in entries if entry.id in known.whose)),
        level=_level(entries),
        purpose=decision.purpose,
        basis=decision.basis,
        consent=f"Consent/{consent}/_history/{version}" if consent and version else None,
        consent_scope=known.scopes.get((consent, version)) if consent and version else None,
        redisclosure=decision.redisclosure,
        notice=decision.notice,
    )


def _level(entries: Sequence[Entry]) -> str:
    given = {entry.level for entry in entries if entry.version}
    return "full" if "full" in given else "offer" if given else "id"


# ---- as it is handed over


def as_json(found: Sequence[Account]) -> list[dict[str, Any]]:
    """Every field, and the brief description."""
    return [{**asdict(one), "description": one.brief} for one in found]


def accounting_sheet(found: Sequence[Account], patients: Sequence[str], since: int, now: int) -> Sheet:
    """The accounting of 42 CFR 2.25."""
    columns = ("when", "recipient", "what", "purpose", "why", "consent", "scope of the consent", "notice", "from")
    rows = [
        (
            one.at,
            one.recipient_name,
            one.brief,
            one.purpose,
            one.basis or "",
            one.consent or "",
            one.consent_scope or "",
            one.notice or "",
            one.discloser_name,
        )
        for one in found
    ]
    return Sheet("Accounting of disclosures", _about(patients, since, now), columns, rows)


def intermediary_sheet(found: Sequence[Account], patients: Sequence[str], since: int, now: int) -> Sheet:
    """The list of 42 CFR 2.24: name of the entity, date, brief description."""
    rows = [(one.recipient_name, one.at[:10], one.brief) for one in found]
    return Sheet("List of disclosures", _about(patients, since, now), ("recipient", "date", "description"), rows)


def _about(patients: Sequence[str], since: int, now: int) -> list[tuple[str, str]]:
    return [("Patient records", ", ".join(patients)), ("from", iso(since)[:10]), ("to", iso(now)[:10])]
