"""The database and the key file."""

import asyncio

import typer

from app.commands import base

commands = base.commands("db", "The database and the key file.")


@commands.command("upgrade", epilog="Example: throughline db upgrade")
def db_upgrade() -> None:
    """Bring the database to this release's schema; make the key file on first use. Safe to repeat."""
    from app.core.crypto import create_key_file
    from app.core.settings import Settings
    from app.services.partners import registration
    from app.store import migrate

    settings = Settings()
    created = create_key_file(settings.key_file)
    asyncio.run(migrate.upgrade(settings.database_url))
    organization = base.with_hub(registration.found_hub)
    base.show({"schema": "current", "keys": "created" if created else "kept", "organization": organization})
    if created:
        base.say(f"keys written to {settings.key_file}: keep a copy apart from the database; nothing opens without it")


@commands.command("check", epilog="Example: throughline db check")
def db_check() -> None:
    """Verify schema, disclosure seals, ledger counts and change order; exit 1 when something is found."""
    from app.services.privacy import checks

    findings = base.with_hub(checks.check)
    print(checks.report(findings))  # noqa: T201 - this is the output
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
