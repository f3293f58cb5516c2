"""Whether people are still in care: the weekly list of a partner, and what it says, by phone or on paper."""

from datetime import date
from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands("retention", "Whether the people whom a partner has taken came, and are still in care.")
_Partner = Annotated[str, typer.Argument(metavar="ID|NAME", help="The partner.")]


@commands.command("list", epilog="Example: throughline retention list 'Harbor OTP' --format html")
def list_one(
    partner: _Partner,
    *,
    output: Annotated[
        Literal["table", "json", "csv", "html"], typer.Option("--format", help="html: one page to print.")
    ] = "table",
) -> None:
    """This week's list of one partner: whom it is asked about. It is recorded that it was looked at."""
    from app.services.people import retention_requests

    async def work(service: Any, organization: str) -> Any:
        return await service.listed(base.privacy_officer("still-here"), organization)

    found = _with(partner, work)
    lines = retention_requests.list_of(found)
    base.hand_over(lines, retention_requests.list_sheet(found), output)


@commands.command(
    "answer",
    epilog="Example: throughline retention answer 'Harbor OTP' --list 3q2-... --by 'R. Diaz' --rest-here "
    "--tell 0197a2c4-...=left",
)
def answer(
    partner: _Partner,
    *,
    shown: Annotated[str, typer.Option("--list", metavar="ID", help="Of the list, as it was shown.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who of the partner vouches for it.")],
    rest_here: Annotated[bool, typer.Option("--rest-here", help="Everybody else on that list is there.")] = False,
    tell: Annotated[
        list[str] | None, typer.Option(metavar="TASK=CODE[@DAY]", help="Of one person; may be given again.")
    ] = None,
) -> None:
    """Take what a partner says of one list. A first dose is told by itself; telling the same again changes nothing."""
    from app.services.people import retention_requests

    told = retention_requests.answers_of(
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "list", "valueString": shown},
                {"name": "by", "valueString": by},
                {"name": "rest-here", "valueBoolean": rest_here},
                *(_answer(one) for one in tell or ()),
            ],
        }
    )

    async def work(service: Any, organization: str) -> Any:
        return await service.answer(base.privacy_officer("still-here"), organization, told)

    base.show(retention_requests.outcomes_of(_with(partner, work)))


def _answer(text: str) -> dict[str, Any]:
    task, _, said = text.partition("=")
    code, _, day = said.partition("@")
    if not task or not code or not _is_day(day):
        raise base.Stop(f"{text} is not TASK=CODE or TASK=CODE@2026-06-08.", "throughline retention answer --help")
    parts: list[dict[str, Any]] = [
        {"name": "task", "valueReference": {"reference": f"Task/{task}"}},
        {"name": "code", "valueCode": code},
    ]
    return {"name": "answer", "part": [*parts, *([{"name": "on", "valueDate": day}] if day else [])]}


def _is_day(text: str) -> bool:
    try:
        return not text or bool(date.fromisoformat(text))
    except ValueError:
        return False


def _with(partner: str, work: Any) -> Any:
    from app.core.errors import BadRequest, NotFound, Unprocessable
    from app.services.disclosures import Disclosures
    from app.services.feed import Feed
    from app.services.hub import Hub
    from app.services.people.retention import Retention
    from app.services.referral.parties import organization_of

    async def over(hub: Hub) -> Any:
        service = Retention(hub, Disclosures(hub.store), Feed(hub.store))
        try:
            organization = organization_of(await hub.registry.current(), partner)
        except NotFound as error:
            raise base.Stop(error.message, "throughline agreement list shows who takes part") from None
        return await work(service, organization)

    try:
        return base.with_hub(over)
    except (BadRequest, NotFound, Unprocessable) as error:
        raise base.Stop(error.message, "throughline retention list shows the list of this week and its id") from None
