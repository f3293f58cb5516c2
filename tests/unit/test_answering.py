"""What of a source Task its hospital is told, and what not."""

from ipaddress import ip_network
from typing import Any

import pytest

from app.core.addresses import Network
from app.rules.answering import as_it_stands, is_news, outcomes_of, partner_of, progress_of
from app.rules.receivers import receiver_reasons
from schemas.codes.local import BUSINESS_STATUS, CODES, OUTCOME, PROGRESS, STATUS_REASON, concept
from tests.unit.lifecycle_tasks import task as source

Task = dict[str, Any]


def child(resource_id: str, status: str) -> Task:
    return source(status, id=resource_id, partOf=[{"reference": "Task/t1"}])


def output(code: str) -> list[Task]:
    return [{"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, code)}]


def of_source(status: str, **more: Any) -> Task:
    return {**source(status), **more}


def business(code: str) -> Task:
    return {"businessStatus": concept(BUSINESS_STATUS, code)}


def told(task: Task, partner: Task | None = None, *, covered: bool = True) -> str | None:
    found = progress_of(task, partner, covered=covered)
    return None if found is None else found.code


ENGAGED = child("c1", "accepted")
ENDED = {**child("c1", "cancelled"), "statusReason": {"text": "HTEST gave the bed away"}}
ROWS = [
    # the source, what the hospital is told with and without a consent for the way back, whether nothing follows
    (of_source("draft"), None, None, False),
    (of_source("requested"), "asked", "asked", False),
    (of_source("requested", **business("needs-a-person")), "needs-a-person", "needs-a-person", False),
    (of_source("requested", **business("consent-needed")), "consent-needed", "consent-needed", False),
    (of_source("requested", **business("route-needed")), "route-needed", "route-needed", False),
    (of_source("requested", **business("fallback-chosen")), None, None, False),
    (of_source("accepted"), "accepted", "accepted", False),
    (of_source("in-progress"), "in-progress", "accepted", False),
    (of_source("in-progress", output=output("arrived")), "arrived", "accepted", False),
    (of_source("on-hold", statusReason={"text": "x"}), "on-hold", "accepted", False),
    (of_source("completed", output=output("first-dose-given")), "first-dose-given", "closed", True),
    (of_source("completed", output=output("arrived")), "arrived", "closed", True),
    (of_source("completed", output=output("service-given")), "completed", "closed", True),
    (of_source("completed", output=[{"type": {"text": "x"}, "valueString": "y"}]), "completed", "closed", True),
    *((of_source("completed", output=output(code)), "not-seen", "closed", True)
      for code in ("no-show", "not-reached", "declined-by-person")),
    (of_source("failed", statusReason={"text": "x"}), "not-seen", "closed", True),
    (of_source("failed", output=output("arrived")), "arrived", "closed", True),
    (of_source("completed", **business("closed")), "closed", "closed", True),
    (of_source("in-progress", **business("consent-withdrawn")), "consent-withdrawn", "consent-withdrawn", False),
    (of_source("entered-in-error"), None, None, False),
]  # fmt: skip


@pytest.mark.parametrize(("task", "covered", "uncovered", "final"), ROWS)
def test_a_referral_is_told_as_far_as_the_way_back_is_covered(
    task: Task, covered: str | None, uncovered: str | None, *, final: bool
) -> None:
    assert told(task, ENGAGED) == covered
    assert told(task, ENGAGED, covered=False) == uncovered
    if covered is not None:
        found = progress_of(task, ENGAGED, covered=True)
        assert found is not None
        assert found.final == final


def test_what_may_not_be_told_is_not_in_what_is_told_from() -> None:
    task = of_source("completed", output=output("first-dose-given"), statusReason={"text": "x"}, note=[{"text": "y"}])
    found = progress_of(task, ENGAGED, covered=False)
    assert found is not None
    assert not {"output", "statusReason", "note", "businessStatus"} & found.task.keys()


def test_an_end_is_told_where_the_partner_brought_it_about() -> None:
    task = of_source("cancelled", statusReason=ENDED["statusReason"])
    assert partner_of(task, [child("c0", "rejected"), ENDED]) == ENDED
    assert told(task, ENDED) == "not-seen"
    assert told(task, ENDED, covered=False) == "closed"


@pytest.mark.parametrize(
    "code", ["discharge-cancelled", "visit-cancelled", "admitted", "order-withdrawn", "died", "withdrawn", "duplicate"]
)
def test_an_end_that_the_hospital_brought_about_is_not_told(code: str) -> None:
    reason = concept(STATUS_REASON, code)
    task = of_source("cancelled", statusReason=reason)
    assert told(task, None) is None
    assert told(task, {**child("c1", "cancelled"), "statusReason": reason}) is None


def test_an_end_in_the_hospitals_own_words_is_not_told() -> None:
    task = of_source("cancelled", statusReason={"text": "HTEST not needed"})
    lost = {**child("c1", "cancelled"), "statusReason": concept(STATUS_REASON, "withdrawn")}
    assert partner_of(task, [lost]) is None
    assert told(task, None) is None


def test_whoever_accepted_is_found_among_those_who_were_asked() -> None:
    working, failed = child("c2", "in-progress"), child("c3", "failed")
    assert partner_of(source("in-progress"), [child("c1", "rejected"), failed, working]) == working
    assert partner_of(source("failed"), [child("c1", "rejected"), failed]) == failed
    assert partner_of(source("requested"), [child("c1", "requested")]) is None


def test_a_place_that_was_lost_is_told_of_who_lost_it_also_after_the_next_has_accepted() -> None:
    """An answer that waits for its receiver is written late, from a version that was before."""
    reason = {"statusReason": {"text": "HTEST gave the bed away"}}
    gone, working, paused = child("c1", "failed") | reason, child("c2", "in-progress"), child("c3", "on-hold")
    lost = of_source("on-hold", **reason)
    assert partner_of(lost, [working, gone]) == gone
    assert told(lost, gone) == "not-seen"
    assert partner_of(lost, [paused | {"statusReason": {"text": "HTEST flood"}}, gone]) == gone
    assert partner_of(lost, [gone, paused | reason]) == paused | reason
    assert partner_of(of_source("on-hold"), [working]) == working


def test_who_was_asked_later_is_not_whom_an_earlier_version_tells_of() -> None:
    gone, working = child("c1", "failed"), child("c2", "in-progress") | {"authoredOn": "2026-06-08T14:30:01+00:00"}
    before = of_source("accepted", lastModified="2026-06-08T14:30:00.999Z")
    assert partner_of(before, [working, gone]) == gone
    assert partner_of(before | {"lastModified": "2026-06-08T10:30:01-04:00"}, [working, gone]) == working


def test_what_an_earlier_partner_said_is_not_said_of_who_has_accepted_since() -> None:
    gone = {**child("c1", "failed"), "output": output("no-show")}
    working = child("c2", "in-progress")
    task = of_source("in-progress", output=[*output("no-show"), {"type": {"text": "x"}, "valueString": "own"}])
    assert as_it_stands(task, working, [gone, working])["output"] == task["output"][1:]
    assert told(as_it_stands(task, working, [gone, working]), working) == "in-progress"
    missed = {**working, "output": output("no-show")}
    assert told(as_it_stands(task, missed, [gone, missed]), missed) == "not-seen", "in the same words"
    for partner in (None, gone):
        assert as_it_stands(task, partner, [gone]) == task


def test_news_is_what_was_not_told_before() -> None:
    accepted, asked, seen = (
        progress_of(task, ENGAGED, covered=True)
        for task in (source("accepted"), source("requested"), of_source("completed", output=output("first-dose-given")))
    )
    assert accepted is not None
    assert asked is not None
    assert seen is not None
    assert is_news(accepted, None, "all")
    assert not is_news(accepted, "accepted", "all")
    assert not is_news(asked, None, "all"), "that a partner is asked is no news"
    assert is_news(asked, "needs-a-person", "all"), "unless nobody was"
    assert not is_news(accepted, None, "two")
    assert is_news(seen, None, "two")
    assert is_news(seen, "not-seen", "two")
    lost = progress_of(of_source("failed"), ENGAGED, covered=True)
    assert lost is not None
    assert is_news(lost, "first-dose-given", "all")
    assert not is_news(lost, "first-dose-given", "two"), "two messages at most"


def test_an_outcome_is_read_from_type_or_value_and_from_nothing_else() -> None:
    other = {"coding": [{"system": "urn:other", "code": "first-dose-given"}]}
    assert outcomes_of({"output": [{"type": concept(OUTCOME, "arrived"), "valueString": "x"}]}) == {"arrived"}
    assert outcomes_of({"output": [{"type": other, "valueCodeableConcept": other}]}) == set()
    assert outcomes_of({"output": output("no-show")}) == {"no-show"}
    assert outcomes_of({}) == set()


def test_every_code_of_progress_is_told_by_something() -> None:
    every = {code for _, *codes, _ in ROWS for code in codes if isinstance(code, str)}
    assert every == set(CODES[PROGRESS])


# ---- where answers may go


def against(address: str, *, loopback: bool = False, networks: tuple[Network, ...] = ()) -> list[str]:
    return [one.text for one in receiver_reasons(address, "answers.to", loopback=loopback, networks=networks)]


INSIDE = (ip_network("10.20.0.0/16"),)


@pytest.mark.parametrize(
    ("address", "loopback", "inside", "allowed"),
    [
        ("mllps://engine.example.org:6661", False, False, True),
        ("mllp://engine.example.org:6661", False, False, False),
        ("mllp://engine.example.org:6661", False, True, True),
        ("mllps://93.184.215.14:6661", False, False, True),
        ("mllp://93.184.215.14:6661", False, True, False),
        ("mllp://10.20.1.2:6661", False, True, True),
        ("mllps://10.20.1.2:6661", False, False, False),
        ("mllps://10.99.1.2:6661", False, True, False),
        ("mllp://127.0.0.1:6661", True, False, True),
        ("mllp://localhost:6661", True, False, True),
        ("mllps://127.0.0.1:6661", False, True, False),
        ("mllps://0x7f.1:6661", False, True, False),
        ("mllps://[::1]:6661", False, True, False),
        ("mllps://169.254.169.254:80", False, False, False),
    ],
)
def test_a_receiver_is_where_the_hub_may_speak_to(address: str, *, loopback: bool, inside: bool, allowed: bool) -> None:
    assert (against(address, loopback=loopback, networks=INSIDE if inside else ()) == []) == allowed
