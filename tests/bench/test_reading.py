from tests.bench import reading


def test_an_unrelated_message_is_read_and_carries_no_signal() -> None:
    data = reading.unrelated(1)
    assert data.count(b"\r") == 12
    assert not reading.reader_and_triage(data)
    assert not reading.full_reading(data)
    oud = data.replace(b"I10^Essential hypertension", b"F11.20^Opioid dependence")
    assert reading.reader_and_triage(oud)
    assert reading.full_reading(oud)


def test_every_figure_is_measured() -> None:
    figures = reading.measured(count=50)
    assert set(figures) == {"parse", "reader and triage", "full reading", "split a batch of 1000"}
    assert 0 < figures["parse"] < figures["reader and triage"] < figures["full reading"]
