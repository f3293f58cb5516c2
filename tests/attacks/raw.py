"""HTTP as bytes on a socket: what no client library would send."""

import re
import socket
from dataclasses import dataclass

from tests.journeys.running_hub import Caller, RunningHub

_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, as it came."""

    status: int
    head: str
    body: bytes

    @property
    def plain(self) -> tuple[int, str, bytes]:
        """What of it could differ, but for the time and the request's own id."""
        return self.status, re.sub(r"(?im)^(x-request-id|date):.*\r\n", "", self.head), self.body


def exchange(hub: RunningHub, *parts: bytes, ends: bool = True) -> Answer:
    """What is answered to bytes on a connection of their own; status 0: it was closed without a word."""
    host, port = hub.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), _PATIENCE) as stream:
        try:
            for part in parts:
                stream.sendall(part)
            if ends:
                stream.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # the hub has answered and does not read on
        return _answer(_all_of(stream))


def _all_of(stream: socket.socket) -> bytes:
    received = b""
    try:
        while part := stream.recv(65536):
            received += part
    except ConnectionError:
        pass
    return received


def _answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    status = head[9:12]
    return Answer(int(status) if status.isdigit() else 0, head.decode("latin-1") + "\r\n", body)


def request(hub: RunningHub, caller: Caller, method: str, target: str, *lines: str, body: bytes = b"") -> Answer:
    """One request whose target is sent as it is."""
    head = [
        f"{method} {target} HTTP/1.1",
        "host: hub.example.org",
        f"authorization: {caller.headers['authorization']}",
        "connection: close",
        *lines,
        *([f"content-length: {len(body)}"] if body else []),
    ]
    return exchange(hub, ("\r\n".join(head) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body, ends=False)
