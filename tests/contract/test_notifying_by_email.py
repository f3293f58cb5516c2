"""A subscriber by e-mail, and the owner who is told that notifications have stopped."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.core.clock import Clock
from app.core.errors import Unprocessable
from app.rules.notifying import PATIENCE
from app.services.hub import Hub
from tests.contract.mailboxes import Mailbox, mailserver
from tests.contract.notified import failed_once, notifying, subscriber, until_status
from tests.contract.subscribers import body, shown_to, subscribe, task
from tests.hub_fixtures import World
from tests.receivers import receiving

BY_MAIL = {"type": "email", "endpoint": "mailto:intake@partner.example.org", "payload": "text/plain"}


def mailing(hub: Hub, smtp_url: str) -> Hub:
    """A hub that hands e-mail to that server."""
    changed = {"base_url": "http://127.0.0.1:8000", "smtp_url": smtp_url, "mail_from": "hub@hub.example.org"}
    return replace(hub, settings=hub.settings.model_copy(update=changed))


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")


async def test_a_subscriber_by_e_mail_is_told_that_there_is_something_and_not_what(hub: Hub, world: World) -> None:
    actor, mailbox = await subscriber(world), Mailbox()
    with mailserver(mailbox) as smtp_url:
        mailing_hub = mailing(hub, smtp_url)
        async with notifying(mailing_hub):
            await subscribe(mailing_hub, actor, body(**BY_MAIL))
            await until_status(mailing_hub, actor, "active")
            await hub.store.commit(shown_to(world.harbor, task("HTEST-t1")))
            await until(lambda: len(mailbox.mails) == 2)
    assert [message["Subject"] for _, message in mailbox.mails] == [
        "Notifications by e-mail are on",
        "You have a new item",
    ]
    assert all(recipients == ["intake@partner.example.org"] for recipients, _ in mailbox.mails)
    assert "HTEST-t1" not in mailbox.mails[1][1].as_string()


async def test_without_a_mail_server_a_subscription_by_e_mail_is_refused(hub: Hub, world: World) -> None:
    with pytest.raises(Unprocessable) as refused:
        await subscribe(hub, await subscriber(world), body(**BY_MAIL))
    assert [issue.path for issue in refused.value.issues] == ["Subscription.channel.type"]


async def test_the_contact_of_a_subscription_is_told_that_it_has_stopped(hub: Hub, world: World) -> None:
    actor, mailbox = await subscriber(world), Mailbox()
    contact = [{"system": "email", "value": "it@partner.example.org"}, {"system": "phone", "value": "555-0100"}]
    with mailserver(mailbox) as smtp_url:
        here = mailing(hub, smtp_url)
        async with receiving() as receiver:
            async with notifying(here):
                await subscribe(here, actor, {**body(receiver.url), "contact": contact})
                await until_status(here, actor, "active")
                await receiver.stop()
                await hub.store.commit(shown_to(world.harbor, task("HTEST-t1")))
                await failed_once(here)
            async with notifying(replace(here, clock=Clock(PATIENCE + 60_000_000))):
                await until_status(here, actor, "error")
                await until(lambda: len(mailbox.mails) == 1)
    ((recipients, message),) = mailbox.mails
    assert recipients == ["it@partner.example.org"]
    assert message["Subject"] == "Notifications have stopped"
