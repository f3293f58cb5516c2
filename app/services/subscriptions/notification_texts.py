"""What a person reads about notifications: e-mails, and why they have stopped. No text names a person or a referral."""

from datetime import date
from typing import Final

from app.rules.notifying import Step

NOT_OFFERED: Final = "This server does not offer what the Subscription asks for any more; see its CapabilityStatement."
NOT_ALLOWED: Final = "The client that subscribed is switched off, or may not read this type any more."
_MAILS: Final[dict[Step, tuple[str, str]]] = {
    "handshake": (
        "Notifications by e-mail are on",
        "You will get an e-mail whenever there is something new for your organisation in Throughline.",
    ),
    "events": ("You have a new item", "There is something new for your organisation in Throughline."),
    "heartbeat": ("Notifications by e-mail are on", "Nothing new since the last e-mail. Notifications still work."),
}


def mail(step: Step, base_url: str, subscription: str) -> tuple[str, str]:
    """Subject and text of an e-mail to a subscriber: that there is something, and where to look."""
    subject, text = _MAILS[step]
    return subject, f"{text}\n\nSign in: {base_url}/portal/\nSubscription: {subscription}\n"


def short(base_url: str) -> str:
    """A text message to a partner that is asked: that there is something, and where to look. Never more."""
    return f"You have a new item in Throughline. {base_url}/portal/"


def agreement(hospital: str, partner: str, day: date) -> tuple[str, str]:
    """Subject and text of the e-mail to the contacts of two organisations: somebody must look at what they agreed."""
    text = (
        f"The agreement between {hospital} and {partner} must be looked at by {day.isoformat()}: it ends, is to be "
        "reviewed, or one of the two has promised something that is. What exactly, whoever runs the hub can say: "
        "throughline agreement due.\n"
    )
    return "An agreement must be looked at", text


def stopped(fhir_base: str, subscription: str) -> tuple[str, str]:
    """Subject and text of the e-mail to an owner whose Subscription is in error."""
    address = f"{fhir_base}/Subscription/{subscription}"
    text = (
        "Notifications of one of your subscriptions could not be delivered and have stopped. Nothing is lost: events "
        f"are still counted.\n\nWhy: {address}/$status\nWhat was missed: {address}/$events\n"
        "To start again, set its status to requested.\n"
    )
    return "Notifications have stopped", text


def no_handshake(reason: str) -> str:
    """Why a Subscription did not become active."""
    return f"The handshake was not answered by 2xx ({reason}). Set the status to requested to try again."


def given_up(reason: str, now: str) -> str:
    """Why a Subscription is not active any more."""
    return (
        f"No notification arrived for 72 hours; stopped at {now} ({reason}). Events are still numbered: see $events. "
        "Set the status to requested to start again."
    )
