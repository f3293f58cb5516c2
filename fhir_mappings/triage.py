"""Is this visit about medication for opioid use disorder (MOUD)? A verdict with reasons.

The RxNorm table decides the class of a product; a diagnosis is needed only where a product has other
uses. ``unclear`` never means ``no``: what can't be decided is ``review``, for a human.

    daily, lai            referral, with or without a diagnosis
    needs-dx              referral with evidence of opioid use disorder (OUD), else review
    hint (NDC, text)      referral with evidence, else review
    doubtful (text)       review: reads like a pain or other use of the same drug
    not-oud               not ours alone; review beside an F11
    rescue                naloxone: never proof of treatment

Evidence: F11.1x, F11.2x, F11.9x, SNOMED CT opioid disorder or withdrawal, a current OTP; remission codes
count together with a product. Z79.891 and an overdose are not evidence; an overdose without MOUD is a
review of its own.

``Triage.pending`` tells whether a ``review`` still waits: while the visit is open its messages are
``waiting``, because a drug or a diagnosis may follow; when it ends they become ``review``. The outcome
itself does not depend on whether the visit has ended. Reasons hold no value of any message.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from re import Pattern
from re import compile as regex
from typing import Final, Literal

from schemas.codes import tables
from schemas.discharge import Circumstances, Coding, Diagnosis, Dose, Product
from schemas.facts import Facts, GivenDose, Order, Supply, VisitRecord

Outcome = Literal["referral", "review", "not-ours"]
TriageClass = Literal["daily", "lai", "needs-dx", "hint", "doubtful", "not-oud", "rescue"]
Evidence = Literal["oud-diagnosis", "remission", "current-otp"]

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
class Drug:
    """What a product is. ``clock_class`` is that of ``rxnorm.csv``; ``by`` says how it is known."""

    drug: str
    triage_class: TriageClass
    clock_class: str
    by: Literal["rxnorm", "ndc", "text"]


@dataclass(frozen=True, slots=True)
class Moud:
    """The product that carries the verdict, as the newest fact about it names it."""

    product: Product
    drug: str
    triage_class: TriageClass
    clock_class: str
    by: Literal["rxnorm", "ndc", "text"]


@dataclass(frozen=True, slots=True)
class Triage:
    """The verdict on a visit. ``pending``: a review that waits because the visit is still open."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    pending: bool = False
    product: Moud | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class _Mention:
    """One fact about a product: how strongly it counts, and when."""

    drug: Drug
    product: Product
    given_at: datetime | None
    at: datetime


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_OUD_ROLES: Final = ("oud-", "opioid-use-unspecified", "withdrawal")
_NAMES: Final = (
    (regex(r"\b(?:butrans|belbuca|buprenex|simbadol|zorbium)"), "not-oud"),
    (regex(r"\b(?:brixadi|sublocade|suboxone|subutex|zubsolv|bunavail|probuphine|bupreno)"), "buprenorphine"),
    (regex(r"\b(?:methadon|methados|dolophine|diskets)"), "methadone"),
    (regex(r"\b(?:naltrex|vivitrol|revia\b)"), "naltrexone"),
    (regex(r"\b(?:naloxone|narcan|kloxxado|zimhi|rextovy|evzio)"), "rescue"),
)
_DOUBTFUL: Final = {
    "buprenorphine": regex(r"transdermal|\bpatch|\bmcg|microgram|0\.3 ?mg/ml|veterinar|^(?!.*nalox).*buccal"),
    "methadone": regex(r"\bpain\b|analges"),
    "naltrexone": regex(r"contrave|bupropion"),
}
_CLOCKS: Final[dict[str, tuple[tuple[Pattern[str], str], ...]]] = {
    "buprenorphine": (
        (regex(r"probuphine|implant"), "implant"),
        (regex(r"sublocade"), "bup-lai-monthly-sublocade"),
        (
            regex(r"^(?=.*(?:brixadi|inject|syringe|extended|depot))(?=.*(?:monthly|\b356\b))"),
            "bup-lai-monthly-brixadi",
        ),
        (regex(r"^(?=.*(?:inject|syringe|extended|depot))(?=.*\b[13]00 ?mg)"), "bup-lai-monthly-sublocade"),
        # Weekly or monthly unknown counts as weekly: the earlier next dose is the safe one.
        (regex(r"brixadi|inject|syringe|extended|depot"), "bup-lai-weekly-brixadi"),
        (regex(""), "bup-daily"),
    ),
    "methadone": ((regex(""), "methadone-daily"),),
    "naltrexone": (
        (regex(r"vivitrol|\bxr\b|\ber\b|extended|inject|depot|microsph|\b380\b"), "xr-ntx"),
        (regex(""), "ntx-oral-daily"),
    ),
}
_OUD_TEXT: Final = regex(
    r"(?:opioid|opiate|heroin|fentanyl).*(?:use disorder|dependen|abuse|addict|withdrawal)|\boud\b"
)


def classify(product: Product) -> Drug | None:
    """What a product is, or None where it is none of our drugs.

    RxNorm decides, whichever of the codes carries it; else an NDC or the text gives a hint.
    """
    return _classify(_key(product), tuple([_key(other) for other in product.alternates]))


def _key(coding: Coding) -> tuple[str | None, str, str | None]:
    return coding.system, coding.code, coding.display


@lru_cache(maxsize=4096)
def _classify(
    first: tuple[str | None, str, str | None], others: tuple[tuple[str | None, str, str | None], ...]
) -> Drug | None:
    codings = (first, *others)
    for system, code, _ in codings:
        row = tables.drug(system, code)
        if row is not None:
            return Drug(row.drug, _table_class(row.triage_class), row.clock_class, "rxnorm")
    parts = (part for _, code, display in codings for part in (display, code) if part)
    text = " ".join(" ".join(parts).lower().split())
    by_text = _by_text(text)
    for system, code, _ in codings:
        hint = tables.ndc_hint(system, code)
        if hint is not None:
            clock = by_text.clock_class if by_text is not None and by_text.drug == hint.drug else hint.clock_class
            return Drug(hint.drug, "hint", clock, "ndc")
    return by_text


def _table_class(name: str) -> TriageClass:
    known: dict[str, TriageClass] = {
        "daily": "daily",
        "lai": "lai",
        "needs-dx": "needs-dx",
        "not-oud": "not-oud",
        "rescue": "rescue",
    }
    return known[name]


def _by_text(text: str) -> Drug | None:
    name = next((name for pattern, name in _NAMES if pattern.search(text)), None)
    if name is None:
        return None
    if name == "not-oud":
        return Drug("buprenorphine", "not-oud", "none", "text")
    if name == "rescue":
        return Drug("naloxone", "rescue", "none", "text")
    clock = next(clock for pattern, clock in _CLOCKS[name] if pattern.search(text))
    return Drug(name, "doubtful" if _DOUBTFUL[name].search(text) else "hint", clock, "text")


def is_given(dose: Dose) -> bool:
    """Whether a dose really went into the person: not held, refused, taken back or of amount zero."""
    if dose.held or dose.amount == 0:
        return False
    return not isinstance(dose, GivenDose) or (not dose.deleted and dose.outcome in ("complete", "partial"))


def moment(dose: Dose, fallback: datetime) -> datetime:
    """The instant of a dose. A day without time is its first moment, in the zone of ``fallback``."""
    if isinstance(dose.at, datetime):
        return dose.at
    return datetime.combine(dose.at, time.min, tzinfo=fallback.tzinfo)


@dataclass(frozen=True, slots=True)
class _Diagnosed:
    """What the diagnoses and circumstances say."""

    evidence: tuple[Evidence, ...]
    overdose: bool
    weak: tuple[str, ...]
    """Reason codes of what is neither evidence nor nothing."""

    @property
    def oud(self) -> bool:
        return bool(self.evidence)

    @property
    def f11(self) -> bool:
        return "oud-diagnosis" in self.evidence or "remission" in self.evidence or bool(self.weak)


_NOTHING_DIAGNOSED: Final = _Diagnosed((), overdose=False, weak=())


def _diagnosed(diagnoses: Iterable[Diagnosis], circumstances: Circumstances | None) -> _Diagnosed:
    found = {_role(diagnosis) for diagnosis in diagnoses}
    if circumstances is not None:
        if circumstances.current_otp is not None:
            found.add("current-otp")
        if circumstances.clinical.overdose_this_visit is True:
            found.add("overdose")
    found.discard(None)
    if not found:
        return _NOTHING_DIAGNOSED
    kinds: tuple[Evidence, ...] = ("oud-diagnosis", "remission", "current-otp")
    weak = ("f11-not-billable", "f11-system-unknown", "diagnosis-text-only", "opioid-intoxication")
    return _Diagnosed(
        tuple(kind for kind in kinds if kind in found),
        "overdose" in found,
        tuple(code for code in weak if code in found),
    )


def _role(diagnosis: Diagnosis) -> str | None:
    return _role_of(diagnosis.system, diagnosis.code, diagnosis.display)


@lru_cache(maxsize=4096)
def _role_of(system: str | None, code: str, display: str | None) -> str | None:
    row = tables.diagnosis(system, code)
    if row is not None:
        return _role_in_triage(row)
    known = tables.system_of(system)
    if tables.dotted(code).startswith("F11") and known in (None, tables.ICD10CM):
        return "f11-system-unknown" if system and known is None else "f11-not-billable"
    if known == tables.ICD10CM:
        return None
    return "diagnosis-text-only" if display and _OUD_TEXT.search(display[:512].lower()) else None


def _role_in_triage(row: tables.DiagnosisRow) -> str | None:
    role = row.role
    if row.code.startswith("F11") and not row.billable:
        return "f11-not-billable"
    if role.endswith("-remission"):
        return "remission"
    if role.startswith(_OUD_ROLES):
        return "oud-diagnosis"
    if role == "intoxication":
        return "opioid-intoxication"
    return "overdose" if is_overdose(row) else None


def is_overdose(row: tables.DiagnosisRow) -> bool:
    """A current opioid overdose: poisoning (6th character 1-4) at the initial encounter (7th A), or the SNOMED role.

    Adverse effects, underdosing, sequelae and later encounters are none; T40.5 (cocaine) is not in the table.
    """
    if row.role == "overdose-poisoning":
        return True
    return row.role.startswith("poisoning-") and row.billable and row.code.endswith("A")


def current_overdose(diagnoses: Iterable[Diagnosis]) -> bool:
    """Whether a diagnosis says that an opioid overdose belongs to this visit."""
    return any(_role(diagnosis) == "overdose" for diagnosis in diagnoses)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The products of a visit (or of one message), apart by what they are worth."""

    standing: list[_Mention]
    """Ordered, given or supplied."""
    ungiven: list[_Mention]
    withdrawn: bool
    deleted: bool


def _seen(orders: Iterable[Order], doses: Iterable[GivenDose], supplies: Iterable[Supply]) -> _Seen:
    standing: list[_Mention] = []
    ungiven: list[_Mention] = []
    withdrawn = deleted = False
    for order in orders:
        drug = classify(order.product)
        if drug is None:
            continue
        if order.withdrawn:
            withdrawn = True
        else:
            standing.append(_Mention(drug, order.product, None, order.at))
    for dose in doses:
        drug = classify(dose.product)
        if drug is None:
            continue
        if dose.deleted:
            deleted = True
            continue
        at = moment(dose, dose.charted_at)
        given = is_given(dose)
        (standing if given else ungiven).append(_Mention(drug, dose.product, at if given else None, at))
    for supply in supplies:
        drug = classify(supply.product)
        if drug is not None and not supply.withdrawn:
            standing.append(_Mention(drug, supply.product, None, supply.at))
    return _Seen(standing, ungiven, withdrawn, deleted)


def _tier(drug: Drug, diagnosed: _Diagnosed) -> int:
    """3 = carries a referral, 2 = goes to review, 1 = not ours alone, 0 = rescue."""
    if drug.triage_class in ("daily", "lai"):
        return 3
    if drug.triage_class in ("needs-dx", "hint"):
        return 3 if diagnosed.oud else 2
    if drug.triage_class == "doubtful":
        return 2
    if drug.triage_class == "not-oud":
        return 2 if diagnosed.f11 else 1
    return 0


def _chosen(mentions: list[_Mention], diagnosed: _Diagnosed) -> tuple[int, _Mention] | None:
    """The mention that carries the verdict: highest tier, then the latest dose given, then the newest fact."""
    if not mentions:
        return None
    best = max(
        mentions,
        key=lambda mention: (
            _tier(mention.drug, diagnosed),
            mention.given_at or _NEVER,
            mention.at,
            mention.drug.triage_class,
            mention.product.code,
            mention.product.display or "",
        ),
    )
    return _tier(best.drug, diagnosed), best


def _product_reasons(drug: Drug, diagnosed: _Diagnosed) -> Iterator[str]:
    carried = _tier(drug, diagnosed) == 3
    if drug.triage_class in ("daily", "lai"):
        yield f"moud-{drug.triage_class}"
    elif drug.triage_class == "needs-dx":
        yield "needs-dx-with-evidence" if carried else "needs-dx-no-evidence"
    elif drug.triage_class == "hint":
        hint = "ndc-hint" if drug.by == "ndc" else "text-match"
        yield hint if carried else f"{hint}-only"
    else:
        yield "product-doubtful" if drug.triage_class == "doubtful" else "not-oud-with-f11"
    if "oud-diagnosis" in diagnosed.evidence or "current-otp" in diagnosed.evidence:
        yield "oud-evidence"
    if "remission" in diagnosed.evidence and drug.triage_class != "not-oud":
        yield "remission-with-moud"
    yield from diagnosed.weak
    if diagnosed.overdose and not diagnosed.oud:
        yield "overdose-not-evidence"


def _signal_reasons(seen: _Seen, diagnosed: _Diagnosed, circumstances: Circumstances | None) -> Iterator[str]:
    """What a human must look at although no product carries it."""
    if "oud-diagnosis" in diagnosed.evidence or "remission" in diagnosed.evidence:
        yield "bare-f11"
    if "current-otp" in diagnosed.evidence:
        yield "otp-without-product"
    yield from diagnosed.weak
    if diagnosed.overdose:
        yield "overdose-no-moud"
    if any(mention.drug.triage_class not in ("not-oud", "rescue") for mention in seen.ungiven):
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


def _judge(seen: _Seen, diagnosed: _Diagnosed, circumstances: Circumstances | None) -> Triage:
    chosen = _chosen(seen.standing, diagnosed)
    if chosen is not None and chosen[0] >= 2:
        tier, mention = chosen
        drug = mention.drug
        product = Moud(mention.product, drug.drug, drug.triage_class, drug.clock_class, drug.by)
        reasons = _reasons(_product_reasons(drug, diagnosed))
        return Triage("referral" if tier == 3 else "review", reasons, product=product, evidence=diagnosed.evidence)
    withdrawn = ["order-withdrawn"] if seen.withdrawn else []
    signals = [*_signal_reasons(seen, diagnosed, circumstances)]
    if signals:
        return Triage("review", _reasons(signals + withdrawn), evidence=diagnosed.evidence)
    nothing = [*_nothing_reasons(seen)]
    return Triage("not-ours", _reasons(nothing)) if nothing else _NO_SIGNAL


def judge(record: VisitRecord) -> Triage:
    """The verdict on all that is known of a visit.

    A withdrawn order counts for nothing, a discharge prescription is evidence of treatment, a dose
    counts when it was given; a dose that was only refused is for a human. Where the visit stands (ended,
    cancelled, died, custody) is not triage's matter but that of the services.
    """
    seen = _seen(record.orders.values(), record.doses.values(), record.supplies.values())
    diagnosed = _diagnosed(record.diagnoses.values(), record.circumstances)
    verdict = _judge(seen, diagnosed, record.circumstances)
    if record.unhandled_signal and verdict.outcome != "referral":
        kept = verdict.reasons if verdict.outcome == "review" else ()
        reasons = (*_reasons(["trigger-not-handled"]), *kept)
        return Triage("review", reasons, product=verdict.product, evidence=verdict.evidence)
    pending = verdict.outcome == "review" and record.ended_at is None and not record.cancelled
    if not pending:
        return verdict
    return Triage("review", verdict.reasons, pending=True, product=verdict.product, evidence=verdict.evidence)


def judge_message(facts: Facts) -> Triage:
    """The verdict on one message by itself; ``pending`` is False, since a message does not know its visit."""
    seen = _seen(facts.orders, facts.doses, facts.supplies)
    return _judge(seen, _diagnosed(facts.diagnoses, facts.circumstances), facts.circumstances)


def message_signal(facts: Facts, record: VisitRecord | None = None) -> bool:
    """Whether this one message carries a signal: it then waits for its visit, else it is not ours.

    With the ``record`` of its visit, a product that is not for opioid use disorder is a signal too where
    the visit already has an F11; without, a message is judged by nothing but itself.
    """
    if not (facts.diagnoses or facts.orders or facts.doses or facts.supplies or facts.circumstances):
        return False
    seen = _seen(facts.orders, facts.doses, facts.supplies)
    if _judge(seen, _diagnosed(facts.diagnoses, facts.circumstances), facts.circumstances).outcome != "not-ours":
        return True
    if record is None or not any(mention.drug.triage_class == "not-oud" for mention in seen.standing):
        return False
    return _diagnosed(record.diagnoses.values(), record.circumstances).f11
