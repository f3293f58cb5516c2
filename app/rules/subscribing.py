"""What a Subscription asks for, and whether this hub can give it (the topic-based backport on FHIR R4).

What can't be given is refused by name: a topic, filter, channel or level that is not offered must not be taken
silently (backport, conformance of servers). A text here never repeats what was sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast
from urllib.parse import SplitResult, urlsplit

from app.core.addresses import Network, is_loopback, may_be_reached, written
from app.rules import filters
from app.rules.verdict import Reason, Verdict
from schemas.resources import subscription as words

Content = Literal["empty", "id-only", "full-resource"]
CONTENTS: Final = ("empty", "id-only", "full-resource")
EMAIL: Final = "email"
REST_HOOK: Final = "rest-hook"
FHIR_JSON: Final = "application/fhir+json"
_MAX_URL: Final = 2048
_MAX_HEADERS: Final = 20
_MAX_HEADER: Final = 4096
_HEADER: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e]|[\x21-\x7e][\x20-\x7e\t]*[\x21-\x7e])[ \t]*"
)
_OURS: Final = frozenset(
    ("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "te", "trailer")
) | {"upgrade", "expect", "keep-alive"}
"""Headers that belong to the connection or that this hub sets itself."""
_MAIL: Final = re.compile(r"mailto:[A-Za-z0-9.!#$&'*+/=^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


@dataclass(frozen=True, slots=True)
class Premises:
    """What this hub offers."""

    base: str
    """Base URL of the FHIR API."""
    channels: frozenset[str]
    loopback: bool = False
    """Whether it is a hub to try things on: only that may notify its own machine, and do so without TLS."""
    networks: tuple[Network, ...] = ()
    """What may be notified besides the Internet."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed with one subscriber. Times in seconds."""

    topic: str
    """Type of resource."""
    canonical: str
    filters: filters.Filters
    channel: str
    endpoint: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values as given; a value may be a secret."""
    content: Content
    heartbeat: int
    """0 = none."""
    timeout: int
    max_count: int
    contacts: tuple[str, ...] = field(repr=False)
    """E-mail addresses of who is told when notifications have stopped."""


@dataclass(frozen=True, slots=True)
class TermsVerdict(Verdict):
    """The terms, or None and why not."""

    terms: Terms | None


def terms_of(resource: Mapping[str, Any], premises: Premises) -> TermsVerdict:
    """The terms of a Subscription that has passed the gate."""
    channel = resource["channel"]
    canonical = resource["criteria"]
    topic = words.TOPICS.get(canonical)
    texts = [e.get("valueString", "") for e in _extensions(resource.get("_criteria"), words.FILTER)]
    wanted, reasons = filters.read(texts, topic, premises.base) if topic else ({}, ())
    numbers, wrong = _numbers(channel)
    reasons = (
        *_topic_reasons(topic),
        *reasons,
        *_channel_reasons(resource, premises),
        *_content_reasons(channel),
        *_header_reasons(channel),
        *wrong,
    )
    if reasons or topic is None:
        return TermsVerdict(reasons, None)
    terms = Terms(
        topic=topic,
        canonical=canonical,
        filters=wanted,
        channel=channel["type"],
        endpoint=channel["endpoint"],
        headers=tuple(_header(text) for text in channel.get("header", ())),
        content=_content(channel),
        heartbeat=numbers["heartbeat"],
        timeout=numbers["timeout"],
        max_count=numbers["max_count"],
        contacts=tuple(_contacts(resource)),
    )
    return TermsVerdict((), terms)


def _topic_reasons(topic: str | None) -> Iterator[Reason]:
    if topic is None:
        yield Reason("topic", f"criteria is the URL of a topic: {' or '.join(words.TOPICS)}", "Subscription.criteria")


def _channel_reasons(resource: Mapping[str, Any], premises: Premises) -> Iterator[Reason]:
    channel = resource["channel"]
    if "end" in resource:
        yield Reason("end", "an end can't be set: set status off, or delete the Subscription", "Subscription.end")
    if _extensions(channel.get("_type"), words.CHANNEL_TYPE):
        yield Reason("channel", "no channel types beyond those of FHIR R4", "Subscription.channel.type")
    if channel["type"] == EMAIL and EMAIL not in premises.channels:
        yield Reason(
            "channel",
            "email is not offered: this hub has no mail server set up; use rest-hook",
            "Subscription.channel.type",
        )
    elif channel["type"] not in premises.channels:
        offered = ", ".join(sorted(premises.channels))
        yield Reason("channel", f"channels of this server: {offered}", "Subscription.channel.type")
    elif channel["type"] == EMAIL:
        if not _MAIL.fullmatch(channel.get("endpoint", "")):
            yield Reason(
                "endpoint", "the endpoint of email is mailto: and one address", "Subscription.channel.endpoint"
            )
    else:
        place = "Subscription.channel.endpoint"
        yield from address_reasons(
            channel.get("endpoint", ""), place, loopback=premises.loopback, networks=premises.networks
        )


def address_reasons(address: str, path: str, *, loopback: bool, networks: Sequence[Network]) -> Iterator[Reason]:
    """What is against speaking to a URL that others named, before it is looked where its name leads.

    Args:
        address: the URL.
        path: where it stands.
        loopback: whether the machine of the hub may be spoken to, and without TLS.
        networks: what may be spoken to besides the Internet.
    """
    parts = _split(address)
    if parts is None:
        yield Reason("endpoint", f"the endpoint is an absolute https URL of at most {_MAX_URL} characters", path)
        return
    host = parts.hostname or ""
    here = loopback and is_loopback(host)
    if is_loopback(host) and not here:
        yield Reason("endpoint", "the endpoint can't be on the machine of the hub", path)
    elif not _may_be_reached(host, networks, loopback=loopback):
        yield Reason("endpoint", "the endpoint can't be an address inside a network, however it is written", path)
    elif parts.scheme != "https" and not here:
        yield Reason("endpoint", "the endpoint must be https: http can be read and changed on its way", path)
    if parts.username is not None or parts.password is not None:
        yield Reason("endpoint", "no name or password in the URL; send a header instead (channel.header)", path)
    if parts.fragment:
        yield Reason("endpoint", "a fragment never reaches a server; leave it out", path)


def _may_be_reached(host: str, networks: Sequence[Network], *, loopback: bool) -> bool:
    """What a name leads to is only known, and looked at, when something is sent."""
    address = written(host)
    return address is None or may_be_reached(address, networks, loopback=loopback)


def _split(endpoint: str) -> SplitResult | None:
    if len(endpoint) > _MAX_URL or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        return None
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _content_reasons(channel: Mapping[str, Any]) -> Iterator[Reason]:
    said = [e.get("valueCode") for e in _extensions(channel.get("_payload"), words.CONTENT)]
    path = "Subscription.channel.payload.extension[0].value"
    if len(said) > 1 or (said and said[0] not in CONTENTS):
        yield Reason("content", f"one content level: {', '.join(CONTENTS)}", path)
    payload = channel.get("payload")
    if channel["type"] == EMAIL:
        if said and said[0] != "empty":
            yield Reason("content", "an e-mail says that there is something new and no more: content is empty", path)
        if payload not in {None, "text/plain"}:
            yield Reason("payload", "an e-mail is text/plain", "Subscription.channel.payload")
    elif payload in {"application/fhir+xml", "application/xml", "text/xml"}:
        yield Reason("payload", f"XML is not written here; use {FHIR_JSON}", "Subscription.channel.payload")
    elif payload != FHIR_JSON:
        yield Reason("payload", f"payload is {FHIR_JSON}", "Subscription.channel.payload")


def _header_reasons(channel: Mapping[str, Any]) -> Iterator[Reason]:
    lines: Sequence[str | None] = channel.get("header", ())
    if len(lines) > _MAX_HEADERS or (lines and channel["type"] == EMAIL):
        allowed = 0 if channel["type"] == EMAIL else _MAX_HEADERS
        yield Reason("header", f"at most {allowed} headers", "Subscription.channel.header")
    for position, line in enumerate(lines):
        found = _HEADER.fullmatch(line) if line and len(line) <= _MAX_HEADER else None
        path = f"Subscription.channel.header[{position}]"
        if found is None:
            yield Reason("header", f"a header is Name: value, printable ASCII, at most {_MAX_HEADER} characters", path)
        elif found[1].lower() in _OURS:
            yield Reason("header", "this header belongs to the connection; leave it out", path)


def _numbers(channel: Mapping[str, Any]) -> tuple[dict[str, int], tuple[Reason, ...]]:
    """Times and counts, and those that are out of bounds."""
    found: dict[str, int] = {}
    wrong = []
    for key, url, element, usual, least, most in _NUMBERS:
        said = [e.get(element) for e in _extensions(channel, url)]
        number = said[0] if said else usual
        if len(said) > 1 or not isinstance(number, int) or (said and not least <= number <= most):
            name = url.rpartition("/")[2]
            wrong.append(Reason("number", f"{name} is one {element} from {least} to {most}", "Subscription.channel"))
            number = usual
        found[key] = number
    return found, tuple(wrong)


_NUMBERS: Final = (
    # name, extension, element, where it is not said, least, most
    ("heartbeat", words.HEARTBEAT, "valueUnsignedInt", 0, 5, 604_800),
    ("timeout", words.TIMEOUT, "valueUnsignedInt", 10, 1, 60),
    ("max_count", words.MAX_COUNT, "valuePositiveInt", 20, 1, 100),
)


def _content(channel: Mapping[str, Any]) -> Content:
    said = _extensions(channel.get("_payload"), words.CONTENT)
    if said:
        return cast("Content", said[0]["valueCode"])
    return "empty" if channel["type"] == EMAIL else "id-only"


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _contacts(resource: Mapping[str, Any]) -> Iterator[str]:
    for contact in resource.get("contact", ()):
        address = f"mailto:{contact.get('value', '')}"
        if contact.get("system") == "email" and _MAIL.fullmatch(address):
            yield address


def _extensions(holder: Mapping[str, Any] | None, url: str) -> list[Mapping[str, Any]]:
    return [e for e in (holder or {}).get("extension", ()) if e.get("url") == url]
