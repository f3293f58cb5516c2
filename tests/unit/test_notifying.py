"""What a subscriber is sent next, and when a failed attempt is made again."""

import ipaddress

import pytest

from app.core.addresses import is_public
from app.rules import notifying
from app.rules.notifying import PATIENCE, SECOND, Situation, asked_status, gives_up, next_step, pause

NOW = 1_000_000 * SECOND


def at(
    status: str, events: int = 0, delivered: int = 0, *, due: int = 0, sent: int = NOW, heartbeat: int = 0
) -> Situation:
    return Situation(status, events, delivered, due, sent, heartbeat)


@pytest.mark.parametrize(
    ("situation", "step"),
    [
        (at("requested", 3), "handshake"),
        (at("active", 3, 2), "events"),
        (at("active", 3, 3), "rest"),
        (at("active", 3, 2, due=NOW + 1), "rest"),
        (at("active", 3, 2, due=NOW), "events"),
        (at("active", sent=NOW - 60 * SECOND, heartbeat=60), "heartbeat"),
        (at("active", sent=NOW - 60 * SECOND + 1, heartbeat=60), "rest"),
        (at("active", 1, sent=NOW - 60 * SECOND, heartbeat=60), "events"),
        (at("error", 3, 2), "rest"),
        (at("off", 3, 2), "rest"),
    ],
)
def test_the_next_step(situation: Situation, step: notifying.Step) -> None:
    assert next_step(NOW, situation) == step


def test_pauses_double_up_to_an_hour_and_are_lengthened_by_chance() -> None:
    assert [pause(n, 0) // SECOND for n in (1, 2, 3, 4, 12, 13, 400)] == [1, 2, 4, 8, 2048, 3600, 3600]
    assert pause(3, 1) == 5 * SECOND
    assert pause(3, 0.5) == 4.5 * SECOND


def test_attempts_end_after_three_days() -> None:
    assert not gives_up(NOW, None)
    assert not gives_up(NOW, NOW - PATIENCE + 1)
    assert gives_up(NOW, NOW - PATIENCE)


def test_only_the_server_says_active_and_error() -> None:
    assert [asked_status(said) for said in ("requested", "active", "off", "error", "")] == [
        "requested",
        "requested",
        "off",
        None,
        None,
    ]


@pytest.mark.parametrize(
    "inside",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1"),
        *("64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::"),
    ],
)
def test_an_inner_address_is_not_public_in_any_spelling(inside: str) -> None:
    assert not is_public(ipaddress.ip_address(inside))


@pytest.mark.parametrize("outside", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_an_address_of_the_internet_is(outside: str) -> None:
    assert is_public(ipaddress.ip_address(outside))
