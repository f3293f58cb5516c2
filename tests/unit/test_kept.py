import pytest

from app.services.reading.kept import Answer, Kept, Question

KB = 1024


def question(query: str = "status=requested", organization: str = "a", client: str = "c") -> Question:
    return Question(organization, client, "Task", query.encode(), lenient=False)


def answer(size: int = 10) -> Answer:
    return Answer(b"x" * size, "tag")


def test_an_answer_is_found_for_the_same_question_and_the_same_state() -> None:
    kept = Kept()
    given = answer()
    kept.keep(question(), given, 7, None)
    assert kept.find(question(), 7, 0) is given
    assert kept.find(question(), 8, 0) is None
    assert kept.find(question(), 6, 0) is None


@pytest.mark.parametrize(
    "other",
    [
        question("status=accepted"),
        question(organization="b"),
        question(client="d"),
        question()._replace(type="Patient"),
        question()._replace(lenient=True),
    ],
)
def test_another_question_or_another_asker_finds_nothing(other: Question) -> None:
    kept = Kept()
    kept.keep(question(), answer(), 7, None)
    assert kept.find(other, 7, 0) is None


def test_an_answer_ends_when_the_first_of_what_it_shows_does() -> None:
    kept = Kept()
    kept.keep(question(), answer(), 7, 1000)
    assert kept.find(question(), 7, 999) is not None
    assert kept.find(question(), 7, 1000) is None


def test_a_newer_answer_takes_the_place_of_the_older_one() -> None:
    kept = Kept()
    kept.keep(question(), answer(5 * KB), 7, None)
    before = kept.size
    kept.keep(question(), answer(3 * KB), 8, None)
    assert kept.find(question(), 7, 0) is None
    assert kept.find(question(), 8, 0) is not None
    assert kept.size == before - 2 * KB


def test_bytes_are_bounded_and_what_was_asked_for_longest_ago_goes_first() -> None:
    kept = Kept(limit=10 * KB)
    for n in range(3):
        kept.keep(question(str(n)), answer(2 * KB), 1, None)
    assert kept.find(question("0"), 1, 0) is not None
    kept.keep(question("3"), answer(2 * KB), 1, None)
    assert [kept.find(question(str(n)), 1, 0) is not None for n in range(4)] == [True, False, True, True]
    for n in range(1000):
        kept.keep(question(f"more-{n}"), answer(n), 1, None)
        assert kept.size <= 10 * KB


def test_many_small_answers_do_not_pass_as_nothing() -> None:
    kept = Kept(limit=10 * KB)
    for n in range(100):
        kept.keep(question(str(n)), answer(0), 1, None)
    assert sum(kept.find(question(str(n)), 1, 0) is not None for n in range(100)) < 10


def test_a_large_answer_is_not_kept_and_drives_nothing_out() -> None:
    kept = Kept(limit=10 * KB, largest=5 * KB)
    kept.keep(question("0"), answer(KB), 1, None)
    kept.keep(question("1"), answer(5 * KB), 1, None)
    assert kept.find(question("1"), 1, 0) is None
    assert kept.find(question("0"), 1, 0) is not None


def test_a_large_answer_still_takes_away_the_older_one_to_the_same_question() -> None:
    kept = Kept(largest=5 * KB)
    kept.keep(question(), answer(KB), 1, None)
    kept.keep(question(), answer(5 * KB), 2, None)
    assert kept.find(question(), 1, 0) is None
    assert kept.size == 0
