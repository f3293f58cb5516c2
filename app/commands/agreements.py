"""Agreements between the hub and those who take part."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from app.commands import base

commands = base.commands("agreement", "Agreements with those who take part.")


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
    from app.services import agreements
    from app.services.hub import Hub

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
    from app.services import agreements
    from app.services.hub import Hub

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
