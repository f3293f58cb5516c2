"""What a Subscription may ask for, and what is refused by name."""

from typing import Any

import pytest

from app.rules import filters, subscribing
from app.rules.subscribing import Premises, Terms, terms_of
from schemas.resources import subscription as words

TASK, REQUEST = words.TOPICS
OUT = Premises("https://hub.example.org/fhir/R4", frozenset({"rest-hook"}))
HERE = Premises("http://127.0.0.1:8000/fhir/R4", frozenset({"rest-hook", "email"}), loopback=True)
MAIL = Premises("https://hub.example.org/fhir/R4", frozenset({"rest-hook", "email"}))
HOOK = "https://partner.example.org/hook"


def subscription(channel: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    usual = {"type": "rest-hook", "endpoint": HOOK, "payload": "application/fhir+json"}
    return {"status": "requested", "criteria": TASK, "channel": {**usual, **(channel or {})}, **changed}


def agreed(resource: dict[str, Any], premises: Premises = OUT) -> Terms:
    verdict = terms_of(resource, premises)
    assert verdict.reasons == ()
    assert verdict.terms is not None
    return verdict.terms


def test_what_is_not_said_has_its_usual_value() -> None:
    terms = agreed(subscription())
    assert (terms.topic, terms.content, terms.timeout, terms.max_count, terms.heartbeat) == (
        "Task",
        "id-only",
        10,
        20,
        0,
    )


def test_all_that_is_said_is_taken() -> None:
    channel = {
        "header": ["X-Key: HTEST one two", "Authorization:Bearer x"],
        "_payload": {"extension": [{"url": words.CONTENT, "valueCode": "full-resource"}]},
        "extension": [
            {"url": words.HEARTBEAT, "valueUnsignedInt": 60},
            {"url": words.TIMEOUT, "valueUnsignedInt": 5},
            {"url": words.MAX_COUNT, "valuePositiveInt": 3},
        ],
    }
    terms = agreed(subscription(channel, criteria=REQUEST))
    assert (terms.topic, terms.content, terms.timeout, terms.max_count, terms.heartbeat) == (
        "ServiceRequest",
        "full-resource",
        5,
        3,
        60,
    )
    assert terms.headers == (("X-Key", "HTEST one two"), ("Authorization", "Bearer x"))


def test_terms_never_show_the_address_and_the_headers_in_text() -> None:
    terms = agreed(subscription({"header": ["X-Key: HTEST-secret"]}))
    assert "HTEST-secret" not in repr(terms)
    assert "partner.example.org" not in repr(terms)


def extension(url: str, **value: Any) -> dict[str, Any]:
    return {"extension": [{"url": url, **value}]}


REFUSED = [
    ("a query", subscription(criteria="Task?status=requested"), "Subscription.criteria"),
    ("a websocket", subscription({"type": "websocket"}), "Subscription.channel.type"),
    (
        "email without a mail server",
        subscription({"type": "email", "payload": "text/plain"}),
        "Subscription.channel.type",
    ),
    ("a channel of its own", subscription({"_type": extension(words.CHANNEL_TYPE)}), "Subscription.channel.type"),
    ("no endpoint", subscription({"endpoint": ""}), "Subscription.channel.endpoint"),
    ("http", subscription({"endpoint": "http://partner.example.org/"}), "Subscription.channel.endpoint"),
    ("another scheme", subscription({"endpoint": "ftp://partner.example.org/"}), "Subscription.channel.endpoint"),
    ("userinfo", subscription({"endpoint": "https://a:b@partner.example.org/"}), "Subscription.channel.endpoint"),
    ("an empty name", subscription({"endpoint": "https://@partner.example.org/"}), "Subscription.channel.endpoint"),
    ("a fragment", subscription({"endpoint": "https://partner.example.org/#x"}), "Subscription.channel.endpoint"),
    ("this machine", subscription({"endpoint": "https://127.0.0.1/"}), "Subscription.channel.endpoint"),
    ("a bad port", subscription({"endpoint": "https://partner.example.org:99999/"}), "Subscription.channel.endpoint"),
    ("a line break", subscription({"endpoint": "https://partner.example.org/\r\n"}), "Subscription.channel.endpoint"),
    ("XML", subscription({"payload": "application/fhir+xml"}), "Subscription.channel.payload"),
    ("no payload type", subscription({"payload": None}), "Subscription.channel.payload"),
    (
        "a level",
        subscription({"_payload": extension(words.CONTENT, valueCode="everything")}),
        "Subscription.channel.payload.extension[0].value",
    ),
    ("a header without colon", subscription({"header": ["X"]}), "Subscription.channel.header[0]"),
    ("a header of two lines", subscription({"header": ["X: a\r\nY: b"]}), "Subscription.channel.header[0]"),
    ("the host header", subscription({"header": ["A: b", "host: x"]}), "Subscription.channel.header[1]"),
    ("many headers", subscription({"header": ["A: b"] * 21}), "Subscription.channel.header"),
    ("a long timeout", subscription(extension(words.TIMEOUT, valueUnsignedInt=61)), "Subscription.channel"),
    ("a short heartbeat", subscription(extension(words.HEARTBEAT, valueUnsignedInt=1)), "Subscription.channel"),
    ("a count of another type", subscription(extension(words.MAX_COUNT, valueString="5")), "Subscription.channel"),
    ("an end", subscription(end="2030-01-01T00:00:00Z"), "Subscription.end"),
    (
        "a filter",
        subscription(_criteria=extension(words.FILTER, valueString="priority=stat")),
        "Subscription.criteria.extension[0].value",
    ),
]


@pytest.mark.parametrize(("resource", "path"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_it_is_refused_with_its_path(resource: dict[str, Any], path: str) -> None:
    verdict = terms_of(resource, OUT)
    assert verdict.terms is None
    assert [reason.path for reason in verdict.reasons] == [path]


def test_a_hub_on_this_machine_may_notify_this_machine_without_tls_and_nobody_else() -> None:
    assert agreed(subscription({"endpoint": "http://localhost:9/x"}), HERE).endpoint == "http://localhost:9/x"
    assert terms_of(subscription({"endpoint": "http://10.0.0.1/"}), HERE).terms is None


def test_an_e_mail_goes_to_one_address_and_says_nothing() -> None:
    mail = {"type": "email", "endpoint": "mailto:intake@partner.example.org", "payload": "text/plain"}
    assert agreed(subscription(mail), MAIL).content == "empty"
    for changed in (
        {"endpoint": "mailto:a@b.example.org,c@d.example.org"},
        {"endpoint": "mailto:a@b.example.org?subject=x"},
        {"endpoint": HOOK},
        {"payload": "application/fhir+json"},
        {"header": ["A: b"]},
        {"_payload": extension(words.CONTENT, valueCode="id-only")},
    ):
        assert terms_of(subscription({**mail, **changed}), MAIL).terms is None, changed


def read(*criteria: str, topic: str = "Task") -> filters.Filters:
    found, reasons = filters.read(criteria, topic, "https://hub.example.org/fhir/R4")
    assert reasons == ()
    return found


def test_filters_are_read_in_every_form() -> None:
    assert read("status=requested,accepted") == {"status": ["accepted", "requested"]}
    assert read("Task.status=requested") == {"status": ["requested"]}
    assert read("Task?status=requested&owner=Organization/a") == {"status": ["requested"], "owner": ["Organization/a"]}
    assert read("status:not=draft", "status:not=on-hold") == {"not_status": ["draft", "on-hold"]}
    assert read("code=fulfill,http://x|y") == {"code": ["fulfill|", "y|http://x"]}
    assert read("_id=a,b", topic="ServiceRequest") == {"id": ["a", "b"]}
    assert read("owner=https://hub.example.org/fhir/R4/Organization/a") == {"owner": ["Organization/a"]}
    assert "Organization/a" in read("owner=a")["owner"]


def test_a_repeated_filter_leaves_what_stands_in_each() -> None:
    assert read("status=requested,accepted", "status=accepted,failed") == {"status": ["accepted"]}
    day = 86_400_000_000
    assert read("_lastUpdated=gt1970-01-01", "_lastUpdated=ge1970-01-03") == {"from": 2 * day}
    assert read("_lastUpdated=lt1970-01-03", "_lastUpdated=le1970-01-01") == {"before": day}
    assert read("_lastUpdated=1970-01-02") == {"from": day, "before": 2 * day}


@pytest.mark.parametrize(
    "text",
    [
        *("", "status", "status=", "=x", "priority=stat", "status:missing=true", "owner:Organization=a"),
        *(
            "status=open",
            "_id=a",
            "owner=a/b/c",
            "owner=Medication/a",
            "code=|x",
            "code=x|",
            "_lastUpdated=soon",
        ),
        *("ServiceRequest.status=active", "ServiceRequest?status=active", "_lastUpdated=ne2020", "Patient.owner=a"),
    ],
)
def test_a_filter_that_can_not_be_kept_is_refused(text: str) -> None:
    found, (reason,) = filters.read([text], "Task", "https://hub.example.org/fhir/R4")
    assert found == {}
    assert reason.path == "Subscription.criteria.extension[0].value"


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    _, (reason,) = filters.read(["owner=Patient HTEST Secret"], "Task", "x")
    assert "HTEST" not in reason.text
    verdict = subscribing.terms_of(subscription({"endpoint": "http://htest-secret.example.org"}), OUT)
    assert "htest-secret" not in str(verdict)
