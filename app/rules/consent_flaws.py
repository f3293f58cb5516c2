"""Why a consent does not permit a disclosure; nothing where it does. Pure; time is an argument.

Only what stands without doubt permits: a consent of this person, active, signed, in force, whole by
42 CFR 2.31, for this purpose, that names who discloses and who receives, and that no later word takes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from app.rules.consent_elements import class_of, missing_elements
from schemas.discharge import ConsentGiven, Identifier
from schemas.packs.base import Pack

Direction = Literal["to-recipient", "back"]


@dataclass(frozen=True, slots=True)
class Party:
    """One organisation of a disclosure, as its registration describes it.

    ``covered_entity``: 45 CFR 160.103; ``part2_program``: 42 CFR 2.11; ``business_associate``: of the other one;
    ``medical``: has medical personnel (42 CFR 2.51); ``agreement``: one with the hub is on file and in force.
    """

    name: str
    organization: str
    covered_entity: bool = False
    part2_program: bool = False
    business_associate: bool = False
    medical: bool = False
    agreement: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What a consent is held against."""

    discloser: Party
    recipient: Party
    direction: Direction
    purpose: str
    person: Sequence[Identifier]
    """Identifiers of the person whose record it is."""
    at: datetime
    """Aware, in the hospital's zone: a day without time is read in it."""
    pack: Pack


def flaw(consent: ConsentGiven, asked: Asked) -> str | None:
    """The code of the first reason why this consent does not permit by itself; None when it does."""
    if consent.patient and asked.person and not _same_person(consent.patient, asked.person):
        return "consent-other-person"
    if not (reaches(consent, asked.recipient, asked) and _lets(consent, asked)):
        return _unreached(consent, asked)
    if consent.status != "active":
        return "consent-not-active"
    if asked.purpose not in asked.pack.purposes or asked.purpose not in (consent.purposes or ["TREAT"]):
        return "consent-other-purpose"
    return _not_in_force(consent, asked.at)


def _not_in_force(consent: ConsentGiven, at: datetime) -> str | None:
    if consent.signed_at is None:
        return "consent-undated"
    if _later(consent.signed_at, at):
        return "consent-future"
    if consent.expires_at is not None and _over(consent.expires_at, at):
        return "consent-expired"
    return "consent-lacks-elements" if missing_elements(consent, on=day_of(consent.signed_at, at)) else None


def _unreached(consent: ConsentGiven, asked: Asked) -> str:
    if excludes(consent, asked.recipient):
        return "consent-excludes-recipient"
    if asked.direction == "back":
        return "consent-one-way"
    if reaches(consent, asked.recipient, asked):
        return "consent-other-discloser"
    return "consent-class-not-read" if consent.classes and not consent.recipients else "consent-other-recipient"


def reaches(consent: ConsentGiven, recipient: Party, asked: Asked) -> bool:
    """Whether the consent's recipients, by name or by class, hold ``recipient``."""
    if excludes(consent, recipient):
        return False
    if names(consent.recipients, recipient) or by_class(consent, recipient, asked) is not None:
        return True
    return asked.direction == "back" and consent.both_directions


def _lets(consent: ConsentGiven, asked: Asked) -> bool:
    """Whether the consent lets this discloser disclose.

    On the way back the discloser is one that the consent sends to: that it may report needs a consent of both
    directions, or one that names the hospital as a recipient beside it.
    """
    if names(consent.disclosers, asked.discloser):
        return True
    if asked.direction == "to-recipient":
        return not consent.disclosers or (consent.both_directions and names(consent.recipients, asked.discloser))
    sent = names(consent.recipients, asked.discloser) or by_class(consent, asked.discloser, asked) is not None
    return sent and not excludes(consent, asked.discloser)


def by_class(consent: ConsentGiven, party: Party, asked: Asked) -> str | None:
    """The wording of a general designation that holds ``party``; None where none that the pack can read does."""
    for wording in consent.classes:
        rule = asked.pack.classes.get(class_of(wording) or "")
        if rule is not None and party.covered_entity >= rule.covered_entity and asked.purpose in rule.purposes:
            return wording
    return None


def names(listed: Iterable[str], party: Party) -> bool:
    """Whether ``party`` is one of those that are called by name."""
    name = plain(party.name)
    return bool(name) and name in map(plain, listed)


def excludes(consent: ConsentGiven, party: Party) -> bool:
    """Whether the person struck ``party`` out."""
    return names(consent.not_recipients, party)


def contradicted(consent: ConsentGiven, consents: Iterable[ConsentGiven], recipient: Party) -> bool:
    """Whether a refusal, revocation or exclusion of the recipient is not clearly older: the last word must be clear."""
    return any(against(other, recipient) and not _older(other, consent) for other in consents)


def against(consent: ConsentGiven, recipient: Party) -> bool:
    """Whether it says that the recipient is to be told nothing, or no more."""
    if consent.status in {"rejected", "inactive"} and names(consent.recipients, recipient):
        return True
    return consent.status in {"active", "rejected"} and excludes(consent, recipient)


def day_of(moment: date | datetime | None, at: datetime) -> date:
    """The day of ``moment`` in the zone of ``at``; the first of all days where it is not known."""
    if isinstance(moment, datetime):
        return moment.astimezone(at.tzinfo).date()
    return moment or date.min


def _same_person(mine: Iterable[Identifier], other: Iterable[Identifier]) -> bool:
    known = {(one.system, one.value) for one in other}
    return any((one.system, one.value) in known for one in mine)


def plain(name: str) -> str:
    """A name as names of organisations are compared: without case, white space collapsed."""
    return " ".join(name.split()).casefold()


def _later(moment: date | datetime, at: datetime) -> bool:
    return moment > at if isinstance(moment, datetime) else moment > at.date()


def _over(moment: date | datetime, at: datetime) -> bool:
    """A day without time is over when it has passed; an instant, when it is reached."""
    return moment <= at if isinstance(moment, datetime) else moment < at.date()


def _older(first: ConsentGiven, second: ConsentGiven) -> bool:
    if first.signed_at is None or second.signed_at is None:
        return False
    if isinstance(first.signed_at, datetime) and isinstance(second.signed_at, datetime):
        return first.signed_at < second.signed_at
    return _bare(first.signed_at) < _bare(second.signed_at)


def _bare(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment
