"""Labels that clients send: what is said, what is lost, what comes of several."""

import pytest

from app.rules.labelling import Resource, labelled, lost, stated, united
from fhir_mappings.labels import Labels, security

R: Resource = {"system": "urn:c", "code": "R"}
GROUNDED = {**R, "extension": [{"url": "urn:basis", "valueCode": "x"}]}
ETH: Resource = {"system": "urn:a", "code": "ETH"}


def task(*labels: Resource) -> Resource:
    return {"resourceType": "Task", "meta": {"versionId": "1", "security": [*labels]}}


@pytest.mark.parametrize("meta", [{"versionId": "3"}, {"versionId": "3", "lastUpdated": "2026-06-05T14:00:00Z"}])
def test_a_meta_that_only_names_a_version_says_nothing_of_the_labels(meta: Resource) -> None:
    assert stated({"meta": meta}) is None
    assert stated({}) is None


def test_a_meta_that_is_sent_back_without_labels_says_that_there_are_none() -> None:
    assert stated({"meta": {"versionId": "3", "profile": ["urn:p"]}}) == []
    assert stated(task(R)) == [R]


def test_labels_are_lost_by_their_codes() -> None:
    assert lost(task(R, ETH), task(R))
    assert lost(task(R), {"resourceType": "Task"})
    assert not lost(task(R), task(ETH, {**R, "display": "restricted"}))
    assert not lost({}, {})


def test_of_two_alike_the_one_with_its_ground_stays() -> None:
    assert united([R, ETH], [GROUNDED]) == [GROUNDED, ETH]
    assert united([GROUNDED], [R]) == [GROUNDED]


def test_a_resource_has_its_own_labels_and_at_least_those_of_what_it_is_about() -> None:
    bare = {"resourceType": "Procedure"}
    assert labelled(bare) is bare
    assert labelled(bare, [R], [ETH])["meta"] == {"security": [R, ETH]}
    own = {"resourceType": "Procedure", "meta": {"security": [ETH], "profile": ["urn:p"]}}
    assert labelled(own, [R])["meta"] == {"security": [ETH, R], "profile": ["urn:p"]}
    open_to_part2 = united(security(Labels(part2=False, test=True)), security(Labels(part2=True, test=False)))
    codes = [one["code"] for one in open_to_part2]
    assert codes == ["R", "OPIOIDUD", "ETH", "HTEST", "42CFRPart2", "NORDSCLCD", "PERSISTLABEL"]
    assert "extension" in open_to_part2[0]
