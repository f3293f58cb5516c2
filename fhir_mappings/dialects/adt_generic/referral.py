"""A referral that a clinician asks for by name: RF1 and PRD of REF^I12 and I13, and written consents: CON.

Source: HL7 v2.5.1 chapter 11 (RF1, PRD; tables 0280 priority, 0286 role of a provider) and 9 (CON; table 0498 status).
RF1-6 numbers the referral and not the visit, so no visit is found by it.
"""

from collections.abc import Iterator
from typing import Final, Literal

from fhir_mappings.dialects.adt_generic.fields import Source
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.hl7v2 import Message, Segment
from schemas.discharge import ConsentGiven, Need, NeedKind

Priority = Literal["stat", "asap", "routine"]
Status = Literal["active", "inactive", "draft", "rejected"]

_PRIORITIES: Final[dict[str, Priority]] = {"S": "stat", "A": "asap", "R": "routine"}
_ASKED_IN: Final = (3, 5, 10)
"""Type, category and reasons of the referral."""
_REFERRED_TO: Final = "RT"
_STATUSES: Final[dict[str, Status]] = {
    "A": "active",
    "L": "draft",
    "P": "draft",
    "B": "draft",
    "R": "rejected",
    "X": "inactive",
}
"""Limited (L): what it leaves out is not in the segment, so nothing is permitted by it; pending; bypassed."""


def needs(source: Source, message: Message) -> list[Need]:
    """What is asked for, by the sender's map; with the urgency and the provider that was named for it."""
    rf1 = message.first("RF1")
    if rf1 is None:
        return []
    kinds = list(dict.fromkeys(_kinds(source, rf1)))
    if not kinds:
        for field, code in _codes(source, rf1):
            source.unknown("need", rf1, field, code)
        return []
    priority, chosen = _priority(source, rf1), list(dict.fromkeys(_chosen(source, message)))
    return [made(Need, kind=kind, priority=priority, patient_choice=chosen, identifier=None) for kind in kinds][:32]


def consents(source: Source, message: Message) -> list[ConsentGiven]:
    """Consents whose form the sender's map describes; CON has no field for whom it names and what for."""
    return [consent for con in message.all("CON") if (consent := _consent(source, con)) is not None]


def _kinds(source: Source, rf1: Segment) -> Iterator[NeedKind]:
    mapped = source.sender.maps.referral_needs
    for _, code in _codes(source, rf1):
        kind = mapped.get(code)
        if kind is not None:
            yield kind


def _codes(source: Source, rf1: Segment) -> Iterator[tuple[int, str]]:
    for field in _ASKED_IN:
        for parts in source.repetitions(rf1, field):
            for code in source.leaves(rf1, field, (parts[0], parts[3])):
                if code is not None:
                    yield field, code


def _priority(source: Source, rf1: Segment) -> Priority | None:
    sent = rf1.text(2).strip().upper()
    if sent and sent not in _PRIORITIES:
        source.note(rf1, 2, "not in table 0280 (S A R)")
    return _PRIORITIES.get(sent)


def _chosen(source: Source, message: Message) -> Iterator[str]:
    """Whom the person is referred to: the organization (PRD-10, since v2.6), else the provider (PRD-2)."""
    for prd in message.all("PRD"):
        if not any(parts[0] == _REFERRED_TO for parts in source.repetitions(prd, 1)):
            continue
        family, given = source.leaves(prd, 2, source.parts(prd, 2)[:2])
        named = source.token(prd, 10) or " ".join(part for part in (given, family) if part)
        if named:
            yield named


def _consent(source: Source, con: Segment) -> ConsentGiven | None:
    code = source.token(con, 2)
    form = source.sender.maps.consents.get(code or "")
    if code is None or form is None:
        source.note(con, 2, "type of consent is not in the sender's map: it permits nothing")
        source.unknown("consent", con, 2, code or "")
        return None
    status = _STATUSES.get(con.text(11).strip().upper())
    if status is None:
        source.note(con, 11, "status of the consent is not in table 0498 (A L P B R X): it permits nothing")
        return None
    return ConsentGiven(
        identifier=source.token(con, 4) or code,
        status=status,
        recipients=form.recipients,
        classes=form.classes,
        both_directions=form.both_directions,
        purposes=form.purposes,
        signed_at=source.when(con, 13),
        expires_at=source.when(con, 15),
        form=form.form or code,
        lacks=form.lacks,
    )
