"""Agreements: of the hub with those who take part, and of two of them with each other."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands import base

commands = base.commands("agreement", "Agreements with those who take part, and of two of them.")
_File = Annotated[Path, typer.Argument(metavar="FILE", help="JSON.")]
_Hospital = Annotated[str, typer.Argument(metavar="HOSPITAL", help="FHIR id or name.")]
_Partner = Annotated[str, typer.Argument(metavar="PARTNER", help="FHIR id or name.")]
_By = Annotated[str, typer.Option(metavar="NAME", help="Who puts it on file.")]


@commands.command(
    "add",
    epilog="Example: throughline agreement add --organization ID --kind business-associate --reference BAA-7 "
    "--signed-on 2026-01-15 --signer 'Chief Privacy Officer' --document baa-7.pdf",
)
def add(
    *,
    organization: Annotated[str, typer.Option(help="FHIR id of the organization.")],
    kind: Annotated[str, typer.Option(help="business-associate, qualified-service-organization, data-use, ...")],
    reference: Annotated[str, typer.Option(help="Number or name under which the document is filed.")],
    signed_on: Annotated[str, typer.Option(help="Date of signature.")],
    signer: Annotated[str, typer.Option(help="Who signed for the organization.")],
    document: Annotated[Path | None, typer.Option(help="The signed document; only its hash is kept.")] = None,
    document_hash: Annotated[str | None, typer.Option(help="SHA-256 of the document, where it is elsewhere.")] = None,
    ends_on: Annotated[str | None, typer.Option(help="First day on which it does not hold any more.")] = None,
) -> None:
    """Put a signed agreement on file."""
    from app.services.hub import Hub
    from app.services.partners import agreements

    if (document is None) == (document_hash is None):
        raise base.Stop("One of --document and --document-hash is needed.", "throughline agreement add --help")
    digest = hashlib.sha256(base.content_of(document)).hexdigest() if document else document_hash
    fields = {
        "kind": kind,
        "reference": reference,
        "signed_on": signed_on,
        "signer": signer,
        "document_hash": digest,
        "ends_on": ends_on,
    }

    async def work(hub: Hub) -> None:
        await agreements.file(hub, organization, fields)

    base.with_hub(work)
    base.show({"organization": organization.removeprefix("Organization/"), **fields})


@commands.command("list", epilog="Example: throughline agreement list")
def list_all() -> None:
    """Everyone who takes part, and what they have signed."""
    from app.services.hub import Hub
    from app.services.partners import agreements

    async def work(hub: Hub) -> list[agreements.OnFile]:
        return await agreements.listed(hub)

    base.show(
        [
            {
                "organization": one.organization,
                "name": one.name,
                "in_force": one.in_force,
                "agreements": [agreement.model_dump(mode="json") for agreement in one.agreements],
            }
            for one in base.with_hub(work)
        ]
    )


@commands.command("keep", epilog="Example: throughline agreement keep mercy-harbor.json --by 'Director of nursing'")
def keep(file: _File, *, by: _By) -> None:
    """Put on file what a hospital and a partner have agreed: a new version, unless nothing has changed."""
    from app.services.hub import Hub
    from app.services.partners import working_agreements

    data = base.content_of(file)

    async def work(hub: Hub) -> dict[str, Any]:
        version, kept = await working_agreements.keep(hub, data, by)
        return {"hospital": kept.hospital, "partner": kept.partner, "version": version}

    base.show(base.with_hub(work))


@commands.command("show", epilog="Example: throughline agreement show 'Mercy Hospital' 'Harbor OTP'")
def show(hospital: _Hospital, partner: _Partner) -> None:
    """What the two have agreed: whether it holds today, every version, and the log of their meetings."""
    from app.core.actor import Actor
    from app.core.clock import iso
    from app.services.hub import Hub
    from app.services.partners import working_agreements

    async def work(hub: Hub) -> dict[str, Any]:
        pair = await working_agreements.pair_of(hub, hospital, partner)
        found = await working_agreements.held(hub, Actor.system("agreement"), pair)
        versions = [
            {
                "version": one.version,
                "by": one.by,
                "at": iso(one.at),
                **one.agreement.model_dump(mode="json"),
            }
            for one in found.versions
        ]
        meetings = [{"by": one.by, **one.meeting.model_dump(mode="json")} for one in found.meetings]
        return {"in_force": found.in_force, "versions": versions, "meetings": meetings}

    base.show(_told(work))


@commands.command(
    "meeting", epilog="Example: throughline agreement meeting 'Mercy Hospital' 'Harbor OTP' june.json --by 'A. Ng'"
)
def meeting(hospital: _Hospital, partner: _Partner, file: _File, *, by: _By) -> None:
    """Add a meeting of the two to their log; no line of it is ever changed."""
    from app.services.hub import Hub
    from app.services.partners import working_agreements

    data = base.content_of(file)

    async def work(hub: Hub) -> dict[str, Any]:
        pair = await working_agreements.pair_of(hub, hospital, partner)
        return (await working_agreements.note_meeting(hub, pair, data, by)).model_dump(mode="json")

    base.show(_told(work))


@commands.command("due", epilog="Example: throughline agreement due --days 60")
def due(*, days: Annotated[int, typer.Option(min=0, max=3650, help="How many days ahead is looked.")] = 30) -> None:
    """What two organisations must look at soon, or should have: an end, a review, a commitment, a meeting."""
    from dataclasses import asdict
    from datetime import timedelta

    from app.services.hub import Hub
    from app.services.partners import working_agreements

    async def work(hub: Hub) -> list[working_agreements.Due]:
        return await working_agreements.due(hub, timedelta(days=days))

    base.show([{**asdict(one), "on": one.on.isoformat()} for one in base.with_hub(work)])


def _told(work: Any) -> Any:
    from app.core.errors import NotFound

    try:
        return base.with_hub(work)
    except NotFound:
        raise base.Stop("The two have no agreement on file.", "throughline agreement keep --help") from None
