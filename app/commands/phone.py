"""People on the phone: what was said, what is to be done, and the sheet that lies on top of a fax."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands()
answers = base.commands("answer", "Answers that partners gave by phone, by fax or in person.")
commands.add_typer(answers)
attempts = base.commands("call", "Calls to partners.")
commands.add_typer(attempts)

_Task = Annotated[str, typer.Argument(metavar="TASK", help="Id of the hospital's Task, or of the partner's.")]
_Partner = Annotated[
    str | None, typer.Option("--partner", metavar="ID", help="FHIR id of the organization, where several were asked.")
]
_Output = Annotated[Literal["table", "json", "csv", "html"], typer.Option("--format", help="html: one page to print.")]


@answers.command(
    "record",
    epilog="Example: throughline answer record 0197a2c4-... --answer accepted --said-by 'R. Diaz' "
    "--number '+1 555 0100' --at 2026-06-05T16:40:00-04:00",
)
def answer_record(
    task: _Task,
    *,
    answer: Annotated[str, typer.Option(metavar="STATUS", help="accepted, rejected, in-progress, on-hold ...")],
    said_by: Annotated[str, typer.Option("--said-by", metavar="NAME", help="Who said so at the partner.")],
    at: Annotated[str, typer.Option(metavar="T", help="When, with its offset: 2026-06-05T16:40:00-04:00.")],
    number: Annotated[str, typer.Option(metavar="NUMBER", help="Where they were reached.")] = "",
    partner: _Partner = None,
    reason: Annotated[str, typer.Option(metavar="CODE|TEXT", help="Where the answer needs one.")] = "",
    outcome: Annotated[str, typer.Option("--output", metavar="TEXT", help="What was done, of completed.")] = "",
    how: Annotated[str, typer.Option(metavar="HOW", help="phone, fax or in-person.")] = "phone",
    note: Annotated[str, typer.Option(metavar="TEXT", help="For the hospital alone.")] = "",
    by: Annotated[str, typer.Option("--recorded-by", metavar="NAME", help="Who records it; else the account.")] = "",
) -> None:
    """Record a partner's spoken answer. The Task moves as if the partner had written it; telling it twice is once."""
    _require_instant(at, "answer record")
    actor = base.privacy_officer("record-answer")
    texts = {
        "said-by": said_by,
        "number": number,
        "recorded-by": by or actor.user,
        "reason": reason,
        "output": outcome,
        "note": note,
    }
    body = _parameters({"answer": answer, "how": how}, at, texts, partner)
    base.show(_answered(actor, task, partner, "record", body))


@answers.command("confirm", epilog="Example: throughline answer confirm 0197a2c4-... --by 'R. Diaz'")
def answer_confirm(
    task: _Task,
    *,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who of the partner confirms it.")],
    partner: _Partner = None,
) -> None:
    """The partner confirms what was recorded for it, by a letter or a call back."""
    body = _parameters({}, "", {"by": by}, None)
    base.show(_answered(base.privacy_officer("confirm-answer"), task, partner, "confirm", body))


@attempts.command(
    "record",
    epilog="Example: throughline call record 0197a2c4-... --outcome no-answer --number '+1 555 0100' "
    "--at 2026-06-05T16:10:00-04:00",
)
def call_record(
    task: _Task,
    *,
    outcome: Annotated[str, typer.Option(metavar="CODE", help="talked, left-message, no-answer, busy, wrong-number.")],
    number: Annotated[str, typer.Option(metavar="NUMBER", help="Which number was called.")],
    at: Annotated[str, typer.Option(metavar="T", help="When, with its offset: 2026-06-05T16:10:00-04:00.")],
    partner: _Partner = None,
    talked_to: Annotated[str, typer.Option("--talked-to", metavar="NAME", help="Who answered at the partner.")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="For the hospital alone.")] = "",
    by: Annotated[str, typer.Option("--recorded-by", metavar="NAME", help="Who records it; else the account.")] = "",
) -> None:
    """Keep a call to a partner, whatever came of it. Nobody else sees it; telling it twice is once."""
    from app.services.disclosures import Disclosures
    from app.services.feed import Feed
    from app.services.hub import Hub
    from app.services.people.calls import Calls
    from app.services.people.spoken_answers import SpokenAnswers

    _require_instant(at, "call record")
    actor = base.privacy_officer("record-call")
    texts = {"number": number, "recorded-by": by or actor.user, "talked-to": talked_to, "note": note}

    async def work(hub: Hub) -> dict[str, Any]:
        disclosures, feed = Disclosures(hub.store), Feed(hub.store)
        called = partner or (await SpokenAnswers(hub, disclosures, feed).asked(actor, task, None)).partner
        body = _parameters({"outcome": outcome}, at, texts, called)
        done = await Calls(hub, disclosures, feed).record(actor, task, body)
        await disclosures.flush()
        return {"communication": done.id, "partner": called}

    base.show(_told(work, "call record"))


def _require_instant(text: str, command: str) -> None:
    try:
        known = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        known = False
    if not known:
        raise base.Stop(
            "--at: a date with its time and offset, as 2026-06-05T16:40:00-04:00.", f"throughline {command} --help"
        )


def _parameters(codes: dict[str, str], at: str, texts: dict[str, str], partner: str | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"name": name, "valueCode": code} for name, code in codes.items()]
    parts += [{"name": name, "valueString": text} for name, text in texts.items() if text]
    if at:
        parts.append({"name": "at", "valueDateTime": at})
    if partner:
        parts.append({"name": "partner", "valueReference": {"reference": f"Organization/{partner}"}})
    return {"resourceType": "Parameters", "parameter": parts}


def _answered(actor: Any, task: str, partner: str | None, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    from app.services.disclosures import Disclosures
    from app.services.feed import Feed
    from app.services.hub import Hub
    from app.services.people.spoken_answers import SpokenAnswers

    async def work(hub: Hub) -> dict[str, Any]:
        disclosures = Disclosures(hub.store)
        service = SpokenAnswers(hub, disclosures, Feed(hub.store))
        if verb == "record":
            await service.record(actor, task, body)
        else:
            await service.confirm(actor, task, body, partner=partner)
        await disclosures.flush()
        return await service.standing(actor, task, partner)

    return _told(work, f"answer {verb}")


def _told(work: Any, name: str) -> dict[str, Any]:
    """What ``work`` comes to; what is wrong in one line, with where it stands."""
    from app.core.errors import BadRequest, Forbidden, NotFound, Unprocessable

    try:
        found: dict[str, Any] = base.with_hub(work)
    except (BadRequest, Forbidden, NotFound, Unprocessable) as error:
        texts = "; ".join(f"{one.path}: {one.text}" if one.path else one.text for one in error.issues)
        raise base.Stop(texts or error.message, f"throughline {name} --help") from None
    return found


@commands.command("calls", epilog="Example: throughline calls 0197a2c4-... --format json")
def calls(
    referral: Annotated[str, typer.Argument(metavar="REFERRAL", help="Id of the hospital's ServiceRequest or Task.")],
    *,
    output: _Output = "table",
) -> None:
    """Calls, spoken answers and disputes of one referral, oldest first. It is recorded that they were looked at."""
    from dataclasses import asdict

    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.people import calls as service

    async def work(hub: Hub) -> list[service.Said]:
        return await service.listed(hub, base.privacy_officer("calls"), referral)

    try:
        found = base.with_hub(work)
    except NotFound as error:
        raise base.Stop(error.message, "throughline ledger shows referrals") from None
    base.hand_over([asdict(one) for one in found], service.calls_sheet(found), output)


@commands.command("todo", epilog="Example: throughline todo --organization 'Mercy Hospital'")
def todo(
    *,
    organization: Annotated[str | None, typer.Option(metavar="ID|NAME", help="Of one hospital.")] = None,
    output: _Output = "table",
) -> None:
    """Who must be called by when: partners told by hand, what a machine could not tell, disputes, people not seen."""
    from dataclasses import asdict

    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.people import todo as service

    async def work(hub: Hub) -> list[service.Todo]:
        return await service.listed(hub, base.privacy_officer("todo"), organization)

    try:
        found = base.with_hub(work)
    except NotFound as error:
        raise base.Stop(error.message, "throughline agreement list shows who takes part") from None
    base.hand_over([asdict(one) for one in found], service.todo_sheet(found), output)


@commands.command("cover-sheet", epilog="Example: throughline cover-sheet 0197a2c4-... --out cover.html")
def cover_sheet(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id of the partner's Task, as todo shows it.")],
    *,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to; else the terminal.")] = None,
) -> None:
    """The page that lies on top of what is faxed or handed over. It names nobody."""
    from app.core.errors import NotFound, Unprocessable
    from app.services.hub import Hub
    from app.services.people import covers

    async def work(hub: Hub) -> str:
        return await covers.of_task(hub, task)

    try:
        page = base.with_hub(work)
    except (NotFound, Unprocessable) as error:
        raise base.Stop(error.message, "throughline todo shows the Tasks") from None
    if out is None:
        print(page, end="")  # noqa: T201 - this is the output
    else:
        out.write_text(page, encoding="utf-8")
