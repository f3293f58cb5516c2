"""``Task/$patient-is-here``: a person stands at a partner's door, with the card of the hospital or with their name.

The card's code, or name and date of birth with a consent that was signed on the spot, leads to the one open referral
that they have. Consent is decided as always; nothing of the referral is shown before it permits. Whoever had a place
for the person elsewhere is told that it is no longer needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import BadRequest, Forbidden, Issue, Unprocessable
from app.rules import lifecycle, no_show
from app.rules.codings import need_in
from app.rules.consent_elements import ELEMENTS, missing_elements
from app.rules.consent_flaws import plain
from app.services.clients.rate import Limits
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.looking import look_of
from app.services.interactions import Done, Planned, Wanted, carried_out
from app.services.packets import card_codes
from app.services.people.spoken_requests import path_of, read, required
from app.services.privacy.person_search import Sought, matches
from app.services.reading.reads import not_found
from app.services.reading.search_params import parse
from app.services.scopes import require
from app.services.writes import tasks
from app.services.writes.resource_plans import current_row
from app.services.writing import Rendition, Resource, decoded
from app.store.queries import ColumnIn, Query
from fhir_mappings.outreach import is_beside
from schemas.base import FIRST_YEAR
from schemas.codes.local import OUTCOME, concept
from schemas.discharge import MOUD, ConsentGiven
from schemas.partner import PartnerProfile
from schemas.stub import Chosen

_SYSTEM: Final = Actor.system("patient-is-here")
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "code": ("valueString",),
    "family": ("valueString",),
    "birth-date": ("valueDate",),
    "by": ("valueString",),
    "consent-signed": ("valueDateTime", "valueDate"),
    "consent-form": ("valueString", "valueUri"),
    "consent-expires": ("valueDate", "valueDateTime"),
    "consent-both-directions": ("valueBoolean",),
}
_A_DAY: Final = "YYYY-MM-DD"
_CONSENT: Final = ("consent-signed", "consent-form")
_NOT_ENOUGH: Final = (
    "What was told lets nothing of a referral be shown here: call the hospital. A consent that the person signs here "
    "is told by consent-signed and consent-form."
)


@dataclass(frozen=True, slots=True)
class Here:
    """What a partner says of somebody who is there."""

    by: str
    code: str
    family: str
    birth_date: str
    consent: ConsentGiven | None


class Arrivals:
    """Takes the word of partners that somebody is there."""

    def __init__(self, hub: Hub, disclosures: Disclosures, feed: Feed, limits: Limits) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._feed = feed
        self._limits = limits

    async def here(self, actor: Actor, body: object) -> Done:
        """The partner's own Task, accepted, once the person is known; told again it is the same.

        Args:
            actor: a client of the partner.
            body: Parameters: ``code``, or ``family`` and ``birth-date``; ``by`` (who says so); ``consent-signed``,
                ``consent-form``, ``consent-expires``, ``consent-both-directions`` of a consent that names the partner.

        Raises:
            BadRequest: a parameter is missing or wrong, or the consent lacks an element of 42 CFR 2.31(a).
            Forbidden: not a partner.
            NotFound: not exactly one open referral of such a person that this partner could take; by name also where
                something is in the way of it.
            Unprocessable: of the card's referral, consent or another partner that has seen the person is in the way.
            TooManyRequests: too many persons were named of whom nothing is known.
        """
        require(actor, "Task", "u")
        organization, profile = await self._partner(actor)
        told = self._told(body, organization, profile)
        self._limits.seeking(organization)
        source = await self._source(told, profile)
        child = None if source is None else await self._asked(source, organization, told)
        if child is None:
            self._disclosures.access(actor, "patient-is-here", [])
            if source is not None and told.code:
                raise Unprocessable(_NOT_ENOUGH, path="Parameters.parameter")
            not_found()
        self._limits.found(organization)
        try:
            await carried_out(self._hub, lambda: self._arrived(actor, child), "this Task")
        finally:
            self._feed.doubt(organization)
        row = await current_row(self._hub, actor, "Task", child)
        await self._disclosures.record(actor, [row], "patient-is-here")
        return Done(200, "Task", row.id, row.version, Rendition.of(row))

    async def _partner(self, actor: Actor) -> tuple[str, PartnerProfile]:
        profile = (await self._hub.registry.current()).partners.get(actor.organization or "")
        if actor.organization is None or profile is None or not profile.active:
            raise Forbidden("Only a partner of this hub says that a person is there.")
        return actor.organization, profile

    def _told(self, body: object, organization: str, profile: PartnerProfile) -> Here:
        given = read(body, _KNOWN)
        required(given, ("by",) if "code" in given else ("by", "family", "birth-date", *_CONSENT))
        if "code" in given and given.keys() & {"family", "birth-date"}:
            raise BadRequest("Either the code of the card, or name and date of birth.", path="Parameters.parameter")
        if len(given.get("birth-date", _A_DAY)) != len(_A_DAY):
            # A year would be searched for as any day in it.
            raise BadRequest(f"birth-date is a whole date: {_A_DAY}", path=path_of("birth-date"))
        if given.keys() & {*_CONSENT, "consent-expires", "consent-both-directions"}:
            required(given, _CONSENT)
        consent = None
        if "consent-signed" in given:
            # The same paper told again is the same consent.
            number = self._hub.keys.mac("consent-here", organization, *(str(given[one]) for one in _CONSENT))
            consent = _signed_here(given, f"here-{number}", profile.name, self._hub.clock.now())
        return Here(given["by"], given.get("code", ""), given.get("family", ""), given.get("birth-date", ""), consent)

    # ---- whose referral

    async def _source(self, told: Here, profile: PartnerProfile) -> Resource | None:
        """The one open source Task that is meant; None where it is none, or where more than one visit fits."""
        named = [(await self._need(one), one) for one in await self._open(told)]
        found = [(need, one) for need, one in named if need in profile.needs or not profile.needs]
        groups = {one.get("groupIdentifier", {}).get("value", one["id"]) for _, one in found}
        if len(groups) != 1:
            return None
        _, chief = min(found, key=lambda of: (of[0] != MOUD, of[1]["id"]))
        return chief

    async def _open(self, told: Here) -> list[Resource]:
        if not told.code:
            return [task for one in await self._persons(told) for task in await self._of_person(one)]
        task = await card_codes.found(self._hub, told.code)
        if task is None:
            return []
        held = decoded(await current_row(self._hub, _SYSTEM, "Task", task))
        group = held.get("groupIdentifier")
        same = await self._of_person(held["for"]["reference"])
        return [one for one in same if one.get("groupIdentifier") == group]

    async def _persons(self, told: Here) -> list[str]:
        """References of the Patients of this name and date of birth; a name is compared whole."""
        sought = Sought(family=told.family, birth_date=told.birth_date)
        asked = parse("Patient", sought.pairs(), lenient=False).at(self._hub.clock.now_us())
        found = await matches(self._hub.store.reader(_SYSTEM), asked)
        wanted = plain(told.family)
        return [
            f"Patient/{one['id']}"
            for one in found
            if any(plain(name.get("family", "")) == wanted for name in one.get("name", ()))
        ]

    async def _of_person(self, patient: str) -> list[Resource]:
        conditions = (ColumnIn("patient", (patient,)),)
        rows = await self._hub.store.reader(_SYSTEM).search(Query("Task", conditions, limit=200))
        held = [decoded(row) for row in rows]
        return [one for one in held if "partOf" not in one and one["status"] not in lifecycle.TERMINAL]

    async def _need(self, source: Resource) -> str:
        row = await current_row(self._hub, _SYSTEM, "ServiceRequest", _id(source["focus"]))
        return need_in(decoded(row)) or MOUD

    # ---- the place

    async def _asked(self, source: Resource, organization: str, told: Here) -> str | None:
        """Id of the Task by which the partner is asked, made now where it was not; None where it may not see all."""
        child = await self._own(source["id"], organization)
        if child is None or told.consent is not None:
            chosen = Chosen(by=told.by, at=from_micros(self._hub.clock.now_us()), partner=organization, here=True)
            request = _id(source["focus"])
            await look_of(self._hub, request, (source["id"], chosen), "patient-is-here", told.consent)
            child = await self._own(source["id"], organization)
        return child if child is not None and await self._sees_all(child, organization) else None

    async def _own(self, source: str, organization: str) -> str | None:
        conditions = (ColumnIn("part_of", (f"Task/{source}",)), ColumnIn("owner", (f"Organization/{organization}",)))
        rows = await self._hub.store.reader(_SYSTEM).search(Query("Task", conditions, limit=50))
        held = [decoded(row) for row in rows]
        open_ones = [one for one in held if one["status"] not in lifecycle.TERMINAL and not is_beside(one)]
        return open_ones[0]["id"] if open_ones else None

    async def _sees_all(self, child: str, organization: str) -> bool:
        actor = Actor(organization, "hub")
        row = await self._hub.store.reader(actor).read("Task", child)
        return row is not None and row.level != "offer"

    async def _arrived(self, actor: Actor, child: str) -> Sequence[Planned]:
        return [await tasks.plan(self._hub, actor, Wanted("Task", child, _come, None))]


def _come(seen: Resource) -> Resource:
    """The Task of a partner to whom the person has come."""
    after = {**seen, "status": "accepted"} if seen["status"] == "requested" else seen
    if no_show.came(seen):
        return after
    output = {"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, "arrived")}
    return {**after, "output": [*seen.get("output", ()), output]}


def _signed_here(given: Mapping[str, Any], identifier: str, recipient: str, now: datetime) -> ConsentGiven:
    """The consent that names the partner, as it says that it was signed there. Raises BadRequest."""
    consent = ConsentGiven(
        identifier=identifier,
        recipients=[recipient],
        both_directions=given.get("consent-both-directions", False),
        signed_at=_moment(given, "consent-signed"),
        signed_by="patient",
        expires_at=_moment(given, "consent-expires") if "consent-expires" in given else None,
        form=given["consent-form"],
    )
    signed = consent.signed_at
    day = signed.date() if isinstance(signed, datetime) else signed
    missing = missing_elements(consent, on=day or now.date())
    if missing:
        issues = tuple(Issue("required", f"42 CFR 2.31(a)({number}): {ELEMENTS[number]}") for number in missing)
        raise BadRequest("The consent is not whole.", issues=issues)
    return consent


def _moment(given: Mapping[str, Any], name: str) -> date | datetime:
    """A day, or a moment with its offset."""
    text = str(given[name])
    try:
        found = date.fromisoformat(text) if len(text) == len(_A_DAY) else datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("A day, or a moment with its offset.", path=path_of(name)) from None
    if found.year < FIRST_YEAR or (isinstance(found, datetime) and found.tzinfo is None):
        raise BadRequest(f"A day, or a moment with its offset, from {FIRST_YEAR} on.", path=path_of(name))
    return found


def _id(pointer: Resource) -> str:
    return str(pointer["reference"]).rpartition("/")[2]
