"""Consents on paper: the form, the signed form, and its revocation."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands("consent", "Consents on paper: the form to sign, a signed one, one that is taken back.")

_Sender = Annotated[str, typer.Option("--sender", metavar="ID", help="The hospital's interface.")]
_Visit = Annotated[str, typer.Option("--visit", metavar="SYSTEM|VALUE", help="Number of the visit.")]


@commands.command("form", epilog='Example: throughline consent form --sender mercy-adt --patient-choice "Harbor OTP"')
def consent_form(
    sender: _Sender,
    choice: Annotated[str, typer.Option("--patient-choice", metavar="NAME", help="The partner that was chosen.")],
    *,
    alternates: Annotated[
        list[str] | None, typer.Option("--alternate", metavar="NAME", help="Who may be asked instead; again for more.")
    ] = None,
    purposes: Annotated[
        list[str] | None, typer.Option("--purpose", metavar="CODE", help="TREAT (default), HPAYMT, HOPERAT.")
    ] = None,
    expires: Annotated[str, typer.Option(metavar="TEXT", help="Date or event.")] = "",
    revoke_to: Annotated[str, typer.Option(metavar="TEXT", help="To whom a revocation is written.")] = "",
    refusing: Annotated[str, typer.Option(metavar="TEXT", help="The consequences of refusing to sign.")] = "",
    language: Annotated[str, typer.Option(help="Of the form.")] = "en",
    output: Annotated[Literal["html", "text", "json"], typer.Option("--format", help="How it is written.")] = "text",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; else the terminal.")] = None,
) -> None:
    """The form with all elements of 42 CFR 2.31(a), filled in; what the hospital alone knows is left blank."""
    from app.core.errors import BadRequest
    from app.services.consents import consent_forms
    from app.services.hub import Hub

    wanted = consent_forms.Wanted(
        sender, choice, alternates or (), purposes or ("TREAT",), expires, revoke_to, refusing, language
    )

    async def work(hub: Hub) -> consent_forms.ConsentForm:
        return await consent_forms.filled(hub, wanted)

    try:
        form = base.with_hub(work)
    except BadRequest as error:
        raise _stop(error) from None
    written = {"html": consent_forms.as_html, "text": consent_forms.as_text, "json": consent_forms.as_json}
    text = written[output](form)
    if out is None:
        print(text, end="")  # noqa: T201 - this is the output
    else:
        out.write_text(text, encoding="utf-8")


@commands.command(
    "record", epilog="Example: throughline consent record consent.json --sender mercy-adt --visit 'urn:oid:1.2|V7'"
)
def consent_record(
    file: Annotated[
        Path, typer.Argument(help="JSON: the part consent of the form's JSON, with the date of signature.")
    ],
    sender: _Sender,
    visit: _Visit,
    document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The signed document: its SHA-256 is kept, it is not.")
    ] = None,
) -> None:
    """A form that came back signed: the visit is told of it, and the ledger has it."""
    from app.core.errors import BadRequest
    from app.services.consents import consent_records
    from app.services.hub import Hub

    data = base.content_of(file)
    paper = base.content_of(document) if document is not None else None

    async def work(hub: Hub) -> tuple[str, Any]:
        return await consent_records.record(hub, data, sender=sender, visit=visit, document=paper)

    try:
        number, entry = base.with_hub(work)
    except BadRequest as error:
        raise _stop(error) from None
    base.show({"identifier": number, **entry})


@commands.command(
    "revoke",
    epilog="Example: throughline consent revoke --sender mercy-adt --visit 'urn:oid:1.2|V7' --identifier form-0197a2c4",
)
def consent_revoke(
    sender: _Sender,
    visit: _Visit,
    identifier: Annotated[str, typer.Option(metavar="NUMBER", help="Of the consent.")],
    recipients: Annotated[
        list[str] | None, typer.Option("--for", metavar="NAME", help="For this recipient only; again for more.")
    ] = None,
) -> None:
    """A consent that was taken back in writing: for all whom it names, or for some of them."""
    from app.core.errors import BadRequest
    from app.services.consents import consent_records
    from app.services.hub import Hub

    async def work(hub: Hub) -> tuple[str, Any]:
        return await consent_records.revoke(
            hub, sender=sender, visit=visit, identifier=identifier, recipients=recipients or ()
        )

    try:
        number, entry = base.with_hub(work)
    except BadRequest as error:
        raise _stop(error) from None
    base.show({"identifier": number, **entry})


def _stop(error: Any) -> base.Stop:
    place = next((one.path for one in error.issues if one.path), None)
    return base.Stop(f"{place}: {error.message}" if place else error.message, "throughline consent --help")
