"""email: a short text to one address by SMTP (RFC 5321), through the mail server of whoever runs the hub.

Carries a link and no more: mail is read by whoever stands on its way. Limits: an attempt lasts as long as the parcel
says; four at a time, since they wait in threads. A refused recipient is worth another attempt, as everything is: a
mailbox may be made tomorrow. TLS is used unless the mail server is on this machine.
"""

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final
from urllib.parse import unquote, urlsplit

from app.channels.base import Channel, ChannelKind, Outside, Parcel, Receipt

_THREADS: Final = 4
_PORTS: Final = {"smtp": 587, "smtps": 465}
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Mail:
    """Sends through one mail server."""

    def __init__(self, smtp_url: str, mail_from: str) -> None:
        self._server = urlsplit(smtp_url)
        self._from = mail_from
        self._threads = ThreadPoolExecutor(_THREADS, "mail")

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One mail."""
        message = EmailMessage()
        message["From"] = self._from
        message["To"] = unquote(parcel.to.removeprefix("mailto:"))
        message["Subject"] = parcel.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=self._from.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(parcel.content.decode())
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._send, message, parcel.seconds)
        except TimeoutError:
            return Receipt(arrived=False, reason="timeout")
        except (smtplib.SMTPException, OSError):
            return Receipt(arrived=False, reason="mail-not-taken")
        return Receipt(arrived=True)

    async def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, message: EmailMessage, seconds: float) -> None:
        with self._connected(seconds) as server:
            if self._server.username:
                server.login(unquote(self._server.username), unquote(self._server.password or ""))
            server.send_message(message)

    def _connected(self, seconds: float) -> smtplib.SMTP:
        host = self._server.hostname or ""
        port = self._server.port or _PORTS[self._server.scheme]
        if self._server.scheme == "smtps":
            return smtplib.SMTP_SSL(host, port, timeout=seconds, context=ssl.create_default_context())
        server = smtplib.SMTP(host, port, timeout=seconds)
        if host not in _HERE:
            server.starttls(context=ssl.create_default_context())
        return server


def _offered(outside: Outside) -> bool:
    return bool(outside.smtp_url and outside.mail_from)


def _open(outside: Outside) -> Channel:
    if outside.smtp_url is None or outside.mail_from is None:
        raise ValueError("a mail server and an address to send from are needed")
    return Mail(outside.smtp_url, outside.mail_from)


CHANNEL = ChannelKind("email", _offered, _open)
