"""May this referral be shown to this partner, and if not, what would cure it?

The first rules, behind the signature that the full ones keep. Fail closed: a sending unit that is
not known to be outside 42 CFR Part 2 counts as a Part 2 program, and only a consent that stands
without doubt permits. Sources: 42 CFR 2.31 (elements of a consent), 2.33 (uses with consent),
45 CFR 164.506(c) (treatment).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from app.rules.verdict import Reason, Verdict
from schemas.discharge import ConsentGiven

Level = Literal["nothing", "offer", "packet"]
UnitStatus = Literal["part2", "not-part2", "unknown"]
LegalReason = Literal["consent", "hipaa-treatment"]

TREATMENT: Final = "TREAT"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The organisation that would see the referral.

    ``covered_entity``: 45 CFR 160.103; ``part2_program``: 42 CFR 2.11; ``business_associate``: of the sender.
    """

    name: str
    organization: str
    covered_entity: bool = False
    part2_program: bool = False
    business_associate: bool = False


@dataclass(frozen=True, slots=True)
class ConsentDecision(Verdict):
    """How much the recipient may see and why.

    ``cure`` says, most helpful first, what would turn a refusal into a permit; ``consent`` is the
    index of the consent that permits, among those given.
    """

    level: Level
    legal_reason: LegalReason | None
    cure: tuple[str, ...] = ()
    consent: int | None = None


_TEXTS: Final = {
    "no-consent": "no standing consent names the recipient",
    "unit-unknown": "the sending unit is not classified and counts as a Part 2 program",
    "part2-unit": "the sending unit is a Part 2 program",
    "not-covered-entity": "the recipient is not a covered entity, so treatment under HIPAA does not reach it",
    "not-treatment": "the purpose is not treatment",
    "objection": "the person refused to share with the recipient, and nothing later takes that back",
    "consent-names-recipient": "an active consent names the recipient (42 CFR 2.31, 2.33)",
    "hipaa-treatment": "disclosure for treatment to a covered provider (45 CFR 164.506(c))",
    "consent-other-recipient": "a consent names other recipients",
    "consent-other-purpose": "a consent is for other purposes",
    "consent-not-active": "a consent is draft, inactive, rejected or entered in error",
    "consent-undated": "a consent has no date of signature (42 CFR 2.31(a)(9))",
    "consent-future": "a consent is dated in the future",
    "consent-expired": "a consent has expired",
    "consent-conflict": "a consent is contradicted by one that is not older",
}
_CURE_CONSENT: Final = "a signed, dated, unexpired consent that names the recipient and the purpose (42 CFR 2.31)"
_CURE_UNIT: Final = "classify the sending unit: if it is not a Part 2 program, a covered provider needs no consent"
_CURE_COVERED: Final = "record that the recipient is a covered entity, if it is one"


def decide(
    *,
    unit_status: UnitStatus,
    recipient: Recipient,
    need: str,
    purpose: str = TREATMENT,
    consents: Sequence[ConsentGiven],
    at: datetime,
) -> ConsentDecision:
    """What ``recipient`` may see of a referral from a unit of ``unit_status``.

    Args:
        unit_status: whether the sending unit is a Part 2 program.
        recipient: who would see it.
        need: the need that is referred. The first rules treat all needs alike.
        purpose: v3-ActReason code.
        consents: all that are known for this person, in any order; earlier stays included.
        at: the moment of the decision, aware, in the hospital's zone: a day without time is read in it.
    """
    del need
    flaws = [_flaw(consent, recipient, purpose, at) for consent in consents]
    standing = [index for index, flaw in enumerate(flaws) if flaw is None]
    contradicted = [index for index in standing if _contradicted(consents[index], consents, recipient)]
    permitting = [index for index in standing if index not in contradicted]
    if permitting:
        newest = max(permitting, key=lambda index: _day(consents[index].signed_at, at))
        return ConsentDecision(_reasons(["consent-names-recipient"]), "packet", "consent", consent=newest)
    objected = any(_names(consent, recipient) and consent.status == "rejected" for consent in consents)
    codes = _against_hipaa(unit_status, recipient, purpose)
    if not codes and not objected:
        return ConsentDecision(_reasons(["hipaa-treatment"]), "packet", "hipaa-treatment")
    found = ["objection"] if objected else []
    found += ["no-consent", *codes, *filter(None, flaws), *(["consent-conflict"] if contradicted else [])]
    return ConsentDecision(_reasons(found), "nothing", None, cure=_cures(codes))


def _against_hipaa(unit_status: UnitStatus, recipient: Recipient, purpose: str) -> list[str]:
    """Why treatment under HIPAA alone does not permit; empty when it does."""
    codes = []
    if unit_status != "not-part2":
        codes.append("part2-unit" if unit_status == "part2" else "unit-unknown")
    if not recipient.covered_entity:
        codes.append("not-covered-entity")
    if purpose != TREATMENT:
        codes.append("not-treatment")
    return codes


def _flaw(consent: ConsentGiven, recipient: Recipient, purpose: str, at: datetime) -> str | None:
    """Why this consent does not permit by itself; None when it does."""
    if not _names(consent, recipient):
        return "consent-other-recipient"
    if consent.status != "active":
        return "consent-not-active"
    if purpose not in (consent.purposes or [TREATMENT]):
        return "consent-other-purpose"
    if consent.signed_at is None:
        return "consent-undated"
    if _later(consent.signed_at, at):
        return "consent-future"
    return "consent-expired" if consent.expires_at is not None and _over(consent.expires_at, at) else None


def _names(consent: ConsentGiven, recipient: Recipient) -> bool:
    name = _plain(recipient.name)
    return bool(name) and name in map(_plain, consent.recipients)


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _later(moment: date | datetime, at: datetime) -> bool:
    return moment > at if isinstance(moment, datetime) else moment > at.date()


def _over(moment: date | datetime, at: datetime) -> bool:
    """A day without time is over when it has passed; an instant, when it is reached."""
    return moment <= at if isinstance(moment, datetime) else moment < at.date()


def _day(moment: date | datetime | None, at: datetime) -> date:
    if isinstance(moment, datetime):
        return moment.astimezone(at.tzinfo).date()
    return moment or date.min


def _contradicted(consent: ConsentGiven, consents: Iterable[ConsentGiven], recipient: Recipient) -> bool:
    """Whether a refusal or revocation that names the recipient is not clearly older: the last word must be clear."""
    return any(
        other.status in {"rejected", "inactive"} and _names(other, recipient) and not _older(other, consent)
        for other in consents
    )


def _older(first: ConsentGiven, second: ConsentGiven) -> bool:
    if first.signed_at is None or second.signed_at is None:
        return False
    if isinstance(first.signed_at, datetime) and isinstance(second.signed_at, datetime):
        return first.signed_at < second.signed_at
    return _bare(first.signed_at) < _bare(second.signed_at)


def _bare(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _reasons(codes: Iterable[str]) -> tuple[Reason, ...]:
    return tuple(Reason(code, _TEXTS[code]) for code in dict.fromkeys(codes))


def _cures(codes: Sequence[str]) -> tuple[str, ...]:
    cures = [_CURE_CONSENT]
    if "unit-unknown" in codes:
        cures.append(_CURE_UNIT)
    if "not-covered-entity" in codes and not {"part2-unit", "not-treatment"} & set(codes):
        cures.append(_CURE_COVERED)
    return tuple(cures)
