"""What a hospital and a partner can read after one example visit, and the facts that must not be there."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Resource = dict[str, Any]
Views = Mapping[str, list[Resource]]
_DIRECTORY = frozenset({"Organization", "HealthcareService", "Location"})
"""What tells of partners and of no person."""
LOCAL = "https://throughline.org/fhir/StructureDefinition"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def codes(concept: Resource) -> list[str]:
    return [coding["code"] for coding in concept.get("coding", [])]


def parts(value: object) -> Iterator[Resource]:
    """Every JSON object anywhere inside."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from parts(inner)


@dataclass(frozen=True)
class Seen:
    """One visit after its last message."""

    folder: Path
    expected: Resource
    acks: list[str]
    entries: list[Resource]
    """Ledger, in the order of the messages."""
    hospital: Views
    partner: Views
    histories: list[list[Resource]]
    """All versions of each source Task, newest first."""
    kept: Callable[[str], bool]
    """Whether the ledger still has the bytes of an entry."""

    # ---- the messages

    def segment(self, number: int, name: str) -> list[str]:
        """Fields of the first such segment of message ``number`` (from 1)."""
        data = self.messages[number - 1].replace("\n", "\r")
        return next(line for line in data.split("\r") if line.startswith(name + "|")).split("|")

    @property
    def messages(self) -> list[str]:
        return [path.read_bytes().decode() for path in sorted(self.folder.glob("*.hl7"))]

    # ---- the ledger

    @property
    def states(self) -> list[str]:
        return [entry["state"] for entry in self.entries]

    def reasons(self) -> set[str]:
        return {reason["code"] for entry in self.entries for reason in entry["reasons"]}

    # ---- the referral

    @property
    def sources(self) -> list[Resource]:
        """Source Tasks, oldest first."""
        own = [task for task in self.hospital["Task"] if "partOf" not in task]
        return sorted(own, key=lambda task: str(task["authoredOn"]))

    @property
    def source(self) -> Resource:
        return self.sources[-1]

    def coverage(self, task: Resource, name: str) -> list[str]:
        """Values of one part of the coverage extension."""
        outer = [one for one in task.get("extension", []) if one["url"] == f"{LOCAL}/coverage"]
        found = [part for one in outer for part in one["extension"] if part["url"] == name]
        return [str(value) for part in found for key, value in part.items() if key.startswith("value")]

    def covered(self) -> datetime | None:
        said = self.coverage(self.source, "coveredUntil")
        return utc(said[0]) if said else None

    def given(self) -> list[Resource]:
        """Doses that were given, the last one first."""
        doses = [one for one in self.hospital["MedicationAdministration"] if one["status"] == "completed"]
        return sorted(doses, key=lambda one: utc(one["effectiveDateTime"]), reverse=True)

    def last_dose(self) -> datetime | None:
        doses = self.given()
        return utc(doses[0]["effectiveDateTime"]) if doses else None

    def cover(self) -> timedelta:
        """From the last dose until the cover ends."""
        covered, last = self.covered(), self.last_dose()
        assert covered is not None
        assert last is not None
        return covered - last

    def bridges(self) -> list[Resource]:
        """Supplies and prescriptions in the words of the example set."""
        found: list[Resource] = []
        for one in self.hospital["MedicationDispense"]:
            amount = {"days": one.get("daysSupply", {}).get("value"), "doses": one.get("quantity", {}).get("value")}
            found.append({"kind": "dispensed"} | {key: value for key, value in amount.items() if value is not None})
        for one in self.hospital["MedicationRequest"]:
            if one["intent"] == "order":
                filled = next(e["valueCode"] for e in one["extension"] if e["url"] == f"{LOCAL}/supply-filled")
                days = one["dispenseRequest"]["expectedSupplyDuration"]["value"]
                found.append({"kind": "prescribed", "days": days, "filled": filled})
        return found

    def rxnorm(self) -> set[str]:
        """RxNorm codes of what was given, else of what was ordered."""
        told = self.given()[:1] or self.hospital["MedicationRequest"]
        codings = [coding for one in told for coding in one["medicationCodeableConcept"]["coding"]]
        return {coding["code"] for coding in codings if coding.get("system") == RXNORM}

    def statuses(self) -> set[str]:
        """Every status that a source Task ever had."""
        return {task["status"] for versions in self.histories for task in versions}

    def encounter(self) -> Resource:
        return self.hospital["Encounter"][-1]

    def discharge_code(self) -> list[str]:
        return codes(self.encounter()["hospitalization"]["dischargeDisposition"])

    def text(self) -> str:
        """All that anybody can read, as text."""
        return json.dumps([self.hospital, self.partner, self.entries], ensure_ascii=False)

    def disclosed(self) -> list[str]:
        """Types of what a partner can find, besides the directory."""
        return [name for name, found in self.partner.items() if found and name not in _DIRECTORY]


Check = Callable[[Seen], bool]
"""True when the fact is nowhere."""


def _no_referral(seen: Seen) -> bool:
    return not seen.sources and not seen.hospital["ServiceRequest"] and "referral" not in seen.states


def _nothing_disclosed(seen: Seen) -> bool:
    return not seen.disclosed()


def _one_source(seen: Seen) -> bool:
    return len(seen.sources) == 1 and seen.states.count("referral") == 1


def _not_covering(days: int) -> Check:
    return lambda seen: seen.cover() != timedelta(days=days)


def _cover_below(days: int) -> Check:
    return lambda seen: seen.cover() < timedelta(days=days)


def _no_reason(*unwanted: str) -> Check:
    return lambda seen: seen.reasons().isdisjoint(unwanted)


def _absent(*texts: str) -> Check:
    return lambda seen: not any(text in seen.text() for text in texts)


def _last_dose_is_not(start: str) -> Check:
    return lambda seen: (
        not any(
            start in moment
            for dose in seen.given()
            for moment in (dose["effectiveDateTime"], utc(dose["effectiveDateTime"]).strftime("%Y-%m-%dT%H:%M:%SZ"))
        )
    )


def _milligrams_as_sent(seen: Seen) -> bool:
    """Every amount in mg that anybody reads stands in a message as a field."""
    sent = {field for message in seen.messages for field in re.split(r"[|^~\r\n]", message)}
    amounts = [
        one for one in parts([seen.hospital, seen.partner]) if one.get("unit") == "mg" or one.get("code") == "mg"
    ]
    return all(f"{one['value']:g}" in sent for one in amounts)


def _no_other_dose(seen: Seen) -> bool:
    """No more doses than charted ones."""
    charted = sum(
        1 for m in seen.messages for line in re.split(r"[\r\n]", m) if line.startswith("RXA|") and "|CP|" in line
    )
    return len(seen.given()) <= charted


def _period_end_is_not(digits: str) -> Check:
    """``digits``: hours and minutes of the encounter's own wall clock."""
    return lambda seen: digits not in seen.encounter()["period"].get("end", "")


def _end_is_not_admission(seen: Seen) -> bool:
    sent = seen.segment(1, "MSH")[6][:12]
    end = seen.encounter()["period"]["end"]
    return re.sub(r"[-T:]", "", end)[:12] != sent


def _timing_not(period: int, unit: str) -> Check:
    def check(seen: Seen) -> bool:
        repeats = [one["repeat"] for one in parts(seen.hospital["MedicationRequest"]) if "repeat" in one]
        return not any((r.get("period"), r.get("periodUnit")) == (period, unit) for r in repeats)

    return check


def _next_due_is_not(delta: timedelta) -> Check:
    def check(seen: Seen) -> bool:
        last = seen.last_dose()
        return last is not None and last + delta not in [utc(t) for t in seen.coverage(seen.source, "nextDue")]

    return check


def _ever(status: str) -> Check:
    return lambda seen: status not in seen.statuses()


def _status(*wanted: str) -> Check:
    return lambda seen: seen.source["status"] in wanted


def _state_of_last(*unwanted: str) -> Check:
    return lambda seen: seen.states[-1] not in unwanted


def _never_opened_again(seen: Seen) -> bool:
    """Once cancelled, a Task has no other status in any later version."""
    statuses = [[task["status"] for task in reversed(versions)] for versions in seen.histories]
    after = [line[line.index("cancelled") :] for line in statuses if "cancelled" in line]
    return bool(after) and all(set(line) == {"cancelled"} for line in after)


def _one_patient(seen: Seen) -> bool:
    return len(seen.hospital["Patient"]) == 1 and _one_source(seen)


def _surviving_number(seen: Seen) -> bool:
    temporary = seen.segment(4, "MRG")[1].partition("^")[0]
    current = [one for one in seen.hospital["Patient"][0]["identifier"] if one.get("use") != "old"]
    return temporary not in [one["value"] for one in current]


def _no_other_person(seen: Seen) -> bool:
    """Nothing of the first message's patient in any resource."""
    person = seen.segment(1, "PID")
    values = [person[3].partition("^")[0], person[5].partition("^")[0], person[7]]
    shown = json.dumps([seen.hospital, seen.partner], ensure_ascii=False)
    return not any(value in shown for value in values if value)


def _no_bytes_of_not_ours(seen: Seen) -> bool:
    return not any(seen.kept(entry["id"]) for entry in seen.entries if entry["state"] == "not-ours")


def _not_reachable(seen: Seen) -> bool:
    return not any(key in person for person in seen.hospital["Patient"] for key in ("address", "telecom"))


def _received_ndc(seen: Seen) -> bool:
    """The code as it was sent, and none of its other spellings."""
    spellings = ["5828422401", "58284022401", "58284-0224-01", "5828-4224-01"]
    return "58284-224-01" in seen.text() and _absent(*spellings)(seen)


def _joined(*checks: Check) -> Check:
    return lambda seen: all(check(seen) for check in checks)


DAY = timedelta(days=1)
NOT: dict[str, Check] = {
    "a bridge of 6 days (6 is the number of films)": lambda seen: 6 not in [b.get("days") for b in seen.bridges()],
    "the A01 time as discharge time": _end_is_not_admission,
    "a milligram computed by the hub": _milligrams_as_sent,
    "covered_until counting the 7 prescribed days": _cover_below(2),
    "the discharge prescription as an administered dose": _no_other_dose,
    "source Task on-hold or suppressed because of the nursing facility": _joined(
        _ever("on-hold"), _status("requested")
    ),
    "disposition home": lambda seen: seen.discharge_code() != ["home"],
    "last dose 09:15": lambda seen: "T09:15" not in seen.given()[0]["effectiveDateTime"],
    "a diagnosis of opioid use disorder (none was sent)": lambda seen: not seen.hospital["Condition"],
    "covered_until counting any of the 7 prescribed days": _cover_below(2),
    "the alarm as a reason to drop the referral": _status("requested"),
    "an automatic referral": _no_referral,
    "Z79.891 as OUD evidence": _no_reason("oud-evidence"),
    "methadone-rx-at-discharge": _absent("methadone-rx-at-discharge"),
    "a child Task or any disclosure": _nothing_disclosed,
    "a child Task or a disclosure": _nothing_disclosed,
    "cover of one day": _not_covering(1),
    "a daily dose expected tomorrow": _joined(_next_due_is_not(DAY), _timing_not(24, "h"), _timing_not(1, "d")),
    "the monthly clock": _joined(_next_due_is_not(28 * DAY), _not_covering(35)),
    "NDC digits stripped or re-padded in place of the value as received": _received_ndc,
    "the weekly clock": _joined(_next_due_is_not(7 * DAY), _not_covering(9)),
    "a daylight saving shift": lambda seen: seen.cover().seconds == 0,
    "a tolerance added to 28 days": lambda seen: seen.cover() == 28 * DAY,
    "alcohol use disorder as OUD evidence": _no_reason("oud-evidence"),
    "a silent not-ours": _state_of_last("not-ours"),
    "the 28-day clock of the injection": _not_covering(28),
    "a referral": _no_referral,
    "a review item": lambda seen: "review" not in seen.states,
    "anything kept beyond ledger row and visit stub": _joined(_no_bytes_of_not_ours, _no_referral),
    "not-ours": _state_of_last("not-ours"),
    "naloxone counted as MOUD": _no_reason("moud-daily", "moud-long-acting"),
    "an automatic referral of moud-continuation": _no_referral,
    "remission as a reason for not-ours or review": lambda seen: {"not-ours", "review"}.isdisjoint(seen.states),
    "covered_until left at the value before the dispense": _not_covering(1),
    "a second referral for the dispense": _one_source,
    "last dose on 2026-06-09": _last_dose_is_not("2026-06-09"),
    "a referral suppressed by disposition 07": _status("requested"),
    "a child Task": _nothing_disclosed,
    "any notification outside": _nothing_disclosed,
    "a source Task in requested at any time": _ever("requested"),
    "any disclosure to a partner or a jail": _nothing_disclosed,
    "an invented address or phone": _not_reachable,
    "AE or review for the missing PID-11 or PID-13": lambda seen: "AE" not in seen.acks and "review" not in seen.states,
    "class IMP": lambda seen: seen.encounter()["class"]["code"] != "IMP",
    "a source Task in requested between the ED A03 and the inpatient A03": _one_source,
    "two requested source Tasks at the end": lambda seen: [t["status"] for t in seen.sources].count("requested") < 2,
    "last dose 2026-07-12": lambda seen: not str(seen.last_dose()).startswith("2026-07-12"),
    "last dose 2026-11-01T05:30:00Z (offset ignored)": lambda seen: seen.last_dose() != utc("2026-11-01T05:30:00Z"),
    "last dose plus 24 h taken from the first 01:30": lambda seen: seen.covered() != utc("2026-11-02T05:30:00Z"),
    "a visit invented from the dose message": lambda seen: len({entry["visit"] for entry in seen.entries}) == 1,
    "the dose message left waiting for ever": _state_of_last("waiting"),
    "not-ours for the dose message": _state_of_last("not-ours"),
    "the cancelled Task re-opened": _never_opened_again,
    "discharge time 11:00 in the new referral": _period_end_is_not("T11:00"),
    "a source Task in draft or requested after the A11": lambda seen: {"draft", "requested"}.isdisjoint(
        task["status"] for task in seen.sources
    ),
    "two patients or two referrals": _one_patient,
    "the temporary MRN as the current identifier": _surviving_number,
    "the dose lost": lambda seen: bool(seen.given()),
    "discharge time 06:00 as the current value": _period_end_is_not("T06:00"),
    "a second referral or notice from the duplicate": _one_source,
    "trigger-not-handled for the ORU": _no_reason("trigger-not-handled"),
    "a second referral": _one_source,
    "disposition home as the current value": lambda seen: seen.discharge_code() != ["home"],
    "duplicate for the second A03": _state_of_last("duplicate"),
    "duplicate": lambda seen: "duplicate" not in seen.states,
    "duplicate or AE for the A03": lambda seen: seen.states[-1] != "duplicate" and seen.acks[-1] == "AA",
    "any fact of the other patient in the referral": _no_other_person,
    "a dose": lambda seen: not seen.hospital["MedicationAdministration"],
    "a source Task in requested": _ever("requested"),
    "a daily clock (next dose 2026-06-10 08:00)": _next_due_is_not(DAY),
    "a daily total computed by the hub": _milligrams_as_sent,
    "six days of cover": _cover_below(6),
    "a guessed RxNorm code": _absent(RXNORM),
    "raw bytes kept of the not-ours ones": _no_bytes_of_not_ours,
}
"""Each phrase of ``not`` in an expected.json, as a check."""
