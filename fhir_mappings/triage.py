"""Is this visit about medication for opioid use disorder (MOUD)? A verdict with reasons.

The RxNorm table decides the class of a product; a diagnosis is needed only where a product has other
uses. ``unclear`` never means ``no``: what can't be decided is ``review``, for a human.

    daily, lai            referral, with or without a diagnosis
    needs-dx              referral with evidence of opioid use disorder (OUD), else review
    hint (NDC, text)      referral with evidence, else review
    doubtful (text)       review: reads like a pain or other use of the same drug
    not-oud               not ours alone; review beside an F11
    rescue                naloxone: never proof of treatment
    unknown               a code without text that no table has: nothing alone; review beside evidence

Evidence: F11.1x, F11.2x, F11.9x, SNOMED CT opioid disorder or withdrawal, a current OTP; remission codes
count together with a product. Z79.891 and an overdose are not evidence; an overdose without MOUD is a
review of its own, which suggests other needs.

What people say by name outranks this: a clinician asks for the referral (REF^I12), a person answers the
review (``VisitRecord.answer``), or finds that two persons were taken for one (A37).

``Triage.pending`` tells whether a ``review`` still waits: while the visit is open its messages are
``waiting``, because a drug or a diagnosis may follow; when it ends they become ``review``. The outcome
itself does not depend on whether the visit has ended. Reasons hold no value of any message.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Literal

from fhir_mappings.triage_diagnoses import Diagnosed, Evidence, current_overdose, diagnosed, is_overdose, speaks
from fhir_mappings.triage_products import Drug, KnownBy, TriageClass, classify, is_given, is_kept, look_up, moment
from schemas.discharge import Circumstances, NeedKind, Product
from schemas.facts import Facts, GivenDose, Order, Supply, VisitRecord

__all__ = [
    "ANSWERED_REFERRAL",
    "REASONS",
    "Drug",
    "Evidence",
    "Moud",
    "Outcome",
    "Reason",
    "Triage",
    "TriageClass",
    "classify",
    "current_overdose",
    "is_given",
    "is_kept",
    "is_overdose",
    "judge",
    "judge_message",
    "message_signal",
    "moment",
    "speaks",
]

Outcome = Literal["referral", "review", "not-ours"]

ANSWERED_REFERRAL: Final = "answered-referral"
"""Key of ``VisitRecord.stamps``: when a person answered, the visit was a referral by itself already."""
REASONS: Final = {
    "moud-daily": "A product taken daily for opioid use disorder is ordered, given or supplied.",
    "moud-lai": "A long-acting product for opioid use disorder is ordered, given or supplied.",
    "needs-dx-with-evidence": "The product has other uses; evidence of opioid use disorder stands beside it.",
    "needs-dx-no-evidence": "The product has other uses and no evidence of opioid use disorder stands beside it.",
    "ndc-hint": "The product is known by its NDC only; evidence of opioid use disorder confirms it.",
    "ndc-hint-only": "The product is known by its NDC only and nothing confirms it.",
    "text-match": "The product is known by its text only; evidence of opioid use disorder confirms it.",
    "text-match-only": "The product is known by its text only and nothing confirms it.",
    "product-doubtful": "The text of the product reads like another use of the same drug.",
    "oud-evidence": "Opioid use disorder is diagnosed, or the person is enrolled in a treatment program.",
    "remission-with-moud": "A remission diagnosis together with the product is maintenance treatment.",
    "not-oud-with-f11": "A product that is not for opioid use disorder stands beside an F11 diagnosis.",
    "not-oud-only": "Only a product that is settled as not for opioid use disorder.",
    "bare-f11": "An opioid use disorder diagnosis without any medication for it.",
    "f11-not-billable": "An F11 category or unknown F11 code: not evidence, but not nothing.",
    "f11-system-unknown": "An F11 code of a code system that is not known here: not evidence, but not nothing.",
    "diagnosis-text-only": "A diagnosis that is known by its text only reads like opioid use disorder.",
    "opioid-intoxication": "An opioid intoxication without a use disorder diagnosis.",
    "overdose-no-moud": "A current opioid overdose without medication: peer support and naloxone may be offered.",
    "overdose-not-evidence": "A current opioid overdose by itself is not evidence of opioid use disorder.",
    "dose-not-given": "A dose of a product was refused or not given, and no order or given dose is known.",
    "otp-without-product": "The person is enrolled in a treatment program; no product is known.",
    "need-without-product": "Continuation of medication was asked for; no product is known.",
    "local-code-unknown": "A drug code that is not known here came without text, beside evidence of the disorder.",
    "asked-for": "A clinician asked for the referral by name; evidence or a product stands beside it.",
    "asked-for-no-evidence": "A clinician asked for a referral; neither evidence nor a product for it is known.",
    "person-decided": "A person decided it in the review queue.",
    "known-after-answer": "A person decided that it is not ours; what makes it a referral became known afterwards.",
    "unmerge": "Two persons were taken for one and are apart again: whose these facts are, a human must say.",
    "order-withdrawn": "An order for a product was withdrawn.",
    "dose-deleted": "A charted dose of a product was taken back.",
    "naloxone-only": "Naloxone is never proof of treatment.",
    "trigger-not-handled": "A signal came in a kind of message that is not handled.",
    "no-signal": "Nothing points to medication for opioid use disorder.",
}
"""Every reason code of triage with its text."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a stable code and one sentence, without any value of a message."""

    code: str
    text: str


_REASON: Final = {code: Reason(code, text) for code, text in REASONS.items()}


@dataclass(frozen=True, slots=True)
class Moud:
    """The product that carries the verdict, as the newest fact about it names it."""

    product: Product
    drug: str
    triage_class: TriageClass
    clock_class: str
    by: KnownBy


@dataclass(frozen=True, slots=True)
class Triage:
    """The verdict on a visit. ``pending``: a review that waits because the visit is still open."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    pending: bool = False
    product: Moud | None = None
    evidence: tuple[Evidence, ...] = ()
    suggested: tuple[NeedKind, ...] = ()
    """What a human may refer to although nothing is to be continued."""


@dataclass(frozen=True, slots=True)
class _Mention:
    """One fact about a product: how strongly it counts, and when."""

    drug: Drug
    product: Product
    given_at: datetime | None
    at: datetime


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_FOR_MOUD: Final = frozenset[TriageClass]({"daily", "lai", "needs-dx", "hint"})
_SAID_BY_NAME: Final = frozenset({"referral", "unlink"})
_AFTER_OVERDOSE: Final[tuple[NeedKind, ...]] = ("peer-support", "naloxone")


@dataclass(frozen=True, slots=True)
class _Seen:
    """The products of a visit (or of one message), apart by what they are worth."""

    standing: list[_Mention]
    """Ordered, given or supplied."""
    ungiven: list[_Mention]
    withdrawn: bool
    deleted: bool

    @property
    def unknown(self) -> bool:
        """Whether a code of which nothing can be told was ordered, given or supplied."""
        return any(mention.drug.triage_class == "unknown" for mention in self.standing)


def _seen(orders: Iterable[Order], doses: Iterable[GivenDose], supplies: Iterable[Supply]) -> _Seen:
    standing: list[_Mention] = []
    ungiven: list[_Mention] = []
    withdrawn = deleted = False
    for order in orders:
        drug = look_up(order.product)
        if drug is None:
            continue
        if not order.withdrawn:
            standing.append(_Mention(drug, order.product, None, order.at))
        elif drug.triage_class != "unknown":
            withdrawn = True
    for dose in doses:
        drug = look_up(dose.product)
        if drug is None:
            continue
        if dose.deleted:
            deleted = deleted or drug.triage_class != "unknown"
            continue
        at = moment(dose, dose.charted_at)
        given = is_given(dose)
        (standing if given else ungiven).append(_Mention(drug, dose.product, at if given else None, at))
    for supply in supplies:
        drug = look_up(supply.product)
        if drug is not None and not supply.withdrawn:
            standing.append(_Mention(drug, supply.product, None, supply.at))
    return _Seen(standing, ungiven, withdrawn, deleted)


def _tier(drug: Drug, found: Diagnosed) -> int:
    """3 = carries a referral, 2 = goes to review, 1 = not ours alone, 0 = rescue or unknown."""
    if drug.triage_class in ("daily", "lai"):
        return 3
    if drug.triage_class in ("needs-dx", "hint"):
        return 3 if found.oud else 2
    if drug.triage_class == "doubtful":
        return 2
    if drug.triage_class == "not-oud":
        return 2 if found.f11 else 1
    return 0


def _chosen(mentions: list[_Mention], found: Diagnosed) -> tuple[int, _Mention] | None:
    """The mention that carries the verdict: highest tier, then the latest dose given, then the newest fact."""
    if not mentions:
        return None
    best = max(
        mentions,
        key=lambda mention: (
            _tier(mention.drug, found),
            mention.given_at or _NEVER,
            mention.at,
            mention.drug.triage_class,
            mention.product.code,
            mention.product.display or "",
        ),
    )
    return _tier(best.drug, found), best


def _product_reasons(drug: Drug, found: Diagnosed) -> Iterator[str]:
    carried = _tier(drug, found) == 3
    if drug.triage_class in ("daily", "lai"):
        yield f"moud-{drug.triage_class}"
    elif drug.triage_class == "needs-dx":
        yield "needs-dx-with-evidence" if carried else "needs-dx-no-evidence"
    elif drug.triage_class == "hint":
        hint = "ndc-hint" if drug.by == "ndc" else "text-match"
        yield hint if carried else f"{hint}-only"
    else:
        yield "product-doubtful" if drug.triage_class == "doubtful" else "not-oud-with-f11"
    if "oud-diagnosis" in found.evidence or "current-otp" in found.evidence:
        yield "oud-evidence"
    if "remission" in found.evidence and drug.triage_class != "not-oud":
        yield "remission-with-moud"
    yield from found.weak
    if found.overdose and not found.oud:
        yield "overdose-not-evidence"


def _signal_reasons(seen: _Seen, found: Diagnosed, circumstances: Circumstances | None) -> Iterator[str]:
    """What a human must look at although no product carries it."""
    if found.oud and seen.unknown:
        yield "local-code-unknown"
    elif "oud-diagnosis" in found.evidence or "remission" in found.evidence:
        yield "bare-f11"
    if "current-otp" in found.evidence:
        yield "otp-without-product"
    yield from found.weak
    if found.overdose:
        yield "overdose-no-moud"
    if any(mention.drug.triage_class not in ("not-oud", "rescue", "unknown") for mention in seen.ungiven):
        yield "dose-not-given"
    if circumstances is not None and any(need.kind == "moud-continuation" for need in circumstances.needs):
        yield "need-without-product"


def _nothing_reasons(seen: _Seen) -> Iterator[str]:
    classes = {mention.drug.triage_class for mention in seen.standing + seen.ungiven}
    if seen.withdrawn:
        yield "order-withdrawn"
    if seen.deleted:
        yield "dose-deleted"
    if "not-oud" in classes:
        yield "not-oud-only"
    if "rescue" in classes:
        yield "naloxone-only"


def _reasons(codes: Iterable[str]) -> tuple[Reason, ...]:
    return tuple([_REASON[code] for code in codes])


_NO_SIGNAL: Final = Triage("not-ours", _reasons(["no-signal"]))


def _judge(seen: _Seen, found: Diagnosed, circumstances: Circumstances | None) -> Triage:
    chosen = _chosen(seen.standing, found)
    if chosen is not None and chosen[0] >= 2:
        tier, mention = chosen
        drug = mention.drug
        product = Moud(mention.product, drug.drug, drug.triage_class, drug.clock_class, drug.by)
        reasons = _reasons(_product_reasons(drug, found))
        return Triage("referral" if tier == 3 else "review", reasons, product=product, evidence=found.evidence)
    withdrawn = ["order-withdrawn"] if seen.withdrawn else []
    signals = [*_signal_reasons(seen, found, circumstances)]
    if signals:
        suggested = _AFTER_OVERDOSE if found.overdose else ()
        return Triage("review", _reasons(signals + withdrawn), evidence=found.evidence, suggested=suggested)
    nothing = [*_nothing_reasons(seen)]
    return Triage("not-ours", _reasons(nothing)) if nothing else _NO_SIGNAL


def _asked(verdict: Triage) -> Triage:
    """A clinician asked for the referral by name: what was for a human for want of one more fact is a referral."""
    if verdict.outcome == "referral":
        return verdict
    product = verdict.product if verdict.product and verdict.product.triage_class in _FOR_MOUD else None
    if product is None and not verdict.evidence:
        kept = verdict.reasons if verdict.outcome == "review" else ()
        return replace(verdict, outcome="review", reasons=(*_reasons(["asked-for-no-evidence"]), *kept))
    return Triage("referral", (*_reasons(["asked-for"]), *verdict.reasons), product=product, evidence=verdict.evidence)


def _answered(verdict: Triage, record: VisitRecord) -> Triage:
    """What a person said holds, but "not ours" only of what was known then.

    What would make a referral of it afterwards is asked about again: it is neither dropped nor sent.
    """
    if record.answer == "refer":
        product = verdict.product
        if product is not None and product.triage_class == "not-oud":
            product = None
        reasons = (*_reasons(["person-decided"]), *verdict.reasons)
        return replace(verdict, outcome="referral", reasons=reasons, product=product)
    if verdict.outcome == "referral" and ANSWERED_REFERRAL not in record.stamps:
        return replace(verdict, outcome="review", reasons=(*_reasons(["known-after-answer"]), *verdict.reasons))
    return Triage("not-ours", _reasons(["person-decided"]), evidence=verdict.evidence)


def _of_facts(record: VisitRecord) -> Triage:
    """The verdict on facts alone, the clinician's own word included."""
    seen = _seen(record.orders.values(), record.doses.values(), record.supplies.values())
    verdict = _judge(seen, diagnosed(record.diagnoses.values(), record.circumstances), record.circumstances)
    return _asked(verdict) if record.asked_for else verdict


def judge(record: VisitRecord) -> Triage:
    """The verdict on all that is known of a visit.

    A withdrawn order counts for nothing, a discharge prescription is evidence of treatment, a dose
    counts when it was given; a dose that was only refused is for a human. Where the visit stands (ended,
    cancelled, died, custody) is not triage's matter but that of the services.
    """
    verdict = _of_facts(record)
    if record.answer is not None:
        return _answered(verdict, record)
    if record.unlinked and verdict.outcome != "not-ours":
        return replace(verdict, outcome="review", reasons=(*_reasons(["unmerge"]), *verdict.reasons))
    if record.unhandled_signal and verdict.outcome != "referral":
        kept = verdict.reasons if verdict.outcome == "review" else ()
        return replace(verdict, outcome="review", reasons=(*_reasons(["trigger-not-handled"]), *kept))
    if verdict.outcome == "review" and record.ended_at is None and not record.cancelled:
        return replace(verdict, pending=True)
    return verdict


def judge_message(facts: Facts) -> Triage:
    """The verdict on one message by itself; ``pending`` is False, since a message does not know its visit."""
    seen = _seen(facts.orders, facts.doses, facts.supplies)
    verdict = _judge(seen, diagnosed(facts.diagnoses, facts.circumstances), facts.circumstances)
    return _asked(verdict) if facts.kind == "referral" else verdict


def message_signal(facts: Facts, record: VisitRecord | None = None) -> bool:
    """Whether this one message carries a signal: it then waits for its visit, else it is not ours.

    With the ``record`` of its visit, a product that is not for opioid use disorder is a signal too where
    the visit already has an F11, and so is a code of which nothing can be told where it has evidence, and an
    unlink where the visit is not without any; without, a message is judged by nothing but itself.
    """
    if facts.kind in _SAID_BY_NAME:
        return facts.kind == "referral" or (record is not None and _of_facts(record).outcome != "not-ours")
    if not (facts.diagnoses or facts.orders or facts.doses or facts.supplies or facts.circumstances):
        return False
    seen = _seen(facts.orders, facts.doses, facts.supplies)
    if _judge(seen, diagnosed(facts.diagnoses, facts.circumstances), facts.circumstances).outcome != "not-ours":
        return True
    if record is None or not seen.standing:
        return False
    known = diagnosed(record.diagnoses.values(), record.circumstances)
    if known.oud and seen.unknown:
        return True
    return known.f11 and any(mention.drug.triage_class == "not-oud" for mention in seen.standing)
