"""What every clause shares: the person as clauses may know them, the answer of a clause, and its examples.

A clause asks one thing: does what an organisation says of itself speak against this person? Only what the organisation
attested and what has not lapsed is put before it. It never reads race, ethnicity or a name; there is no such field.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal

from app.rules.drugs import Drug
from schemas.facets import Amount, Facet, Tri

Answer = Literal["conflict", "fits", "unknown", "not-asked"]
Weight = Literal["excludes", "lowers", "shown"]
"""What a conflict does: it excludes; it lowers the rank and no more; it is shown and changes nothing."""
Known = bool | None
"""None: not known."""
Held = Mapping[str, Facet]
"""The facets that count now, by name; what is not here is unknown."""

MOUD: Final = frozenset({"moud-continuation"})
CARE: Final = frozenset({"mental-health", "primary-care", "hcv-hiv"})
HOUSING: Final = frozenset({"recovery-housing"})
PLACES: Final = MOUD | CARE | HOUSING | {"peer-support"}
"""Needs for which the person comes to a place, and is taken in or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What clauses may know of a person. ``FACTS`` says where in a DischargeEvent each field comes from."""

    product: Drug | None = None
    product_class: str | None = None
    """``clock_class`` of rxnorm.csv."""
    dose: Amount | None = None
    """The last amount as it was charted."""
    dosed: Known = None
    """Whether a dose was given already."""
    interval_hours: float | None = None
    runs_out_on: int | None = None
    """Day of the week (Monday 0), where the hospital is, on which the first dose without a source falls due."""
    continuation: str | None = None
    benzodiazepines: Known = None
    alcohol: Known = None
    stimulants: Known = None
    screened: Known = None
    """Whether the result of a urine drug screen is known."""
    heart_measured: Known = None
    """Whether a QTc interval is known."""
    photo_id: Known = None
    insurance: frozenset[str] | None = None
    """Of ``medicaid``, ``medicare``, ``private-insurance``, ``uninsured``; None: not known."""
    state: str | None = None
    pregnant: Known = None
    sex: str | None = None
    """FHIR administrative-gender."""
    age: int | None = None
    mobility: str | None = None
    wounds_or_picc: Known = None
    psychiatric_acuity: str | None = None
    language: str | None = None
    """BCP 47, the primary subtag."""
    interpreter: Known = None


FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "product": ("medications.product.code",),
    "product_class": ("medications.product.code",),
    "dose": ("medications.doses.amount", "medications.doses.unit"),
    "dosed": ("medications.doses.held",),
    "interval_hours": ("medications.schedule.interval",),
    "runs_out_on": ("medications.doses.at", "medications.bridges.kind"),
    "continuation": ("continuation",),
    "benzodiazepines": ("clinical.benzodiazepines",),
    "alcohol": ("clinical.alcohol",),
    "stimulants": ("clinical.stimulants",),
    "screened": ("clinical.urine_drug_screen",),
    "heart_measured": ("clinical.qtc_ms",),
    "photo_id": ("photo_id",),
    "insurance": ("coverage.type", "coverage.payer"),
    "state": ("patient.address.state",),
    "pregnant": ("clinical.pregnant",),
    "sex": ("patient.sex",),
    "age": ("patient.birth_date",),
    "mobility": ("clinical.mobility",),
    "wounds_or_picc": ("clinical.wounds_or_picc",),
    "psychiatric_acuity": ("clinical.psychiatric_acuity",),
    "language": ("patient.language",),
    "interpreter": ("patient.interpreter",),
}
"""Field of ``Person`` to the paths of DischargeEvent from which it is read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one clause says of one person and one organisation.

    Attributes:
        verdict: ``not-asked`` where the clause does not concern the person.
        text: a sentence for people, about the organisation; "it" is the organisation.
        facet: the facet that decided, or that would have.
    """

    verdict: Answer
    text: str = ""
    facet: str | None = None


NOT_ASKED: Final = Finding("not-asked")


@dataclass(frozen=True, slots=True)
class Case:
    """An example: what is said, who comes, what follows."""

    facets: Held
    person: Person
    verdict: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One kind of policy.

    Attributes:
        name: as the file is called, with hyphens.
        facets: what it reads of an organisation's profile.
        reads: the fields of ``Person`` that it reads.
        judge: the decision.
        cases: three examples at least.
        needs: kinds of need for which it is asked; None: all.
        weight: what a conflict does.
        reason: code of the status-reason code system under which an organisation would say the same.
        drug: the drug whose being there it is about.
        listed: whether an organisation that lists the drug among its products has said so by that.
        barrier: a refusal may be against the law (ADA, section 504): tagged for internal review, told to nobody else.
    """

    name: str
    facets: tuple[str, ...]
    reads: tuple[str, ...]
    judge: Callable[[Person, Held], Finding]
    cases: Sequence[Case]
    needs: frozenset[str] | None = None
    weight: Weight = "excludes"
    reason: str = "other"
    drug: Drug | None = None
    listed: bool = True
    barrier: bool = False


def accepts(held: Held, facet: str, concerns: Known, will: str) -> Finding:
    """The usual clause: one facet, one fact.

    Who is not concerned is not asked about, and neither is a fact that is not known where nothing speaks against it.
    A ``no`` that hangs on a condition, or on a fact that is not known, is for a person to clear up.

    Args:
        held: what the organisation says.
        facet: the facet.
        concerns: whether the person is one of those whom the facet is about.
        will: what ``yes`` means, after "it will": ``take people who use stimulants``.
    """
    said = held.get(facet)
    if concerns is False or (concerns is None and said is None):
        return NOT_ASKED
    if said is None:
        return Finding("unknown", f"It has not said whether it will {will}.", facet)
    if said.value == "yes":
        return Finding("fits", f"It will {will}{on_condition(said)}.", facet)
    if said.condition:
        return Finding("unknown", f"It will {will} only on a condition: {said.condition}", facet)
    if concerns is None:
        return Finding("unknown", f"It will not {will}; whether that concerns this person is not known.", facet)
    return Finding("conflict", f"It will not {will}.", facet)


def on_condition(said: Facet) -> str:
    """The condition of a yes, to go into a sentence; empty without one."""
    return f" on a condition ({said.condition})" if said.condition else ""


def said(value: Tri, **details: Any) -> Facet:
    """A facet of an example."""
    return Facet(
        value=value,
        attested_by="the intake coordinator",
        attested_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires=date(2027, 1, 1),
        **details,
    )
