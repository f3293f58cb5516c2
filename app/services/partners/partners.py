"""What partners say of themselves: attested word by word, asked for one at a time, changed by nobody else."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, get_args

from pydantic import ValidationError

from app.core.actor import Actor
from app.core.clock import from_micros, micros
from app.core.errors import BadRequest, NotFound
from app.rules import policies
from app.services.hub import Hub
from app.services.intake import reviews
from app.services.partners import directory
from app.services.partners.registration import not_valid, refuse_faults
from app.services.writing import decoded
from app.store.queries import ColumnIn, ColumnIs, Query
from schemas.codes.local import STATUS_REASON
from schemas.facets import ATTESTATION_HOLDS, FACETS, Capacity, Detail, Facet
from schemas.partner import PartnerProfile

Why = Literal["rejections", "unknown", "lapsed", "hours"]
HOURS: Final = "intake-hours"
_SYSTEM: Final = Actor.system("partners")
_LATELY: Final = timedelta(days=90)
"""How far back is looked for what would have mattered."""
_SAME_REASON: Final = 3
"""Rejections with one reason after which a partner is asked whether its policy has changed."""
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """The one thing to ask a partner now."""

    facet: str
    question: str
    why: Why
    times: int
    """Of rejections or referrals lately; 0 where it is asked for another reason."""


async def attest(hub: Hub, name: str, facet: str, said: Mapping[str, Any]) -> PartnerProfile:
    """Record one word of a partner about itself; its profile as it is then.

    Args:
        hub: the hub.
        name: of the partner.
        facet: a name of ``schemas.facets.FACETS``.
        said: fields of ``schemas.facets.Facet``; ``attested_at`` is now, ``expires`` in a year where not said.

    Raises:
        NotFound: no partner has this name.
        BadRequest: an unknown clause, or a field that is not as it must be.
    """
    now = hub.clock.now()

    def changed(profile: PartnerProfile) -> PartnerProfile:
        dated = {"attested_at": now, "expires": _today(profile, now) + ATTESTATION_HOLDS}
        given = {key: value for key, value in said.items() if value is not None}
        return _with(profile, facets={**profile.facets, facet: _facet({**dated, **given})})

    return await _change(hub, name, changed)


def details_of(texts: Sequence[str]) -> dict[str, Any]:
    """What a yes or no states more exactly, as it is typed: ``from_age=18``, ``at_most=120 mg``, ``listed=NY,NJ``.

    Raises BadRequest where one is not a name and a value.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in get_args(Detail) or not value:
            raise BadRequest(f"A detail is NAME=VALUE, with one of {', '.join(get_args(Detail))}.")
        found[name] = value
    if "listed" in found:
        found["listed"] = [one.strip() for one in found["listed"].split(",")]
    if "at_most" in found:
        amount, _, unit = found["at_most"].partition(" ")
        found["at_most"] = {"value": amount, "unit": unit.strip()}
    return found


async def set_capacity(hub: Hub, name: str, left: str, *, source: str) -> PartnerProfile:
    """Record how many intakes a partner has left today.

    Raises NotFound (no such partner) and BadRequest (``left`` is none of 0, 1, 2+).
    """
    now = hub.clock.now()
    try:
        capacity = Capacity.model_validate({"left": left, "as_of": now, "source": source})
    except ValidationError as error:
        raise not_valid(error) from None
    return await _change(hub, name, lambda profile: profile.model_copy(update={"capacity": capacity}))


async def ask(hub: Hub, name: str) -> Asked | None:
    """The one question whose answer would have mattered most lately; None where nothing is open.

    What was rejected three times for one reason comes first, to be confirmed; nothing is changed by that.

    Raises NotFound where no partner has this name.
    """
    organization, profile = await _named(hub, name)
    now = hub.clock.now()
    since = micros(now - _LATELY)
    suggested = _suggested(profile, await _rejections(hub, organization, since), now)
    if suggested is not None:
        return suggested
    questions = hub.store.questions(_SYSTEM)
    await questions.forget(since)
    counts = await questions.counts(organization)
    today = _today(profile, now)
    open_ones = Counter({facet: times for facet, times in counts.items() if _is_open(profile, facet, today)})
    for facet, times in sorted(open_ones.items(), key=lambda one: (-one[1], one[0])):
        return Asked(facet, question_of(facet), "unknown", times)
    return _lapsed(profile, today) or (None if profile.intake_hours is not None else _asked(HOURS, "hours"))


def question_of(facet: str) -> str:
    """As it is put to a partner."""
    return (
        "On which days and at what hours can people come for an intake?" if facet == HOURS else FACETS[facet].question
    )


async def _change(hub: Hub, name: str, changed: Callable[[PartnerProfile], PartnerProfile]) -> PartnerProfile:
    organization, profile = await _named(hub, name)
    kept = await hub.store.accounts.save_partner(organization, lambda before: changed(before or profile))
    await directory.publish(hub, organization, kept)
    hub.registry.forget()
    await reviews.settle_waiting(hub)
    return kept


async def _named(hub: Hub, name: str) -> tuple[str, PartnerProfile]:
    wanted = " ".join(name.split()).casefold()
    for organization, profile in (await hub.store.accounts.directory()).partners.items():
        if " ".join(profile.name.split()).casefold() == wanted:
            return organization, profile
    raise NotFound("No partner has this name.")


def _facet(fields: Mapping[str, Any]) -> Facet:
    try:
        return Facet.model_validate(fields)
    except ValidationError as error:
        raise not_valid(error) from None


def _with(profile: PartnerProfile, **changes: Any) -> PartnerProfile:
    """A copy with other values, all of it checked."""
    try:
        changed = PartnerProfile.model_validate({**dict(profile), **changes})
    except ValidationError as error:
        raise not_valid(error) from None
    refuse_faults(changed)
    return changed


def _today(profile: PartnerProfile, now: datetime) -> date:
    return (now.astimezone(profile.zone) if profile.zone else now).date()


# ---- what to ask


def _is_open(profile: PartnerProfile, facet: str, today: date) -> bool:
    if facet == HOURS:
        return profile.intake_hours is None
    said = profile.facets.get(facet)
    return facet in FACETS and (said is None or not said.stands(today))


def _asked(facet: str, why: Why, times: int = 0) -> Asked:
    return Asked(facet, question_of(facet), why, times)


def _lapsed(profile: PartnerProfile, today: date) -> Asked | None:
    """A word that was good once; the one that has been over for longest."""
    over = sorted((facet.expires, name) for name, facet in profile.facets.items() if facet.expires)
    return next((_asked(name, "lapsed") for expires, name in over if expires <= today), None)


def _suggested(profile: PartnerProfile, rejections: Mapping[str, list[datetime]], now: datetime) -> Asked | None:
    """A facet of the clause under which it rejected three times since it last spoke of it."""
    today = _today(profile, now)
    found = []
    for clause in policies.ALL.values():
        facet = clause.facets[0] if clause.reason in rejections and clause.reason != "other" else None
        said = profile.facets.get(facet) if facet else None
        had = clause.drug is None or clause.drug in profile.products
        if facet is None or not had or (said and said.value == "no" and said.stands(today)):
            continue
        since = said.attested_at if said and said.attested_at else datetime.min.replace(tzinfo=now.tzinfo)
        times = sum(at > since for at in rejections[clause.reason])
        if times >= _SAME_REASON:
            found.append((-times, facet))
    return next((_asked(facet, "rejections", -times) for times, facet in sorted(found)), None)


async def _rejections(hub: Hub, organization: str, since: int) -> dict[str, list[datetime]]:
    """Reason code to the moments at which it was given lately."""
    owner = ColumnIn("owner", (f"Organization/{organization}",))
    conditions = (owner, ColumnIn("status", ("rejected",)), ColumnIs("last_updated", "ge", since))
    rows = await hub.store.reader(_SYSTEM).search(Query("Task", conditions, limit=_PAGE))
    found: dict[str, list[datetime]] = {}
    for row in rows:
        for coding in decoded(row).get("statusReason", {}).get("coding", ()):
            if coding.get("system") == STATUS_REASON:
                found.setdefault(coding.get("code", ""), []).append(from_micros(row.last_updated))
    return found
