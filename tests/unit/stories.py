"""Visits told as facts, one function call a message: synthetic people, marked HTEST."""

from dataclasses import dataclass, field
from datetime import datetime

from fhir_mappings.visits.visit import merge
from schemas.codes.tables import ICD10CM, NDC, RXNORM
from schemas.discharge import (
    Coding,
    Diagnosis,
    Disposition,
    Identifier,
    Name,
    Patient,
    Product,
    VisitClass,
    VisitDetails,
)
from schemas.facts import FactKind, Facts, GivenDose, Order, Supply, VisitRecord

MRN = "urn:oid:2.16.840.1.113883.3.9999.11"
CSN = "urn:oid:2.16.840.1.113883.3.9999.12"
LOCAL = "urn:local:drugs"

FILM = Product(system=RXNORM, code="1010604", display="buprenorphine 8 MG / naloxone 2 MG Sublingual Film")
FILM4 = Product(system=RXNORM, code="1307056")
METHADONE = Product(system=RXNORM, code="991147", display="methadone hydrochloride 10 MG/ML Oral Solution")
METHADONE_TABLET = Product(system=RXNORM, code="864706")
SUBLOCADE = Product(system=RXNORM, code="1996192")
BRIXADI_NDC = Product(
    system=NDC,
    code="58284-224-01",
    display="BRIXADI 24 MG/0.48 ML WEEKLY SYRINGE",
    alternates=[Coding(system=LOCAL, code="NG10481", display="Brixadi weekly 24 mg/0.48 mL")],
)
BRIXADI_MONTHLY = Product(
    system=RXNORM, code="2639041", alternates=[Coding(system=LOCAL, code="RRBRXM96", display="Brixadi monthly")]
)
VIVITROL = Product(system=RXNORM, code="637213", display="naltrexone 380 MG Injection")
NALTREXONE = Product(system=RXNORM, code="1483744")
BELBUCA = Product(system=RXNORM, code="1716069", display="buprenorphine 0.45 MG Buccal Film")
BUTRANS = Product(system=RXNORM, code="904870")
NALOXONE = Product(system=RXNORM, code="1725059")
SUBOXONE_TEXT = Product(system=LOCAL, code="NF0099", display="SUBOXONE 8-2 FILM (NONFORMULARY)")
LISINOPRIL = Product(system=RXNORM, code="314076", display="lisinopril 10 MG Oral Tablet")


def at(text: str, offset: str = "-04:00") -> datetime:
    """``06-08 09:15`` as an instant of 2026."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}:00{offset}")


def dx(code: str, system: str | None = ICD10CM, display: str | None = None) -> Diagnosis:
    """A diagnosis."""
    return Diagnosis(system=system, code=code, display=display)


def mrn(value: str = "HTEST10001") -> Identifier:
    """A medical record number."""
    return Identifier(system=MRN, value=value, type="MR")


def person(number: str = "HTEST10001", given: str = "Sam") -> Patient:
    """A synthetic person."""
    return Patient(identifiers=[mrn(number)], name=Name(family="HTESTALDER", given=[given]), sex="male")


def stay(
    *,
    unit: str | None = "4W",
    left: datetime | None = None,
    disposition: Disposition | None = None,
    class_: VisitClass = "IMP",
) -> VisitDetails:
    """PV1."""
    csn = Identifier(system=CSN, value="88000037", type="VN")
    return VisitDetails(identifiers=[csn], class_=class_, unit=unit, discharged_at=left, disposition=disposition)


def facts(trigger: str, kind: FactKind, when: str, **more: object) -> Facts:
    """One message."""
    base: dict[str, object] = {"patient": person(), "visit": stay()}
    return Facts.model_validate({"trigger": trigger, "kind": kind, "at": at(when), **base, **more})


def admit(when: str, *codes: str) -> Facts:
    """ADT^A01."""
    return facts("ADT^A01", "admit", when, diagnoses=[dx(code) for code in codes])


def leave(when: str, left: str, *codes: str, disposition: Disposition | None = "home") -> Facts:
    """ADT^A03."""
    visit = stay(left=at(left), disposition=disposition)
    return facts("ADT^A03", "discharge", when, visit=visit, diagnoses=[dx(code) for code in codes])


def order(
    when: str,
    product: Product,
    interval: str | None = "PT24H",
    *,
    key: str = "O1",
    days: int | None = None,
    home: bool = False,
    withdrawn: bool = False,
) -> Facts:
    """RDE^O11."""
    one = Order(
        key=key, product=product, at=at(when), interval=interval, days=days, discharge=home, withdrawn=withdrawn
    )
    return facts("RDE^O11", "order", when, orders=[one])


def dose(
    when: str,
    given: str,
    product: Product,
    amount: float = 8,
    *,
    outcome: str = "complete",
    deleted: bool = False,
    offset: str = "-04:00",
) -> Facts:
    """RAS^O17."""
    one = GivenDose.model_validate(
        {
            "key": f"O1|{product.code}|{given}{offset}",
            "product": product,
            "charted_at": at(when, offset),
            "at": at(given, offset),
            "amount": amount,
            "unit": "mg",
            "outcome": outcome,
            "deleted": deleted,
        }
    )
    message = facts("RAS^O17", "dose", when, doses=[one])
    return message.model_copy(update={"at": at(when, offset)})


def supply(when: str, product: Product, days: int | None = 3, interval: str | None = "PT24H", key: str = "O2") -> Facts:
    """RDS^O13."""
    one = Supply(key=f"{key}|1", order=key, product=product, at=at(when), days=days, interval=interval)
    return facts("RDS^O13", "supply", when, supplies=[one])


def assembled(*messages: Facts) -> VisitRecord:
    """The record of messages in this order of arrival."""
    record: VisitRecord | None = None
    for message in messages:
        record = merge(record, message)
    assert record is not None
    return record


def both_ways(first: Facts, second: Facts) -> VisitRecord:
    """The record of two messages, which must not depend on which came first."""
    record = assembled(first, second)
    assert assembled(second, first) == record
    return record


@dataclass(frozen=True)
class Story:
    """Messages in sending order, and what must have come of them."""

    name: str
    messages: list[Facts]
    outcome: str
    states: list[str]
    clock: str | None = None
    last: datetime | None = None
    bridges: list[dict[str, object]] = field(default_factory=list)


def _merged_under_a_new_number() -> list[Facts]:
    old = {"patient": person("HTEST1TMP01")}
    new = {"patient": person("HTEST10029", "Solomon")}
    return [
        admit("06-06 03:00").model_copy(update=old),
        order("06-06 05:00", METHADONE).model_copy(update=old),
        dose("06-09 08:21", "06-09 08:15", METHADONE, 50).model_copy(update=old),
        facts("ADT^A40", "merge", "06-09 10:00", merged_identifiers=[mrn("HTEST1TMP01")]).model_copy(update=new),
        leave("06-09 12:05", "06-09 12:00", "F11.20").model_copy(update=new),
    ]


STORIES = [
    Story(
        "film with three days handed over at the bedside",
        [
            admit("06-06 10:00", "F11.20"),
            order("06-06 12:00", FILM),
            dose("06-08 09:21", "06-08 09:15", FILM),
            supply("06-08 13:40", FILM),
            leave("06-08 14:20", "06-08 14:10", "F11.20"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated"],
        "bup-daily",
        at("06-08 09:15"),
        [{"kind": "dispensed", "days": 3}],
    ),
    Story(
        "a discharge prescription whose fill is unknown",
        [
            admit("07-12 08:30", "F1120"),
            order("07-12 10:30", FILM),
            dose("07-14 09:06", "07-14 09:00", FILM),
            order("07-14 13:20", FILM, days=7, home=True, key="O2"),
            leave("07-14 14:05", "07-14 14:00", "F1120"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated"],
        "bup-daily",
        at("07-14 09:00"),
        [{"kind": "prescribed", "days": 7, "filled": "unknown"}],
    ),
    Story(
        "methadone concentrate, a dose charted in error and replaced",
        [
            admit("06-05 22:04"),
            order("06-06 08:00", METHADONE),
            dose("06-08 09:20", "06-08 09:15", METHADONE, 60),
            dose("06-08 09:40", "06-08 09:15", METHADONE, 60, deleted=True),
            dose("06-08 09:41", "06-08 08:30", METHADONE, 60),
            supply("06-08 12:30", METHADONE),
            leave("06-08 13:15", "06-08 13:05"),
        ],
        "referral",
        ["not-ours", "referral", "updated", "updated", "updated", "updated", "updated"],
        "methadone-daily",
        at("06-08 08:30"),
        [{"kind": "dispensed", "days": 3}],
    ),
    Story(
        "methadone tablets for pain",
        [
            admit("06-07 09:00", "Z79.891"),
            order("06-07 11:00", METHADONE_TABLET, "PT8H"),
            dose("06-09 08:06", "06-09 08:00", METHADONE_TABLET, 10),
            order("06-09 11:00", METHADONE_TABLET, "PT8H", key="O2", days=30, home=True),
            leave("06-09 12:20", "06-09 12:10", "Z79.891"),
        ],
        "review",
        ["not-ours", "review", "review", "review", "review"],
    ),
    Story(
        "first Sublocade",
        [
            admit("06-04 16:00", "F11.20"),
            order("06-04 18:00", SUBLOCADE, None),
            dose("06-09 14:06", "06-09 14:00", SUBLOCADE, 300),
            leave("06-09 16:30", "06-09 16:20", "F11.20"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated"],
        "bup-lai-monthly-sublocade",
        at("06-09 14:00"),
    ),
    Story(
        "weekly Brixadi by NDC beside F11.20",
        [
            admit("06-06 12:00", "F11.20"),
            order("06-06 14:00", BRIXADI_NDC, "P7D"),
            dose("06-08 10:06", "06-08 10:00", BRIXADI_NDC, 24),
            leave("06-10 12:10", "06-10 12:00", "F11.20"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated"],
        "bup-lai-weekly-brixadi",
        at("06-08 10:00"),
    ),
    Story(
        "monthly Brixadi by a mapped local code",
        [
            admit("07-12 20:15", "F1120"),
            order("07-12 22:15", BRIXADI_MONTHLY, None),
            dose("07-13 10:06", "07-13 10:00", BRIXADI_MONTHLY, 96),
            leave("07-13 14:05", "07-13 14:00", "F1120"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated"],
        "bup-lai-monthly-brixadi",
        at("07-13 10:00"),
    ),
    Story(
        "long-acting naltrexone with an alcohol diagnosis only",
        [
            facts("ADT^A01", "admit", "06-07 15:00", diagnoses=[dx("AUD-SEV", "urn:local:dx", "Alcohol use disorder")]),
            order("06-07 17:00", VIVITROL, None),
            dose("06-09 10:06", "06-09 10:00", VIVITROL, 380),
            leave("06-09 13:00", "06-09 12:50"),
        ],
        "review",
        ["not-ours", "review", "review", "review"],
    ),
    Story(
        "oral naltrexone with F11.20",
        [
            admit("07-13 09:00", "F1120"),
            order("07-13 11:00", NALTREXONE),
            dose("07-14 08:06", "07-14 08:00", NALTREXONE, 50),
            leave("07-14 11:05", "07-14 11:00", "F1120"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated"],
        "ntx-oral-daily",
        at("07-14 08:00"),
    ),
    Story(
        "Butrans",
        [
            admit("07-11 10:00"),
            order("07-11 12:00", BUTRANS, "P7D"),
            dose("07-13 09:06", "07-13 09:00", BUTRANS, 1),
            leave("07-14 13:00", "07-14 12:50"),
        ],
        "not-ours",
        ["not-ours"] * 4,
    ),
    Story(
        "Belbuca beside F11.20",
        [
            admit("06-07 18:00", "F11.20"),
            order("06-07 20:00", BELBUCA, "PT12H"),
            dose("06-09 08:36", "06-09 08:30", BELBUCA, 450),
            leave("06-09 15:00", "06-09 14:50", "F11.20"),
        ],
        "review",
        ["review"] * 4,
    ),
    Story(
        "naloxone beside a long-term opioid analgesic",
        [
            admit("07-13 08:02", "Z79891"),
            order("07-14 10:00", NALOXONE, None, home=True),
            leave("07-14 11:00", "07-14 10:50", "Z79891"),
        ],
        "not-ours",
        ["not-ours"] * 3,
    ),
    Story(
        "F11.20 without any drug",
        [admit("07-13 02:03", "F1120"), leave("07-14 09:30", "07-14 09:25", "F1120")],
        "review",
        ["review", "review"],
    ),
    Story(
        "an overdose without medication",
        [
            admit("07-14 01:12"),
            dose("07-14 01:30", "07-14 01:15", NALOXONE, 4),
            leave("07-14 06:40", "07-14 06:30", "T40411A"),
        ],
        "review",
        ["not-ours", "not-ours", "review"],
    ),
    Story(
        "remission on film, dispensed after the discharge",
        [
            admit("08-08 17:00", "F11.21"),
            order("08-08 19:00", FILM),
            dose("08-10 09:06", "08-10 09:00", FILM),
            leave("08-10 11:05", "08-10 11:00", "F11.21"),
            supply("08-10 13:35", FILM),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated"],
        "bup-daily",
        at("08-10 09:00"),
        [{"kind": "dispensed", "days": 3}],
    ),
    Story(
        "refused and held doses, then left against advice",
        [
            admit("06-07 20:00", "F11.20"),
            order("06-07 22:00", FILM),
            dose("06-08 09:06", "06-08 09:00", FILM),
            dose("06-09 09:10", "06-09 09:05", FILM, 0, outcome="refused"),
            dose("06-09 21:10", "06-09 21:00", FILM, 0, outcome="not-given"),
            leave("06-10 08:05", "06-10 08:00", "F11.20", disposition="aadvice"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated", "updated"],
        "bup-daily",
        at("06-08 09:00"),
    ),
    Story(
        "the second 01:30 of the night when clocks go back",
        [
            admit("10-30 23:05", "F11.23"),
            order("10-31 01:00", FILM),
            dose("10-31 01:34", "10-31 01:30", FILM),
            dose("11-01 01:36", "11-01 01:30", FILM, offset="-05:00"),
            leave("11-01 10:05", "11-01 10:00", "F11.23"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated"],
        "bup-daily",
        at("11-01 01:30", "-05:00"),
    ),
    Story(
        "nothing but a late dose after the discharge",
        [
            admit("07-13 10:03"),
            leave("07-14 11:00", "07-14 10:55"),
            dose("07-14 13:00", "07-14 09:00", FILM),
        ],
        "referral",
        ["not-ours", "not-ours", "referral"],
        "bup-daily",
        at("07-14 09:00"),
    ),
    Story(
        "a temporary number that is merged before the discharge",
        _merged_under_a_new_number(),
        "referral",
        ["not-ours", "referral", "updated", "updated", "updated"],
        "methadone-daily",
        at("06-09 08:15"),
    ),
    Story(
        "a stale discharge after the newer one",
        [
            admit("06-07 11:00", "F11.20"),
            order("06-07 13:00", FILM4),
            dose("06-09 09:06", "06-09 09:00", FILM4),
            leave("06-09 17:35", "06-09 17:30", "F11.20"),
            leave("06-09 15:05", "06-09 15:00", "F11.20"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated"],
        "bup-daily",
        at("06-09 09:00"),
    ),
    Story(
        "an order that is cancelled before any dose",
        [
            admit("07-13 10:04"),
            order("07-13 12:00", FILM),
            order("07-13 13:10", FILM, withdrawn=True),
            leave("07-14 10:05", "07-14 10:00"),
        ],
        "not-ours",
        ["not-ours", "referral", "updated", "updated"],
    ),
    Story(
        "methadone twice a day in pregnancy",
        [
            admit("06-05 09:05", "F11.20", "O99.320"),
            order("06-05 12:00", METHADONE, "PT12H"),
            dose("06-08 20:06", "06-08 20:00", METHADONE, 45),
            dose("06-09 08:04", "06-09 08:00", METHADONE, 45),
            supply("06-09 10:20", METHADONE, interval="PT12H"),
            leave("06-09 11:10", "06-09 11:00", "F11.20", "O99.320"),
        ],
        "referral",
        ["updated", "referral", "updated", "updated", "updated", "updated"],
        "methadone-daily",
        at("06-09 08:00"),
        [{"kind": "dispensed", "doses": 6}],
    ),
    Story(
        "a local code that only its text explains",
        [
            admit("07-13 06:02"),
            order("07-13 09:00", SUBOXONE_TEXT),
            dose("07-14 09:02", "07-14 09:00", SUBOXONE_TEXT, 16),
            leave("07-14 10:30", "07-14 10:25"),
        ],
        "review",
        ["not-ours", "review", "review", "review"],
    ),
]
