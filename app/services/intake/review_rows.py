"""One visit as a row of the review queue: what was read, what is missing, what may be done. Pure.

A row shows codes, times and the texts of our own tables; never a name, a number or a text of the person's messages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from app.services.referral.visit_file import reasons_json
from app.store.changes import ReviewItem
from fhir_mappings import triage
from fhir_mappings.explaining import showing
from fhir_mappings.triage import Triage
from fhir_mappings.triage_products import look_up
from fhir_mappings.visits.visit import product_key
from schemas.base import changed
from schemas.codes import tables
from schemas.discharge import Need, Product
from schemas.facts import GivenDose, Order, Supply, VisitRecord
from schemas.sender import Sender

Reason = tuple[str, str]
Kind = Literal["queue", "list"]
Settled = Literal["refer", "not-ours"]
_BARE: Final = frozenset({"bare-f11"})
_TOLD: Final = ("poisoning-", "adverse-effect", "underdosing", "long-term-opiate-analgesic")
"""Roles that are no signal, but that a person who decides wants to know of."""
_UNIT: Final = "unit-unknown"
_NEEDS_EVIDENCE: Final = "a diagnosis of opioid use disorder (F11.1x, F11.2x, F11.9x), or a current treatment program"
_NEEDS_PRODUCT: Final = "a medication for opioid use disorder: order, dose or supply"
_NEEDS_CODE: Final = "a known code of the product: RxNorm, or its code in the sender's file (maps.local_drugs)"
_MISSING: Final[dict[str, str]] = {
    "needs-dx-no-evidence": _NEEDS_EVIDENCE,
    "ndc-hint-only": f"{_NEEDS_CODE}; or {_NEEDS_EVIDENCE}",
    "text-match-only": f"{_NEEDS_CODE}; or {_NEEDS_EVIDENCE}",
    "product-doubtful": _NEEDS_CODE,
    "local-code-unknown": _NEEDS_CODE,
    "not-oud-with-f11": _NEEDS_PRODUCT,
    "bare-f11": _NEEDS_PRODUCT,
    "otp-without-product": _NEEDS_PRODUCT,
    "need-without-product": _NEEDS_PRODUCT,
    "overdose-no-moud": _NEEDS_PRODUCT,
    "asked-for-no-evidence": f"{_NEEDS_PRODUCT}; or {_NEEDS_EVIDENCE}",
    "dose-not-given": "a dose that was given",
    "f11-not-billable": "the full code of the diagnosis",
    "f11-system-unknown": "the code system of the diagnosis",
    "diagnosis-text-only": "a known code of the diagnosis",
    "trigger-not-handled": "a message type that is read: see the sender's file (maps.*_triggers)",
    "unmerge": "whose facts these are",
    "no-consent": "a consent that names the partner",
    "no-agreement-discloser": "the hospital's agreement with the hub, on file",
    "agreement-narrows": "an agreement of the two that lets more be shown",
    "no-agreement-recipient": "the partner's agreement with the hub, on file",
    "consent-lacks-elements": "a consent that is whole (42 CFR 2.31(a))",
    "part2-unit": "a consent: the unit is a Part 2 program",
    "not-covered-entity": "that the partner is a covered entity, where it is one",
    "no-route": "a partner for the need: a route of the sender, or one partner that lists it",
    "custody": "whom to tell: the person goes to court or law enforcement",
    "transferred": "whether the receiving facility doses",
    "two-referrals": "which of the two partners goes on",
}
"""What would settle a reason; one that isn't here says all by its own text."""


@dataclass(frozen=True, slots=True)
class DiagnosisRead:
    """One diagnosis. ``display`` is our table's; None where the code is in none."""

    code: str
    display: str | None


@dataclass(frozen=True, slots=True)
class DrugRead:
    """One product with what was stated of it."""

    code: str
    display: str | None
    """Our table's; None where the code is in none."""
    drug: str | None
    """What it is taken for."""
    known_by: str | None
    """``rxnorm``, ``ndc`` or ``text``; None: by nothing."""
    ordered: bool
    withdrawn: bool
    """No order stands any more."""
    given: tuple[date | datetime, ...]
    """When, as stated; oldest first."""
    not_given: int
    """Doses that were refused, held, or taken back."""
    supplied: bool
    """Handed over or prescribed for the way home."""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """What a person who answers sees of one visit."""

    kind: Kind
    reasons: tuple[Reason, ...]
    diagnoses: tuple[DiagnosisRead, ...]
    drugs: tuple[DrugRead, ...]
    missing: tuple[str, ...]
    suggested: tuple[str, ...]
    unit: str | None
    """PV1-3.1 that nobody has classified and that it waits for."""


def review_row(record: VisitRecord, verdict: Triage, held: Sequence[Reason], sender: Sender) -> ReviewRow:
    """What is shown of a visit.

    Args:
        record: all that is known of it.
        verdict: what triage says of it.
        held: why its referral does not go out (custody, consent, route); empty where there is none, or none of these.
        sender: its hospital's interface, for the units and for where a bare F11 goes.
    """
    reasons = tuple(dict.fromkeys((*held, *((reason.code, reason.text) for reason in verdict.reasons))))
    codes = [code for code, _ in reasons]
    unit = record.visit.unit if _UNIT in codes else None
    bare = not held and _BARE.issuperset(codes)
    return ReviewRow(
        kind="list" if bare and sender.bare_f11 == "daily-list" else "queue",
        reasons=reasons,
        diagnoses=tuple(_diagnoses(record)),
        drugs=tuple(_drugs(record)),
        missing=tuple(dict.fromkeys(_missing(codes, record.visit.unit))),
        suggested=verdict.suggested,
        unit=unit,
    )


def item_of(visit: str, row: ReviewRow, sender: str, at: int, referral: str | None = None) -> ReviewItem:
    """The row as it is stored, which is without anything that was read.

    Args:
        visit: id of the visit, or of the ledger entry that found none.
        row: what is shown.
        sender: id of the interface.
        at: when, in microseconds.
        referral: ServiceRequest that waits for the answer.
    """
    reasons = reasons_json(row.reasons)
    return ReviewItem(visit, sender, at, reasons, referral, kind=row.kind, unit=row.unit, suggested=row.suggested)


def answered(record: VisitRecord, answer: Settled, at: int) -> VisitRecord:
    """The record with what a person said of it.

    ``refer`` asks for what the verdict suggests, where it suggests something and the hospital names no needs of its
    own. What the verdict was is kept, so that a later fact that changes it is not silenced by the answer.

    Args:
        record: all that is known of the visit.
        answer: what was said.
        at: when, in microseconds.
    """
    plain = triage.judge(changed(record, {"answer": None, "unlinked": False}))
    stamps = {key: stamp for key, stamp in record.stamps.items() if key != triage.ANSWERED_REFERRAL} | {"answer": at}
    if plain.outcome == "referral":
        stamps[triage.ANSWERED_REFERRAL] = at
    change: dict[str, object] = {"answer": answer, "stamps": stamps}
    if answer == "refer" and plain.suggested and not record.circumstances.needs:
        needs = [Need(kind=kind) for kind in plain.suggested]
        change["circumstances"] = changed(record.circumstances, {"needs": needs})
    return changed(record, change)


def _missing(codes: Sequence[str], unit: str | None) -> Iterator[str]:
    decided = "person-decided" in codes
    for code in codes:
        if code == _UNIT:
            yield f"unit {showing.code(unit) or '(no code)'} is not classified" if unit else "the unit (PV1-3)"
        elif code in _MISSING and not (decided and code in triage.REASONS):
            yield _MISSING[code]


def _diagnoses(record: VisitRecord) -> Iterator[DiagnosisRead]:
    for diagnosis in sorted(record.diagnoses.values(), key=lambda dx: (dx.rank or 999, dx.system or "", dx.code)):
        row = tables.diagnosis(diagnosis.system, diagnosis.code)
        if triage.speaks(diagnosis) or (row is not None and row.role.startswith(_TOLD)):
            yield DiagnosisRead(row.code if row else showing.coding(diagnosis), row.display if row else None)


class _Product:
    """All that was stated of one product."""

    __slots__ = ("doses", "orders", "product", "supplies")

    def __init__(self, product: Product) -> None:
        self.product = product
        self.orders: list[Order] = []
        self.doses: list[GivenDose] = []
        self.supplies: list[Supply] = []

    def read(self) -> DrugRead:
        """As it is shown."""
        drug = triage.classify(self.product)
        codings = (self.product, *self.product.alternates)
        row = next((row for coding in codings if (row := tables.drug(coding.system, coding.code))), None)
        given = [dose for dose in self.doses if triage.is_given(dose)]
        standing = [order for order in self.orders if not order.withdrawn]
        return DrugRead(
            code=row.code if row else showing.coding(self.product),
            display=row.display if row else None,
            drug=drug.drug if drug else None,
            known_by=drug.by if drug else None,
            ordered=any(not order.discharge for order in standing),
            withdrawn=bool(self.orders) and not standing,
            given=tuple(dose.at for dose in sorted(given, key=lambda dose: triage.moment(dose, dose.charted_at))),
            not_given=len(self.doses) - len(given),
            supplied=any(not supply.withdrawn for supply in self.supplies) or any(o.discharge for o in standing),
        )


def _drugs(record: VisitRecord) -> Iterator[DrugRead]:
    products: dict[str, _Product] = {}
    for order in record.orders.values():
        _named(products, order.product).orders.append(order)
    for dose in record.doses.values():
        _named(products, dose.product).doses.append(dose)
    for supply in record.supplies.values():
        _named(products, supply.product).supplies.append(supply)
    for key in sorted(products):
        if look_up(products[key].product) is not None:
            yield products[key].read()


def _named(products: dict[str, _Product], product: Product) -> _Product:
    return products.setdefault(product_key(product), _Product(product))
