"""Written consents of a hospital's Bundle: Consent read as a whole, or not relied on.

Nothing is permitted that was not read as a whole, and no refusal gets lost. Who may receive the record are the actors
of the role IRCP, in their order: one that is the hospital itself says that they may report back, one that is worded as
a class of recipients is kept as worded. A nested provision that denies excludes its actors.

A consent that covers less than a referral (``class``, ``code``, ``dataPeriod``, ``securityLabel``, ``data`` that is not
related to this Encounter, an ``action`` that does not disclose) can't be honoured in part: its status stays and it
lacks element 3, a description that covers what would be sent, so no rule relies on it. Source: FHIR R4 6.2 (Consent),
IHE PCF (nested provisions are exceptions), 42 CFR 2.31(a).
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Final, Literal, NamedTuple

from fhir_mappings.building.consent_codes import (
    ACTION,
    DOCUMENT_SHA256,
    INFORMATION,
    LACKS,
    PARTICIPATION,
    PRIVACY,
    RECIPIENT,
    SCOPE,
)
from fhir_mappings.fhir_in.fhir_bundle import Node, refuse
from fhir_mappings.fhir_in.fhir_facts_visit import known_as
from fhir_mappings.fhir_in.fhir_values import V2_0203, Source, code_of, needed
from fhir_mappings.labels import Resource
from schemas.discharge import ConsentGiven, Identifier
from schemas.packs.wordings import class_of

ConsentStatus = Literal["active", "inactive", "draft", "rejected", "entered-in-error"]
_STATUS: Final[dict[str, ConsentStatus]] = {
    "active": "active",
    "inactive": "inactive",
    "draft": "draft",
    "proposed": "draft",
    "rejected": "rejected",
    "entered-in-error": "entered-in-error",
}
_LIMITS: Final[tuple[str, ...]] = ("class", "code", "dataPeriod", "securityLabel")
"""Elements by which a provision covers only a part of the record, whatever they say."""
_DISCLOSING: Final = frozenset({"access", "disclose"})
_SIGNERS: Final[dict[str, Literal["patient", "representative"]]] = {
    "Patient": "patient",
    "RelatedPerson": "representative",
}
_MOST: Final = 64
_MOST_CLASSES: Final = 16
_MOST_LACKS: Final = 16
_MOST_NUMBERS: Final = 16
_MOST_PARTS: Final = 8


class _Disclosers(NamedTuple):
    """Who discloses."""

    names: list[str]
    hospital: bool
    others: bool


class _Actors(NamedTuple):
    """Who may receive the record."""

    recipients: list[str]
    classes: list[str]
    hospital: bool
    """The hospital is one of them."""


def consents(source: Source, encounter: Node | None, visit: Iterable[Identifier]) -> list[ConsentGiven]:
    """Written permissions to disclose, and refusals.

    Args:
        source: the Bundle.
        encounter: the stay that it is about, where it holds one.
        visit: the numbers of the stay.

    Raises:
        Refused: An active one whose exceptions or whose refusal can't be read as whole: nothing of it may get lost.
    """
    numbers = {(one.system, one.value) for one in visit}
    nodes = source.graph.of_type("Consent")
    return [one for node in nodes if (one := _consent(source, node, encounter, numbers)) is not None]


def _consent(source: Source, node: Node, encounter: Node | None, visit: set[tuple[str, str]]) -> ConsentGiven | None:
    stated = node.resource
    if code_of(stated["scope"], SCOPE) not in {PRIVACY, None}:
        source.note(node.at("scope"), "only a consent to disclose (patient-privacy) is read")
        return None
    provision: Resource = stated.get("provision", {})
    disclosers = _disclosers(source, node)
    actors = _actors(source, node, provision, disclosers.names)
    purposes = _purposes(source, node, provision)
    excluded = list(_excluded(source, node, provision))
    lacks = [
        *_said(source, stated, LACKS, node.path),
        *(() if disclosers.hospital or disclosers.others or actors.hospital else ("2",)),
        *(("3",) if _is_narrower(source, node, provision, encounter, visit) else ()),
        *(() if purposes else ("5",)),
    ]
    return ConsentGiven(
        identifier=source.token(next((one.get("value") for one in stated.get("identifier", ())), None), node.path),
        status=_status(source, node, provision, actors),
        patient=_patient(source, node),
        disclosers=disclosers.names if disclosers.others else [],
        information=next(iter(_said(source, provision, INFORMATION, node.at("provision"))), None),
        recipients=actors.recipients,
        classes=actors.classes[:_MOST_CLASSES],
        not_recipients=excluded,
        both_directions=actors.hospital,
        purposes=purposes,
        signed_at=_in_force(source, node, provision),
        signed_by=_signer(source, node),
        expires_at=source.when(provision.get("period", {}).get("end"), node.at("provision.period.end")),
        form=_form(source, node),
        lacks=list(dict.fromkeys(lacks))[:_MOST_LACKS],
        document_hash=_document_hash(source, node),
    )


# ---- status


def _status(source: Source, node: Node, provision: Resource, actors: _Actors) -> ConsentStatus:
    """An active consent that denies is a refusal; one that says neither, or is known to be false, permits nothing."""
    status = _STATUS.get(node.status, "draft")
    if status != "active":
        return status
    if provision.get("type") == "deny":
        if provision.get("provision"):
            refuse(node.at("provision.provision"), "exceptions of a refusal can't be read: send one Consent for each")
        if not actors.recipients:
            refuse(node.at("provision.actor"), "a refusal names whom it is about, with the role IRCP")
        return "rejected"
    if any(one.get("verified") is False for one in node.resource.get("verification", ())):
        source.note(node.at("verification"), "not verified: it permits nothing")
        return "draft"
    return "active" if provision.get("type") == "permit" else "draft"


# ---- who


def _patient(source: Source, node: Node) -> list[Identifier]:
    """By what the person is known whose consent it is; that it is the person of the Bundle is checked before."""
    link = source.follow(node, node.resource.get("patient"))
    if link.node is not None:
        return source.identifiers(link.node, None, needed)[:_MOST_NUMBERS]
    if link.logical is None:
        return []
    found = source.identifier(link.logical, node.at("patient"), code_of(link.logical.type, V2_0203))
    return [found] if found is not None else []


def _disclosers(source: Source, node: Node) -> _Disclosers:
    """The organisations that Consent.organization names."""
    names: dict[str, None] = {}
    hospital = others = False
    for index, reference in enumerate(node.resource.get("organization", ())):
        path = node.at(f"organization[{index}]")
        name = source.organization_name(node, reference, path)
        own = _is_hospital(source, node, reference)
        if name is None and not own:
            source.note(path, "an organisation without a name is left out")
            continue
        hospital, others = hospital or own, others or not own
        names |= {name: None} if name is not None else {}
    return _Disclosers(list(names)[:_MOST], hospital=hospital, others=others)


def _is_hospital(source: Source, node: Node, reference: Resource) -> bool:
    """Whether an organisation is the one that sends: by its id on this server, or as the provider of the stay.

    A part of the provider counts as it, and so does that which the provider is a part of.
    """
    if reference.get("reference") == f"Organization/{source.sender.organization}":
        return True
    stated = _wholes(source, source.follow(node, reference).node)
    visits = source.graph.of_type("Encounter")
    providers = (source.follow(visit, visit.resource.get("serviceProvider")).node for visit in visits)
    return any(_is_part(stated, _wholes(source, provider)) for provider in providers)


def _is_part(one: list[Node], other: list[Node]) -> bool:
    """Whether one of two organisations, each with its wholes, is the other or a part of it."""
    return bool(one and other) and (one[0] in other or other[0] in one)


def _wholes(source: Source, node: Node | None) -> list[Node]:
    """An organisation and those that it is a part of."""
    found: list[Node] = []
    while node is not None and node not in found and len(found) < _MOST_PARTS:
        found.append(node)
        node = source.follow(node, node.resource.get("partOf")).node
    return found


def _actors(source: Source, node: Node, provision: Resource, disclosers: list[str]) -> _Actors:
    """The actors of the role IRCP. One that discloses is a recipient of what comes back, and no other."""
    recipients: dict[str, None] = {}
    classes: dict[str, None] = {}
    hospital = False
    for name, reference in _named(source, node, provision, "provision"):
        if name is None or name in disclosers or _is_hospital(source, node, reference):
            hospital = True
        elif class_of(name) is not None and source.follow(node, reference).node is None:
            classes[name] = None
        else:
            recipients[name] = None
    return _Actors(list(recipients), list(classes), hospital)


def _named(source: Source, node: Node, provision: Resource, place: str) -> Iterator[tuple[str | None, Resource]]:
    """Each recipient with its name; only the hospital itself needs none."""
    for index, actor in enumerate(provision.get("actor", ())):
        path = node.at(f"{place}.actor[{index}]")
        if code_of(actor["role"], PARTICIPATION) != RECIPIENT:
            source.note(f"{path}.role", "only recipients of information (IRCP) are read")
            continue
        name = source.organization_name(node, actor["reference"], f"{path}.reference")
        if name is None and not _is_hospital(source, node, actor["reference"]):
            refuse(f"{path}.reference", "an organisation of the Bundle, or its name as display")
        yield name, actor["reference"]


def _excluded(source: Source, node: Node, provision: Resource) -> list[str]:
    """Whom the nested provisions deny; a limit on what is denied is read as none, which is never too little.

    Raises:
        Refused: An exception of an active consent that names nobody, or is itself excepted from.
    """
    found: dict[str, None] = {}
    for index, exception in enumerate(provision.get("provision", ())):
        place = f"provision.provision[{index}]"
        if exception.get("type") == "permit":
            continue
        named = [name for name, _ in _named(source, node, exception, place) if name is not None]
        if node.status == "active" and (not named or exception.get("provision")):
            refuse(
                node.at(f"{place}.actor"), "an exception denies by name, with the role IRCP, and has none of its own"
            )
        found |= dict.fromkeys(named)
    return list(found)


def _signer(source: Source, node: Node) -> Literal["patient", "representative"] | None:
    kinds = [_kind(source, node, reference) for reference in node.resource.get("performer", ())]
    return next((signer for kind, signer in _SIGNERS.items() if kind in kinds), None)


def _kind(source: Source, node: Node, reference: Resource) -> str:
    """The type of what a reference leads to, by what says it."""
    link = source.follow(node, reference)
    if link.node is not None:
        return link.node.type
    kind = link.logical.kind if link.logical is not None else None
    return kind or reference.get("type") or reference.get("reference", "").rpartition("/")[0].rpartition("/")[2]


# ---- what and what for


def _is_narrower(
    source: Source, node: Node, provision: Resource, encounter: Node | None, visit: set[tuple[str, str]]
) -> bool:
    """Whether it covers less than a referral of this stay."""
    places = [name for name in _LIMITS if name in provision]
    actions = [code_of(one, ACTION) for one in provision.get("action", ())]
    if actions and _DISCLOSING.isdisjoint(actions):
        places.append("action")
    if "data" in provision and not any(_covers(source, node, one, encounter, visit) for one in provision["data"]):
        places.append("data")
    if any(one.get("type") == "permit" for one in provision.get("provision", ())):
        places.append("provision")
    for place in places:
        source.note(node.at(f"provision.{place}"), "it covers less than a referral, so nothing is sent by it")
    return bool(places)


def _covers(source: Source, node: Node, data: Resource, encounter: Node | None, visit: set[tuple[str, str]]) -> bool:
    """Whether it is all that is related to this stay."""
    if data.get("meaning") != "related":
        return False
    link = source.follow(node, data["reference"])
    if link.node is not None or link.logical is None or link.logical.kind not in (None, "Encounter"):
        return link.node is not None and link.node is encounter
    numbers = known_as(source, link.logical, node.at("provision.data"))
    return any((one.system, one.value) in visit for one in numbers)


def _purposes(source: Source, node: Node, provision: Resource) -> list[str]:
    stated = (one.get("code") for one in provision.get("purpose", ()))
    codes = (source.token(code, node.at("provision.purpose")) for code in stated)
    return [code for code in codes if code is not None]


def _in_force(source: Source, node: Node, provision: Resource) -> date | datetime | None:
    """When it was signed; where it holds from a later day on, that."""
    signed = source.when(node.resource.get("dateTime"), node.at("dateTime"))
    start = source.when(provision.get("period", {}).get("start"), node.at("provision.period.start"))
    if signed is None or start is None:
        return signed
    return start if _day(start) > _day(signed) else signed


def _day(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


# ---- the paper


def _form(source: Source, node: Node) -> str | None:
    """What was signed: the policy by its URI, else the signed source by the name or the place that it has.

    ``policyRule`` names a law, not a form: it states none of the elements.
    """
    stated = node.resource
    paper: Resource = stated.get("sourceAttachment", {})
    document: Resource = stated.get("sourceReference", {})
    number = document.get("identifier", {}).get("value")
    said = (
        *(one.get("uri") for one in stated.get("policy", ())),
        *(paper.get("title"), paper.get("url")),
        *(document.get("display"), number, document.get("reference")),
    )
    return next((form for one in said if (form := source.token(one, node.at("policy"))) is not None), None)


def _document_hash(source: Source, node: Node) -> str | None:
    """SHA-256 of the signed document: of the one that the Consent holds, else as it is told beside it."""
    paper: Resource = node.resource.get("sourceAttachment", {})
    if "data" not in paper:
        return next(iter(_said(source, paper, DOCUMENT_SHA256, node.at("sourceAttachment"))), None)
    try:
        return hashlib.sha256(base64.b64decode(paper["data"])).hexdigest()
    except ValueError:
        source.note(node.at("sourceAttachment.data"), "not base64: no document is known")
        return None


def _said(source: Source, element: Resource, url: str, path: str) -> list[str]:
    """What extensions of one kind say."""
    stated = (one.get("valueString") for one in element.get("extension", ()) if one["url"] == url)
    return [text for one in stated if (text := source.token(one, path)) is not None]
