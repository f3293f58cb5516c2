"""May this record be shown to this organisation, how much of it, and if not, what would cure that?

The one decision behind every way out. Fail closed: a sending unit that is not known to be outside
42 CFR Part 2 counts as a Part 2 program, and only a consent that stands without doubt permits. What a
body of law says is data (``schemas.packs``). Sources: 42 CFR 2.31 (elements of a consent), 2.33 (uses
with consent), 2.51 (emergencies), 45 CFR 164.506(c) (treatment).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Literal

from app.rules import consent_flaws
from app.rules.consent_elements import missing_elements
from app.rules.consent_flaws import Asked, Direction, Party
from app.rules.verdict import Reason, Verdict
from schemas.discharge import ConsentGiven, Identifier
from schemas.packs.base import PACKS, Pack, RecipientKind

Level = Literal["nothing", "offer", "packet"]
UnitStatus = Literal["part2", "not-part2", "unknown"]
Basis = Literal["consent", "consent-class", "hipaa-treatment", "emergency-2-51", "not-protected"]

TREATMENT: Final = "TREAT"
EMERGENCY: Final = "ETREAT"
PACK_OF: Final[Mapping[UnitStatus, Pack]] = {
    "part2": PACKS["us-part2-2024"],
    "unknown": PACKS["us-part2-2024"],
    "not-part2": PACKS["us-hipaa"],
}
"""The law that a record of a unit is under."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """What must be documented at once of a disclosure in a medical emergency (42 CFR 2.51(c))."""

    recipient: str = ""
    """Name and affiliation of the medical personnel."""
    discloser: str = ""
    """Name of the individual who makes the disclosure."""
    at: datetime | None = None
    nature: str = ""
    """Of the emergency."""


@dataclass(frozen=True, slots=True)
class ConsentDecision(Verdict):
    """How much the recipient may see and why.

    ``level``: nothing; ``offer``, the minimum that identifies nobody, where only a consent is wanting; packet.
    ``cure`` says, most helpful first, what would turn a refusal into a permit. ``consent`` is the index of the one
    that permits, among those given. ``until`` is when the permit ends by itself. ``redisclosure`` is the rule that
    the recipient is under and ``notice`` what must accompany the record, both ids of the texts of the policy pack.
    ``reading`` is the class wording that was read as holding the recipient.
    """

    level: Level
    legal_reason: Basis | None
    cure: tuple[str, ...] = ()
    consent: int | None = None
    until: datetime | None = None
    redisclosure: str | None = None
    notice: str | None = None
    reading: str | None = None


_TEXTS: Final = {
    "no-consent": "no standing consent names the recipient",
    "unit-unknown": "the sending unit is not classified and counts as a Part 2 program",
    "part2-unit": "the record is one of a Part 2 program",
    "not-covered-entity": "the recipient is not a covered entity, so treatment under HIPAA does not reach it",
    "not-treatment": "the purpose is not treatment",
    "not-a-purpose": "the purpose is none that a consent for treatment, payment and operations can carry (42 CFR 2.33)",
    "objection": "the person refused or took back sharing with the recipient, and nothing later takes that back",
    "no-agreement-discloser": "no agreement of the discloser with the hub is on file",
    "no-agreement-recipient": "no agreement of the recipient with the hub is on file",
    "consent-names-recipient": "an active consent names the recipient (42 CFR 2.31, 2.33)",
    "consent-class-read": "an active consent names a class that the recipient is a member of (42 CFR 2.31(a)(4))",
    "hipaa-treatment": "disclosure for treatment to a covered provider (45 CFR 164.506(c))",
    "not-protected": "the discloser is no Part 2 program, and HIPAA does not bind what it reports",
    "emergency-2-51": "medical emergency, documented (42 CFR 2.51)",
    "emergency-not-medical": "an emergency permits disclosure to medical personnel only (42 CFR 2.51)",
    "emergency-not-documented": "a field of the emergency's documentation is missing (42 CFR 2.51(c))",
    "consent-other-person": "a consent is of another person",
    "consent-other-recipient": "a consent names other recipients",
    "consent-other-discloser": "a consent names the recipient and lets others disclose (42 CFR 2.31(a)(2))",
    "consent-excludes-recipient": "a consent excludes the recipient",
    "consent-class-not-read": "a consent names a class of recipients that is not known to hold this one",
    "consent-one-way": "a consent does not cover the way back",
    "consent-other-purpose": "a consent is for other purposes",
    "consent-not-active": "a consent is draft, inactive, rejected or entered in error",
    "consent-undated": "a consent has no date of signature (42 CFR 2.31(a)(9))",
    "consent-future": "a consent is dated in the future",
    "consent-expired": "a consent has expired",
    "consent-lacks-elements": "a consent lacks elements of 42 CFR 2.31(a)",
    "consent-conflict": "a consent is contradicted by one that is not older",
}
_CURE_UNIT: Final = "classify the sending unit: if it is not a Part 2 program, a covered provider needs no consent"
_CURE_COVERED: Final = "record that the recipient is a covered entity, if it is one"
_CURE_AGREEMENT: Final = "file the agreement between the hub and {name}: throughline agreement add"


def decide(
    *,
    unit_status: UnitStatus,
    discloser: Party,
    recipient: Party,
    need: str,
    purpose: str = TREATMENT,
    direction: Direction = "to-recipient",
    consents: Sequence[ConsentGiven],
    person: Sequence[Identifier] = (),
    emergency: Emergency | None = None,
    at: datetime,
) -> ConsentDecision:
    """What ``recipient`` may see of a record that ``discloser`` holds.

    Args:
        unit_status: whether the unit whose record it is is a Part 2 program.
        discloser: whose record it is.
        recipient: who would see it.
        need: the need that is referred; what a packet holds for it is data of its own.
        purpose: v3-ActReason code.
        direction: to the recipient of a referral, or what that one reports back.
        consents: all that are known for this person, in any order; earlier visits included.
        person: identifiers of the person, against which a consent that says whose it is is held.
        emergency: the documentation of an emergency, where one is claimed.
        at: the moment of the decision, aware, in the hospital's zone: a day without time is read in it.
    """
    del need
    pack = PACK_OF[unit_status]
    asked = Asked(discloser, recipient, direction, purpose, person, at, pack)
    if emergency is not None:
        return _in_emergency(emergency, asked)
    papers = _papers(discloser, recipient)
    flaws = [consent_flaws.flaw(consent, asked) for consent in consents]
    standing = [index for index, found in enumerate(flaws) if found is None]
    contradicted = [i for i in standing if consent_flaws.contradicted(consents[i], consents, recipient)]
    permitting = [index for index in standing if index not in contradicted]
    if permitting and not papers:
        newest = max(permitting, key=lambda index: consent_flaws.day_of(consents[index].signed_at, at))
        return _by_consent(consents[newest], newest, asked)
    objected = not permitting and any(consent_flaws.against(consent, recipient) for consent in consents)
    codes = _without_consent(unit_status, asked)
    if not codes and not objected and not papers:
        basis: Basis = "hipaa-treatment" if discloser.covered_entity or direction == "to-recipient" else "not-protected"
        return _permitted(basis, basis, asked)
    found = [
        *papers,
        *(["objection"] if objected else []),
        *([] if permitting or not codes else ["no-consent"]),
        *codes,
    ]
    found += [*filter(None, flaws), *(["consent-conflict"] if contradicted else [])]
    curable = direction == "to-recipient" and not (objected or papers) and "not-a-purpose" not in codes
    cure = _cures(codes, papers, consents, flaws, asked)
    return ConsentDecision(_reasons(found), "offer" if curable else "nothing", None, cure=cure)


def _by_consent(consent: ConsentGiven, index: int, asked: Asked) -> ConsentDecision:
    back = asked.direction == "back"
    reached = asked.discloser if back else asked.recipient
    named = consent_flaws.names((*consent.recipients, *(consent.disclosers if back else ())), reached)
    reading = None if named else consent_flaws.by_class(consent, reached, asked)
    basis: Basis = "consent" if reading is None else "consent-class"
    code = "consent-names-recipient" if reading is None else "consent-class-read"
    return _permitted(basis, code, asked, consent=index, until=_end(consent, asked.at), reading=reading)


def _permitted(
    basis: Basis,
    code: str,
    asked: Asked,
    *,
    consent: int | None = None,
    until: datetime | None = None,
    reading: str | None = None,
) -> ConsentDecision:
    return ConsentDecision(
        _reasons([code]),
        "packet",
        basis,
        consent=consent,
        until=until,
        redisclosure=asked.pack.redisclosure[kind_of(asked.recipient)],
        notice=asked.pack.notice,
        reading=reading,
    )


def _in_emergency(emergency: Emergency, asked: Asked) -> ConsentDecision:
    told = {"recipient": emergency.recipient.strip(), "discloser": emergency.discloser.strip()}
    told |= {"at": "yes" if emergency.at is not None else "", "nature": emergency.nature.strip()}
    missing = [name for name in asked.pack.emergency if not told[name]]
    if missing:
        return ConsentDecision(
            _reasons(["emergency-not-documented"]), "nothing", None, cure=tuple(f"state: {name}" for name in missing)
        )
    if not asked.recipient.medical:
        return ConsentDecision(_reasons(["emergency-not-medical"]), "nothing", None, cure=("call the hospital",))
    return _permitted("emergency-2-51", "emergency-2-51", asked)


def kind_of(recipient: Party) -> RecipientKind:
    """The kind of recipient that the rule on redisclosure depends on (42 CFR 2.33(b))."""
    if recipient.covered_entity or recipient.business_associate:
        return "covered-entity"
    return "part2-program" if recipient.part2_program else "other"


def _papers(discloser: Party, recipient: Party) -> list[str]:
    """The agreements that are wanting."""
    held = (("no-agreement-discloser", discloser), ("no-agreement-recipient", recipient))
    return [code for code, party in held if not party.agreement]


def _without_consent(unit_status: UnitStatus, asked: Asked) -> list[str]:
    """Why it may not go without a consent; empty when it may."""
    codes = []
    if not asked.pack.treatment_without_consent:
        codes.append("unit-unknown" if unit_status == "unknown" else "part2-unit")
    if not asked.recipient.covered_entity:
        codes.append("not-covered-entity")
    if asked.purpose != TREATMENT:
        codes.append("not-treatment")
    if asked.purpose not in asked.pack.purposes:
        codes.append("not-a-purpose")
    return codes


def _end(consent: ConsentGiven, at: datetime) -> datetime | None:
    """When it ends by itself: a day without time when that day is over, in the hospital's zone."""
    ends = consent.expires_at
    if ends is None or isinstance(ends, datetime):
        return ends
    return datetime.combine(ends + timedelta(days=1), time.min, at.tzinfo) if ends < date.max else None


def _reasons(codes: Iterable[str]) -> tuple[Reason, ...]:
    return tuple(Reason(code, _TEXTS[code]) for code in dict.fromkeys(codes))


def _cures(
    codes: Sequence[str],
    papers: Sequence[str],
    consents: Sequence[ConsentGiven],
    flaws: Sequence[str | None],
    asked: Asked,
) -> tuple[str, ...]:
    """What would turn the refusal into a permit, most helpful first."""
    parties = {"no-agreement-discloser": asked.discloser, "no-agreement-recipient": asked.recipient}
    cures = [_CURE_AGREEMENT.format(name=parties[code].name) for code in papers]
    lacking = [
        missing_elements(consent, on=consent_flaws.day_of(consent.signed_at, asked.at))
        for consent, found in zip(consents, flaws, strict=True)
        if found == "consent-lacks-elements"
    ]
    cures += [f"complete the consent: {', '.join(f'42 CFR 2.31(a)({number})' for number in one)}" for one in lacking]
    if codes and "not-a-purpose" not in codes:
        cures.append(_wanted(asked))
    if "unit-unknown" in codes:
        cures.append(_CURE_UNIT)
    if "not-covered-entity" in codes and not {"part2-unit", "not-treatment"} & set(codes):
        cures.append(_CURE_COVERED)
    return tuple(cures) or ("nothing cures this here: the person decides",)


def _wanted(asked: Asked) -> str:
    form = "a signed, dated, unexpired consent (42 CFR 2.31)"
    if asked.direction == "back":
        return f"{form} that lets {asked.discloser.name} report back to {asked.recipient.name}"
    return f"{form} that names {asked.recipient.name} and the purpose"
