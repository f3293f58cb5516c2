"""E-mails are handed to a real mail server, and a mail server that is not there is a failed attempt."""

from app import channels
from app.channels.base import Channel, Outside, Parcel
from app.services.subscriptions import notification_texts as texts
from tests.contract.mailboxes import HOST, Mailbox, mailserver


def opened(smtp_url: str) -> Channel:
    return channels.ALL["email"].open(Outside(loopback=True, smtp_url=smtp_url, mail_from="hub@hub.example.org"))


def mail(to: str = "mailto:intake@partner.example.org") -> Parcel:
    subject, text = texts.mail("events", "https://hub.example.org", "s1")
    return Parcel(to, text.encode(), "text/plain", subject=subject, seconds=5)


async def test_a_mail_arrives_and_says_only_that_there_is_something() -> None:
    mailbox = Mailbox()
    with mailserver(mailbox) as smtp_url:
        channel = opened(smtp_url)
        receipt = await channel.deliver(mail())
        await channel.close()
    assert receipt.arrived
    ((recipients, message),) = mailbox.mails
    assert recipients == ["intake@partner.example.org"]
    assert message["Subject"] == "You have a new item"
    assert message["From"] == "hub@hub.example.org"
    assert "https://hub.example.org/portal/" in str(message.get_payload())


async def test_a_mailbox_that_is_not_there_is_a_failed_attempt() -> None:
    mailbox = Mailbox()
    with mailserver(mailbox) as smtp_url:
        channel = opened(smtp_url)
        receipt = await channel.deliver(mail("mailto:nobody@partner.example.org"))
        await channel.close()
    assert (receipt.arrived, receipt.reason) == (False, "mail-not-taken")
    assert mailbox.mails == []


async def test_a_mail_server_that_is_not_there_is_a_failed_attempt() -> None:
    channel = opened(f"smtp://{HOST}:9")
    receipt = await channel.deliver(mail())
    await channel.close()
    assert not receipt.arrived


def test_without_a_mail_server_there_is_no_e_mail() -> None:
    assert not channels.ALL["email"].offered(Outside(loopback=True))
    assert channels.ALL["email"].offered(Outside(loopback=True, smtp_url="smtp://x", mail_from="a@b"))


def test_channels_are_found_by_listing_their_folder() -> None:
    assert set(channels.ALL) == {"rest-hook", "email", "sms", "fax", "fhir-push", "hl7v2-out"}
