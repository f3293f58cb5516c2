"""Who received what of a person, and who looked at what."""

from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands("accounting", "Who received what of a person, when, why and under which consent.")
_Output = Annotated[Literal["table", "json", "csv", "html"], typer.Option("--format", help="html: one page to print.")]
_Since = Annotated[str | None, typer.Option(metavar="T", help="From then on: 2026-06-05T14:00:00-04:00, 24h, 7d.")]


@commands.command("find", epilog="Example: throughline accounting find --name Htest Sam --birth-date 1991-04-02")
def accounting_find(
    given: Annotated[list[str] | None, typer.Argument(metavar="[GIVEN]", help="Given name, behind --name.")] = None,
    *,
    name: Annotated[str | None, typer.Option(metavar="FAMILY", help="The start of the family name.")] = None,
    identifier: Annotated[str | None, typer.Option(metavar="SYSTEM|VALUE", help="An identifier of the person.")] = None,
    birth_date: Annotated[str | None, typer.Option(metavar="D", help="2026-06-05, or 2026-06.")] = None,
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="json: an array.")] = "table",
) -> None:
    """Step one: the Patient records of a person. It is recorded that they were looked for."""
    from dataclasses import asdict

    from app.core.errors import BadRequest
    from app.services import sheets
    from app.services.hub import Hub
    from app.services.privacy import person_search

    sought = person_search.Sought(name, " ".join(given) if given else None, identifier, birth_date)

    async def work(hub: Hub) -> list[person_search.Person]:
        return await person_search.find(hub, base.privacy_officer("accounting"), sought)

    try:
        found = base.with_hub(work)
    except BadRequest as error:
        raise base.Stop(error.message, "throughline accounting find --help") from None
    if output == "json":
        base.show([asdict(one) for one in found])
        return
    print(sheets.written(person_search.people_sheet(found), "table"))  # noqa: T201 - this is the output
    base.say("next: throughline accounting show PATIENT ...")


@commands.command("show", epilog="Example: throughline accounting show 0197a2c4-... --format html > accounting.html")
def accounting_show(
    patients: Annotated[list[str], typer.Argument(metavar="PATIENT...", help="Ids that find names.")],
    *,
    since: _Since = None,
    intermediary: Annotated[
        bool, typer.Option("--intermediary", help="The list of 42 CFR 2.24: recipient, date, brief description.")
    ] = False,
    output: _Output = "table",
) -> None:
    """Step two: what of these records was disclosed, in the last three years unless said otherwise (42 CFR 2.25)."""
    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.intake import ledger_views
    from app.services.privacy import disclosure_accounts

    async def work(hub: Hub) -> tuple[Any, Any]:
        now = hub.clock.now_us()
        start = ledger_views.instant(since, now) if since else disclosure_accounts.reach(now)
        found = await disclosure_accounts.accounts(hub, base.privacy_officer("accounting"), patients, start)
        as_sheet = disclosure_accounts.intermediary_sheet if intermediary else disclosure_accounts.accounting_sheet
        return disclosure_accounts.as_json(found), as_sheet(found, patients, start, now)

    try:
        found, sheet = base.with_hub(work)
    except NotFound as error:
        raise base.Stop(error.message, "throughline accounting find --name FAMILY") from None
    base.hand_over(found, sheet, output)


@commands.command("accesses", epilog="Example: throughline accounting accesses --organization ID --since 7d")
def accounting_accesses(
    *,
    organization: Annotated[str | None, typer.Option(metavar="ID", help="Its records, and its own readers.")] = None,
    patient: Annotated[str | None, typer.Option(metavar="ID", help="One Patient record.")] = None,
    since: _Since = None,
    output: _Output = "table",
) -> None:
    """Who looked at what: first disclosures and repeats, by client and user; of 30 days unless said otherwise."""
    from app.services.hub import Hub
    from app.services.intake import ledger_views
    from app.services.privacy import access_accounts

    if (organization is None) == (patient is None):
        raise base.Stop("Whose records?", "give --organization ID or --patient ID")

    async def work(hub: Hub) -> tuple[Any, Any]:
        now = hub.clock.now_us()
        start = ledger_views.instant(since or "30d", now)
        actor = base.privacy_officer("accounting")
        if organization is not None:
            found = await access_accounts.of_organization(hub, actor, organization, start)
        else:
            found = await access_accounts.of_patient(hub, actor, patient or "", start)
        return access_accounts.as_json(found), access_accounts.access_sheet(
            found, organization or patient or "", start, now
        )

    found, sheet = base.with_hub(work)
    base.hand_over(found, sheet, output)
