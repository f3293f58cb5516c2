"""Community partners."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands("partner", "Community partners.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the partner.")]


@commands.command("import", epilog="Example: throughline partner import partners.json")
def partner_import(
    file: Annotated[Path, typer.Argument(help="JSON array of partner profiles.")],
) -> None:
    """Register partners, or change those of the same names."""
    from app.services.hub import Hub
    from app.services.partners import registration

    data = base.content_of(file)

    async def work(hub: Hub) -> list[registration.Partner]:
        return await registration.import_partners(hub, data)

    imported = base.with_hub(work)
    base.show([{"name": one.name, "organization": one.organization} for one in imported])
    for one in imported:
        if one.unread:
            base.say(f"{one.name}: nothing reads {', '.join(one.unread)}; /schemas/partner.json has the names")


@commands.command("setup", epilog="Example: throughline partner setup --answers harbor.json")
def partner_setup(
    answers: Annotated[Path | None, typer.Option(help="JSON object of answers; without it they are asked for.")] = None,
) -> None:
    """Register a partner by eight questions; whatever is left out is unknown, and asked for when it matters."""
    from app.services.hub import Hub
    from app.services.partners import partner_setup as service
    from app.services.partners import registration

    found = service.answers_of(base.content_of(answers)) if answers else _interview(service.QUESTIONS)

    async def work(hub: Hub) -> registration.Partner:
        return await service.set_up(hub, found)

    made = base.with_hub(work)
    base.show({"name": made.name, "organization": made.organization})


def _interview(questions: Any) -> dict[str, str]:
    asked = [("name", "What is the partner called?"), *((one.key, one.text) for one in questions)]
    asked.append(("by", "Who answered? (name or office)"))
    return {key: typer.prompt(text, default="", show_default=False, err=True) for key, text in asked}


@commands.command("credential", epilog="Example: throughline partner credential 'Harbor OTP' --file harbor-key.json")
def partner_credential(
    name: Name,
    file: Annotated[Path, typer.Option(help="A token, a secret, or a private key as a JWK: what `sign_in` names.")],
) -> None:
    """Keep, sealed, what the hub shows to a partner's own FHIR server (docs/push.md)."""
    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.push import pushes

    secret = base.content_of(file)

    async def work(hub: Hub) -> dict[str, Any]:
        return await pushes.keep_credential(hub, name, secret)

    try:
        base.show(base.with_hub(work))
    except NotFound as error:
        raise base.Stop(error.message, "its profile needs a server: docs/push.md") from None


@commands.command("ask", epilog="Example: throughline partner ask 'Harbor OTP'")
def partner_ask(name: Name) -> None:
    """The one question to a partner whose answer would have mattered most lately; null when nothing is open."""
    from dataclasses import asdict

    from app.services.hub import Hub
    from app.services.partners import partners

    async def work(hub: Hub) -> partners.Asked | None:
        return await partners.ask(hub, name)

    found = base.with_hub(work)
    base.show(asdict(found) if found else None)
    if found and found.facet == partners.HOURS:
        base.say("answer: throughline partner setup, and of its questions the one about intake alone")
    elif found:
        base.say(f"answer: throughline partner attest '{name}' {found.facet} yes|no|unknown --by WHO")


@commands.command(
    "attest", epilog="Example: throughline partner attest 'Harbor OTP' benzodiazepines yes --by 'Intake coordinator'"
)
def partner_attest(
    name: Name,
    facet: Annotated[str, typer.Argument(metavar="FACET", help="As docs/matching.md lists them.")],
    value: Annotated[Literal["yes", "no", "unknown"], typer.Argument(metavar="yes|no|unknown")],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who of the partner said so: a name or an office.")],
    *,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="First day on which it does not count.")] = None,
    condition: Annotated[str | None, typer.Option(metavar="TEXT", help="What it hangs on, in its own words.")] = None,
    detail: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="What it states more exactly: from_age=18.")
    ] = None,
) -> None:
    """Record what a partner says of itself; it counts for a year where no end is given."""
    from app.services.hub import Hub
    from app.services.partners import partners
    from schemas.partner import PartnerProfile

    said = {"value": value, "attested_by": by, "expires": expires, "condition": condition}
    said |= partners.details_of(detail or [])

    async def work(hub: Hub) -> PartnerProfile:
        return await partners.attest(hub, name, facet, said)

    kept = base.with_hub(work)
    base.show({"name": kept.name, facet: kept.facets[facet].model_dump(mode="json", exclude_defaults=True)})


@commands.command("capacity", epilog="Example: throughline partner capacity 'Harbor OTP' 2+")
def partner_capacity(
    name: Name,
    left: Annotated[Literal["0", "1", "2+"], typer.Argument(metavar="0|1|2+", help="Intakes left today.")],
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who said so; else the account of this machine.")
    ] = None,
) -> None:
    """Record how many intakes a partner has left today; after 24 hours it is unknown again."""
    from getpass import getuser

    from app.services.hub import Hub
    from app.services.partners import partners
    from schemas.partner import PartnerProfile

    async def work(hub: Hub) -> PartnerProfile:
        return await partners.set_capacity(hub, name, left, source=by or f"cli:{getuser()}")

    kept = base.with_hub(work)
    base.show({"name": kept.name, "capacity": kept.capacity.model_dump(mode="json") if kept.capacity else None})
